/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of clients and their attachments. See client.h; messages are in messages.c. */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <urcu-qsbr.h>

#include "adopt.h"
#include "asker.h"
#include "clock.h"
#include "closer.h"
#include "daemon.h"
#include "log.h"
#include "messages.h"
#include "probes.h"
#include "steer.h"

#define REAP_NS 5000000u /* in one go, for rules that are deleted */

static const struct rawnet_quota one_connection = {.connections = 1};

/* ---- who is it ---- */

static int identify(struct rn_client *c, struct rn_err *err)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	gid_t groups[RN_PEER_GROUPS];
	socklen_t groups_size = sizeof(groups);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return rn_fail(err, -errno, "SO_PEERCRED: %s", strerror(errno));
	c->peer.uid = cred.uid;
	c->peer.gid = cred.gid;
	c->peer.pid = cred.pid;
	c->peer.socket = c->socket;
	/* Groups that do not fit grant nothing: too many of them is not a reason to refuse. */
	if (!getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size)) {
		c->peer.n_groups = groups_size / sizeof(gid_t);
		memcpy(c->peer.groups, groups, groups_size);
	} else if (errno == ERANGE) {
		rn_warn("uid %u is in more than %u groups: only its first one counts", cred.uid,
			RN_PEER_GROUPS);
	}
	c->admin = rn_policy_is_admin(c->daemon->config, &c->peer);
	c->watches = rn_policy_may_watch(c->daemon->config, &c->peer);
	return 0;
}

/* Policy of connecting: one that grants nothing at all may still look at its own refusals. */
static const struct rn_policy_entry *entry_of(const struct rn_client *c)
{
	static const struct rn_policy_entry stranger = {
		.who = RN_WHO_USER, .uid = (uid_t)-1, .limit = {.connections = 16, .users = 64}};
	const struct rn_policy_entry *e = rn_policy_entry(c->daemon->config, &c->peer, NULL);

	return e || c->peer.uid == 0 ? e : &stranger;
}

static int admit(struct rn_client *c, struct rn_err *err)
{
	const struct rn_policy_entry *e = entry_of(c);
	struct rn_usage *u = rn_usage_of(&c->daemon->usages, c->peer.uid);
	int rc;

	if (!u)
		return rn_fail(err, -ENOMEM, "out of memory");
	rc = rn_policy_admit(e, &c->daemon->usages, u, &one_connection, err);
	if (rc) {
		rn_usage_sub(u, &(struct rawnet_quota) {0}); /* it leaves no entry behind */
		return rc;
	}
	rn_policy_admitted(e, u);
	rn_usage_add(u, &one_connection);
	return 0;
}

/* Gives the connection back, if it is charged and its socket is closed by now. */
static void client_free(struct rn_client *c, bool charged)
{
	struct rn_usage *u = charged ? rn_usage_of(&c->daemon->usages, c->peer.uid) : NULL;

	if (rn_closer_close(c->fd, c->peer.uid,
			    charged ? RN_CLOSER_CONNECTION : RN_CLOSER_NOTHING) &&
	    u)
		rn_usage_sub(u, &one_connection);
	sd_event_source_disable_unref(c->source);
	free(c->attachments);
	free(c->held);
	free(c);
}

static struct rn_client *client_alloc(struct rn_daemon *d, int fd, const char *socket)
{
	struct rn_client *c = calloc(1, sizeof(*c));

	if (!c) {
		rn_closer_close(fd, 0, RN_CLOSER_NOTHING);
		return NULL;
	}
	c->daemon = d;
	c->fd = fd;
	strncpy(c->socket, socket, sizeof(c->socket) - 1);
	CDS_INIT_LIST_HEAD(&c->list);
	return c;
}

static int start(struct rn_client *c, uint32_t id)
{
	struct rn_daemon *d = c->daemon;
	int rc = rn_messages_start(c);

	if (rc < 0) {
		client_free(c, true);
		return rc;
	}
	c->id = id;
	c->connected_ns = rn_mono_ns();
	cds_list_add_tail(&c->list, &d->clients);
	d->n_clients++;
	return 0;
}

int rn_client_accept(struct rn_daemon *d, int fd, const char *socket)
{
	struct rn_client *c = client_alloc(d, fd, socket);
	struct rn_err err = {0};
	int rc;

	if (!c)
		return -ENOMEM;
	rc = identify(c, &err);
	if (!rc)
		rc = admit(c, &err);
	if (rc) {
		/* Only what the policy says is final for the client. */
		rn_messages_bye(c, rc == -EDQUOT ? RAWNET_BYE_POLICY : RAWNET_BYE_BUSY, err.text);
		client_free(c, false);
		return rc;
	}
	return start(c, ++d->next_client);
}

struct rn_client *rn_client_adopt(struct rn_daemon *d, int fd, const char *socket, uint32_t id)
{
	struct rn_client *c = client_alloc(d, fd, socket);
	struct rn_usage *u;

	if (!c)
		return NULL;
	u = identify(c, NULL) ? NULL : rn_usage_of(&d->usages, c->peer.uid);
	if (!u) {
		client_free(c, false);
		return NULL;
	}
	rn_policy_admitted(entry_of(c), u);
	rn_usage_add(u, &one_connection);
	if (d->next_client < id)
		d->next_client = id;
	return start(c, id) ? NULL : c;
}

/* ---- attachments ---- */

static struct rawnet_quota cost(const struct rn_attachment *at)
{
	return (struct rawnet_quota) {
		.memory = at->memory, .queues = at->n_queues, .attachments = 1};
}

int rn_client_add_attachment(struct rn_client *c, struct rn_attachment *at)
{
	int rc;

	if (c->n_attachments == c->max_attachments) {
		uint32_t more = c->max_attachments ? 2 * c->max_attachments : 4;
		void *p = realloc(c->attachments, more * sizeof(*c->attachments));

		if (!p)
			return -ENOMEM;
		c->attachments = p;
		c->max_attachments = more;
	}
	rc = rn_attachments_add(c->daemon, at);
	if (rc)
		return rc;
	c->attachments[c->n_attachments++] = at;
	rn_probe_attach(at, c->id);
	return 0;
}

void rn_client_account(struct rn_client *c, struct rn_attachment *at)
{
	struct rn_usage *u = rn_usage_of(&c->daemon->usages, c->peer.uid);
	struct rawnet_quota more = cost(at);

	at->charged = u != NULL;
	if (!u)
		return;
	rn_policy_admitted(rn_policy_entry(c->daemon->config, &c->peer, at->port->config.dev), u);
	rn_usage_add(u, &more);
}

/* The reaper goes on behind what else waits, by way of a descriptor (repair.c): what is deferred
 * comes before all of it. */
static void reap_on(struct rn_daemon *d)
{
	eventfd_write(d->fault_fd, 1);
}

/* After the grace period: the memory goes, and the quota comes back. */
static void release(struct rn_client *c, struct rn_attachment *at, bool last)
{
	struct rn_usage *u = rn_usage_of(&c->daemon->usages, c->peer.uid);
	struct rawnet_quota back = cost(at);

	if (c->held_attachment == at)
		c->held_attachment = NULL;
	rn_event_emit(c->daemon, RAWNET_EVENT_CLIENT, "detached", c->id, at, at->port->config.dev,
		      at->uid, "attachment %u", at->id);
	rn_probe_detach(at, c->id);
	rn_adopt_drop(at, last);
	rn_attachments_remove(c->daemon, at);
	back.queues -= rn_attachment_free(at);
	if (u)
		rn_usage_sub(u, &back);
}

/* Its rules are gone, and a grace period is over. */
static void let_go(struct rn_client *c, struct rn_attachment *at)
{
	uint32_t i = 0;

	while (c->attachments[i] != at)
		i++;
	c->attachments[i] = c->attachments[--c->n_attachments];
	release(c, at, !c->n_attachments);
}

bool rn_client_detach(struct rn_client *c, struct rn_attachment *at,
		      const struct rawnet_hdr *request)
{
	struct rn_daemon *d = c->daemon;

	if (rn_attachment_retire(at, rn_rules_gone, d, rn_mono_ns() + REAP_NS)) {
		synchronize_rcu();
		let_go(c, at);
		rn_rules_sync(d);
		return true;
	}
	c->detaching = at;
	c->detach = *request;
	c->leaving = true;
	d->n_leaving++;
	reap_on(d);
	return false;
}

static void detached(struct rn_client *c)
{
	struct rawnet_rep_plain rep = {.hdr = {.size = sizeof(rep),
					       .type = c->detach.type | RAWNET_REPLY,
					       .id = c->detach.id}};

	let_go(c, c->detaching);
	c->detaching = NULL;
	rn_messages_answer(c, &c->detach, 0, &rep.hdr, "");
}

struct rn_attachment *rn_client_attachment(const struct rn_client *c, uint32_t id)
{
	for (uint32_t i = 0; i < c->n_attachments; i++)
		if (c->attachments[i]->id == id)
			return c->attachments[i];
	return NULL;
}

uint32_t rn_client_rules(const struct rn_client *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_attachments; i++)
		n += c->attachments[i]->n_rules;
	return n;
}

uint64_t rn_client_memory(const struct rn_client *c)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < c->n_attachments; i++)
		n += c->attachments[i]->memory;
	return n;
}

/* ---- the end ---- */

void rn_client_reap_soon(struct rn_daemon *d)
{
	if (sd_event_source_set_enabled(d->reaper, SD_EVENT_ONESHOT) < 0)
		eventfd_write(d->fault_fd, 1); /* out of memory: repair.c tries again */
}

/* The socket is not looked at any more; the rest waits for the reaper. */
static void bury(struct rn_client *c)
{
	if (c->dead)
		return;
	c->dead = true;
	if (c->asked)
		rn_asker_leave(c->daemon->asker, c->asked);
	c->asked = NULL;
	c->source = sd_event_source_disable_unref(c->source);
	rn_client_reap_soon(c->daemon);
}

void rn_client_end(struct rn_client *c, enum rawnet_reason reason, const char *text)
{
	if (c->dead)
		return;
	rn_messages_bye(c, reason, text);
	rn_warn_about((&(struct rn_log_about) {.client = c->id,
					       .label = c->label,
					       .uid = c->peer.uid,
					       .pid = (int32_t)c->peer.pid}),
		      "client %u (%s, uid %u, pid %d) is ended: %s", c->id, c->label, c->peer.uid,
		      (int)c->peer.pid, text);
	rn_probe_client_end(c->id, c->peer.uid, (int32_t)c->peer.pid, text);
	bury(c);
}

void rn_client_lost(struct rn_client *c)
{
	if (!c->dead)
		rn_probe_client_end(c->id, c->peer.uid, (int32_t)c->peer.pid, "it left");
	bury(c);
}

/* The rules of those that it leaves behind go; false: there are more. */
static bool retire(struct rn_client *c, uint64_t until)
{
	if (!c->dead)
		return !c->detaching ||
		       rn_attachment_retire(c->detaching, rn_rules_gone, c->daemon, until);
	for (uint32_t i = 0; i < c->n_attachments; i++)
		if (!rn_attachment_retire(c->attachments[i], rn_rules_gone, c->daemon, until))
			return false;
	return true;
}

bool rn_client_waits(struct rn_client *c)
{
	const struct rn_client *other;

	if (!c->daemon->n_leaving)
		return false;
	cds_list_for_each_entry (other, &c->daemon->clients, list)
		if (other->leaving && other->peer.uid == c->peer.uid) {
			c->waits = true;
			return sd_event_source_set_enabled(c->source, SD_EVENT_OFF) >= 0;
		}
	return false;
}

static void go_on(struct rn_daemon *d)
{
	struct rn_client *c;

	cds_list_for_each_entry (c, &d->clients, list) {
		if (c->waits && !c->dead)
			sd_event_source_set_enabled(c->source, SD_EVENT_ON);
		c->waits = false;
	}
}

void rn_client_reap(struct rn_daemon *d, bool all)
{
	const uint64_t until = all ? UINT64_MAX : rn_mono_ns() + REAP_NS;
	struct rn_client *c, *next;

	d->n_leaving = 0;
	cds_list_for_each_entry (c, &d->clients, list) {
		c->leaving = !retire(c, until);
		d->n_leaving += c->leaving;
	}
	if (d->n_leaving)
		reap_on(d);
	synchronize_rcu();
	cds_list_for_each_entry_safe (c, next, &d->clients, list) {
		if (!c->dead && c->detaching && !c->leaving)
			detached(c);
		if (!c->dead || c->leaving)
			continue;
		for (uint32_t i = 0; i < c->n_attachments; i++)
			release(c, c->attachments[i], i + 1 == c->n_attachments);
		rn_event_emit(d, RAWNET_EVENT_CLIENT, "left", c->id, NULL, "", c->peer.uid, "%s",
			      c->label);
		cds_list_del(&c->list);
		d->n_clients--;
		client_free(c, true);
	}
	rn_rules_sync(d);
	go_on(d);
}
