/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two network namespaces of the benchmark's own, joined by pairs of veth:
 *
 *     "host"  aN ===== bN  "peer"        10.N.0.1/24, 10.N.0.2/24, neighbours known to each other
 *
 * Removed when the benchmark ends, however it ends (but by SIGKILL).
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdint.h>

enum net_side {
	NET_HOST,
	NET_PEER
};

void net_open(unsigned n_pairs); /* skips the benchmark where it is not allowed */
/* Moves the calling thread, and what it starts from now on. */
void net_enter(enum net_side side);
void net_mac(enum net_side side, unsigned pair, uint8_t mac[6]); /* from within that side */
/* A command in a namespace, its output nowhere: its exit status. */
int net_run(enum net_side side, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *net_name(enum net_side side);

#endif
