/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One AF_XDP socket with packet memory (UMEM) of its own, for one hardware queue. The memory is the
 * daemon's alone. Chunks 0..RX-1 receive; behind them are rooms to send from, each of as many
 * adjacent chunks as the port's largest frame needs.
 *
 * Made and freed by the control thread; everything else by the poller that owns the queue.
 */
#ifndef RN_XDP_SOCKET_H
#define RN_XDP_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <xdp/xsk.h>

#include "../backend.h"

#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4) /* include/uapi/linux/if_xdp.h, Linux 6.6 */
#endif
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0) /* the same */
#endif

#define RN_XSK_ROOMS 1024u /* to send from */

struct rn_xsk_config {
	const char *dev;
	uint32_t queue;
	uint32_t max_frame;
	bool copy; /* generic mode: the kernel copies */
	bool frags; /* frames of several chunks */
	bool keep; /* packet memory is a file, which can outlive the process */
};

struct rn_xsk {
	struct xsk_ring_cons rx, done;
	struct xsk_ring_prod fill, tx;
	uint8_t *umem;
	uint64_t chunk_mask; /* of an address: its chunk */
	uint32_t chunk_size;
	uint32_t n_free; /* rooms to send from */
	uint32_t rx_at,
		rx_taken; /* frames given to clients, whose chunks go back at the end of the turn */
	uint32_t queued; /* descriptors that the kernel has not been shown yet */
	uint16_t *free_room;
	uint16_t *under_way; /* of each room: its descriptors that are not done */
	uint32_t room_size;
	uint32_t n_descs; /* places in the completion ring; the tx ring has twice as many */
	uint64_t tx_base; /* address of room 0 */
	int fd;
	bool zero_copy;
	uint64_t size;
	int umem_fd; /* -1: memory without a file */
	struct xsk_umem *u; /* NULL: adopted, the rings below are mapped by us */
	struct xsk_socket *s;
	struct {
		void *addr;
		size_t size;
	} ring[4]; /* fill, completion, rx, tx */
};

int rn_xsk_create(const struct rn_xsk_config *config, struct rn_xsk **xsk, struct rn_err *err);
/* The socket and memory of the last daemon, with what is in its rings. Takes both descriptors over
 * if it succeeds. */
int rn_xsk_adopt(const struct rn_xsk_config *config, int fd, int umem_fd, struct rn_xsk **xsk,
		 struct rn_err *err);
void rn_xsk_free(struct rn_xsk *xsk);
/* What a chunk holds of a received frame, at most. */
uint32_t rn_xsk_rx_room(uint32_t max_frame, bool frags);
/* Adds what the kernel dropped to the port's counters. Any thread. */
void rn_xsk_counters(const struct rn_xsk *xsk, uint64_t v[RAWNET_COUNTERS_SPACE]);

/* ---- sending: poller (send.c) ---- */

/* Room for one frame, or NULL: all are under way. The same one until rn_xsk_submit. */
uint8_t *rn_xsk_reserve(struct rn_xsk *xsk);
void rn_xsk_submit(struct rn_xsk *xsk, uint32_t len);
/* Takes back rooms whose frames are out. */
void rn_xsk_reap(struct rn_xsk *xsk);
/* Shows the kernel what was submitted and makes it send, if it asks for that; how many system calls
 * that took. *again: something is left, call again next turn. */
unsigned rn_xsk_kick(struct rn_xsk *xsk, bool *again);

/* Descriptors that the kernel has not taken yet. */
static inline uint32_t rn_xsk_unsent(const struct rn_xsk *x)
{
	return x->tx.cached_prod - x->queued - __atomic_load_n(x->tx.consumer, __ATOMIC_RELAXED);
}

#endif
