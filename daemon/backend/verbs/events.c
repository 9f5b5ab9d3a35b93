/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's news: asynchronous events of libibverbs, read by the control thread when the
 * descriptor of the context is readable. An event names an object; the context that was given to
 * the object when it was made is the client's queue. Each is acknowledged at once, since the
 * destruction of an object waits for that; an object that is gone has no event left to be read.
 *
 * Events of the port say nothing that Linux does not say of the interface (netdev.h), which is what
 * the daemon follows.
 */
#include "rdma.h"

static void hurt(struct rn_queue *q, uint32_t what)
{
	if (!q)
		return; /* nobody's: the daemon's own, or a target's */
	rn_rdma_queue_of(q)->hurt |= what;
	rn_queue_sick(q);
}

static void take(struct rn_port *port, const struct ibv_async_event *e)
{
	switch (e->event_type) {
	case IBV_EVENT_WQ_FATAL: hurt(e->element.wq->wq_context, RN_HURT_RX); break;
	case IBV_EVENT_CQ_ERR: hurt(e->element.cq->cq_context, RN_HURT_CQ); break;
	case IBV_EVENT_QP_FATAL:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR: hurt(e->element.qp->qp_context, RN_HURT_TX); break;
	case IBV_EVENT_DEVICE_FATAL: port->failed = true; break;
	default: break;
	}
}

void rn_rdma_events(struct rn_port *port)
{
	struct ibv_context *ctx = rn_rdma_of(port)->ctx;
	struct ibv_async_event e;

	while (!ibv_get_async_event(ctx, &e)) {
		take(port, &e);
		ibv_ack_async_event(&e);
	}
}
