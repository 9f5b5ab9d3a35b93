/* SPDX-License-Identifier: BSD-2-Clause */
/* See policy.h. */
#include "policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "daemon.h"
#include "match.h"

static bool in_group(const struct rn_peer *peer, gid_t gid)
{
	if (peer->gid == gid)
		return true;
	for (uint32_t i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == gid)
			return true;
	return false;
}

bool rn_policy_is_admin(const struct rn_config *config, const struct rn_peer *peer)
{
	return peer->uid == 0 ||
	       (config->admin_group != (gid_t)-1 && in_group(peer, config->admin_group));
}

bool rn_policy_may_watch(const struct rn_config *config, const struct rn_peer *peer)
{
	return rn_policy_is_admin(config, peer) ||
	       (config->monitor_group != (gid_t)-1 && in_group(peer, config->monitor_group));
}

bool rn_policy_is_label(const char *label)
{
	return !label[strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_.:@")];
}

static bool fits(const struct rn_policy_entry *e, const struct rn_peer *peer, const char *dev)
{
	if (dev && e->dev[0] && strcmp(e->dev, dev) != 0)
		return false;
	switch (e->who) {
	case RN_WHO_ANY: return true;
	case RN_WHO_USER: return e->uid == peer->uid;
	case RN_WHO_GROUP: return in_group(peer, e->gid);
	case RN_WHO_SOCKET: return !strcmp(e->socket, peer->socket);
	}
	return false;
}

const struct rn_policy_entry *rn_policy_entry(const struct rn_config *config,
					      const struct rn_peer *peer, const char *dev)
{
	for (uint32_t i = 0; i < config->n_policy; i++)
		if (fits(&config->policy[i], peer, dev))
			return &config->policy[i];
	return NULL;
}

int rn_policy_attach(const struct rn_config *config, const struct rn_peer *peer, const char *dev,
		     struct rn_err *err)
{
	if (peer->uid == 0 || rn_policy_entry(config, peer, dev))
		return 0;
	return rn_fail(err, -EACCES, "dev %s: the policy grants uid %u nothing there", dev,
		       (unsigned)peer->uid);
}

/* ---- matches ---- */

static bool in_prefix(const uint8_t *addr, const uint8_t *prefix, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if ((addr[i / 8] ^ prefix[i / 8]) & (0x80u >> i % 8))
			return false;
	return true;
}

/* Does the match take packets to an address of the port itself? */
static bool reaches_host(const struct rn_port *port, const struct rawnet_match *m)
{
	const struct rn_addresses *a = port->addresses;

	if (!(m->fields & RAWNET_M_DST))
		return true;
	for (uint32_t i = 0; m->family == 4 && i < a->n4; i++)
		if (in_prefix(a->v4[i], m->dst, m->dst_len))
			return true;
	for (uint32_t i = 0; m->family == 6 && i < a->n6; i++)
		if (in_prefix(a->v6[i], m->dst, m->dst_len))
			return true;
	return false;
}

static int check_protected(const struct rn_config *config, const struct rn_port *port,
			   const struct rawnet_match *match, struct rn_err *err)
{
	char text[RAWNET_MATCH_TEXT];

	for (uint32_t i = 0; i < config->n_protect; i++) {
		if (!rn_match_intersects(&config->protect[i], match, port->mac) ||
		    !reaches_host(port, match))
			continue;
		rn_match_format(&config->protect[i], text, sizeof(text));
		return rn_fail(
			err, -EPERM,
			"would take \"%.100s\" to this host's own addresses, which is protected "
			"(force)",
			text);
	}
	return 0;
}

static int check_granted(const struct rn_policy_entry *e, const struct rn_port *port,
			 const struct rawnet_match *match, struct rn_err *err)
{
	char text[RAWNET_MATCH_TEXT];
	bool allowed = !e->allow;

	for (uint32_t i = 0; i < e->n_deny; i++)
		if (rn_match_intersects(&e->deny[i], match, port->mac)) {
			rn_match_format(&e->deny[i], text, sizeof(text));
			return rn_fail(err, -EACCES, "the policy denies \"%.150s\"", text);
		}
	for (uint32_t i = 0; i < e->n_allow && !allowed; i++)
		allowed = rn_match_covers(&e->allow[i], match, port->mac);
	if (allowed)
		return 0;
	rn_match_format(match, text, sizeof(text));
	return rn_fail(err, -EACCES, "the policy does not allow \"%.150s\"", text);
}

int rn_policy_match(const struct rn_config *config, const struct rn_peer *peer,
		    const struct rn_port *port, const struct rawnet_match *match, bool force,
		    struct rn_err *err)
{
	const struct rn_policy_entry *e = rn_policy_entry(config, peer, port->config.dev);
	bool may_force = peer->uid == 0 || rn_policy_is_admin(config, peer) || (e && e->force);
	int rc = rn_policy_attach(config, peer, port->config.dev, err);

	if (!rc && e && peer->uid != 0)
		rc = check_granted(e, port, match, err);
	if (rc)
		return rc;
	if (force)
		return may_force ? 0 : rn_fail(err, -EACCES, "force: the policy does not grant it");
	return check_protected(config, port, match, err);
}

/* ---- quotas ---- */

int rn_policy_room(const struct rn_policy_entry *e, const struct rn_usage *u,
		   const struct rawnet_quota *more, struct rn_err *err)
{
	if (!e)
		return 0; /* root, without an entry of its own */
	if (more->memory &&
	    (u->used.memory > e->limit.memory || more->memory > e->limit.memory - u->used.memory))
		return rn_fail(err, -EDQUOT,
			       "memory: %llu of %llu bytes are in use, %llu more asked",
			       (unsigned long long)u->used.memory,
			       (unsigned long long)e->limit.memory,
			       (unsigned long long)more->memory);
#define ROOM(what)                                                                               \
	if (more->what && u->used.what + more->what > e->limit.what)                             \
	return rn_fail(err, -EDQUOT, #what ": %u of %u are in use, %u more asked", u->used.what, \
		       e->limit.what, more->what)
	ROOM(queues);
	ROOM(rules);
	ROOM(attachments);
	ROOM(connections);
#undef ROOM
	return 0;
}

static bool is_empty(const struct rn_usage *u)
{
	static const struct rawnet_quota none;

	return !memcmp(&u->used, &none, sizeof(none));
}

/* FNV-1a of whom and which port it is about. */
uint64_t rn_policy_key(const struct rn_policy_entry *e)
{
	uint64_t key = 0xcbf29ce484222325u;
	char text[sizeof(e->socket) + sizeof(e->dev) + 64];
	int n;

	if (!e)
		return 0;
	n = snprintf(text, sizeof(text), "%d %u %u %s %s", (int)e->who, (unsigned)e->uid,
		     (unsigned)e->gid, e->dev, e->socket);
	for (int i = 0; i < n; i++)
		key = (key ^ (uint8_t)text[i]) * 0x100000001b3u;
	return key;
}

static bool is_served(const struct rn_usage *u, uint64_t key)
{
	for (uint32_t i = 0; i < u->n_by; i++)
		if (u->by[i] == key)
			return true;
	return false;
}

uint32_t rn_policy_users(const struct cds_list_head *usages, const struct rn_policy_entry *e)
{
	const uint64_t key = rn_policy_key(e);
	const struct rn_usage *u;
	uint32_t n = 0;

	cds_list_for_each_entry (u, usages, list)
		n += is_served(u, key) && !is_empty(u);
	return n;
}

void rn_policy_was_admitted(uint64_t key, struct rn_usage *u)
{
	if (key && u->uid != 0 && !is_served(u, key) && u->n_by < RN_USAGE_ENTRIES)
		u->by[u->n_by++] = key;
}

void rn_policy_admitted(const struct rn_policy_entry *e, struct rn_usage *u)
{
	rn_policy_was_admitted(rn_policy_key(e), u);
}

int rn_policy_admit(const struct rn_policy_entry *e, const struct cds_list_head *usages,
		    struct rn_usage *u, const struct rawnet_quota *more, struct rn_err *err)
{
	int rc = rn_policy_room(e, u, more, err);
	uint32_t users;

	if (rc || !e || u->uid == 0)
		return rc; /* whoever takes all places does not keep the operator out */
	if (is_empty(u))
		u->n_by = 0;
	if (is_served(u, rn_policy_key(e)))
		return 0;
	users = rn_policy_users(usages, e);
	if (users >= e->limit.users)
		return rn_fail(err, -EDQUOT, "users: %u of %u are in use, 1 more asked", users,
			       e->limit.users);
	if (u->n_by == RN_USAGE_ENTRIES)
		return rn_fail(err, -EDQUOT, "users: uid %u is served by %u entries already",
			       (unsigned)u->uid, u->n_by);
	return 0;
}

static void free_unless_owing(struct rn_usage *u, uint64_t now)
{
	u->gone = rn_bucket_owes(&u->resolve, now) || rn_bucket_owes(&u->mend, now);
	if (u->gone)
		return;
	cds_list_del(&u->list);
	free(u);
}

struct rn_usage *rn_usage_of(struct cds_list_head *usages, uid_t uid)
{
	struct rn_usage *u, *next;

	cds_list_for_each_entry (u, usages, list) {
		if (u->uid != uid)
			continue;
		u->gone = false;
		return u;
	}
	cds_list_for_each_entry_safe (u, next, usages, list)
		if (u->gone)
			free_unless_owing(u, rn_mono_ns());
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->uid = uid;
	cds_list_add_tail(&u->list, usages);
	return u;
}

void rn_usage_add(struct rn_usage *u, const struct rawnet_quota *more)
{
	u->used.memory += more->memory;
	u->used.queues += more->queues;
	u->used.rules += more->rules;
	u->used.attachments += more->attachments;
	u->used.connections += more->connections;
}

void rn_usage_sub(struct rn_usage *u, const struct rawnet_quota *less)
{
	u->used.memory -= less->memory;
	u->used.queues -= less->queues;
	u->used.rules -= less->rules;
	u->used.attachments -= less->attachments;
	u->used.connections -= less->connections;
	if (is_empty(u))
		free_unless_owing(u, rn_mono_ns());
}
