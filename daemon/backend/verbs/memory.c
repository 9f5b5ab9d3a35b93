/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's memory as the device sees it: a protection domain for each attachment, with its packet
 * memory as the only region that its queues can name. A request that the daemon got wrong then
 * ends as an error of that client's queue, not as a packet in somebody else's memory.
 *
 * A posted slot that names no buffer still takes its turn in the receive queue; its packet goes to
 * a page of the daemon's, in the same domain, and is dropped and counted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../attachment.h"
#include "rdma.h"

int rn_rdma_fail(struct rn_err *err, const struct rn_rdma *rdma, const char *what, int error)
{
	const char *why = error == ENOMEM  ? " (memory, RLIMIT_MEMLOCK, or the device's own limit)"
			  : error == EPERM ? " (CAP_NET_RAW, or RLIMIT_MEMLOCK)"
					   : "";

	if (error <= 0)
		error = EIO; /* a provider that does not say */
	return rn_fail(err, -error, "%s: %s: %s%s", rdma->port->config.dev, what, strerror(error),
		       why);
}

static void mem_free(struct rn_rdma_mem *m)
{
	if (m->trash_mr)
		ibv_dereg_mr(m->trash_mr);
	if (m->packets)
		ibv_dereg_mr(m->packets);
	if (m->pd)
		ibv_dealloc_pd(m->pd);
	free(m->trash);
	free(m);
}

static int mem_fill(struct rn_rdma_mem *m, struct rn_rdma *rdma, const struct rn_attachment *at,
		    struct rn_err *err)
{
	m->trash = aligned_alloc(4096, at->buf_size < 4096 ? 4096 : at->buf_size);
	if (!m->trash)
		return rn_fail(err, -ENOMEM, "%s: out of memory", rdma->port->config.dev);
	madvise(m->trash, at->buf_size, MADV_DONTDUMP);
	m->pd = ibv_alloc_pd(rdma->ctx);
	if (!m->pd)
		return rn_rdma_fail(err, rdma, "protection domain", errno);
	m->packets = ibv_reg_mr(m->pd, at->shm.packets.addr, at->shm.packets.size,
				IBV_ACCESS_LOCAL_WRITE);
	if (m->packets)
		m->trash_mr = ibv_reg_mr(m->pd, m->trash, at->buf_size, IBV_ACCESS_LOCAL_WRITE);
	if (!m->trash_mr)
		return rn_rdma_fail(err, rdma, "packet memory", errno);
	return 0;
}

int rn_rdma_mem_get(struct rn_rdma *rdma, struct rn_attachment *at, struct rn_err *err)
{
	struct rn_rdma_mem *m = at->hw;
	int rc;

	if (m) {
		m->refs++;
		return 0;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return rn_fail(err, -ENOMEM, "%s: out of memory", rdma->port->config.dev);
	rc = mem_fill(m, rdma, at, err);
	if (rc) {
		mem_free(m);
		return rc;
	}
	m->refs = 1;
	at->hw = m;
	return 0;
}

void rn_rdma_mem_put(struct rn_attachment *at)
{
	struct rn_rdma_mem *m = at->hw;

	if (--m->refs)
		return;
	mem_free(m);
	at->hw = NULL;
}

struct ibv_pd *rn_rdma_parent(struct ibv_pd *pd, struct ibv_td *td)
{
	struct ibv_parent_domain_init_attr attr = {.pd = pd, .td = td};

	return td ? ibv_alloc_parent_domain(pd->context, &attr) : NULL;
}
