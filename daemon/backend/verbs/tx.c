/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transmit: chains of slots to send requests. See verbs.h for the indexes.
 *
 * Of the tx ring [daemon, next) has been looked at. `daemon` advances when the requests made of
 * those slots have completed; dropped packets go with the request before them, or at once if there
 * is none. The last request of each call asks for a completion, so nothing waits for ever.
 */
#include <urcu-qsbr.h>

#include "../../poller.h"
#include "../../ring.h"
#include "../../tx.h"
#include "../../tx_chain.h"
#include "send.h"

/* ---- whole copies, by the common code ---- */

static uint8_t *frame_of(const struct verbs_queue *v, uint32_t frame)
{
	return v->memory + (size_t)(v->mask + 1) * RN_VERBS_ROOM +
	       (size_t)(frame % RN_VERBS_FRAMES) * v->frame_size;
}

static uint8_t *frame_reserve(void *ctx)
{
	struct verbs_queue *v = ((struct rn_queue *)ctx)->hw;

	if (!verbs_room(v) || !v->n_local || v->frame_posted - v->frame_done == RN_VERBS_FRAMES)
		return NULL;
	return frame_of(v, v->frame_posted);
}

static void frame_submit(void *ctx, uint32_t len)
{
	struct rn_queue *q = ctx;
	struct verbs_queue *v = q->hw;

	verbs_add_plain(v, verbs_piece(frame_of(v, v->frame_posted++), len, v->copies->lkey));
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

	h->copy = tso ? v->tso + (size_t)v->n_wr * RN_VERBS_TSO : verbs_head(v, v->posted);
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
	struct ibv_send_wr *wr = verbs_add(v);
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
		wr->sg_list[wr->num_sge++] = verbs_piece(h->copy, head, v->copies->lkey);
	}
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t len = c->slot[i].len, cut = skip < len ? skip : len;

		skip -= cut;
		if (len > cut)
			wr->sg_list[wr->num_sge++] = verbs_piece(q->mem + c->slot[i].off + cut,
								 len - cut,
								 v->rdma.mem->packets->lkey);
	}
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

	if (!verbs_room(v))
		return RN_TX_FULL;
	/* Who captures gets whole frames; what is wrong, or half done, is the common code's too. */
	if (q->tx_segment || !__atomic_load_n(&port->link_up, __ATOMIC_RELAXED) ||
	    rcu_dereference(port->taps) || rn_chain_check_for(q, c, rn_chain_longest(port)) ||
	    !plan_head(q, v, c, &h))
		return rn_tx_copy(q, c, &way, q);
	return send_by_head(q, v, c, &h);
}

/* ---- the ring ---- */

/* Requests that are under way do not wait for their completions to be seen while there is other
 * work, and room for it: in the queue, and in the client's ring. */
static bool has_to_reap(const struct rn_queue *q, const struct verbs_queue *v)
{
	return q->tx.client == q->tx.next || v->posted - v->done > v->mask / 2 ||
	       q->tx.next - q->tx.daemon > q->tx.mask / 2 || v->frame_posted != v->frame_done;
}

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
		verbs_send_anew(q, v);
	if (r->client - r->next < budget && rn_ring_look(r) < 0) {
		rn_queue_fault(q, RAWNET_BYE_RING);
		return 0;
	}
	if (has_to_reap(q, v) && !verbs_reap(q, v))
		return 0;
	v->n_local = budget;
	for (n = 0; !q->dead;) {
		n += verbs_run(q, v, budget - n);
		if (n == budget || r->client == r->next)
			break;
		if (!rn_chain_take(r, r->next, &c)) {
			rn_queue_fault(q, RAWNET_BYE_RING);
			break;
		}
		if (send_one(q, v, &c) == RN_TX_FULL)
			break;
		verbs_pass(q, v, c.n);
		n++;
	}
	verbs_ring(q, v);
	rn_rdma_count_sent(q, &sent);
	if (n)
		rn_poller_touch(q->poller, q);
	return n;
}
