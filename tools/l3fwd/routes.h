/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of routes, in the words of ip-route(8), one a line:
 *
 *   PREFIX via ADDRESS dev DEV         a gateway, of either family
 *   PREFIX dev DEV                     the destination is on the link
 *   blackhole PREFIX                   dropped; also unreachable and prohibit
 *
 * PREFIX is an address with or without /LENGTH, or "default" (of IPv4, or of the gateway's family).
 * What else `ip route` prints and a forwarder has no use for (proto, scope, src, metric, pref with
 * their values; onlink, linkdown) is read over. "#" starts a comment. The first line that is wrong
 * ends the reading, with its number and the word.
 */
#ifndef L3_ROUTES_H
#define L3_ROUTES_H

#include <stdbool.h>
#include <stdio.h>

#include "hops.h"
#include "lpm4.h"
#include "lpm6.h"

#define L3_PORTS 16u
#define L3_DEV	 16u /* IFNAMSIZ */

/* The names that a dev may have. With `learn` unknown ones are added. */
struct l3_names {
	char dev[L3_PORTS][L3_DEV];
	unsigned n;
	bool learn;
};

struct l3_routes {
	struct lpm4_route *v4; /* sorted as lpm4_build needs them */
	struct lpm6_route *v6;
	struct l3_hops hops; /* their values are its numbers */
	size_t n4, n6, room4, room6;
};

/* Reads all of it: 0, or -errno with a sentence in `why` that begins with the line's number. */
int l3_routes_read(struct l3_routes *r, FILE *in, struct l3_names *names, char *why, size_t size);
void l3_routes_free(struct l3_routes *r);

#endif
