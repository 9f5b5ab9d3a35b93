/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See lpm6.h. The routes under a node are a piece of the sorted array. Those that end within the
 * node's 6 bits are written into its 64 slots in order, the longer ones over the shorter ones they
 * stand behind; the longer routes of a slot stand side by side and make the node below.
 */
#include "lpm6.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (1u << LPM6_STRIDE)
#define BATCH 64u

/* Counting bits is one instruction where the processor has it; which is asked at the start. clang
 * 14 exports such a function by another name only. */
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__)
#define POPCOUNTED __attribute__((target_clones("popcnt", "default")))
#else
#define POPCOUNTED
#endif

int lpm6_compare(const void *a, const void *b)
{
	const struct lpm6_route *x = a, *y = b;

	if (x->addr.hi != y->addr.hi)
		return x->addr.hi < y->addr.hi ? -1 : 1;
	if (x->addr.lo != y->addr.lo)
		return x->addr.lo < y->addr.lo ? -1 : 1;
	return (x->len > y->len) - (x->len < y->len);
}

struct lpm6_key lpm6_key(const uint8_t addr[16])
{
	uint64_t hi, lo;

	memcpy(&hi, addr, 8);
	memcpy(&lo, addr + 8, 8);
	return (struct lpm6_key) {be64toh(hi), be64toh(lo)};
}

/* ---- building ---- */

/* Room for n more: where they begin, or UINT32_MAX. */
static uint32_t more(void **array, uint32_t *used, uint32_t *room, uint32_t n, size_t size)
{
	uint32_t at = *used;

	if (n > LPM6_NODE - 1 - at)
		return UINT32_MAX;
	if (at + n > *room) {
		uint32_t want = *room ? *room * 2 : 1024;
		void *bigger;

		while (want < at + n)
			want *= 2;
		bigger = realloc(*array, (size_t)want * size);
		if (!bigger)
			return UINT32_MAX;
		*array = bigger;
		*room = want;
	}
	*used += n;
	return at;
}

/* What a node's slots come to before it is compressed. */
struct slots {
	uint32_t value[SLOTS];
	const struct lpm6_route *below[SLOTS]; /* longer routes */
	size_t n_below[SLOTS];
};

/* Spreads the routes of a node that begins at bit `at` over its `1 << bits` slots. */
static void spread(const struct lpm6_route *r, size_t n, unsigned at, unsigned bits,
		   uint32_t inherited, uint32_t *value, const struct lpm6_route **below,
		   size_t *n_below)
{
	for (size_t v = 0; v < (size_t)1 << bits; v++) {
		value[v] = inherited;
		n_below[v] = 0;
	}
	for (size_t i = 0; i < n; i++) {
		size_t v = bits == LPM6_STRIDE ? lpm6_bits(r[i].addr, at)
					       : (size_t)(r[i].addr.hi >> (64 - bits));

		if (r[i].len > at + bits) {
			if (!n_below[v]++)
				below[v] = &r[i];
			continue;
		}
		for (size_t k = 0; k < (size_t)1 << (at + bits - r[i].len); k++)
			value[v + k] = r[i].value;
	}
}

static int fill(struct lpm6 *t, uint32_t node, const struct lpm6_route *r, size_t n, unsigned at,
		uint32_t inherited);

/* Writes bitmaps and values of the node: where the nodes below it begin, or UINT32_MAX. */
static uint32_t compress(struct lpm6 *t, uint32_t node, const struct slots *s)
{
	struct lpm6_node made = {0};
	uint32_t values[SLOTS], n_values = 0, n_inner = 0;

	for (unsigned v = 0; v < SLOTS; v++) {
		if (s->n_below[v]) {
			made.inner |= 1ull << v;
			n_inner++;
		} else if (!n_values || values[n_values - 1] != s->value[v]) {
			made.change |= 1ull << v;
			values[n_values++] = s->value[v];
		}
	}
	made.values = more((void **)&t->values, &t->n_values, &t->value_room, n_values,
			   sizeof(*t->values));
	made.nodes =
		more((void **)&t->nodes, &t->n_nodes, &t->node_room, n_inner, sizeof(*t->nodes));
	if (made.values == UINT32_MAX || made.nodes == UINT32_MAX)
		return UINT32_MAX;
	memcpy(t->values + made.values, values, n_values * sizeof(*values));
	t->nodes[node] = made;
	return made.nodes;
}

static int fill(struct lpm6 *t, uint32_t node, const struct lpm6_route *r, size_t n, unsigned at,
		uint32_t inherited)
{
	struct slots s = {0};
	uint32_t child;
	int rc = 0;

	spread(r, n, at, LPM6_STRIDE, inherited, s.value, s.below, s.n_below);
	child = compress(t, node, &s);
	if (child == UINT32_MAX)
		return -ENOMEM;
	for (unsigned v = 0; v < SLOTS && !rc; v++) {
		if (s.n_below[v])
			rc = fill(t, child++, s.below[v], s.n_below[v], at + LPM6_STRIDE,
				  s.value[v]);
	}
	return rc;
}

/* The table over the first bits, and a node for each entry that needs one. */
static int fill_dir(struct lpm6 *t, const struct lpm6_route *r, size_t n,
		    const struct lpm6_route **below, size_t *n_below)
{
	int rc = 0;

	spread(r, n, 0, LPM6_FIRST, 0, t->dir, below, n_below);
	for (size_t v = 0; v < (size_t)1 << LPM6_FIRST && !rc; v++) {
		uint32_t node, inherited = t->dir[v];

		if (!n_below[v])
			continue;
		node = more((void **)&t->nodes, &t->n_nodes, &t->node_room, 1, sizeof(*t->nodes));
		if (node == UINT32_MAX)
			return -ENOMEM;
		t->dir[v] = LPM6_NODE | node;
		rc = fill(t, node, below[v], n_below[v], LPM6_FIRST, inherited);
	}
	return rc;
}

int lpm6_build(struct lpm6 *t, const struct lpm6_route *routes, size_t n)
{
	const struct lpm6_route **below = calloc((size_t)1 << LPM6_FIRST, sizeof(*below));
	size_t *n_below = calloc((size_t)1 << LPM6_FIRST, sizeof(*n_below));
	int rc = -ENOMEM;

	memset(t, 0, sizeof(*t));
	t->dir = calloc((size_t)1 << LPM6_FIRST, sizeof(*t->dir));
	if (below && n_below && t->dir)
		rc = fill_dir(t, routes, n, below, n_below);
	free(below);
	free(n_below);
	if (rc)
		lpm6_free(t);
	return rc;
}

void lpm6_free(struct lpm6 *t)
{
	free(t->dir);
	free(t->nodes);
	free(t->values);
	memset(t, 0, sizeof(*t));
}

size_t lpm6_memory(const struct lpm6 *t)
{
	return ((size_t)1 << LPM6_FIRST) * sizeof(*t->dir) +
	       (size_t)t->n_nodes * sizeof(*t->nodes) + (size_t)t->n_values * sizeof(*t->values);
}

/* ---- finding ---- */

/* One level down: an entry like those of dir. */
static inline __attribute__((always_inline)) uint32_t step(const struct lpm6 *t, uint32_t entry,
							   unsigned v)
{
	const struct lpm6_node *node = &t->nodes[entry & ~LPM6_NODE];
	const uint64_t upto = (2ull << v) - 1; /* bits 0..v; of the last one all */

	if (node->inner >> v & 1)
		return LPM6_NODE |
		       (node->nodes + (uint32_t)__builtin_popcountll(node->inner & upto) - 1);
	return t->values[node->values + (uint32_t)__builtin_popcountll(node->change & upto) - 1];
}

POPCOUNTED uint32_t lpm6_find(const struct lpm6 *t, struct lpm6_key k)
{
	uint32_t e = t->dir[k.hi >> (64 - LPM6_FIRST)];

	for (unsigned at = LPM6_FIRST; e & LPM6_NODE; at += LPM6_STRIDE)
		e = step(t, e, lpm6_bits(k, at));
	return e;
}

POPCOUNTED static void find_batch(const struct lpm6 *t, const struct lpm6_key *k, uint32_t n,
				  uint32_t *value)
{
	uint8_t left[BATCH];
	uint32_t n_left = 0, m;

	for (uint32_t i = 0; i < n; i++) {
		value[i] = t->dir[k[i].hi >> (64 - LPM6_FIRST)];
		if (value[i] & LPM6_NODE) {
			__builtin_prefetch(&t->nodes[value[i] & ~LPM6_NODE]);
			left[n_left++] = (uint8_t)i;
		}
	}
	for (unsigned at = LPM6_FIRST; n_left; at += LPM6_STRIDE) {
		m = 0;
		for (uint32_t j = 0; j < n_left; j++) {
			const uint32_t i = left[j];

			value[i] = step(t, value[i], lpm6_bits(k[i], at));
			if (value[i] & LPM6_NODE) {
				__builtin_prefetch(&t->nodes[value[i] & ~LPM6_NODE]);
				left[m++] = (uint8_t)i;
			}
		}
		n_left = m;
	}
}

void lpm6_find_many(const struct lpm6 *t, const struct lpm6_key *k, uint32_t n, uint32_t *value)
{
	for (uint32_t i = 0; i < n; i += BATCH)
		find_batch(t, k + i, n - i < BATCH ? n - i : BATCH, value + i);
}
