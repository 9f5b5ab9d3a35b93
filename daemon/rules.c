/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules and all that hangs on them besides the table: quota, the neighbour responder, policing
 * hints, the journal, events. Tentative rules, those of the configuration and those of the last
 * daemon have files of their own.
 */
#include <errno.h>
#include <string.h>

#include "backend/backend.h"
#include "client.h"
#include "clock.h"
#include "daemon.h"
#include "journal.h"
#include "match.h"
#include "probes.h"
#include "rules_impl.h"
#include "store.h"
#include "tx.h"

/* ---- the journal ---- */

void rn_rules_keep(struct rn_daemon *d, const struct rn_served *s, struct rn_rule *rule)
{
	rn_journal_ids(d->rule_ids, d->next_client, rn_attachment_ids(0));
	rn_journal_keep(s->port->config.dev, rule, rn_tentative_end(rule));
}

void rn_rules_sync(struct rn_daemon *d)
{
	for (uint32_t i = 0; rn_journal() && i < d->n_served; i++) {
		struct cds_list_head *unkept = rn_steer_unkept(d->served[i].port->steer);
		struct rn_rule *rule, *next;

		cds_list_for_each_entry_safe (rule, next, unkept, unkept)
			rn_rules_keep(d, &d->served[i], rule);
	}
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
		rn_usage_sub(u, &rn_one_rule);
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
	struct rn_steer *steer = q->served->port->steer;
	const uint32_t changes = rn_steer_changes(steer);
	unsigned before = rn_steer_count(steer, NULL);
	struct rn_usage *u = rn_usage_of(&d->usages, q->steer.uid);
	int rc;

	if (q->confirm && joins(q))
		return rn_fail(
			err, -EINVAL,
			"confirm: joining a group cannot be rolled back, only its first rule");
	if (!u)
		return rn_fail(err, -ENOMEM, "rule: out of memory");
	rn_usage_add(u, &rn_one_rule);
	rn_police_settle(); /* it may be what another one had */
	rc = rn_steer_add(steer, &q->steer, rule, index, err);
	if (rc || rn_steer_count(steer, NULL) == before) {
		rn_usage_sub(u, &rn_one_rule); /* refused, checked only, or joined a group */
		if (rc && rn_steer_changes(steer) != changes)
			rn_police_changed(); /* refused by the backend: it was there for a moment */
		if (!rc && *rule)
			rn_rules_keep(d, q->served, *rule);
		return rc;
	}
	rc = rn_rules_add_neigh(d, q->served, *rule, err);
	if (!rc && q->confirm) {
		rc = rn_tentative_begin(d, *rule, rn_mono_ns() + q->confirm * 1000000000ull);
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
	rn_rules_del_neigh(d, s, rule);
	rn_journal_drop(rule);
	rn_tentative_forget(rule);
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
