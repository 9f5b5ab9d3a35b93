/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rate that the policy grants: tokens that a clock refills, so that bursts are tolerated and
 * floods are not. What a refill leaves below one token is kept for the next: a queue that asks
 * every microsecond gets its thousand a second too. One thread sets it and pays.
 */
#ifndef RN_BUCKET_H
#define RN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define RN_BUCKET_MOST 800000000000u /* rate that is told from no bound: 6.4 Tbit/s in bytes */

struct rn_bucket {
	uint64_t rate; /* units a second; 0: no bound */
	uint64_t burst; /* most tokens that gather */
	uint64_t tokens;
	uint64_t part; /* billionths of the next token */
	uint64_t last; /* ns */
};

/* The share of one of n in a rate: none of them is without bound because they are many. */
static inline uint64_t rn_bucket_share(uint64_t rate, uint32_t n)
{
	return rate / n + (rate % n != 0);
}

/* least: of the burst, which is otherwise what 20 ms grant. */
static inline void rn_bucket_set(struct rn_bucket *b, uint64_t rate, uint64_t least)
{
	b->rate = rate < RN_BUCKET_MOST ? rate : RN_BUCKET_MOST;
	b->burst = b->rate / 50;
	if (b->burst < least)
		b->burst = least;
	if (b->tokens > b->burst || !b->last)
		b->tokens = b->burst;
}

static inline void rn_bucket_refill(struct rn_bucket *b, uint64_t now)
{
	/* A second's worth, or, where that does not fit 64 bits, the burst's. */
	const uint64_t most = b->rate > RN_BUCKET_MOST / 100 ? 20000000 : 1000000000;
	uint64_t passed = now - b->last;

	b->part += b->rate * (passed < most ? passed : most);
	b->tokens += b->part / 1000000000u;
	b->part %= 1000000000u;
	if (b->tokens > b->burst)
		b->tokens = b->burst;
	b->last = now;
}

static inline bool rn_bucket_has(const struct rn_bucket *b, uint64_t n)
{
	return !b->rate || b->tokens >= n;
}

static inline void rn_bucket_take(struct rn_bucket *b, uint64_t n)
{
	if (b->rate)
		b->tokens -= n;
}

/* Of what was taken, what was not used. */
static inline void rn_bucket_give(struct rn_bucket *b, uint64_t n)
{
	b->tokens = b->burst - b->tokens > n ? b->tokens + n : b->burst;
}

/* What control grants: set when it is asked for first. Is there one? */
static inline bool rn_bucket_offers(struct rn_bucket *b, uint64_t rate, uint64_t burst,
				    uint64_t now)
{
	if (!b->rate)
		rn_bucket_set(b, rate, burst);
	rn_bucket_refill(b, now);
	return rn_bucket_has(b, 1);
}

/* Has more been taken than was granted since? */
static inline bool rn_bucket_owes(struct rn_bucket *b, uint64_t now)
{
	if (b->rate)
		rn_bucket_refill(b, now);
	return b->tokens < b->burst;
}

#endif
