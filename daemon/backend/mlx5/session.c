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

/* The slot of one packet that goes into the client's memory: its length. */
static inline uint64_t session_put(uint64_t *slot, uint64_t off, const struct rn_mini *mini,
				   uint64_t flags, uint64_t rule)
{
	uint64_t m = rn_mini_get(mini), len = (uint16_t)m;

	rn_rx_put(slot, off | len << 32 | flags, (m & RN_MINI_HASH) | rule);
	return len;
}

/* A run of n packets of the session, array by array, all into the client's memory. */
static __attribute__((noinline)) void session_run(struct rn_queue *q, struct rn_mlx5_rx *rx,
						  struct rn_rx_burst *b, uint32_t n)
{
	const struct rn_data *wqe = &rx->wqe[rx->done & rx->wq_mask];
	uint64_t *slot = (void *)&q->rx.slots[q->rx.daemon & q->rx.mask];
	const uint64_t flags = rn_rx_word0(0, 0, rx->session_flags),
		       rule = rn_rx_word1(rx->session_index, 0);
	const struct rn_cqe *ring = rx->cqe;
	const uint32_t cq_mask = (1u << rx->cq_log) - 1, ci = rx->ci;
	const uint64_t base = rx->base;
	uint32_t at = rx->session_at, k;
	uint64_t bytes = 0;

	rn_rx_took(q, rx, b, n);
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

void rn_session_take(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b,
		     unsigned most)
{
	uint32_t left = rn_least(rx->session_n - rx->session_at, most), n;

	b->n += left;
	for (; left; left -= n) {
		n = 1;
		if (__builtin_expect(rx->elsewhere, 0)) {
			session_one(q, rx, b);
			continue;
		}
		n = rn_rx_run(q, rx, left);
		session_run(q, rx, b, n);
	}
	if (rx->session_at == rx->session_n)
		session_end(rx);
}
