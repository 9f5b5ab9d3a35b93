/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Longest-prefix match for IPv4: DIR-24-8 (Gupta, Lin, McKeown 1998). A table over the upper 24
 * bits of the address; where longer prefixes exist, its entry leads to a group of 256 entries over
 * the last 8 bits. So a look-up is one read, or two: no branch depends on how long the prefix is.
 *
 * The table is made once from all routes and never changed: new routes are a new table. It takes
 * 64 MiB of address space, of which only what is written is there in memory, and 1 KiB for each /24
 * with longer prefixes. One thread makes it, any number read.
 */
#ifndef L3_LPM4_H
#define L3_LPM4_H

#include <stddef.h>
#include <stdint.h>

#define LPM4_GROUP 0x80000000u /* of an entry of dir: the rest is the number of a group */
#define LPM_VALUES 0x7fffffffu /* values are below; 0 is no route */

struct lpm4_route {
	uint32_t addr; /* of the host's byte order; bits behind len are zero */
	uint32_t value;
	uint32_t line; /* where it came from, for who reports */
	uint32_t len; /* 0..32 */
};

struct lpm4 {
	uint32_t *dir; /* 2^24 */
	uint32_t *groups; /* of 256 */
	uint32_t n_groups, room;
	size_t bytes; /* of the mapping of dir */
};

/* Routes sorted by lpm4_compare, no prefix twice. 0 or -ENOMEM. */
int lpm4_build(struct lpm4 *t, const struct lpm4_route *routes, size_t n);
void lpm4_free(struct lpm4 *t);
/* Bytes that are there in memory, at most. */
size_t lpm4_memory(const struct lpm4 *t);
/* For qsort: short prefixes first, then by address. */
int lpm4_compare(const void *a, const void *b);

static inline void lpm4_prefetch(const struct lpm4 *t, uint32_t addr)
{
	__builtin_prefetch(&t->dir[addr >> 8]);
}

static inline uint32_t lpm4_find(const struct lpm4 *t, uint32_t addr)
{
	uint32_t v = t->dir[addr >> 8];

	if (__builtin_expect(v & LPM4_GROUP, 0))
		v = t->groups[(v & ~LPM4_GROUP) << 8 | (addr & 0xff)];
	return v;
}

#endif
