/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members of a rule: who gets its packets. A set is never changed, only replaced. The indirection
 * table keeps flows where they are: a newcomer takes its fair share of entries, evenly from the
 * others; one that leaves gives away only its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attachment.h"
#include "steer_impl.h"

struct rn_members *rn_members_alloc(uint32_t n)
{
	struct rn_members *m = calloc(1, sizeof(*m) + n * sizeof(m->m[0]));

	if (m)
		m->n = n;
	return m;
}

struct rn_members *rn_members_make(struct rn_attachment *at, uint32_t index)
{
	struct rn_members *m = rn_members_alloc(at ? 1 : 0);

	if (m && at)
		m->m[0] = (struct rn_member) {.at = at, .index = index};
	return m;
}

struct rn_members *rn_members_with(const struct rn_members *old, struct rn_attachment *at,
				   uint32_t index)
{
	struct rn_members *m = rn_members_alloc(old->n + 1);
	uint32_t owned[256] = {0}, share = RN_RSS_TABLE / (old->n + 1);

	if (!m)
		return NULL;
	memcpy(m->m, old->m, old->n * sizeof(m->m[0]));
	m->m[old->n] = (struct rn_member) {.at = at, .index = index};
	memcpy(m->table, old->table, sizeof(m->table));
	for (uint32_t i = 0; i < RN_RSS_TABLE; i++)
		owned[m->table[i]]++;
	for (uint32_t i = 0; i < RN_RSS_TABLE && share; i++) {
		if (owned[m->table[i]] <= RN_RSS_TABLE / (old->n + 1))
			continue;
		owned[m->table[i]]--;
		m->table[i] = (uint8_t)old->n;
		share--;
	}
	return m;
}

struct rn_members *rn_members_without(const struct rn_members *old, const struct rn_attachment *at)
{
	struct rn_members *m = rn_members_alloc(old->n - 1);
	uint32_t gone = 0, next = 0;

	if (!m)
		return NULL;
	while (old->m[gone].at != at)
		gone++;
	memcpy(m->m, old->m, gone * sizeof(m->m[0]));
	memcpy(m->m + gone, old->m + gone + 1, (m->n - gone) * sizeof(m->m[0]));
	for (uint32_t i = 0; i < RN_RSS_TABLE && m->n; i++) {
		uint8_t was = old->table[i];

		m->table[i] = was > gone ? was - 1 : was;
		if (was == gone)
			m->table[i] = (uint8_t)(next++ % m->n);
	}
	return m;
}

const struct rn_member *rn_rule_member(const struct rn_rule *rule, uint32_t hash)
{
	const struct rn_members *m = rcu_dereference(rule->members);

	if (!m->n)
		return NULL;
	return m->n == 1 ? m->m : &m->m[m->table[hash % RN_RSS_TABLE]];
}

/* ---- the members of a rule change ---- */

static void free_members(struct rcu_head *head)
{
	free(caa_container_of(head, struct rn_members, rcu));
}

int rn_members_set(struct rn_steer *s, struct rn_rule *rule, struct rn_members *m,
		   struct rn_err *err)
{
	struct rn_members *old = rule->members;
	int rc = 0;

	rcu_assign_pointer(rule->members, m);
	note_change(s);
	if (s->ops && s->ops->members)
		rc = s->ops->members(s->ctx, rule, err);
	if (rc) {
		rcu_assign_pointer(rule->members, old);
		note_change(s);
		synchronize_rcu();
		free(m);
		return rc;
	}
	if (!m->n && old->n)
		rn_waiting_add(s, rule_of(rule));
	if (m->n && !old->n)
		rn_waiting_del(rule_of(rule));
	if (cds_list_empty(&rule->unkept))
		cds_list_add_tail(&rule->unkept, &s->unkept);
	rule->flags = m->n ? rule->flags & ~RAWNET_FLOW_WAITING : rule->flags | RAWNET_FLOW_WAITING;
	call_rcu(&old->rcu, free_members);
	return 0;
}

int rn_members_join(struct rn_steer *s, struct rn_rule *rule, const struct rn_steer_request *q,
		    uint32_t *index, struct rn_err *err)
{
	struct rn_members *m;
	int rc;

	if (!(q->flags & rule->flags & RAWNET_FLOW_GROUP) || rule->uid != q->uid || !q->at)
		return rn_fail(err, -EEXIST, "rule %llu has the same match already%s",
			       (unsigned long long)rule->id,
			       rule->uid == q->uid ? " (group would share it)" : "");
	for (uint32_t i = 0; i < rule->members->n; i++)
		if (rule->members->m[i].at == q->at)
			return rn_fail(err, -EEXIST, "rule %llu has this attachment already",
				       (unsigned long long)rule->id);
	if (rule->members->n >= RN_RSS_TABLE)
		return rn_fail(err, -ENOSPC, "the group has %u members, and no room for more",
			       rule->members->n);
	if (q->flags & RAWNET_FLOW_CHECK)
		return 0;
	if (rn_index_take(q->at, rule, index))
		return rn_fail(err, -ENOMEM, "group: out of memory");
	m = rn_members_with(rule->members, q->at, *index);
	rc = m ? rn_members_set(s, rule, m, err) : rn_fail(err, -ENOMEM, "group: out of memory");
	if (rc)
		rn_index_give(q->at, *index);
	return rc;
}

int rn_steer_move(struct rn_steer *s, struct rn_rule *rule, struct rn_attachment *to,
		  struct rn_err *err)
{
	const struct rn_members *old = rule->members;
	struct rn_member *before = NULL;
	struct rn_members *m;
	uint32_t index, n = old->n;
	int rc;

	if (rn_index_take(to, rule, &index))
		return rn_fail(err, -ENOMEM, "move: out of memory");
	m = rn_members_make(to, index);
	if (n)
		before = malloc(n * sizeof(*before));
	if (!m || (n && !before)) {
		rc = rn_fail(err, -ENOMEM, "move: out of memory");
		free(m);
		goto undo;
	}
	if (n)
		memcpy(before, old->m, n * sizeof(*before));
	rc = rn_members_set(s, rule, m, err);
	if (rc)
		goto undo;
	for (uint32_t i = 0; i < n; i++)
		rn_index_give(before[i].at, before[i].index);
	free(before);
	return 0;

undo:
	free(before);
	rn_index_give(to, index);
	return rc;
}

void rn_members_release(struct rn_rule *rule)
{
	struct rn_members *m = rule->members;

	for (uint32_t i = 0; i < m->n; i++)
		rn_index_give(m->m[i].at, m->m[i].index);
	call_rcu(&m->rcu, free_members);
}
