/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbours of routes without a gateway, where each destination is one of its own: a table of
 * fixed size, in which the ones used least recently make room. The resolver writes; workers look
 * up, and leave what they miss in a short list for it. A flood of addresses that nobody has costs
 * the flood: who is not known yet takes the place of nobody who is.
 */
#ifndef L3_HOSTS_H
#define L3_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "fib.h"

struct l3_host {
	uint8_t port, family;
	uint8_t addr[16];
};

struct l3_hosts;

struct l3_hosts *l3_hosts_create(void);
void l3_hosts_destroy(struct l3_hosts *hosts);

/* Workers: a copy of how to reach it; false: it is not in the table, l3_hosts_want() asks for it.
 */
bool l3_hosts_find(struct l3_hosts *hosts, const struct l3_host *host, struct l3_adj *adj);
/* True if it is new in the list, so that the resolver should wake up. */
bool l3_hosts_want(struct l3_hosts *hosts, const struct l3_host *host);

/* The resolver: takes in what is wanted, then calls ask() for every entry that is due and in use,
 * which is what it costs;
 * ask() fills in *adj (or leaves it), counts *tries (pause.h) and returns when it is due next. The
 * earliest of those. */
uint64_t l3_hosts_refresh(struct l3_hosts *hosts, uint64_t now,
			  uint64_t (*ask)(void *arg, const struct l3_host *host, struct l3_adj *adj,
					  uint8_t *tries),
			  void *arg);

#endif
