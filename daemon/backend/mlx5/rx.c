/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive: completions to slots, posted slots to requests. Nothing of a packet is read. See mlx5.h
 * for indexes and cqe.h for the order of loads; rx_slots.h for how a packet becomes a slot,
 * single.c and session.c for the two kinds of completions.
 */
#include <limits.h>

#include "../../poller.h"
#include "../../ring.h"
#include "rx_slots.h"

/* ---- packets that are not the client's memory ---- */

/* The packet is in memory of the daemon: a copy for the client, if it has posted a slot since. */
static void give_sentinels(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b,
			   const struct rn_rx_about *a)
{
	const struct rn_frame f = {
		.n_pieces = 1,
		.len = a->len,
		.tci = -1,
		.flags = a->flags & (RAWNET_RX_L3_OK | RAWNET_RX_L4_OK | RAWNET_RX_HASH),
		.hash = a->hash,
		.stamp = a->stamp,
		.piece = {{rx->sentinel_mem, a->len}},
	};

	rx->sentinel = false;
	b->copied_packets++;
	b->copied_bytes += a->len;
	rn_deliver_first(q, &f, a->index);
}

/* Not into the client's memory: the sentinel's packet, or one whose slot named no buffer and that
 * is dropped. The request is one like the others again. */
void rn_rx_give_other(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b,
		      struct rn_data *wqe, const struct rn_rx_about *a)
{
	uint32_t off = q->rx.slots[q->rx.daemon & q->rx.mask].off;

	rn_rx_wqe_prepare(wqe, rx->length, rx->lkey_be);
	rx->elsewhere--;
	if (rx->sentinel && rx->done - 1 == rx->sentinel_at) {
		give_sentinels(q, rx, b, a);
		return;
	}
	rn_rx_store(q, rn_rx_word0(off, 0, RAWNET_RX_ERROR), 0);
	rn_count(q, RAWNET_Q_RX_DROP_SLOT, 1);
}

/* ---- bursts ---- */

/* The oldest request comes back without a packet: its buffer is the client's again. */
static void lose(struct rn_queue *q, struct rn_mlx5_rx *rx)
{
	struct rn_data *wqe = &rx->wqe[rx->done & rx->wq_mask];
	uint64_t off = rn_rx_wqe_addr(wqe) - rx->base;

	rx->done++;
	if (off >= q->mem_size) {
		rn_rx_wqe_prepare(wqe, rx->length, rx->lkey_be);
		rx->elsewhere--;
		if (rx->sentinel && rx->done - 1 == rx->sentinel_at) {
			rx->sentinel = false;
			return;
		}
		off = q->rx.slots[q->rx.daemon & q->rx.mask].off;
	}
	rn_rx_store(q, rn_rx_word0((uint32_t)off, 0, RAWNET_RX_ERROR), 0);
}

/* A frame longer than its buffer costs the device one request and nothing else. */
static bool was_too_long(const struct rn_mlx5_rx *rx, const struct rn_cqe *e)
{
	const struct rn_cqe_error *error = (const void *)e;

	return RN_CQE_KIND(rn_cqe_op_own(e)) == RN_CQE_RECEIVE_ERROR &&
	       error->syndrome == RN_SYNDROME_LENGTH && rx->done != rx->posted &&
	       rn_cqe_wqe(e) == (uint16_t)rx->done;
}

/* An error, or what no device writes: is what comes behind it to be read? */
static __attribute__((noinline, cold)) bool stumble(struct rn_queue *q, struct rn_mlx5_rx *rx,
						    struct rn_rx_burst *b, const struct rn_cqe *e)
{
	uint64_t *port = q->hwq->counters->v;

	if (was_too_long(rx, e)) {
		lose(q, rx);
		rn_count(q, RAWNET_Q_RX_DROP_LONG, 1);
		__atomic_store_n(&port[RAWNET_P_RX_DROP_LONG], port[RAWNET_P_RX_DROP_LONG] + 1,
				 __ATOMIC_RELAXED);
		rx->ci++;
		b->n++;
		return true;
	}
	if (!rx->draining) {
		rn_rdma_broke(q, &rx->state);
		return false;
	}
	rn_count(q, RAWNET_Q_RX_ERRORS, 1);
	rx->ci++;
	return true;
}

static inline __attribute__((always_inline)) void
take_burst(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b, unsigned budget)
{
	while (b->n < budget) {
		const struct rn_cqe *e;
		uint8_t op_own, kind;

		if (rx->session_n) {
			rn_session_take(q, rx, b, budget - b->n);
			continue;
		}
		if (rx->alike.valid) {
			rn_alike_take(q, rx, b, budget - b->n);
			if (b->n == budget)
				return;
		}
		e = &rx->cqe[rx->ci & ((1u << rx->cq_log) - 1)];
		op_own = rn_cqe_op_own(e);
		if (!rn_cqe_ours(op_own, rx->ci, rx->cq_log))
			return;
		rn_dma_read();
		kind = RN_CQE_KIND(op_own);
		if (kind == RN_CQE_RECEIVED	? !rn_single_take(q, rx, b, e)
		    : kind == RN_CQE_COMPRESSED ? !rn_session_begin(q, rx, e)
						: true) {
			if (!stumble(q, rx, b, e))
				return;
		}
	}
}

/* It was mended: what the device completed before is read, the errors among it are counted, and
 * what it had beyond that comes back unused. The device is at index 0, with nothing posted. */
static __attribute__((noinline, cold)) void begin_anew(struct rn_queue *q, struct rn_mlx5_rx *rx,
						       struct rn_rx_burst *b)
{
	rx->draining = true;
	take_burst(q, rx, b, UINT_MAX);
	rx->draining = false;
	while (rx->done != rx->posted)
		lose(q, rx);
	rx->done = rx->posted = 0;
	rn_count(q, RAWNET_Q_MENDED, 1);
	rn_poller_touch(q->poller, q);
}

static void count(struct rn_queue *q, const struct rn_rx_burst *b)
{
	uint64_t *port = q->hwq->counters->v;

	rn_count(q, RAWNET_Q_RX_PACKETS, b->packets);
	rn_count(q, RAWNET_Q_RX_BYTES, b->bytes);
	__atomic_store_n(&port[RAWNET_P_RX_PACKETS],
			 port[RAWNET_P_RX_PACKETS] + b->packets + b->copied_packets,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&port[RAWNET_P_RX_BYTES],
			 port[RAWNET_P_RX_BYTES] + b->bytes + b->copied_bytes, __ATOMIC_RELAXED);
}

/* Has the device written something, or the client posted? */
static inline bool is_news(const struct rn_queue *q, const struct rn_mlx5_rx *rx)
{
	const struct rn_cqe *e = &rx->cqe[rx->ci & ((1u << rx->cq_log) - 1)];

	return rx->session_n || rn_cqe_ours(rn_cqe_op_own(e), rx->ci, rx->cq_log) ||
	       __atomic_load_n(&q->rx.ctl->client, __ATOMIC_RELAXED) != rx->seen;
}

static __attribute__((noinline)) unsigned serve(struct rn_queue *q, struct rn_mlx5_rx *rx,
						unsigned budget, bool anew)
{
	struct rn_rx_burst b = {0};

	rn_tag_begin(&rx->tag, q->hwq->port->steer);
	if (__builtin_expect(anew, 0))
		begin_anew(q, rx, &b);
	take_burst(q, rx, &b, budget);
	if (b.n) {
		rx->last = (uint16_t)b.n;
		count(q, &b);
		rn_poller_touch(q->poller, q);
	}
	if (!q->dead && __atomic_load_n(&rx->state, __ATOMIC_RELAXED) == RN_RDMA_WORKS)
		rn_mlx5_refill(q);
	return b.n;
}

/* Without news there is nothing to post either, unless the device has run dry. */
unsigned rn_mlx5_queue_rx(struct rn_queue *q, unsigned budget)
{
	struct rn_mlx5_rx *rx = &rn_mlx5_queue_of(q)->rx;
	bool anew;

	if (!rn_rdma_usable(&rx->state, &anew))
		return 0;
	rn_rdma_awake(q);
	if (!anew && rx->done != rx->posted && !is_news(q, rx))
		return 0;
	return serve(q, rx, budget, anew);
}

/* Asks for an event behind what was read, then looks again: the device fires at once if there is
 * more already, so the look only saves the sleep. */
enum rn_armed rn_mlx5_queue_arm(struct rn_queue *q)
{
	struct rn_mlx5_rx *rx = &rn_mlx5_queue_of(q)->rx;

	if (rn_mlx5_queue_rx(q, RN_POLLER_BURST) || rx->session_n)
		return RN_NOT_ARMED;
	rn_mlx5_hwq_of(q->hwq)->armed = true;
	rn_arm(rx->cq_record, rx->page, rx->sequence, rx->ci, rx->cqn);
	if (rn_mlx5_queue_rx(q, RN_POLLER_BURST))
		return RN_NOT_ARMED;
	return rn_rdma_armed(q, rx->posted - rx->done);
}

/* ---- from outside ---- */

/* A completion, buffers that were posted, packets to send, sent ones to give back, or a direction
 * that was mended: the device may have said so without a completion. */
bool rn_mlx5_queue_waits(const struct rn_queue *q)
{
	const struct rn_mlx5_queue *m = rn_mlx5_queue_of(q);

	return is_news(q, &m->rx) || rn_rdma_is_mended(&m->rx.state) ||
	       rn_rdma_is_mended(&m->tx.state) ||
	       __atomic_load_n(&q->tx.ctl->client, __ATOMIC_RELAXED) != q->tx.next ||
	       m->tx.sent_head != m->tx.sent_tail;
}

/* The oldest completion that was not read. It differs from what was seen there before the device
 * wrote it (cqe.h), and if it is there already it is to differ from what is kept. */
void rn_mlx5_queue_watch(const struct rn_queue *q, struct rn_watch *watch)
{
	const struct rn_mlx5_rx *rx = &rn_mlx5_queue_of(q)->rx;
	const struct rn_cqe *e = &rx->cqe[rx->ci & ((1u << rx->cq_log) - 1)];
	const uint8_t op_own = rn_cqe_op_own(e);
	const bool news = rx->session_n || rn_cqe_ours(op_own, rx->ci, rx->cq_log);

	watch->tx_seen = q->tx.next;
	watch->rx = &q->rx.ctl->client;
	watch->rx_seen = rx->seen;
	watch->device = &e->op_own;
	watch->device_seen = news ? (uint8_t)~op_own : op_own;
	watch->beyond = true;
}

/* The lines of a group of slots or requests. */
static inline void ask_for_group(const void *first)
{
	_Static_assert(RN_MLX5_GROUP * sizeof(struct rawnet_slot) == 2 * 64, "two lines");
	_Static_assert(RN_MLX5_GROUP * sizeof(struct rn_data) == 2 * 64, "two lines");
	__builtin_prefetch(first);
	__builtin_prefetch((const uint8_t *)first + 64);
}

/* What a burst as long as the last one reads and writes. Its last look is at the completion behind
 * it, a line that nobody has touched since the pass before. */
void rn_mlx5_queue_ahead(const struct rn_queue *q)
{
	const struct rn_mlx5_rx *rx = &rn_mlx5_queue_of(q)->rx;
	const uint32_t cq_mask = (1u << rx->cq_log) - 1;

	__builtin_prefetch(&rx->cqe[rx->ci & cq_mask]);
	__builtin_prefetch(&rx->cqe[(rx->ci + 1) & cq_mask]);
	__builtin_prefetch(&rx->cqe[(rx->ci + rx->last) & cq_mask]);
	ask_for_group(&rx->wqe[rx->done & rx->wq_mask]);
	ask_for_group(&q->rx.slots[q->rx.daemon & q->rx.mask]);
	ask_for_group(&q->rx.slots[q->rx.next & q->rx.mask]);
	ask_for_group(&rx->wqe[rx->posted & rx->wq_mask]);
	__builtin_prefetch(rx->record, 1);
}
