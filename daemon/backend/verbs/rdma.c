/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A port on an RDMA device: opening and closing what the verbs and the mlx5 backend share. The
 * interface stays the kernel's; what no flow takes goes there, by the device itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "../../netdev.h"
#include "rdma.h"

#define ETH_OVERHEAD 18u /* header and one tag */

static int fill_port(struct rn_port *port, struct rn_err *err)
{
	struct rn_netdev nd;
	int rc = rn_netdev_get(port->config.dev, &nd, err);

	if (rc)
		return rc;
	port->ifindex = nd.ifindex;
	port->mtu = nd.mtu;
	port->max_frame = nd.mtu + ETH_OVERHEAD;
	memcpy(port->mac, nd.mac, sizeof(port->mac));
	port->link_up = nd.up;
	return 0;
}

/* A receive queue that never gets a buffer: rules that wait for their target lead there. */
static int make_drop(struct rn_rdma *rdma, struct rn_err *err)
{
	struct ibv_wq_init_attr init = {.wq_type = IBV_WQT_RQ, .max_wr = 1, .max_sge = 1};
	struct ibv_wq_attr ready = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RDY};
	int rc;

	rdma->pd = ibv_alloc_pd(rdma->ctx);
	if (!rdma->pd)
		return rn_rdma_fail(err, rdma, "protection domain", errno);
	rdma->drop_cq = ibv_create_cq(rdma->ctx, 1, NULL, NULL, 0);
	if (!rdma->drop_cq)
		return rn_rdma_fail(err, rdma, "completion queue", errno);
	init.pd = rdma->pd;
	init.cq = rdma->drop_cq;
	rdma->drop_wq = ibv_create_wq(rdma->ctx, &init);
	if (!rdma->drop_wq)
		return rn_rdma_fail(err, rdma, "receive queue", errno);
	rc = ibv_modify_wq(rdma->drop_wq, &ready);
	return rc ? rn_rdma_fail(err, rdma, "receive queue", rc) : 0;
}

int rn_rdma_open(struct rn_rdma *rdma, struct rn_port *port, const struct rn_flow_ops *ops,
		 struct rn_err *err)
{
	int rc;

	rdma->port = port;
	rdma->flow_ops = ops;
	rc = fill_port(port, err);
	if (!rc)
		rc = rn_rdma_find(&port->config, &rdma->ctx, &rdma->caps, err);
	if (rc) {
		rdma->ctx = NULL;
		return rc;
	}
	port->event_fd = rdma->ctx->async_fd;
	if (fcntl(port->event_fd, F_SETFL, O_NONBLOCK))
		return rn_rdma_fail(err, rdma, "event descriptor", errno);
	return make_drop(rdma, err);
}

void rn_rdma_close(struct rn_rdma *rdma)
{
	if (rdma->drop_wq)
		ibv_destroy_wq(rdma->drop_wq);
	if (rdma->drop_cq)
		ibv_destroy_cq(rdma->drop_cq);
	if (rdma->pd)
		ibv_dealloc_pd(rdma->pd);
	rn_rdma_close_device(rdma->ctx);
	rdma->port->event_fd = -1;
	rdma->port->backend_data = NULL;
}
