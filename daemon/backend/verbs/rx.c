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
#include "../../tx_chain.h"
#include "verbs.h"

#define BAD_SLOT (1ull << 63) /* in wr_id: the slot named no buffer; the rest is what it said */
#define SENTINEL (1ull << 62) /* no slot's: see below */
/* between those and the offset */
#define EPOCH(v)   ((uint64_t)((v)->rx_epoch & 0x3fffffffu) << 32)
#define EPOCH_BITS (0x3fffffffull << 32)
#define GROUP	   8u /* slots that are worth a call */
/* in the first word of a slot */
#define SUMS_GOOD ((uint64_t)(RAWNET_RX_L3_OK | RAWNET_RX_L4_OK) << 48)

/* ---- posting ---- */

/* What a loop reads of the queue, once: the requests that it writes might be anything to a
 * compiler. */
struct buffers {
	uintptr_t mem;
	uint32_t shift, n, headroom, lkey;
};

static inline struct buffers buffers_of(const struct rn_queue *q, const struct rn_rdma_mem *mem)
{
	return (struct buffers) {(uintptr_t)q->mem, q->buf_shift, q->n_bufs, q->headroom,
				 mem->packets->lkey};
}

/* The request into the buffer of a slot that said `off`: its wr_id. */
static inline uint64_t describe(const struct buffers *b, const struct rn_rdma_mem *mem,
				uint32_t off, struct ibv_sge *sge)
{
	const uint32_t buf = off >> b->shift, size = (1u << b->shift) - b->headroom;

	if (__builtin_expect(buf >= b->n, 0)) {
		*sge = (struct ibv_sge) {(uintptr_t)mem->trash, size, mem->trash_mr->lkey};
		return BAD_SLOT | off;
	}
	off = (buf << b->shift) + b->headroom;
	*sge = (struct ibv_sge) {b->mem + off, size, b->lkey};
	return off;
}

/* For the next n slots: how many the device took. */
static uint32_t post(struct rn_queue *q, uint32_t n)
{
	struct verbs_queue *v = verbs_queue_of(q);
	struct verbs_requests *list = &verbs_hwq_of(q->hwq)->requests;
	const struct rn_rdma_mem *mem = v->rdma.mem;
	const struct buffers buffers = buffers_of(q, mem);
	const uint32_t mask = q->rx.mask, next = q->rx.next, first = v->rx_posted;
	const struct rawnet_slot *slots = q->rx.slots;
	const uint64_t epoch = EPOCH(v);
	uint64_t *ids = v->ids;
	struct ibv_recv_wr *bad = NULL;
	int rc;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t off = __atomic_load_n(&slots[(next + i) & mask].off, __ATOMIC_RELAXED);
		uint64_t id = epoch | describe(&buffers, mem, off, &list->sge[i]);

		ids[(first + i) & mask] = id;
		list->wr[i].wr_id = id;
	}
	list->wr[n - 1].next = NULL;
	rc = ibv_post_wq_recv(v->rdma.wq, list->wr, &bad);
	list->wr[n - 1].next = &list->wr[n];
	if (rc)
		n = bad ? (uint32_t)(bad - list->wr) : 0;
	v->rx_posted += n;
	q->rx.next += n;
	rn_rdma_fed(q);
	return n;
}

static void post_sentinel(struct rn_queue *q)
{
	struct verbs_queue *v = verbs_queue_of(q);
	struct ibv_sge sge = {(uintptr_t)v->sentinel_mem, (1u << q->buf_shift) - q->headroom,
			      v->copies->lkey};
	struct ibv_recv_wr wr = {.wr_id = SENTINEL | EPOCH(v), .sg_list = &sge, .num_sge = 1}, *bad;

	v->sentinel = !ibv_post_wq_recv(v->rdma.wq, &wr, &bad);
	if (v->sentinel)
		v->ids[v->rx_posted++ & q->rx.mask] = wr.wr_id;
}

void verbs_refill(struct rn_queue *q)
{
	struct verbs_queue *v = verbs_queue_of(q);
	struct rn_ring *r = &q->rx;
	uint32_t spare = v->rdma.spare, n, room;

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

/* What the slots of packets of one rule have in common, as words. */
struct common {
	uint64_t w[2];
};

static struct common common_of(const struct rn_queue *q, uint32_t index)
{
	struct rawnet_slot s = {.flags = q->stamps ? RAWNET_RX_STAMP : 0};
	struct common c;

	if (index < 0xffff) {
		s.flags |= RAWNET_RX_RULE;
		s.u.rx.rule = (uint16_t)index;
	}
	memcpy(c.w, &s, sizeof(c.w));
	return c;
}

/* Of the good completion that the CQ is at, flags of the slot's first word. */
static uint64_t sums_of(struct verbs_queue *v)
{
	if (!(ibv_wc_read_wc_flags(v->rx_cq) & IBV_WC_IP_CSUM_OK))
		return 0;
	v->sums = true;
	return SUMS_GOOD;
}

/* A run of packets in slots of the client's, at most `most`, from the completion that the CQ is at.
 * True: it is now at one that is something else. Between two completions a provider waits until all
 * is done that was begun before (a load barrier of libmlx5), so little is done here: as long as it
 * has not told of good checksums (libmlx5 never does of WQs), only the first is asked. */
static bool take_run(struct rn_queue *q, struct verbs_queue *v, unsigned most, struct burst *b)
{
	struct ibv_cq_ex *cq = v->rx_cq;
	const uint64_t plain = EPOCH(v) >> 32;
	const uint32_t mask = q->rx.mask, next = q->rx.daemon;
	struct rawnet_slot *slots = q->rx.slots;
	struct common c = {{0}};
	uint64_t bytes = 0, word;
	uint32_t tag = 0, now;
	bool ask = true, other = false;
	unsigned i = 0;

	do {
		uint64_t *slot = (void *)&slots[(next + i) & mask];

		if (__builtin_expect(cq->wr_id >> 32 != plain || cq->status, 0)) {
			other = true;
			break;
		}
		now = ibv_wc_read_flow_tag(cq);
		if (__builtin_expect(!i || now != tag, 0))
			c = common_of(q, rn_tag_index(&v->tag, q, now));
		tag = now;
		word = (uint64_t)(uint16_t)ibv_wc_read_byte_len(cq) << 32;
		bytes += word;
		word |= c.w[0] | (uint32_t)cq->wr_id;
		if (__builtin_expect(ask, 0))
			word |= sums_of(v);
		ask = v->sums;
		__atomic_store_n(slot, word, __ATOMIC_RELAXED);
		__atomic_store_n(slot + 1, c.w[1], __ATOMIC_RELAXED);
	} while (++i < most && !ibv_next_poll(cq));
	for (unsigned k = 0; q->stamps && k < i; k++)
		q->stamps[(next + k) & mask] = b->stamp;
	q->rx.daemon += i;
	v->rx_done += i;
	b->packets += i;
	b->bytes += bytes >> 32;
	return other;
}

/* The CQ is at a completion that is no packet in a slot. False: of before the queue was mended. */
static bool take_other(struct rn_queue *q, struct verbs_queue *v, struct burst *b)
{
	struct ibv_cq_ex *cq = v->rx_cq;
	const uint64_t id = cq->wr_id;

	if ((id ^ EPOCH(v)) & EPOCH_BITS)
		return false;
	if (cq->status) {
		take_error(q, v);
		return true;
	}
	v->rx_done++;
	if (id & BAD_SLOT) {
		lose(q, v, id);
		rn_count(q, RAWNET_Q_RX_DROP_SLOT, 1);
	} else {
		take_sentinels(q, v, b, ibv_wc_read_byte_len(cq),
			       rn_tag_index(&v->tag, q, ibv_wc_read_flow_tag(cq)),
			       (uint16_t)(sums_of(v) >> 48));
	}
	return true;
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

/* Up to `budget` completions: how many were the queue's as it is now. What follows an error that
 * breaks the queue is of no use. */
static unsigned poll(struct rn_queue *q, struct verbs_queue *v, unsigned budget)
{
	struct ibv_poll_cq_attr attr = {0};
	struct burst b = {0};
	unsigned others = 0;

	if (ibv_start_poll(v->rx_cq, &attr))
		return 0;
	b.stamp = q->stamps ? rn_wall_ns() : 0;
	rn_tag_begin(&v->tag, q->hwq->port->steer);
	while (take_run(q, v, budget - others - (unsigned)b.packets, &b)) {
		others += take_other(q, v, &b);
		if (others + b.packets == budget || is_broken(v) || ibv_next_poll(v->rx_cq))
			break;
	}
	ibv_end_poll(v->rx_cq);
	count(q, &b);
	return others + (unsigned)b.packets;
}

unsigned verbs_queue_rx(struct rn_queue *q, unsigned budget)
{
	struct verbs_queue *v = verbs_queue_of(q);
	unsigned n;
	bool anew;

	if (!rn_rdma_usable(&v->rx_state, &anew))
		return 0;
	if (anew)
		begin_anew(q, v);
	rn_rdma_awake(q);
	n = poll(q, v, budget);
	if (n)
		rn_poller_touch(q->poller, q);
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
