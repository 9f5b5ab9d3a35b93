/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet that is sent in part, in the state that the next daemon goes on with. */
#ifndef RN_TX_STATE_H
#define RN_TX_STATE_H

#include "queue.h"
#include "state.h"

/* Poller, at the end of a turn. */
static inline void rn_tx_keep(const struct rn_queue *q, struct rn_queue_state *s)
{
	s->tx_segment = q->tx_segment;
	s->tx_paid = q->tx_paid;
	s->tx_paid_bytes = q->tx_paid_bytes;
}

/* Control thread, before the queue is served. */
static inline void rn_tx_resume(struct rn_queue *q)
{
	q->tx_segment = q->state->tx_segment;
	q->tx_paid = q->state->tx_paid;
	q->tx_paid_bytes = q->state->tx_paid_bytes;
}

#endif
