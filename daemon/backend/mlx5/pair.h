/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two vectors of 16 bytes, which belong to two packets that follow each other: slots, completions
 * or segments of requests. x86-64 has them in one register with AVX2, which has to be asked for
 * (glibc's memcpy() uses it as well where it is there); arm64 always, in two registers.
 *
 * A vector is four lanes of 32 bits, or two halves of 64; lane 0 and the lower half come first in
 * memory.
 */
#ifndef RN_MLX5_PAIR_H
#define RN_MLX5_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define RN_PAIRS __attribute__((target("avx2")))

typedef __m256i rn_pair;

static inline bool rn_pairs_here(void)
{
	return __builtin_cpu_supports("avx2");
}

/* 16 bytes from each of two places. */
RN_PAIRS static inline rn_pair rn_pair_of(const void *first, const void *second)
{
	return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(first)),
				       _mm_loadu_si128(second), 1);
}

/* 32 bytes from one. */
RN_PAIRS static inline rn_pair rn_pair_at(const void *both)
{
	return _mm256_loadu_si256(both);
}

RN_PAIRS static inline void rn_pair_put(void *both, rn_pair v)
{
	_mm256_storeu_si256(both, v);
}

/* Keeps the compiler from making it again of memory that somebody else may have written to. */
RN_PAIRS static inline rn_pair rn_pair_once(rn_pair v)
{
	__asm__("" : "+x"(v));
	return v;
}

RN_PAIRS static inline rn_pair rn_pair_new(uint64_t low0, uint64_t high0, uint64_t low1,
					   uint64_t high1)
{
	return _mm256_setr_epi64x((int64_t)low0, (int64_t)high0, (int64_t)low1, (int64_t)high1);
}

/* Two of 8 bytes each, in the lower halves. */
RN_PAIRS static inline rn_pair rn_pair_spread(const void *both)
{
	return _mm256_permute4x64_epi64(_mm256_castsi128_si256(_mm_loadu_si128(both)), 0x50);
}

RN_PAIRS static inline rn_pair rn_pair_arrange(rn_pair v, rn_pair order)
{
	return _mm256_shuffle_epi8(v, order);
}

/* a, but for lane 1, and but for lanes 2 and 3. */
RN_PAIRS static inline rn_pair rn_pair_lane1(rn_pair a, rn_pair b)
{
	return _mm256_blend_epi32(a, b, 0x22);
}

RN_PAIRS static inline rn_pair rn_pair_upper(rn_pair a, rn_pair b)
{
	return _mm256_blend_epi32(a, b, 0xcc);
}

RN_PAIRS static inline rn_pair rn_pair_and(rn_pair a, rn_pair b)
{
	return _mm256_and_si256(a, b);
}

RN_PAIRS static inline rn_pair rn_pair_or(rn_pair a, rn_pair b)
{
	return _mm256_or_si256(a, b);
}

RN_PAIRS static inline rn_pair rn_pair_xor(rn_pair a, rn_pair b)
{
	return _mm256_xor_si256(a, b);
}

RN_PAIRS static inline rn_pair rn_pair_add32(rn_pair a, rn_pair b)
{
	return _mm256_add_epi32(a, b);
}

RN_PAIRS static inline rn_pair rn_pair_add64(rn_pair a, rn_pair b)
{
	return _mm256_add_epi64(a, b);
}

/* Of unsigned lanes. */
RN_PAIRS static inline rn_pair rn_pair_max32(rn_pair a, rn_pair b)
{
	return _mm256_max_epu32(a, b);
}

RN_PAIRS static inline bool rn_pair_at_most(rn_pair v, rn_pair most)
{
	return _mm256_movemask_epi8(_mm256_cmpeq_epi32(_mm256_max_epu32(v, most), most)) == -1;
}

RN_PAIRS static inline bool rn_pair_is_zero(rn_pair v)
{
	return _mm256_testz_si256(v, v);
}

RN_PAIRS static inline uint64_t rn_pair_sum_lane0(rn_pair v)
{
	return (uint64_t)(uint32_t)_mm256_extract_epi32(v, 0) +
	       (uint32_t)_mm256_extract_epi32(v, 4);
}

RN_PAIRS static inline uint64_t rn_pair_sum_lane1(rn_pair v)
{
	return (uint64_t)(uint32_t)_mm256_extract_epi32(v, 1) +
	       (uint32_t)_mm256_extract_epi32(v, 5);
}

#elif defined(__aarch64__)

#include <arm_neon.h>

#define RN_PAIRS

typedef struct {
	uint32x4_t first, second;
} rn_pair;

static inline bool rn_pairs_here(void)
{
	return true;
}

static inline rn_pair rn_pair_of(const void *first, const void *second)
{
	return (rn_pair) {vreinterpretq_u32_u8(vld1q_u8(first)),
			  vreinterpretq_u32_u8(vld1q_u8(second))};
}

static inline rn_pair rn_pair_at(const void *both)
{
	return rn_pair_of(both, (const uint8_t *)both + 16);
}

static inline void rn_pair_put(void *both, rn_pair v)
{
	vst1q_u8(both, vreinterpretq_u8_u32(v.first));
	vst1q_u8((uint8_t *)both + 16, vreinterpretq_u8_u32(v.second));
}

static inline rn_pair rn_pair_once(rn_pair v)
{
	__asm__("" : "+w"(v.first), "+w"(v.second));
	return v;
}

static inline rn_pair rn_pair_new(uint64_t low0, uint64_t high0, uint64_t low1, uint64_t high1)
{
	return (rn_pair) {
		vreinterpretq_u32_u64(vcombine_u64(vcreate_u64(low0), vcreate_u64(high0))),
		vreinterpretq_u32_u64(vcombine_u64(vcreate_u64(low1), vcreate_u64(high1)))};
}

static inline rn_pair rn_pair_spread(const void *both)
{
	const uint64x2_t v = vreinterpretq_u64_u8(vld1q_u8(both));

	return (rn_pair) {vreinterpretq_u32_u64(v), vreinterpretq_u32_u64(vdupq_laneq_u64(v, 1))};
}

#define RN_PAIR_EACH(op) ((rn_pair) {op(a.first, b.first), op(a.second, b.second)})

static inline uint32x4_t rn_half_arrange(uint32x4_t v, uint32x4_t order)
{
	return vreinterpretq_u32_u8(
		vqtbl1q_u8(vreinterpretq_u8_u32(v), vreinterpretq_u8_u32(order)));
}

static inline uint32x4_t rn_half_lane1(uint32x4_t a, uint32x4_t b)
{
	return vcopyq_laneq_u32(a, 1, b, 1);
}

static inline uint32x4_t rn_half_upper(uint32x4_t a, uint32x4_t b)
{
	return vcombine_u32(vget_low_u32(a), vget_high_u32(b));
}

static inline uint32x4_t rn_half_add64(uint32x4_t a, uint32x4_t b)
{
	return vreinterpretq_u32_u64(vaddq_u64(vreinterpretq_u64_u32(a), vreinterpretq_u64_u32(b)));
}

static inline rn_pair rn_pair_arrange(rn_pair a, rn_pair b)
{
	return RN_PAIR_EACH(rn_half_arrange);
}

static inline rn_pair rn_pair_lane1(rn_pair a, rn_pair b)
{
	return RN_PAIR_EACH(rn_half_lane1);
}

static inline rn_pair rn_pair_upper(rn_pair a, rn_pair b)
{
	return RN_PAIR_EACH(rn_half_upper);
}

static inline rn_pair rn_pair_and(rn_pair a, rn_pair b)
{
	return RN_PAIR_EACH(vandq_u32);
}

static inline rn_pair rn_pair_or(rn_pair a, rn_pair b)
{
	return RN_PAIR_EACH(vorrq_u32);
}

static inline rn_pair rn_pair_xor(rn_pair a, rn_pair b)
{
	return RN_PAIR_EACH(veorq_u32);
}

static inline rn_pair rn_pair_add32(rn_pair a, rn_pair b)
{
	return RN_PAIR_EACH(vaddq_u32);
}

static inline rn_pair rn_pair_add64(rn_pair a, rn_pair b)
{
	return RN_PAIR_EACH(rn_half_add64);
}

static inline rn_pair rn_pair_max32(rn_pair a, rn_pair b)
{
	return RN_PAIR_EACH(vmaxq_u32);
}

static inline bool rn_pair_at_most(rn_pair v, rn_pair most)
{
	return vminvq_u32(vandq_u32(vcleq_u32(v.first, most.first),
				    vcleq_u32(v.second, most.second))) != 0;
}

static inline bool rn_pair_is_zero(rn_pair v)
{
	return vmaxvq_u32(vorrq_u32(v.first, v.second)) == 0;
}

static inline uint64_t rn_pair_sum_lane0(rn_pair v)
{
	return (uint64_t)vgetq_lane_u32(v.first, 0) + vgetq_lane_u32(v.second, 0);
}

static inline uint64_t rn_pair_sum_lane1(rn_pair v)
{
	return (uint64_t)vgetq_lane_u32(v.first, 1) + vgetq_lane_u32(v.second, 1);
}

#endif

/* The same in both. */
RN_PAIRS static inline rn_pair rn_pair_same(uint64_t low, uint64_t high)
{
	return rn_pair_new(low, high, low, high);
}

/* Which byte comes to each place, first to last of either half; 0x80: zero. */
RN_PAIRS static inline rn_pair rn_pair_order(uint64_t low_be, uint64_t high_be)
{
	return rn_pair_same(__builtin_bswap64(low_be), __builtin_bswap64(high_be));
}

#endif
