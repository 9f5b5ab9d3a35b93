/* SPDX-License-Identifier: BSD-2-Clause */
/* Receive, completions of 64 bytes each. */
#include "rx_slots.h"

#define ALIKE_GROUP 4u /* completions taken without counting */

/* When it came; without a clock of the device, when it is read. */
static uint64_t stamp_of(struct rn_queue *q, const struct rn_cqe *e)
{
	struct rn_mlx5_clock *clock = &rn_mlx5_hwq_of(q->hwq)->clock;
	uint64_t stamp = clock->ctx ? rn_mlx5_clock_time(clock, be64toh(e->timestamp)) : 0;

	return stamp ? stamp : rn_wall_ns();
}

bool rn_single_take(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b,
		    const struct rn_cqe *e)
{
	uint32_t drops = rn_cqe_drops(e);
	struct rn_rx_about a = {
		.len = be32toh(e->byte_cnt),
		.hash = be32toh(e->rss_hash),
		.index = rn_tag_index(&rx->tag, q, rn_cqe_tag(e)),
		.flags = rn_cqe_flags(e->verified, e->headers),
	};

	if (rx->done == rx->posted || rn_cqe_wqe(e) != (uint16_t)rx->done)
		return false;
	a.flags |= rn_rx_rule_flag(a.index);
	if (e->rss_type)
		a.flags |= RAWNET_RX_HASH;
	rx->alike = (struct rn_mlx5_alike) {.parsed = rn_cqe_parsed(e),
					    .hashing = rn_cqe_hashing(e),
					    .tag = rn_cqe_tag(e),
					    .changes = rx->tag.changes,
					    .valid = true,
					    .flags = rn_rx_word0(0, 0, a.flags),
					    .rule = rn_rx_word1(a.index, 0) ^
						    be32toh(rn_cqe_hashing(e))};
	if (__builtin_expect(q->stamps != NULL, 0)) {
		a.stamp = stamp_of(q, e);
		a.flags |= RAWNET_RX_STAMP;
		q->stamps[q->rx.daemon & q->rx.mask] = a.stamp;
	}
	if (__builtin_expect(drops, 0))
		rn_count(q, RAWNET_Q_RX_DROP_FULL, drops);
	rn_rx_give(q, rx, b, &a);
	rx->ci++;
	b->n++;
	return true;
}

/* A run of completions that may be alike, with the requests and slots that belong to them. What all
 * its packets have in common is one number: flags, less the address of packet memory. */
struct alike_run {
	const struct rn_cqe *e;
	const struct rn_data *wqe;
	uint64_t *slot;
	uint64_t tail; /* of the first */
	uint64_t common, rule;
	uint32_t hashing;
	uint16_t parsed;
};

/* 0: it is ours, a received packet, and of the request that is expected. One load answers: aligned,
 * so it is of one moment, and what stands behind the barrier is not older. */
static inline uint64_t differs(const struct rn_cqe *e, uint64_t tail)
{
	return (rn_cqe_tail(e) ^ tail) & RN_CQE_TAIL_MASK;
}

/* And it is like the last one. */
static inline bool is_alike(const struct rn_cqe *e, const struct alike_run *r)
{
	return rn_cqe_parsed(e) == r->parsed && rn_cqe_hashing(e) == r->hashing;
}

/* The slot of one: its length. */
static inline uint64_t alike_put(const struct alike_run *r, uint32_t i)
{
	uint64_t len = rn_cqe_len_up(&r->e[i]);

	rn_slot_put(&r->slot[(size_t)2 * i], rn_rx_wqe_addr(&r->wqe[i]) + r->common + len,
		    rn_cqe_hashed(&r->e[i]) ^ r->rule);
	return len;
}

static inline void alike_pass(struct alike_run *r, uint32_t n)
{
	r->e += n;
	r->wqe += n;
	r->slot += (size_t)2 * n;
	r->tail += n * RN_CQE_TAIL_NEXT;
}

/* What the next two completions are like. Their tails are in the upper halves, turned around. */
struct alike_pair {
	rn_pair tails, kind;
};

RN_PAIRS static inline struct alike_pair pair_like(const struct alike_run *r)
{
	return (struct alike_pair) {
		.tails = rn_pair_new(0, r->tail, 0, r->tail + RN_CQE_TAIL_NEXT),
		.kind = rn_pair_same(r->hashing, (uint64_t)r->parsed << 32),
	};
}

/* In what the two at e differ from them: bits of tails, and of kind. */
RN_PAIRS static inline rn_pair pair_tails(const struct rn_cqe *e, rn_pair tails)
{
	const rn_pair order = rn_pair_order(0x8080808080808080, 0x0f800d0c0b0a0908);

	return rn_pair_xor(rn_pair_arrange(rn_lanes_of(e, 0x30), order), tails);
}

RN_PAIRS static inline rn_pair pair_kind(const struct rn_cqe *e, rn_pair kind)
{
	return rn_pair_xor(rn_lanes_of(e, 0x10), kind);
}
_Static_assert(offsetof(struct rn_cqe, drops_tag) == 0x30 + 8, "the tail is the upper half");
_Static_assert(offsetof(struct rn_cqe, rss_type) == 0x10 &&
		       offsetof(struct rn_cqe, verified) == 0x10 + 12,
	       "lane 0, and the lower half of lane 3");

/* Are the first four alike? Then `like` is what the next ones are. Whose they are is loaded before
 * the barrier and what else they say behind it, and all is judged at once. */
RN_PAIRS static inline bool group_is_alike(const struct rn_cqe *e, struct alike_pair *like)
{
	const rn_pair next = rn_pair_same(0, 2 * RN_CQE_TAIL_NEXT);
	rn_pair tails = rn_pair_same(0, 0), kind = rn_pair_same(0, 0);

#pragma GCC unroll 2
	for (uint32_t i = 0; i < ALIKE_GROUP; i += 2) {
		tails = rn_pair_or(tails, pair_tails(&e[i], like->tails));
		like->tails = rn_pair_add64(like->tails, next);
	}
	rn_dma_read();
#pragma GCC unroll 2
	for (uint32_t i = 0; i < ALIKE_GROUP; i += 2)
		kind = rn_pair_or(kind, pair_kind(&e[i], like->kind));
	tails = rn_pair_and(tails, rn_pair_same(0, RN_CQE_TAIL_MASK));
	kind = rn_pair_and(kind, rn_pair_same(UINT32_MAX, (uint64_t)UINT16_MAX << 32));
	return rn_pair_is_zero(rn_pair_or(tails, kind));
}

/* Whole groups at the front of a run of at most n: how many packets. */
typedef uint32_t groups(struct alike_run *run, const struct rn_slot_common *c, uint32_t n,
			uint64_t *bytes);

static inline uint32_t no_groups(struct alike_run *run, const struct rn_slot_common *c, uint32_t n,
				 uint64_t *bytes)
{
	(void)run, (void)c, (void)n, (void)bytes;
	return 0;
}

RN_PAIRS static inline uint32_t
groups_by_pairs(struct alike_run *run, const struct rn_slot_common *c, uint32_t n, uint64_t *bytes)
{
	const rn_pair common = rn_lanes_common(c);
	struct alike_pair like = pair_like(run);
	rn_pair sum = rn_pair_same(0, 0);
	uint32_t left = n;

	for (; left >= ALIKE_GROUP && group_is_alike(run->e, &like); left -= ALIKE_GROUP) {
#pragma GCC unroll 2
		for (uint32_t i = 0; i < ALIKE_GROUP; i += 2)
			sum = rn_pair_add32(sum, rn_lanes_cqes(&run->slot[(size_t)2 * i],
							       &run->e[i], &run->wqe[i], common));
		alike_pass(run, ALIKE_GROUP);
	}
	*bytes += rn_pair_sum_lane1(sum);
	return n - left;
}

static inline __attribute__((always_inline)) void take_alike(struct rn_queue *q,
							     struct rn_mlx5_rx *rx,
							     struct rn_rx_burst *b, uint32_t most,
							     groups *take)
{
	const struct rn_mlx5_alike *like = &rx->alike;
	const uint32_t cq_mask = (1u << rx->cq_log) - 1;
	const struct rn_slot_common common = {
		.base = rx->base,
		.flags = like->flags,
		.rule = (uint32_t)like->rule ^ be32toh(like->hashing),
	};
	const uint32_t room = rn_least(rn_rx_run(q, rx, rn_least(most, rx->posted - rx->done)),
				       rn_to_end(rx->ci, cq_mask));
	struct alike_run run = {
		.e = &rx->cqe[rx->ci & cq_mask],
		.wqe = &rx->wqe[rx->done & rx->wq_mask],
		.slot = (void *)&q->rx.slots[q->rx.daemon & q->rx.mask],
		.tail = rn_cqe_tail_of(like->tag, (uint16_t)rx->done,
				       RN_CQE_RECEIVED | rn_cqe_owner(rx->ci, rx->cq_log)),
		.common = like->flags - rx->base,
		.rule = like->rule,
		.hashing = like->hashing,
		.parsed = like->parsed,
	};
	uint64_t bytes = 0, up = 0;
	uint32_t n = take(&run, &common, room, &bytes);

	for (; n < room && !differs(run.e, run.tail); n++) {
		rn_dma_read();
		if (!is_alike(run.e, &run))
			break;
		up += alike_put(&run, 0);
		alike_pass(&run, 1);
	}
	rn_rx_took(q, rx, b, n);
	b->bytes += bytes + (up >> 32);
	b->n += n;
	rx->ci += n;
}

RN_PAIRS static __attribute__((noinline)) void
take_by_pairs(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b, uint32_t most)
{
	take_alike(q, rx, b, most, groups_by_pairs);
}

static __attribute__((noinline)) void take_by_numbers(struct rn_queue *q, struct rn_mlx5_rx *rx,
						      struct rn_rx_burst *b, uint32_t most)
{
	take_alike(q, rx, b, most, no_groups);
}

void rn_alike_take(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b, uint32_t most)
{
	if (rx->alike.changes != rx->tag.changes || rx->elsewhere || q->stamps)
		return;
	if (rn_pairs_here())
		take_by_pairs(q, rx, b, most);
	else
		take_by_numbers(q, rx, b, most);
}
