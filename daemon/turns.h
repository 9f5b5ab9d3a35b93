/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a poller's turns take: a histogram with four steps for each doubling, so that a quantile
 * is told at most a quarter too high. The poller writes; control reads it a few turns late.
 */
#ifndef RN_TURNS_H
#define RN_TURNS_H

#include <stdint.h>

#define RN_TURNS_STEPS 160u /* up to 2^40 ns; what is longer counts as that */

struct rn_turns {
	uint64_t count[RN_TURNS_STEPS];
	uint64_t longest; /* ns */
};

static inline uint32_t rn_turns_step(uint64_t ns)
{
	uint32_t log, step;

	if (ns < 4)
		return (uint32_t)ns;
	log = 63u - (uint32_t)__builtin_clzll(ns);
	step = log * 4 + (uint32_t)(ns >> (log - 2) & 3);
	return step < RN_TURNS_STEPS ? step : RN_TURNS_STEPS - 1;
}

/* The longest turn that the step stands for, ns. */
static inline uint64_t rn_turns_most(uint32_t step)
{
	if (step < 8)
		return step;
	return ((step % 4 + 5ull) << (step / 4 - 2)) - 1;
}

static inline void rn_turns_add(struct rn_turns *t, uint64_t ns)
{
	uint64_t *count = &t->count[rn_turns_step(ns)];

	__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
	if (ns > t->longest)
		__atomic_store_n(&t->longest, ns, __ATOMIC_RELAXED);
}

/* So many of a thousand turns took at most this, ns; 0: there were none. */
static inline uint64_t rn_turns_quantile(const struct rn_turns *t, uint32_t permille)
{
	uint64_t copy[RN_TURNS_STEPS], longest = __atomic_load_n(&t->longest, __ATOMIC_RELAXED);
	uint64_t all = 0, seen = 0, most;
	uint32_t step = 0;

	for (uint32_t i = 0; i < RN_TURNS_STEPS; i++)
		all += copy[i] = __atomic_load_n(&t->count[i], __ATOMIC_RELAXED);
	if (!all)
		return 0;
	for (seen = copy[0]; seen * 1000 < all * permille; seen += copy[step])
		step++;
	most = rn_turns_most(step);
	return most < longest ? most : longest;
}

#endif
