/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection: requests and their replies, what the daemon sends unasked, and the loss of it.
 *
 * Whoever makes a request holds the lock over it and reads the socket itself until its reply is
 * there; the library's thread (thread.c) reads only between requests, for what comes unasked. While
 * a request is under way the thread's epoll set ignores the socket, so that the thread does not
 * wake for replies that are not its business.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "internal.h"

#define STABLE_NS 1000000000u /* a connection that lasted so long resets the pace of attempts */

/* Only EPOLL_CTL_ADD needs memory. */
static int watch_socket(struct rawnet *rn, int op, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.fd = rn->sock};

	return rn->sock >= 0 && epoll_ctl(rn->poll_fd, op, rn->sock, &ev) ? -errno : 0;
}

void rn_conn_lock(struct rawnet *rn)
{
	pthread_mutex_lock(&rn->lock);
	if (rn->has_thread)
		watch_socket(rn, EPOLL_CTL_MOD, 0);
}

void rn_conn_unlock(struct rawnet *rn)
{
	if (rn->has_thread)
		watch_socket(rn, EPOLL_CTL_MOD, EPOLLIN);
	pthread_mutex_unlock(&rn->lock);
}

uint64_t rn_conn_deadline(const struct rawnet *rn)
{
	return rn_now_ns() + (uint64_t)rn->options.timeout_ms * 1000000;
}

int rn_conn_ready(struct rawnet *rn)
{
	int err = __atomic_load_n(&rn->ended, __ATOMIC_ACQUIRE);

	if (err)
		return rn_fail(err, "%s", rn->ended_text);
	if (rn->sock < 0)
		return rn_fail(-ENOTCONN, "no daemon at %s for now: connecting again", rn->path);
	return 0;
}

/* ---- loss ---- */

/* After these the daemon does not want the client back. */
static bool is_final(const struct rawnet_disconnect *why)
{
	return why && (why->reason == RAWNET_BYE_ADMIN || why->reason == RAWNET_BYE_PROTOCOL ||
		       why->reason == RAWNET_BYE_RING || why->reason == RAWNET_BYE_MEMORY ||
		       why->reason == RAWNET_BYE_POLICY);
}

static void end(struct rawnet *rn, int err)
{
	snprintf(rn->ended_text, sizeof(rn->ended_text), "%s", rawnet_error());
	__atomic_store_n(&rn->ended, err, __ATOMIC_RELEASE);
	for (struct rawnet_attachment *at = rn->attachments; at; at = at->next)
		if (!at->ended)
			rn_attach_end(at, err, rn->ended_text);
}

static void drop_socket(struct rawnet *rn)
{
	if (rn->sock >= 0)
		close(rn->sock);
	rn->sock = -1;
}

int rn_conn_lost(struct rawnet *rn, const struct rawnet_disconnect *why)
{
	int err = -ENOTCONN;

	if (rn->sock < 0)
		return rn_conn_ready(rn);
	drop_socket(rn);
	for (struct rawnet_attachment *at = rn->attachments; at; at = at->next)
		rn_attach_lost(at);
	rn_rules_lost(&rn->rules);
	if (why)
		rn_fail(0, "the daemon ended the connection: %s%s%s",
			rawnet_reason_text(why->reason), why->text[0] ? ": " : "", why->text);
	else
		rn_fail(0, "the daemon is gone");
	if (is_final(why))
		err = -ECONNABORTED;
	if (is_final(why) || (rn->options.flags & RAWNET_NO_RECONNECT))
		end(rn, err);
	if (rn->announced) {
		rn->announced = false;
		rn->lost_at = rn_now_ns();
		if (rn->lost_at - rn->back_at > STABLE_NS)
			rn->backoff_ms = 1;
		rn_calls_gone(rn, why);
	}
	if (!rn->ended)
		rn_restore_later(rn);
	return err;
}

/* ---- messages that no request waits for ---- */

static void take_event(struct rawnet *rn, const struct rn_msg *m)
{
	struct rawnet_event event;
	struct rn_rule *rule;
	uint64_t id;

	rn_msg_get(m, &event, sizeof(event));
	event.what[sizeof(event.what) - 1] = '\0';
	if (event.kind == RAWNET_EVENT_FLOW) {
		id = event.id;
		event.id = rn_rule_to_program(&rn->rules, id);
		rule = rn_rule_find(&rn->rules, event.id);
		if (rule && rule->daemon_id == id && !strcmp(event.what, "confirmed"))
			rule->confirm_by = 0;
		else if (rule && rule->daemon_id == id &&
			 (!strcmp(event.what, "deleted") || !strncmp(event.what, "rolled", 6)))
			rn_rule_drop_id(&rn->rules, event.id);
	}
	if (event.kind & rn->events)
		rn_calls_event(rn, &event);
}

/* A reply after its request timed out: what it made must not stay, nobody knows of it. */
static void undo_late(struct rawnet *rn, const struct rn_msg *m)
{
	struct rawnet_req_id req = {.hdr = {.size = sizeof(req), .id = ++rn->next_id}};
	struct rawnet_rep_attach attach;
	struct rawnet_rep_flow flow;

	if (m->hdr.error)
		return;
	if (m->hdr.type == (RAWNET_MSG_ATTACH | RAWNET_REPLY)) {
		rn_msg_get(m, &attach, sizeof(attach));
		req.hdr.type = RAWNET_MSG_DETACH;
		req.id = attach.attachment;
	} else if (m->hdr.type == (RAWNET_MSG_FLOW_ADD | RAWNET_REPLY)) {
		rn_msg_get(m, &flow, sizeof(flow));
		req.hdr.type = RAWNET_MSG_FLOW_DEL;
		req.id = flow.rule;
	}
	if (req.id)
		rn_wire_send(rn->sock, &req, sizeof(req));
}

int rn_conn_take(struct rawnet *rn, struct rn_msg *m)
{
	struct rawnet_disconnect why;

	rn_msg_close(m);
	switch (m->hdr.type) {
	case RAWNET_MSG_EVENT: take_event(rn, m); return 0;
	case RAWNET_MSG_DISCONNECT:
		rn_msg_get(m, &why, sizeof(why));
		why.text[sizeof(why.text) - 1] = '\0';
		return rn_conn_lost(rn, &why);
	default:
		if (m->hdr.type & RAWNET_REPLY)
			undo_late(rn, m);
		return 0; /* of a later version: not understood, not needed */
	}
}

/* ---- requests ---- */

/* The socket failed: the daemon's last words may still be in it. */
static int last_words(struct rawnet *rn)
{
	struct rn_msg m;
	int err = 0;

	while (rn->sock >= 0 && rn_wire_recv(rn->sock, &m) == 1)
		err = rn_conn_take(rn, &m);
	return rn->sock >= 0 ? rn_conn_lost(rn, NULL) : err;
}

int rn_conn_send(struct rawnet *rn, void *req, size_t size, uint64_t deadline)
{
	struct rawnet_hdr *hdr = req;
	int err;

	hdr->size = (uint32_t)size;
	hdr->error = 0;
	hdr->reserved = 0;
	do
		hdr->id = ++rn->next_id;
	while (hdr->id == 0);
	while ((err = rn_wire_send(rn->sock, req, size)) == -EAGAIN || err == -ENOBUFS) {
		err = rn_wire_wait(rn->sock, POLLOUT, deadline);
		if (err)
			return rn_fail(err, "the daemon does not take requests");
	}
	return err ? last_words(rn) : 0;
}

static int malformed(struct rawnet *rn)
{
	char what[256];

	snprintf(what, sizeof(what), "%s", rawnet_error());
	rn_conn_lost(rn, NULL);
	return rn_fail(-EPROTO, "%s", what);
}

int rn_conn_reply(struct rawnet *rn, uint32_t id, struct rn_msg *m, uint64_t deadline)
{
	int r;

	for (;;) {
		r = rn_wire_recv(rn->sock, m);
		if (r == -EAGAIN) {
			r = rn_wire_wait(rn->sock, POLLIN, deadline);
			if (r)
				return rn_fail(r, "no reply from the daemon within %u ms",
					       rn->options.timeout_ms);
			continue;
		}
		if (r == -EPROTO)
			return malformed(rn);
		if (r <= 0)
			return rn_conn_lost(rn, NULL);
		if (m->hdr.id == id && (m->hdr.type & RAWNET_REPLY))
			return 0;
		r = rn_conn_take(rn, m);
		if (r)
			return r;
	}
}

int rn_conn_call(struct rawnet *rn, uint16_t type, void *req, size_t size, struct rn_msg *m)
{
	uint64_t deadline = rn_conn_deadline(rn);
	struct rawnet_hdr *hdr = req;
	int err;

	hdr->type = type;
	err = rn_conn_send(rn, req, size, deadline);
	if (!err)
		err = rn_conn_reply(rn, hdr->id, m, deadline);
	if (err)
		return err;
	err = m->hdr.type == (type | RAWNET_REPLY)
		      ? rn_msg_refused(m)
		      : rn_fail(-EPROTO, "reply of type %u to a request of type %u", m->hdr.type,
				type);
	if (err)
		rn_msg_close(m);
	return err;
}

/* ---- connecting ---- */

static int keep_hello(struct rawnet *rn, const struct rawnet_rep_hello *hello)
{
	struct rn_kept *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return rn_fail(-ENOMEM, "no memory for a connection");
	kept->hello = *hello;
	kept->hello.daemon[RAWNET_LABEL - 1] = '\0';
	kept->next = rn->kept;
	rn->kept = kept;
	__atomic_store_n(&rn->hello, &kept->hello, __ATOMIC_RELEASE);
	return 0;
}

static int say_hello(struct rawnet *rn)
{
	struct rawnet_req_hello req = {.min = RAWNET_PROTO_MIN, .max = RAWNET_PROTO_MAX};
	struct rawnet_rep_hello rep;
	struct rn_msg m;
	int err;

	memcpy(req.label, rn->label, sizeof(req.label));
	memcpy(req.program, rn->program, sizeof(req.program));
	err = rn_conn_call(rn, RAWNET_MSG_HELLO, &req, sizeof(req), &m);
	if (err)
		return err;
	rn_msg_close(&m);
	rn_msg_get(&m, &rep, sizeof(rep));
	if (rep.version < RAWNET_PROTO_MIN || rep.version > RAWNET_PROTO_MAX)
		return rn_fail(-EPROTO, "the daemon speaks version %u, this library %u to %u",
			       rep.version, RAWNET_PROTO_MIN, RAWNET_PROTO_MAX);
	if (rep.abi != RAWNET_ABI_VERSION)
		return rn_fail(-EPROTO, "the daemon's shared memory is of version %u, not %u",
			       rep.abi, RAWNET_ABI_VERSION);
	return keep_hello(rn, &rep);
}

/* What there is to be done about it. */
static const char *advice(int err)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED: return "; is rawnetd running?";
	case -EACCES: return "; its group may connect (ls -l), \"rawnet\" by default";
	default: return "";
	}
}

int rn_conn_open(struct rawnet *rn, uint64_t deadline)
{
	int fd = rn_wire_dial(rn->path, deadline), err;

	if (fd < 0)
		return rn_fail(fd, "cannot connect to %s: %s%s", rn->path, strerror(-fd),
			       advice(fd));
	rn->sock = fd;
	err = watch_socket(rn, EPOLL_CTL_ADD, EPOLLIN);
	if (err)
		rn_fail(err, "cannot watch the connection: %s", strerror(-err));
	else
		err = say_hello(rn);
	if (err)
		drop_socket(rn);
	return err;
}
