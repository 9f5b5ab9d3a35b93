/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Longest-prefix match for IPv6: a multibit trie of 6 bits a level whose nodes are compressed with
 * bitmaps (as in Poptrie, Asai and Ohara 2015), below a table over the first 16 bits. In a node bit
 * v of `inner` says that slot v leads to another node; the nodes that it leads to stand side by
 * side, so the number of bits below v is the place among them. Equal neighbours among the other
 * slots are one value; `change` has a bit where another one begins. A node is 24 bytes, and there
 * are as many as prefixes make necessary.
 *
 * Like lpm4 it is made once and then only read.
 */
#ifndef L3_LPM6_H
#define L3_LPM6_H

#include <stddef.h>
#include <stdint.h>

#define LPM6_FIRST  16u /* bits of the table */
#define LPM6_STRIDE 6u
#define LPM6_NODE   0x80000000u /* of an entry of dir: the rest is the number of a node */

/* An address as two numbers of the host's byte order. */
struct lpm6_key {
	uint64_t hi, lo;
};

struct lpm6_route {
	struct lpm6_key addr; /* bits behind len are zero */
	uint32_t value;
	uint32_t line;
	uint32_t len; /* 0..128 */
};

struct lpm6_node {
	uint64_t inner, change;
	uint32_t nodes, values; /* where its own begin */
};

struct lpm6 {
	uint32_t *dir;
	struct lpm6_node *nodes;
	uint32_t *values;
	uint32_t n_nodes, n_values, node_room, value_room;
};

/* Routes sorted by lpm6_compare, no prefix twice. 0 or -ENOMEM. */
int lpm6_build(struct lpm6 *t, const struct lpm6_route *routes, size_t n);
void lpm6_free(struct lpm6 *t);
size_t lpm6_memory(const struct lpm6 *t);
/* For qsort: by address, and of one address short prefixes first: a prefix stands before all that
 * it covers. */
int lpm6_compare(const void *a, const void *b);
struct lpm6_key lpm6_key(const uint8_t addr[16]);

/* 6 bits of the key, from bit `at` on; zeros follow behind its end. */
static inline unsigned lpm6_bits(struct lpm6_key k, unsigned at)
{
	uint64_t v;

	if (at <= 64 - LPM6_STRIDE)
		v = k.hi >> (64 - LPM6_STRIDE - at);
	else if (at < 64)
		v = k.hi << (at + LPM6_STRIDE - 64) | k.lo >> (128 - LPM6_STRIDE - at);
	else if (at <= 128 - LPM6_STRIDE)
		v = k.lo >> (128 - LPM6_STRIDE - at);
	else
		v = k.lo << (at + LPM6_STRIDE - 128);
	return v & ((1u << LPM6_STRIDE) - 1);
}

static inline void lpm6_prefetch(const struct lpm6 *t, struct lpm6_key k)
{
	const uint32_t e = t->dir[k.hi >> (64 - LPM6_FIRST)];

	if (e & LPM6_NODE)
		__builtin_prefetch(&t->nodes[e & ~LPM6_NODE]);
}

uint32_t lpm6_find(const struct lpm6 *t, struct lpm6_key k);
/* The same for n of them at once: all take a step, then all the next, so that their cache misses
 * overlap. */
void lpm6_find_many(const struct lpm6 *t, const struct lpm6_key *k, uint32_t n, uint32_t *value);

#endif
