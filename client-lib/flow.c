/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow rules. Additions are pipelined: up to WINDOW requests are under way, which keeps the daemon
 * busy and their replies well below what a socket holds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define WINDOW 64u

static int send_rule(struct rawnet *rn, const struct rn_rule *rule, uint32_t *id, uint64_t deadline)
{
	struct rawnet_req_flow_add req = {.hdr = {.type = RAWNET_MSG_FLOW_ADD},
					  .match = rule->match,
					  .flags = rule->flags,
					  .confirm = rule->confirm,
					  .gap = rule->gap};
	int err;

	memcpy(req.dev, rule->at->dev, sizeof(req.dev));
	if (rule->foreign)
		req.target.attachment = rule->target;
	else if (rule->label[0])
		memcpy(req.target.label, rule->label, sizeof(req.target.label));
	else
		req.target.attachment = rule->at->info->attachment;
	err = rn_conn_send(rn, &req, sizeof(req), deadline);
	*id = req.hdr.id;
	return err;
}

static void take_reply(struct rn_rule *rule, struct rn_msg *m)
{
	struct rawnet_rep_flow rep;

	rn_msg_close(m);
	rn_msg_get(m, &rep, sizeof(rep));
	rule->error = rn_msg_refused(m);
	if (!rule->error && m->hdr.type != (RAWNET_MSG_FLOW_ADD | RAWNET_REPLY))
		rule->error = rn_fail(-EPROTO, "reply of type %u to FLOW_ADD", m->hdr.type);
	if (!rule->error && rep.rule == 0 && !(rule->flags & RAWNET_FLOW_CHECK))
		rule->error = rn_fail(-EPROTO, "reply to FLOW_ADD: rule is 0");
	if (rule->error)
		snprintf(rule->text, sizeof(rule->text), "%s", rawnet_error());
	else
		rule->daemon_id = rep.rule;
}

/* Adds rules until all are answered, or, if asked to, one is refused. Each gets its daemon_id or
 * its error; those not asked for keep the error 1. 0, or the connection's -errno. */
static int send_rules(struct rawnet *rn, struct rn_rule **rules, uint32_t n, bool stop)
{
	uint32_t ids[WINDOW], sent = 0, done = 0;
	uint64_t deadline = rn_conn_deadline(rn);
	struct rn_msg m;
	int err;

	while (done < n) {
		for (; sent < n && sent - done < WINDOW; sent++) {
			err = send_rule(rn, rules[sent], &ids[sent % WINDOW], deadline);
			if (err)
				return err;
		}
		if (done == sent)
			break;
		err = rn_conn_reply(rn, ids[done % WINDOW], &m, deadline);
		if (err)
			return err;
		take_reply(rules[done], &m);
		if (stop && rules[done]->error)
			n = sent; /* those under way are still answered */
		done++;
		deadline = rn_conn_deadline(rn);
	}
	return 0;
}

static void delete_at_daemon(struct rawnet *rn, uint64_t daemon_id)
{
	struct rawnet_req_id req = {.id = daemon_id};
	struct rn_msg m;

	if (rn->sock >= 0 && !rn_conn_call(rn, RAWNET_MSG_FLOW_DEL, &req, sizeof(req), &m))
		rn_msg_close(&m);
}

/* ---- adding ---- */

static struct rawnet_attachment *own_attachment(const struct rawnet *rn, uint32_t id)
{
	struct rawnet_attachment *at = rn->attachments;

	while (at && (!at->attached || at->info->attachment != id))
		at = at->next;
	return at;
}

static struct rn_rule *new_rule(struct rawnet_attachment *at, const struct rawnet_match *match,
				const struct rawnet_flow_options *o)
{
	struct rawnet_attachment *target = at;
	struct rn_rule *rule = calloc(1, sizeof(*rule));

	if (!rule)
		return NULL;
	if (o->attachment && !(target = own_attachment(at->rn, o->attachment))) {
		rule->foreign = true;
		rule->target = o->attachment;
		target = at;
	}
	rule->at = target;
	rule->match = *match;
	rule->flags = o->flags;
	rule->gap = o->gap;
	rule->confirm = o->confirm;
	if (o->confirm)
		rule->confirm_by = rn_now_ns() + o->confirm * 1000000000ull;
	if (o->label)
		memcpy(rule->label, o->label, strlen(o->label));
	rule->error = 1;
	return rule;
}

static int check_add(const struct rawnet_match *match, uint32_t n,
		     const struct rawnet_flow_options *options, struct rawnet_flow_options *o)
{
	int err = rn_options_copy(o, sizeof(*o), options, "flow options");

	if (err)
		return err;
	for (uint32_t i = 0; i < n; i++)
		if (match[i].size != sizeof(match[i]))
			return rn_fail(-EINVAL, "match: size is %u, not %zu", match[i].size,
				       sizeof(match[i]));
	if (o->label && strlen(o->label) >= RAWNET_LABEL)
		return rn_fail(-EINVAL, "label: longer than %u characters", RAWNET_LABEL - 1);
	if (o->label && o->attachment)
		return rn_fail(-EINVAL, "label, attachment: one target only");
	return 0;
}

/* The first of the rules that were added stay; what was added after a refused one goes back.
 * Returns how many stay. Consumes all records. */
static uint32_t keep_added(struct rawnet *rn, struct rn_rule **rules, uint32_t n, uint64_t *ids,
			   int *err)
{
	uint32_t kept = 0, i;

	for (i = 0; i < n && rules[i]->error == 0; i++, kept++) {
		if (ids)
			ids[i] = rules[i]->daemon_id;
		if ((rules[i]->flags & RAWNET_FLOW_CHECK) || rules[i]->foreign) {
			free(rules[i]);
			continue;
		}
		if (rn_rule_keep(&rn->rules, rules[i])) {
			*err = rn_fail(-ENOMEM, "no memory for a rule");
			break;
		}
		if (ids)
			ids[i] = rules[i]->id;
	}
	if (i < n && rules[i]->error < 0)
		*err = rules[i]->error;
	for (uint32_t k = i; k < n; k++)
		if (rules[k]->error == 0 && rules[k]->daemon_id)
			delete_at_daemon(rn, rules[k]->daemon_id);
	if (i < n && rules[i]->error < 0)
		rn_fail(0, "%s", rules[i]->text);
	for (uint32_t k = i; k < n; k++)
		free(rules[k]);
	return kept;
}

static int add_records(struct rawnet_attachment *at, struct rn_rule **rules, uint32_t n,
		       uint64_t *ids)
{
	uint32_t kept;
	int err;

	err = send_rules(at->rn, rules, n, true);
	if (at->rn->sock < 0) { /* nothing of it is left at the daemon */
		for (uint32_t i = 0; i < n; i++)
			free(rules[i]);
		return err;
	}
	kept = keep_added(at->rn, rules, n, ids, &err);
	return kept ? (int)kept : err;
}

static int add(struct rawnet_attachment *at, const struct rawnet_match *match, uint32_t n,
	       const struct rawnet_flow_options *o, uint64_t *ids)
{
	struct rn_rule **rules = calloc(n, sizeof(struct rn_rule *));
	uint32_t made = 0;
	int r;

	while (rules && made < n && (rules[made] = new_rule(at, &match[made], o)))
		made++;
	if (made == n) {
		r = add_records(at, rules, n, ids);
	} else {
		r = rn_fail(-ENOMEM, "no memory for %u rules", n);
		while (made > 0)
			free(rules[--made]);
	}
	free(rules);
	return r;
}

int rawnet_flow_add_many(struct rawnet_attachment *at, const struct rawnet_match *match, uint32_t n,
			 const struct rawnet_flow_options *options, uint64_t *rules)
{
	struct rawnet_flow_options o;
	int r = check_add(match, n, options, &o);

	if (r || n == 0)
		return r;
	if (n > INT_MAX)
		return rn_fail(-EINVAL, "n: %u rules at once", n);
	rn_conn_lock(at->rn);
	r = rn_conn_ready(at->rn);
	if (!r && !at->attached)
		r = rn_fail(-ENOTCONN, "the attachment is not back yet");
	if (!r)
		r = add(at, match, n, &o, rules);
	rn_conn_unlock(at->rn);
	return r;
}

int rawnet_flow_add(struct rawnet_attachment *at, const struct rawnet_match *match,
		    const struct rawnet_flow_options *options, uint64_t *rule)
{
	int r = rawnet_flow_add_many(at, match, 1, options, rule);

	return r < 0 ? r : 0;
}

/* ---- one rule ---- */

static int daemon_id_of(struct rawnet *rn, uint64_t id, uint64_t *daemon_id)
{
	*daemon_id = rn_rule_to_daemon(&rn->rules, id);
	return *daemon_id ? 0
			  : rn_fail(-ENOENT, "rule: there is no rule %llu", (unsigned long long)id);
}

/* One request that names a rule by the daemon's id. */
static int rule_call(struct rawnet *rn, uint16_t type, uint64_t id)
{
	struct rawnet_req_id req = {.id = 0};
	struct rn_msg m;
	int err = rn_conn_ready(rn);

	if (!err)
		err = daemon_id_of(rn, id, &req.id);
	if (!err)
		err = rn_conn_call(rn, type, &req, sizeof(req), &m);
	if (!err)
		rn_msg_close(&m);
	return err;
}

int rawnet_flow_del(struct rawnet *rn, uint64_t id)
{
	struct rn_rule *rule;
	int err;

	rn_conn_lock(rn);
	rule = rn_rule_find(&rn->rules, id);
	/* One that a restart did not bring back is known here only. */
	err = rule && !rule->daemon_id && rn->sock >= 0 ? 0
							: rule_call(rn, RAWNET_MSG_FLOW_DEL, id);
	if (err == 0 || err == -ENOENT)
		rn_rule_drop_id(&rn->rules, id);
	rn_conn_unlock(rn);
	return err;
}

int rawnet_flow_confirm(struct rawnet *rn, uint64_t id)
{
	struct rn_rule *rule;
	int err;

	rn_conn_lock(rn);
	err = rule_call(rn, RAWNET_MSG_FLOW_CONFIRM, id);
	rule = err ? NULL : rn_rule_find(&rn->rules, id);
	if (rule)
		rule->confirm_by = 0;
	rn_conn_unlock(rn);
	return err;
}

/* The rule is remembered if its new target is of this connection; else its successor's now. */
static void retarget(struct rawnet *rn, uint64_t id, const struct rawnet_target *to)
{
	struct rn_rule *rule = rn_rule_find(&rn->rules, id);
	struct rawnet_attachment *at = own_attachment(rn, to->attachment);

	if (!rule)
		return;
	if (to->attachment && at) {
		rule->at = at;
		rule->label[0] = '\0';
	} else if (!to->attachment && rn->label[0] && !strcmp(to->label, rn->label)) {
		memcpy(rule->label, rn->label, sizeof(rule->label));
	} else {
		rn_rule_drop_id(&rn->rules, id);
	}
}

int rawnet_flow_move(struct rawnet *rn, uint64_t id, const struct rawnet_target *to)
{
	struct rawnet_req_flow_move req = {.target = *to};
	struct rn_msg m;
	int err;

	req.target.label[RAWNET_LABEL - 1] = '\0';
	rn_conn_lock(rn);
	err = rn_conn_ready(rn);
	if (!err)
		err = daemon_id_of(rn, id, &req.rule);
	if (!err)
		err = rn_conn_call(rn, RAWNET_MSG_FLOW_MOVE, &req, sizeof(req), &m);
	if (!err) {
		rn_msg_close(&m);
		retarget(rn, id, &req.target);
	}
	rn_conn_unlock(rn);
	return err;
}

/* ---- after a restart ---- */

/* A rule that was to be confirmed and was not in time would be gone by now. */
static void drop_unconfirmed(struct rawnet *rn)
{
	uint64_t now = rn_now_ns();
	struct rn_rule *rule, *next;

	for (rule = rn->rules.head; rule; rule = next) {
		next = rule->next;
		if (rule->confirm_by && rule->confirm_by <= now)
			rn_rule_drop(&rn->rules, rule);
		else
			rule->confirm =
				(uint32_t)(rule->confirm_by
						   ? (rule->confirm_by - now) / 1000000000u + 1
						   : 0);
	}
}

static uint32_t missing(const struct rawnet *rn, struct rn_rule **list)
{
	uint32_t n = 0;

	for (struct rn_rule *rule = rn->rules.head; rule; rule = rule->next) {
		if (rule->error != 1 || !rule->at->attached)
			continue;
		if (list)
			list[n] = rule;
		n++;
	}
	return n;
}

/* Refused for a reason that may pass: asked for again, as attachments are. */
static bool passes(int err)
{
	return err == -ENOMEM || err == -ENOBUFS || err == -EIO || err == -EAGAIN;
}

/* 0, or -EAGAIN. */
static int settle(struct rawnet *rn, struct rn_rule *rule)
{
	uint64_t daemon_id = rule->daemon_id;

	if (rule->error == 0 && rn_rule_restored(&rn->rules, rule, daemon_id)) {
		rule->error = -ENOMEM;
		snprintf(rule->text, sizeof(rule->text), "no memory for a rule");
		delete_at_daemon(rn, daemon_id);
		rule->daemon_id = 0;
	}
	if (passes(rule->error)) {
		rule->error = 1;
		return -EAGAIN;
	}
	if (rule->error < 0)
		rn_calls_report(rn, RAWNET_EVENT_FLOW, "lost", rule->id, rule->at, rule->text);
	return 0;
}

int rn_flow_restore(struct rawnet *rn)
{
	struct rn_rule **list;
	uint32_t n;
	int err;

	drop_unconfirmed(rn);
	n = missing(rn, NULL);
	if (n == 0)
		return 0;
	list = calloc(n, sizeof(struct rn_rule *));
	if (!list)
		return rn_fail(-ENOMEM, "no memory for %u rules", n);
	missing(rn, list);
	err = send_rules(rn, list, n, false);
	if (rn->sock >= 0)
		for (uint32_t i = 0; i < n; i++)
			err = settle(rn, list[i]) ? -EAGAIN : err;
	else
		rn_rules_lost(&rn->rules);
	free(list);
	return err;
}
