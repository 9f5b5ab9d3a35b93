/* SPDX-License-Identifier: BSD-2-Clause */
/* Look-ups: of pollers by key, and of the control thread. */
#include <string.h>

#include "match.h"
#include "steer_impl.h"

/* ---- readers ---- */

uint32_t rn_steer_changes(const struct rn_steer *s)
{
	return __atomic_load_n(&s->changes, __ATOMIC_ACQUIRE);
}

struct rn_rule *rn_steer_classify(const struct rn_steer *s, const struct rn_key *key,
				  unsigned flags)
{
	const struct order *order = rcu_dereference(s->order);

	if (flags & RN_KEY_GROUP)
		return NULL;
	if ((flags & RN_KEY_NEIGH) && !memcmp(key->dmac, s->mac, 6))
		return NULL;
	for (unsigned i = 0; i < order->n; i++) {
		struct rn_key masked;
		struct rn_rule *rule;

		key_mask(&masked, key, &order->shape[i]->mask);
		rule = rn_shape_find(order->shape[i], &masked);
		if (rule)
			return rule;
	}
	return NULL;
}

static bool is_member(const struct rn_rule *rule, const struct rn_attachment *at)
{
	const struct rn_members *m = rcu_dereference(rule->members);

	for (uint32_t i = 0; i < m->n; i++)
		if (m->m[i].at == at)
			return true;
	return false;
}

struct rn_rule *rn_steer_mirror(const struct rn_steer *s, const struct rn_key *key,
				const struct rn_attachment *at)
{
	return rn_steer_mirror_after(s, key, at, NULL);
}

struct rn_rule *rn_steer_mirror_after(const struct rn_steer *s, const struct rn_key *key,
				      const struct rn_attachment *at, const struct rn_rule *after)
{
	const struct order *order = rcu_dereference(s->order);
	struct rn_key turned = *key;
	const struct rn_shape *skip_to = after ? after->shape : NULL;

	memcpy(turned.dmac, key->smac, sizeof(turned.dmac));
	memcpy(turned.smac, key->dmac, sizeof(turned.smac));
	memcpy(turned.dst, key->src, sizeof(turned.dst));
	memcpy(turned.src, key->dst, sizeof(turned.src));
	turned.sport = key->dport;
	turned.dport = key->sport;
	for (unsigned i = 0; i < order->n; i++) {
		struct rn_key masked;
		struct rn_rule *rule;

		if (skip_to) {
			if (order->shape[i] == skip_to)
				skip_to = NULL;
			continue;
		}
		key_mask(&masked, &turned, &order->shape[i]->mask);
		rule = rn_shape_find(order->shape[i], &masked);
		if (rule && is_member(rule, at))
			return rule;
	}
	return NULL;
}

/* ---- control thread ---- */

static int match_id(struct cds_lfht_node *node, const void *id)
{
	return caa_container_of(node, struct rule, by_id)->pub.id == *(const uint64_t *)id;
}

struct rn_rule *rn_steer_find(const struct rn_steer *s, uint64_t id)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	cds_lfht_lookup(s->by_id, id_hash(id), match_id, &id, &iter);
	node = cds_lfht_iter_get_node(&iter);
	return node ? &caa_container_of(node, struct rule, by_id)->pub : NULL;
}

struct rn_rule *rn_steer_next(const struct rn_steer *s, const struct rn_rule *rule)
{
	const struct cds_list_head *next = rule ? rule->list.next : s->rules.next;

	return next == &s->rules ? NULL : caa_container_of(next, struct rn_rule, list);
}

struct rn_rule *rn_steer_same(const struct rn_steer *s, const struct rawnet_match *match)
{
	struct rn_key key, mask;
	const struct rn_shape *shape;

	rn_match_key(match, s->mac, &key, &mask);
	shape = rn_shape_of_mask(s, &mask);
	return shape ? rn_shape_find(shape, &key) : NULL;
}

struct cds_list_head *rn_steer_unkept(struct rn_steer *s)
{
	return &s->unkept;
}

unsigned rn_steer_count(const struct rn_steer *s, unsigned *shapes)
{
	if (shapes)
		*shapes = s->order->n;
	return s->n_rules;
}

unsigned rn_steer_shape_place(const struct rn_steer *s, const struct rn_shape *shape)
{
	unsigned i = 0;

	while (i < s->order->n && s->order->shape[i] != shape)
		i++;
	return i;
}
