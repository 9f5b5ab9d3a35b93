/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of a backend's transmit: what it leaves to the way of copies, and what it pays. */
#ifndef TX_BILL_H
#define TX_BILL_H

#include "tx_parts.h"

static int copies; /* packets; they go no further */
static bool poor; /* nothing can be paid */
static uint64_t paid_packets, paid_bytes;

enum rn_tx_verdict rn_tx_copy(struct rn_queue *queue, const struct rn_chain *c,
			      const struct rn_tx_way *way, void *ctx)
{
	(void)queue;
	(void)c;
	(void)way;
	(void)ctx;
	copies++;
	return RN_TX_DROPPED;
}

bool rn_tx_pay(struct rn_queue *queue, uint32_t packets, uint32_t bytes)
{
	(void)queue;
	paid_packets += poor ? 0 : packets;
	paid_bytes += poor ? 0 : bytes;
	return !poor;
}

static inline void tx_bill(void)
{
	copies = 0;
	poor = false;
	paid_packets = paid_bytes = 0;
}

#endif
