/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a next hop is asked for again that was asked for in vain: soon, since most answer within a
 * millisecond, and after twice as long each time, so that those who never answer cost little. The
 * first L3_EAGER times (1.3 s) whether or not a packet comes for it, then only if one does.
 */
#ifndef L3_PAUSE_H
#define L3_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

#define L3_MS	      1000000ull
#define L3_PAUSE      (20 * L3_MS) /* the first */
#define L3_PAUSE_MOST (5000 * L3_MS)
#define L3_EAGER      6u

/* *tries: in a row, in vain; 0 when it is known. */
static inline uint64_t l3_pause(uint8_t *tries)
{
	const uint64_t pause = L3_PAUSE << *tries;

	if (pause >= L3_PAUSE_MOST)
		return L3_PAUSE_MOST;
	++*tries;
	return pause;
}

/* Whoever asks was told that nobody answers. */
static inline void l3_pause_failed(uint8_t *tries)
{
	if (*tries < L3_EAGER)
		*tries = L3_EAGER;
}

static inline bool l3_pause_is_eager(uint8_t tries)
{
	return tries && tries <= L3_EAGER;
}

#endif
