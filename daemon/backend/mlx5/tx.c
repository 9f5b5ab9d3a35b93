/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transmit: slots to requests, completions to slots that are the client's again. See mlx5.h for
 * indexes, send.h for how requests are written, ways.c for the ways that a packet can take.
 *
 * Runs. Packets of one slot that ask for nothing come by the million, so they are taken in a loop
 * of their own, one for packets that nobody looks at (by reference) and one for those that are
 * checked (inline, by head). Anything else ends the run and takes its own way; the order on the
 * wire is that of the ring, since there is one send queue.
 *
 * Completions are asked for sparsely: once for a quarter of the ring, or of the memory for copies
 * for half of it; and, for packets by reference, whose buffers the client waits for, every
 * RN_MLX5_QUIET packets and whenever the ring has run dry. Nothing is left behind: when a call ends
 * with packets by reference that no completion covers and nothing more in the ring, it asks for
 * one, of a NOP if need be.
 */
#include <urcu-qsbr.h>

#include "../../police_hint.h"
#include "../../poller.h"
#include "ways.h"

#define RN_MLX5_QUIET 32u

/* ---- completions ---- */

static const struct rn_cqe *next_cqe(const struct rn_mlx5_tx *tx)
{
	return &tx->cqe[tx->cq_ci & ((1u << tx->cq_log) - 1)];
}

/* One completion stands for all requests up to its own. A request that asked for none makes one if
 * it fails. False: an error is next, or what no device writes. */
static bool reap(struct rn_queue *q, struct rn_mlx5_tx *tx)
{
	for (;;) {
		const struct rn_cqe *e = next_cqe(tx);
		const struct rn_mlx5_sent *s = &tx->sent[tx->sent_head & tx->mask];
		uint8_t op_own = rn_cqe_op_own(e);

		if (!rn_cqe_ours(op_own, tx->cq_ci, tx->cq_log))
			return true;
		rn_dma_read();
		if (tx->sent_head == tx->sent_tail || RN_CQE_KIND(op_own) != RN_CQE_SENT ||
		    rn_cqe_wqe(e) != s->index)
			return false;
		tx->cq_ci++;
		tx->sent_head++;
		tx->ci = s->end;
		tx->frame_done += s->frames;
		if ((int32_t)(s->slot_end - q->tx.daemon) > 0)
			q->tx.daemon = s->slot_end;
	}
}

/* It was mended: errors are counted, and all packets that no completion vouches for count as lost;
 * their slots are the client's again. The device is at block 0, with nothing to do. */
static __attribute__((noinline, cold)) void begin_anew(struct rn_queue *q, struct rn_mlx5_tx *tx)
{
	uint64_t lost = tx->quiet_packets;

	reap(q, tx);
	for (; rn_cqe_ours(rn_cqe_op_own(next_cqe(tx)), tx->cq_ci, tx->cq_log); tx->cq_ci++)
		rn_count(q, RAWNET_Q_TX_ERRORS, 1);
	for (; tx->sent_head != tx->sent_tail; tx->sent_head++)
		lost += tx->sent[tx->sent_head & tx->mask].packets;
	rn_count(q, RAWNET_Q_TX_DROP_DEVICE, lost);
	rn_count(q, RAWNET_Q_MENDED, 1);
	tx->quiet_blocks = tx->quiet_packets = tx->quiet_frames = 0;
	tx->pi = tx->ci = tx->by_reference = 0;
	tx->frame_done = tx->frame_posted;
	q->tx.daemon = q->tx.next;
}

/* ---- runs of plain packets ---- */

/* What all packets of a run are checked by, and what they add up to. What may be for another client
 * of the port ends it. */
struct run {
	const struct rn_macs *macs; /* NULL: nothing may */
	uint32_t longest;
	uint64_t packets, bytes;
};

/* Not policed, or by the NIC: a pointer each. */
static void refer_run(struct rn_queue *q, struct rn_mlx5_batch *b, struct run *run, uint32_t most)
{
	const uint32_t lkey = b->tx->lkey_be, mark = rn_send_unchecked(b->tx, q->police);
	const uint64_t mem = (uintptr_t)q->mem;
	struct rn_ring *r = &q->tx;
	uint32_t n = 0, room;
	uint64_t w;

	while (n < most) {
		uint8_t *at = rn_send_slot(b, 1, 0, mark);

		if (!at)
			break;
		room = b->limit - b->ds;
		room = n + room < most ? n + room : most;
		for (; n < room; n++, at += RN_SEG) {
			w = rn_slot_word(r, r->next + n);
			if (!rn_is_plain(q, w, run->longest, rn_word_len(w)))
				break;
			rn_data_put(at, rn_word_len(w), lkey, mem + rn_word_off(w));
			run->bytes += rn_word_len(w);
			rn_send_add(b, 1, true);
		}
		if (n < room)
			break;
	}
	r->next += n;
	run->packets += n;
}

enum placed {
	PLACED,
	REFUSED, /* by policing, and counted */
	NO_PLACE /* or not sure: the general way goes on there */
};

/* Short: whole lines are copied into the request, of which the packet's bytes are a
 * part; then the copy is checked. There must be room for whole lines. */
static inline enum placed place_inline(struct rn_queue *q, struct rn_mlx5_batch *b, uint64_t w,
				       const struct rn_macs *macs, struct rn_police_hint *hint)
{
	uint32_t len = rn_word_len(w), lines = (len + RN_TX_LINE - 1) / RN_TX_LINE;
	uint8_t *at = rn_send_slot(b, lines * (RN_TX_LINE / RN_SEG) + 1, 0, b->tx->vouched_be);
	uint8_t *copy;
	int why;

	if (!at)
		return NO_PLACE;
	copy = at + RN_SEG_INLINE_HEAD;
	rn_copy_lines(copy, q->mem + rn_word_off(w), len);
	if (q->police && __builtin_expect(!rn_police_agrees(hint, copy, len, -1), 0)) {
		why = rn_police(q, copy, len, -1);
		*hint = q->hint;
		if (why) {
			rn_count(q, (enum rawnet_queue_counter)why, 1);
			return REFUSED;
		}
	}
	if (macs && rn_switch_may(q, macs, copy))
		return NO_PLACE;
	rn_data_put_inline(at, len);
	rn_send_add(b, rn_inline_segs(len), false);
	return PLACED;
}

/* Longer: the headers are copied into a request of the packet's own and checked there,
 * the rest is a pointer. */
static inline enum placed place_head(struct rn_queue *q, struct rn_mlx5_batch *b, uint64_t w,
				     const struct rn_macs *macs, const struct rn_police_hint *hint)
{
	const uint32_t segs = rn_header_segs(RN_MLX5_HEAD);
	uint8_t *wqe;

	rn_send_close(b);
	wqe = rn_send_room(b, rn_wqe_blocks(segs + 1));
	if (!wqe)
		return NO_PLACE;
	memcpy(wqe + RN_INLINE_AT, q->mem + rn_word_off(w), RN_MLX5_HEAD);
	if ((q->police &&
	     __builtin_expect(!rn_police_agrees(hint, wqe + RN_INLINE_AT, rn_word_len(w), -1),
			      0)) ||
	    (macs && rn_switch_may(q, macs, wqe + RN_INLINE_AT)))
		return NO_PLACE;
	rn_eth_put_behind(wqe + RN_SEG, 0, 0, RN_MLX5_HEAD);
	rn_eth_mark(wqe + RN_SEG, b->tx->vouched_be);
	rn_data_put(wqe + segs * RN_SEG, rn_word_len(w) - RN_MLX5_HEAD, b->tx->lkey_be,
		    (uintptr_t)q->mem + rn_word_off(w) + RN_MLX5_HEAD);
	rn_send_finish(b, wqe, RN_OP_SEND, segs + 1, true);
	return PLACED;
}

/* Policed by the daemon, or some may be for another client of the port. */
static void copy_run(struct rn_queue *q, struct rn_mlx5_batch *b, struct run *run, uint32_t most)
{
	struct rn_police_hint hint = q->hint;
	struct rn_ring *r = &q->tx;
	uint32_t n, refused = 0;

	for (n = 0; n < most && n < RN_TX_AHEAD; n++)
		rn_chain_ask_for(q, r->next + n);
	for (n = 0; n < most; n++) {
		uint64_t w = rn_slot_word(r, r->next + n);
		uint32_t len = rn_word_len(w);
		enum placed placed;

		if (!rn_is_plain(q, w, run->longest, (len + RN_TX_LINE - 1) & ~(RN_TX_LINE - 1)))
			break;
		if (n + RN_TX_AHEAD < most)
			rn_chain_ask_for(q, r->next + n + RN_TX_AHEAD);
		placed = len <= RN_MLX5_INLINE ? place_inline(q, b, w, run->macs, &hint)
					       : place_head(q, b, w, run->macs, &hint);
		if (placed == NO_PLACE)
			break;
		refused += placed == REFUSED;
		run->bytes += placed == PLACED ? len : 0;
	}
	r->next += n;
	run->packets += n - refused;
}

/* The plain packets at the front of the ring, at most `most`: how many. */
static uint32_t take_run(struct rn_queue *q, struct rn_mlx5_batch *b, uint32_t most)
{
	const struct rn_port *port = q->hwq->port;
	struct run run = {.macs = rn_switch_on(port), .longest = rn_chain_longest(port)};
	uint32_t before = q->tx.next;

	if (!b->tx->empw || q->limited || rcu_dereference(port->taps) ||
	    !__atomic_load_n(&port->link_up, __ATOMIC_RELAXED))
		return 0;
	if (most > q->tx.client - q->tx.next)
		most = q->tx.client - q->tx.next;
	if (rn_mlx5_refers(q, b->tx, run.macs))
		refer_run(q, b, &run, most);
	else
		copy_run(q, b, &run, most);
	b->tx->quiet_packets += (uint32_t)run.packets;
	rn_count(q, RAWNET_Q_TX_PACKETS, run.packets);
	rn_count(q, RAWNET_Q_TX_BYTES, run.bytes);
	return q->tx.next - before;
}

/* ---- the ring ---- */

/* How far the slots are the client's again. */
static void release(struct rn_queue *q, struct rn_mlx5_tx *tx)
{
	if ((int32_t)(tx->by_reference - tx->ci) <= 0) {
		q->tx.daemon = q->tx.next;
		tx->by_reference = tx->ci; /* never so far behind that it seems to be ahead */
	} else if (!tx->quiet_blocks) { /* dropped since the last request that asked */
		tx->sent[(tx->sent_tail - 1) & tx->mask].slot_end = q->tx.next;
	}
}

static bool must_ask(const struct rn_queue *q, const struct rn_mlx5_tx *tx)
{
	/* The next frame by copy would wait for one that no completion covers. */
	if (tx->quiet_blocks > tx->mask / 4 || tx->quiet_frames >= RN_MLX5_FRAMES / 2)
		return true;
	/* Are there packets by reference among those that no completion covers? */
	if ((int32_t)(tx->by_reference - (tx->pi - tx->quiet_blocks)) <= 0)
		return false;
	return tx->quiet_packets >= RN_MLX5_QUIET || q->tx.client == q->tx.next;
}

/* One completion asked for at most, one doorbell. */
static void finish(struct rn_queue *q, struct rn_mlx5_batch *b)
{
	struct rn_mlx5_tx *tx = b->tx;

	rn_send_close(b);
	if (must_ask(q, tx)) {
		/* What was finished in an earlier call cannot be changed any more. */
		if (!b->last && rn_send_room(b, 1))
			rn_send_finish(b, rn_send_at(tx, tx->pi), RN_OP_NOP, 1, false);
		if (b->last)
			rn_send_signal(b, q->tx.next);
	}
	if (b->last)
		rn_ring_tx(tx->record, tx->reg, tx->pi, b->last);
	release(q, tx);
}

/* Runs of plain packets, and one of another kind between two runs. */
static unsigned take_burst(struct rn_queue *q, struct rn_mlx5_batch *b, unsigned budget)
{
	struct rn_ring *r = &q->tx;
	struct rn_chain c;
	unsigned n = 0;

	for (;;) {
		n += take_run(q, b, budget - n);
		if (n == budget || r->client == r->next)
			break;
		if (!rn_chain_take(r, r->next, &c)) {
			rn_queue_fault(q, RAWNET_BYE_RING);
			break;
		}
		if (rn_mlx5_send(q, b, &c) == RN_TX_FULL)
			break;
		r->next += c.n;
		n++;
	}
	return n;
}

unsigned rn_mlx5_queue_tx(struct rn_queue *q, unsigned budget)
{
	struct rn_mlx5_tx *tx = &rn_mlx5_queue_of(q)->tx;
	const struct rn_rdma_sent sent = rn_rdma_sent(q);
	struct rn_mlx5_batch b = {.tx = tx, .local = budget};
	uint32_t before = q->tx.daemon;
	unsigned n = 0;
	bool anew;

	if (!rn_rdma_usable(&tx->state, &anew))
		return 0;
	if (__builtin_expect(anew, 0))
		begin_anew(q, tx);
	if (__builtin_expect(!reap(q, tx), 0)) {
		rn_rdma_broke(q, &tx->state);
		goto out;
	}
	if (q->tx.client - q->tx.next < budget && rn_ring_look(&q->tx) < 0) {
		rn_queue_fault(q, RAWNET_BYE_RING);
		return 0;
	}
	if (q->tx.client == q->tx.next && before == q->tx.daemon && !must_ask(q, tx))
		return 0;
	n = take_burst(q, &b, budget);
	finish(q, &b);
	if (n)
		rn_rdma_count_sent(q, &sent);
out:
	if (q->tx.daemon != before)
		rn_poller_touch(q->poller, q);
	return n;
}
