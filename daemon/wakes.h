/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When to wake clients that sleep. Waking one costs more than serving it: the waker's turn, the
 * client's, and four or five system calls between them. So a client that was woken a moment ago
 * is left asleep while more comes for it:
 *
 *   RN_WAKES_LEAST   at least this long after it was woken last,
 *   RN_WAKES_MOST    and as long as each turn has more for it, but no longer than this. What the
 *                    poller does for others is no reason: their flood would be its delay.
 *
 * A client that was not woken for a while is woken at once. A poller that holds a wake-up back
 * spins no shorter than RN_WAKES_LEAST before it sleeps. Poller only.
 */
#ifndef RN_WAKES_H
#define RN_WAKES_H

#include <stdbool.h>
#include <stdint.h>

#define RN_WAKES_LEAST 50000u /* ns */
#define RN_WAKES_MOST  200000u
#define RN_WAKES_LOOK  1000u /* how soon to look again at one that more came for */

struct rn_queue;
struct rn_waker;

struct rn_wakes {
	struct rn_queue **held; /* room for every queue of the poller */
	uint32_t n;
	uint64_t due; /* when one of them may have to be woken, ns */
	struct rn_waker *waker;
	uint32_t index; /* of the poller */
};

/* Something was published for q and its client sleeps. */
void rn_wakes_add(struct rn_wakes *wakes, struct rn_queue *q, uint64_t now);
/* Each turn while n is not 0. idle: the turn had no work. */
void rn_wakes_run(struct rn_wakes *wakes, uint64_t now, bool idle);
/* Everybody: the poller is about to sleep. */
void rn_wakes_all(struct rn_wakes *wakes);
/* The poller serves other queues now: keeps those of them that were held back. */
void rn_wakes_move(struct rn_wakes *wakes, struct rn_queue **room, struct rn_queue *const *q,
		   uint32_t n);

#endif
