/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mlx5 backend as struct rn_backend; see mlx5.h. One "hardware queue" for each poller of the
 * port: the completion channel that wakes it, and the thread domain whose doorbell register its
 * send queues share, so that no two pollers ring the same one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5.h"

/* ---- control thread ---- */

static int find(const struct rn_port_config *config, struct ibv_context **ctx,
		struct rn_rdma_caps *caps, struct rn_mlx5_features *has, struct rn_err *err)
{
	int rc;

	rn_mlx5_environment();
	rc = rn_rdma_find(config, ctx, caps, err);
	if (rc)
		return rc;
	rc = rn_mlx5_features(*ctx, caps, has, config->dev, err);
	if (rc)
		rn_rdma_close_device(*ctx);
	return rc;
}

static int mlx5_probe(const struct rn_port_config *config, struct rn_err *why)
{
	struct rn_mlx5_features has;
	struct rn_rdma_caps caps;
	struct ibv_context *ctx;
	int rc = find(config, &ctx, &caps, &has, why);

	if (rc)
		return rc;
	rn_rdma_close_device(ctx);
	return rn_rdma_rights(config, why);
}

static void mlx5_plan(const struct rn_port_config *config, FILE *out)
{
	struct rn_mlx5_features has;
	struct rn_rdma_caps caps;
	struct ibv_context *ctx;

	if (find(config, &ctx, &caps, &has, NULL))
		return;
	fprintf(out,
		"%s: mlx5 on %s, firmware %s: flows of rules go to queues of clients; the "
		"interface stays as it is\n",
		config->dev, ibv_get_device_name(ctx->device), caps.fw);
	rn_rdma_close_device(ctx);
}

static int make_hwq(struct rn_port *port, uint32_t index, struct rn_err *err)
{
	struct rn_rdma *rdma = rn_rdma_of(port);
	struct rn_mlx5_hwq *h = aligned_alloc(64, (sizeof(*h) + 63) / 64 * 64);
	struct ibv_td_init_attr td = {0};

	if (!h)
		return rn_fail(err, -ENOMEM, "%s: out of memory", port->config.dev);
	memset(h, 0, sizeof(*h));
	h->hwq.port = port;
	h->hwq.index = index;
	port->hwq[port->n_hwq++] = &h->hwq;
	h->channel = ibv_create_comp_channel(rdma->ctx);
	if (!h->channel)
		return rn_rdma_fail(err, rdma, "completion channel", errno);
	h->hwq.fd = h->channel->fd;
	if (fcntl(h->hwq.fd, F_SETFL, O_NONBLOCK))
		return rn_rdma_fail(err, rdma, "completion channel", errno);
	if (rn_mlx5_port_of(port)->has.clock)
		rn_mlx5_clock_open(&h->clock, rdma->ctx);
	h->td = ibv_alloc_td(rdma->ctx, &td);
	rn_mlx5_port_of(port)->has.thread_domains = h->td != NULL;
	return 0;
}

static void mlx5_close(struct rn_port *port)
{
	struct rn_mlx5_port *m = rn_mlx5_port_of(port);

	rn_mlx5_flows_close(m);
	for (uint32_t i = 0; i < port->n_hwq; i++) {
		struct rn_mlx5_hwq *h = rn_mlx5_hwq_of(port->hwq[i]);

		if (h->td)
			ibv_dealloc_td(h->td);
		if (h->channel)
			ibv_destroy_comp_channel(h->channel);
		free(h);
	}
	port->n_hwq = 0;
	rn_rdma_close(&m->rdma);
	free(m);
}

static void describe(struct rn_port *port)
{
	const struct rn_mlx5_port *m = rn_mlx5_port_of(port);

	port->rx_offloads = RAWNET_RX_RULE | RAWNET_RX_HASH;
	if (m->rdma.caps.csum)
		port->rx_offloads |= RAWNET_RX_L3_OK | RAWNET_RX_L4_OK;
	if (m->rdma.caps.csum)
		port->tx_offloads = RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM;
	if (m->rdma.caps.csum && m->rdma.caps.max_tso)
		port->tx_offloads |= RAWNET_TX_TSO;
	snprintf(port->mode, sizeof(port->mode), "%.24s (firmware %.16s)%s%s",
		 ibv_get_device_name(m->rdma.ctx->device), m->rdma.caps.fw,
		 m->has.compress ? ", compressed completions" : "",
		 m->has.empw ? ", multi-packet send" : "");
}

static void mlx5_report(const struct rn_port *port, FILE *out)
{
	const struct rn_mlx5_features *has = &rn_mlx5_port_of(port)->has;

	rn_rdma_report(port, out);
	rn_rdma_say(out, "compressed completions", has->compress,
		    "where a queue does not ask for arrival times",
		    "the device does not offer them with the hash");
	rn_rdma_say(out, "arrival times by the device's clock", has->clock,
		    "for queues that ask for them",
		    "it cannot be read: a packet has the time at which the poller sees it");
	rn_rdma_say(out, "multi-packet send", has->empw, "yes",
		    has->min_inline ? "headers must stand in each request"
				    : "the device does not offer it");
	if (has->min_inline)
		fprintf(out, "inline headers: %u bytes of each frame\n", has->min_inline);
	rn_rdma_say(out, "doorbell registers", has->thread_domains, "one for each poller",
		    "the kernel gives none of their own; they are shared");
	rn_rdma_say(out, "striding receive queues", false, "",
		    "a buffer would be the client's again only with all its packets");
	rn_rdma_say(out, "loopback in the device", false, "", "the daemon polices what is sent");
	rn_rdma_say(
		out, "policing by the NIC", !rn_mlx5_port_of(port)->no_nic_policing,
		"of attachments whose rules its tables can mirror; what it drops counts as sent",
		rn_mlx5_port_of(port)->no_nic_policing);
	fputs("flows: by matchers; tags, fragments, ARP and neighbour discovery are told apart\n",
	      out);
}

static int mlx5_open(struct rn_port *port, struct rn_err *err)
{
	struct rn_mlx5_port *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return rn_fail(err, -ENOMEM, "%s: out of memory", port->config.dev);
	port->backend_data = m;
	rn_mlx5_environment();
	rc = rn_rdma_open(&m->rdma, port, &rn_mlx5_flow_ops, err);
	if (!rc)
		rc = rn_mlx5_features(m->rdma.ctx, &m->rdma.caps, &m->has, port->config.dev, err);
	if (!rc && rn_mlx5_flows_open(m))
		rc = rn_fail(err, -ENOMEM, "%s: out of memory", port->config.dev);
	if (!rc)
		rn_mlx5_egress_open(m);
	for (uint32_t i = 0; i < port->config.n_pollers && !rc; i++)
		rc = make_hwq(port, i, err);
	if (rc) {
		mlx5_close(port);
		return rc;
	}
	describe(port);
	return 0;
}

/* ---- poller ---- */

/* Takes the events that came since it asked for them last, or earlier, before it asks again: the
 * sequence number is another one then. The queue of an event lives until the event is acknowledged,
 * since the destruction of its completion queue waits for that. */
static int mlx5_arm(struct rn_hwq *hwq)
{
	struct rn_mlx5_hwq *h = rn_mlx5_hwq_of(hwq);
	struct ibv_cq *cq;
	void *q;

	while (h->armed && !ibv_get_cq_event(h->channel, &cq, &q)) {
		rn_mlx5_queue_of(q)->rx.sequence++;
		ibv_ack_cq_events(cq, 1);
	}
	return 0;
}

const struct rn_backend rn_backend_mlx5 = {
	.name = "mlx5",
	.offers_netdev = true,
	.probe = mlx5_probe,
	.plan = mlx5_plan,
	.report = mlx5_report,
	.open = mlx5_open,
	.close = mlx5_close,
	.queue_create = rn_mlx5_queue_create,
	.queue_destroy = rn_mlx5_queue_destroy,
	.queue_recall = rn_mlx5_queue_recall,
	.queue_mend = rn_mlx5_queue_mend,
	.addresses = rn_mlx5_addresses,
	.events = rn_rdma_events,
	.steer = &rn_rdma_steer,
	.queue_rx = rn_mlx5_queue_rx,
	.queue_tx = rn_mlx5_queue_tx,
	.queue_arm = rn_mlx5_queue_arm,
	.queue_waits = rn_mlx5_queue_waits,
	.queue_ahead = rn_mlx5_queue_ahead,
	.arm = mlx5_arm,
};
