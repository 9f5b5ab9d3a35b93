/* SPDX-License-Identifier: BSD-2-Clause */
/* See xsk.h. */
#include "xsk.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9 /* include/uapi/linux/if_xdp.h, Linux 6.17 */
#endif

#define KICKS 64u

void bench_xsk_open(struct bench_xsk *x, const char *dev, bool native)
{
	const struct xsk_umem_config uc = {
		.fill_size = XSK_CHUNKS, .comp_size = XSK_CHUNKS / 2, .frame_size = XSK_CHUNK};
	const struct xsk_socket_config sc = {
		.rx_size = XSK_CHUNKS / 2,
		.tx_size = XSK_CHUNKS / 2,
		.xdp_flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE,
		.bind_flags = XDP_USE_NEED_WAKEUP | XDP_COPY,
	};
	const int budget = 256; /* as rawnetd does */
	uint64_t chunk[XSK_CHUNKS / 2];
	int rc;

	memset(x, 0, sizeof(*x));
	setenv("LIBXDP_SKIP_DISPATCHER", "1", 1);
	x->umem = mmap(NULL, (size_t)XSK_CHUNKS * XSK_CHUNK, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (x->umem == MAP_FAILED)
		bench_die("no memory");
	madvise(x->umem, (size_t)XSK_CHUNKS * XSK_CHUNK, MADV_HUGEPAGE);
	rc = xsk_umem__create(&x->u, x->umem, (uint64_t)XSK_CHUNKS * XSK_CHUNK, &x->fill, &x->done,
			      &uc);
	if (!rc)
		rc = xsk_socket__create(&x->s, dev, 0, x->u, &x->rx, &x->tx, &sc);
	if (rc)
		bench_skip("AF_XDP socket on %s: %s", dev, strerror(-rc));
	x->fd = xsk_socket__fd(x->s);
	setsockopt(x->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
	for (uint32_t i = 0; i < XSK_CHUNKS / 2; i++) {
		chunk[i] = (uint64_t)i * XSK_CHUNK;
		x->free_chunk[x->n_free++] = (uint64_t)(XSK_CHUNKS / 2 + i) * XSK_CHUNK;
	}
	bench_xsk_refill(x, chunk, XSK_CHUNKS / 2);
}

void bench_xsk_close(struct bench_xsk *x)
{
	xsk_socket__delete(x->s);
	xsk_umem__delete(x->u);
	munmap(x->umem, (size_t)XSK_CHUNKS * XSK_CHUNK);
}

void bench_xsk_reap(struct bench_xsk *x)
{
	uint32_t at = 0, n = xsk_ring_cons__peek(&x->done, XSK_CHUNKS, &at);

	for (uint32_t i = 0; i < n; i++)
		x->free_chunk[x->n_free++] = *xsk_ring_cons__comp_addr(&x->done, at + i) &
					     ~(uint64_t)(XSK_CHUNK - 1);
	if (n)
		xsk_ring_cons__release(&x->done, n);
	x->unsent -= n;
}

void bench_xsk_refill(struct bench_xsk *x, const uint64_t *chunk, uint32_t n)
{
	uint32_t at = 0;

	if (xsk_ring_prod__reserve(&x->fill, n, &at) != n)
		bench_die("the fill ring is too small");
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&x->fill, at + i) = chunk[i];
	xsk_ring_prod__submit(&x->fill, n);
}

void bench_xsk_send(struct bench_xsk *x, const struct xdp_desc *packet, uint32_t n)
{
	uint32_t at = 0;

	if (xsk_ring_prod__reserve(&x->tx, n, &at) != n)
		bench_die("the tx ring is too small");
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__tx_desc(&x->tx, at + i) = packet[i];
	xsk_ring_prod__submit(&x->tx, n);
	x->unsent += n;
}

unsigned bench_xsk_kick(struct bench_xsk *x)
{
	unsigned calls = 0;

	while (xsk_prod_nb_free(&x->tx, XSK_CHUNKS) < XSK_CHUNKS / 2 && calls < KICKS) {
		calls++;
		if (sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN)
			break;
	}
	return calls;
}

int bench_xdp_load(int action)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = action},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int prog = bpf_prog_load(BPF_PROG_TYPE_XDP, "bench", "BSD", insns, 2, NULL);

	if (prog < 0)
		bench_skip("loading a BPF program: %s", strerror(errno));
	return prog;
}

int bench_xdp_attach(const char *dev, int action, bool native)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	int prog = bench_xdp_load(action);
	int link = bpf_link_create(prog, (int)if_nametoindex(dev), BPF_XDP, &opts);

	if (link < 0)
		bench_skip("an XDP program on %s: %s", dev, strerror(errno));
	close(prog);
	return link;
}
