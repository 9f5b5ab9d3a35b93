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
#include "clock.h"
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

/* ---- indexes of rules within an attachment: small, so that they fit the slot's 16 bits ---- */

uint32_t rn_index_take(struct rn_attachment *at)
{
	at->n_rules++;
	return at->n_free_indexes ? at->free_index[--at->n_free_indexes] : at->next_index++;
}

void rn_index_keep(struct rn_attachment *at, uint32_t index)
{
	at->n_rules++;
	if (at->next_index <= index)
		at->next_index = index + 1;
}

void rn_index_give(struct rn_attachment *at, uint32_t index)
{
	at->n_rules--;
	if (at->n_free_indexes == at->max_free_indexes) {
		uint32_t more = at->max_free_indexes ? 2 * at->max_free_indexes : 64;
		uint32_t *p = realloc(at->free_index, more * sizeof(*p));

		if (!p)
			return; /* that index is not given out again: no harm */
		at->free_index = p;
		at->max_free_indexes = more;
	}
	at->free_index[at->n_free_indexes++] = index;
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
	s->n_waiting += (m->n == 0) - (old->n == 0);
	rule->changed = true;
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
	*index = rn_index_take(q->at);
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

	index = rn_index_take(to);
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

/* ---- attachments come and go ---- */

static const struct rn_member *member_of(const struct rn_rule *rule, const struct rn_attachment *at)
{
	for (uint32_t i = 0; i < rule->members->n; i++)
		if (rule->members->m[i].at == at)
			return &rule->members->m[i];
	return NULL;
}

/* Takes `at` out of the rule; false: the rule has nobody left and does not wait. */
static bool part(struct rn_steer *s, struct rn_rule *rule, struct rn_attachment *at)
{
	const struct rn_member *member = member_of(rule, at);
	uint32_t index = member->index, n = rule->members->n;
	struct rn_members *m;

	if (n == 1 && !(rule->flags & (RAWNET_FLOW_PERSIST | RAWNET_FLOW_STATIC)))
		return false;
	if (n == 1 && (rule->flags & RAWNET_FLOW_PERSIST))
		memcpy(rule->label, at->label, sizeof(rule->label));
	m = rn_members_without(rule->members, at);
	if (!m || rn_members_set(s, rule, m, NULL))
		return false;
	rn_index_give(at, index);
	return true;
}

bool rn_steer_leave(struct rn_steer *s, struct rn_attachment *at,
		    void (*gone)(void *arg, struct rn_rule *rule), void *arg, uint64_t until)
{
	struct rn_rule *rule, *next;

	if (!at->n_rules)
		return true;
	cds_list_for_each_entry_safe (rule, next, &s->rules, list) {
		if (!member_of(rule, at))
			continue;
		if (!part(s, rule, at)) {
			if (gone)
				gone(arg, rule);
			rn_steer_del(s, rule);
		}
		if (rn_mono_ns() > until)
			return !at->n_rules;
	}
	return true;
}

unsigned rn_steer_arrive(struct rn_steer *s, struct rn_attachment *at, uint32_t uid,
			 const char *label)
{
	struct rn_rule *rule;
	unsigned n = 0;

	if (!s->n_waiting || !label[0])
		return 0;
	cds_list_for_each_entry (rule, &s->rules, list) {
		uint32_t index;
		struct rn_members *m;

		if (rule->members->n || rule->uid != uid || strcmp(rule->label, label))
			continue;
		index = rn_index_take(at);
		m = rn_members_make(at, index);
		if (m && !rn_members_set(s, rule, m, NULL))
			n++;
		else
			rn_index_give(at, index);
	}
	return n;
}
