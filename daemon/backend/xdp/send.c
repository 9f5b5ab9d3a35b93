/* SPDX-License-Identifier: BSD-2-Clause */
/* The poller's side of socket.h: frames into rooms, rooms to the kernel and back. */
#include <errno.h>
#include <sys/socket.h>

#include "socket.h"

#define KICK_TRIES 64

void rn_xsk_reap(struct rn_xsk *x)
{
	uint32_t at = 0, n = xsk_ring_cons__peek(&x->done, UINT32_MAX, &at);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t addr = *xsk_ring_cons__comp_addr(&x->done, at + i);
		uint32_t room = (uint32_t)((addr - x->tx_base) / x->room_size);

		if (room < RN_XSK_ROOMS && x->under_way[room] && !--x->under_way[room])
			x->free_room[x->n_free++] = (uint16_t)room;
	}
	if (n)
		xsk_ring_cons__release(&x->done, n);
}

uint8_t *rn_xsk_reserve(struct rn_xsk *x)
{
	if (!x->n_free)
		rn_xsk_reap(x);
	if (!x->n_free)
		return NULL;
	return x->umem + x->tx_base + (uint64_t)x->free_room[x->n_free - 1] * x->room_size;
}

void rn_xsk_submit(struct rn_xsk *x, uint32_t len)
{
	uint32_t room = x->free_room[--x->n_free], parts, at = 0;
	uint64_t addr = x->tx_base + (uint64_t)room * x->room_size;

	parts = (len + x->chunk_size - 1) / x->chunk_size;
	x->under_way[room] = (uint16_t)parts;
	xsk_ring_prod__reserve(&x->tx, parts, &at);
	for (uint32_t i = 0; i < parts; i++) {
		struct xdp_desc *d = xsk_ring_prod__tx_desc(&x->tx, at + i);

		d->addr = addr + (uint64_t)i * x->chunk_size;
		d->len = i + 1 < parts ? x->chunk_size : len - i * x->chunk_size;
		d->options = i + 1 < parts ? XDP_PKT_CONTD : 0;
	}
	x->queued += parts;
}

unsigned rn_xsk_kick(struct rn_xsk *x, bool *again)
{
	unsigned calls = 0;

	if (x->queued)
		xsk_ring_prod__submit(&x->tx, x->queued);
	x->queued = 0;
	*again = false;
	while (rn_xsk_unsent(x) && xsk_ring_prod__needs_wakeup(&x->tx) && calls < KICK_TRIES) {
		uint32_t before = rn_xsk_unsent(x);

		calls++;
		if (sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
			continue;
		/* EAGAIN: its budget is used up, or the device is full; EBUSY, ENOBUFS: later.
		 * Anything else (ENETDOWN) waits for the interface: the frames stay where they are.
		 */
		*again = errno == EAGAIN || errno == EBUSY || errno == ENOBUFS;
		if (!*again || rn_xsk_unsent(x) == before)
			break;
	}
	if (calls == KICK_TRIES || (*again && !rn_xsk_unsent(x)))
		*again = rn_xsk_unsent(x) > 0;
	rn_xsk_reap(x);
	return calls;
}
