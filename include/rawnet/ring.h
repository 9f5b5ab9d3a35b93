/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of a ring: inline functions over the shared memory of abi.h, without a system
 * call. One thread at a time uses a ring. Costs are for a burst in class-C placement (two cores of
 * one cache complex); a "line" is a cache line that moves between the cores.
 *
 * Memory order, the same on every ring:
 *   - a side writes slots (and packet memory), then stores its index with release;
 *   - the other side loads that index with acquire, then reads the slots.
 *   The acquire of the daemon's index also orders this side's later writes to the slots after the
 *   daemon's reads of them, since the daemon stores its index with release after its last access.
 *   - sleeping: a side sets its sleep flag, executes a sequentially consistent fence, and looks at
 *     the other index once more before it blocks; the other side publishes its index, executes a
 *     sequentially consistent fence, and then reads the flag. With both fences at least one of the
 *     two sees the other's store (store buffering is what acquire and release alone let through),
 * so no wake-up is lost. Indexes run freely modulo 2^32; a ring's size divides 2^32, so differences
 * are right after wrap.
 */
#ifndef RAWNET_RING_H
#define RAWNET_RING_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Private to one side; the shared parts are behind ctl and slots. */
struct rawnet_ring {
	struct rawnet_ring_ctl *ctl;
	struct rawnet_slot *slots;
	const uint64_t *stamps; /* rx with timestamps, else NULL */
	uint32_t mask; /* size - 1 */
	uint32_t client; /* next slot to publish; what is published trails it until the flush */
	uint32_t taken; /* rx: next slot to read; tx: next slot to take back */
	uint32_t daemon; /* the daemon's index when last looked */
};

static inline uint32_t rawnet_ring_load(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

/* Look at the daemon's index: one line if it moved, else none. */
static inline void rawnet_ring_look(struct rawnet_ring *r)
{
	r->daemon = rawnet_ring_load(&r->ctl->daemon);
}

/* Publish everything up to r->client: one line for the index, one for every four slots. */
static inline void rawnet_ring_publish(struct rawnet_ring *r)
{
	__atomic_store_n(&r->ctl->client, r->client, __ATOMIC_RELEASE);
}

/* After a publish: does the poller sleep, so that it must be sent a byte? One fence. */
static inline int rawnet_ring_must_wake(const struct rawnet_ring *r)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&r->ctl->sleep.daemon, __ATOMIC_RELAXED) != 0;
}

/* ---- rx ---- */

/* How many received slots are there to read, looking at shared memory only when the last look is
 * used up. The k-th is rawnet_rx_slot(r, k). */
static inline uint32_t rawnet_rx_avail(struct rawnet_ring *r)
{
	if (r->daemon == r->taken)
		rawnet_ring_look(r);
	return r->daemon - r->taken;
}

static inline struct rawnet_slot *rawnet_rx_slot(const struct rawnet_ring *r, uint32_t k)
{
	return &r->slots[(r->taken + k) & r->mask];
}

/* Arrival time of the k-th slot, nanoseconds CLOCK_REALTIME; only with RAWNET_RX_STAMP. */
static inline uint64_t rawnet_rx_stamp(const struct rawnet_ring *r, uint32_t k)
{
	return r->stamps[(r->taken + k) & r->mask];
}

/* Done with the first n slots, whose buffers (or those put in their place by changing `off`) go
 * back to the daemon: nothing is written until rawnet_ring_publish. Valid while every slot of the
 * ring holds a buffer, which is how the library sets it up; to keep a buffer, put another in its
 * place. */
static inline void rawnet_rx_release(struct rawnet_ring *r, uint32_t n)
{
	r->taken += n;
	r->client += n;
}

/* ---- tx ---- */

/* How many slots are free to fill. Looks at shared memory only if fewer than `want` are known. */
static inline uint32_t rawnet_tx_room(struct rawnet_ring *r, uint32_t want)
{
	uint32_t size = r->mask + 1;

	if (size - (r->client - r->daemon) < want)
		rawnet_ring_look(r);
	return size - (r->client - r->daemon);
}

/* The k-th free slot. Its `off` still names the buffer that was sent from it last: that buffer is
 * the client's again, so that swapping `off` with a received slot forwards without a copy. */
static inline struct rawnet_slot *rawnet_tx_slot(const struct rawnet_ring *r, uint32_t k)
{
	return &r->slots[(r->client + k) & r->mask];
}

/* The first n free slots are filled, whole packets only; nothing is seen before
 * rawnet_ring_publish. */
static inline void rawnet_tx_fill(struct rawnet_ring *r, uint32_t n)
{
	r->client += n;
}

/* ---- sleeping ---- */

/* Set the flag and look again: 1 if the daemon's index has moved past what was read or taken back,
 * so that the caller must not block. */
static inline int rawnet_ring_arm(struct rawnet_ring *r)
{
	__atomic_store_n(&r->ctl->sleep.client, 1u, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return rawnet_ring_load(&r->ctl->daemon) != r->daemon;
}

static inline void rawnet_ring_disarm(struct rawnet_ring *r)
{
	__atomic_store_n(&r->ctl->sleep.client, 0u, __ATOMIC_RELAXED);
}

#ifdef __cplusplus
}
#endif
#endif
