/* SPDX-License-Identifier: BSD-2-Clause */
/* Receive, sessions of compressed completions. */
#include "rx_slots.h"

bool rn_session_begin(struct rn_queue *q, struct rn_mlx5_rx *rx, const struct rn_cqe *title)
{
	uint32_t n = be32toh(title->byte_cnt), drops = rn_cqe_drops(title);

	if (n < 2 || n > RN_MINI_MAX || n > rx->posted - rx->done ||
	    rn_cqe_wqe(title) != (uint16_t)rx->done)
		return false;
	rx->session_at = 0;
	rx->session_n = n;
	rx->session_index = rn_tag_index(&rx->tag, q, rn_cqe_tag(title));
	rx->session_flags = (uint16_t)(rn_cqe_flags(title->verified, title->headers) |
				       rn_rx_rule_flag(rx->session_index));
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
							struct rn_rx_burst *b)
{
	uint64_t m = rn_mini_get(rn_mini_at(rx->cqe, rx->cq_log, rx->ci, rx->session_at));
	const struct rn_rx_about a = {.len = (uint32_t)m,
				      .hash = (uint32_t)(m >> 32),
				      .index = rx->session_index,
				      .flags = rx->session_flags};

	rn_rx_give(q, rx, b, &a);
	rx->session_at++;
}

/* Packets of the session that follow each other, as do their requests and slots. */
struct part {
	const struct rn_cqe *ring;
	uint32_t cq_mask, ci;
	uint32_t at, n; /* of the session, the next packet, and how many */
	const struct rn_data *wqe;
	uint64_t *slot;
	struct rn_slot_common common;
};

/* The next n. */
static inline struct part next_part(const struct rn_queue *q, const struct rn_mlx5_rx *rx,
				    uint32_t n)
{
	return (struct part) {
		.ring = rx->cqe,
		.cq_mask = (1u << rx->cq_log) - 1,
		.ci = rx->ci,
		.at = rx->session_at,
		.n = n,
		.wqe = &rx->wqe[rx->done & rx->wq_mask],
		.slot = (void *)&q->rx.slots[q->rx.daemon & q->rx.mask],
		.common = {.base = rx->base,
			   .flags = rn_rx_word0(0, 0, rx->session_flags),
			   .rule = rn_rx_word1(rx->session_index, 0)},
	};
}

/* Those of them that stand in one array: how many. */
static inline uint32_t next_array(const struct part *p, const struct rn_mini **mini)
{
	*mini = rn_mini_in(p->ring, p->cq_mask, p->ci, p->at);
	return rn_least(p->n, RN_MINIS - p->at % RN_MINIS);
}

/* Behind k packets. */
static inline void pass(struct part *p, uint32_t k)
{
	p->n -= k;
	p->at += k;
	p->wqe += k;
	p->slot += (size_t)2 * k;
}

/* The slots of n packets that go into the client's memory, one at a time: bytes. */
static __attribute__((noinline)) uint64_t put_numbers(const struct rn_queue *q,
						      const struct rn_mlx5_rx *rx, uint32_t n)
{
	struct part p = next_part(q, rx, n);
	const struct rn_mini *mini;
	uint64_t bytes = 0;
	uint32_t k;

	for (; p.n; pass(&p, k)) {
		k = next_array(&p, &mini);
		for (uint32_t i = 0; i < k; i++)
			bytes += rn_slot_mini(&p.slot[2 * i], &mini[i], &p.wqe[i], &p.common);
	}
	return bytes;
}

/* The same of whole arrays. */
RN_PAIRS static inline uint64_t put_lanes(const struct rn_queue *q, const struct rn_mlx5_rx *rx,
					  uint32_t n)
{
	struct part p = next_part(q, rx, n);
	const rn_pair common = rn_lanes_common(&p.common);
	rn_pair sum = rn_pair_same(0, 0);

	for (; p.n; pass(&p, RN_MINIS)) {
		const struct rn_mini *mini = rn_mini_array(p.ring, p.cq_mask, p.ci, p.at);

#pragma GCC unroll 4
		for (uint32_t i = 0; i < RN_MINIS; i += 2)
			sum = rn_pair_add32(sum, rn_lanes_minis(&p.slot[2 * i], &mini[i], &p.wqe[i],
								common));
	}
	return rn_pair_sum_lane1(sum);
}

/* The next packets, at most n: how many were put. */
typedef uint32_t put_next(const struct rn_queue *q, const struct rn_mlx5_rx *rx, uint32_t n,
			  uint64_t *bytes);

static inline uint32_t put_one_by_one(const struct rn_queue *q, const struct rn_mlx5_rx *rx,
				      uint32_t n, uint64_t *bytes)
{
	*bytes += put_numbers(q, rx, n);
	return n;
}

/* Whole arrays by lanes; up to the next array and behind the last, one at a time. */
RN_PAIRS static inline uint32_t put_by_pairs(const struct rn_queue *q, const struct rn_mlx5_rx *rx,
					     uint32_t n, uint64_t *bytes)
{
	const uint32_t within = rx->session_at % RN_MINIS;

	if (within || n < RN_MINIS)
		return put_one_by_one(q, rx, rn_least(n, RN_MINIS - within), bytes);
	n -= n % RN_MINIS;
	*bytes += put_lanes(q, rx, n);
	return n;
}

static inline __attribute__((always_inline)) void take_each(struct rn_queue *q,
							    struct rn_mlx5_rx *rx,
							    struct rn_rx_burst *b, unsigned most,
							    put_next *put)
{
	uint32_t left = rn_least(rx->session_n - rx->session_at, most), n;

	b->n += left;
	for (; left; left -= n) {
		n = 1;
		if (__builtin_expect(rx->elsewhere, 0)) {
			session_one(q, rx, b);
			continue;
		}
		n = put(q, rx, rn_rx_run(q, rx, left), &b->bytes);
		rx->session_at += n;
		rn_rx_took(q, rx, b, n);
	}
	if (rx->session_at == rx->session_n)
		session_end(rx);
}

RN_PAIRS static __attribute__((noinline)) void
take_by_pairs(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b, unsigned most)
{
	take_each(q, rx, b, most, put_by_pairs);
}

static __attribute__((noinline)) void take_by_numbers(struct rn_queue *q, struct rn_mlx5_rx *rx,
						      struct rn_rx_burst *b, unsigned most)
{
	take_each(q, rx, b, most, put_one_by_one);
}

void rn_session_take(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b,
		     unsigned most)
{
	if (rn_pairs_here())
		take_by_pairs(q, rx, b, most);
	else
		take_by_numbers(q, rx, b, most);
}
