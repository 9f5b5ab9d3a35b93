/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See tx.h. One packet: take its chain of slots (copied once), copy its bytes once into memory of
 * the daemon, check that copy, do what was asked for, submit. Nothing of the client's is read
 * again, so what was checked is what goes out.
 *
 * A packet to be segmented is gathered into a scratch of the thread and becomes several frames. If
 * the device has no room for all of them, or they are more than the queue's burst, tx_segment
 * remembers how far it got; the next turn gathers and checks again and goes on there. The client's
 * index advances when the last one is out.
 */
#include "tx.h"

#include <string.h>
#include <urcu-qsbr.h>

#include "attachment.h"
#include "backend/backend.h"
#include "police_hint.h"
#include "poller.h"
#include "ring.h"
#include "switch.h"
#include "tap.h"
#include "tx_chain.h"

#define TSO_SCRATCH (RN_TX_TSO_MAX + 64u)

static _Thread_local uint8_t scratch[TSO_SCRATCH];

/* ---- rates granted by the policy ---- */

bool rn_tx_pay(struct rn_queue *q, uint32_t packets, uint32_t bytes)
{
	uint64_t now = rn_poller_now(q->poller);

	rn_bucket_refill(&q->packets, now);
	rn_bucket_refill(&q->bytes, now);
	if (!rn_bucket_has(&q->packets, packets) || !rn_bucket_has(&q->bytes, bytes)) {
		q->rest = RN_TX_REST_TURNS;
		q->rest_end = now + RN_TX_REST_NS;
		return false;
	}
	rn_bucket_take(&q->packets, packets);
	rn_bucket_take(&q->bytes, bytes);
	return true;
}

/* ---- one packet ---- */

/* The checks on the copy, the same for whole frames and for packets to be segmented. */
static int check_copy(struct rn_queue *q, const struct rn_chain *c, const uint8_t *copy)
{
	const struct rawnet_slot *first = &c->slot[0];
	const uint16_t uses_lengths = RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM | RAWNET_TX_TSO;
	int why = q->police ? rn_police(q, copy, c->len, rn_chain_tci(first)) : 0;

	if (!why && (first->flags & uses_lengths) && !rn_offload_check(copy, c->len, first))
		why = RAWNET_Q_TX_DROP_SHAPE;
	return why;
}

/* Checksums that the daemon made, as a receiver sees them. */
static uint16_t made(const struct rawnet_slot *first, const uint8_t *frame)
{
	const uint16_t flags = first->flags;
	uint16_t ok = 0;

	if (flags & (RAWNET_TX_L4_CSUM | RAWNET_TX_TSO))
		ok |= RAWNET_RX_L4_OK;
	if ((flags & RAWNET_TX_IP_CSUM) ||
	    ((flags & RAWNET_TX_TSO) && frame[first->u.tx.l2_len] >> 4 == 4))
		ok |= RAWNET_RX_L3_OK;
	return ok;
}

static void submit(struct rn_queue *q, const struct rn_tx_way *way, void *ctx, uint8_t *room,
		   uint32_t len, const struct rawnet_slot *first)
{
	const struct rn_macs *macs = rn_switch_on(q->hwq->port);
	const int tci = rn_chain_tci(first);
	const uint16_t ok = macs ? made(first, room) : 0;

	if (tci >= 0) {
		len = rn_offload_vlan(room, len, (uint16_t)tci);
		rn_count(q, RAWNET_Q_TX_SW_VLAN, 1);
	}
	if (__builtin_expect(rcu_dereference(q->hwq->port->taps) != NULL, 0))
		rn_tap_tx(q, room, len);
	if (macs && rn_switch_may(q, macs, room) && rn_switch_frame(q, room, len, ok))
		way->skip(ctx);
	else
		way->submit(ctx, len);
	rn_count(q, RAWNET_Q_TX_PACKETS, 1);
	rn_count(q, RAWNET_Q_TX_BYTES, len);
}

static enum rn_tx_verdict drop(struct rn_queue *q, int why)
{
	rn_count(q, (enum rawnet_queue_counter)why, 1);
	return RN_TX_DROPPED;
}

int rn_tx_judge(struct rn_queue *q, const struct rn_chain *c)
{
	rn_chain_gather(q, c, scratch, c->len);
	return rn_police(q, scratch, c->len, rn_chain_tci(&c->slot[0]));
}

static uint32_t tag_of(const struct rn_chain *c)
{
	return rn_chain_tci(&c->slot[0]) >= 0 ? RN_VLAN_TAG : 0;
}

static enum rn_tx_verdict send_frame(struct rn_queue *q, const struct rn_chain *c,
				     const struct rn_tx_way *way, void *ctx)
{
	const struct rawnet_slot *first = &c->slot[0];
	uint8_t *room = way->reserve(ctx);
	int why;

	if (!room)
		return RN_TX_FULL;
	rn_chain_gather(q, c, room, c->len);
	why = check_copy(q, c, room);
	if (why)
		return drop(q, why);
	if (q->limited && !rn_tx_pay(q, 1, c->len + tag_of(c)))
		return drop(q, RAWNET_Q_TX_DROP_RATE);
	if (first->flags & (RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM))
		rn_count(q, RAWNET_Q_TX_SW_CSUM, rn_offload_csum(room, c->len, first));
	submit(q, way, ctx, room, c->len, first);
	return RN_TX_SENT;
}

/*
 * What is left of n frames is paid before it goes, with the headers and tag of each. Of a packet
 * that was sent in part the client may have made another one since: what is more than was paid for
 * is paid then.
 */
static bool pay_segments(struct rn_queue *q, const struct rn_chain *c, uint32_t n, uint32_t header)
{
	uint32_t frames = n - q->tx_segment, done = q->tx_segment * c->slot[0].u.tx.tso_mss;
	uint32_t bytes, more, more_bytes;

	if (q->tx_segment >= n)
		return true;
	bytes = c->len - header - done + frames * (header + tag_of(c));
	more = frames > q->tx_paid ? frames - q->tx_paid : 0;
	more_bytes = bytes > q->tx_paid_bytes ? bytes - q->tx_paid_bytes : 0;
	if ((more || more_bytes) && !rn_tx_pay(q, more, more_bytes))
		return false;
	q->tx_paid += more;
	q->tx_paid_bytes += more_bytes;
	return true;
}

static enum rn_tx_verdict send_segments(struct rn_queue *q, const struct rn_chain *c,
					const struct rn_tx_way *way, void *ctx)
{
	const struct rawnet_slot *first = &c->slot[0];
	const bool limited = q->limited;
	uint32_t header, longest;
	unsigned n;
	int why;

	if (!way->reserve(ctx))
		return RN_TX_FULL;
	rn_chain_gather(q, c, scratch, c->len);
	why = check_copy(q, c, scratch);
	if (why)
		return drop(q, why);
	n = rn_offload_segments(scratch, c->len, first);
	if (!n)
		return drop(q, RAWNET_Q_TX_DROP_SHAPE);
	header = (uint32_t)first->u.tx.l2_len + first->u.tx.l3_len + first->u.tx.l4_len;
	longest = header + first->u.tx.tso_mss;
	if (longest > rn_chain_longest(q->hwq->port))
		return drop(q, RAWNET_Q_TX_DROP_LONG);
	if (limited && !pay_segments(q, c, n, header))
		return drop(q, RAWNET_Q_TX_DROP_RATE);
	for (; q->tx_segment < n; q->tx_segment++) {
		uint8_t *room = way->reserve(ctx);
		uint32_t len;

		if (!room)
			return RN_TX_FULL;
		len = rn_offload_segment(scratch, c->len, first, q->tx_segment, room);
		submit(q, way, ctx, room, len, first);
		rn_count(q, RAWNET_Q_TX_SW_TSO, 1);
		q->tx_paid -= limited;
		q->tx_paid_bytes -= limited ? len + tag_of(c) : 0;
	}
	return RN_TX_SENT;
}

enum rn_tx_verdict rn_tx_copy(struct rn_queue *q, const struct rn_chain *c,
			      const struct rn_tx_way *way, void *ctx)
{
	enum rn_tx_verdict v;
	int why = rn_chain_check_for(q, c, rn_chain_longest(q->hwq->port));

	if (why)
		return drop(q, why);
	if (!__atomic_load_n(&q->hwq->port->link_up, __ATOMIC_RELAXED))
		return drop(q, RAWNET_Q_TX_DROP_DOWN);
	v = (c->slot[0].flags & RAWNET_TX_TSO) ? send_segments(q, c, way, ctx)
					       : send_frame(q, c, way, ctx);
	if (v != RN_TX_FULL)
		q->tx_segment = q->tx_paid = q->tx_paid_bytes = 0;
	return v;
}

/* ---- the hardware queue's way ---- */

/* A budget of frames: what is spent looks like a device that is full. */
struct budget {
	struct rn_hwq *hwq;
	unsigned left;
};

static uint8_t *hwq_reserve(void *ctx)
{
	struct budget *b = ctx;

	return b->left ? b->hwq->port->backend->tx_reserve(b->hwq) : NULL;
}

static void hwq_submit(void *ctx, uint32_t len)
{
	struct budget *b = ctx;

	b->left--;
	b->hwq->port->backend->tx_submit(b->hwq, len);
}

static void hwq_skip(void *ctx)
{
	((struct budget *)ctx)->left--;
}

/* ---- a burst of plain packets ---- */

/* One slot, no request, whole lines inside packet memory. */
static inline bool is_plain(const struct rn_queue *q, const struct rawnet_slot *s, uint32_t longest)
{
	return !s->flags && s->len >= RN_TX_ETH && s->len <= longest &&
	       rn_in_range(s->off, (s->len + RN_TX_LINE - 1u) & ~(RN_TX_LINE - 1u), q->mem_size);
}

/*
 * The plain packets at the front of the ring, at most `most`: what rn_tx_copy() does with each, but
 * what is the same for all is looked at once, and nothing waits for the memory of the next.
 * Anything else, or a backend without room, ends it: the general way goes on there.
 */
static unsigned run_plain(struct rn_queue *q, unsigned most)
{
	struct rn_hwq *hwq = q->hwq;
	const struct rn_backend *be = hwq->port->backend;
	const struct rn_macs *macs = rn_switch_on(hwq->port);
	const uint32_t longest = rn_chain_longest(hwq->port);
	struct rn_ring *r = &q->tx;
	uint64_t packets = 0, bytes = 0;
	unsigned n;

	if (q->limited || q->tx_segment ||
	    !__atomic_load_n(&hwq->port->link_up, __ATOMIC_RELAXED) ||
	    rcu_dereference(hwq->port->taps))
		return 0;
	if (most > r->client - r->daemon)
		most = r->client - r->daemon;
	for (n = 0; n < most && n < RN_TX_AHEAD; n++)
		rn_chain_ask_for(q, r->daemon + n);
	for (n = 0; n < most; n++) {
		const struct rawnet_slot s = rn_slot_copy(&r->slots[r->daemon & r->mask]);
		uint8_t *room;

		if (n + RN_TX_AHEAD < most)
			rn_chain_ask_for(q, r->daemon + RN_TX_AHEAD);
		if (!is_plain(q, &s, longest) || !(room = be->tx_reserve(hwq)))
			break;
		rn_copy_lines(room, q->mem + s.off, s.len);
		r->daemon++;
		if (q->police && !rn_police_hinted(q, room, s.len, -1)) {
			int why = rn_police(q, room, s.len, -1);

			if (why) {
				drop(q, why);
				continue;
			}
		}
		if (!macs || !rn_switch_may(q, macs, room) || !rn_switch_frame(q, room, s.len, 0))
			be->tx_submit(hwq, s.len);
		packets++;
		bytes += s.len;
	}
	rn_count(q, RAWNET_Q_TX_PACKETS, packets);
	rn_count(q, RAWNET_Q_TX_BYTES, bytes);
	return n;
}

/* ---- all of a turn ---- */

unsigned rn_tx_run(struct rn_queue *q, unsigned budget)
{
	static const struct rn_tx_way way = {hwq_reserve, hwq_submit, hwq_skip};
	struct budget b = {.hwq = q->hwq, .left = budget};
	struct rn_ring *r = &q->tx;
	struct rn_chain c;

	if (r->client - r->daemon < budget && rn_ring_look(r) < 0) {
		rn_queue_fault(q, RAWNET_BYE_RING);
		return 0;
	}
	if (r->client == r->daemon)
		return 0;
	b.left -= run_plain(q, budget);
	while (b.left && r->client != r->daemon) {
		enum rn_tx_verdict v;

		if (!rn_chain_take(r, r->daemon, &c)) {
			rn_queue_fault(q, RAWNET_BYE_RING);
			break;
		}
		v = rn_tx_copy(q, &c, &way, &b);
		if (v == RN_TX_FULL)
			break;
		b.left -= v == RN_TX_DROPPED;
		r->daemon += c.n;
	}
	if (b.left < budget)
		rn_poller_touch(q->poller, q);
	return budget - b.left;
}
