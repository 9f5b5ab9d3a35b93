/* SPDX-License-Identifier: BSD-2-Clause */
/* See latency.h. 32 buckets for each power of two. */
#include "latency.h"

unsigned latency_bucket(uint64_t ns)
{
	unsigned shift;

	if (ns < 64)
		return (unsigned)ns;
	shift = 63u - 5u - (unsigned)__builtin_clzll(ns); /* leaves 32 to 63 */
	return 32u * shift + (unsigned)(ns >> shift);
}

uint64_t latency_top(unsigned bucket)
{
	unsigned shift;

	if (bucket < 64)
		return bucket;
	shift = bucket / 32 - 1;
	return ((uint64_t)(bucket - 32 * shift + 1) << shift) - 1;
}

void latency_add(struct latency *l, uint64_t ns)
{
	if (!l->n || ns < l->min)
		l->min = ns;
	if (ns > l->max)
		l->max = ns;
	l->n++;
	l->sum += ns;
	l->bucket[latency_bucket(ns)]++;
}

uint64_t latency_at(const struct latency *l, double share)
{
	uint64_t below = 0, top;
	unsigned i = 0;

	if (!l->n)
		return 0;
	for (; i < LATENCY_BUCKETS - 1; i++) {
		below += l->bucket[i];
		if ((double)below >= share * (double)l->n)
			break;
	}
	top = latency_top(i);
	return top < l->max ? top : l->max;
}
