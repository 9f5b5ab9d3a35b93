/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways of a packet into the send queue; ways.c says which there are. Poller only. */
#ifndef RN_MLX5_WAYS_H
#define RN_MLX5_WAYS_H

#include "../../ring.h"
#include "../../switch.h"
#include "../../tx.h"
#include "../../tx_chain.h"
#include "send.h"

/* May packets go by reference? Nobody polices them, or the NIC does; and none can be for another
 * client of the port (macs), since the device would read the destination again. Read behind the
 * client's index: who has heard of a rule that the NIC cannot police does not meet the old answer.
 */
static inline bool rn_mlx5_refers(const struct rn_queue *q, const struct rn_mlx5_tx *tx,
				  const struct rn_macs *macs)
{
	return !macs && (!q->police || __atomic_load_n(&tx->nic_polices, __ATOMIC_RELAXED));
}

/* A packet that was taken from the ring: it is sent, dropped and counted, or to be offered again.
 */
enum rn_tx_verdict rn_mlx5_send(struct rn_queue *q, struct rn_mlx5_batch *b,
				const struct rn_chain *c);

/* The plain packets at the front of the ring, at most `most`: how many. runs.c */
uint32_t rn_mlx5_run(struct rn_queue *q, struct rn_mlx5_batch *b, uint32_t most);

#endif
