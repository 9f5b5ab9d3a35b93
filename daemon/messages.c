/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See messages.h and client.h. A message is copied into zeroed memory of the size that the handler
 * knows, so a short one (an older client) reads as zeros and a long one (a newer client) is cut;
 * its `size` must be what the socket says. No descriptor is ever received: who sends one is ended
 * (closer.h).
 */
#include "messages.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "adopt.h"
#include "clock.h"
#include "closer.h"
#include "daemon.h"
#include "log.h"

/* Messages of one client, and the time they take, before others get their turn. */
#define READ_BURST 32
#define READ_NS	   1000000u

static const struct handler {
	uint16_t type;
	const char *name;
	size_t req_size, rep_size;
	int (*handle)(struct rn_request *r);
} handlers[] = {
#define ENTRY(NAME, number, request, reply) \
	{number, #NAME, sizeof(struct request), sizeof(struct reply), rn_handle_##NAME},
	RAWNET_REQUESTS(ENTRY)
#undef ENTRY
};

/* Replies are built here: one thread, one message at a time. */
static _Alignas(16) uint8_t reply_space[RAWNET_MSG_MAX];
static _Alignas(16) uint8_t request_space[RAWNET_MSG_MAX + 1]; /* one more shows what is too long */

static const struct handler *find(uint16_t type)
{
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (handlers[i].type == type)
			return &handlers[i];
	return NULL;
}

/* ---- sending ---- */

static ssize_t send_with(int fd, const void *data, size_t size, const int *fds, unsigned n)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE((3 + RAWNET_QUEUES_MAX) * sizeof(int))];
	} control;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n) {
		struct cmsghdr *cmsg = &control.header;

		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* 0: sent; -EAGAIN: does not fit now; else the client is lost. */
static int send_reply(struct rn_client *c, const void *data, size_t size, struct rn_attachment *at)
{
	struct rawnet_rep_attach unused = {0};
	int fds[3 + RAWNET_QUEUES_MAX];
	unsigned n = at ? rn_attachment_reply(at, &unused, fds) : 0;

	if (send_with(c->fd, data, size, fds, n) < 0) {
		if (errno == EINTR || errno == EAGAIN)
			return -EAGAIN;
		if (errno != EPIPE && errno != ECONNRESET)
			rn_warn("client %u (%s, uid %u) cannot be answered: %s", c->id, c->label,
				c->peer.uid, strerror(errno));
		return -errno;
	}
	if (at) {
		rn_attachment_sent(at);
		rn_adopt_known(at);
	}
	rn_adopt_pending(c, 0, 0);
	return 0;
}

/* Keeps the reply until the socket takes it, and reads nothing until then. */
static int hold(struct rn_client *c, const void *data, uint32_t size, struct rn_attachment *at)
{
	c->held = malloc(size);
	if (!c->held)
		return -ENOMEM;
	memcpy(c->held, data, size);
	c->held_size = size;
	c->held_attachment = at;
	return sd_event_source_set_io_events(c->source, EPOLLOUT);
}

static void reply(struct rn_client *c, const void *data, uint32_t size, struct rn_attachment *at)
{
	int rc = send_reply(c, data, size, at);

	if (rc == -EAGAIN)
		rc = hold(c, data, size, at);
	if (rc < 0)
		rn_client_lost(c);
}

static void send_held(struct rn_client *c)
{
	int rc = send_reply(c, c->held, c->held_size, c->held_attachment);

	if (rc == -EAGAIN)
		return;
	free(c->held);
	c->held = NULL;
	c->held_attachment = NULL;
	if (rc < 0 || sd_event_source_set_io_events(c->source, EPOLLIN) < 0)
		rn_client_lost(c);
}

void rn_messages_bye(struct rn_client *c, enum rawnet_reason reason, const char *text)
{
	struct rawnet_disconnect bye = {.hdr = {.size = sizeof(bye), .type = RAWNET_MSG_DISCONNECT},
					.reason = reason};

	strncpy(bye.text, text, sizeof(bye.text) - 1);
	send_with(c->fd, &bye, sizeof(bye), NULL, 0);
}

/* ---- dispatching ---- */

static void refuse(struct rn_client *c, const struct rawnet_hdr *hdr, int code, const char *text)
{
	struct rawnet_refusal no = {.hdr = {.size = sizeof(no),
					    .type = hdr->type | RAWNET_REPLY,
					    .id = hdr->id,
					    .error = code}};

	strncpy(no.text, text, sizeof(no.text) - 1);
	rn_debug("client %u: request %u is refused: %s", c->id, hdr->type, text);
	reply(c, &no, sizeof(no), NULL);
}

void rn_messages_unanswered(struct rn_client *c, uint32_t id, uint32_t type)
{
	const struct rawnet_hdr hdr = {.id = id, .type = (uint16_t)type};

	refuse(c, &hdr, -EAGAIN,
	       "rawnetd was restarted while it handled this: look whether it was done, and ask "
	       "again");
}

void rn_messages_answer(struct rn_client *c, const struct rawnet_hdr *request, int rc,
			const struct rawnet_hdr *rep, const char *text)
{
	c->asked = NULL;
	if (rc < 0)
		refuse(c, request, rc, text);
	else
		reply(c, rep, rep->size, NULL);
	if (!c->dead && !c->held && sd_event_source_set_io_events(c->source, EPOLLIN) < 0)
		rn_client_lost(c);
}

static void handle(struct rn_client *c, const struct handler *h)
{
	const struct rawnet_hdr *hdr = (void *)request_space;
	struct rawnet_hdr *rep = (void *)reply_space;
	struct rn_err err = {0};
	struct rn_request r = {.client = c, .req = request_space, .rep = reply_space, .err = &err};
	int rc;

	memset(reply_space, 0, h->rep_size);
	rep->size = (uint32_t)h->rep_size;
	rep->type = hdr->type | RAWNET_REPLY;
	rep->id = hdr->id;
	rn_adopt_pending(c, hdr->id, hdr->type);
	rc = h->handle(&r);
	if (c->dead)
		return; /* it ended itself */
	if (rc == RN_LATER) {
		if (sd_event_source_set_io_events(c->source, 0) < 0)
			rn_client_lost(c);
	} else if (rc < 0) {
		refuse(c, hdr, rc, err.text[0] ? err.text : strerror(-rc));
	} else {
		reply(c, reply_space, rep->size, r.attached);
	}
}

static void dispatch(struct rn_client *c, uint32_t size)
{
	const struct rawnet_hdr *hdr = (void *)request_space;
	const struct handler *h;

	if (size < sizeof(*hdr) || hdr->size != size) {
		rn_client_end(c, RAWNET_BYE_PROTOCOL, "a message whose size field is not its size");
		return;
	}
	h = find(hdr->type);
	if (!h)
		refuse(c, hdr, -ENOSYS, "this type of request is not known");
	else if (!c->greeted && h->type != RAWNET_MSG_HELLO)
		refuse(c, hdr, -EPROTO, "HELLO comes first");
	else
		handle(c, h);
}

/* True: there may be more. */
static bool read_message(struct rn_client *c)
{
	ssize_t n;

	memset(request_space, 0, RAWNET_MSG_MAX);
	n = rn_closer_recv(c->fd, request_space, sizeof(request_space));
	if (n == -EBADMSG) {
		rn_client_end(c, RAWNET_BYE_PROTOCOL, "a message with descriptors");
		return false;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		rn_client_lost(c);
		return false;
	}
	if (n > RAWNET_MSG_MAX) {
		rn_client_end(c, RAWNET_BYE_PROTOCOL, "a message longer than any request");
		return false;
	}
	dispatch(c, (uint32_t)n);
	return true;
}

static bool may_read(struct rn_client *c)
{
	return !c->held && !c->asked && !c->detaching && !c->dead && !rn_client_waits(c);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct rn_client *c = arg;
	uint64_t began = rn_mono_ns();

	(void)source;
	(void)fd;
	if (c->held && (revents & EPOLLOUT))
		send_held(c);
	else if (revents & (EPOLLHUP | EPOLLERR) && !(revents & EPOLLIN))
		rn_client_lost(c);
	for (int i = 0; i < READ_BURST && may_read(c); i++)
		if (!read_message(c) || rn_mono_ns() - began > READ_NS)
			break;
	return 0;
}

int rn_messages_start(struct rn_client *c)
{
	return sd_event_add_io(c->daemon->event, &c->source, c->fd, EPOLLIN, on_client, c);
}

/* ---- events ---- */

static bool may_know(const struct rn_client *c, uint32_t kind, uint32_t uid)
{
	if (!(c->events & kind) || c->dead)
		return false;
	return c->admin || (kind & (RAWNET_EVENT_LINK | RAWNET_EVENT_PORT)) || c->peer.uid == uid;
}

void rn_event_emit(struct rn_daemon *d, uint32_t kind, const char *what, uint64_t id,
		   const struct rn_attachment *at, const char *dev, uint32_t uid, const char *fmt,
		   ...)
{
	struct rawnet_event e = {.hdr = {.size = sizeof(e), .type = RAWNET_MSG_EVENT},
				 .kind = kind,
				 .id = id,
				 .attachment = at ? at->id : 0,
				 .uid = uid};
	struct rn_client *c;
	va_list args;

	va_start(args, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, args);
	va_end(args);
	strncpy(e.dev, dev, sizeof(e.dev) - 1);
	strncpy(e.what, what, sizeof(e.what) - 1);
	cds_list_for_each_entry (c, &d->clients, list) {
		if (!may_know(c, kind, uid))
			continue;
		e.lost = c->lost;
		if (c->held || send_with(c->fd, &e, sizeof(e), NULL, 0) < 0)
			c->lost++;
		else
			c->lost = 0;
	}
}
