/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's side of a ring, inline, for pollers. The other side is hostile by assumption:
 *   - our index lives in struct rn_ring and is never read back from shared memory;
 *   - the client's index is loaded once and checked against what it may be: neither behind what it
 *     was, nor more than a ring ahead of our published one;
 *   - a slot is copied once, and only the copy is looked at.
 * Memory order is the mirror of rawnet/ring.h: acquire on the client's index pairs with its release
 * after the slots were written; release on ours pairs with its acquire before it reads or reuses
 * them.
 */
#ifndef RN_RING_H
#define RN_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "queue.h"

/* Looks at the client's index: how many slots are ours, or -1 if the client lies. It is measured by
 * what we published: slots that this turn finished are not the client's yet. */
static inline int64_t rn_ring_look(struct rn_ring *r)
{
	uint32_t client = __atomic_load_n(&r->ctl->client, __ATOMIC_ACQUIRE);
	uint32_t ahead = client - r->published;

	if (ahead > r->mask + 1 || ahead < r->client - r->published)
		return -1;
	r->client = client;
	return client - r->daemon;
}

/* One copy of a slot: two 8-byte loads that the compiler may not repeat. */
static inline struct rawnet_slot rn_slot_copy(const struct rawnet_slot *shared)
{
	struct rawnet_slot s;
	uint64_t w[2];

	w[0] = __atomic_load_n((const uint64_t *)(const void *)shared, __ATOMIC_RELAXED);
	w[1] = __atomic_load_n((const uint64_t *)(const void *)shared + 1, __ATOMIC_RELAXED);
	memcpy(&s, w, sizeof(s));
	return s;
}

/* Publishes our index; what stands in the slots is visible before it. */
static inline void rn_ring_publish(struct rn_ring *r)
{
	const uint32_t daemon = r->daemon;

	__atomic_store_n(&r->ctl->daemon, daemon, __ATOMIC_RELEASE);
	r->published = daemon;
}

/* Does the client want to be woken? No counts only after a publish and a sequentially consistent
 * fence; without the fence it may have gone to sleep just now. */
static inline bool rn_ring_client_sleeps(const struct rn_ring *r)
{
	return __atomic_load_n(&r->ctl->sleep.client, __ATOMIC_RELAXED) != 0;
}

static inline void rn_ring_set_sleep(struct rn_ring *r, uint32_t sleeps)
{
	__atomic_store_n(&r->ctl->sleep.daemon, sleeps, __ATOMIC_RELAXED);
}

/* Is [off, off + len) inside size? For 64-bit values that cannot wrap. */
static inline bool rn_in_range(uint64_t off, uint64_t len, uint64_t size)
{
	return len <= size && off <= size - len;
}

#endif
