/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a received packet becomes a slot. Poller only; inline, since every packet passes here.
 *
 * What each packet costs: a load of its completion (of a compressed one, of 8 bytes), a load of the
 * request that it completes, for the address of the buffer, and a store of its slot. The address
 * comes from the request and not from the slot, which the client may have rewritten.
 *
 * Runs. Slots, requests and completions are rings of different sizes. The loops over packets take a
 * run that comes to the end of none of them, so their indexes need no mask, the owner bit is the
 * same for all of a run, and the 16-bit counter of requests does not wrap within it.
 */
#ifndef RN_MLX5_RX_SLOTS_H
#define RN_MLX5_RX_SLOTS_H

#include "../../attachment.h"
#include "lanes.h"
#include "mlx5.h"

/* What a burst adds up to. */
struct rn_rx_burst {
	uint64_t packets, bytes; /* to slots, without a copy */
	uint64_t copied_packets, copied_bytes; /* counted for the queue where they are copied */
	unsigned n; /* completions */
};

static inline void rn_rx_store(struct rn_queue *q, uint64_t w0, uint64_t w1)
{
	rn_slot_put((void *)&q->rx.slots[q->rx.daemon & q->rx.mask], w0, w1);
	q->rx.daemon++;
}

/* A slot's two words: offset, length, flags; rule, no tag, hash. */
static inline uint64_t rn_rx_word0(uint32_t off, uint32_t len, uint16_t flags)
{
	return off | (uint64_t)(uint16_t)len << 32 | (uint64_t)flags << 48;
}

static inline uint64_t rn_rx_word1(uint32_t index, uint32_t hash)
{
	return (uint16_t)index | (uint64_t)hash << 32;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the words are little-endian");
_Static_assert(offsetof(struct rawnet_slot, len) == 4 && offsetof(struct rawnet_slot, flags) == 6 &&
		       offsetof(struct rawnet_slot, u.rx.rule) == 8 &&
		       offsetof(struct rawnet_slot, u.rx.hash) == 12,
	       "words of a slot");

/* What a completion says of its packet. */
struct rn_rx_about {
	uint32_t len, hash, index;
	uint16_t flags;
	uint64_t stamp; /* if the queue asked for it */
};

/* rx.c: not into the client's memory. */
void rn_rx_give_other(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b,
		      struct rn_data *wqe, const struct rn_rx_about *a)
	__attribute__((noinline, cold));

/* The packet of the oldest request. */
static inline void rn_rx_give(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b,
			      const struct rn_rx_about *a)
{
	struct rn_data *wqe = &rx->wqe[rx->done & rx->wq_mask];
	uint64_t off = rn_rx_wqe_addr(wqe) - rx->base;

	rx->done++;
	if (__builtin_expect(off >= q->mem_size, 0)) {
		rn_rx_give_other(q, rx, b, wqe, a);
		return;
	}
	rn_rx_store(q, rn_rx_word0((uint32_t)off, a->len, a->flags),
		    rn_rx_word1(a->index, a->hash));
	b->packets++;
	b->bytes += a->len;
}

static inline uint16_t rn_rx_rule_flag(uint32_t index)
{
	return index < 0xffff ? RAWNET_RX_RULE : 0;
}

/* The slots of the next n packets are the client's. */
static inline void rn_rx_took(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b,
			      uint32_t n)
{
	q->rx.daemon += n;
	rx->done += n;
	b->packets += n;
}

/* How many packets the next run can have. */
static inline uint32_t rn_rx_run(const struct rn_queue *q, const struct rn_mlx5_rx *rx,
				 uint32_t most)
{
	return rn_least(most, rn_least(rn_to_end(q->rx.daemon, q->rx.mask),
				       rn_to_end(rx->done, rx->wq_mask)));
}

/* session.c: compressed completions. False: not a session that the device can have meant. */
bool rn_session_begin(struct rn_queue *q, struct rn_mlx5_rx *rx, const struct rn_cqe *title);
void rn_session_take(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b,
		     unsigned most);
/* single.c. False: what no device writes. */
bool rn_single_take(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b,
		    const struct rn_cqe *e);
/* Completions that differ from the last one that rn_single_take() looked at (rx->alike is valid) in
 * nothing but length and hash, as those of a flow do; at most `most`. It ends before the first that
 * is another, or that is not ours yet. */
void rn_alike_take(struct rn_queue *q, struct rn_mlx5_rx *rx, struct rn_rx_burst *b, uint32_t most);

#endif
