/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive: completions to slots, posted slots to receive requests. The NIC wrote the packet into
 * the client's buffer; nothing is copied, and nothing of it is read.
 *
 * Of the rx ring [daemon, next) is with the device. Requests complete in order, so the packet of a
 * completion goes into the slot at `daemon`, with the buffer that the request named (wr_id): the
 * slot's own content is the client's to rewrite, and is not read again.
 *
 * The sentinel. When the device has no buffer left, because the client posts none, one request
 * without a slot is posted, into memory of the daemon. Its packet is copied to the client if there
 * is a slot by then, and dropped and counted if not. Without it libibverbs would say nothing of
 * packets that find no buffer, and a sleeping poller would not see the client post again.
 */

#include "../../attachment.h"
#include "../../poller.h"
#include "../../ring.h"
#include "verbs.h"

#define BAD_SLOT (1ull << 63) /* in wr_id: the slot named no buffer; the rest is what it said */
#define SENTINEL (1ull << 62) /* no slot's: see below */
/* between those and the offset */
#define EPOCH(v)   ((uint64_t)((v)->rx_epoch & 0x3fffffffu) << 32)
#define EPOCH_BITS (0x3fffffffull << 32)
#define GROUP	   8u /* slots that are worth a call */

/* ---- posting ---- */

static void describe(const struct rn_queue *q, const struct rawnet_slot *slot,
		     struct ibv_recv_wr *wr, struct ibv_sge *sge)
{
	const struct rn_rdma_mem *mem = rn_rdma_queue_of(q)->mem;
	uint32_t off = __atomic_load_n(&slot->off, __ATOMIC_RELAXED), buf = off >> q->buf_shift;

	sge->length = (1u << q->buf_shift) - q->headroom;
	if (buf < q->n_bufs) {
		off = (buf << q->buf_shift) + q->headroom;
		sge->addr = (uintptr_t)(q->mem + off);
		sge->lkey = mem->packets->lkey;
		wr->wr_id = off;
	} else {
		sge->addr = (uintptr_t)mem->trash;
		sge->lkey = mem->trash_mr->lkey;
		wr->wr_id = BAD_SLOT | off;
	}
	wr->wr_id |= EPOCH(verbs_queue_of(q));
	wr->sg_list = sge;
	wr->num_sge = 1;
}

/* The first n of them are with the device. */
static void book(struct rn_queue *q, const struct ibv_recv_wr *wr, uint32_t n)
{
	struct verbs_queue *v = verbs_queue_of(q);

	for (uint32_t i = 0; i < n; i++)
		v->ids[v->rx_posted++ & q->rx.mask] = wr[i].wr_id;
}

static uint32_t post(struct rn_queue *q, uint32_t n)
{
	struct ibv_recv_wr wr[RN_VERBS_BURST], *bad = NULL;
	struct ibv_sge sge[RN_VERBS_BURST];
	struct rn_ring *r = &q->rx;

	for (uint32_t i = 0; i < n; i++) {
		describe(q, &r->slots[(r->next + i) & r->mask], &wr[i], &sge[i]);
		wr[i].next = i + 1 < n ? &wr[i + 1] : NULL;
	}
	if (ibv_post_wq_recv(rn_rdma_queue_of(q)->wq, wr, &bad))
		n = bad ? (uint32_t)(bad - wr) : 0;
	book(q, wr, n);
	r->next += n;
	rn_rdma_fed(q);
	return n;
}

static void post_sentinel(struct rn_queue *q)
{
	struct verbs_queue *v = verbs_queue_of(q);
	struct ibv_sge sge = {(uintptr_t)v->sentinel_mem, (1u << q->buf_shift) - q->headroom,
			      v->copies->lkey};
	struct ibv_recv_wr wr = {.wr_id = SENTINEL | EPOCH(v), .sg_list = &sge, .num_sge = 1}, *bad;

	v->sentinel = !ibv_post_wq_recv(rn_rdma_queue_of(q)->wq, &wr, &bad);
	if (v->sentinel)
		book(q, &wr, 1);
}

void verbs_refill(struct rn_queue *q)
{
	struct verbs_queue *v = verbs_queue_of(q);
	struct rn_ring *r = &q->rx;
	uint32_t spare = rn_rdma_spare(q), n, room;

	if (r->client - r->next < spare + GROUP && rn_ring_look(r) < 0) {
		rn_queue_fault(q, RAWNET_BYE_RING);
		return;
	}
	if (v->sentinel && !spare)
		spare = 1; /* for its packet */
	while ((n = r->client - r->next) > spare) {
		n -= spare;
		room = r->mask + 1 - (r->next - r->daemon) - v->sentinel;
		if (n > room)
			n = room;
		if (!n || (n < GROUP && r->next - r->daemon >= GROUP))
			return;
		if (!post(q, n < RN_VERBS_BURST ? n : RN_VERBS_BURST))
			return;
	}
	if (r->next == r->daemon && !v->sentinel)
		post_sentinel(q);
}

/* ---- completions ---- */

static void store_slot(struct rn_queue *q, struct rawnet_slot done)
{
	uint64_t *slot = (void *)&q->rx.slots[q->rx.daemon & q->rx.mask];
	uint64_t w[2];

	memcpy(w, &done, sizeof(w));
	__atomic_store_n(slot, w[0], __ATOMIC_RELAXED);
	__atomic_store_n(slot + 1, w[1], __ATOMIC_RELAXED);
	q->rx.daemon++;
}

/* What the burst adds up to. */
struct burst {
	uint64_t packets, bytes; /* to slots, without a copy */
	uint64_t copied_packets, copied_bytes; /* counted for the queue where they are copied */
	uint64_t stamp;
};

/* The packet is in memory of the daemon: a copy for the client, if it has posted a slot since. */
static void take_sentinels(struct rn_queue *q, struct verbs_queue *v, struct burst *b, uint32_t len,
			   uint32_t index, uint16_t flags)
{
	const struct rn_frame f = {
		.n_pieces = 1,
		.len = len,
		.tci = -1,
		.flags = flags,
		.piece = {{v->sentinel_mem, len}},
	};

	v->sentinel = false;
	b->copied_packets++;
	b->copied_bytes += len;
	rn_deliver_first(q, &f, index);
}

/* A request came back without a packet: its buffer is the client's again. */
static void lose(struct rn_queue *q, struct verbs_queue *v, uint64_t id)
{
	struct rawnet_slot s = {.off = (uint32_t)id, .flags = RAWNET_RX_ERROR};

	if (id & SENTINEL)
		v->sentinel = false;
	else
		store_slot(q, s);
}

/* A frame longer than its buffer costs one request and nothing else; any other error, the queue. */
static void take_error(struct rn_queue *q, struct verbs_queue *v)
{
	uint64_t *port = q->hwq->counters->v;

	if (v->rx_cq->status != IBV_WC_LOC_LEN_ERR) {
		rn_count(q, RAWNET_Q_RX_ERRORS, 1);
		rn_rdma_broke(q, &v->rx_state);
		return;
	}
	lose(q, v, v->rx_cq->wr_id);
	v->rx_done++;
	rn_count(q, RAWNET_Q_RX_DROP_LONG, 1);
	__atomic_store_n(&port[RAWNET_P_RX_DROP_LONG], port[RAWNET_P_RX_DROP_LONG] + 1,
			 __ATOMIC_RELAXED);
}

/* It was mended: the device has nothing; what it had comes back unused. */
static void begin_anew(struct rn_queue *q, struct verbs_queue *v)
{
	for (; v->rx_done != v->rx_posted; v->rx_done++)
		lose(q, v, v->ids[v->rx_done & q->rx.mask]);
	v->rx_epoch++;
	rn_count(q, RAWNET_Q_MENDED, 1);
	rn_poller_touch(q->poller, q);
}

void verbs_queue_recall(struct rn_queue *q)
{
	const struct verbs_queue *v = verbs_queue_of(q);
	uint32_t at = q->rx.daemon;

	for (uint32_t i = v->rx_done; i != v->rx_posted; i++) {
		uint64_t id = v->ids[i & q->rx.mask];

		if (!(id & SENTINEL))
			__atomic_store_n(&q->rx.slots[at++ & q->rx.mask].off, (uint32_t)id,
					 __ATOMIC_RELAXED);
	}
}

static bool is_broken(const struct verbs_queue *v)
{
	return __atomic_load_n(&v->rx_state, __ATOMIC_RELAXED) == RN_RDMA_BROKEN;
}

/* One good completion. */
static void take(struct rn_queue *q, struct verbs_queue *v, struct burst *b)
{
	struct ibv_cq_ex *cq = v->rx_cq;
	struct rawnet_slot s = {.off = (uint32_t)cq->wr_id};
	uint32_t len = ibv_wc_read_byte_len(cq), index;

	v->rx_done++;
	if (cq->wr_id & BAD_SLOT) {
		s.flags = RAWNET_RX_ERROR;
		store_slot(q, s);
		rn_count(q, RAWNET_Q_RX_DROP_SLOT, 1);
		return;
	}
	s.len = (uint16_t)len;
	index = rn_tag_index(&v->tag, q, ibv_wc_read_flow_tag(cq));
	if (ibv_wc_read_wc_flags(cq) & IBV_WC_IP_CSUM_OK)
		s.flags |= RAWNET_RX_L3_OK | RAWNET_RX_L4_OK;
	if (cq->wr_id & SENTINEL) {
		take_sentinels(q, v, b, len, index, s.flags);
		return;
	}
	if (index < 0xffff) {
		s.flags |= RAWNET_RX_RULE;
		s.u.rx.rule = (uint16_t)index;
	}
	if (q->stamps) {
		q->stamps[q->rx.daemon & q->rx.mask] = b->stamp;
		s.flags |= RAWNET_RX_STAMP;
	}
	store_slot(q, s);
	b->packets++;
	b->bytes += len;
}

static void count(struct rn_queue *q, const struct burst *b)
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

unsigned verbs_queue_rx(struct rn_queue *q, unsigned budget)
{
	struct verbs_queue *v = verbs_queue_of(q);
	struct ibv_poll_cq_attr attr = {0};
	struct burst b = {0};
	unsigned n = 0;
	bool anew;

	if (!rn_rdma_usable(&v->rx_state, &anew))
		return 0;
	if (anew)
		begin_anew(q, v);
	rn_rdma_awake(q);
	if (!ibv_start_poll(v->rx_cq, &attr)) {
		b.stamp = q->stamps ? rn_wall_ns() : 0;
		rn_tag_begin(&v->tag, q->hwq->port->steer);
		do {
			if ((v->rx_cq->wr_id ^ EPOCH(v)) & EPOCH_BITS)
				continue; /* of before it was mended */
			if (v->rx_cq->status == IBV_WC_SUCCESS)
				take(q, v, &b);
			else
				take_error(q, v);
			n++;
		} while (n < budget && !is_broken(v) && !ibv_next_poll(v->rx_cq));
		ibv_end_poll(v->rx_cq);
		count(q, &b);
		if (n)
			rn_poller_touch(q->poller, q);
	}
	if (!q->dead && !is_broken(v))
		verbs_refill(q);
	return n;
}

/* The look after the request: a completion that came before it makes no event. */
enum rn_armed verbs_queue_arm(struct rn_queue *q)
{
	struct verbs_queue *v = verbs_queue_of(q);

	verbs_hwq_of(q->hwq)->armed = true;
	if (ibv_req_notify_cq(v->rdma.rx_cq, 0) || verbs_queue_rx(q, RN_POLLER_BURST))
		return RN_NOT_ARMED;
	return rn_rdma_armed(q, q->rx.next - q->rx.daemon);
}
