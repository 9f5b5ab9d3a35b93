/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One side of a ring of frames in memory shared by two processes: one writer, one reader, no lock.
 *
 * A frame lies in one piece behind a struct cx_record; where the rest of the ring is too short for
 * it, a skip record fills it. The writer reserves, fills and commits; the reader peeks and
 * releases, and may use the frame in place until then. Each side keeps its own offset privately,
 * and a copy of the other's that is refreshed only when it is used up: one moved cache line for
 * many frames.
 *
 * Memory order: each commit stores head with release, and the reader loads it with acquire before
 * it reads the records; each release stores tail with release, and the writer loads it with acquire
 * before it overwrites them. Sleeping: the sleeper sets its flag and then looks at the offsets; the
 * other publishes its offset again and then looks at the flag; all four are sequentially
 * consistent, so at least one sees the other, and no wake-up is lost.
 *
 * Nothing read from shared memory is trusted: an offset or a length that cannot be sets `broken`,
 * and the ring reads as empty and full from then on.
 */
#ifndef CX_RING_H
#define CX_RING_H

#include <stdbool.h>
#include "wire.h"

/* Private to one side of one ring. */
struct cx_ring {
	struct cx_ring_ctl *ctl;
	uint8_t *data;
	uint32_t size;
	uint32_t mine; /* writer: head, reader: tail */
	uint32_t seen; /* the other's offset, when last looked */
	bool moved; /* offset published since the last cx_ring_settle */
	bool broken; /* the other side wrote nonsense */
};

static inline void cx_ring_init(struct cx_ring *r, struct cx_ring_ctl *ctl, void *data,
				uint32_t size)
{
	*r = (struct cx_ring) {.ctl = ctl, .data = data, .size = size};
}

/* What a frame of len bytes takes. */
static inline uint32_t cx_ring_record(uint32_t len)
{
	return (uint32_t)sizeof(struct cx_record) + ((len + 7) & ~7u);
}

/* ---- writer ---- */

static inline bool cx_ring_has_room(struct cx_ring *r, uint32_t bytes)
{
	if (r->size - (r->mine - r->seen) >= bytes)
		return !r->broken;
	r->seen = atomic_load_explicit(&r->ctl->tail, memory_order_acquire);
	if (r->mine - r->seen > r->size)
		r->broken = true;
	return !r->broken && r->size - (r->mine - r->seen) >= bytes;
}

static inline struct cx_record *cx_ring_at(const struct cx_ring *r, uint32_t offset)
{
	return (struct cx_record *)(void *)(r->data + (offset & (r->size - 1)));
}

/* Room for a frame of up to len <= CX_FRAME_MAX bytes, or NULL if the ring is full. Nothing is
 * taken before the commit; reserving again gives the same room. */
static inline uint8_t *cx_ring_reserve(struct cx_ring *r, uint32_t len)
{
	uint32_t rest = r->size - (r->mine & (r->size - 1));
	uint32_t skip = cx_ring_record(len) > rest ? rest : 0;

	if (len > CX_FRAME_MAX || !cx_ring_has_room(r, skip + cx_ring_record(len)))
		return NULL;
	if (skip) {
		atomic_store_explicit(&cx_ring_at(r, r->mine)->len, CX_RECORD_SKIP,
				      memory_order_relaxed);
		r->mine += skip;
	}
	return (uint8_t *)(cx_ring_at(r, r->mine) + 1);
}

/* Publishes the reserved frame; len is at most what was reserved. */
static inline void cx_ring_commit(struct cx_ring *r, uint32_t len)
{
	struct cx_record *rec = cx_ring_at(r, r->mine);

	atomic_store_explicit(&rec->len, len, memory_order_relaxed);
	rec->zero = 0;
	r->mine += cx_ring_record(len);
	r->moved = true;
	atomic_store_explicit(&r->ctl->head, r->mine, memory_order_release);
}

/* ---- reader ---- */

static inline bool cx_ring_refill(struct cx_ring *r)
{
	r->seen = atomic_load_explicit(&r->ctl->head, memory_order_acquire);
	if (r->seen - r->mine > r->size || (r->seen & 7))
		r->broken = true;
	return !r->broken && r->seen != r->mine;
}

/* The oldest frame, or NULL if there is none; the same one until it is released. */
static inline const uint8_t *cx_ring_peek(struct cx_ring *r, uint32_t *len)
{
	while (!r->broken && (r->seen != r->mine || cx_ring_refill(r))) {
		const struct cx_record *rec = cx_ring_at(r, r->mine);
		uint32_t rest = r->size - (r->mine & (r->size - 1));
		uint32_t avail = r->seen - r->mine;
		uint32_t n = atomic_load_explicit(&rec->len, memory_order_relaxed);

		if (n == CX_RECORD_SKIP && rest < avail) {
			r->mine += rest;
			continue;
		}
		if (n > CX_FRAME_MAX || cx_ring_record(n) > avail || cx_ring_record(n) > rest) {
			r->broken = true;
			break;
		}
		*len = n;
		return (const uint8_t *)(rec + 1);
	}
	return NULL;
}

/* Gives the peeked frame's room back; len as cx_ring_peek returned it. */
static inline void cx_ring_release(struct cx_ring *r, uint32_t len)
{
	r->mine += cx_ring_record(len);
	r->moved = true;
	atomic_store_explicit(&r->ctl->tail, r->mine, memory_order_release);
}

/* ---- sleeping ---- */

/* Before a look at the other side's sleep flag: true if anything was published since the last. */
static inline bool cx_ring_settle(struct cx_ring *r, _Atomic uint32_t *offset)
{
	if (!r->moved)
		return false;
	r->moved = false;
	atomic_store_explicit(offset, r->mine, memory_order_seq_cst);
	return true;
}

/* Reader, after setting its own sleep flag: may it block? */
static inline bool cx_ring_is_empty(const struct cx_ring *r)
{
	return atomic_load_explicit(&r->ctl->head, memory_order_seq_cst) == r->mine || r->broken;
}

/* Writer, after setting its own sleep flag: does the largest frame still not fit? */
static inline bool cx_ring_is_full(const struct cx_ring *r)
{
	uint32_t tail = atomic_load_explicit(&r->ctl->tail, memory_order_seq_cst);

	return r->size - (r->mine - tail) < 2 * cx_ring_record(CX_FRAME_MAX) || r->broken;
}

#endif
