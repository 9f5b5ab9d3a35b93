/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways of a packet into the send queue; ways.c says which there are. Poller only. */
#ifndef RN_MLX5_WAYS_H
#define RN_MLX5_WAYS_H

#include "../../ring.h"
#include "../../switch.h"
#include "../../tx.h"
#include "../../tx_chain.h"
#include "send.h"

/* A packet that was taken from the ring: it is sent, dropped and counted, or to be offered again.
 */
enum rn_tx_verdict rn_mlx5_send(struct rn_queue *q, struct rn_mlx5_batch *b,
				const struct rn_chain *c);

#endif
