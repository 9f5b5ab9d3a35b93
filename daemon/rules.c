/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules and all that hangs on them besides the table: quota, the neighbour responder, policing
 * hints, the adoption state, events, rules that go back unless confirmed, rules of the
 * configuration.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "client.h"
#include "clock.h"
#include "daemon.h"
#include "journal.h"
#include "log.h"
#include "match.h"
#include "probes.h"
#include "store.h"
#include "tx.h"

static const struct rawnet_quota one_rule = {.rules = 1};

/* ---- tentative rules ---- */

struct tentative {
	struct rn_daemon *daemon;
	struct cds_list_head list;
	sd_event_source *source;
	uint64_t rule;
	uint64_t end_ns;
};

static struct tentative *find_tentative(const struct rn_daemon *d, uint64_t id)
{
	struct tentative *t;

	cds_list_for_each_entry (t, &d->tentative, list)
		if (t->rule == id)
			return t;
	return NULL;
}

static void forget(struct tentative *t)
{
	if (!t)
		return;
	sd_event_source_unref(t->source);
	cds_list_del(&t->list);
	free(t);
}

static int roll_back(sd_event_source *source, uint64_t usec, void *arg)
{
	struct tentative *t = arg;
	struct rn_daemon *d = t->daemon;
	struct rn_served *served;
	struct rn_rule *rule = rn_daemon_rule(d, t->rule, &served);

	(void)source;
	(void)usec;
	if (rule)
		rn_rules_del(d, served, rule, "rolled-back"); /* forgets t */
	else
		forget(t);
	return 0;
}

static int make_tentative(struct rn_daemon *d, struct rn_rule *rule, uint64_t end_ns)
{
	struct tentative *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->daemon = d;
	t->rule = rule->id;
	t->end_ns = end_ns;
	rc = sd_event_add_time(d->event, &t->source, CLOCK_MONOTONIC, end_ns / 1000, 10000,
			       roll_back, t);
	if (rc < 0) {
		free(t);
		return rc;
	}
	rule->flags |= RAWNET_FLOW_TENTATIVE;
	cds_list_add_tail(&t->list, &d->tentative);
	return 0;
}

int rn_rules_confirm(struct rn_daemon *d, uint64_t id)
{
	struct rn_served *served;
	struct rn_rule *rule = rn_daemon_rule(d, id, &served);
	struct tentative *t = find_tentative(d, id);

	if (!rule || !t)
		return -ENOENT;
	forget(t);
	rule->flags &= ~RAWNET_FLOW_TENTATIVE;
	rn_journal_keep(served->port->config.dev, rule, 0);
	rn_event_emit(d, RAWNET_EVENT_FLOW, "confirmed", id, NULL, served->port->config.dev,
		      rule->uid, "rule confirmed");
	return 0;
}

uint32_t rn_rules_left(const struct rn_daemon *d, uint64_t id)
{
	const struct tentative *t = find_tentative(d, id);
	uint64_t now = rn_mono_ns();

	return t && t->end_ns > now ? (uint32_t)((t->end_ns - now + 999999999u) / 1000000000u) : 0;
}

void rn_rules_forget_all(struct rn_daemon *d)
{
	struct tentative *t, *next;

	cds_list_for_each_entry_safe (t, next, &d->tentative, list)
		forget(t);
}

/* ---- the responder's descriptor comes and goes with leases ---- */

static int on_neigh(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	(void)source;
	(void)fd;
	(void)revents;
	rn_neigh_dispatch(arg);
	return 0;
}

static void follow_neigh(struct rn_daemon *d, struct rn_served *s)
{
	int fd = s->neigh ? rn_neigh_fd(s->neigh) : -1;

	if (fd == s->neigh_fd)
		return;
	s->neigh_source = sd_event_source_disable_unref(s->neigh_source);
	s->neigh_fd = fd;
	if (fd >= 0 &&
	    sd_event_add_io(d->event, &s->neigh_source, fd, EPOLLIN, on_neigh, s->neigh) < 0)
		rn_error_about(RN_ABOUT_DEV(s->port->config.dev),
			       "%s: out of memory, leased addresses are not answered for",
			       s->port->config.dev);
}

void rn_rules_reopen_neigh(struct rn_daemon *d, struct rn_served *s)
{
	if (!s->neigh)
		return;
	/* The new descriptor may have the old one's number: the loop must forget that first. */
	s->neigh_source = sd_event_source_disable_unref(s->neigh_source);
	s->neigh_fd = -1;
	rn_neigh_reopen(s->neigh);
	follow_neigh(d, s);
}

/* ---- the journal ---- */

void rn_rules_keep(struct rn_daemon *d, const struct rn_served *s, struct rn_rule *rule)
{
	const struct tentative *t =
		rule->flags & RAWNET_FLOW_TENTATIVE ? find_tentative(d, rule->id) : NULL;

	rn_journal_ids(d->rule_ids, d->next_client, rn_attachment_ids(0));
	rn_journal_keep(s->port->config.dev, rule, t ? t->end_ns : 0);
}

void rn_rules_sync(struct rn_daemon *d)
{
	for (uint32_t i = 0; rn_journal() && i < d->n_served; i++) {
		const struct rn_steer *steer = d->served[i].port->steer;
		struct rn_rule *rule = NULL;

		while ((rule = rn_steer_next(steer, rule)))
			if (rule->changed)
				rn_rules_keep(d, &d->served[i], rule);
	}
}

static int add_neigh(struct rn_daemon *d, struct rn_served *s, const struct rn_rule *rule,
		     struct rn_err *err)
{
	int rc;

	if (!s->neigh)
		return 0;
	rc = rn_neigh_add(s->neigh, rule, err);
	follow_neigh(d, s);
	return rc;
}

static void del_neigh(struct rn_daemon *d, struct rn_served *s, const struct rn_rule *rule)
{
	if (!s->neigh)
		return;
	rn_neigh_del(s->neigh, rule);
	follow_neigh(d, s);
}

/* ---- adding and deleting ---- */

static void announce(struct rn_daemon *d, const struct rn_served *s, const struct rn_rule *rule,
		     const char *what)
{
	char text[RAWNET_MATCH_TEXT];

	rn_match_format(&rule->match, text, sizeof(text));
	rn_event_emit(d, RAWNET_EVENT_FLOW, what, rule->id,
		      rule->members->n ? rule->members->m[0].at : NULL, s->port->config.dev,
		      rule->uid, "%s", text);
}

static void give_back(struct rn_daemon *d, uint32_t uid)
{
	struct rn_usage *u = rn_usage_of(&d->usages, uid);

	if (u)
		rn_usage_sub(u, &one_rule);
}

/* Rolling back deletes a rule as a whole: a member that joins cannot be tentative. */
static bool joins(const struct rn_rule_request *q)
{
	const struct rn_rule *same = rn_steer_same(q->served->port->steer, q->steer.match);

	return same && (same->flags & q->steer.flags & RAWNET_FLOW_GROUP) &&
	       same->uid == q->steer.uid;
}

int rn_rules_add(struct rn_daemon *d, const struct rn_rule_request *q, struct rn_rule **rule,
		 uint32_t *index, struct rn_err *err)
{
	unsigned before = rn_steer_count(q->served->port->steer, NULL);
	struct rn_usage *u = rn_usage_of(&d->usages, q->steer.uid);
	int rc;

	if (q->confirm && joins(q))
		return rn_fail(
			err, -EINVAL,
			"confirm: joining a group cannot be rolled back, only its first rule");
	if (!u)
		return rn_fail(err, -ENOMEM, "rule: out of memory");
	rn_usage_add(u, &one_rule);
	rc = rn_steer_add(q->served->port->steer, &q->steer, rule, index, err);
	if (rc || rn_steer_count(q->served->port->steer, NULL) == before) {
		rn_usage_sub(u, &one_rule); /* refused, checked only, or joined a group */
		rn_police_changed();
		if (!rc && *rule)
			rn_rules_keep(d, q->served, *rule);
		return rc;
	}
	rn_police_changed();
	rc = add_neigh(d, q->served, *rule, err);
	if (!rc && q->confirm) {
		rc = make_tentative(d, *rule, rn_mono_ns() + q->confirm * 1000000000ull);
		if (rc)
			rn_fail(err, rc, "confirm: %s", strerror(-rc));
	}
	if (rc) {
		rn_rules_del(d, q->served, *rule, "deleted");
		return rc;
	}
	rn_rules_keep(d, q->served, *rule);
	announce(d, q->served, *rule, "added");
	rn_probe_rule_add(*rule, q->served->port->config.dev);
	return 0;
}

static void detach_extras(struct rn_daemon *d, struct rn_served *s, struct rn_rule *rule,
			  const char *why)
{
	del_neigh(d, s, rule);
	rn_journal_drop(rule);
	forget(find_tentative(d, rule->id));
	give_back(d, rule->uid);
	announce(d, s, rule, why);
	rn_probe_rule_del(rule, s->port->config.dev);
}

void rn_rules_del(struct rn_daemon *d, struct rn_served *s, struct rn_rule *rule, const char *why)
{
	detach_extras(d, s, rule, why);
	rn_steer_del(s->port->steer, rule);
	rn_police_changed();
}

void rn_rules_gone(void *arg, struct rn_rule *rule)
{
	struct rn_daemon *d = arg;
	struct rn_served *s;

	if (rn_daemon_rule(d, rule->id, &s))
		detach_extras(d, s, rule, "deleted");
}

int rn_rules_check_gap(const struct rn_served *s, uint32_t gap, struct rn_err *err)
{
	const struct rn_backend *be = s->port->backend;

	if (gap >= RAWNET_GAP_COUNT)
		return rn_fail(err, -EINVAL, "gap %u: kernel (0) or drop (1)", gap);
	if (gap == RAWNET_GAP_KERNEL || (be->holds_gap && rn_store_works()))
		return 0;
	return rn_fail(err, -EOPNOTSUPP,
		       "gap drop: %s leaves packets to the kernel while no daemon runs%s", be->name,
		       be->holds_gap ? " (a service manager that keeps descriptors would help)"
				     : "");
}

/* ---- rules of the configuration ---- */

static bool same_static(const struct rn_served *s, const struct rn_rule *rule,
			const struct rn_static_rule *c)
{
	return !strcmp(s->port->config.dev, c->dev) && rule->uid == c->uid && rule->gap == c->gap &&
	       !strcmp(rule->label, c->to) && !memcmp(&rule->match, &c->match, sizeof(c->match));
}

static bool still_wanted(const struct rn_daemon *d, const struct rn_served *s,
			 const struct rn_rule *rule)
{
	for (uint32_t i = 0; i < d->config->n_rules; i++)
		if (same_static(s, rule, &d->config->rules[i]))
			return true;
	return false;
}

static void delete_unwanted(struct rn_daemon *d, struct rn_served *s)
{
	struct rn_rule *rule = rn_steer_next(s->port->steer, NULL), *next;

	for (; rule; rule = next) {
		next = rn_steer_next(s->port->steer, rule);
		if ((rule->flags & RAWNET_FLOW_STATIC) && !still_wanted(d, s, rule))
			rn_rules_del(d, s, rule, "deleted");
	}
}

static bool is_there(const struct rn_served *s, const struct rn_static_rule *c)
{
	struct rn_rule *rule = NULL;

	while ((rule = rn_steer_next(s->port->steer, rule)))
		if ((rule->flags & RAWNET_FLOW_STATIC) && same_static(s, rule, c))
			return true;
	return false;
}

static int add_static(struct rn_daemon *d, struct rn_served *s, const struct rn_static_rule *c,
		      struct rn_err *err)
{
	struct rn_rule_request q = {
		.served = s,
		.steer = {.match = &c->match,
			  .at = rn_attachment_by_label(d, c->dev, c->to, c->uid, false),
			  .label = c->to,
			  .uid = c->uid,
			  .flags = RAWNET_FLOW_STATIC | RAWNET_FLOW_PERSIST,
			  .gap = c->gap},
	};
	struct rn_rule *rule;
	uint32_t index;

	if (rn_rules_check_gap(s, c->gap, err))
		return err->code;
	return rn_rules_add(d, &q, &rule, &index, err);
}

unsigned rn_rules_static(struct rn_daemon *d)
{
	unsigned failed = 0;

	for (uint32_t i = 0; i < d->n_served; i++)
		delete_unwanted(d, &d->served[i]);
	for (uint32_t i = 0; i < d->config->n_rules; i++) {
		const struct rn_static_rule *c = &d->config->rules[i];
		struct rn_served *s = rn_daemon_port(d, c->dev);
		struct rn_err err = {0};

		if (!s)
			rn_warn_about(RN_ABOUT_DEV(c->dev),
				      "rule to %s: %s is served from the next start on", c->to,
				      c->dev);
		if (!s || is_there(s, c) || !add_static(d, s, c, &err))
			continue;
		rn_error_about(RN_ABOUT_DEV(c->dev), "rule to %s on %s: %s", c->to, c->dev,
			       err.text);
		failed++;
	}
	return failed;
}

/* ---- rules of the last daemon ---- */

static struct rn_members *members_of(const struct rn_journal_walk *w, struct rn_daemon *d)
{
	struct rn_members *m = rn_members_alloc(RN_RSS_TABLE);
	bool lost = false;
	uint32_t n = 0;

	if (!m)
		return NULL;
	for (uint32_t k = 1; k < w->n; k++) {
		const struct rn_state_record *r = w->record[k];

		if (r->kind == RN_STATE_TABLE)
			memcpy(m->table, r->u.table, sizeof(m->table));
		for (uint32_t i = 0; r->kind == RN_STATE_MEMBERS && i < r->n && n < RN_RSS_TABLE;
		     i++) {
			struct rn_attachment *at =
				rn_attachment_by_id(d, r->u.member[i].attachment);

			if (at)
				m->m[n++] = (struct rn_member) {at, r->u.member[i].index};
			lost |= !at;
		}
	}
	m->n = n;
	for (uint32_t i = 0; i < RN_RSS_TABLE && n; i++)
		if (lost || m->table[i] >= n)
			m->table[i] = (uint8_t)(i % n);
	return m;
}

static int restore_one(struct rn_daemon *d, const struct rn_journal_walk *w, struct rn_err *err)
{
	const struct rn_state_record *first = w->record[0];
	struct rn_served *s = rn_daemon_port(d, first->u.rule.dev);
	const uint32_t stays = RAWNET_FLOW_PERSIST | RAWNET_FLOW_STATIC;
	struct rn_steer_restore from = {
		.request = {.match = &first->u.rule.match,
			    .label = first->u.rule.label,
			    .uid = first->u.rule.uid,
			    .flags = first->u.rule.flags & ~(uint32_t)RAWNET_FLOW_WAITING,
			    .gap = first->u.rule.gap,
			    .force = true},
		.id = first->rule,
	};
	struct rn_usage *u = rn_usage_of(&d->usages, first->u.rule.uid);
	struct rn_rule *rule;
	int rc;

	if (!s)
		return rn_fail(err, -ENODEV, "its port %.15s is gone", first->u.rule.dev);
	from.members = members_of(w, d);
	if (!u || !from.members) {
		free(from.members);
		return rn_fail(err, -ENOMEM, "out of memory");
	}
	if (!from.members->n && !(from.request.flags & stays)) {
		free(from.members);
		return rn_fail(err, -ENOENT, "its target is gone");
	}
	rc = rn_steer_restore(s->port->steer, &from, &rule, err);
	if (rc)
		return rc;
	rn_usage_add(u, &one_rule);
	rn_journal_restored(rule, w);
	rc = add_neigh(d, s, rule, err);
	if (!rc && first->u.rule.confirm_end)
		rc = make_tentative(d, rule, first->u.rule.confirm_end);
	if (rc)
		rn_rules_del(d, s, rule, "deleted");
	return rc;
}

/* Their clients believe that they have the rule: they are to connect again. */
static void send_members_away(const struct rn_journal_walk *w, const struct rn_daemon *d)
{
	for (uint32_t k = 1; k < w->n; k++) {
		const struct rn_state_record *r = w->record[k];

		for (uint32_t i = 0; r->kind == RN_STATE_MEMBERS && i < r->n; i++) {
			struct rn_attachment *at =
				rn_attachment_by_id(d, r->u.member[i].attachment);

			if (at)
				((struct rn_client *)at->client)->incomplete = true;
		}
	}
}

unsigned rn_rules_restore(struct rn_daemon *d)
{
	struct rn_journal_walk w = {.n = 0};
	unsigned n = 0;

	while (rn_journal_next(&w)) {
		struct rn_err err = {0};

		if (!restore_one(d, &w, &err)) {
			n++;
		} else {
			rn_warn("rule %llu of the last daemon is not restored: %s",
				(unsigned long long)w.record[0]->rule, err.text);
			send_members_away(&w, d);
		}
	}
	rn_journal_sweep();
	rn_rules_sync(d);
	rn_police_changed();
	return n;
}
