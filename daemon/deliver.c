/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Delivery of a received frame to a queue, for backends that demultiplex in the daemon: one copy
 * into the buffer that the client posted, one slot. The slot is published by the poller at the end
 * of its turn. Poller only; never blocks, never allocates.
 */
#include "attachment.h"
#include "backend/backend.h"
#include "deliver_slot.h"

static void hand_back(struct rn_queue *q, struct rawnet_slot done)
{
	uint64_t w[2];

	memcpy(w, &done, sizeof(w));
	rn_write_slot(q, w);
	rn_poller_touch(q->poller, q);
}

static void copy_pieces(uint8_t *to, const struct rn_frame *f)
{
	for (uint32_t i = 0; i < f->n_pieces; i++) {
		memcpy(to, f->piece[i].data, f->piece[i].len);
		to += f->piece[i].len;
	}
}

static struct rawnet_slot describe(const struct rn_frame *f, uint32_t off, uint32_t index)
{
	struct rawnet_slot s = {.off = off, .len = (uint16_t)f->len, .flags = f->flags};

	if (index < 0xffff) {
		s.flags |= RAWNET_RX_RULE;
		s.u.rx.rule = (uint16_t)index;
	}
	if (f->tci >= 0) {
		s.flags |= RAWNET_RX_VLAN;
		s.u.rx.vlan_tci = (uint16_t)f->tci;
	}
	if (f->flags & RAWNET_RX_HASH)
		s.u.rx.hash = f->hash;
	return s;
}

static void count_delivered(struct rn_queue *q, const struct rn_frame *f)
{
	rn_count(q, RAWNET_Q_RX_PACKETS, 1);
	rn_count(q, RAWNET_Q_RX_BYTES, f->len);
	if (f->flags & RAWNET_RX_COPY)
		rn_count(q, RAWNET_Q_RX_COPIES, 1);
	if (f->completed)
		rn_count(q, RAWNET_Q_RX_SW_CSUM, 1);
}

bool rn_deliver_to(struct rn_queue *q, const struct rn_frame *f, uint32_t index)
{
	struct rawnet_slot *slot = rn_posted(q);
	uint32_t off, buf;
	struct rawnet_slot done;

	if (!slot) {
		rn_count(q,
			 (f->flags & RAWNET_RX_COPY) ? RAWNET_Q_RX_DROP_COPY
						     : RAWNET_Q_RX_DROP_FULL,
			 1);
		return false;
	}
	if (f->len > (1u << q->buf_shift) - q->headroom) {
		rn_count(q, RAWNET_Q_RX_DROP_LONG, 1);
		return false;
	}
	off = __atomic_load_n(&slot->off, __ATOMIC_RELAXED);
	buf = off >> q->buf_shift;
	if (buf >= q->n_bufs) {
		hand_back(q, (struct rawnet_slot) {.off = off, .flags = RAWNET_RX_ERROR});
		rn_count(q, RAWNET_Q_RX_DROP_SLOT, 1);
		return false;
	}
	off = (buf << q->buf_shift) + q->headroom + rn_start_in(q, buf, f->len);
	copy_pieces(q->mem + off, f);
	done = describe(f, off, index);
	if (q->stamps) {
		q->stamps[q->rx.daemon & q->rx.mask] = f->stamp ? f->stamp : rn_wall_ns();
		done.flags |= RAWNET_RX_STAMP;
	}
	hand_back(q, done);
	count_delivered(q, f);
	return true;
}

bool rn_deliver_first(struct rn_queue *q, const struct rn_frame *f, uint32_t index)
{
	struct rawnet_slot *slots = q->rx.slots;
	const uint32_t at = q->rx.daemon, mask = q->rx.mask, was = q->state->rx_true;
	const uint32_t oldest = __atomic_load_n(&slots[at & mask].off, __ATOMIC_RELAXED);
	const bool taken = rn_deliver_to(q, f, index);
	uint32_t i = q->rx.next - 1, off;

	if (q->rx.daemon == at)
		return taken;
	for (; i - at > 1; i--) {
		off = __atomic_load_n(&slots[(i - 1) & mask].off, __ATOMIC_RELAXED);
		__atomic_store_n(&slots[i & mask].off, off, __ATOMIC_RELAXED);
	}
	if (i != at)
		__atomic_store_n(&slots[i & mask].off, oldest, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	q->state->rx_true = was;
	return taken;
}

/* The first `most` bytes of a frame. */
static void copy_start(uint8_t *to, const struct rn_frame *f, uint32_t most)
{
	for (uint32_t i = 0; i < f->n_pieces && most; i++) {
		uint32_t n = f->piece[i].len < most ? f->piece[i].len : most;

		memcpy(to, f->piece[i].data, n);
		to += n;
		most -= n;
	}
}

void rn_deliver_captured(struct rn_queue *q, const struct rn_frame *f, uint32_t snap,
			 const struct rawnet_capture *c)
{
	struct rawnet_slot *slot = rn_posted(q), done = {.flags = RAWNET_RX_CAPTURE};
	uint32_t off, room = (1u << q->buf_shift) - q->headroom;

	if (!slot) {
		rn_count(q, RAWNET_Q_RX_DROP_FULL, 1);
		return;
	}
	off = __atomic_load_n(&slot->off, __ATOMIC_RELAXED);
	if (off >> q->buf_shift >= q->n_bufs) {
		hand_back(q, (struct rawnet_slot) {.off = off, .flags = RAWNET_RX_ERROR});
		rn_count(q, RAWNET_Q_RX_DROP_SLOT, 1);
		return;
	}
	snap = snap < room ? snap : room;
	done.off = (off >> q->buf_shift << q->buf_shift) + q->headroom;
	done.len = (uint16_t)(f->len < snap ? f->len : snap);
	memcpy(q->mem + done.off - sizeof(*c), c, sizeof(*c));
	copy_start(q->mem + done.off, f, done.len);
	if (f->tci >= 0) {
		done.flags |= RAWNET_RX_VLAN;
		done.u.rx.vlan_tci = (uint16_t)f->tci;
	}
	hand_back(q, done);
	rn_count(q, RAWNET_Q_RX_PACKETS, 1);
	rn_count(q, RAWNET_Q_RX_BYTES, done.len);
}
