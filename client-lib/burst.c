/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets by the burst, for programs that do not want to see slots. Runs in the queue's thread, no
 * lock, no system call unless the poller sleeps.
 *
 * Every slot of both rings always names a buffer: receiving puts a spare buffer in the packet's
 * place, sending puts the packet's buffer in the place of the one that was sent from the slot
 * before, which becomes a spare. Spares are taken last-in-first-out, so that a buffer just given
 * back, warm in this core's cache, is the next one used. One publication for each burst.
 *
 * Posting rx buffers never wakes the poller: it has nothing to do with them before a packet comes.
 */
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static struct rn_queue *inner(struct rawnet_queue *q)
{
	return (struct rn_queue *)q;
}

/* The daemon reads these bytes only before it sleeps; a full socket means that enough are there. */
static __attribute__((noinline)) void wake_poller(const struct rawnet_queue *q)
{
	static const char byte;

	send(q->wake_fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Out of the way of the bursts: takes over new memory; 1 while there is no daemon to send to. */
static __attribute__((noinline, cold)) int switch_or_down(struct rawnet_queue *q)
{
	rawnet_queue_switch(q);
	return __atomic_load_n(&q->changed, __ATOMIC_RELAXED) != 0;
}

static inline int changed(const struct rawnet_queue *q)
{
	return UNLIKELY(__atomic_load_n(&q->changed, __ATOMIC_ACQUIRE));
}

static inline void packet_from_slot(struct rawnet_packet *p, const struct rawnet_slot *s,
				    uint8_t *mem)
{
	p->data = mem + s->off;
	__builtin_prefetch(p->data);
	p->len = s->len;
	p->flags = s->flags;
	p->vlan_tci = s->u.rx.vlan_tci;
	p->u.rx.hash = s->u.rx.hash;
	p->u.rx.rule = s->u.rx.rule;
}

/* What a loop over slots needs, in registers: the compiler must assume that a store to a slot
 * changes the queue. */
struct view {
	struct rawnet_slot *slots;
	uint32_t at, mask;
	uint8_t *mem;
	uint32_t *free_bufs;
};

static inline struct view view_of(const struct rawnet_queue *q, const struct rawnet_ring *r,
				  uint32_t at)
{
	return (struct view) {r->slots, at, r->mask, q->mem, q->free_bufs};
}

/* A poller that sleeps while its device is short of buffers says so on the rx ring. Without a fence
 * the flag may be seen too late; then the poller looks by itself after a moment. */
static inline void wake_if_short(struct rawnet_queue *q)
{
	if (!q->busy && UNLIKELY(__atomic_load_n(&q->rx.ctl->sleep.daemon, __ATOMIC_RELAXED)))
		wake_poller(q);
}

uint32_t rawnet_rx_burst(struct rawnet_queue *q, struct rawnet_packet *p, uint32_t n)
{
	struct rawnet_ring *r = &q->rx;
	const uint64_t *stamps;
	uint32_t avail, n_free, i;
	struct rawnet_packet *next = p;
	struct view v;

	if (changed(q))
		switch_or_down(q); /* what stands in the old ring may still be read */
	avail = rawnet_rx_avail(r);
	n_free = q->n_free;
	if (n > avail)
		n = avail;
	if (n > n_free)
		n = n_free;
	if (n == 0)
		return 0;
	stamps = r->stamps;
	v = view_of(q, r, r->taken);
	for (const uint32_t end = v.at + n; v.at != end; v.at++) {
		i = v.at & v.mask;
		if (UNLIKELY(v.slots[i].flags & RAWNET_RX_ERROR))
			continue; /* an unused buffer: posted again as it is */
		packet_from_slot(next, &v.slots[i], v.mem);
		if (UNLIKELY(stamps != NULL))
			next->stamp = stamps[i];
		v.slots[i].off = v.free_bufs[--n_free];
		next++;
	}
	q->n_free = n_free;
	rawnet_rx_release(r, n);
	rawnet_ring_publish(r);
	wake_if_short(q);
	return (uint32_t)(next - p);
}

/*
 * A slot is written in two words: its line is in the poller's cache, every store to it waits for
 * that in the core's store buffer, and all later ones wait behind it. A length that no slot can
 * hold stays too long, so that the daemon counts the packet as such.
 */
static inline void slot_from_packet(struct rawnet_slot *s, const struct rawnet_packet *p,
				    uint32_t off)
{
	const uint64_t len = p->len < UINT16_MAX ? p->len : UINT16_MAX;
	const uint64_t flags = p->flags & (uint16_t)~RAWNET_TX_MORE;
	uint64_t w[2];

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	w[0] = off | len << 32 | flags << 48;
	w[1] = p->u.tx.l2_len | (uint32_t)p->u.tx.l3_len << 8 | (uint32_t)p->u.tx.l4_len << 16 |
	       (uint64_t)p->u.tx.tso_mss << 32 | (uint64_t)p->vlan_tci << 48;
#else
	w[0] = (uint64_t)off << 32 | len << 16 | flags;
	w[1] = (uint64_t)p->u.tx.l2_len << 56 | (uint64_t)p->u.tx.l3_len << 48 |
	       (uint64_t)p->u.tx.l4_len << 40 | (uint32_t)p->u.tx.tso_mss << 16 | p->vlan_tci;
#endif
	memcpy(s, w, sizeof(w));
}

/* Packets whose memory is gone with a restart: so are they. */
static __attribute__((noinline, cold)) void count_stale(struct rawnet_queue *q)
{
	__atomic_add_fetch(&q->at->rn->tx_lost, 1, __ATOMIC_RELAXED);
}

uint32_t rawnet_tx_burst(struct rawnet_queue *q, const struct rawnet_packet *p, uint32_t n)
{
	struct rawnet_ring *r = &q->tx;
	uint32_t room, spare_room, n_free;
	uint64_t mem_size;
	struct view v;

	if (changed(q) && switch_or_down(q))
		return 0;
	n_free = q->n_free;
	spare_room = inner(q)->bufs_max - n_free; /* short only after a buffer was put twice */
	room = rawnet_tx_room(r, n);
	if (n > room)
		n = room;
	if (UNLIKELY(n > spare_room))
		n = spare_room;
	mem_size = q->mem_size;
	v = view_of(q, r, r->client);
	for (uint32_t k = 0; k < n; k++, p++) {
		const uint64_t off = (uint64_t)(p->data - v.mem);
		struct rawnet_slot *slot = &v.slots[v.at & v.mask];

		if (UNLIKELY(off >= mem_size)) {
			count_stale(q);
			continue;
		}
		v.free_bufs[n_free++] = slot->off;
		slot_from_packet(slot, p, (uint32_t)off);
		v.at++;
	}
	q->n_free = n_free;
	if (v.at == r->client)
		return n;
	r->client = v.at;
	rawnet_ring_publish(r);
	if (!q->busy && rawnet_ring_must_wake(r))
		wake_poller(q);
	return n;
}

/* Where a new packet begins in the buffer that off lies in. */
static inline uint8_t *start_of(const struct rawnet_queue *q, uint32_t off)
{
	const struct rn_queue *rq = (const struct rn_queue *)q;
	const uint32_t buf = off >> rq->buf_shift;

	return q->mem + ((uint64_t)buf << rq->buf_shift) + q->headroom +
	       (buf & rq->starts) * RN_LINE;
}

uint8_t *rawnet_buf_get(struct rawnet_queue *q)
{
	if (changed(q))
		switch_or_down(q);
	if (q->n_free == 0)
		return NULL;
	return start_of(q, q->free_bufs[--q->n_free]);
}

/* Also takes pointers from before a restart, which mean nothing any more. */
void rawnet_buf_put(struct rawnet_queue *q, uint8_t *data)
{
	const uint64_t off = (uint64_t)(data - q->mem);

	if (off < q->mem_size && q->n_free < inner(q)->bufs_max)
		q->free_bufs[q->n_free++] = (uint32_t)off;
}

void rawnet_kick(struct rawnet_queue *q)
{
	rawnet_ring_publish(&q->rx);
	rawnet_ring_publish(&q->tx);
	if (q->busy)
		return;
	if (rawnet_ring_must_wake(&q->tx) ||
	    __atomic_load_n(&q->rx.ctl->sleep.daemon, __ATOMIC_RELAXED))
		wake_poller(q);
}
