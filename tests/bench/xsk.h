/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bare AF_XDP socket on queue 0 of an interface, as a small libxdp program has it: memory of its
 * own, libxdp's program that redirects every frame of the queue. The calling thread's namespace.
 */
#ifndef BENCH_XSK_H
#define BENCH_XSK_H

#include <stdbool.h>
#include <stdint.h>
#include <xdp/xsk.h>

#define XSK_CHUNKS 4096u /* half of them receive, half send */
#define XSK_CHUNK  2048u

struct bench_xsk {
	struct xsk_ring_cons rx, done;
	struct xsk_ring_prod fill, tx;
	uint8_t *umem;
	uint64_t free_chunk[XSK_CHUNKS];
	uint32_t n_free; /* to send from */
	uint32_t unsent; /* descriptors given to the kernel whose completion is not back */
	int fd;
	struct xsk_umem *u;
	struct xsk_socket *s;
};

void bench_xsk_open(struct bench_xsk *x, const char *dev, bool native);
void bench_xsk_close(struct bench_xsk *x);
/* Completed chunks go back to free_chunk. */
void bench_xsk_reap(struct bench_xsk *x);
/* Gives a chunk to the fill ring. */
void bench_xsk_refill(struct bench_xsk *x, const uint64_t *chunk, uint32_t n);
/* Puts n packets into the tx ring. */
void bench_xsk_send(struct bench_xsk *x, const struct xdp_desc *packet, uint32_t n);
/* Makes the kernel send until the ring is empty or it refuses; system calls made. */
unsigned bench_xsk_kick(struct bench_xsk *x);

/* An XDP program that does nothing but return action (XDP_PASS, XDP_DROP, XDP_TX): a descriptor. */
int bench_xdp_load(int action);
/* The same on an interface, until the descriptor is closed. */
int bench_xdp_attach(const char *dev, int action, bool native);

#endif
