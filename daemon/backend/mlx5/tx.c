/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transmit: slots to requests, completions to slots that are the client's again. See mlx5.h for
 * indexes, send.h for how requests are written, ways.c for the ways that a packet can take, runs.c
 * for the plain ones, which come by the million. The order on the wire is that of the ring, since
 * there is one send queue.
 *
 * Completions are asked for sparsely: once for a quarter of the ring, or of the memory for copies
 * for half of it; and, for packets by reference, whose buffers the client waits for, every
 * RN_MLX5_QUIET packets and whenever the ring has run dry. Nothing is left behind: when a call ends
 * with packets by reference that no completion covers and nothing more in the ring, it asks for
 * one, of a NOP if need be.
 */
#include "../../poller.h"
#include "ways.h"

#define RN_MLX5_QUIET 32u

/* ---- completions ---- */

static const struct rn_cqe *next_cqe(const struct rn_mlx5_tx *tx)
{
	return &tx->cqe[tx->cq_ci & ((1u << tx->cq_log) - 1)];
}

static inline bool is_done(const struct rn_mlx5_tx *tx)
{
	return rn_cqe_ours(rn_cqe_op_own(next_cqe(tx)), tx->cq_ci, tx->cq_log);
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
	for (; is_done(tx); tx->cq_ci++)
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

	while (!q->dead) {
		n += rn_mlx5_run(q, b, budget - n);
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

static __attribute__((noinline)) unsigned serve(struct rn_queue *q, struct rn_mlx5_tx *tx,
						unsigned budget, bool anew)
{
	const struct rn_rdma_sent sent = rn_rdma_sent(q);
	struct rn_mlx5_batch b = {.tx = tx, .local = budget};
	uint32_t before = q->tx.daemon;
	unsigned n = 0;

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

unsigned rn_mlx5_queue_tx(struct rn_queue *q, unsigned budget)
{
	struct rn_mlx5_tx *tx = &rn_mlx5_queue_of(q)->tx;
	bool anew;

	if (q->dead || !rn_rdma_usable(&tx->state, &anew))
		return 0;
	if (!anew && q->tx.client == q->tx.next &&
	    (tx->pi == tx->ci || (!is_done(tx) && !must_ask(q, tx))) &&
	    __atomic_load_n(&q->tx.ctl->client, __ATOMIC_RELAXED) == q->tx.client)
		return 0;
	return serve(q, tx, budget, anew);
}
