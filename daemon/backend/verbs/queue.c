/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client queue on the device: made by the control thread before a poller knows the queue,
 * unmade after none does. When verbs_queue_destroy() returns the device writes nothing of the
 * client's any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../attachment.h"
#include "verbs.h"

static uint32_t round_up(uint32_t v, uint32_t to)
{
	return (v + to - 1) / to * to;
}

/* ---- of one thread: its poller; the control thread comes when that has let go (mend.c) ---- */

static struct ibv_pd *domain_of(const struct verbs_queue *v)
{
	return v->parent ? v->parent : v->rdma.mem->pd;
}

/* Without locks where the provider can do without. */
static struct ibv_cq_ex *make_cq(struct rn_rdma *rdma, struct ibv_cq_init_attr_ex *attr)
{
	struct ibv_cq_ex *cq;

	attr->comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS;
	attr->flags = IBV_CREATE_CQ_ATTR_SINGLE_THREADED;
	cq = ibv_create_cq_ex(rdma->ctx, attr);
	if (cq || errno == ENOMEM)
		return cq;
	attr->comp_mask = attr->flags = 0;
	return ibv_create_cq_ex(rdma->ctx, attr);
}

/* ---- receive ---- */

static int make_rx(struct rn_rdma *rdma, struct rn_queue *q, struct verbs_queue *v,
		   struct rn_err *err)
{
	struct ibv_cq_init_attr_ex cq = {
		.cqe = q->rx.mask + 1,
		.cq_context = q,
		.channel = verbs_hwq_of(q->hwq)->channel,
		.wc_flags = IBV_WC_EX_WITH_BYTE_LEN | IBV_WC_EX_WITH_FLOW_TAG,
	};
	struct ibv_wq_init_attr wq = {
		.wq_context = q,
		.wq_type = IBV_WQT_RQ,
		.max_wr = q->rx.mask + 1,
		.max_sge = 1,
		.pd = domain_of(v),
	};
	struct ibv_wq_attr ready = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RDY};
	int rc;

	v->rx_cq = make_cq(rdma, &cq);
	if (!v->rx_cq)
		return rn_rdma_fail(err, rdma, "completion queue", errno);
	v->rdma.rx_cq = ibv_cq_ex_to_cq(v->rx_cq);
	wq.cq = v->rdma.rx_cq;
	v->rdma.wq = ibv_create_wq(rdma->ctx, &wq);
	if (!v->rdma.wq)
		return rn_rdma_fail(err, rdma, "receive queue", errno);
	rc = ibv_modify_wq(v->rdma.wq, &ready);
	return rc ? rn_rdma_fail(err, rdma, "receive queue", rc) : 0;
}

/* ---- transmit ---- */

/* With calls for each request, or without. */
static struct ibv_qp *make_qp(struct rn_rdma *rdma, struct verbs_queue *v,
			      struct ibv_qp_init_attr_ex *attr)
{
	struct ibv_qp *qp;

	attr->send_ops_flags = IBV_QP_EX_WITH_SEND | (v->max_tso ? IBV_QP_EX_WITH_TSO : 0);
	attr->comp_mask |= IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
	qp = ibv_create_qp_ex(rdma->ctx, attr);
	if (qp) {
		v->qp_ex = ibv_qp_to_qp_ex(qp);
		return qp;
	}
	attr->comp_mask &= ~(uint32_t)IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
	return ibv_create_qp_ex(rdma->ctx, attr);
}

static int make_tx(struct rn_rdma *rdma, struct rn_queue *q, struct verbs_queue *v,
		   struct rn_err *err)
{
	uint32_t sends = q->tx.mask + 1 < RN_VERBS_SENDS ? q->tx.mask + 1 : RN_VERBS_SENDS;
	struct ibv_cq_init_attr_ex cq = {.cqe = sends, .cq_context = q};
	struct ibv_qp_init_attr_ex attr = {
		.cap = {.max_send_wr = sends, .max_send_sge = RAWNET_TX_SEGS + 1},
		.qp_type = IBV_QPT_RAW_PACKET,
		.qp_context = q,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
		.pd = domain_of(v),
	};
	int rc;

	v->mask = sends - 1;
	v->csum = rdma->caps.csum;
	v->max_tso = v->csum ? rdma->caps.max_tso : 0; /* segments need their checksums */
	if (v->max_tso) {
		attr.comp_mask |= IBV_QP_INIT_ATTR_MAX_TSO_HEADER;
		attr.max_tso_header = RN_VERBS_TSO;
	}
	v->tx_cq = make_cq(rdma, &cq);
	if (!v->tx_cq)
		return rn_rdma_fail(err, rdma, "completion queue", errno);
	v->rdma.tx_cq = ibv_cq_ex_to_cq(v->tx_cq);
	attr.send_cq = attr.recv_cq = v->rdma.tx_cq;
	v->rdma.qp = make_qp(rdma, v, &attr);
	if (!v->rdma.qp)
		return rn_rdma_fail(err, rdma, "send queue", errno);
	rc = rn_rdma_start_qp(v->rdma.qp);
	return rc ? rn_rdma_fail(err, rdma, "send queue", rc) : 0;
}

static int make_copies(struct rn_rdma *rdma, const struct rn_queue *q, struct verbs_queue *v,
		       struct rn_err *err)
{
	size_t heads = (size_t)(v->mask + 1) * RN_VERBS_ROOM, frames, size;

	v->frame_size = round_up(rdma->port->max_frame + 4, 64);
	frames = (size_t)RN_VERBS_FRAMES * v->frame_size;
	size = heads + frames + (1u << q->buf_shift);
	v->memory = aligned_alloc(4096, round_up((uint32_t)size, 4096));
	v->fifo = calloc(v->mask + 1, sizeof(*v->fifo));
	v->ids = calloc(q->rx.mask + 1, sizeof(*v->ids));
	v->plain = calloc(RN_VERBS_BURST, sizeof(*v->plain));
	v->wr = calloc(RN_VERBS_BURST, sizeof(*v->wr));
	v->sge = calloc(RN_VERBS_BURST * (RAWNET_TX_SEGS + 1), sizeof(*v->sge));
	v->tso = calloc(RN_VERBS_BURST, RN_VERBS_TSO);
	if (!v->memory || !v->fifo || !v->ids || !v->plain || !v->wr || !v->sge || !v->tso)
		return rn_fail(err, -ENOMEM, "%s: out of memory", rdma->port->config.dev);
	madvise(v->memory, size, MADV_DONTDUMP);
	for (uint32_t i = 0; i < RN_VERBS_BURST; i++) {
		v->wr[i].sg_list = &v->sge[(size_t)i * (RAWNET_TX_SEGS + 1)];
		v->wr[i].next = &v->wr[i + 1]; /* send.c ends a list that it posts */
	}
	v->sentinel_mem = v->memory + heads + frames;
	v->copies = ibv_reg_mr(v->rdma.mem->pd, v->memory, size, IBV_ACCESS_LOCAL_WRITE);
	return v->copies ? 0 : rn_rdma_fail(err, rdma, "memory of the send queue", errno);
}

/* ---- life ---- */

static void queue_free(struct verbs_queue *v)
{
	if (v->rdma.qp)
		ibv_destroy_qp(v->rdma.qp);
	if (v->rdma.tx_cq)
		ibv_destroy_cq(v->rdma.tx_cq);
	if (v->rdma.wq)
		ibv_destroy_wq(v->rdma.wq);
	if (v->rdma.rx_cq)
		ibv_destroy_cq(v->rdma.rx_cq);
	if (v->parent)
		ibv_dealloc_pd(v->parent);
	if (v->copies)
		ibv_dereg_mr(v->copies);
	free(v->memory);
	free(v->fifo);
	free(v->ids);
	free(v->plain);
	free(v->wr);
	free(v->sge);
	free(v->tso);
	free(v);
}

int verbs_queue_create(struct rn_port *port, struct rn_queue *q, struct rn_err *err)
{
	struct rn_rdma *rdma = rn_rdma_of(port);
	struct verbs_queue *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return rn_fail(err, -ENOMEM, "%s: out of memory", port->config.dev);
	rc = rn_rdma_mem_get(rdma, q->at, err);
	if (rc) {
		free(v);
		return rc;
	}
	v->rdma.mem = q->at->hw;
	v->rdma.spare = rn_rdma_spare(q);
	v->parent = rn_rdma_parent(v->rdma.mem->pd, verbs_hwq_of(q->hwq)->td);
	rc = make_rx(rdma, q, v, err);
	if (!rc)
		rc = make_tx(rdma, q, v, err);
	if (!rc)
		rc = make_copies(rdma, q, v, err);
	if (rc) {
		queue_free(v);
		rn_rdma_mem_put(q->at);
		return rc;
	}
	q->hw = v;
	return 0;
}

int verbs_queue_mend(struct rn_port *port, struct rn_queue *q, bool may, struct rn_err *err)
{
	struct verbs_queue *v = verbs_queue_of(q);
	const struct rn_rdma_sides sides = {&v->rx_state, &v->tx_state};

	return rn_rdma_mend(port, q, &sides, may, err);
}

void verbs_queue_destroy(struct rn_port *port, struct rn_queue *q)
{
	(void)port;
	queue_free(q->hw);
	q->hw = NULL;
	rn_rdma_mem_put(q->at);
}
