/* SPDX-License-Identifier: BSD-2-Clause */
/* See adopt.h. */
#include "adopt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "closer.h"
#include "daemon.h"
#include "journal.h"
#include "log.h"
#include "messages.h"
#include "state.h"
#include "store.h"

/* Rings, packet memory, counters, state. Names are short: those of all that is kept stand in one
 * variable of the environment, of at most 128 KiB (execve(2)), and a client has six or more. */
static const char parts[] = "rpcs";

enum {
	STATE = 3,
	PARTS = 4
};

static void name_part(uint32_t id, unsigned part, char name[RN_STORE_NAME])
{
	snprintf(name, RN_STORE_NAME, "rn.a%x.%c", id, parts[part]);
}

static void name_wake(uint32_t id, uint32_t queue, char name[RN_STORE_NAME])
{
	snprintf(name, RN_STORE_NAME, "rn.a%x.w%u", id, queue);
}

static void name_client(uint32_t id, char name[RN_STORE_NAME])
{
	snprintf(name, RN_STORE_NAME, "rn.c%x", id);
}

/* ---- keeping ---- */

void rn_adopt_client(const struct rn_client *c)
{
	for (uint32_t i = 0; i < c->n_attachments; i++) {
		struct rn_state *state = rn_attachment_state(c->attachments[i]);

		state->client = c->id;
		state->events = c->events;
		state->connected_ns = c->connected_ns;
		memcpy(state->program, c->program, sizeof(state->program));
	}
}

void rn_adopt_keep(const struct rn_attachment *at)
{
	const int fds[PARTS] = {at->shm.rings.fd, at->shm.packets.fd, at->shm.counters.fd,
				at->shm.state.fd};
	const struct rn_client *c = at->client;
	char name[RN_STORE_NAME];

	if (!rn_store_works())
		return;
	rn_adopt_client(c);
	rn_journal_ids(c->daemon->rule_ids, c->daemon->next_client, rn_attachment_ids(0));
	if (c->n_attachments == 1) {
		name_client(c->id, name);
		rn_store_put(name, c->fd);
	}
	for (uint32_t i = 0; i < at->n_queues; i++) {
		name_wake(at->id, i, name);
		rn_store_put(name, at->queue[i].wake_fd);
	}
	for (unsigned i = 0; i < PARTS; i++) { /* the state last: without it nothing is adopted */
		name_part(at->id, i, name);
		rn_store_put(name, fds[i]);
	}
}

void rn_adopt_drop(const struct rn_attachment *at, bool last)
{
	const struct rn_client *c = at->client;
	char name[RN_STORE_NAME];

	if (!rn_store_works())
		return;
	for (unsigned i = PARTS; i-- > 0;) {
		name_part(at->id, i, name);
		rn_store_drop(name);
	}
	for (uint32_t i = 0; i < at->n_queues; i++) {
		name_wake(at->id, i, name);
		rn_store_drop(name);
	}
	if (last) {
		name_client(c->id, name);
		rn_store_drop(name);
	}
}

void rn_adopt_known(const struct rn_attachment *at)
{
	rn_attachment_state(at)->known = 1;
}

void rn_adopt_never(const struct rn_attachment *at)
{
	rn_attachment_state(at)->known = 0;
}

void rn_adopt_pending(const struct rn_client *c, uint32_t id, uint32_t type)
{
	struct rn_state *state;

	if (!c->n_attachments)
		return;
	state = rn_attachment_state(c->attachments[0]);
	state->pending_id = id;
	state->pending_type = type;
}

/* ---- going on ---- */

/* The path that the client connected to: its own end has the listener's address. */
static void socket_path(int fd, char path[108])
{
	struct sockaddr_un address = {0};
	socklen_t size = sizeof(address);

	if (!getsockname(fd, (void *)&address, &size))
		memcpy(path, address.sun_path, 107);
	path[107] = 0;
}

static struct rn_client *client_of(struct rn_daemon *d, const struct rn_state *state)
{
	char name[RN_STORE_NAME], path[108] = "";
	struct rn_client *c;
	int fd;

	cds_list_for_each_entry (c, &d->clients, list)
		if (c->id == state->client)
			return c;
	name_client(state->client, name);
	fd = rn_store_take(name);
	if (fd < 0)
		return NULL;
	socket_path(fd, path);
	c = rn_client_adopt(d, fd, path, state->client);
	if (!c) {
		rn_store_drop(name); /* else the manager keeps its socket open, and it waits */
		return NULL;
	}
	c->greeted = true;
	c->events = state->events;
	c->connected_ns = state->connected_ns;
	memcpy(c->label, state->label, sizeof(c->label));
	memcpy(c->program, state->program, sizeof(c->program));
	return c;
}

struct pieces {
	int fds[PARTS];
	int wake[RAWNET_QUEUES_MAX];
	uint32_t n_wake;
};

static bool take_pieces(uint32_t id, uint32_t n_queues, struct pieces *p)
{
	bool whole = true;
	char name[RN_STORE_NAME];

	for (unsigned i = 0; i < STATE; i++) {
		name_part(id, i, name);
		p->fds[i] = rn_store_take(name);
		whole &= p->fds[i] >= 0;
	}
	for (; p->n_wake < n_queues; p->n_wake++) {
		name_wake(id, p->n_wake, name);
		p->wake[p->n_wake] = rn_store_take(name);
		whole &= p->wake[p->n_wake] >= 0;
	}
	return whole;
}

static void close_pieces(const struct pieces *p, bool memory)
{
	for (unsigned i = 0; memory && i < PARTS; i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	for (uint32_t i = 0; i < p->n_wake; i++)
		if (p->wake[i] >= 0)
			rn_closer_close(p->wake[i], 0, RN_CLOSER_NOTHING);
}

static void drop_pieces(uint32_t id, uint32_t n_queues)
{
	char name[RN_STORE_NAME];

	for (unsigned i = 0; i < PARTS; i++) {
		name_part(id, i, name);
		rn_store_drop(name);
	}
	for (uint32_t i = 0; i < n_queues; i++) {
		name_wake(id, i, name);
		rn_store_drop(name);
	}
}

static bool is_whole(const struct rn_state *state)
{
	return state->magic == RN_STATE_MAGIC && state->version == RN_STATE_VERSION &&
	       state->n_queues && state->n_queues <= RAWNET_QUEUES_MAX;
}

static int attach(struct rn_daemon *d, struct rn_client *c, const struct rn_state *state,
		  struct pieces *p, struct rn_err *err)
{
	const struct rn_adopted from = {.state = state, .fds = p->fds, .wake = p->wake};
	struct rn_served *s = rn_daemon_port(d, state->dev);
	struct rn_attachment *at;
	struct rn_grant grant;
	int rc;

	if (!c || !s) {
		close_pieces(p, true);
		return rn_fail(err, -ENODEV, "its %s is gone", s ? "client" : "port");
	}
	grant = rn_client_grant(c, state->dev);
	rc = rn_attachment_adopt(s->port, &from, &grant, &at, err);
	close_pieces(p, false);
	if (rc)
		return rc;
	rc = rn_client_add_attachment(c, at);
	if (rc) {
		rn_attachment_retire(at, NULL, NULL, UINT64_MAX);
		synchronize_rcu(); /* its queues were in the pollers' sets */
		rn_attachment_free(at);
		return rn_fail(err, rc, "out of memory");
	}
	rn_client_account(c, at);
	return 0;
}

/* One whose state is whole. */
static int adopt_known(struct rn_daemon *d, const struct rn_state *state, struct pieces *p,
		       bool whole, struct rn_err *err)
{
	struct rn_client *c = client_of(d, state);
	int rc;

	if (whole) {
		rc = attach(d, c, state, p, err);
	} else {
		close_pieces(p, true);
		rc = rn_fail(err, -EBADMSG, "not all of it came back");
	}
	if (rc && c)
		c->incomplete = true;
	return rc;
}

/* One attachment, of which the store has the state: 1: it goes on; 0: it is given up. */
static int adopt_one(struct rn_daemon *d, uint32_t id, int state_fd, struct rn_err *err)
{
	struct pieces p = {.fds = {-1, -1, -1, state_fd}};
	struct rn_err why = {0};
	struct rn_state *state;
	uint32_t n_queues;
	bool whole;
	int rc;

	state = mmap(NULL, sizeof(*state), PROT_READ, MAP_SHARED, state_fd, 0);
	if (state == MAP_FAILED)
		return rn_fail(err, -errno, "attachment %u of the last daemon: %s", id,
			       strerror(errno));
	n_queues = is_whole(state) ? state->n_queues : 0;
	whole = n_queues && take_pieces(id, n_queues, &p);
	if (n_queues && state->known) {
		rc = adopt_known(d, state, &p, whole, &why);
	} else {
		rc = rn_fail(&why, -ENOENT,
			     n_queues ? "its client was not told of it yet"
				      : "it is of another version");
		close_pieces(&p, true);
	}
	if (rc) {
		rn_warn("attachment %u of the last daemon is given up: %s", id, why.text);
		drop_pieces(id, n_queues);
	}
	munmap(state, sizeof(*state));
	return !rc;
}

/* How many go on. Without the journal none does: its rules would be gone, and nobody told. */
static int adopt_attachments(struct rn_daemon *d, struct rn_err *err)
{
	unsigned at = 0, n = 0;
	const char *name;

	while (rn_journal_goes_on() && (name = rn_store_next(&at))) {
		char expected[RN_STORE_NAME];
		uint32_t id;
		int rc;

		if (sscanf(name, "rn.a%x.", &id) != 1)
			continue;
		name_part(id, STATE, expected);
		if (strcmp(name, expected) != 0)
			continue;
		rc = adopt_one(d, id, rn_store_take(expected), err);
		if (rc < 0)
			return rc;
		n += (unsigned)rc;
	}
	return (int)n;
}

/* A request that the last daemon did not answer, it may or may not have carried out. */
static void answer_pending(struct rn_daemon *d)
{
	struct rn_client *c;

	cds_list_for_each_entry (c, &d->clients, list) {
		const struct rn_state *state;

		if (!c->n_attachments)
			continue;
		state = rn_attachment_state(c->attachments[0]);
		if (state->pending_type)
			rn_messages_unanswered(c, state->pending_id, state->pending_type);
	}
}

static void take_ids(struct rn_daemon *d)
{
	const struct rn_state_journal *journal = rn_journal();

	if (!journal)
		return;
	if (d->rule_ids < journal->rule_ids)
		d->rule_ids = journal->rule_ids;
	if (d->next_client < journal->client_ids)
		d->next_client = journal->client_ids;
	rn_attachment_ids(journal->attachment_ids);
}

/* Clients that nothing hangs on, or less than they believe, do not go on: they connect again, as
 * soon as nobody has the other end of their socket any more. */
static void end_incomplete_clients(struct rn_daemon *d)
{
	char name[RN_STORE_NAME];
	struct rn_client *c;

	cds_list_for_each_entry (c, &d->clients, list) {
		if (c->n_attachments && !c->incomplete) {
			rn_client_regrant(c);
			continue;
		}
		name_client(c->id, name);
		rn_store_drop(name);
		rn_client_lost(c);
	}
}

int rn_adopt_all(struct rn_daemon *d, struct rn_err *err)
{
	int attachments;
	unsigned rules;

	take_ids(d);
	attachments = adopt_attachments(d, err);
	if (attachments < 0)
		return attachments;
	rules = rn_rules_restore(d);
	for (uint32_t i = 0; i < d->n_served; i++)
		rn_port_resume(d->served[i].port);
	answer_pending(d);
	end_incomplete_clients(d);
	rn_store_end_taking();
	if (attachments || rules)
		rn_info("%d attachments and %u rules of the last daemon go on", attachments, rules);
	return 0;
}
