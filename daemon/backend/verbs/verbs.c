/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verbs backend as struct rn_backend; see verbs.h. One "hardware queue" for each poller of the
 * port: nothing but the completion channel that wakes it, since every client queue has hardware of
 * its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "verbs.h"

static const struct rn_flow_ops flow_ops = {
	.check = rn_verbs_flow_check,
	.create = rn_verbs_flow,
	.destroy = rn_verbs_flow_destroy,
};

/* ---- control thread ---- */

static int verbs_probe(const struct rn_port_config *config, struct rn_err *why)
{
	struct rn_rdma_caps caps;
	struct ibv_context *ctx;
	int rc = rn_rdma_find(config, &ctx, &caps, why);

	if (rc)
		return rc;
	rn_rdma_close_device(ctx);
	return rn_rdma_rights(config, why);
}

static void verbs_plan(const struct rn_port_config *config, FILE *out)
{
	struct rn_rdma_caps caps;
	struct ibv_context *ctx;

	if (rn_rdma_find(config, &ctx, &caps, NULL))
		return;
	fprintf(out,
		"%s: verbs on %s, firmware %s: flows of rules go to queues of clients; the "
		"interface stays as it is\n",
		config->dev, ibv_get_device_name(ctx->device), caps.fw);
	rn_rdma_close_device(ctx);
}

static int make_hwq(struct rn_port *port, uint32_t index, struct rn_err *err)
{
	struct ibv_td_init_attr td = {0};
	struct rn_rdma *rdma = rn_rdma_of(port);
	struct verbs_hwq *h = aligned_alloc(64, (sizeof(*h) + 63) / 64 * 64);

	if (!h)
		return rn_fail(err, -ENOMEM, "%s: out of memory", port->config.dev);
	memset(h, 0, sizeof(*h));
	h->hwq.port = port;
	h->hwq.index = index;
	verbs_requests_link(&h->requests);
	port->hwq[port->n_hwq++] = &h->hwq;
	h->td = ibv_alloc_td(rdma->ctx, &td);
	h->channel = ibv_create_comp_channel(rdma->ctx);
	if (!h->channel)
		return rn_rdma_fail(err, rdma, "completion channel", errno);
	h->hwq.fd = h->channel->fd;
	if (fcntl(h->hwq.fd, F_SETFL, O_NONBLOCK))
		return rn_rdma_fail(err, rdma, "completion channel", errno);
	return 0;
}

static void verbs_close(struct rn_port *port)
{
	struct rn_rdma *rdma = rn_rdma_of(port);

	for (uint32_t i = 0; i < port->n_hwq; i++) {
		struct verbs_hwq *h = verbs_hwq_of(port->hwq[i]);

		if (h->channel)
			ibv_destroy_comp_channel(h->channel);
		if (h->td)
			ibv_dealloc_td(h->td);
		free(h);
	}
	port->n_hwq = 0;
	rn_rdma_close(rdma);
	free(rdma);
}

static void describe(struct rn_port *port)
{
	const struct rn_rdma *rdma = rn_rdma_of(port);

	/* Whether a provider tells of checksums is not to be asked: libmlx5 does not for WQs. */
	port->rx_offloads = RAWNET_RX_RULE;
	if (rdma->caps.csum)
		port->tx_offloads = RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM;
	if (rdma->caps.csum && rdma->caps.max_tso)
		port->tx_offloads |= RAWNET_TX_TSO;
	snprintf(port->mode, sizeof(port->mode), "%.24s (firmware %.16s), rules are blind to VLANs",
		 ibv_get_device_name(rdma->ctx->device), rdma->caps.fw);
}

static void verbs_report(const struct rn_port *port, FILE *out)
{
	rn_rdma_report(port, out);
	fputs("flows: blind to VLANs, take the first fragment; rules that could take the kernel's "
	      "ARP or neighbour discovery are refused\n"
	      "packets without a buffer: libibverbs does not say whose\n",
	      out);
}

static int verbs_open(struct rn_port *port, struct rn_err *err)
{
	struct verbs_port *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return rn_fail(err, -ENOMEM, "%s: out of memory", port->config.dev);
	port->backend_data = v;
	rc = rn_rdma_open(&v->rdma, port, &flow_ops, err);
	for (uint32_t i = 0; i < port->config.n_pollers && !rc; i++)
		rc = make_hwq(port, i, err);
	if (rc) {
		verbs_close(port);
		return rc;
	}
	describe(port);
	return 0;
}

/* ---- poller ---- */

/* Takes the events that came since it asked for them last, or earlier, before it asks again. */
static int verbs_arm(struct rn_hwq *hwq)
{
	struct verbs_hwq *h = verbs_hwq_of(hwq);
	struct ibv_cq *cq;
	void *context;

	while (h->armed && !ibv_get_cq_event(h->channel, &cq, &context))
		ibv_ack_cq_events(cq, 1);
	return 0;
}

const struct rn_backend rn_backend_verbs = {
	.name = "verbs",
	.offers_netdev = true,
	.probe = verbs_probe,
	.plan = verbs_plan,
	.report = verbs_report,
	.open = verbs_open,
	.close = verbs_close,
	.queue_create = verbs_queue_create,
	.queue_destroy = verbs_queue_destroy,
	.queue_recall = verbs_queue_recall,
	.queue_mend = verbs_queue_mend,
	.events = rn_rdma_events,
	.steer = &rn_rdma_steer,
	.queue_rx = verbs_queue_rx,
	.queue_tx = verbs_queue_tx,
	.queue_arm = verbs_queue_arm,
	.arm = verbs_arm,
};
