/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the service manager keeps of a port while no daemon runs: the XDP link, which keeps the
 * program and its tables, and of each queue the socket and its packet memory. Packets of known
 * rules gather in the sockets' rings meanwhile.
 */
#include <string.h>
#include <unistd.h>

#include "xdp.h"

static void name_socket(const struct xdp_port *xp, uint32_t queue, const char *what, char name[64])
{
	snprintf(name, 64, "rn.xdp.%.15s.%u.%s", xp->port->config.dev, queue, what);
}

/* The mode is part of the name: a link does not tell it. */
static void name_link(const struct xdp_port *xp, bool native, char name[64])
{
	snprintf(name, 64, "rn.xdp.%.15s.%s", xp->port->config.dev, native ? "native" : "generic");
}

void rn_xdp_keep_socket(const struct xdp_port *xp, const struct xdp_queue *xq,
			const struct rn_xsk *x)
{
	char name[64];

	if (!rn_keeper || x->umem_fd < 0)
		return;
	name_socket(xp, xq->hwq.index, "memory", name);
	rn_keeper->put(name, x->umem_fd);
	name_socket(xp, xq->hwq.index, "socket", name);
	rn_keeper->put(name, x->fd);
}

void rn_xdp_drop_socket(const struct xdp_port *xp, uint32_t queue)
{
	char name[64];

	if (!rn_keeper)
		return;
	name_socket(xp, queue, "memory", name);
	rn_keeper->drop(name);
	name_socket(xp, queue, "socket", name);
	rn_keeper->drop(name);
}

void rn_xdp_keep_link(const struct xdp_port *xp)
{
	char name[64];

	if (!rn_keeper)
		return;
	name_link(xp, xp->native, name);
	rn_keeper->put(name, rn_xdp_program_link(xp->program));
}

void rn_xdp_drop_link(const struct xdp_port *xp)
{
	char name[64];

	if (!rn_keeper)
		return;
	name_link(xp, xp->native, name);
	rn_keeper->drop(name);
}

/* ---- going on ---- */

static bool adopt_socket(struct xdp_port *xp, struct xdp_queue *xq)
{
	const struct rn_xsk_config config = {
		.dev = xp->port->config.dev,
		.queue = xq->hwq.index,
		.max_frame = xp->port->max_frame,
		.copy = !xp->native,
		.frags = xp->frags,
		.keep = true,
	};
	char name[64];
	int memory, fd;

	name_socket(xp, xq->hwq.index, "memory", name);
	memory = rn_keeper->take(name);
	name_socket(xp, xq->hwq.index, "socket", name);
	fd = rn_keeper->take(name);
	if (memory >= 0 && fd >= 0 && !rn_xsk_adopt(&config, fd, memory, &xq->adopted, NULL))
		return true;
	if (memory >= 0)
		close(memory);
	if (fd >= 0)
		close(fd);
	return false;
}

static void forget_all(struct xdp_port *xp)
{
	for (uint32_t i = 0; i < xp->port->n_hwq; i++) {
		struct xdp_queue *xq = xdp_queue_of(xp->port->hwq[i]);

		rn_xsk_free(xq->adopted);
		xq->adopted = NULL;
		rn_xdp_drop_socket(xp, i);
	}
	rn_xdp_drop_link(xp);
	rn_xdp_program_detach(xp->program);
}

static int take_link(struct xdp_port *xp)
{
	char name[64];
	int fd;

	name_link(xp, xp->native, name);
	fd = rn_keeper->take(name);
	if (fd < 0) {
		name_link(xp, !xp->native, name);
		fd = rn_keeper->take(name);
		if (fd >= 0)
			xp->native = !xp->native;
	}
	return fd;
}

bool rn_xdp_adopt(struct xdp_port *xp)
{
	bool whole = true;
	int link;

	if (!rn_keeper)
		return false;
	link = take_link(xp);
	if (link < 0 || rn_xdp_program_adopt(xp->program, link, xp->nd.ifindex)) {
		if (link >= 0)
			close(link);
		whole = false;
	}
	/* All of them: what is not taken leaks, and a socket without a link keeps its queue busy.
	 */
	for (uint32_t i = 0; i < xp->port->n_hwq; i++)
		whole &= adopt_socket(xp, xdp_queue_of(xp->port->hwq[i]));
	if (!whole)
		forget_all(xp);
	xp->adopted = whole;
	return whole;
}
