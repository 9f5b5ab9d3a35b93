/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next hops, by number: those that are the same are one. Hop 0 stands for no route, hop 1 for a
 * blackhole. One thread changes a table, any number read it afterwards.
 */
#ifndef L3_HOPS_H
#define L3_HOPS_H

#include <stddef.h>
#include <stdint.h>

enum l3_kind {
	L3_NO_ROUTE,
	L3_BLACKHOLE,
	L3_GATEWAY,
	L3_LINK
};

struct l3_hop {
	uint8_t kind; /* enum l3_kind */
	uint8_t port; /* index into the names */
	uint8_t family; /* of the gateway: 4 or 6 */
	uint8_t addr[16]; /* the gateway */
};

struct l3_hops {
	struct l3_hop *hop;
	size_t n, room;
	uint32_t *index; /* hash table of numbers */
	size_t index_size; /* a power of two, at least twice n */
};

int l3_hops_init(struct l3_hops *t); /* 0 or -ENOMEM */
void l3_hops_free(struct l3_hops *t);
/* Its number; 0: out of memory. */
uint32_t l3_hops_add(struct l3_hops *t, const struct l3_hop *hop);
/* Its number; 0: it is not there. */
uint32_t l3_hops_find(const struct l3_hops *t, const struct l3_hop *hop);

#endif
