/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the policy grants a queue, which a reload changes while it is served: the control thread
 * says it, the queue's poller takes it over between two bursts. So a packet is policed and paid
 * under one grant, and nobody else writes the buckets. Of two grants that follow each other at once
 * a burst may see parts of both; the next one has the last.
 */
#ifndef RN_QUEUE_GRANT_H
#define RN_QUEUE_GRANT_H

#include "queue.h"

#define RN_GRANT_PACKETS 64u /* least burst */
#define RN_GRANT_BYTES	 131072u

/* Control thread. */
static inline void rn_queue_grant(struct rn_queue *q, const struct rn_queue_grant *grant)
{
	__atomic_store_n(&q->granted.packet_rate, grant->packet_rate, __ATOMIC_RELAXED);
	__atomic_store_n(&q->granted.byte_rate, grant->byte_rate, __ATOMIC_RELAXED);
	__atomic_store_n(&q->granted.weight, grant->weight, __ATOMIC_RELAXED);
	__atomic_store_n(&q->granted.police, grant->police, __ATOMIC_RELAXED);
	/* release: who sees the number sees the grant. */
	__atomic_store_n(&q->grants, q->grants + 1, __ATOMIC_RELEASE);
}

/* Poller; before the queue is served first, who makes it. */
static inline void rn_queue_follow(struct rn_queue *q)
{
	const uint32_t grants = __atomic_load_n(&q->grants, __ATOMIC_ACQUIRE);
	uint64_t packets, bytes;

	if (__builtin_expect(grants == q->grants_taken, 1))
		return;
	packets = __atomic_load_n(&q->granted.packet_rate, __ATOMIC_RELAXED);
	bytes = __atomic_load_n(&q->granted.byte_rate, __ATOMIC_RELAXED);
	q->weight = __atomic_load_n(&q->granted.weight, __ATOMIC_RELAXED);
	q->police = __atomic_load_n(&q->granted.police, __ATOMIC_RELAXED);
	rn_bucket_set(&q->packets, packets, RN_GRANT_PACKETS);
	rn_bucket_set(&q->bytes, bytes, RN_GRANT_BYTES);
	q->limited = packets || bytes;
	q->grants_taken = grants;
}

#endif
