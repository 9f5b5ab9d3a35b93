/* SPDX-License-Identifier: BSD-2-Clause */
/* See fair.h. */
#include "fair.h"

#include <string.h>

#define LOST_MS 2000

struct rawnet_queue *fair_sender(struct rawnet_attachment *at, uint32_t bufs)
{
	struct rawnet_queue *q = rawnet_queue(at, 0);
	uint8_t frame[FRAME_LEN];

	frame_make(frame, rawnet_attachment_info(at)->mac);
	for (uint32_t i = 0; i <= q->tx.mask; i++) {
		struct rawnet_slot *s = &q->tx.slots[i];

		*s = (struct rawnet_slot) {.off = q->tx.slots[i % bufs].off, .len = FRAME_LEN};
		memcpy(rawnet_data(q, s), frame, FRAME_LEN);
	}
	return q;
}

void fair_refill(struct rawnet_queue *q, uint32_t most)
{
	uint32_t room = rawnet_tx_room(&q->tx, q->tx.mask + 1);

	rawnet_tx_fill(&q->tx, room < most ? room : most);
	rawnet_ring_publish(&q->tx);
	if (rawnet_ring_must_wake(&q->tx))
		rawnet_kick(q);
}

void fair_read(struct rawnet_queue *q)
{
	rawnet_rx_release(&q->rx, rawnet_rx_avail(&q->rx));
	rawnet_ring_publish(&q->rx);
}

uint64_t fair_trip(struct rawnet_queue *q, bool sleep)
{
	uint64_t start = bench_ticks();

	fair_refill(q, 1);
	if (sleep && rawnet_wait(q, RAWNET_WAIT_RX, LOST_MS) != 1)
		bench_die("an answer did not come");
	while (!rawnet_rx_avail(&q->rx))
		;
	start = bench_ticks() - start;
	fair_read(q);
	return start;
}
