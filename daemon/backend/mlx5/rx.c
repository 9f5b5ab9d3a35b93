/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive: completions to slots, posted slots to requests. Nothing of a packet is read. See mlx5.h
 * for indexes and cqe.h for the order of loads.
 *
 * What each packet costs: a load of its completion (of a compressed one, of 8 bytes), a load of the
 * request that it completes, for the address of the buffer, and a store of its slot. The address
 * comes from the request and not from the slot, which the client may have rewritten.
 *
 * Runs. Slots, requests and completions are rings of different sizes. The loops over packets take a
 * run that comes to the end of none of them, so their indexes need no mask, the owner bit is the
 * same for all of a run, and the 16-bit counter of requests does not wrap within it.
 */
#include <limits.h>

#include "../../attachment.h"
#include "../../poller.h"
#include "../../ring.h"
#include "mlx5.h"

#define ALIKE_GROUP 4u /* completions taken without counting */

/* What a burst adds up to. */
struct burst {
	uint64_t packets, bytes; /* to slots, without a copy */
	uint64_t copied_packets, copied_bytes; /* counted for the queue where they are copied */
	unsigned n; /* completions */
};

/* ---- slots ---- */

static inline void put_words(uint64_t *slot, uint64_t w0, uint64_t w1)
{
	__atomic_store_n(slot, w0, __ATOMIC_RELAXED);
	__atomic_store_n(slot + 1, w1, __ATOMIC_RELAXED);
}

static inline void store_slot(struct rn_queue *q, uint64_t w0, uint64_t w1)
{
	put_words((void *)&q->rx.slots[q->rx.daemon & q->rx.mask], w0, w1);
	q->rx.daemon++;
}

/* A slot's two words: offset, length, flags; rule, no tag, hash. */
static inline uint64_t word0(uint32_t off, uint32_t len, uint16_t flags)
{
	return off | (uint64_t)(uint16_t)len << 32 | (uint64_t)flags << 48;
}

static inline uint64_t word1(uint32_t index, uint32_t hash)
{
	return (uint16_t)index | (uint64_t)hash << 32;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the words are little-endian");
_Static_assert(offsetof(struct rawnet_slot, len) == 4 && offsetof(struct rawnet_slot, flags) == 6 &&
		       offsetof(struct rawnet_slot, u.rx.rule) == 8 &&
		       offsetof(struct rawnet_slot, u.rx.hash) == 12,
	       "words of a slot");

/* What a completion says of its packet. */
struct about {
	uint32_t len, hash, index;
	uint16_t flags;
	uint64_t stamp; /* if the queue asked for it */
};

/* The packet is in memory of the daemon: a copy for the client, if it has posted a slot since. */
static void give_sentinels(struct rn_queue *q, struct rn_mlx5_rx *rx, struct burst *b,
			   const struct about *a)
{
	const struct rn_frame f = {
		.n_pieces = 1,
		.len = a->len,
		.tci = -1,
		.flags = a->flags & (RAWNET_RX_L3_OK | RAWNET_RX_L4_OK | RAWNET_RX_HASH),
		.hash = a->hash,
		.stamp = a->stamp,
		.piece = {{rx->sentinel_mem, a->len}},
	};

	rx->sentinel = false;
	b->copied_packets++;
	b->copied_bytes += a->len;
	rn_deliver_first(q, &f, a->index);
}

/* Not into the client's memory: the sentinel's packet, or one whose slot named no buffer and that
 * is dropped. The request is one like the others again. */
static __attribute__((noinline, cold)) void give_other(struct rn_queue *q, struct rn_mlx5_rx *rx,
						       struct burst *b, struct rn_data *wqe,
						       const struct about *a)
{
	uint32_t off = q->rx.slots[q->rx.daemon & q->rx.mask].off;

	rn_rx_wqe_prepare(wqe, rx->length, rx->lkey_be);
	rx->elsewhere--;
	if (rx->sentinel && rx->done - 1 == rx->sentinel_at) {
		give_sentinels(q, rx, b, a);
		return;
	}
	store_slot(q, word0(off, 0, RAWNET_RX_ERROR), 0);
	rn_count(q, RAWNET_Q_RX_DROP_SLOT, 1);
}

/* The packet of the oldest request. */
static inline void give(struct rn_queue *q, struct rn_mlx5_rx *rx, struct burst *b,
			const struct about *a)
{
	struct rn_data *wqe = &rx->wqe[rx->done & rx->wq_mask];
	uint64_t off = rn_rx_wqe_addr(wqe) - rx->base;

	rx->done++;
	if (__builtin_expect(off >= q->mem_size, 0)) {
		give_other(q, rx, b, wqe, a);
		return;
	}
	store_slot(q, word0((uint32_t)off, a->len, a->flags), word1(a->index, a->hash));
	b->packets++;
	b->bytes += a->len;
}

static uint16_t rule_flag(uint32_t index)
{
	return index < 0xffff ? RAWNET_RX_RULE : 0;
}

/* The slots of the next n packets are the client's. */
static inline void took(struct rn_queue *q, struct rn_mlx5_rx *rx, struct burst *b, uint32_t n)
{
	q->rx.daemon += n;
	rx->done += n;
	b->packets += n;
}

/* How many packets the next run can have. */
static inline uint32_t run_of(const struct rn_queue *q, const struct rn_mlx5_rx *rx, uint32_t most)
{
	return rn_least(most, rn_least(rn_to_end(q->rx.daemon, q->rx.mask),
				       rn_to_end(rx->done, rx->wq_mask)));
}

/* ---- sessions of compressed completions ---- */

/* False: not one that the device can have meant. */
static bool session_begin(struct rn_queue *q, struct rn_mlx5_rx *rx, const struct rn_cqe *title)
{
	uint32_t n = be32toh(title->byte_cnt), drops = rn_cqe_drops(title);

	if (n < 2 || n > RN_MINI_MAX || n > rx->posted - rx->done ||
	    rn_cqe_wqe(title) != (uint16_t)rx->done)
		return false;
	rx->session_at = 0;
	rx->session_n = n;
	rx->session_index = rn_tag_index(&rx->tag, q, rn_cqe_tag(title));
	rx->session_flags = (uint16_t)(rn_cqe_flags(title->verified, title->headers) |
				       rule_flag(rx->session_index));
	if (title->rss_type)
		rx->session_flags |= RAWNET_RX_HASH;
	if (__builtin_expect(drops, 0)) /* of each of its packets, since all that differs is in the
					   mini entries */
		rn_count(q, RAWNET_Q_RX_DROP_FULL, (uint64_t)drops * n);
	return true;
}

/* Entries are released when the whole session was read: the last byte of an array, which says whose
 * it is, is part of a mini entry. */
static void session_end(struct rn_mlx5_rx *rx)
{
	rn_cqe_release_session(rx->cqe, &rx->sessions, rx->ci, rx->session_n, rx->cq_log);
	rx->ci += rx->session_n;
	rx->session_n = rx->session_at = 0;
}

/* One packet, when each request leads into the client's memory. */
static __attribute__((noinline, cold)) void session_one(struct rn_queue *q, struct rn_mlx5_rx *rx,
							struct burst *b)
{
	uint64_t m = rn_mini_get(rn_mini_at(rx->cqe, rx->cq_log, rx->ci, rx->session_at));
	const struct about a = {.len = (uint32_t)m,
				.hash = (uint32_t)(m >> 32),
				.index = rx->session_index,
				.flags = rx->session_flags};

	give(q, rx, b, &a);
	rx->session_at++;
}

/* The slot of one packet that goes into the client's memory: its length. */
static inline uint64_t session_put(uint64_t *slot, uint64_t off, const struct rn_mini *mini,
				   uint64_t flags, uint64_t rule)
{
	uint64_t m = rn_mini_get(mini), len = (uint16_t)m;

	put_words(slot, off | len << 32 | flags, (m & RN_MINI_HASH) | rule);
	return len;
}

/* A run of n packets of the session, array by array, all into the client's memory. */
static __attribute__((noinline)) void session_run(struct rn_queue *q, struct rn_mlx5_rx *rx,
						  struct burst *b, uint32_t n)
{
	const struct rn_data *wqe = &rx->wqe[rx->done & rx->wq_mask];
	uint64_t *slot = (void *)&q->rx.slots[q->rx.daemon & q->rx.mask];
	const uint64_t flags = word0(0, 0, rx->session_flags), rule = word1(rx->session_index, 0);
	const struct rn_cqe *ring = rx->cqe;
	const uint32_t cq_mask = (1u << rx->cq_log) - 1, ci = rx->ci;
	const uint64_t base = rx->base;
	uint32_t at = rx->session_at, k;
	uint64_t bytes = 0;

	took(q, rx, b, n);
	for (; n; n -= k, at += k, slot += (size_t)2 * k, wqe += k) {
		const struct rn_mini *mini = rn_mini_in(ring, cq_mask, ci, at);

		k = rn_least(n, RN_MINIS - at % RN_MINIS);
		if (k < RN_MINIS) {
			for (uint32_t i = 0; i < k; i++)
				bytes += session_put(&slot[2 * i], rn_rx_wqe_addr(&wqe[i]) - base,
						     &mini[i], flags, rule);
			continue;
		}
#pragma GCC unroll 8
		for (uint32_t i = 0; i < RN_MINIS; i++)
			bytes += session_put(&slot[2 * i], rn_rx_wqe_addr(&wqe[i]) - base, &mini[i],
					     flags, rule);
	}
	rx->session_at = at;
	b->bytes += bytes;
}

static void session_take(struct rn_queue *q, struct rn_mlx5_rx *rx, struct burst *b, unsigned most)
{
	uint32_t left = rn_least(rx->session_n - rx->session_at, most), n;

	b->n += left;
	for (; left; left -= n) {
		n = 1;
		if (__builtin_expect(rx->elsewhere, 0)) {
			session_one(q, rx, b);
			continue;
		}
		n = run_of(q, rx, left);
		session_run(q, rx, b, n);
	}
	if (rx->session_at == rx->session_n)
		session_end(rx);
}

/* ---- single completions ---- */

/* When it came; without a clock of the device, when it is read. */
static uint64_t stamp_of(struct rn_queue *q, const struct rn_cqe *e)
{
	struct rn_mlx5_clock *clock = &rn_mlx5_hwq_of(q->hwq)->clock;
	uint64_t stamp = clock->ctx ? rn_mlx5_clock_time(clock, be64toh(e->timestamp)) : 0;

	return stamp ? stamp : rn_wall_ns();
}

static bool take_one(struct rn_queue *q, struct rn_mlx5_rx *rx, struct burst *b,
		     const struct rn_cqe *e)
{
	uint32_t drops = rn_cqe_drops(e);
	struct about a = {
		.len = be32toh(e->byte_cnt),
		.hash = be32toh(e->rss_hash),
		.index = rn_tag_index(&rx->tag, q, rn_cqe_tag(e)),
		.flags = rn_cqe_flags(e->verified, e->headers),
	};

	if (rx->done == rx->posted || rn_cqe_wqe(e) != (uint16_t)rx->done)
		return false;
	a.flags |= rule_flag(a.index);
	if (e->rss_type)
		a.flags |= RAWNET_RX_HASH;
	rx->alike = (struct rn_mlx5_alike) {.parsed = rn_cqe_parsed(e),
					    .hashing = rn_cqe_hashing(e),
					    .tag = rn_cqe_tag(e),
					    .changes = rx->tag.changes,
					    .valid = true,
					    .flags = word0(0, 0, a.flags),
					    .rule = word1(a.index, 0) ^ be32toh(rn_cqe_hashing(e))};
	if (__builtin_expect(q->stamps != NULL, 0)) {
		a.stamp = stamp_of(q, e);
		a.flags |= RAWNET_RX_STAMP;
		q->stamps[q->rx.daemon & q->rx.mask] = a.stamp;
	}
	if (__builtin_expect(drops, 0))
		rn_count(q, RAWNET_Q_RX_DROP_FULL, drops);
	give(q, rx, b, &a);
	rx->ci++;
	b->n++;
	return true;
}

/* A run of completions that may be alike, with the requests and slots that belong to them. */
struct alike_run {
	const struct rn_cqe *e;
	const struct rn_data *wqe;
	uint64_t *slot;
	uint64_t tail; /* of the first */
	uint64_t base;
};

/* Is it ours, a received packet, of the request that is expected, and like the last one? One load
 * answers all but the last: aligned, so it is of one moment, and what stands behind the barrier is
 * not older. */
static inline bool is_alike(const struct rn_cqe *e, uint64_t tail, const struct rn_mlx5_alike *like)
{
	if ((rn_cqe_tail(e) ^ tail) & RN_CQE_TAIL_MASK)
		return false;
	rn_dma_read();
	return rn_cqe_parsed(e) == like->parsed && rn_cqe_hashing(e) == like->hashing;
}

/* The slot of one: its length, 32 bits up. */
static inline uint64_t alike_put(uint64_t *slot, const struct rn_data *wqe, const struct rn_cqe *e,
				 const struct rn_mlx5_alike *like, uint64_t base)
{
	uint64_t len = (uint64_t)rn_cqe_len(e) << 32;

	put_words(slot, (rn_rx_wqe_addr(wqe) - base) | len | like->flags,
		  rn_cqe_hashed(e) ^ like->rule);
	return len;
}

/* At most n: how many, and *bytes of them. Up to ALIKE_GROUP are checked, then written. */
static __attribute__((noinline)) uint32_t
alike_take(struct alike_run r, const struct rn_mlx5_alike *l, uint32_t n, uint64_t *bytes)
{
	const struct rn_mlx5_alike like = *l;
	uint64_t sum = 0;
	uint32_t k = n;

	for (; k >= ALIKE_GROUP; k -= ALIKE_GROUP) {
		uint64_t tail = r.tail;
		bool alike = true;

#pragma GCC unroll 4
		for (uint32_t i = 0; i < ALIKE_GROUP; i++, tail += RN_CQE_TAIL_NEXT)
			alike = alike && is_alike(&r.e[i], tail, &like);
		if (!alike)
			break;
#pragma GCC unroll 4
		for (uint32_t i = 0; i < ALIKE_GROUP; i++)
			sum += alike_put(&r.slot[2 * i], &r.wqe[i], &r.e[i], &like, r.base);
		r.tail = tail;
		r.e += ALIKE_GROUP;
		r.wqe += ALIKE_GROUP;
		r.slot += (size_t)2 * ALIKE_GROUP;
	}
	for (; k && is_alike(r.e, r.tail, &like); k--, r.slot += 2, r.tail += RN_CQE_TAIL_NEXT)
		sum += alike_put(r.slot, r.wqe++, r.e++, &like, r.base);
	*bytes = sum >> 32;
	return n - k;
}

/* Completions that differ from the last one that take_one() looked at in nothing but length and
 * hash, as those of a flow do; at most `most`. It ends before the first that is another, or that is
 * not ours yet. */
static void take_alike(struct rn_queue *q, struct rn_mlx5_rx *rx, struct burst *b, uint32_t most)
{
	const struct rn_mlx5_alike *like = &rx->alike;
	const uint32_t cq_mask = (1u << rx->cq_log) - 1;
	const struct alike_run run = {
		.e = &rx->cqe[rx->ci & cq_mask],
		.wqe = &rx->wqe[rx->done & rx->wq_mask],
		.slot = (void *)&q->rx.slots[q->rx.daemon & q->rx.mask],
		.tail = rn_cqe_tail_of(like->tag, (uint16_t)rx->done,
				       RN_CQE_RECEIVED | rn_cqe_owner(rx->ci, rx->cq_log)),
		.base = rx->base,
	};
	uint64_t bytes;
	uint32_t n;

	if (!like->valid || like->changes != rx->tag.changes || rx->elsewhere || q->stamps)
		return;
	n = rn_least(run_of(q, rx, rn_least(most, rx->posted - rx->done)),
		     rn_to_end(rx->ci, cq_mask));
	n = alike_take(run, like, n, &bytes);
	took(q, rx, b, n);
	b->bytes += bytes;
	b->n += n;
	rx->ci += n;
}

/* ---- bursts ---- */

/* The oldest request comes back without a packet: its buffer is the client's again. */
static void lose(struct rn_queue *q, struct rn_mlx5_rx *rx)
{
	struct rn_data *wqe = &rx->wqe[rx->done & rx->wq_mask];
	uint64_t off = rn_rx_wqe_addr(wqe) - rx->base;

	rx->done++;
	if (off >= q->mem_size) {
		rn_rx_wqe_prepare(wqe, rx->length, rx->lkey_be);
		rx->elsewhere--;
		if (rx->sentinel && rx->done - 1 == rx->sentinel_at) {
			rx->sentinel = false;
			return;
		}
		off = q->rx.slots[q->rx.daemon & q->rx.mask].off;
	}
	store_slot(q, word0((uint32_t)off, 0, RAWNET_RX_ERROR), 0);
}

/* A frame longer than its buffer costs the device one request and nothing else. */
static bool was_too_long(const struct rn_mlx5_rx *rx, const struct rn_cqe *e)
{
	const struct rn_cqe_error *error = (const void *)e;

	return RN_CQE_KIND(rn_cqe_op_own(e)) == RN_CQE_RECEIVE_ERROR &&
	       error->syndrome == RN_SYNDROME_LENGTH && rx->done != rx->posted &&
	       rn_cqe_wqe(e) == (uint16_t)rx->done;
}

/* An error, or what no device writes: is what comes behind it to be read? */
static __attribute__((noinline, cold)) bool stumble(struct rn_queue *q, struct rn_mlx5_rx *rx,
						    struct burst *b, const struct rn_cqe *e)
{
	uint64_t *port = q->hwq->counters->v;

	if (was_too_long(rx, e)) {
		lose(q, rx);
		rn_count(q, RAWNET_Q_RX_DROP_LONG, 1);
		__atomic_store_n(&port[RAWNET_P_RX_DROP_LONG], port[RAWNET_P_RX_DROP_LONG] + 1,
				 __ATOMIC_RELAXED);
		rx->ci++;
		b->n++;
		return true;
	}
	if (!rx->draining) {
		rn_rdma_broke(q, &rx->state);
		return false;
	}
	rn_count(q, RAWNET_Q_RX_ERRORS, 1);
	rx->ci++;
	return true;
}

static void take_burst(struct rn_queue *q, struct rn_mlx5_rx *rx, struct burst *b, unsigned budget)
{
	while (b->n < budget) {
		const struct rn_cqe *e;
		uint8_t op_own, kind;

		if (rx->session_n) {
			session_take(q, rx, b, budget - b->n);
			continue;
		}
		take_alike(q, rx, b, budget - b->n);
		if (b->n == budget)
			return;
		e = &rx->cqe[rx->ci & ((1u << rx->cq_log) - 1)];
		op_own = rn_cqe_op_own(e);
		if (!rn_cqe_ours(op_own, rx->ci, rx->cq_log))
			return;
		rn_dma_read();
		kind = RN_CQE_KIND(op_own);
		if (kind == RN_CQE_RECEIVED	? !take_one(q, rx, b, e)
		    : kind == RN_CQE_COMPRESSED ? !session_begin(q, rx, e)
						: true) {
			if (!stumble(q, rx, b, e))
				return;
		}
	}
}

/* It was mended: what the device completed before is read, the errors among it are counted, and
 * what it had beyond that comes back unused. The device is at index 0, with nothing posted. */
static __attribute__((noinline, cold)) void begin_anew(struct rn_queue *q, struct rn_mlx5_rx *rx,
						       struct burst *b)
{
	rx->draining = true;
	take_burst(q, rx, b, UINT_MAX);
	rx->draining = false;
	while (rx->done != rx->posted)
		lose(q, rx);
	rx->done = rx->posted = 0;
	rn_count(q, RAWNET_Q_MENDED, 1);
	rn_poller_touch(q->poller, q);
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

unsigned rn_mlx5_queue_rx(struct rn_queue *q, unsigned budget)
{
	struct rn_mlx5_rx *rx = &rn_mlx5_queue_of(q)->rx;
	struct burst b = {0};
	bool anew;

	if (!rn_rdma_usable(&rx->state, &anew))
		return 0;
	rn_rdma_awake(q);
	rn_tag_begin(&rx->tag, q->hwq->port->steer);
	if (__builtin_expect(anew, 0))
		begin_anew(q, rx, &b);
	take_burst(q, rx, &b, budget);
	if (b.n) {
		count(q, &b);
		rn_poller_touch(q->poller, q);
	}
	if (!q->dead && __atomic_load_n(&rx->state, __ATOMIC_RELAXED) == RN_RDMA_WORKS)
		rn_mlx5_refill(q);
	return b.n;
}

/* Asks for an event behind what was read, then looks again: the device fires at once if there is
 * more already, so the look only saves the sleep. */
enum rn_armed rn_mlx5_queue_arm(struct rn_queue *q)
{
	struct rn_mlx5_rx *rx = &rn_mlx5_queue_of(q)->rx;

	if (rn_mlx5_queue_rx(q, RN_POLLER_BURST) || rx->session_n)
		return RN_NOT_ARMED;
	rn_mlx5_hwq_of(q->hwq)->armed = true;
	rn_arm(rx->cq_record, rx->page, rx->sequence, rx->ci, rx->cqn);
	if (rn_mlx5_queue_rx(q, RN_POLLER_BURST))
		return RN_NOT_ARMED;
	return rn_rdma_armed(q, rx->posted - rx->done);
}

/* ---- from outside ---- */

/* A completion, buffers that were posted, packets to send, or sent ones to give back. */
bool rn_mlx5_queue_waits(const struct rn_queue *q)
{
	const struct rn_mlx5_queue *m = rn_mlx5_queue_of(q);
	const struct rn_mlx5_rx *rx = &m->rx;
	const struct rn_cqe *e = &rx->cqe[rx->ci & ((1u << rx->cq_log) - 1)];

	return rx->session_n || rn_cqe_ours(rn_cqe_op_own(e), rx->ci, rx->cq_log) ||
	       __atomic_load_n(&q->rx.ctl->client, __ATOMIC_RELAXED) != q->rx.client ||
	       __atomic_load_n(&q->tx.ctl->client, __ATOMIC_RELAXED) != q->tx.next ||
	       m->tx.sent_head != m->tx.sent_tail;
}

void rn_mlx5_queue_ahead(const struct rn_queue *q)
{
	const struct rn_mlx5_rx *rx = &rn_mlx5_queue_of(q)->rx;
	const uint32_t cq_mask = (1u << rx->cq_log) - 1;

	__builtin_prefetch(&rx->cqe[rx->ci & cq_mask]);
	__builtin_prefetch(&rx->cqe[(rx->ci + 1) & cq_mask]);
	__builtin_prefetch(&rx->wqe[rx->done & rx->wq_mask]);
	__builtin_prefetch(&q->rx.slots[q->rx.daemon & q->rx.mask], 1);
	__builtin_prefetch(&q->rx.slots[q->rx.next & q->rx.mask]);
	__builtin_prefetch(&rx->wqe[rx->posted & rx->wq_mask], 1);
	__builtin_prefetch(rx->record, 1);
}
