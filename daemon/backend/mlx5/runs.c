/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transmit, runs of plain packets: those of one slot that ask for nothing come by the million, so
 * they are taken in loops of their own. One is for packets that nobody looks at (by reference), one
 * for short ones that are checked (inline), one for longer ones (by head). What a loop does not
 * know ends the run.
 *
 * A loop writes into one request, and takes slots up to the end of the ring, so neither room nor
 * index is asked for with each packet.
 */
#include <urcu-qsbr.h>

#include "../../police_hint.h"
#include "../../poller.h"
#include "lanes.h"
#include "ways.h"

/* What all packets of a run are checked by, and what they add up to. What may be for another client
 * of the port ends it. */
struct run {
	struct rn_queue *q;
	struct rn_mlx5_batch *b;
	const struct rn_macs *macs; /* NULL: nothing may */
	uint32_t longest;
	uint64_t packets, bytes;
};

/* The first word of the i-th slot from the next one, before the end of the ring: one load. */
static inline uint64_t next_word(const struct rawnet_slot *next, uint32_t i)
{
	return __atomic_load_n((const uint64_t *)(const void *)&next[i], __ATOMIC_RELAXED);
}

static inline const struct rawnet_slot *next_slot(const struct rn_ring *r)
{
	return &r->slots[r->next & r->mask];
}

/* ---- by reference ---- */

/* Pointers to whole groups at the front of n packets: how many. */
RN_PAIRS static __attribute__((noinline)) uint32_t refer_groups(const struct run *run,
								const struct rawnet_slot *slot,
								uint8_t *at, uint32_t n,
								uint64_t *bytes)
{
	const struct rn_queue *q = run->q;
	const uint32_t longest = rn_least(run->longest, UINT16_MAX);
	const struct rn_lanes_plain plain = rn_lanes_plain(longest, longest, q->mem_size);
	const struct rn_lanes_memory memory = rn_lanes_memory(q->mem, run->b->tx->lkey_be);
	rn_pair sum = rn_pair_same(0, 0);
	uint32_t done = 0;

	if (q->mem_size < longest)
		return 0;
	while (n - done >= RN_LANES_GROUP &&
	       rn_lanes_point(at + done * RN_SEG, &slot[done], &plain, &memory, &sum))
		done += RN_LANES_GROUP;
	*bytes += rn_pair_sum_lane0(sum);
	return done;
}

/* Pointers to the next n packets, or to those before the first that is not plain: how many. */
static __attribute__((noinline)) uint32_t refer_some(struct run *run, uint8_t *at, uint32_t n)
{
	const struct rn_queue *q = run->q;
	const struct rawnet_slot *slot = next_slot(&q->tx);
	const uint64_t mem = (uintptr_t)q->mem;
	const uint32_t lkey = run->b->tx->lkey_be, longest = run->longest;
	uint64_t bytes = 0;
	uint32_t i = 0;

	if (rn_pairs_here())
		i = refer_groups(run, slot, at, n, &bytes);
	at += i * RN_SEG;
	for (; i < n; i++, at += RN_SEG) {
		uint64_t w = next_word(slot, i);

		if (!rn_is_plain(q, w, longest, rn_word_len(w)))
			break;
		rn_data_put(at, rn_word_len(w), lkey, mem + rn_word_off(w));
		bytes += rn_word_len(w);
	}
	run->bytes += bytes;
	return i;
}

/* Not policed, or by the NIC: a pointer each. */
static void refer_run(struct run *run, uint32_t most)
{
	struct rn_mlx5_batch *b = run->b;
	struct rn_ring *r = &run->q->tx;
	const uint32_t mark = rn_send_unchecked(b->tx, run->q->police);
	uint32_t n, did;

	for (; most; most -= did) {
		uint8_t *at = rn_send_slot(b, 1, 0, mark);

		if (!at)
			return;
		n = rn_least(rn_least(most, b->limit - b->ds), rn_to_end(r->next, r->mask));
		did = refer_some(run, at, n);
		if (did)
			rn_send_add(b, did, true);
		r->next += did;
		run->packets += did;
		if (did < n)
			return;
	}
}

/* ---- inline ---- */

#define MOST 256u /* bytes that are copied of a packet */
_Static_assert(RN_MLX5_INLINE <= MOST && MOST % RN_TX_LINE == 0, "whole lines");

static inline uint64_t in_lines(uint64_t len)
{
	return (len + RN_TX_LINE - 1) / RN_TX_LINE * RN_TX_LINE;
}

/* Copies what whole groups at the front of n slots say, if all in them are plain, and asks for the
 * packets: how many. */
RN_PAIRS static __attribute__((noinline)) uint32_t look_at_groups(const struct rn_queue *q,
								  uint32_t longest,
								  const struct rawnet_slot *slot,
								  struct rn_packet *p, uint32_t n)
{
	const struct rn_lanes_plain plain = rn_lanes_plain(longest, MOST, q->mem_size);
	const uint8_t *mem = q->mem;
	uint32_t done = 0;

	if (q->mem_size < MOST)
		return 0;
	for (; n - done >= RN_LANES_GROUP && rn_lanes_packets(&p[done], &slot[done], &plain);
	     done += RN_LANES_GROUP) {
#pragma GCC unroll 8
		for (uint32_t i = 0; i < RN_LANES_GROUP; i++)
			__builtin_prefetch(mem + p[done + i].off);
	}
	return done;
}

/* Copies what the next slots say, up to the first that is not a plain packet of at most `longest`,
 * and asks for the packets: how many. */
static __attribute__((noinline)) uint32_t look(const struct rn_queue *q, uint32_t longest,
					       struct rn_packet *p, uint32_t most)
{
	const struct rawnet_slot *slot = next_slot(&q->tx);
	const uint8_t *mem = q->mem;
	uint32_t i = 0;

	most = rn_least(most, rn_to_end(q->tx.next, q->tx.mask));
	if (rn_pairs_here())
		i = look_at_groups(q, longest, slot, p, most);
	for (; i < most; i++) {
		uint64_t w = next_word(slot, i);

		if (!rn_is_plain(q, w, longest, MOST))
			break;
		__builtin_prefetch(mem + rn_word_off(w));
		p[i] = (struct rn_packet) {rn_word_len(w), rn_word_off(w)};
	}
	return i;
}

/* rn_head_agrees_copied(), or the same by pairs. */
typedef bool agrees_copied(const struct rn_head *h, uint8_t *copy, const uint8_t *from,
			   uint32_t len);

RN_PAIRS static inline bool pairs_agree_copied(const struct rn_head *h, uint8_t *copy,
					       const uint8_t *from, uint32_t len)
{
	rn_pair differs = rn_pair_same(0, 0);

#pragma GCC unroll 2
	for (uint32_t i = 0; i < RN_HEAD_SPAN; i += sizeof(rn_pair)) {
		const rn_pair x = rn_pair_once(rn_pair_at(from + i));
		const rn_pair other = rn_pair_xor(x, rn_pair_at(h->value + i));

		rn_pair_put(copy + i, x);
		differs = rn_pair_or(differs, rn_pair_and(other, rn_pair_at(h->mask + i)));
	}
	return rn_head_fits(h, copy, len) && rn_pair_is_zero(differs);
}

/* Whole lines are copied into the open request, of which the packet's bytes are a part, as long as
 * there is room for them; then the copy is checked. Ends before the first packet that does not
 * agree with `head`, or may be for another client: how many. */
static inline __attribute__((always_inline)) uint32_t copy_each(struct run *run, uint8_t *at,
								const struct rn_head *as,
								const struct rn_packet *p,
								uint32_t n, agrees_copied *agrees)
{
	const struct rn_queue *q = run->q;
	struct rn_mlx5_batch *b = run->b;
	const struct rn_macs *macs = run->macs;
	const struct rn_head head = *as;
	const uint8_t *mem = q->mem, *start = at, *end = b->open + (size_t)b->limit * RN_SEG;
	const struct rn_packet *next = p;
	uint64_t bytes = 0;

	for (; next != p + n; next++) {
		const uint64_t len = next->len;
		const uint8_t *from = mem + next->off;
		uint8_t *copy = at + RN_SEG_INLINE_HEAD;

		if (copy > end - MOST && copy + in_lines(len) > end)
			break;
		if (!agrees(&head, copy, from, (uint32_t)len))
			break;
		if (macs && rn_switch_may(q, macs, copy))
			break;
		if (len > RN_TX_LINE)
			rn_copy_lines(copy + RN_TX_LINE, from + RN_TX_LINE,
				      (uint32_t)len - RN_TX_LINE);
		rn_data_put_inline(at, (uint32_t)len);
		at += (size_t)rn_inline_segs((uint32_t)len) * RN_SEG;
		bytes += len;
	}
	rn_send_add(b, (uint32_t)(at - start) / RN_SEG, false);
	run->bytes += bytes;
	return (uint32_t)(next - p);
}

RN_PAIRS static __attribute__((noinline)) uint32_t copy_some_by_pairs(struct run *run, uint8_t *at,
								      const struct rn_head *as,
								      const struct rn_packet *p,
								      uint32_t n)
{
	return copy_each(run, at, as, p, n, pairs_agree_copied);
}

static __attribute__((noinline)) uint32_t copy_some(struct run *run, uint8_t *at,
						    const struct rn_head *as,
						    const struct rn_packet *p, uint32_t n)
{
	return rn_pairs_here() ? copy_some_by_pairs(run, at, as, p, n)
			       : copy_each(run, at, as, p, n, rn_head_agrees_copied);
}

enum placed {
	PLACED,
	REFUSED, /* by policing, and counted */
	NO_PLACE /* or not sure: the general way goes on there */
};

/* One that the loop does not know: policed as a whole. It has its place, unless there is no room.
 */
static __attribute__((noinline)) enum placed copy_one(struct run *run, uint8_t *at,
						      const struct rn_packet *p)
{
	struct rn_queue *q = run->q;
	uint8_t *copy = at + RN_SEG_INLINE_HEAD;
	uint32_t len = (uint32_t)p->len;
	int why = 0;

	rn_copy_lines(copy, q->mem + p->off, len);
	if (q->police)
		why = rn_police(q, copy, len, -1);
	if (why) {
		rn_count(q, (enum rawnet_queue_counter)why, 1);
		return REFUSED;
	}
	if (run->macs && rn_switch_may(q, run->macs, copy))
		return NO_PLACE;
	rn_data_put_inline(at, len);
	rn_send_add(run->b, rn_inline_segs(len), false);
	run->bytes += len;
	return PLACED;
}

/* Short ones: how many. */
static uint32_t copy_short(struct run *run, uint32_t most)
{
	struct rn_queue *q = run->q;
	struct rn_mlx5_batch *b = run->b;
	struct rn_packet p[RN_POLLER_BURST];
	uint32_t n, i, did;

	n = look(q, rn_least(run->longest, RN_MLX5_INLINE), p, rn_least(most, RN_POLLER_BURST));
	for (i = 0; i < n; i += did) {
		uint32_t segs = (uint32_t)in_lines(p[i].len) / RN_SEG + 1;
		uint8_t *at = rn_send_slot(b, segs, 0, b->tx->vouched_be);
		const struct rn_head *head = rn_police_expects(q);
		enum placed placed;

		if (!at)
			break;
		did = head ? copy_some(run, at, head, &p[i], n - i) : 0;
		run->packets += did;
		if (did)
			continue;
		placed = copy_one(run, at, &p[i]);
		if (placed == NO_PLACE)
			break;
		run->packets += placed == PLACED;
		did = 1;
	}
	q->tx.next += i;
	return i;
}

/* ---- by head ---- */

/* The headers are copied into a request of the packet's own and checked there, the rest is a
 * pointer. False: no room, or not sure. */
static inline bool place_head(struct run *run, uint64_t w, const struct rn_police_hint *hint)
{
	const uint32_t segs = rn_header_segs(RN_MLX5_HEAD);
	struct rn_queue *q = run->q;
	struct rn_mlx5_batch *b = run->b;
	uint8_t *wqe = rn_send_room(b, rn_wqe_blocks(segs + 1));

	if (!wqe)
		return false;
	memcpy(wqe + RN_INLINE_AT, q->mem + rn_word_off(w), RN_MLX5_HEAD);
	if ((q->police &&
	     __builtin_expect(!rn_police_agrees(hint, wqe + RN_INLINE_AT, rn_word_len(w), -1),
			      0)) ||
	    (run->macs && rn_switch_may(q, run->macs, wqe + RN_INLINE_AT)))
		return false;
	rn_eth_put_behind(wqe + RN_SEG, 0, 0, RN_MLX5_HEAD);
	rn_eth_mark(wqe + RN_SEG, b->tx->vouched_be);
	rn_data_put(wqe + segs * RN_SEG, rn_word_len(w) - RN_MLX5_HEAD, b->tx->lkey_be,
		    (uintptr_t)q->mem + rn_word_off(w) + RN_MLX5_HEAD);
	rn_send_finish(b, wqe, RN_OP_SEND, segs + 1, true);
	return true;
}

/* Longer ones: how many. */
static uint32_t copy_long(struct run *run, uint32_t most)
{
	struct rn_queue *q = run->q;
	const struct rn_police_hint hint = q->hint;
	struct rn_ring *r = &q->tx;
	uint32_t n;

	rn_send_close(run->b);
	for (n = 0; n < most && n < RN_TX_AHEAD; n++)
		rn_chain_ask_for(q, r->next + n);
	for (n = 0; n < most; n++) {
		uint64_t w = rn_slot_word(r, r->next + n);
		uint32_t len = rn_word_len(w);

		if (len <= RN_MLX5_INLINE || !rn_is_plain(q, w, run->longest, len))
			break;
		if (n + RN_TX_AHEAD < most)
			rn_chain_ask_for(q, r->next + n + RN_TX_AHEAD);
		if (!place_head(run, w, &hint))
			break;
		run->bytes += len;
	}
	r->next += n;
	run->packets += n;
	return n;
}

/* ---- which ---- */

/* Policed by the daemon, or some may be for another client of the port. */
static void copy_run(struct run *run, uint32_t most)
{
	uint32_t did;

	for (; most; most -= did) {
		did = copy_short(run, most);
		if (!did)
			did = copy_long(run, most);
		if (!did)
			return;
	}
}

uint32_t rn_mlx5_run(struct rn_queue *q, struct rn_mlx5_batch *b, uint32_t most)
{
	const struct rn_port *port = q->hwq->port;
	struct run run = {.q = q, .b = b};
	uint32_t before = q->tx.next;

	if (!b->tx->empw || q->limited || q->tx_segment || rcu_dereference(port->taps) ||
	    !__atomic_load_n(&port->link_up, __ATOMIC_RELAXED))
		return 0;
	run.macs = rn_switch_on(port);
	run.longest = rn_chain_longest(port);
	most = rn_least(most, q->tx.client - q->tx.next);
	if (rn_mlx5_refers(q, b->tx, run.macs))
		refer_run(&run, most);
	else
		copy_run(&run, most);
	b->tx->quiet_packets += (uint32_t)run.packets;
	rn_count(q, RAWNET_Q_TX_PACKETS, run.packets);
	rn_count(q, RAWNET_Q_TX_BYTES, run.bytes);
	return q->tx.next - before;
}
