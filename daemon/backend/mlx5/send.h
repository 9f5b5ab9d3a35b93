/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing requests into the send queue. Poller only; inline, since every packet passes here.
 *
 * Room. The device has the blocks [ci, pi), so mask + 1 - (pi - ci) are free. A request never
 * wraps: what does not fit before the end of the ring leaves the end to NOPs and begins at its
 * start. Only free blocks are ever written, and no block beyond a request's own.
 *
 * A batch is what one call of queue_tx writes: requests one after the other, `open` the
 * multi-packet request that is being filled, if any, and `last` the head of the last finished one,
 * for the doorbell. A request that is not finished is not counted in pi, so a packet that fails its
 * check after it was copied costs nothing but the copy.
 */
#ifndef RN_MLX5_SEND_H
#define RN_MLX5_SEND_H

#include "mlx5.h"

struct rn_mlx5_batch {
	struct rn_mlx5_tx *tx;
	uint8_t *open; /* NULL: none */
	uint32_t ds; /* its segments so far */
	uint32_t limit; /* and how many it may have */
	uint64_t kind; /* what all its packets have in common: metadata, RN_ETH_* */
	bool refers; /* to memory that must stay: the client's, or a whole copy */
	uint8_t *last;
	uint32_t local; /* frames that may still go to other clients of the port in this call */
};

static inline uint8_t *rn_send_at(const struct rn_mlx5_tx *tx, uint32_t block)
{
	return tx->sq + (size_t)(block & tx->mask) * RN_WQE_BB;
}

static inline uint32_t rn_send_free(const struct rn_mlx5_tx *tx)
{
	return tx->mask + 1 - (tx->pi - tx->ci);
}

/* Blocks from pi to the end of the ring. */
static inline uint32_t rn_send_to_end(const struct rn_mlx5_tx *tx)
{
	return tx->mask + 1 - (tx->pi & tx->mask);
}

/* The request of ds segments that begins at pi is complete. */
static inline void rn_send_finish(struct rn_mlx5_batch *b, uint8_t *wqe, uint8_t opcode,
				  uint32_t ds, bool refers)
{
	struct rn_mlx5_tx *tx = b->tx;
	uint32_t blocks = rn_wqe_blocks(ds);

	rn_ctrl_put(wqe, opcode, (uint16_t)tx->pi, tx->sqn, ds, RN_CE_ERROR);
	tx->pi += blocks;
	tx->quiet_blocks += blocks;
	if (refers)
		tx->by_reference = tx->pi;
	b->last = wqe;
}

/* Ends the multi-packet request, if there is one with packets in it. */
static inline void rn_send_close(struct rn_mlx5_batch *b)
{
	if (!b->open)
		return;
	if (b->ds > RN_EMPW_AT / RN_SEG)
		rn_send_finish(b, b->open, RN_OP_EMPW, b->ds, b->refers);
	b->open = NULL;
}

/* Where a request of up to `blocks` can be written, or NULL: no room now. */
static inline uint8_t *rn_send_room(struct rn_mlx5_batch *b, uint32_t blocks)
{
	struct rn_mlx5_tx *tx = b->tx;
	uint32_t to_end = rn_send_to_end(tx), free = rn_send_free(tx);

	if (__builtin_expect(to_end < blocks, 0)) {
		if (free < to_end + blocks)
			return NULL;
		while (to_end--)
			rn_send_finish(b, rn_send_at(tx, tx->pi), RN_OP_NOP, 1, false);
	} else if (free < blocks) {
		return NULL;
	}
	return rn_send_at(tx, tx->pi);
}

/* What a request says to the NIC's egress tables of packets that go by reference, where they are
 * policed: nothing. All others were checked by the daemon. */
static inline uint32_t rn_send_unchecked(const struct rn_mlx5_tx *tx, bool police)
{
	return police ? 0 : tx->vouched_be;
}

/* Room for `segs` segments in a multi-packet request with these checksums and this metadata: where
 * they go, or NULL. rn_send_add() makes them part of it. */
static inline uint8_t *rn_send_slot(struct rn_mlx5_batch *b, uint32_t segs, uint8_t csum,
				    uint32_t metadata_be)
{
	const uint64_t kind = (uint64_t)metadata_be << 8 | csum;
	uint32_t blocks;

	if (b->open && b->kind == kind && b->ds + segs <= b->limit)
		return b->open + (size_t)b->ds * RN_SEG;
	rn_send_close(b);
	b->open = rn_send_room(b, rn_wqe_blocks(RN_EMPW_AT / RN_SEG + segs));
	if (!b->open)
		return NULL;
	blocks = rn_send_free(b->tx);
	if (blocks > rn_send_to_end(b->tx))
		blocks = rn_send_to_end(b->tx);
	b->limit = blocks * RN_SEGS_BB < RN_WQE_DS_MAX ? blocks * RN_SEGS_BB : RN_WQE_DS_MAX;
	b->ds = RN_EMPW_AT / RN_SEG;
	b->kind = kind;
	b->refers = false;
	rn_eth_put(b->open + RN_SEG, csum, 0, 0);
	rn_eth_mark(b->open + RN_SEG, metadata_be);
	return b->open + RN_EMPW_AT;
}

static inline void rn_send_add(struct rn_mlx5_batch *b, uint32_t segs, bool refers)
{
	b->ds += segs;
	b->refers |= refers;
}

/* Asks for a completion of all that has been finished since the last one was asked for; slot_end:
 * the tx ring index that its coming gives back. There is something to ask it of. */
static inline void rn_send_signal(struct rn_mlx5_batch *b, uint32_t slot_end)
{
	struct rn_mlx5_tx *tx = b->tx;
	struct rn_mlx5_sent *s = &tx->sent[tx->sent_tail++ & tx->mask];

	rn_ctrl_signal(b->last);
	s->index = rn_ctrl_get(b->last).index;
	s->end = tx->pi;
	s->slot_end = slot_end;
	s->packets = tx->quiet_packets;
	s->frames = (uint16_t)tx->quiet_frames;
	tx->quiet_blocks = tx->quiet_packets = tx->quiet_frames = 0;
}

#endif
