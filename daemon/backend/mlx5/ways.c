/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ways of a packet into the send queue, but for the runs of plain ones (runs.c). See send.h for
 * how requests are written.
 *
 *   by reference  not policed, or policed by the NIC (egress.c), and none can be for another client
 *                 of the port: pointers to the client's memory,
 *                 the daemon looks at nothing. A tag is inserted by the device if it can, and if
 *                 nobody polices: where the NIC's tables see it is not known
 *   inline        short and checked: copied whole into a multi-packet request
 *   by head       longer and checked: the headers are copied into the request, the rest is pointers
 *   TSO           the same, with exactly the headers, and the device makes the segments
 *   by copy       everything else, by the daemon's common code: copied whole, checked as a whole,
 *                 done in software; and what may be for another client of the port (switch.h)
 *
 * What is checked is the copy, and the copy is what goes out: nothing of it is read from the client
 * again. What policing and offloads decide by must be among the bytes that were copied
 * (rn_police_by_hint, rn_offload_check_head); where those are too few the packet goes by copy.
 *
 * Checksums are the device's in all but the last. It finds the headers by itself; the lengths in
 * the slot are compared with the frame all the same, so that a malformed request is dropped here as
 * on any backend. IPv6 extension headers and more than one tag go by copy: which of them devices
 * parse differs. A tag cannot be inserted by the device into headers that stand in the request, so
 * where they do it is inserted there, and counted as done in software.
 */
#include <urcu-qsbr.h>

#include "ways.h"

#define CSUMS	  (RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM)
#define TCP_LEAST 20u
#define L2_MOST	  18u
#define IP6	  40u

static uint8_t csum_of(uint16_t flags)
{
	if (flags & RAWNET_TX_TSO)
		return RN_ETH_L3_CSUM | RN_ETH_L4_CSUM;
	return (uint8_t)(((flags & RAWNET_TX_IP_CSUM) ? RN_ETH_L3_CSUM : 0) |
			 ((flags & RAWNET_TX_L4_CSUM) ? RN_ETH_L4_CSUM : 0));
}

static enum rn_tx_verdict drop(struct rn_queue *q, enum rawnet_queue_counter why)
{
	rn_count(q, why, 1);
	return RN_TX_DROPPED;
}

static void count_sent(struct rn_queue *q, struct rn_mlx5_tx *tx, uint64_t packets, uint64_t bytes)
{
	tx->quiet_packets += (uint32_t)packets;
	rn_count(q, RAWNET_Q_TX_PACKETS, packets);
	rn_count(q, RAWNET_Q_TX_BYTES, bytes);
}

/* ---- by copy ---- */

struct copy {
	struct rn_queue *q;
	struct rn_mlx5_batch *b;
};

static uint8_t *frame_of(const struct rn_mlx5_tx *tx)
{
	return tx->frames + (size_t)(tx->frame_posted % RN_MLX5_FRAMES) * tx->frame_size;
}

static uint8_t *frame_reserve(void *ctx)
{
	const struct copy *copy = ctx;
	struct rn_mlx5_tx *tx = copy->b->tx;

	if (tx->frame_posted - tx->frame_done == RN_MLX5_FRAMES || !copy->b->local)
		return NULL;
	rn_send_close(copy->b);
	/* Up to two blocks: minimal headers inline, and a pointer. */
	if (!rn_send_room(copy->b, 2))
		return NULL;
	return frame_of(tx);
}

static void frame_submit(void *ctx, uint32_t len)
{
	const struct copy *copy = ctx;
	struct rn_mlx5_batch *b = copy->b;
	struct rn_mlx5_tx *tx = b->tx;
	uint8_t *frame = frame_of(tx), *wqe = rn_send_at(tx, tx->pi);
	uint32_t head = len < 18 ? len : 18, segs = rn_header_segs(head);

	memcpy(wqe + RN_INLINE_AT, frame, head);
	rn_eth_put_behind(wqe + RN_SEG, 0, 0, (uint16_t)head);
	rn_eth_mark(wqe + RN_SEG, tx->vouched_be);
	if (len > head)
		rn_data_put(wqe + (size_t)segs++ * RN_SEG, len - head, tx->frame_lkey_be,
			    (uintptr_t)frame + head);
	rn_send_finish(b, wqe, RN_OP_SEND, segs, true);
	tx->frame_posted++;
	tx->quiet_frames++;
	tx->quiet_packets++;
}

static void frame_skip(void *ctx)
{
	((struct copy *)ctx)->b->local--;
}

static enum rn_tx_verdict send_by_copy(struct rn_queue *q, struct rn_mlx5_batch *b,
				       const struct rn_chain *c)
{
	static const struct rn_tx_way way = {frame_reserve, frame_submit, frame_skip};
	struct copy copy = {q, b};

	return rn_tx_copy(q, c, &way, &copy);
}

/* ---- by reference ---- */

/* Pointers to what stands behind the first `skip` bytes of the packet; how many. */
static uint32_t put_pieces(const struct rn_queue *q, const struct rn_mlx5_tx *tx,
			   const struct rn_chain *c, uint32_t skip, uint8_t *at)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t len = c->slot[i].len, cut = skip < len ? skip : len;

		skip -= cut;
		if (len == cut)
			continue; /* a pointer of no length would be one of 2 GiB */
		rn_data_put(at + (size_t)n * RN_SEG, len - cut, tx->lkey_be,
			    (uintptr_t)q->mem + c->slot[i].off + cut);
		n++;
	}
	return n;
}

/* One pointer in a multi-packet request. */
static enum rn_tx_verdict refer_one(struct rn_queue *q, struct rn_mlx5_batch *b,
				    const struct rn_chain *c)
{
	uint8_t *at =
		rn_send_slot(b, 1, csum_of(c->slot[0].flags), rn_send_unchecked(b->tx, q->police));

	if (!at)
		return RN_TX_FULL;
	if (q->limited && !rn_tx_pay(q, 1, c->len))
		return drop(q, RAWNET_Q_TX_DROP_RATE);
	rn_data_put(at, c->len, b->tx->lkey_be, (uintptr_t)q->mem + c->slot[0].off);
	rn_send_add(b, 1, true);
	count_sent(q, b->tx, 1, c->len);
	return RN_TX_SENT;
}

/* Several pieces, or a tag for the device to insert. */
static enum rn_tx_verdict refer_all(struct rn_queue *q, struct rn_mlx5_batch *b,
				    const struct rn_chain *c)
{
	uint8_t csum = csum_of(c->slot[0].flags), *wqe;
	int tci = rn_chain_tci(&c->slot[0]);
	uint32_t len = c->len + (tci >= 0 ? RN_VLAN_TAG : 0);

	rn_send_close(b);
	wqe = rn_send_room(b, rn_wqe_blocks(2 + c->n));
	if (!wqe)
		return RN_TX_FULL;
	if (q->limited && !rn_tx_pay(q, 1, len))
		return drop(q, RAWNET_Q_TX_DROP_RATE);
	if (tci >= 0)
		rn_eth_put_tag(wqe + RN_SEG, csum, (uint16_t)tci);
	else
		rn_eth_put(wqe + RN_SEG, csum, 0, 0);
	rn_eth_mark(wqe + RN_SEG, rn_send_unchecked(b->tx, q->police));
	rn_send_finish(b, wqe, RN_OP_SEND, 2 + put_pieces(q, b->tx, c, 0, wqe + 2 * RN_SEG), true);
	count_sent(q, b->tx, 1, len);
	return RN_TX_SENT;
}

/* Does the request agree with the headers, and does the device parse them? The answer is about a
 * copy that is not sent: who is not policed may spoil its own checksums. */
static bool csum_agrees(const struct rn_queue *q, const struct rn_chain *c, uint32_t head)
{
	uint8_t copy[RN_MLX5_HEAD_MAX];

	rn_chain_gather(q, c, copy, head);
	return rn_offload_check_head(copy, head, c->len, &c->slot[0]);
}

/* ---- inline ---- */

/* The copied bytes, which go out, may be for another client of the port. */
static bool may_stay(const struct rn_queue *q, const uint8_t *copy)
{
	const struct rn_macs *macs = rn_switch_on(q->hwq->port);

	return macs && rn_switch_may(q, macs, copy);
}

static enum rn_tx_verdict send_inline(struct rn_queue *q, struct rn_mlx5_batch *b,
				      const struct rn_chain *c)
{
	uint16_t csums = c->slot[0].flags & CSUMS;
	uint32_t segs = rn_inline_segs(c->len);
	uint8_t *at = rn_send_slot(b, segs, csum_of(csums), b->tx->vouched_be), *copy;
	int why;

	if (!at)
		return RN_TX_FULL;
	copy = at + RN_SEG_INLINE_HEAD;
	rn_chain_gather(q, c, copy, c->len);
	why = q->police ? rn_police(q, copy, c->len, -1) : 0;
	if (!why && csums && !rn_offload_check(copy, c->len, &c->slot[0]))
		why = RAWNET_Q_TX_DROP_SHAPE;
	if (why)
		return drop(q, (enum rawnet_queue_counter)why);
	if (may_stay(q, copy))
		return send_by_copy(q, b, c);
	if (q->limited && !rn_tx_pay(q, 1, c->len))
		return drop(q, RAWNET_Q_TX_DROP_RATE);
	rn_data_put_inline(at, c->len);
	rn_send_add(b, segs, false);
	count_sent(q, b->tx, 1, c->len);
	return RN_TX_SENT;
}

/* ---- by head, TSO ---- */

/* What a request says of its headers, and what it makes. */
struct head {
	uint32_t len; /* bytes of headers in the request, without the tag */
	uint32_t frames, bytes; /* that go out */
	uint16_t mss; /* 0: one SEND */
};

/* A frame of another kind than the last one is judged as a whole; what goes out has to agree with
 * it.
 */
static bool police_head(struct rn_queue *q, const struct rn_chain *c, const uint8_t *copy, int *why)
{
	int tci = rn_chain_tci(&c->slot[0]);

	*why = 0;
	if (!q->police || rn_police_by_hint(q, copy, c->len, tci))
		return true;
	*why = rn_tx_judge(q, c);
	return !*why && rn_police_by_hint(q, copy, c->len, tci);
}

/* Checked where they stand. RN_TX_FULL: the copied bytes are too few to say. */
static enum rn_tx_verdict check_head(struct rn_queue *q, const struct rn_chain *c,
				     const uint8_t *copy, uint32_t have, struct head *h)
{
	const struct rawnet_slot *first = &c->slot[0];
	uint32_t tag = rn_chain_tci(first) >= 0 ? RN_VLAN_TAG : 0;
	int why;

	if (!police_head(q, c, copy, &why))
		return why ? drop(q, (enum rawnet_queue_counter)why) : RN_TX_FULL;
	if (may_stay(q, copy))
		return RN_TX_FULL;
	if ((first->flags & CSUMS) && !rn_offload_check_head(copy, have, c->len, first))
		return RN_TX_FULL;
	h->frames = 1;
	if (h->mss) {
		h->frames = rn_offload_segments_head(copy, have, c->len, first);
		if (!h->frames || c->len == h->len)
			return RN_TX_FULL;
		if (h->len + h->mss > rn_chain_longest(q->hwq->port))
			return drop(q, RAWNET_Q_TX_DROP_LONG);
	}
	h->bytes = c->len + (h->frames - 1) * h->len + h->frames * tag;
	if (q->limited && !rn_tx_pay(q, h->frames, h->bytes))
		return drop(q, RAWNET_Q_TX_DROP_RATE);
	return RN_TX_SENT;
}

/* A SEND or TSO with its headers inline and the rest by reference. */
static enum rn_tx_verdict send_by_head(struct rn_queue *q, struct rn_mlx5_batch *b,
				       const struct rn_chain *c, struct head h)
{
	/* Policing looks at RN_POLICE_HEAD bytes, also where the headers are fewer. */
	uint32_t have = h.len < RN_MLX5_HEAD ? RN_MLX5_HEAD : h.len, segs, ds;
	const struct rawnet_slot *first = &c->slot[0];
	int tci = rn_chain_tci(first);
	enum rn_tx_verdict v;
	uint8_t *wqe, *copy;

	have = have < c->len ? have : c->len;
	rn_send_close(b);
	wqe = rn_send_room(b, rn_wqe_blocks(rn_header_segs(have + RN_VLAN_TAG) + c->n));
	if (!wqe)
		return RN_TX_FULL;
	copy = wqe + RN_INLINE_AT;
	rn_chain_gather(q, c, copy, have);
	v = check_head(q, c, copy, have, &h);
	if (v != RN_TX_SENT)
		return v == RN_TX_FULL ? send_by_copy(q, b, c) : v;
	ds = h.len;
	if (tci >= 0) {
		ds = rn_offload_vlan(copy, h.len, (uint16_t)tci);
		rn_count(q, RAWNET_Q_TX_SW_VLAN, 1);
	}
	segs = rn_header_segs(ds);
	/* The first two bytes stand in the segment itself: the rest of it must not overwrite them.
	 */
	rn_eth_put_behind(wqe + RN_SEG, csum_of(first->flags), h.mss, (uint16_t)ds);
	rn_eth_mark(wqe + RN_SEG, b->tx->vouched_be);
	ds = segs + put_pieces(q, b->tx, c, h.len, wqe + (size_t)segs * RN_SEG);
	rn_send_finish(b, wqe, h.mss ? RN_OP_TSO : RN_OP_SEND, ds, ds > segs);
	count_sent(q, b->tx, h.frames, h.bytes);
	return RN_TX_SENT;
}

/* ---- which way ---- */

/* Nothing of it has to stand in the request. */
static bool may_refer(const struct rn_queue *q, const struct rn_mlx5_tx *tx, uint16_t flags)
{
	if (tx->min_inline || !rn_mlx5_refers(q, tx, rn_switch_on(q->hwq->port)))
		return false;
	return !(flags & RAWNET_TX_VLAN) || (tx->insert_tag && !q->police);
}

static enum rn_tx_verdict refer(struct rn_queue *q, struct rn_mlx5_batch *b,
				const struct rn_chain *c)
{
	return b->tx->empw && c->n == 1 && !(c->slot[0].flags & RAWNET_TX_VLAN)
		       ? refer_one(q, b, c)
		       : refer_all(q, b, c);
}

/* Bytes that a request's checks look at; 0: more than fit, or headers that devices may not parse.
 */
static uint32_t headers_of(const struct rawnet_slot *first)
{
	const uint32_t l4 = first->u.tx.l4_len > TCP_LEAST && (first->flags & RAWNET_TX_TSO)
				    ? first->u.tx.l4_len
				    : TCP_LEAST;
	uint32_t len = first->u.tx.l2_len + (uint32_t)first->u.tx.l3_len + l4;

	if (first->u.tx.l2_len > L2_MOST || len > RN_MLX5_HEAD_MAX)
		return 0;
	return len;
}

/* IPv6 behind l2_len bytes of headers, with extension headers: not the device's. */
static bool extended(const struct rn_queue *q, const struct rawnet_slot *first)
{
	const uint8_t *ip = q->mem + first->off + first->u.tx.l2_len;

	return first->len <= first->u.tx.l2_len ||
	       (first->u.tx.l3_len != IP6 && __atomic_load_n(ip, __ATOMIC_RELAXED) >> 4 == 6);
}

/* With checksums to fill in, or segments to make. */
static enum rn_tx_verdict send_offloaded(struct rn_queue *q, struct rn_mlx5_batch *b,
					 const struct rn_chain *c)
{
	const struct rawnet_slot *first = &c->slot[0];
	const bool tso = first->flags & RAWNET_TX_TSO;
	uint32_t most = headers_of(first);
	struct head h = {.len = most};

	if (!b->tx->csum || !most || extended(q, first) || (tso && c->len > b->tx->max_tso))
		return send_by_copy(q, b, c);
	if (tso) {
		h.mss = first->u.tx.tso_mss;
		return h.mss ? send_by_head(q, b, c, h) : send_by_copy(q, b, c);
	}
	if (h.len < RN_MLX5_HEAD)
		h.len = RN_MLX5_HEAD;
	h.len = h.len < c->len ? h.len : c->len;
	if (may_refer(q, b->tx, first->flags) && csum_agrees(q, c, h.len))
		return refer(q, b, c);
	if (b->tx->empw && c->len <= RN_MLX5_INLINE && !(first->flags & RAWNET_TX_VLAN))
		return send_inline(q, b, c);
	return send_by_head(q, b, c, h);
}

/* With a tag at most. */
static enum rn_tx_verdict send_plain(struct rn_queue *q, struct rn_mlx5_batch *b,
				     const struct rn_chain *c)
{
	const bool tag = c->slot[0].flags & RAWNET_TX_VLAN;
	struct head h = {.len = q->police ? RN_MLX5_HEAD : L2_MOST};

	if (may_refer(q, b->tx, c->slot[0].flags))
		return refer(q, b, c);
	if (b->tx->empw && c->len <= RN_MLX5_INLINE && !tag)
		return send_inline(q, b, c);
	h.len = h.len < c->len ? h.len : c->len;
	return send_by_head(q, b, c, h);
}

enum rn_tx_verdict rn_mlx5_send(struct rn_queue *q, struct rn_mlx5_batch *b,
				const struct rn_chain *c)
{
	const struct rn_port *port = q->hwq->port;

	/* Who captures gets whole frames; what is wrong, or half done, is the common code's too. */
	if (q->tx_segment || !__atomic_load_n(&port->link_up, __ATOMIC_RELAXED) ||
	    rcu_dereference(port->taps) || rn_chain_check_for(q, c, rn_chain_longest(port)))
		return send_by_copy(q, b, c);
	return (c->slot[0].flags & (CSUMS | RAWNET_TX_TSO)) ? send_offloaded(q, b, c)
							    : send_plain(q, b, c);
}
