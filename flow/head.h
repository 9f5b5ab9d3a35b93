/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A head: what a decision about a frame depended on, in its first bytes. Of a frame that was
 * parsed, the bits that its key has under a mask, and the bounds of the IP length field, are kept;
 * a frame that agrees in all of them has the same key under that mask, the same headers in the same
 * places, and the same RN_KEY_* flags, so it needs no parsing: a few vector operations, without a
 * branch on what the frame holds.
 *
 * Only plain frames make a head: no options or extension headers, no fragments, no ICMPv6. A tag
 * that came as metadata is not in the frame: whoever keeps a head compares that for himself.
 */
#ifndef RN_HEAD_H
#define RN_HEAD_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "key.h"

#define RN_HEAD_SPAN 64u /* bytes of the frame that it looks at */

struct rn_head {
	uint32_t need; /* least length of the frame */
	uint32_t least, base; /* IP length field + base is at least this and at most the length */
	uint16_t length_mask; /* 0: no such field */
	uint8_t length_at; /* its offset */
	_Alignas(16) uint8_t value[RN_HEAD_SPAN];
	uint8_t mask[RN_HEAD_SPAN]; /* of the frame's first bytes */
};

/* Of a frame of len bytes that was parsed into key and headers. Looked at are the fields of the key
 * that the mask has, ethertype and tag always. False: no frame that a head can be made of; what is
 * in `head` is not to be used. Any thread. */
bool rn_head_make(struct rn_head *head, const uint8_t *frame, uint32_t len,
		  const struct rn_headers *headers, const struct rn_key *key,
		  const struct rn_key *mask);

typedef uint64_t rn_piece16 __attribute__((vector_size(16)));

static inline rn_piece16 rn_head_differs(const struct rn_head *h, uint32_t at, rn_piece16 x)
{
	rn_piece16 value, mask;

	memcpy(&value, h->value + at, sizeof(value));
	memcpy(&mask, h->mask + at, sizeof(mask));
	return (x ^ value) & mask;
}

static inline bool rn_head_fits(const struct rn_head *h, const uint8_t *first, uint32_t len)
{
	uint16_t length;
	uint32_t end;

	memcpy(&length, first + h->length_at, sizeof(length));
	end = h->base + (be16toh(length) & h->length_mask);
	return len >= h->need && len >= h->least && end - h->least <= len - h->least;
}

/* first: RN_HEAD_SPAN readable bytes, of which the first `len` are the frame's, or the frame's
 * first; those behind a short frame do not matter. The pieces are aligned as a copy by 16 bytes
 * writes them, so that reading them back does not wait for the copy. */
static inline bool rn_head_agrees(const struct rn_head *h, const uint8_t *first, uint32_t len)
{
	rn_piece16 differs = {0}, x;

#pragma GCC unroll 4
	for (uint32_t i = 0; i < RN_HEAD_SPAN; i += sizeof(x)) {
		memcpy(&x, first + i, sizeof(x));
		differs |= rn_head_differs(h, i, x);
	}
	return rn_head_fits(h, first, len) && !(differs[0] | differs[1]);
}

/* Keeps the compiler from reading again what a piece was read from. */
#if defined(__aarch64__)
#define RN_READ_ONCE(piece) __asm__("" : "+w"(piece))
#else
#define RN_READ_ONCE(piece) __asm__("" : "+x"(piece))
#endif

/* Copies RN_HEAD_SPAN bytes of memory that somebody else may write to meanwhile: the same of the
 * copy. */
static inline bool rn_head_agrees_copied(const struct rn_head *h, uint8_t *copy,
					 const uint8_t *from, uint32_t len)
{
	rn_piece16 differs = {0}, x;

#pragma GCC unroll 4
	for (uint32_t i = 0; i < RN_HEAD_SPAN; i += sizeof(x)) {
		memcpy(&x, from + i, sizeof(x));
		RN_READ_ONCE(x);
		memcpy(copy + i, &x, sizeof(x));
		differs |= rn_head_differs(h, i, x);
	}
	return rn_head_fits(h, copy, len) && !(differs[0] | differs[1]);
}

/* The same of a frame that may be shorter than what is looked at, without room behind it. */
static inline bool rn_head_agrees_frame(const struct rn_head *h, const uint8_t *frame, uint32_t len)
{
	uint8_t first[RN_HEAD_SPAN] = {0};

	if (len >= RN_HEAD_SPAN)
		return rn_head_agrees(h, frame, len);
	memcpy(first, frame, len);
	return rn_head_agrees(h, first, len);
}

#endif
