/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The xdp backend: any Linux interface, by an XDP program that picks what rules take (program.c)
 * and one AF_XDP socket for each receive queue (socket.c).
 *
 * An interface may go away and come back under its name: the program is loaded once, the link and
 * the sockets are made anew. Pollers see a socket through an RCU pointer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "xdp.h"

#define ETH_OVERHEAD 18u /* header and one tag */
#define SCRATCH	     65536u
#define TAG	     4u /* may come on top of the largest frame */

/* ---- sockets ---- */

static struct rn_xsk_config socket_config(const struct xdp_port *xp, const struct xdp_queue *xq)
{
	return (struct rn_xsk_config) {
		.dev = xp->port->config.dev,
		.queue = xq->hwq.index,
		.max_frame = xp->port->max_frame,
		.copy = !xp->native,
		.frags = xp->frags,
		.keep = rn_keeper != NULL,
	};
}

static int open_socket(struct xdp_port *xp, struct xdp_queue *xq, struct rn_err *err)
{
	const struct rn_xsk_config config = socket_config(xp, xq);
	struct rn_xsk *x = xq->adopted;
	bool adopted = x != NULL;
	int rc = x ? 0 : rn_xsk_create(&config, &x, err);

	xq->adopted = NULL;
	if (rc)
		return rc;
	rc = rn_xdp_program_socket(xp->program, xq->hwq.index, x->fd);
	if (rc) {
		rn_xsk_free(x);
		return rn_fail(err, rc, "%s: queue %u: %s", config.dev, config.queue,
			       strerror(-rc));
	}
	rcu_assign_pointer(xq->xsk, x);
	rn_hwq_set_fd(&xq->hwq, x->fd);
	if (!adopted)
		rn_xdp_keep_socket(xp, xq, x);
	return 0;
}

/* The pollers let go of all sockets, then they are closed. What they counted is kept. */
static void close_sockets(struct xdp_port *xp)
{
	struct rn_xsk *old[RN_PORT_HWQ] = {NULL};

	for (uint32_t i = 0; i < xp->port->n_hwq; i++) {
		struct xdp_queue *xq = xdp_queue_of(xp->port->hwq[i]);

		old[i] = xq->xsk;
		rcu_assign_pointer(xq->xsk, NULL);
		rn_hwq_set_fd(&xq->hwq, -1);
	}
	synchronize_rcu();
	for (uint32_t i = 0; i < xp->port->n_hwq; i++) {
		if (!old[i])
			continue;
		rn_xdp_program_socket(xp->program, i, -1);
		rn_xdp_drop_socket(xp, i);
		rn_xsk_counters(old[i], xp->gone);
		rn_xsk_free(old[i]);
	}
}

static int open_sockets(struct xdp_port *xp, struct rn_err *err)
{
	for (uint32_t i = 0; i < xp->port->n_hwq && i < xp->nd.rx_queues; i++) {
		int rc = open_socket(xp, xdp_queue_of(xp->port->hwq[i]), err);

		if (rc)
			return rc;
	}
	return 0;
}

/* ---- the interface ---- */

static void say_mode(struct xdp_port *xp, const char *why)
{
	const struct xdp_queue *xq = xdp_queue_of(xp->port->hwq[0]);
	const struct rn_xsk *x = xq->adopted ? xq->adopted : xq->xsk;

	snprintf(xp->port->mode, sizeof(xp->port->mode), "%s XDP (%s), %s%s",
		 xp->native ? "native" : "generic", why,
		 x && x->zero_copy ? "zero copy" : "one copy in the kernel",
		 xp->blind_to_vlans ? ", blind to VLANs" : "");
}

/* A tag that hardware strips is invisible to XDP. On veth it is the peer's txvlan that decides. */
static int take_rxvlan(struct xdp_port *xp, struct rn_err *err)
{
	bool on, fixed;

	if (!strcmp(xp->nd.kind, "veth") || rn_netdev_rxvlan(xp->nd.dev, &on, &fixed, NULL) || !on)
		return 0;
	if (fixed) {
		xp->blind_to_vlans = true;
		return 0;
	}
	xp->rxvlan_off = true;
	return rn_netdev_set_rxvlan(xp->nd.dev, false, err);
}

static int attach(struct xdp_port *xp, struct rn_err *err)
{
	const char *why;
	int rc;

	xp->native = rn_xdp_prefers_native(&xp->port->config, &xp->nd, &why);
	if (rn_xdp_adopt(xp)) {
		say_mode(xp, why);
		return 0;
	}
	xp->native = rn_xdp_prefers_native(&xp->port->config, &xp->nd, &why);
	rc = rn_xdp_program_attach(xp->program, xp->nd.dev, xp->nd.ifindex, xp->native, err);
	if (rc == -EOPNOTSUPP && xp->native && xp->port->config.xdp_mode == RN_XDP_AUTO) {
		xp->native = false;
		why = "its driver has no native mode";
		rc = rn_xdp_program_attach(xp->program, xp->nd.dev, xp->nd.ifindex, false, err);
	}
	if (!rc)
		rc = open_sockets(xp, err);
	if (rc)
		return rc;
	rn_xdp_keep_link(xp);
	say_mode(xp, why);
	return 0;
}

static void detach(struct xdp_port *xp)
{
	rn_xdp_drop_link(xp);
	rn_xdp_program_detach(xp->program);
	close_sockets(xp);
}

static void fill_port(struct xdp_port *xp)
{
	struct rn_port *port = xp->port;

	port->ifindex = xp->nd.ifindex;
	port->mtu = xp->nd.mtu;
	port->max_frame = xp->nd.mtu + ETH_OVERHEAD;
	memcpy(port->mac, xp->nd.mac, sizeof(port->mac));
	port->link_up = xp->nd.up;
	xp->frags = port->max_frame > rn_xsk_rx_room(port->max_frame, false);
}

/* ---- queues ---- */

static void free_queues(struct rn_port *port)
{
	for (uint32_t i = 0; i < port->n_hwq; i++) {
		struct xdp_queue *xq = xdp_queue_of(port->hwq[i]);

		rn_xsk_free(xq->adopted);
		free(xq->scratch);
		free(xq);
	}
	port->n_hwq = 0;
}

static int make_queue(struct xdp_port *xp, uint32_t index)
{
	struct xdp_queue *xq = aligned_alloc(64, (sizeof(*xq) + 63) / 64 * 64);

	if (!xq)
		return -ENOMEM;
	memset(xq, 0, sizeof(*xq));
	xq->hwq.port = xp->port;
	xq->hwq.index = index;
	xq->cookie = rn_xdp_program_cookie(xp->program);
	xq->local = rn_netdev_local(&xp->nd);
	xq->hwq.fd = -1;
	xp->port->hwq[xp->port->n_hwq++] = &xq->hwq;
	if (xq->local && xp->frags) {
		xq->scratch = aligned_alloc(4096, SCRATCH);
		if (!xq->scratch)
			return -ENOMEM;
		madvise(xq->scratch, SCRATCH, MADV_DONTDUMP);
	}
	return 0;
}

static int make_queues(struct xdp_port *xp, struct rn_err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < xp->nd.rx_queues && !rc; i++)
		rc = make_queue(xp, i);
	return rc ? rn_fail(err, rc, "%s: queues: %s", xp->nd.dev, strerror(-rc)) : 0;
}

/* ---- struct rn_backend ---- */

static void xdp_close(struct rn_port *port)
{
	struct xdp_port *xp = port->backend_data;

	if (xp->program)
		detach(xp);
	rn_xdp_program_free(xp->program);
	if (xp->rxvlan_off && port->present)
		rn_netdev_set_rxvlan(xp->nd.dev, true, NULL);
	free_queues(port);
	free(xp);
}

static int xdp_open(struct rn_port *port, struct rn_err *err)
{
	struct xdp_port *xp = calloc(1, sizeof(*xp));
	int rc;

	if (!xp)
		return rn_fail(err, -ENOMEM, "%s: out of memory", port->config.dev);
	xp->port = port;
	port->backend_data = xp;
	rc = rn_netdev_get(port->config.dev, &xp->nd, err);
	if (rc) {
		free(xp);
		return rc;
	}
	fill_port(xp);
	rc = rn_xdp_program_load(xp->nd.dev, xp->frags, port->max_frame + TAG, port->mac,
				 &xp->program, err);
	if (!rc)
		rc = make_queues(xp, err);
	if (!rc)
		rc = take_rxvlan(xp, err);
	if (!rc)
		rc = attach(xp, err);
	if (rc)
		xdp_close(port);
	return rc;
}

/* It came back: everything that hangs on the interface is made anew. */
static void serve_again(struct xdp_port *xp)
{
	struct rn_port *port = xp->port;
	struct rn_err err = {0};
	int rc = rn_netdev_get(port->config.dev, &xp->nd, &err);

	if (!rc && xp->nd.rx_queues > port->n_hwq)
		rc = rn_fail(&err, -EINVAL, "it has %u receive queues now: restart rawnetd",
			     xp->nd.rx_queues);
	if (!rc)
		rc = take_rxvlan(xp, &err);
	if (!rc)
		rc = attach(xp, &err);
	if (rc) {
		detach(xp);
		snprintf(port->mode, sizeof(port->mode), "not served: %.80s", err.text);
	}
}

static void xdp_changed(struct rn_port *port)
{
	struct xdp_port *xp = port->backend_data;
	bool moved = port->ifindex != xp->nd.ifindex;

	if (!port->present || moved)
		detach(xp);
	if (port->present && (moved || !xdp_queue_of(port->hwq[0])->xsk))
		serve_again(xp);
	rn_xdp_program_set_mac(xp->program, port->mac);
}

/* The rules are there: the new program takes the old one's place, in one step for each packet, and
 * the pollers get the sockets with what gathered in them. */
static void xdp_resume(struct rn_port *port)
{
	struct xdp_port *xp = port->backend_data;
	struct rn_err err = {0};
	int rc;

	if (!xp->adopted)
		return;
	xp->adopted = false;
	rc = open_sockets(xp, &err);
	if (!rc)
		rc = rn_xdp_program_replace(xp->program, &err);
	if (!rc)
		return;
	detach(xp);
	serve_again(xp);
}

static void xdp_counters(struct rn_port *port, uint64_t v[RAWNET_COUNTERS_SPACE])
{
	const struct xdp_port *xp = port->backend_data;

	for (uint32_t c = 0; c < RAWNET_P_COUNT; c++)
		v[c] += xp->gone[c];
	for (uint32_t i = 0; i < port->n_hwq; i++)
		if (xdp_queue_of(port->hwq[i])->xsk)
			rn_xsk_counters(xdp_queue_of(port->hwq[i])->xsk, v);
	rn_xdp_program_counters(xp->program, v);
}

/* ---- rules ---- */

static struct rn_xdp_program *program_of(void *ctx)
{
	return ((struct xdp_port *)((struct rn_port *)ctx)->backend_data)->program;
}

static int steer_shapes(void *ctx, const struct rn_shape *const *order, unsigned n,
			struct rn_err *err)
{
	return rn_xdp_program_shapes(program_of(ctx), order, n, err);
}

static int steer_add(void *ctx, struct rn_rule *rule, struct rn_err *err)
{
	const struct rn_port *port = ctx;
	const struct xdp_port *xp = port->backend_data;

	if (xp->blind_to_vlans && rule->key.vlan)
		return rn_fail(err, -EOPNOTSUPP,
			       "vlan: %s strips tags in hardware and cannot be told not to",
			       port->config.dev);
	return rn_xdp_program_add(xp->program, rule, err);
}

static void steer_del(void *ctx, struct rn_rule *rule)
{
	rn_xdp_program_del(program_of(ctx), rule);
}

static const struct rn_steer_ops xdp_steer = {
	.shapes = steer_shapes,
	.add = steer_add,
	.del = steer_del,
};

const struct rn_backend rn_backend_xdp = {
	.name = "xdp",
	.offers_netdev = true,
	.holds_gap = true,
	.probe = rn_xdp_probe,
	.plan = rn_xdp_plan,
	.open = xdp_open,
	.resume = xdp_resume,
	.close = xdp_close,
	.changed = xdp_changed,
	.counters = xdp_counters,
	.steer = &xdp_steer,
	.rx = rn_xdp_rx,
	.tx_reserve = rn_xdp_tx_reserve,
	.tx_submit = rn_xdp_tx_submit,
	.flush = rn_xdp_flush,
	.done = rn_xdp_done,
	.arm = rn_xdp_arm,
};
