/* SPDX-License-Identifier: BSD-2-Clause */
/* Shapes: sets of masks, each with a table of rules by masked key, in one total order
 * (rawnet/flow.h). */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "steer_impl.h"

static int match_key(struct cds_lfht_node *node, const void *key)
{
	return rn_key_equal(&caa_container_of(node, struct rn_rule, node)->key, key);
}

struct rn_rule *rn_shape_find(const struct rn_shape *shape, const struct rn_key *key)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	cds_lfht_lookup(shape->rules, shape_hash(shape, key), match_key, key, &iter);
	node = cds_lfht_iter_get_node(&iter);
	return node ? caa_container_of(node, struct rn_rule, node) : NULL;
}

static unsigned bits(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	unsigned count = 0;

	while (n--)
		count += (unsigned)__builtin_popcount(*p++);
	return count;
}

/* The fields in order of weight. A mask that contains another has more bits in the first field
 * where they differ, so the more specific of two nested shapes always comes first. */
static const struct {
	size_t at, size;
} weight[] = {
#define FIELD(f)                                                            \
	{                                                                   \
		offsetof(struct rn_key, f), sizeof(((struct rn_key *)0)->f) \
	}
	FIELD(dport), FIELD(sport),	FIELD(dst),  FIELD(src),  FIELD(proto),
	FIELD(l4),    FIELD(ethertype), FIELD(vlan), FIELD(smac), FIELD(dmac),
#undef FIELD
};

static_assert(sizeof(weight) / sizeof(weight[0]) == RAWNET_FIELD_COUNT, "the fields have names");

void rn_shape_bits(const struct rn_key *mask, uint8_t n[RAWNET_FIELD_COUNT])
{
	for (size_t i = 0; i < RAWNET_FIELD_COUNT; i++)
		n[i] = (uint8_t)bits((const uint8_t *)mask + weight[i].at, weight[i].size);
}

unsigned rn_steer_tries(const struct rn_steer *s, const struct rn_key *key,
			struct rn_tried tried[RN_SHAPES])
{
	for (unsigned i = 0; i < s->order->n; i++) {
		struct rn_key masked;

		key_mask(&masked, key, &s->order->shape[i]->mask);
		tried[i].shape = s->order->shape[i];
		tried[i].rule = rn_shape_find(s->order->shape[i], &masked);
	}
	return s->order->n;
}

int rn_shape_compare(const struct rn_key *a, const struct rn_key *b)
{
	for (size_t i = 0; i < sizeof(weight) / sizeof(weight[0]); i++) {
		unsigned na = bits((const uint8_t *)a + weight[i].at, weight[i].size);
		unsigned nb = bits((const uint8_t *)b + weight[i].at, weight[i].size);

		if (na != nb)
			return na > nb ? -1 : 1;
	}
	return -memcmp(a, b, sizeof(*a));
}

struct rn_shape *rn_shape_of_mask(const struct rn_steer *s, const struct rn_key *mask)
{
	for (unsigned i = 0; i < s->order->n; i++)
		if (rn_key_equal(&s->order->shape[i]->mask, mask))
			return s->order->shape[i];
	return NULL;
}

static void free_order(struct rcu_head *head)
{
	free(caa_container_of(head, struct order, rcu));
}

static int publish(struct rn_steer *s, struct order *order, struct rn_err *err)
{
	struct order *old = s->order;
	int rc = 0;

	if (s->ops && s->ops->shapes)
		rc = s->ops->shapes(s->ctx, (const struct rn_shape *const *)order->shape, order->n,
				    err);
	if (rc)
		return rc;
	rcu_assign_pointer(s->order, order);
	call_rcu(&old->rcu, free_order);
	return 0;
}

static void destroy(struct rn_shape *shape)
{
	if (shape->rules)
		cds_lfht_destroy(shape->rules, NULL);
	free(shape->spare);
	free(shape);
}

static struct rn_shape *make(struct rn_steer *s, const struct rn_key *mask)
{
	struct rn_shape *shape = calloc(1, sizeof(*shape));

	if (!shape)
		return NULL;
	shape->mask = *mask;
	for (size_t i = 0; i < sizeof(*mask) / 8; i++)
		if (((const uint64_t *)(const void *)mask)[i])
			shape->word[shape->n_words++] = (uint8_t)i;
	shape->rules = make_table();
	shape->spare = calloc(1, sizeof(*shape->spare));
	if (!shape->rules || !shape->spare) {
		destroy(shape);
		return NULL;
	}
	while (s->by_slot[shape->slot])
		shape->slot++;
	return shape;
}

int rn_shape_add(struct rn_steer *s, const struct rn_key *mask, struct rn_shape **out,
		 struct rn_err *err)
{
	const struct order *old = s->order;
	struct rn_shape *shape;
	struct order *order;
	unsigned at = 0;
	int rc;

	if (old->n == RN_SHAPES)
		return rn_fail(
			err, -ENOSPC,
			"the port has rules of %u shapes, and no room for another kind of match",
			RN_SHAPES);
	shape = make(s, mask);
	order = calloc(1, sizeof(*order));
	if (!shape || !order) {
		rc = rn_fail(err, -ENOMEM, "rule: out of memory");
		goto fail;
	}
	while (at < old->n && rn_shape_compare(&old->shape[at]->mask, mask) < 0)
		at++;
	memcpy(order->shape, old->shape, at * sizeof(order->shape[0]));
	order->shape[at] = shape;
	memcpy(order->shape + at + 1, old->shape + at, (old->n - at) * sizeof(order->shape[0]));
	order->n = old->n + 1;
	rc = publish(s, order, err);
	if (rc)
		goto fail;
	s->by_slot[shape->slot] = shape;
	*out = shape;
	return 0;

fail:
	free(order);
	if (shape)
		destroy(shape);
	return rc;
}

/* Where the backend cannot take the new order, the shape stays: it costs look-ups, nothing else. */
static void drop(struct rn_steer *s, struct rn_shape *shape)
{
	struct order *order = shape->spare;

	order->n = 0;
	for (unsigned i = 0; i < s->order->n; i++)
		if (s->order->shape[i] != shape)
			order->shape[order->n++] = s->order->shape[i];
	if (publish(s, order, NULL))
		return;
	shape->spare = NULL;
	rn_overlap_drop_shape(s, shape);
	s->by_slot[shape->slot] = NULL;
	synchronize_rcu();
	destroy(shape);
}

void rn_shape_drop_empty(struct rn_steer *s)
{
	for (unsigned i = 0; i < RN_SHAPES; i++)
		if (s->by_slot[i] && !s->by_slot[i]->n_rules)
			drop(s, s->by_slot[i]);
}

void rn_shape_destroy_all(struct rn_steer *s)
{
	for (unsigned i = 0; i < RN_SHAPES; i++)
		if (s->by_slot[i])
			destroy(s->by_slot[i]);
}
