/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mending a client's queue after the device failed it: its receive WQ, its send QP, or both go
 * through RESET to work again, at index 0 and without requests. The objects stay, and so do the
 * flows and indirection tables that lead to them: nobody else notices. Control thread; rdma.h says
 * how it and the poller hand the queue to each other.
 *
 * How often is bounded for each user (repair.c): above that the client is ended. So is one whose
 * completion queue failed, since nothing that it holds can be trusted.
 *
 * One failure has two messengers, the error completion and the event, in any order. A QP can be
 * asked whether it really is in error. A WQ cannot (libibverbs has no such question), so an event
 * that comes within RN_ECHO_NS after it was mended is that of the failure before; a later failure
 * comes with error completions as well, since a WQ never is without a request (rx.c, sentinel).
 */
#include <errno.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "../../clock.h"
#include "../../attachment.h"
#include "../../poller.h"
#include "rdma.h"

#define RN_ECHO_NS 500000000u

int rn_rdma_start_qp(struct ibv_qp *qp)
{
	struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT, .port_num = 1};
	int rc = ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PORT);

	attr.qp_state = IBV_QPS_RTR;
	if (!rc)
		rc = ibv_modify_qp(qp, &attr, IBV_QP_STATE);
	attr.qp_state = IBV_QPS_RTS;
	if (!rc)
		rc = ibv_modify_qp(qp, &attr, IBV_QP_STATE);
	return rc;
}

static int restart_qp(struct ibv_qp *qp)
{
	struct ibv_qp_attr attr = {.qp_state = IBV_QPS_RESET};
	int rc = ibv_modify_qp(qp, &attr, IBV_QP_STATE);

	return rc ? rc : rn_rdma_start_qp(qp);
}

static int restart_wq(struct ibv_wq *wq)
{
	struct ibv_wq_attr attr = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RESET};
	int rc = ibv_modify_wq(wq, &attr);

	attr.wq_state = IBV_WQS_RDY;
	return rc ? rc : ibv_modify_wq(wq, &attr);
}

static bool in_error(struct ibv_qp *qp)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	return ibv_query_qp(qp, &attr, IBV_QP_STATE, &init) || attr.qp_state != IBV_QPS_RTS;
}

static bool is_broken(const uint32_t *state)
{
	return __atomic_load_n(state, __ATOMIC_ACQUIRE) == RN_RDMA_BROKEN;
}

/* Which directions have to be mended. */
static uint32_t examine(struct rn_rdma_queue *r, const struct rn_rdma_sides *sides, uint64_t now)
{
	uint32_t hurt = r->hurt;

	r->hurt = 0;
	if (hurt & RN_HURT_RX && now - r->rx_mended_ns < RN_ECHO_NS)
		hurt &= ~(uint32_t)RN_HURT_RX;
	if (hurt & RN_HURT_TX && !in_error(r->qp))
		hurt &= ~(uint32_t)RN_HURT_TX;
	if (is_broken(sides->rx_state))
		hurt |= RN_HURT_RX;
	if (is_broken(sides->tx_state))
		hurt |= RN_HURT_TX;
	return hurt;
}

static void take(uint32_t *state)
{
	__atomic_store_n(state, RN_RDMA_BROKEN, __ATOMIC_RELAXED);
}

static void give_back(uint32_t *state)
{
	__atomic_store_n(state, RN_RDMA_MENDED, __ATOMIC_RELEASE);
}

static int restart(struct rn_rdma_queue *r, uint32_t hurt)
{
	int rc = hurt & RN_HURT_RX ? restart_wq(r->wq) : 0;

	return !rc && hurt & RN_HURT_TX ? restart_qp(r->qp) : rc;
}

int rn_rdma_mend(struct rn_port *port, struct rn_queue *q, const struct rn_rdma_sides *sides,
		 bool may, struct rn_err *err)
{
	struct rn_rdma_queue *r = rn_rdma_queue_of(q);
	uint64_t now = rn_mono_ns();
	uint32_t hurt = examine(r, sides, now);
	int rc;

	if (hurt & RN_HURT_CQ)
		return rn_fail(err, -EIO, "the device failed its completion queue");
	if (!hurt)
		return 0;
	if (!may)
		return rn_fail(err, -EIO, "the device fails its user's queues again and again");
	if (hurt & RN_HURT_RX)
		take(sides->rx_state);
	if (hurt & RN_HURT_TX)
		take(sides->tx_state);
	synchronize_rcu(); /* the poller does nothing with it any more */
	rc = restart(r, hurt);
	if (rc)
		return rn_rdma_fail(err, rn_rdma_of(port), "setting its queue up again", rc);
	if (hurt & RN_HURT_RX) {
		r->rx_mended_ns = now;
		give_back(sides->rx_state);
	}
	if (hurt & RN_HURT_TX)
		give_back(sides->tx_state);
	rn_poller_poke(q->poller);
	return 1;
}
