/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive: posted slots to requests. Length and key of a request were written when the queue was
 * made; posting a buffer is a load of its slot, a check and a store of its address, or of the whole
 * request where two are made at a time. What the slot says else is the client's own, and is not
 * looked at.
 */
#include "../../ring.h"
#include "lanes.h"
#include "mlx5.h"

static __attribute__((noinline, cold)) void post_trash(struct rn_mlx5_rx *rx, struct rn_data *wqe)
{
	rn_data_put(wqe, rx->length, rx->trash_lkey_be, rx->trash);
	rx->elsewhere++;
}

/* What a posted slot is checked by, and made into an address for the device. */
struct posting {
	uint32_t start; /* bits of an offset that name the buffer */
	uint64_t limit, base;
};

/* The buffer of a posted slot. One that names none gets the page where nobody looks, under a key of
 * its own. */
static inline void post_slot(struct rn_mlx5_rx *rx, const struct posting *p,
			     const struct rawnet_slot *slot, struct rn_data *wqe)
{
	uint64_t off = __atomic_load_n(&slot->off, __ATOMIC_RELAXED) & p->start;

	if (__builtin_expect(off < p->limit, 1))
		rn_rx_wqe_post(wqe, p->base + off);
	else
		post_trash(rx, wqe);
}

/* Whole groups at the front of n slots, in which each names a buffer: how many slots. */
typedef uint32_t groups(const struct rn_mlx5_rx *rx, const struct posting *p,
			const struct rawnet_slot *slot, struct rn_data *wqe, uint32_t n);

static inline uint32_t no_groups(const struct rn_mlx5_rx *rx, const struct posting *p,
				 const struct rawnet_slot *slot, struct rn_data *wqe, uint32_t n)
{
	(void)rx, (void)p, (void)slot, (void)wqe, (void)n;
	return 0;
}

RN_PAIRS static inline uint32_t groups_by_pairs(const struct rn_mlx5_rx *rx,
						const struct posting *p,
						const struct rawnet_slot *slot, struct rn_data *wqe,
						uint32_t n)
{
	const struct rn_lanes_posting lanes =
		rn_lanes_posting(p->start, p->limit, p->base, rx->length, rx->lkey_be);
	uint32_t done = 0;

	while (n - done >= RN_LANES_GROUP && rn_lanes_post(&wqe[done], &slot[done], &lanes))
		done += RN_LANES_GROUP;
	return done;
}

static inline __attribute__((always_inline)) void
post_each(const struct rn_queue *q, struct rn_mlx5_rx *rx, uint32_t n, groups *take)
{
	const struct rawnet_slot *slot = &q->rx.slots[q->rx.next & q->rx.mask];
	struct rn_data *wqe = &rx->wqe[rx->posted & rx->wq_mask];
	const struct posting p = {.start = ~0u << q->buf_shift,
				  .limit = (uint64_t)q->n_bufs << q->buf_shift,
				  .base = rx->base + q->headroom};
	uint32_t i = 0;

	while (i < n) {
		i += take(rx, &p, &slot[i], &wqe[i], n - i);
		for (uint32_t k = 0; k < RN_LANES_GROUP && i < n; k++, i++)
			post_slot(rx, &p, &slot[i], &wqe[i]);
	}
}

RN_PAIRS static __attribute__((noinline)) void post_by_pairs(const struct rn_queue *q,
							     struct rn_mlx5_rx *rx, uint32_t n)
{
	post_each(q, rx, n, groups_by_pairs);
}

static void post_run(const struct rn_queue *q, struct rn_mlx5_rx *rx, uint32_t n)
{
	if (rn_pairs_here())
		post_by_pairs(q, rx, n);
	else
		post_each(q, rx, n, no_groups);
}

/* n posted slots become requests, and are rung once. The record counts requests, never more than
 * were written: next has moved by exactly n when it is rung. */
static void post(struct rn_queue *q, struct rn_mlx5_rx *rx, uint32_t n)
{
	struct rn_ring *r = &q->rx;
	uint32_t run;

	for (; n; n -= run) {
		run = rn_least(n, rn_least(rn_to_end(r->next, r->mask),
					   rn_to_end(rx->posted, rx->wq_mask)));
		post_run(q, rx, run);
		r->next += run;
		rx->posted += run;
	}
	rn_ring_rx(rx->record, rx->posted);
	rn_rdma_fed(q);
}

/* The device has no buffer, and the client posts none. */
static __attribute__((noinline)) void post_sentinel(struct rn_mlx5_rx *rx)
{
	rn_data_put(&rx->wqe[rx->posted & rx->wq_mask], rx->length, rx->sentinel_lkey_be,
		    (uintptr_t)rx->sentinel_mem);
	rx->sentinel = true;
	rx->elsewhere++;
	rx->sentinel_at = rx->posted++;
	rn_ring_rx(rx->record, rx->posted);
}

/* Groups only, unless the device is about to run dry. */
void rn_mlx5_refill(struct rn_queue *q)
{
	struct rn_mlx5_rx *rx = &rn_mlx5_queue_of(q)->rx;
	struct rn_ring *r = &q->rx;
	uint32_t spare = rn_rdma_queue_of(q)->spare, held = rx->posted - rx->done, n;

	if (r->client - r->next < spare + RN_MLX5_GROUP && rn_ring_look(r) < 0) {
		rn_queue_fault(q, RAWNET_BYE_RING);
		return;
	}
	rx->seen = r->client;
	n = r->client - r->next;
	if (rx->sentinel && !spare)
		spare = 1; /* for its packet */
	n = n > spare ? n - spare : 0;
	if (n > rx->wq_mask + 1 - held) /* the sentinel has a place, and no slot */
		n = rx->wq_mask + 1 - held;
	if (n >= RN_MLX5_GROUP)
		n &= ~(RN_MLX5_GROUP - 1);
	else if (held >= RN_MLX5_GROUP)
		return;
	if (n)
		post(q, rx, n);
	else if (!held)
		post_sentinel(rx);
}

/* A request whose slot named no buffer leads elsewhere, and its slot names none again. */
void rn_mlx5_queue_recall(struct rn_queue *q)
{
	const struct rn_mlx5_rx *rx = &rn_mlx5_queue_of(q)->rx;
	uint32_t at = q->rx.daemon;

	for (uint32_t i = rx->done; i != rx->posted; i++) {
		uint64_t off = rn_rx_wqe_addr(&rx->wqe[i & rx->wq_mask]) - rx->base;

		if (rx->sentinel && i == rx->sentinel_at)
			continue;
		__atomic_store_n(&q->rx.slots[at++ & q->rx.mask].off,
				 off < q->mem_size ? (uint32_t)off : UINT32_MAX, __ATOMIC_RELAXED);
	}
}
