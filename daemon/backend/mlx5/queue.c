/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client queue on a ConnectX: objects by libibverbs, then their memory by mlx5dv_init_obj(). From
 * there on libmlx5 does nothing with them but changes of state and destruction.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../attachment.h"
#include "mlx5.h"

/* ---- completion queues ---- */

struct cq_wish {
	uint32_t entries;
	struct ibv_comp_channel *channel;
	bool compress;
	bool stamps; /* the free-running counter in each completion */
};

/* Overrun cannot happen (mlx5.h), so the consumer index is never told. */
static struct ibv_cq *make_cq(struct rn_rdma *rdma, struct rn_queue *q, const struct cq_wish *wish)
{
	struct ibv_cq_init_attr_ex attr = {
		.cqe = wish->entries,
		.cq_context = q,
		.channel = wish->channel,
		.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS,
		.flags = IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN | IBV_CREATE_CQ_ATTR_SINGLE_THREADED,
	};
	struct mlx5dv_cq_init_attr dv = {
		.comp_mask = MLX5DV_CQ_INIT_ATTR_MASK_CQE_SIZE,
		.cqe_size = sizeof(struct rn_cqe),
	};
	struct ibv_cq_ex *cq;

	if (wish->stamps)
		attr.wc_flags = IBV_WC_EX_WITH_COMPLETION_TIMESTAMP;
	if (wish->compress) {
		dv.comp_mask |= MLX5DV_CQ_INIT_ATTR_MASK_COMPRESSED_CQE;
		dv.cqe_comp_res_format = MLX5DV_CQE_RES_FORMAT_HASH;
	}
	cq = mlx5dv_create_cq(rdma->ctx, &attr, &dv);
	return cq ? ibv_cq_ex_to_cq(cq) : NULL;
}

static uint32_t log2_of(uint32_t power)
{
	return (uint32_t)__builtin_ctz(power);
}

static int view_cq(struct ibv_cq *cq, struct mlx5dv_cq *dv)
{
	struct mlx5dv_obj obj = {.cq = {.in = cq, .out = dv}};

	memset(dv, 0, sizeof(*dv));
	if (mlx5dv_init_obj(&obj, MLX5DV_OBJ_CQ) || dv->cqe_size != sizeof(struct rn_cqe) ||
	    dv->cqe_cnt & (dv->cqe_cnt - 1))
		return -EOPNOTSUPP;
	rn_cqe_prepare(dv->buf, log2_of(dv->cqe_cnt));
	return 0;
}

/* ---- receive ---- */

static int view_rx(struct rn_queue *q, struct rn_mlx5_queue *m)
{
	struct rn_mlx5_rx *rx = &m->rx;
	struct mlx5dv_rwq rwq = {0};
	struct mlx5dv_obj obj = {.rwq = {.in = m->rdma.wq, .out = &rwq}};
	struct mlx5dv_cq cq;

	if (view_cq(m->rdma.rx_cq, &cq) || mlx5dv_init_obj(&obj, MLX5DV_OBJ_RWQ) ||
	    rwq.stride != sizeof(struct rn_data) || rwq.wqe_cnt != q->rx.mask + 1 ||
	    cq.cqe_cnt < 2 * rwq.wqe_cnt)
		return -EOPNOTSUPP;
	rx->cqe = cq.buf;
	rx->cq_log = log2_of(cq.cqe_cnt);
	rx->cq_record = (uint32_t *)cq.dbrec;
	rx->page = cq.cq_uar;
	rx->cqn = cq.cqn;
	rx->wqe = rwq.buf;
	rx->wq_mask = rwq.wqe_cnt - 1;
	rx->record = (uint32_t *)rwq.dbrec;
	rx->base = (uintptr_t)q->mem;
	rx->trash = (uintptr_t)m->rdma.mem->trash;
	rx->lkey_be = htobe32(m->rdma.mem->packets->lkey);
	rx->trash_lkey_be = htobe32(m->rdma.mem->trash_mr->lkey);
	rx->length = (1u << q->buf_shift) - q->headroom;
	for (uint32_t i = 0; i <= rx->wq_mask; i++)
		rn_rx_wqe_prepare(&rx->wqe[i], rx->length, rx->lkey_be);
	return 0;
}

static int make_rx(struct rn_rdma *rdma, struct rn_queue *q, struct rn_mlx5_queue *m,
		   struct rn_err *err)
{
	const struct cq_wish wish = {
		.entries = 2 * (q->rx.mask + 1) - 1,
		.channel = rn_mlx5_hwq_of(q->hwq)->channel,
		/* What comes once for a session is no time of arrival. */
		.compress = rn_mlx5_port_of(rdma->port)->has.compress && !q->stamps,
		.stamps = q->stamps && rn_mlx5_hwq_of(q->hwq)->clock.ctx,
	};
	struct ibv_wq_init_attr wq = {
		.wq_context = q,
		.wq_type = IBV_WQT_RQ,
		.max_wr = q->rx.mask + 1,
		.max_sge = 1,
		.pd = m->rdma.mem->pd,
	};
	struct ibv_wq_attr ready = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RDY};
	int rc;

	m->rdma.rx_cq = make_cq(rdma, q, &wish);
	if (!m->rdma.rx_cq)
		return rn_rdma_fail(err, rdma, "completion queue", errno);
	wq.cq = m->rdma.rx_cq;
	m->rdma.wq = ibv_create_wq(rdma->ctx, &wq);
	if (!m->rdma.wq)
		return rn_rdma_fail(err, rdma, "receive queue", errno);
	/* Ready first: libmlx5 clears the doorbell record on the way there. */
	rc = ibv_modify_wq(m->rdma.wq, &ready);
	if (rc)
		return rn_rdma_fail(err, rdma, "receive queue", rc);
	rc = view_rx(q, m);
	return rc ? rn_rdma_fail(err, rdma, "receive queue of unknown form", -rc) : 0;
}

/* ---- transmit ---- */

static uint32_t blocks_for(const struct rn_queue *q)
{
	uint32_t blocks = 2 * (q->tx.mask + 1); /* a request with inline headers takes two */

	return blocks < 64 ? 64 : blocks > RN_MLX5_BLOCKS ? RN_MLX5_BLOCKS : blocks;
}

static int make_parent(struct rn_rdma *rdma, struct rn_queue *q, struct rn_mlx5_queue *m,
		       struct rn_err *err)
{
	struct ibv_td *td = rn_mlx5_hwq_of(q->hwq)->td;

	m->parent = rn_rdma_parent(m->rdma.mem->pd, td);
	return m->parent || !td ? 0 : rn_rdma_fail(err, rdma, "parent domain", errno);
}

static int view_tx(struct rn_mlx5_queue *m)
{
	struct rn_mlx5_tx *tx = &m->tx;
	struct mlx5dv_qp qp = {.comp_mask = MLX5DV_QP_MASK_RAW_QP_HANDLES};
	struct mlx5dv_obj obj = {.qp = {.in = m->rdma.qp, .out = &qp}};
	struct mlx5dv_cq cq;

	if (view_cq(m->rdma.tx_cq, &cq) || mlx5dv_init_obj(&obj, MLX5DV_OBJ_QP) ||
	    qp.sq.stride != RN_WQE_BB || qp.sq.wqe_cnt & (qp.sq.wqe_cnt - 1) ||
	    cq.cqe_cnt < qp.sq.wqe_cnt || qp.sq.wqe_cnt < 64)
		return -EOPNOTSUPP;
	tx->sq = qp.sq.buf;
	tx->mask = qp.sq.wqe_cnt - 1;
	tx->sqn = qp.comp_mask & MLX5DV_QP_MASK_RAW_QP_HANDLES ? qp.sqn : m->rdma.qp->qp_num;
	tx->record = (uint32_t *)qp.dbrec;
	tx->reg = qp.bf.reg;
	tx->cqe = cq.buf;
	tx->cq_log = log2_of(cq.cqe_cnt);
	tx->lkey_be = htobe32(m->rdma.mem->packets->lkey);
	return 0;
}

/* Memory of the daemon that the device reads and writes: whole copies, and the sentinel's packet.
 */
static int make_frames(struct rn_rdma *rdma, struct rn_mlx5_queue *m, struct rn_err *err)
{
	struct rn_mlx5_tx *tx = &m->tx;
	size_t frames, size;

	tx->frame_size = (rdma->port->max_frame + 4 + 63) / 64 * 64;
	frames = (size_t)RN_MLX5_FRAMES * tx->frame_size;
	size = (frames + m->rx.length + 4095) / 4096 * 4096;
	tx->frames = aligned_alloc(4096, size);
	tx->sent = calloc(tx->mask + 1, sizeof(*tx->sent));
	if (!tx->frames || !tx->sent)
		return rn_fail(err, -ENOMEM, "%s: out of memory", rdma->port->config.dev);
	madvise(tx->frames, size, MADV_DONTDUMP);
	memset(tx->frames, 0, size);
	m->frames_mr = ibv_reg_mr(m->rdma.mem->pd, tx->frames, size, IBV_ACCESS_LOCAL_WRITE);
	if (!m->frames_mr)
		return rn_rdma_fail(err, rdma, "memory of the send queue", errno);
	tx->frame_lkey_be = m->rx.sentinel_lkey_be = htobe32(m->frames_mr->lkey);
	m->rx.sentinel_mem = tx->frames + frames;
	return 0;
}

static int make_tx(struct rn_rdma *rdma, struct rn_queue *q, struct rn_mlx5_queue *m,
		   struct rn_err *err)
{
	const struct rn_mlx5_features *has = &rn_mlx5_port_of(rdma->port)->has;
	const struct cq_wish wish = {.entries = blocks_for(q) - 1};
	struct ibv_qp_init_attr_ex attr = {
		.cap = {.max_send_wr = blocks_for(q), .max_send_sge = 1},
		.qp_context = q,
		.qp_type = IBV_QPT_RAW_PACKET,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
	};
	int rc = make_parent(rdma, q, m, err);

	if (rc)
		return rc;
	m->tx.empw = has->empw;
	m->tx.csum = rdma->caps.csum;
	m->tx.insert_tag = has->insert_tag;
	m->tx.min_inline = has->min_inline;
	m->tx.max_tso = rdma->caps.max_tso;
	m->rdma.tx_cq = make_cq(rdma, q, &wish);
	if (!m->rdma.tx_cq)
		return rn_rdma_fail(err, rdma, "completion queue", errno);
	attr.send_cq = attr.recv_cq = m->rdma.tx_cq;
	attr.pd = m->parent ? m->parent : m->rdma.mem->pd;
	m->rdma.qp = ibv_create_qp_ex(rdma->ctx, &attr);
	if (!m->rdma.qp)
		return rn_rdma_fail(err, rdma, "send queue", errno);
	rc = rn_rdma_start_qp(m->rdma.qp);
	if (rc)
		return rn_rdma_fail(err, rdma, "send queue", rc);
	rc = view_tx(m);
	if (rc)
		return rn_rdma_fail(err, rdma, "send queue of unknown form", -rc);
	return make_frames(rdma, m, err);
}

/* ---- life ---- */

static void queue_free(struct rn_mlx5_port *port, struct rn_mlx5_queue *m)
{
	if (m->rdma.qp)
		ibv_destroy_qp(m->rdma.qp);
	rn_mlx5_unguard(port, m); /* of a queue that executes nothing any more */
	if (m->rdma.tx_cq)
		ibv_destroy_cq(m->rdma.tx_cq);
	if (m->rdma.wq)
		ibv_destroy_wq(m->rdma.wq);
	if (m->rdma.rx_cq)
		ibv_destroy_cq(m->rdma.rx_cq);
	if (m->frames_mr)
		ibv_dereg_mr(m->frames_mr);
	if (m->parent)
		ibv_dealloc_pd(m->parent);
	free(m->tx.frames);
	free(m->tx.sent);
	free(m);
}

int rn_mlx5_queue_create(struct rn_port *port, struct rn_queue *q, struct rn_err *err)
{
	struct rn_rdma *rdma = rn_rdma_of(port);
	struct rn_mlx5_queue *m = aligned_alloc(64, sizeof(*m));
	int rc;

	if (!m)
		return rn_fail(err, -ENOMEM, "%s: out of memory", port->config.dev);
	memset(m, 0, sizeof(*m));
	rc = rn_rdma_mem_get(rdma, q->at, err);
	if (rc) {
		free(m);
		return rc;
	}
	m->rdma.mem = q->at->hw;
	m->rdma.spare = rn_rdma_spare(q);
	rc = make_rx(rdma, q, m, err);
	if (!rc)
		rc = make_tx(rdma, q, m, err);
	if (rc) {
		queue_free(rn_mlx5_port_of(port), m);
		rn_rdma_mem_put(q->at);
		return rc;
	}
	q->hw = m;
	rn_mlx5_guard(rn_mlx5_port_of(port), q);
	return 0;
}

void rn_mlx5_queue_destroy(struct rn_port *port, struct rn_queue *q)
{
	queue_free(rn_mlx5_port_of(port), q->hw);
	q->hw = NULL;
	rn_rdma_mem_put(q->at);
}

int rn_mlx5_queue_mend(struct rn_port *port, struct rn_queue *q, bool may, struct rn_err *err)
{
	struct rn_mlx5_queue *m = rn_mlx5_queue_of(q);
	const struct rn_rdma_sides sides = {&m->rx.state, &m->tx.state};

	return rn_rdma_mend(port, q, &sides, may, err);
}
