/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Doorbells: how the device learns that there are new requests, and what a sleeper waits for.
 *
 * A doorbell record is memory that the device reads: two big-endian words. For a queue pair word 0
 * counts receive requests and word 1 basic blocks of the send queue, both modulo 2^16, running
 * freely; for a completion queue word 0 is the consumer index (24 bits) and word 1 the arm record.
 * The receive side needs no more than the record: the device looks at it when it is short of
 * requests. The send side is started by a store of 8 bytes to a register, whose content is the
 * first 8 bytes of the last request; it must be one store, since the device takes it when it comes.
 *
 * Order: requests → rn_dma_write → record → rn_mmio_write → register → rn_mmio_flush. The record
 * must be there when the register's store arrives, because the device reads it then; and the flush
 * pushes the store out and keeps it apart from the next one to the same register, which belongs to
 * another queue of this thread: a merged store would lose a doorbell.
 *
 * Source: Mellanox Adapters PRM, "Doorbell record", "UAR page format"; Linux'
 * include/linux/mlx5/{doorbell,cq}.h.
 */
#ifndef RN_MLX5_DOORBELL_H
#define RN_MLX5_DOORBELL_H

#include <endian.h>
#include <stdint.h>

#include "barrier.h"

enum {
	RN_RECORD_RX = 0, /* of a queue pair */
	RN_RECORD_TX = 1,
	RN_RECORD_CI = 0, /* of a completion queue */
	RN_RECORD_ARM = 1
};

#define RN_ARM_REGISTER 0x20u /* offset in the register page */

static inline uint32_t rn_record_counter(uint32_t counter)
{
	return htobe32(counter & 0xffff);
}

/* Receive requests up to `counter` are posted. Their stores come before. */
static inline void rn_ring_rx(uint32_t *record, uint32_t counter)
{
	rn_dma_write();
	__atomic_store_n(&record[RN_RECORD_RX], rn_record_counter(counter), __ATOMIC_RELAXED);
}

/* Send requests up to block `counter` (exclusive) are there; last: the last one of them. */
static inline void rn_ring_tx(uint32_t *record, uint64_t *reg, uint32_t counter, const void *last)
{
	rn_dma_write();
	__atomic_store_n(&record[RN_RECORD_TX], rn_record_counter(counter), __ATOMIC_RELAXED);
	rn_mmio_write();
	__atomic_store_n(reg, *(const uint64_t *)last, __ATOMIC_RELAXED);
	rn_mmio_flush();
}

/*
 * Asks for one event when there is a completion behind `ci`. The sequence number (2 bits) must be
 * another one after each event, so that the device tells a new wish from one that it has fulfilled.
 */
static inline uint32_t rn_arm_value(uint32_t sequence, uint32_t ci)
{
	return (sequence & 3) << 28 | (ci & 0xffffff);
}

static inline uint64_t rn_arm_register(uint32_t sequence, uint32_t ci, uint32_t cqn)
{
	return htobe64((uint64_t)rn_arm_value(sequence, ci) << 32 | cqn);
}

/* page: start of the register page. The completions up to ci have been read before. */
static inline void rn_arm(uint32_t *record, void *page, uint32_t sequence, uint32_t ci,
			  uint32_t cqn)
{
	__atomic_store_n(&record[RN_RECORD_ARM], htobe32(rn_arm_value(sequence, ci)),
			 __ATOMIC_RELAXED);
	rn_mmio_write();
	__atomic_store_n((uint64_t *)(void *)((uint8_t *)page + RN_ARM_REGISTER),
			 rn_arm_register(sequence, ci, cqn), __ATOMIC_RELAXED);
	rn_mmio_flush();
}

#endif
