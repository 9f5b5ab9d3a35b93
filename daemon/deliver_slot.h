/* SPDX-License-Identifier: BSD-2-Clause */
/* The slot and the buffer that a received frame goes into. Inline, for the two ways of delivery:
 * deliver.c, and the bursts of deliver_whose.c. Poller only. */
#ifndef RN_DELIVER_SLOT_H
#define RN_DELIVER_SLOT_H

#include "poller.h"
#include "queue.h"
#include "rawnet/prefetch.h"
#include "ring.h"
#include "state.h"

/* Index of the posted slot whose buffer is taken next. What a device that owns the queue has, in
 * [daemon, next), cannot be taken back; packets come to the slot at `daemon` in either case, since
 * slots are handed back in order and with whatever buffer. */
static inline uint32_t *rn_posted_index(struct rn_queue *q)
{
	return q->hw ? &q->rx.next : &q->rx.daemon;
}

#define RN_BUFS_AHEAD  16u
#define RN_SLOTS_AHEAD 32u

/* Asks for what will be written a few packets from now: the lines belong to the client's core, and
 * a packet makes so many other stores that the store buffer alone would wait for one line at a
 * time. Only of what the client has posted: it may be at work on the rest. */
static inline void rn_fetch_ahead(const struct rn_queue *q, uint32_t at)
{
	const struct rn_ring *r = &q->rx;
	uint32_t buf;

	if (r->client - at <= RN_SLOTS_AHEAD)
		return;
	if (at % 4 == 0) /* slots of a line */
		rawnet_prefetch_write(&r->slots[(at + RN_SLOTS_AHEAD) & r->mask]);
	buf = __atomic_load_n(&r->slots[(at + RN_BUFS_AHEAD) & r->mask].off, __ATOMIC_RELAXED) >>
	      q->buf_shift;
	if (buf < q->n_bufs)
		rawnet_prefetch_write(q->mem + (buf << q->buf_shift) + q->headroom +
				      (buf & q->starts) * 64);
}

/* The next posted slot, or NULL: nothing is posted, or the client lies. */
static inline struct rawnet_slot *rn_posted(struct rn_queue *q)
{
	struct rn_ring *r = &q->rx;
	uint32_t at = *rn_posted_index(q);

	if (r->client == at) {
		if (q->dead)
			return NULL;
		if (rn_ring_look(r) < 0)
			rn_queue_fault(q, RAWNET_BYE_RING);
		if (q->dead || r->client == at)
			return NULL;
	}
	rn_fetch_ahead(q, at);
	return &r->slots[at & r->mask];
}

/* Writes the slot in place: it is the client's at the next publication, for which the queue has to
 * be touched. The order of stores is for who finds them after this process was killed. */
static inline void rn_write_slot(struct rn_queue *q, const uint64_t w[2])
{
	uint64_t *slot = (void *)&q->rx.slots[q->rx.daemon & q->rx.mask];

	if (q->hw) {
		q->state->rx_true = ++q->rx.next;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	}
	__atomic_store_n(slot, w[0], __ATOMIC_RELAXED);
	__atomic_store_n(slot + 1, w[1], __ATOMIC_RELAXED);
	q->rx.daemon++;
}

/* Buffers begin at multiples of a large power of two. Packets that did so too would share a few
 * sets of the caches; where there is room, they begin at different lines. */
static inline uint32_t rn_start_in(const struct rn_queue *q, uint32_t buf, uint32_t len)
{
	const uint32_t at = (buf & q->starts) * 64;

	return q->headroom + at + len <= 1u << q->buf_shift ? at : 0;
}

#endif
