/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of the last daemon, from the journal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "daemon.h"
#include "journal.h"
#include "log.h"
#include "rules_impl.h"
#include "tx.h"

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
			    .force = true,
			    .entry = first->u.rule.entry},
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
	rn_policy_was_admitted(rule->entry, u);
	rn_usage_add(u, &rn_one_rule);
	rn_journal_restored(rule, w);
	rc = rn_rules_add_neigh(d, s, rule, err);
	if (!rc && first->u.rule.confirm_end)
		rc = rn_tentative_begin(d, rule, first->u.rule.confirm_end);
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
