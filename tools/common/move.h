/* SPDX-License-Identifier: BSD-2-Clause */
/* Forwarding by the rings in place: the frame of a received slot into a slot to send. */
#ifndef TOOL_MOVE_H
#define TOOL_MOVE_H

#include <rawnet/client.h>
#include <string.h>

/* A short frame with the rest of its line, which saves a call; buffers have room for that. */
static inline void tool_copy(uint8_t *to, const uint8_t *from, uint32_t len)
{
	if (len <= 64)
		memcpy(to, from, 64);
	else
		memcpy(to, from, len);
}

/* Between queues of one packet memory the buffers change places, else the frame is copied. A tag
 * that stands beside the frame goes along. */
static inline void tool_move(const struct rawnet_queue *from, struct rawnet_slot *rx,
			     const struct rawnet_queue *to, struct rawnet_slot *tx)
{
	const uint32_t spare = tx->off;

	*tx = (struct rawnet_slot) {.len = rx->len};
	if (rx->flags & RAWNET_RX_VLAN) {
		tx->flags = RAWNET_TX_VLAN;
		tx->u.tx.vlan_tci = rx->u.rx.vlan_tci;
	}
	if (from->mem == to->mem) {
		tx->off = rx->off;
		rx->off = spare;
	} else {
		tx->off = spare & ~(to->buf_size - 1);
		tool_copy(rawnet_data(to, tx), rawnet_data(from, rx), rx->len);
	}
}

#endif
