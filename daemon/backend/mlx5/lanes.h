/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what the device says of a packet to its slot. Pure functions, in two kinds that make the
 * same slots: with 64-bit numbers (rn_slot_*), and with one instruction that brings the bytes of
 * length, hash and address to where a slot has them (rn_lanes_*). arm64 always has it, x86-64 with
 * SSSE3, which has to be asked for.
 *
 * A slot is four lanes of 32 bits: offset; length and flags; rule and tag; hash. What is the same
 * for all packets of a run is added: an offset is the lower half of the buffer's address less that
 * of packet memory, and the other sums have no bit in common.
 */
#ifndef RN_MLX5_LANES_H
#define RN_MLX5_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cqe.h"
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

/* ---- with lanes ---- */

typedef uint8_t rn_lanes __attribute__((vector_size(16)));
typedef uint16_t rn_lanes16 __attribute__((vector_size(16)));
typedef uint32_t rn_lanes32 __attribute__((vector_size(16)));
typedef uint64_t rn_lanes64 __attribute__((vector_size(16)));

#if defined(__x86_64__)

#include <tmmintrin.h>

#define RN_LANES __attribute__((target("ssse3")))

static inline bool rn_lanes_here(void)
{
	return __builtin_cpu_supports("ssse3");
}

RN_LANES static inline rn_lanes rn_lanes_arrange(rn_lanes v, rn_lanes order)
{
	return (rn_lanes)_mm_shuffle_epi8((__m128i)v, (__m128i)order);
}

#elif defined(__aarch64__)

#include <arm_neon.h>

#define RN_LANES

static inline bool rn_lanes_here(void)
{
	return true;
}

static inline rn_lanes rn_lanes_arrange(rn_lanes v, rn_lanes order)
{
	return (rn_lanes)vqtbl1q_u8((uint8x16_t)v, (uint8x16_t)order);
}

#endif

/* From hash, length and address, all big-endian, 4 + 4 + 8 bytes; 0x80: zero. */
#define RN_LANES_ORDER \
	((rn_lanes) {15, 14, 13, 12, 7, 6, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 3, 2, 1, 0})

static inline rn_lanes32 rn_lanes_common(const struct rn_slot_common *c)
{
	return (rn_lanes32) {(uint32_t)-c->base, (uint32_t)(c->flags >> 32), (uint32_t)c->rule,
			     (uint32_t)(c->rule >> 32)};
}

static inline rn_lanes rn_lanes_pair(const void *first, const void *second)
{
	rn_lanes64 v;
	uint64_t a, b;

	memcpy(&a, first, sizeof(a));
	memcpy(&b, second, sizeof(b));
	v = (rn_lanes64) {a, b};
	return (rn_lanes)v;
}

/* The slot is written; what is returned has the packet's length in lane 1. */
RN_LANES static inline rn_lanes32 rn_lanes_put(uint64_t *slot, rn_lanes v, rn_lanes32 common)
{
	rn_lanes32 packet = (rn_lanes32)rn_lanes_arrange(v, RN_LANES_ORDER), sum = packet + common;

	memcpy(slot, &sum, sizeof(sum));
	return packet;
}

RN_LANES static inline rn_lanes32 rn_lanes_mini(uint64_t *slot, const struct rn_mini *mini,
						const struct rn_data *wqe, rn_lanes32 common)
{
	return rn_lanes_put(slot, rn_lanes_pair(mini, &wqe->addr), common);
}

/* Of a completion of 64 bytes the hash and what stands behind it are one number; the length, for
 * which 16 bits do, takes that one's end. */
RN_LANES static inline rn_lanes32 rn_lanes_cqe(uint64_t *slot, const struct rn_cqe *e,
					       const struct rn_data *wqe, rn_lanes32 common)
{
	rn_lanes16 v = (rn_lanes16)rn_lanes_pair(&e->rss_hash, &wqe->addr);
	uint16_t len;

	memcpy(&len, (const uint8_t *)&e->byte_cnt + 2, sizeof(len));
	v[3] = len;
	return rn_lanes_put(slot, (rn_lanes)v, common);
}

#endif
