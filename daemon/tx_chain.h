/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet on its way out, as the client described it: its chain of slots, copied once and checked.
 * What these functions read of a client is offsets, lengths and flags; rn_chain_gather() copies the
 * bytes. Poller only; inline, since every backend's transmit begins here.
 */
#ifndef RN_TX_CHAIN_H
#define RN_TX_CHAIN_H

#include <string.h>

#include "port.h"
#include "ring.h"
#include "switch.h"

#define RN_TX_ETH     14u
#define RN_TX_TSO_MAX 65550u /* an IP packet of 64 KiB with its Ethernet header and tag */

#define RN_TX_AHEAD 12u /* packets whose memory is asked for before they are looked at */
#define RN_TX_LINE  64u

struct rn_chain {
	struct rawnet_slot slot[RAWNET_TX_SEGS];
	uint32_t n;
	uint32_t len;
};

/* Copies the chain that begins at index `at` of the ring. False: it is unfinished or too long. */
static inline bool rn_chain_take(const struct rn_ring *r, uint32_t at, struct rn_chain *c)
{
	uint32_t avail = r->client - at;

	c->len = 0;
	for (c->n = 0; c->n < avail && c->n < RAWNET_TX_SEGS;) {
		struct rawnet_slot *s = &c->slot[c->n];

		*s = rn_slot_copy(&r->slots[(at + c->n) & r->mask]);
		c->len += s->len;
		c->n++;
		if (!(s->flags & RAWNET_TX_MORE))
			return true;
	}
	return false;
}

/* 0, or the counter (RAWNET_Q_TX_DROP_*) of what is wrong with the slots themselves. max_frame: the
 * port's. */
static inline int rn_chain_check_for(const struct rn_queue *q, const struct rn_chain *c,
				     uint32_t max_frame)
{
	uint16_t flags = c->slot[0].flags;

	for (uint32_t i = 0; i < c->n; i++) {
		if (c->slot[i].flags & ~(i ? RAWNET_TX_MORE : RAWNET_TX_KNOWN))
			return RAWNET_Q_TX_DROP_SHAPE;
		if (!rn_in_range(c->slot[i].off, c->slot[i].len, q->mem_size))
			return RAWNET_Q_TX_DROP_RANGE;
	}
	if (c->len < RN_TX_ETH)
		return RAWNET_Q_TX_DROP_SHORT;
	if (c->len > ((flags & RAWNET_TX_TSO) ? RN_TX_TSO_MAX : max_frame))
		return RAWNET_Q_TX_DROP_LONG;
	return 0;
}

/* The first `len` bytes of the packet, of which it has as many. */
static inline void rn_chain_gather(const struct rn_queue *q, const struct rn_chain *c, uint8_t *to,
				   uint32_t len)
{
	for (uint32_t i = 0; len; i++) {
		uint32_t n = c->slot[i].len < len ? c->slot[i].len : len;

		memcpy(to, q->mem + c->slot[i].off, n);
		to += n;
		len -= n;
	}
}

/* An MTU that is lowered while the port is served counts at once, a raised one after a restart. */
static inline uint32_t rn_chain_longest(const struct rn_port *port)
{
	const uint32_t now =
		__atomic_load_n(&port->mtu, __ATOMIC_RELAXED) + RN_TX_ETH + 4; /* one tag */

	return now < port->max_frame ? now : port->max_frame;
}

/* The memory of a packet further on; what the slot says is checked when its turn comes. */
static inline void rn_chain_ask_for(const struct rn_queue *q, uint32_t at)
{
	const struct rawnet_slot *s = &q->tx.slots[at & q->tx.mask];
	uint64_t off = __atomic_load_n(&s->off, __ATOMIC_RELAXED);

	__builtin_prefetch(q->mem + (off < q->mem_size ? off : 0));
}

/* Whole lines, which saves a call for the short packets that come by the million; both sides have
 * room for the last line. */
static inline void rn_copy_lines(uint8_t *to, const uint8_t *from, uint32_t len)
{
	for (uint32_t i = 0; i < len; i += RN_TX_LINE)
		memcpy(to + i, from + i, RN_TX_LINE);
}

/* The first word of a slot is all there is to a plain packet: one load, so it is copied once. */
static inline uint64_t rn_slot_word(const struct rn_ring *r, uint32_t at)
{
	return __atomic_load_n((const uint64_t *)(const void *)&r->slots[at & r->mask],
			       __ATOMIC_RELAXED);
}

static inline uint64_t rn_word_off(uint64_t w)
{
	return (uint32_t)w;
}

static inline uint32_t rn_word_len(uint64_t w)
{
	return (uint16_t)(w >> 32);
}

/* One slot that asks for nothing, a frame of good length, `size` bytes inside packet memory. Flags
 * stand above the length, and with any of them it is too long. */
static inline bool rn_is_plain(const struct rn_queue *q, uint64_t w, uint32_t longest,
			       uint32_t size)
{
	const uint32_t most = longest < UINT16_MAX ? longest : UINT16_MAX;

	return (uint32_t)(w >> 32) - RN_TX_ETH <= most - RN_TX_ETH &&
	       rn_word_off(w) + size <= q->mem_size;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the words are little-endian");

static inline int rn_chain_tci(const struct rawnet_slot *first)
{
	return (first->flags & RAWNET_TX_VLAN) ? first->u.tx.vlan_tci : -1;
}

#endif
