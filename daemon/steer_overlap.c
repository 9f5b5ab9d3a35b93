/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Would a new rule take packets that a rule of another uid owns? Only a rule of a shape behind the
 * new one in the order can lose packets to it. Two rules intersect when their keys agree on the
 * bits that both shapes fix (the common mask):
 *   - the other shape fixes no other bits: one look-up in that shape;
 *   - else an index of the other shape's rules by common mask and uid, one look-up; it is made when
 *     first asked for, and kept with the rules from then on.
 * So an addition costs at most RN_SHAPES look-ups, however many rules there are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "steer_impl.h"

/* How many rules of one uid have this key under the common mask. */
struct entry {
	struct cds_lfht_node node;
	struct rcu_head rcu;
	struct rn_key key;
	uint32_t uid;
	uint32_t count;
};

struct pair_index {
	struct rn_key common;
	struct cds_lfht *entries;
};

/* liburcu's loops over entries compute with the null pointer at the end; this one stops before. */
#define FOR_EACH_NODE(table, iter, node)                                         \
	for (cds_lfht_first(table, iter); (node = cds_lfht_iter_get_node(iter)); \
	     cds_lfht_next(table, iter))

static struct entry *entry_of(struct cds_lfht_node *node)
{
	return caa_container_of(node, struct entry, node);
}

static struct rn_rule *rule_at(struct cds_lfht_node *node)
{
	return caa_container_of(node, struct rn_rule, node);
}

static int match_entry(struct cds_lfht_node *node, const void *key)
{
	return rn_key_equal(&entry_of(node)->key, key);
}

/* The entry of this key and uid; with other: of this key and any other uid. */
static struct entry *find(const struct pair_index *p, const struct rn_key *key, uint32_t uid,
			  bool other)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	cds_lfht_lookup(p->entries, key_hash(key), match_entry, key, &iter);
	while ((node = cds_lfht_iter_get_node(&iter))) {
		if ((entry_of(node)->uid == uid) != other)
			return entry_of(node);
		cds_lfht_next_duplicate(p->entries, match_entry, key, &iter);
	}
	return NULL;
}

static void free_entry(struct rcu_head *head)
{
	free(caa_container_of(head, struct entry, rcu));
}

static int index_add(struct pair_index *p, const struct rn_rule *rule)
{
	struct rn_key key;
	struct entry *e;

	key_mask(&key, &rule->key, &p->common);
	e = find(p, &key, rule->uid, false);
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return -ENOMEM;
		e->key = key;
		e->uid = rule->uid;
		cds_lfht_add(p->entries, key_hash(&key), &e->node);
	}
	e->count++;
	return 0;
}

static void index_del(struct pair_index *p, const struct rn_rule *rule)
{
	struct rn_key key;
	struct entry *e;

	key_mask(&key, &rule->key, &p->common);
	e = find(p, &key, rule->uid, false);
	if (!e || --e->count)
		return;
	cds_lfht_del(p->entries, &e->node);
	call_rcu(&e->rcu, free_entry);
}

static void index_free(struct pair_index *p)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	if (!p)
		return;
	FOR_EACH_NODE (p->entries, &iter, node) {
		cds_lfht_del(p->entries, node);
		call_rcu(&entry_of(node)->rcu, free_entry);
	}
	cds_lfht_destroy(p->entries, NULL);
	free(p);
}

/* Indexes the rules that are in the other shape already. NULL: out of memory. */
static struct pair_index *index_make(const struct rn_key *common, const struct rn_shape *other)
{
	struct pair_index *p = calloc(1, sizeof(*p));
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	if (!p)
		return NULL;
	p->common = *common;
	p->entries = make_table();
	if (!p->entries) {
		free(p);
		return NULL;
	}
	FOR_EACH_NODE (other->rules, &iter, node)
		if (index_add(p, rule_at(node))) {
			index_free(p);
			return NULL;
		}
	return p;
}

/* Any rule of the other shape that has this key under the common mask and another uid: the index
 * says that there is one, a walk names it; only refusals pay for the walk. */
static struct rn_rule *name_it(const struct rn_shape *other, const struct rn_key *common,
			       const struct rn_key *key, uint32_t uid)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	FOR_EACH_NODE (other->rules, &iter, node) {
		struct rn_rule *rule = rule_at(node);
		struct rn_key masked;

		key_mask(&masked, &rule->key, common);
		if (rule->uid != uid && rn_key_equal(&masked, key))
			return rule;
	}
	return NULL;
}

static struct rn_rule *find_in(struct rn_steer *s, const struct rn_shape *shape,
			       const struct rn_shape *other, const struct rn_key *mask,
			       const struct rn_key *key, uint32_t uid)
{
	struct rn_key common, masked;
	struct pair_index **p;
	struct rn_rule *rule;

	key_mask(&common, mask, &other->mask);
	key_mask(&masked, key, &common);
	if (rn_key_equal(&common, &other->mask)) {
		rule = rn_shape_find(other, &masked);
		return rule && rule->uid != uid ? rule : NULL;
	}
	if (!shape) /* a new shape has no index yet, and gets one with its second rule */
		return name_it(other, &common, &masked, uid);
	p = &s->pair[shape->slot][other->slot];
	if (!*p)
		*p = index_make(&common, other);
	if (*p && !find(*p, &masked, uid, true))
		return NULL;
	return name_it(other, &common, &masked, uid);
}

struct rn_rule *rn_overlap_find(struct rn_steer *s, const struct rn_shape *shape,
				const struct rn_key *mask, const struct rn_key *key, uint32_t uid)
{
	for (unsigned i = 0; i < s->order->n; i++) {
		const struct rn_shape *other = s->order->shape[i];
		struct rn_rule *rule;

		if (other == shape || rn_shape_compare(&other->mask, mask) < 0)
			continue;
		rule = find_in(s, shape, other, mask, key, uid);
		if (rule)
			return rule;
	}
	return NULL;
}

void rn_overlap_add(struct rn_steer *s, const struct rn_rule *rule)
{
	for (unsigned i = 0; i < RN_SHAPES; i++) {
		struct pair_index **p = &s->pair[i][rule->shape->slot];

		if (*p && index_add(*p, rule)) {
			index_free(*p); /* made again when it is asked for */
			*p = NULL;
		}
	}
}

void rn_overlap_del(struct rn_steer *s, const struct rn_rule *rule)
{
	for (unsigned i = 0; i < RN_SHAPES; i++)
		if (s->pair[i][rule->shape->slot])
			index_del(s->pair[i][rule->shape->slot], rule);
}

void rn_overlap_drop_shape(struct rn_steer *s, const struct rn_shape *shape)
{
	for (unsigned i = 0; i < RN_SHAPES; i++) {
		index_free(s->pair[shape->slot][i]);
		index_free(s->pair[i][shape->slot]);
		s->pair[shape->slot][i] = s->pair[i][shape->slot] = NULL;
	}
}
