/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transmit: chains of slots to send requests. See verbs.h for the indexes.
 *
 * Of the tx ring [daemon, next) has been looked at. `daemon` advances when the requests made of
 * those slots have completed; dropped packets go with the request before them, or at once if there
 * is none. The last request of each call asks for a completion, so nothing waits for ever.
 */
#include <urcu-qsbr.h>

#include "../../police_hint.h"
#include "../../poller.h"
#include "../../ring.h"
#include "../../tx.h"
#include "../../tx_chain.h"
#include "verbs.h"

/* ---- completions ---- */

/* Epoch and number. */
static uint64_t id_of(const struct verbs_queue *v, uint32_t request)
{
	return (uint64_t)v->tx_epoch << 32 | request;
}

/* Of before the queue was mended: its request counts as lost already. */
static bool is_stale(const struct verbs_queue *v, uint64_t id)
{
	return id >> 32 != v->tx_epoch || (uint32_t)id - v->done >= v->posted - v->done;
}

/* False: the device reports an error. */
static bool reap(struct rn_queue *q, struct verbs_queue *v)
{
	struct ibv_wc wc[8];
	int n;

	if (v->posted == v->done)
		return true;
	n = ibv_poll_cq(v->rdma.tx_cq, 8, wc);
	if (n < 0)
		rn_queue_fault(q, RAWNET_BYE_DEVICE);
	if (n > 0)
		rn_poller_touch(q->poller, q);
	for (int i = 0; i < n; i++) {
		const bool failed = wc[i].status != IBV_WC_SUCCESS;
		uint32_t end = (uint32_t)wc[i].wr_id + 1;

		if (failed)
			rn_count(q, RAWNET_Q_TX_ERRORS, 1);
		if (is_stale(v, wc[i].wr_id))
			continue;
		if (failed) {
			rn_rdma_broke(q, &v->tx_state);
			return false;
		}
		for (; v->done != end; v->done++)
			v->frame_done += v->fifo[v->done & v->mask].frames;
		q->tx.daemon = v->fifo[(end - 1) & v->mask].slot_end;
	}
	return true;
}

/* ---- requests ---- */

static uint8_t *head_of(const struct verbs_queue *v, uint32_t request)
{
	return v->memory + (size_t)(request & v->mask) * RN_VERBS_ROOM;
}

static uint8_t *frame_of(const struct verbs_queue *v, uint32_t frame)
{
	return v->memory + (size_t)(v->mask + 1) * RN_VERBS_ROOM +
	       (size_t)(frame % RN_VERBS_FRAMES) * v->frame_size;
}

static bool full(const struct verbs_queue *v)
{
	return v->posted - v->done > v->mask;
}

/* The next request of this call, without pieces yet. Of its many fields those that a request of
 * ours uses; what leads from it to the next, and to its pieces, was set when the queue was made. */
static struct ibv_send_wr *begin(struct verbs_queue *v)
{
	struct ibv_send_wr *wr = &v->wr[v->n_wr];

	wr->wr_id = id_of(v, v->posted);
	wr->num_sge = 0;
	wr->opcode = IBV_WR_SEND;
	wr->send_flags = 0;
	return wr;
}

static void piece(struct ibv_send_wr *wr, const void *data, uint32_t len, uint32_t lkey)
{
	wr->sg_list[wr->num_sge++] = (struct ibv_sge) {(uintptr_t)data, len, lkey};
}

static void end(struct verbs_queue *v, uint32_t frames)
{
	v->fifo[v->posted & v->mask].frames = frames;
	v->posted++;
	v->n_wr++;
}

/* How far the slots are the client's again, or who gives them back. */
static void pass_slots(struct rn_queue *q, struct verbs_queue *v)
{
	if (v->posted == v->done)
		q->tx.daemon = q->tx.next;
	else
		v->fifo[(v->posted - 1) & v->mask].slot_end = q->tx.next;
}

/* Requests that never complete, from this number on: their packets are lost. */
static void lose_from(struct rn_queue *q, struct verbs_queue *v, uint32_t first)
{
	rn_count(q, RAWNET_Q_TX_DROP_DEVICE, v->posted - first);
	while (v->posted != first)
		v->frame_posted -= v->fifo[--v->posted & v->mask].frames;
	pass_slots(q, v);
}

/* It was mended: what was with the device is lost. */
static void begin_anew(struct rn_queue *q, struct verbs_queue *v)
{
	lose_from(q, v, v->done);
	v->tx_epoch++;
	rn_count(q, RAWNET_Q_MENDED, 1);
	rn_poller_touch(q->poller, q);
}

/* What the device does not take is lost. */
static void ring(struct rn_queue *q, struct verbs_queue *v)
{
	struct ibv_send_wr *bad, *last;
	int rc;

	if (!v->n_wr)
		return;
	last = &v->wr[v->n_wr - 1];
	last->send_flags |= IBV_SEND_SIGNALED;
	last->next = NULL;
	v->n_wr = 0;
	q->hwq->kick = true;
	rc = ibv_post_send(v->rdma.qp, v->wr, &bad);
	last->next = last + 1;
	if (!rc)
		return;
	lose_from(q, v, (uint32_t)bad->wr_id);
	rn_rdma_broke(q, &v->tx_state);
}

/* ---- whole copies, by the common code ---- */

static uint8_t *frame_reserve(void *ctx)
{
	struct verbs_queue *v = ((struct rn_queue *)ctx)->hw;

	if (full(v) || v->n_wr == RN_VERBS_BURST || !v->n_local ||
	    v->frame_posted - v->frame_done == RN_VERBS_FRAMES)
		return NULL;
	return frame_of(v, v->frame_posted);
}

static void frame_submit(void *ctx, uint32_t len)
{
	struct rn_queue *q = ctx;
	struct verbs_queue *v = q->hw;

	piece(begin(v), frame_of(v, v->frame_posted), len, v->copies->lkey);
	v->frame_posted++;
	/* Of a packet in segments the slots are needed until the last of them. */
	v->fifo[v->posted & v->mask].slot_end = q->tx.next;
	end(v, 1);
}

static void frame_skip(void *ctx)
{
	((struct verbs_queue *)((struct rn_queue *)ctx)->hw)->n_local--;
}

static const struct rn_tx_way way = {frame_reserve, frame_submit, frame_skip};

/* ---- straight from the client's memory ---- */

#define CSUMS	  (RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM)
#define TCP_LEAST 20u
#define L2_MOST	  18u
#define IP6	  40u

/* The head of a packet, copied and checked, and what goes out. */
struct head {
	uint8_t *copy;
	uint32_t have; /* bytes that were copied */
	uint32_t len; /* of those that are sent from the copy; the tag comes on top */
	uint32_t frames;
};

static enum rn_tx_verdict drop(struct rn_queue *q, int why)
{
	rn_count(q, (enum rawnet_queue_counter)why, 1);
	return RN_TX_DROPPED;
}

/* How much of the packet has to be copied; false: the way of whole copies is the one. */
static bool plan_head(const struct rn_queue *q, const struct verbs_queue *v,
		      const struct rn_chain *c, struct head *h)
{
	const struct rawnet_slot *first = &c->slot[0];
	const bool tso = first->flags & RAWNET_TX_TSO;
	uint32_t l4 = tso && first->u.tx.l4_len > TCP_LEAST ? first->u.tx.l4_len : TCP_LEAST;
	uint32_t need = first->u.tx.l2_len + (uint32_t)first->u.tx.l3_len + l4;

	h->copy = tso ? v->tso + (size_t)v->n_wr * RN_VERBS_TSO : head_of(v, v->posted);
	h->have = h->len = RN_VERBS_HEAD;
	h->frames = 1;
	if (!(first->flags & (CSUMS | RAWNET_TX_TSO))) {
		if (!q->police && !rn_switch_on(q->hwq->port) && !(first->flags & RAWNET_TX_VLAN))
			h->have = h->len = 0;
		return c->len > RN_VERBS_HEAD;
	}
	if (!v->csum || first->u.tx.l2_len > L2_MOST ||
	    need > (tso ? RN_VERBS_TSO : RN_VERBS_ROOM) - RN_VLAN_TAG ||
	    (tso && c->len > v->max_tso))
		return false;
	h->have = need > RN_VERBS_HEAD ? need : RN_VERBS_HEAD;
	if (h->have > c->len)
		h->have = c->len;
	h->len = tso ? need : h->have;
	return true;
}

/* libibverbs fills in both checksums, or none; of IPv6 there is one. */
static bool both_sums(const struct rawnet_slot *first, const uint8_t *copy)
{
	if (copy[first->u.tx.l2_len] >> 4 == 6)
		return first->u.tx.l3_len == IP6; /* extension headers: devices differ */
	return (first->flags & RAWNET_TX_TSO) || (first->flags & CSUMS) == CSUMS;
}

/* With the headers and tags of all segments. */
static uint32_t sent_bytes(const struct rn_chain *c, const struct head *h)
{
	uint32_t tag = rn_chain_tci(&c->slot[0]) >= 0 ? RN_VLAN_TAG : 0;

	return c->len + (h->frames - 1) * h->len + h->frames * tag;
}

/* RN_TX_FULL: this way cannot say; the way of whole copies can. */
static enum rn_tx_verdict check_head(struct rn_queue *q, const struct rn_chain *c, struct head *h)
{
	const struct rn_macs *macs = rn_switch_on(q->hwq->port);
	const struct rawnet_slot *first = &c->slot[0];
	int tci = rn_chain_tci(first), why;

	if (q->police && !rn_police_by_hint(q, h->copy, c->len, tci)) {
		why = rn_tx_judge(q, c); /* all of it; what is sent has to agree */
		if (why)
			return drop(q, why);
		if (!rn_police_by_hint(q, h->copy, c->len, tci))
			return RN_TX_FULL;
	}
	if (macs && h->have && rn_switch_may(q, macs, h->copy))
		return RN_TX_FULL;
	if ((first->flags & (CSUMS | RAWNET_TX_TSO)) &&
	    (!rn_offload_check_head(h->copy, h->have, c->len, first) || !both_sums(first, h->copy)))
		return RN_TX_FULL;
	if (first->flags & RAWNET_TX_TSO) {
		h->frames = rn_offload_segments_head(h->copy, h->have, c->len, first);
		if (!h->frames || c->len == h->len)
			return RN_TX_FULL;
		if (h->len + first->u.tx.tso_mss > rn_chain_longest(q->hwq->port))
			return drop(q, RAWNET_Q_TX_DROP_LONG);
	}
	if (q->limited && !rn_tx_pay(q, h->frames, sent_bytes(c, h)))
		return drop(q, RAWNET_Q_TX_DROP_RATE);
	return RN_TX_SENT;
}

/* The request: head from its copy, the rest from where it is. */
static void put_request(struct rn_queue *q, struct verbs_queue *v, const struct rn_chain *c,
			const struct head *h)
{
	const struct rawnet_slot *first = &c->slot[0];
	struct ibv_send_wr *wr = begin(v);
	uint32_t head = h->len, skip = head; /* what is copied is not sent from where it is */
	int tci = rn_chain_tci(first);

	if (tci >= 0) {
		head = rn_offload_vlan(h->copy, h->len, (uint16_t)tci);
		rn_count(q, RAWNET_Q_TX_SW_VLAN, 1);
	}
	if (first->flags & (CSUMS | RAWNET_TX_TSO))
		wr->send_flags |= IBV_SEND_IP_CSUM;
	if (first->flags & RAWNET_TX_TSO) {
		wr->opcode = IBV_WR_TSO;
		wr->tso.hdr = h->copy;
		wr->tso.hdr_sz = (uint16_t)head;
		wr->tso.mss = first->u.tx.tso_mss;
	} else if (head) {
		piece(wr, h->copy, head, v->copies->lkey);
	}
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t len = c->slot[i].len, cut = skip < len ? skip : len;

		skip -= cut;
		if (len > cut)
			piece(wr, q->mem + c->slot[i].off + cut, len - cut,
			      v->rdma.mem->packets->lkey);
	}
	v->fifo[v->posted & v->mask].slot_end = q->tx.next + c->n;
	end(v, 0);
}

static enum rn_tx_verdict send_by_head(struct rn_queue *q, struct verbs_queue *v,
				       const struct rn_chain *c, struct head *h)
{
	enum rn_tx_verdict verdict;

	rn_chain_gather(q, c, h->copy, h->have);
	verdict = check_head(q, c, h);
	if (verdict != RN_TX_SENT)
		return verdict == RN_TX_FULL ? rn_tx_copy(q, c, &way, q) : verdict;
	put_request(q, v, c, h);
	rn_count(q, RAWNET_Q_TX_PACKETS, h->frames);
	rn_count(q, RAWNET_Q_TX_BYTES, sent_bytes(c, h));
	return RN_TX_SENT;
}

static enum rn_tx_verdict send_one(struct rn_queue *q, struct verbs_queue *v,
				   const struct rn_chain *c)
{
	const struct rn_port *port = q->hwq->port;
	struct head h;

	if (full(v) || v->n_wr == RN_VERBS_BURST)
		return RN_TX_FULL;
	/* Who captures gets whole frames; what is wrong, or half done, is the common code's too. */
	if (q->tx_segment || !__atomic_load_n(&port->link_up, __ATOMIC_RELAXED) ||
	    rcu_dereference(port->taps) || rn_chain_check_for(q, c, rn_chain_longest(port)) ||
	    !plan_head(q, v, c, &h))
		return rn_tx_copy(q, c, &way, q);
	return send_by_head(q, v, c, &h);
}

/* Slots are done with: they go back with the request that needs them last. */
static void pass(struct rn_queue *q, struct verbs_queue *v, uint32_t slots)
{
	q->tx.next += slots;
	pass_slots(q, v);
}

/* ---- runs of plain packets ---- */

/* Bytes of a plain packet that are copied: what policing and the switch look at, or all of a short
 * one. */
static uint32_t copied(const struct rn_queue *q, const struct rn_macs *macs, uint32_t len)
{
	if (!q->police && !macs)
		return 0;
	return len <= RN_VERBS_ROOM ? len : RN_VERBS_HEAD;
}

/* The request of one: false: not allowed, and counted, or (*unsure) for the general way, as what
 * may be for another client of the port (macs). */
static bool put_plain(struct rn_queue *q, struct verbs_queue *v, uint64_t w,
		      const struct rn_macs *macs, struct rn_police_hint *hint, bool *unsure)
{
	const uint32_t len = rn_word_len(w), cut = copied(q, macs, len);
	uint8_t *head = head_of(v, v->posted);
	struct ibv_send_wr *wr;
	int why;

	rn_copy_lines(head, q->mem + rn_word_off(w), cut);
	if (q->police && !rn_police_agrees(hint, head, len, -1)) {
		*unsure = cut < len; /* not all of it is here to be judged */
		if (*unsure)
			return false;
		why = rn_police(q, head, len, -1);
		*hint = q->hint;
		if (why) {
			rn_count(q, (enum rawnet_queue_counter)why, 1);
			return false;
		}
	}
	*unsure = macs && rn_switch_may(q, macs, head);
	if (*unsure)
		return false;
	wr = begin(v);
	if (cut)
		piece(wr, head, cut, v->copies->lkey);
	if (cut < len)
		piece(wr, q->mem + rn_word_off(w) + cut, len - cut, v->rdma.mem->packets->lkey);
	return true;
}

/* The plain packets at the front of the ring, at most `most`: how many. */
static unsigned take_run(struct rn_queue *q, struct verbs_queue *v, uint32_t most)
{
	const struct rn_port *port = q->hwq->port;
	const struct rn_macs *macs = rn_switch_on(port);
	const uint32_t longest = rn_chain_longest(port);
	struct rn_police_hint hint = q->hint;
	uint64_t packets = 0, bytes = 0;
	struct rn_ring *r = &q->tx;
	bool unsure = false;
	uint32_t n = 0;

	if (q->limited || q->tx_segment || rcu_dereference(port->taps) ||
	    !__atomic_load_n(&port->link_up, __ATOMIC_RELAXED))
		return 0;
	if (most > r->client - r->next)
		most = r->client - r->next;
	for (; n < most && !full(v) && v->n_wr < RN_VERBS_BURST; n++) {
		uint64_t w = rn_slot_word(r, r->next);
		uint32_t len = rn_word_len(w);

		if (!rn_is_plain(q, w, longest, (len + RN_TX_LINE - 1) & ~(RN_TX_LINE - 1)))
			break;
		if (put_plain(q, v, w, macs, &hint, &unsure)) {
			v->fifo[v->posted & v->mask].slot_end = r->next + 1;
			end(v, 0);
			packets++;
			bytes += len;
		} else if (unsure) {
			break;
		}
		pass(q, v, 1);
	}
	rn_count(q, RAWNET_Q_TX_PACKETS, packets);
	rn_count(q, RAWNET_Q_TX_BYTES, bytes);
	return n;
}

/* ---- the ring ---- */

unsigned verbs_queue_tx(struct rn_queue *q, unsigned budget)
{
	struct verbs_queue *v = verbs_queue_of(q);
	const struct rn_rdma_sent sent = rn_rdma_sent(q);
	struct rn_ring *r = &q->tx;
	struct rn_chain c;
	unsigned n;
	bool anew;

	if (!rn_rdma_usable(&v->tx_state, &anew))
		return 0;
	if (anew)
		begin_anew(q, v);
	if (!reap(q, v))
		return 0;
	if (r->client - r->next < budget && rn_ring_look(r) < 0) {
		rn_queue_fault(q, RAWNET_BYE_RING);
		return 0;
	}
	v->n_local = budget;
	for (n = 0; !q->dead;) {
		n += take_run(q, v, budget - n);
		if (n == budget || r->client == r->next)
			break;
		if (!rn_chain_take(r, r->next, &c)) {
			rn_queue_fault(q, RAWNET_BYE_RING);
			break;
		}
		if (send_one(q, v, &c) == RN_TX_FULL)
			break;
		pass(q, v, c.n);
		n++;
	}
	ring(q, v);
	rn_rdma_count_sent(q, &sent);
	if (n)
		rn_poller_touch(q->poller, q);
	return n;
}
