/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about rules: FLOW_ADD, FLOW_DEL, FLOW_MOVE, FLOW_CONFIRM, FLOW_LIST. */
#include <errno.h>
#include <string.h>

#include "client.h"
#include "daemon.h"
#include "match.h"
#include "tx.h"

#define CONFIRM_MAX 86400u

/* The attachment that a target names, which the client may give packets to; NULL with an error. */
static struct rn_attachment *find_target(struct rn_request *r, const struct rawnet_target *t,
					 const char *dev)
{
	struct rn_client *c = r->client;
	struct rn_attachment *at;

	if (!memchr(t->label, 0, sizeof(t->label))) {
		rn_fail(r->err, -EINVAL, "target: the label is not terminated");
		return NULL;
	}
	at = t->attachment
		     ? rn_attachment_by_id(c->daemon, t->attachment)
		     : rn_attachment_by_label(c->daemon, dev, t->label, c->peer.uid, c->admin);
	if (!at && t->attachment)
		rn_fail(r->err, -ENOENT, "target: there is no attachment %u", t->attachment);
	else if (!at)
		rn_fail(r->err, -ENOENT, "target: no client \"%s\" is attached to %s", t->label,
			dev);
	else if (strcmp(at->port->config.dev, dev) != 0)
		rn_fail(r->err, -EINVAL, "target: attachment %u is on %s, not on %s", at->id,
			at->port->config.dev, dev);
	else if (at->uid != c->peer.uid && !c->admin)
		rn_fail(r->err, -EPERM, "target: attachment %u is another user's", at->id);
	else
		return at;
	return NULL;
}

static int check_request(struct rn_request *r, const struct rn_served *s,
			 struct rawnet_req_flow_add *req)
{
	const uint32_t known = RAWNET_FLOW_PERSIST | RAWNET_FLOW_GROUP | RAWNET_FLOW_FORCE |
			       RAWNET_FLOW_CHECK;
	char why[200];

	if (req->flags & ~known)
		return rn_fail(r->err, -EINVAL, "flags 0x%x: unknown bits", req->flags);
	if (rn_rules_check_gap(s, req->gap, r->err))
		return r->err->code;
	if (req->confirm > CONFIRM_MAX)
		return rn_fail(r->err, -EINVAL, "confirm %u: at most %u seconds", req->confirm,
			       CONFIRM_MAX);
	if (rn_match_check(&req->match, why, sizeof(why)))
		return rn_fail(r->err, -EINVAL, "%s", why);
	return 0;
}

/* By which the owner of the target has the rule. */
static const struct rn_policy_entry *entry_of(const struct rn_attachment *at)
{
	const struct rn_client *owner = at->client;

	return rn_policy_entry(owner->daemon->config, &owner->peer, at->port->config.dev);
}

static int check_room(struct rn_request *r, const struct rn_attachment *at)
{
	const struct rawnet_quota one = {.rules = 1};
	struct rn_client *c = r->client;
	const struct rn_policy_entry *e = entry_of(at);
	struct rn_usage *u = rn_usage_of(&c->daemon->usages, at->uid);

	return u ? rn_policy_admit(e, &c->daemon->usages, u, &one, r->err)
		 : rn_fail(r->err, -ENOMEM, "rule: out of memory");
}

static int add(struct rn_request *r, const struct rawnet_req_flow_add *req, struct rn_served *s,
	       struct rn_attachment *at)
{
	struct rn_client *c = r->client;
	struct rawnet_rep_flow *rep = r->rep;
	const struct rn_policy_entry *e = entry_of(at);
	struct rn_rule_request q = {
		.served = s,
		.steer = {.match = &req->match,
			  .at = at,
			  .label = at->label,
			  .uid = at->uid,
			  .flags = req->flags,
			  .gap = req->gap,
			  .force = (req->flags & RAWNET_FLOW_FORCE) && c->admin,
			  .entry = rn_policy_key(e)},
		.confirm = req->confirm,
	};
	struct rn_rule *rule = NULL;
	uint32_t index = 0;
	int rc = rn_rules_add(c->daemon, &q, &rule, &index, r->err);

	if (rc || (req->flags & RAWNET_FLOW_CHECK))
		return rc;
	rn_policy_admitted(e, rn_usage_of(&c->daemon->usages, at->uid));
	rep->rule = rule->id;
	rep->index = index;
	rep->shape = rn_steer_shape_place(s->port->steer, rule->shape);
	return 0;
}

int rn_handle_FLOW_ADD(struct rn_request *r)
{
	struct rawnet_req_flow_add req = *(const struct rawnet_req_flow_add *)r->req;
	struct rn_client *c = r->client;
	struct rn_attachment *at;
	struct rn_served *s;
	int rc;

	s = rn_daemon_find_port(c->daemon, req.dev, r->err);
	if (!s)
		return -ENODEV;
	rc = check_request(r, s, &req);
	if (!rc && s->port->draining)
		rc = rn_fail(r->err, -EBUSY, "dev %s: the port is being drained", req.dev);
	if (!rc)
		rc = rn_policy_match(c->daemon->config, &c->peer, s->port, &req.match,
				     req.flags & RAWNET_FLOW_FORCE, r->err);
	if (rc)
		return rc;
	at = find_target(r, &req.target, req.dev);
	if (!at)
		return r->err->code;
	if ((req.flags & RAWNET_FLOW_PERSIST) && !at->label[0])
		return rn_fail(r->err, -EINVAL, "persist: the target has no label to return under");
	rc = check_room(r, at);
	return rc ? rc : add(r, &req, s, at);
}

/* A rule that the client may change; NULL with an error. */
static struct rn_rule *changeable(struct rn_request *r, uint64_t id, struct rn_served **s)
{
	struct rn_rule *rule = rn_daemon_rule(r->client->daemon, id, s);

	if (rule && (rule->uid == r->client->peer.uid || r->client->admin))
		return rule;
	/* Others' rules are not there, as far as this client is told. */
	rn_fail(r->err, -ENOENT, "rule %llu: there is none, or it is not yours",
		(unsigned long long)id);
	return NULL;
}

int rn_handle_FLOW_DEL(struct rn_request *r)
{
	const struct rawnet_req_id *req = r->req;
	struct rn_served *s;
	struct rn_rule *rule = changeable(r, req->id, &s);

	if (!rule)
		return -ENOENT;
	rn_rules_del(r->client->daemon, s, rule, "deleted");
	return 0;
}

int rn_handle_FLOW_MOVE(struct rn_request *r)
{
	const struct rawnet_req_flow_move *req = r->req;
	struct rn_served *s;
	struct rn_rule *rule = changeable(r, req->rule, &s);
	struct rn_attachment *to;
	int rc;

	if (!rule)
		return -ENOENT;
	to = find_target(r, &req->target, s->port->config.dev);
	if (!to)
		return r->err->code;
	if (to->uid != rule->uid)
		return rn_fail(r->err, -EPERM,
			       "target: attachment %u is another user's than the rule", to->id);
	if ((rule->flags & RAWNET_FLOW_PERSIST) && !to->label[0])
		return rn_fail(r->err, -EINVAL, "persist: the target has no label to return under");
	rc = rn_steer_move(s->port->steer, rule, to, r->err);
	if (rc)
		return rc;
	rn_police_changed();
	rn_rules_keep(r->client->daemon, s, rule);
	rn_event_emit(r->client->daemon, RAWNET_EVENT_FLOW, "moved", rule->id, to,
		      s->port->config.dev, rule->uid, "to attachment %u", to->id);
	return 0;
}

int rn_handle_FLOW_CONFIRM(struct rn_request *r)
{
	const struct rawnet_req_id *req = r->req;
	struct rn_served *s;

	if (!changeable(r, req->id, &s))
		return -ENOENT;
	if (rn_rules_confirm(r->client->daemon, req->id))
		return rn_fail(r->err, -ENOENT, "rule %llu: does not wait for a confirmation",
			       (unsigned long long)req->id);
	return 0;
}

/* ---- list: in order of ids, which the cursor names, so that changes between pages do no harm ----
 */

static void describe(const struct rn_served *s, const struct rn_rule *rule,
		     struct rawnet_flow_info *info)
{
	const struct rn_members *m = rule->members;

	info->rule = rule->id;
	memcpy(info->dev, s->port->config.dev, sizeof(info->dev));
	info->match = rule->match;
	info->uid = rule->uid;
	info->flags = rule->flags;
	info->gap = rule->gap;
	info->confirm_left = rn_rules_left(rule);
	info->shape = rn_steer_shape_place(s->port->steer, rule->shape);
	info->n_targets = m->n;
	for (uint32_t i = 0; i < m->n && i < 8; i++)
		info->targets[i] = m->m[i].at->id;
	info->index = m->n ? m->m[0].index : 0;
	memcpy(info->label, m->n ? m->m[0].at->label : rule->label, sizeof(info->label));
}

static bool is_target(const struct rn_rule *rule, const struct rawnet_req_list *req)
{
	for (uint32_t i = 0; i < rule->members->n; i++) {
		const struct rn_attachment *at = rule->members->m[i].at;
		const struct rn_client *c = at->client;

		if ((!req->attachment || at->id == req->attachment) &&
		    (!req->client || c->id == req->client))
			return true;
	}
	return !req->attachment && !req->client;
}

static bool wanted(const struct rn_client *c, const struct rn_served *s, const struct rn_rule *rule,
		   const struct rawnet_req_list *req)
{
	if (rule->uid != c->peer.uid && !c->admin)
		return false;
	if (req->dev[0] && strncmp(req->dev, s->port->config.dev, sizeof(req->dev)) != 0)
		return false;
	return (!req->id || rule->id == req->id) && is_target(rule, req);
}

/* The page's next rule: on the port that the cursor is in, with the next id. Rules of a port are
 * listed oldest first, so their ids rise. The cursor is port and id. */
int rn_handle_FLOW_LIST(struct rn_request *r)
{
	const struct rawnet_req_list *req = r->req;
	struct rawnet_rep_flow_list *rep = r->rep;
	const struct rn_daemon *d = r->client->daemon;
	uint64_t after = req->cursor & 0xffffffffffffu;
	uint32_t most = sizeof(rep->entry) / sizeof(rep->entry[0]);

	rep->list.entry_size = sizeof(rep->entry[0]);
	for (uint32_t i = (uint32_t)(req->cursor >> 48); i < d->n_served; i++, after = 0) {
		const struct rn_served *s = &d->served[i];
		struct rn_rule *rule = after ? rn_steer_find(s->port->steer, after) : NULL;

		if (!rule && after) /* it went meanwhile: find its place */
			while ((rule = rn_steer_next(s->port->steer, rule)) && rule->id <= after)
				;
		else
			rule = rn_steer_next(s->port->steer, rule);
		for (; rule; rule = rn_steer_next(s->port->steer, rule)) {
			if (!wanted(r->client, s, rule, req))
				continue;
			describe(s, rule, &rep->entry[rep->list.n++]);
			if (rep->list.n == most) {
				rep->list.next = (uint64_t)i << 48 | rule->id;
				return 0;
			}
		}
	}
	return 0;
}
