/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contestants of bench-hop. Each moves packets of FRAME_LEN bytes between the caller's core and the
 * partner's, written on one side and read on the other, HOP_BURST at a time.
 *
 *   out   the caller writes, the other core reads: how many packets in about HOP_WINDOW_NS
 *   in    the other core writes, the caller reads
 *   trip  one packet there and back, polling: round trips in ticks into s
 */
#ifndef BENCH_HOP_H
#define BENCH_HOP_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"
#include "frame.h"

#define HOP_BURST     32u
#define HOP_RING      1024u
#define HOP_WINDOW_NS 8000000u
#define HOP_TRIPS     1000u

struct hop {
	const char *name;
	bool (*open)(void); /* false: this contestant is not there, after a line to stderr */
	void (*close)(void);
	uint64_t (*out)(uint64_t *ns);
	uint64_t (*in)(uint64_t *ns);
	void (*trip)(struct bench_samples *s);
};

extern struct hop hop_bare, hop_rawnet;
extern struct hop hop_rawnet_burst; /* with hop_rawnet */
extern struct hop hop_rte_ring, hop_memif_copy, hop_memif_zero_copy; /* with DPDK */

/* Keeps the compiler from leaving out what nobody looks at. */
static inline void hop_use(uint64_t v)
{
	__asm__ volatile("" : : "r"(v));
}

#endif
