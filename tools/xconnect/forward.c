/* SPDX-License-Identifier: BSD-2-Clause */
/* See forward.h. */
#include "forward.h"

#include <string.h>

#include "move.h"

#define BURST 64u

static void exchange_macs(uint8_t *frame)
{
	uint8_t mac[6];

	memcpy(mac, frame, 6);
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, mac, 6);
}

uint32_t xc_forward(struct rawnet_queue *from, struct rawnet_queue *to, bool exchange,
		    struct xc_count *count)
{
	uint32_t n, room, sent = 0;

	rawnet_queue_sync(from);
	rawnet_queue_sync(to);
	n = rawnet_rx_avail(&from->rx);
	room = rawnet_tx_room(&to->tx, BURST);
	n = n < BURST ? n : BURST;
	n = n < room ? n : room;
	for (uint32_t k = 0; k < n; k++) {
		struct rawnet_slot *rx = rawnet_rx_slot(&from->rx, k);
		struct rawnet_slot *tx = rawnet_tx_slot(&to->tx, sent);

		if (rx->flags & RAWNET_RX_ERROR)
			continue;
		if (rx->len + (rx->flags & RAWNET_RX_VLAN ? 4u : 0) > to->max_frame) {
			count->too_long++;
			continue;
		}
		tool_move(from, rx, to, tx);
		if (exchange)
			exchange_macs(rawnet_data(to, tx));
		count->frames++;
		count->bytes += tx->len;
		sent++;
	}
	if (!n)
		return 0;
	rawnet_rx_release(&from->rx, n);
	rawnet_tx_fill(&to->tx, sent);
	rawnet_flush(from);
	rawnet_flush(to);
	return n;
}
