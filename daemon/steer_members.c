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
