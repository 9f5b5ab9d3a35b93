/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bound for everything that moves packets through shared memory: one producer, one consumer, a
 * ring of rawnet's slots with its buffers and its index rule, and nothing else: no checks, no
 * counters, no sleep, no second ring. The producer writes each packet and its slot, the consumer
 * reads both.
 */
#ifndef BENCH_RING_BARE_H
#define BENCH_RING_BARE_H

#include <stdint.h>
#include <string.h>

#include "rawnet/abi.h"

#define BARE_SLOTS 1024u
#define BARE_BUF   2048u

/* Where buffer i begins. Buffers that all begin at the same place in their 2 KiB would share a few
 * sets of the caches, which costs a quarter of the rate: they begin at four different lines. */
static inline uint32_t bare_offset(uint32_t i)
{
	return i * BARE_BUF + i % 4 * 64;
}

struct bare_ring {
	struct rawnet_ring_ctl *ctl;
	struct rawnet_slot *slots;
	uint8_t *mem;
	uint32_t mask;
	uint32_t client, daemon; /* one of them ours, the other as seen last */
};

/* One memory for both sides; each takes a view of its own. */
void *bare_memory(void);
void bare_free(void *memory);
struct bare_ring bare_view(void *memory);

/* Fills up to n free slots with packets of len bytes and publishes them; how many. */
static inline uint32_t bare_put(struct bare_ring *r, const void *packet, uint32_t len, uint32_t n)
{
	if (r->mask + 1 - (r->client - r->daemon) < n)
		r->daemon = __atomic_load_n(&r->ctl->daemon, __ATOMIC_ACQUIRE);
	if (r->mask + 1 - (r->client - r->daemon) < n)
		n = r->mask + 1 - (r->client - r->daemon);
	for (uint32_t i = 0; i < n; i++, r->client++) {
		struct rawnet_slot *s = &r->slots[r->client & r->mask];

		memcpy(r->mem + s->off, packet, len);
		*s = (struct rawnet_slot) {.off = s->off, .len = (uint16_t)len};
	}
	if (n)
		__atomic_store_n(&r->ctl->client, r->client, __ATOMIC_RELEASE);
	return n;
}

/* All of a packet, read. */
static inline uint64_t bench_read(const uint8_t *p, uint32_t len)
{
	uint64_t sum = 0, word;

	for (uint32_t i = 0; i < len; i += 8) {
		memcpy(&word, p + i, 8);
		sum ^= word;
	}
	return sum;
}

/* Takes up to n; what was read goes into *sum so that the reads are not left out. */
static inline uint32_t bare_take(struct bare_ring *r, uint32_t n, uint64_t *sum)
{
	uint32_t i;

	if (r->client == r->daemon)
		r->client = __atomic_load_n(&r->ctl->client, __ATOMIC_ACQUIRE);
	if (r->client - r->daemon < n)
		n = r->client - r->daemon;
	for (i = 0; i < n; i++, r->daemon++) {
		const struct rawnet_slot *s = &r->slots[r->daemon & r->mask];

		*sum ^= bench_read(r->mem + s->off, s->len);
	}
	if (n)
		__atomic_store_n(&r->ctl->daemon, r->daemon, __ATOMIC_RELEASE);
	return n;
}

#endif
