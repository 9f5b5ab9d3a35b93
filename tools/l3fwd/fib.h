/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the forwarding threads read: the tables over a file of routes, its next hops, and of each
 * gateway how to reach it. A table is made whole, then published; workers say which one they use
 * (worker.h), and an old one is freed when none does.
 */
#ifndef L3_FIB_H
#define L3_FIB_H

#include "routes.h"

/* How to reach a neighbour, written by the resolver, read by workers: two words, each of which is
 * whole by itself, so that no lock is needed. A MAC that changes may meet the old MTU for a packet.
 */
struct l3_adj {
	uint64_t to; /* atomic: destination MAC << 16 | id of the tag; 0: not known */
	uint64_t from; /* atomic: source MAC << 16 | MTU */
};

struct l3_fib {
	struct lpm4 v4;
	struct lpm6 v6;
	struct l3_hops hops; /* by the values of the tables */
	struct l3_adj *adj; /* of each hop that is a gateway */
	uint8_t *used; /* atomic, of each hop: a packet wanted it since the resolver looked last */
	uint64_t *due; /* of each hop: when the resolver asks next, ns; the resolver's */
	uint8_t *tries; /* of each hop: in vain, in a row (pause.h); the resolver's */
	size_t n4, n6;
	double read_s, build_s;
};

/* Reads the file and makes the tables; NULL: a sentence was printed. */
struct l3_fib *l3_fib_load(const char *path, struct l3_names *names);
/* What the old one knows of next hops that both have. */
void l3_fib_inherit(struct l3_fib *fib, const struct l3_fib *old);
void l3_fib_free(struct l3_fib *fib);
/* One line: routes, next hops, times, memory. */
void l3_fib_describe(const struct l3_fib *fib);
uint64_t l3_now(void); /* ns CLOCK_MONOTONIC */

#endif
