/* SPDX-License-Identifier: BSD-2-Clause */
/* Latencies in nanoseconds, in buckets that grow with them: each is at most 1/32 of what it holds.
 * Pure functions; a zeroed struct is an empty one. */
#ifndef LATENCY_H
#define LATENCY_H

#include <stdint.h>

#define LATENCY_BUCKETS (32u * 60u)

struct latency {
	uint64_t n, sum, min, max;
	uint64_t bucket[LATENCY_BUCKETS];
};

void latency_add(struct latency *l, uint64_t ns);
/* Within 1/32 above the latency that `share` of all (0 to 1) did not exceed; 0 if there are none.
 */
uint64_t latency_at(const struct latency *l, double share);

/* The bucket of a latency, and the highest latency that a bucket holds. */
unsigned latency_bucket(uint64_t ns);
uint64_t latency_top(unsigned bucket);

#endif
