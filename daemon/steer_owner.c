/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose the rules are. An attachment has an array of its rules, by the index that slots name them
 * with: small, so that it fits the slot's 16 bits. Rules without members hang in lists by the uid
 * and label that they wait for. So who comes or goes costs what its own rules cost, however many
 * the port has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attachment.h"
#include "clock.h"
#include "steer_impl.h"

/* ---- indexes of rules within an attachment ---- */

static int reserve(struct rn_attachment *at, uint32_t index)
{
	uint32_t max = at->max_indexes ? at->max_indexes : 16;
	struct rn_indexed *p;

	if (index < at->max_indexes)
		return 0;
	if (index > HANDLES)
		return -EINVAL;
	while (max <= index)
		max *= 2;
	p = realloc(at->rule, max * sizeof(*p));
	if (!p)
		return -ENOMEM;
	at->rule = p;
	at->max_indexes = max;
	return 0;
}

/* Those between the indexes that were kept are free, and not linked yet. */
static void link_free(struct rn_attachment *at)
{
	for (uint32_t i = at->n_indexes; i-- > 0;)
		if (!at->rule[i].rule) {
			at->rule[i].next_free = at->free_index;
			at->free_index = i + 1;
		}
}

int rn_index_take(struct rn_attachment *at, struct rn_rule *rule, uint32_t *index)
{
	int rc;

	if (!at->free_index && at->n_rules < at->n_indexes)
		link_free(at);
	if (at->free_index) {
		*index = at->free_index - 1;
		at->free_index = at->rule[*index].next_free;
	} else {
		*index = at->n_indexes;
		rc = reserve(at, *index);
		if (rc)
			return rc;
		at->n_indexes++;
	}
	at->rule[*index] = (struct rn_indexed) {.rule = rule};
	at->n_rules++;
	return 0;
}

int rn_index_reserve(const struct rn_members *m)
{
	int rc = 0;

	for (uint32_t i = 0; i < m->n && !rc; i++) {
		const struct rn_attachment *at = m->m[i].at;
		const uint32_t index = m->m[i].index;

		/* Two records of the last daemon's that say the same are not both true. */
		if (index < at->n_indexes && at->rule[index].rule)
			rc = -EEXIST;
		else
			rc = reserve(m->m[i].at, index);
	}
	return rc;
}

void rn_index_keep(struct rn_rule *rule)
{
	const struct rn_members *m = rule->members;

	for (uint32_t i = 0; i < m->n; i++) {
		struct rn_attachment *at = m->m[i].at;

		while (at->n_indexes <= m->m[i].index)
			at->rule[at->n_indexes++] = (struct rn_indexed) {.rule = NULL};
		at->rule[m->m[i].index].rule = rule;
		at->n_rules++;
	}
}

void rn_index_give(struct rn_attachment *at, uint32_t index)
{
	if (!--at->n_rules) {
		free(at->rule);
		at->rule = NULL;
		at->n_indexes = at->max_indexes = at->free_index = 0;
	} else if (index < at->n_indexes) { /* else it is being left */
		at->rule[index] = (struct rn_indexed) {.next_free = at->free_index};
		at->free_index = index + 1;
	}
}

/* ---- rules that wait ---- */

static struct cds_hlist_head *waiting_for(struct rn_steer *s, uint32_t uid, const char *label)
{
	uint64_t words[1 + RAWNET_LABEL / 8] = {uid};

	strncpy((char *)&words[1], label, RAWNET_LABEL);
	return &s->waiting[rn_siphash(&rn_steer_secret, words, sizeof(words) / 8) % WAITING];
}

void rn_waiting_add(struct rn_steer *s, struct rule *r)
{
	cds_hlist_add_head(&r->waiting, waiting_for(s, r->pub.uid, r->pub.label));
}

void rn_waiting_del(struct rule *r)
{
	cds_hlist_del(&r->waiting);
}

/* ---- attachments come and go ---- */

/* Takes `at` out of the rule; false: the rule has nobody left and does not wait. */
static bool part(struct rn_steer *s, struct rn_rule *rule, struct rn_attachment *at, uint32_t index)
{
	uint32_t n = rule->members->n;
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
	at->free_index = 0; /* free indexes go with the others */
	while (at->n_rules) {
		struct rn_rule *rule = at->rule[--at->n_indexes].rule;

		if (!rule)
			continue;
		if (!part(s, rule, at, at->n_indexes)) {
			if (gone)
				gone(arg, rule);
			rn_steer_del(s, rule);
		}
		if (rn_mono_ns() > until)
			return !at->n_rules;
	}
	return true;
}

unsigned rn_steer_arrive(struct rn_steer *s, struct rn_attachment *at)
{
	struct rule *r = NULL, *next = NULL;
	unsigned n = 0;

	if (!at->label[0])
		return 0;
	cds_hlist_for_each_entry_safe_2 (r, next, waiting_for(s, at->uid, at->label), waiting) {
		uint32_t index;
		struct rn_members *m;

		if (r->pub.uid != at->uid || strcmp(r->pub.label, at->label) != 0 ||
		    rn_index_take(at, &r->pub, &index))
			continue;
		m = rn_members_make(at, index);
		if (m && !rn_members_set(s, &r->pub, m, NULL))
			n++;
		else
			rn_index_give(at, index);
	}
	return n;
}
