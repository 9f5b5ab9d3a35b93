/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transmit, runs of plain packets: those of one slot that ask for nothing come by the million, so
 * they are taken in loops of their own. What a loop does not know ends the run; tx.c goes on there.
 */
#include <urcu-qsbr.h>

#include "../../police_hint.h"
#include "../../poller.h"
#include "../../tx.h"
#include "../../tx_chain.h"
#include "send.h"

/* What all packets of a run are checked by, and what they add up to. */
struct run {
	struct rn_queue *q;
	struct verbs_queue *v;
	const struct rn_macs *macs; /* NULL: nothing may be for another client of the port */
	uint32_t longest;
	uint64_t packets, bytes;
};

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* How many from an index to the end of a ring. */
static uint32_t to_end(uint32_t at, uint32_t mask)
{
	return mask + 1 - (at & mask);
}

static inline uint32_t in_lines(uint32_t len)
{
	return (len + RN_TX_LINE - 1) / RN_TX_LINE * RN_TX_LINE;
}

/* Copied are whole short packets, and the headers of long ones. */
static inline uint32_t copied(uint32_t len)
{
	return len <= RN_VERBS_ROOM ? len : RN_VERBS_HEAD;
}

/* What a loop reads of the queue, once: the requests that it writes might be anything to a
 * compiler.
 */
struct lists {
	const uint8_t *mem;
	struct ibv_sge *plain; /* of the first packet */
	uint32_t lkey, copies_lkey;
};

static inline struct lists lists_of(const struct rn_queue *q, const struct verbs_queue *v)
{
	return (struct lists) {
		.mem = q->mem,
		.plain = &v->plain[v->n_wr],
		.lkey = v->rdma.mem->packets->lkey,
		.copies_lkey = v->copies->lkey,
	};
}

/* n requests were made. */
static inline void made(struct run *run, uint32_t n, uint64_t bytes)
{
	run->v->posted += n;
	run->v->n_wr += n;
	run->packets += n;
	run->bytes += bytes;
}

/* Nobody looks at them: the device reads them where they are. How many. */
static uint32_t refer_some(struct run *run, uint32_t most)
{
	const struct rn_queue *q = run->q;
	const struct lists l = lists_of(q, run->v);
	const uint32_t longest = run->longest;
	uint64_t bytes = 0;
	uint32_t n;

	most = least(most, verbs_room(run->v));
	for (n = 0; n < most; n++) {
		uint64_t w = rn_slot_word(&q->tx, q->tx.next + n);
		uint32_t len = rn_word_len(w);

		if (!rn_is_plain(q, w, longest, len))
			break;
		l.plain[n] = verbs_piece(l.mem + rn_word_off(w), len, l.lkey);
		bytes += len;
	}
	made(run, n, bytes);
	return n;
}

/* Sent from the copy is the beginning, and the rest from where it is. */
static inline void put(struct verbs_queue *v, const struct lists *l, uint32_t n,
		       const uint8_t *copy, const uint8_t *from, uint32_t len)
{
	const uint32_t cut = copied(len);
	const struct ibv_sge head = verbs_piece(copy, cut, l->copies_lkey);
	struct ibv_send_wr *wr;

	if (cut == len) {
		l->plain[n] = head;
		return;
	}
	wr = verbs_odd(v, v->n_wr + n);
	wr->num_sge = 2;
	wr->sg_list[0] = head;
	wr->sg_list[1] = verbs_piece(from + cut, len - cut, l->lkey);
}

/* Copied as far as they have to be, and checked there. Ends before the first packet that does not
 * agree with `head`, or may be for another client: how many. */
static uint32_t copy_some(struct run *run, const struct rn_head *as, uint32_t most)
{
	const struct rn_queue *q = run->q;
	struct verbs_queue *v = run->v;
	const struct lists l = lists_of(q, v);
	const struct rn_macs *macs = run->macs;
	const struct rn_head head = *as;
	const uint32_t longest = run->longest;
	const struct rn_ring r = {.slots = &q->tx.slots[q->tx.next & q->tx.mask],
				  .mask = q->tx.mask};
	uint8_t *copy = verbs_head(v, v->posted);
	uint64_t bytes = 0;
	uint32_t n;

	most = least(least(most, verbs_room(v)),
		     least(to_end(q->tx.next, q->tx.mask), to_end(v->posted, v->mask)));
	for (n = 0; n < most; n++, copy += RN_VERBS_ROOM) {
		uint64_t w = rn_slot_word(&r, n);
		uint32_t len = rn_word_len(w);
		const uint8_t *from = l.mem + rn_word_off(w);

		if (!rn_is_plain(q, w, longest, in_lines(len)))
			break;
		if (!rn_head_agrees_copied(&head, copy, from, len))
			break;
		if (macs && rn_switch_may(q, macs, copy))
			break;
		if (copied(len) > RN_TX_LINE)
			memcpy(copy + RN_TX_LINE, from + RN_TX_LINE, RN_TX_LINE);
		put(v, &l, n, copy, from, len);
		bytes += len;
	}
	made(run, n, bytes);
	return n;
}
_Static_assert(RN_VERBS_ROOM == 2 * RN_TX_LINE && RN_VERBS_HEAD == RN_TX_LINE, "lines of a copy");

/* A short one that the loop does not know is policed as a whole: 1 if that has settled it. */
static uint32_t copy_one(struct run *run)
{
	struct rn_queue *q = run->q;
	struct verbs_queue *v = run->v;
	const uint64_t w = rn_slot_word(&q->tx, q->tx.next);
	const uint32_t len = rn_word_len(w);
	uint8_t *copy = verbs_head(v, v->posted);
	struct lists l;
	int why = 0;

	if (!verbs_room(v) || len > RN_VERBS_ROOM ||
	    !rn_is_plain(q, w, run->longest, in_lines(len)))
		return 0;
	rn_copy_lines(copy, q->mem + rn_word_off(w), len);
	if (q->police)
		why = rn_police(q, copy, len, -1);
	if (why) {
		rn_count(q, (enum rawnet_queue_counter)why, 1);
		return 1;
	}
	if (run->macs && rn_switch_may(q, run->macs, copy))
		return 0;
	l = lists_of(q, v);
	put(v, &l, 0, copy, copy, len);
	made(run, 1, len);
	return 1;
}

/* One after the other; 0: the run is at its end. */
static uint32_t some(struct run *run, uint32_t most)
{
	const struct rn_head *head = rn_police_expects(run->q);
	uint32_t n;

	if (!run->q->police && !run->macs)
		return refer_some(run, most);
	n = head ? copy_some(run, head, most) : 0;
	return n ? n : copy_one(run);
}

unsigned verbs_run(struct rn_queue *q, struct verbs_queue *v, uint32_t most)
{
	const struct rn_port *port = q->hwq->port;
	struct run run = {.q = q, .v = v};
	uint32_t n, did;

	if (q->limited || q->tx_segment || rcu_dereference(port->taps) ||
	    !__atomic_load_n(&port->link_up, __ATOMIC_RELAXED))
		return 0;
	run.macs = rn_switch_on(port);
	run.longest = rn_chain_longest(port);
	most = least(most, q->tx.client - q->tx.next);
	for (n = 0; n < most; n += did) {
		did = some(&run, most - n);
		if (!did)
			break;
		verbs_pass(q, v, did);
	}
	rn_count(q, RAWNET_Q_TX_PACKETS, run.packets);
	rn_count(q, RAWNET_Q_TX_BYTES, run.bytes);
	return n;
}
