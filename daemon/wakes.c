/* SPDX-License-Identifier: BSD-2-Clause */
/* See wakes.h. */
#include "wakes.h"

#include "ring.h"
#include "waker.h"

/* A client that woke by itself meanwhile has seen everything before it could sleep again. */
static void wake(struct rn_wakes *w, struct rn_queue *q)
{
	q->held = false;
	if (rn_ring_client_sleeps(&q->rx) || rn_ring_client_sleeps(&q->tx))
		rn_waker_wake(w->waker, w->index, q);
}

void rn_wakes_add(struct rn_wakes *w, struct rn_queue *q, uint64_t now)
{
	q->fed = now;
	if (q->held)
		return;
	if (now - q->woken >= RN_WAKES_MOST) {
		q->woken = now;
		rn_waker_wake(w->waker, w->index, q);
		return;
	}
	rn_count(q, RAWNET_Q_WAKEUPS_LATE, 1);
	q->held = true;
	w->held[w->n++] = q;
	w->due = 0;
}

/* When to look at it again; now or before: it is to be woken. */
static uint64_t due(const struct rn_queue *q, uint64_t now)
{
	const uint64_t least = q->woken + RN_WAKES_LEAST, most = q->woken + RN_WAKES_MOST;

	if (now < least || q->fed != now)
		return least;
	return now + RN_WAKES_LOOK < most ? now + RN_WAKES_LOOK : most;
}

void rn_wakes_run(struct rn_wakes *w, uint64_t now, bool idle)
{
	uint32_t kept = 0;

	if (!idle && now < w->due)
		return;
	/* Of a client that is found awake all must have been visible when it looked. */
	if (w->n)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	w->due = UINT64_MAX;
	for (uint32_t i = 0; i < w->n; i++) {
		struct rn_queue *q = w->held[i];
		uint64_t at = due(q, now);

		if (now < at) {
			w->held[kept++] = q;
			w->due = at < w->due ? at : w->due;
			continue;
		}
		q->woken = now;
		wake(w, q);
	}
	w->n = kept;
}

void rn_wakes_all(struct rn_wakes *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		wake(w, w->held[i]);
	w->n = 0;
}

void rn_wakes_move(struct rn_wakes *w, struct rn_queue **room, struct rn_queue *const *q,
		   uint32_t n)
{
	w->held = room;
	w->n = 0;
	w->due = 0;
	for (uint32_t i = 0; i < n; i++)
		if (q[i]->held)
			w->held[w->n++] = q[i];
}
