/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what the device says of a packet to its slot, and from slots to segments. Pure functions.
 * Slots are made in two kinds that agree: one at a time with 64-bit numbers (rn_slot_*), and two
 * with one instruction that brings the bytes of length, hash and address to where slots have them
 * (rn_lanes_*, pair.h). What is the same for all packets of a run is added.
 *
 * A slot is four lanes of 32 bits: offset; length and flags; rule and tag; hash. An offset is the
 * lower half of the buffer's address less that of packet memory, and the other sums have no bit in
 * common.
 */
#ifndef RN_MLX5_LANES_H
#define RN_MLX5_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cqe.h"
#include "pair.h"
#include "wqe.h"

/* What the slots of a run have in common. */
struct rn_slot_common {
	uint64_t base; /* address of packet memory */
	uint64_t flags; /* where the first word has them */
	uint64_t rule; /* the second word but for the hash */
};

/* ---- with numbers; each returns the packet's length ---- */

static inline void rn_slot_put(uint64_t *slot, uint64_t w0, uint64_t w1)
{
	__atomic_store_n(slot, w0, __ATOMIC_RELAXED);
	__atomic_store_n(slot + 1, w1, __ATOMIC_RELAXED);
}

static inline uint64_t rn_slot_mini(uint64_t *slot, const struct rn_mini *mini,
				    const struct rn_data *wqe, const struct rn_slot_common *c)
{
	uint64_t m = rn_mini_get(mini), len = (uint16_t)m;

	rn_slot_put(slot, rn_rx_wqe_addr(wqe) - c->base + c->flags + (len << 32),
		    (m & RN_MINI_HASH) | c->rule);
	return len;
}

/* ---- with lanes, two at a time ---- */

RN_PAIRS static inline rn_pair rn_lanes_common(const struct rn_slot_common *c)
{
	return rn_pair_same((uint32_t)-c->base | (c->flags & 0xffffffff00000000), c->rule);
}

/* v: hash and length, then whatever; all big-endian, as are the addresses of the requests. Two
 * slots are written; what is returned has the packets' lengths in lane 1. */
RN_PAIRS static inline rn_pair rn_lanes_put(void *slots, rn_pair v, const struct rn_data *wqe,
					    rn_pair common)
{
	const rn_pair order = rn_pair_order(0x0f0e0d0c07068080, 0x8080808003020100);
	const rn_pair packets = rn_pair_arrange(rn_pair_upper(v, rn_pair_at(wqe)), order);

	rn_pair_put(slots, rn_pair_add32(packets, common));
	return packets;
}

RN_PAIRS static inline rn_pair rn_lanes_minis(void *slots, const struct rn_mini *mini,
					      const struct rn_data *wqe, rn_pair common)
{
	return rn_lanes_put(slots, rn_pair_spread(mini), wqe, common);
}

/* The same bytes, from `at` on, of two completions. */
RN_PAIRS static inline rn_pair rn_lanes_of(const struct rn_cqe *e, size_t at)
{
	return rn_pair_of((const uint8_t *)&e[0] + at, (const uint8_t *)&e[1] + at);
}

RN_PAIRS static inline rn_pair rn_lanes_cqes(void *slots, const struct rn_cqe *e,
					     const struct rn_data *wqe, rn_pair common)
{
	const rn_pair hash = rn_lanes_of(e, offsetof(struct rn_cqe, rss_hash));
	const rn_pair len = rn_lanes_of(e, offsetof(struct rn_cqe, byte_cnt) - 4);

	return rn_lanes_put(slots, rn_pair_lane1(hash, len), wqe, common);
}

/* ---- from a client's slots to segments that the device reads ---- */

#define RN_LANES_GROUP 8u /* slots that are checked and then used, all or none */

/* Of buffers that the client posts: offsets are what `start` leaves of them, and below limit. */
struct rn_lanes_posting {
	rn_pair start, most, rest;
};

RN_PAIRS static inline struct rn_lanes_posting
rn_lanes_posting(uint32_t start, uint64_t limit, uint64_t base, uint32_t len, uint32_t lkey_be)
{
	return (struct rn_lanes_posting) {
		.start = rn_pair_same(start, 0),
		.most = rn_pair_same(limit - 1, 0),
		/* The offset makes an address of the lower half; the upper one is as it will be. */
		.rest = rn_pair_same(base, htobe32(len) | (uint64_t)lkey_be << 32),
	};
}

/* A group of receive requests. False: a slot names no buffer, and nothing was written. What is
 * checked is what was loaded. */
RN_PAIRS static inline bool rn_lanes_post(struct rn_data *wqe, const struct rawnet_slot *slot,
					  const struct rn_lanes_posting *p)
{
	const rn_pair order = rn_pair_order(0x08090a0b0c0d0e0f, 0x0706050403020100);
	rn_pair off[RN_LANES_GROUP / 2], all = rn_pair_same(0, 0);

#pragma GCC unroll 4
	for (uint32_t i = 0; i < RN_LANES_GROUP / 2; i++) {
		off[i] = rn_pair_once(rn_pair_and(rn_pair_at(&slot[2 * i]), p->start));
		all = rn_pair_max32(all, off[i]);
	}
	if (__builtin_expect(!rn_pair_at_most(all, p->most), 0))
		return false;
#pragma GCC unroll 4
	for (uint32_t i = 0; i < RN_LANES_GROUP / 2; i++)
		rn_pair_put(&wqe[2 * i], rn_pair_arrange(rn_pair_add64(off[i], p->rest), order));
	return true;
}

/* What makes a packet plain: no flags, at most `longest` bytes, and `span` bytes at its offset are
 * inside memory. */
struct rn_lanes_plain {
	rn_pair least, most;
};

/* 14 <= longest < 2^16, span <= size. */
RN_PAIRS static inline struct rn_lanes_plain rn_lanes_plain(uint32_t longest, uint32_t span,
							    uint64_t size)
{
	const uint64_t last = size - span < UINT32_MAX ? size - span : UINT32_MAX;

	return (struct rn_lanes_plain) {
		.least = rn_pair_same((uint32_t)-14, 0),
		.most = rn_pair_same(longest - 14, last),
	};
}

/* Are the packets of a group plain? packet: of each its length, and flags above it, in the lower
 * half, its offset in the upper. */
RN_PAIRS static inline bool rn_lanes_are_plain(const struct rawnet_slot *slot,
					       const struct rn_lanes_plain *plain, rn_pair *packet)
{
	const rn_pair apart = rn_pair_order(0x0405060780808080, 0x0001020380808080);
	rn_pair all = rn_pair_same(0, 0);

#pragma GCC unroll 4
	for (uint32_t i = 0; i < RN_LANES_GROUP / 2; i++) {
		packet[i] = rn_pair_once(rn_pair_arrange(rn_pair_at(&slot[2 * i]), apart));
		all = rn_pair_max32(all, rn_pair_add32(packet[i], plain->least));
	}
	return rn_pair_at_most(all, plain->most);
}

/* A plain packet. */
struct rn_packet {
	uint64_t len, off;
};

/* Those of a group. False: nothing was written. */
RN_PAIRS static inline bool rn_lanes_packets(struct rn_packet *to, const struct rawnet_slot *slot,
					     const struct rn_lanes_plain *plain)
{
	rn_pair packet[RN_LANES_GROUP / 2];

	if (!rn_lanes_are_plain(slot, plain, packet))
		return false;
#pragma GCC unroll 4
	for (uint32_t i = 0; i < RN_LANES_GROUP / 2; i++)
		rn_pair_put(&to[2 * i], packet[i]);
	return true;
}

/* Where packets are, for pointers to them. */
struct rn_lanes_memory {
	rn_pair mem, key;
};

RN_PAIRS static inline struct rn_lanes_memory rn_lanes_memory(const void *mem, uint32_t lkey_be)
{
	return (struct rn_lanes_memory) {
		.mem = rn_pair_same(0, (uintptr_t)mem),
		.key = rn_pair_same((uint64_t)lkey_be << 32, 0),
	};
}

/* Pointers to those of a group; to *sum is added, in lane 0, how long they are. False: nothing was
 * written. */
RN_PAIRS static inline bool rn_lanes_point(void *segs, const struct rawnet_slot *slot,
					   const struct rn_lanes_plain *plain,
					   const struct rn_lanes_memory *memory, rn_pair *sum)
{
	const rn_pair order = rn_pair_order(0x0302010080808080, 0x0f0e0d0c0b0a0908);
	rn_pair packet[RN_LANES_GROUP / 2];

	if (!rn_lanes_are_plain(slot, plain, packet))
		return false;
#pragma GCC unroll 4
	for (uint32_t i = 0; i < RN_LANES_GROUP / 2; i++) {
		rn_pair v = rn_pair_arrange(rn_pair_add64(packet[i], memory->mem), order);

		rn_pair_put((uint8_t *)segs + 2 * i * RN_SEG, rn_pair_or(v, memory->key));
		*sum = rn_pair_add32(*sum, packet[i]);
	}
	return true;
}

#endif
