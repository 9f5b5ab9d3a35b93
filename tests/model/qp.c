/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw packet queue pairs: a send queue, a receive queue, and the TIR through which flows reach the
 * receive queue; or, with an indirection table, a TIR that spreads by hash.
 * drivers/infiniband/hw/mlx5/qp.c (create_raw_packet_qp, create_rss_raw_qp_tir) is the reference.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "referee.h"
#include "uverbs.h"

#define SELF_LB (MLX5_QP_FLAG_TIR_ALLOW_SELF_LB_UC | MLX5_QP_FLAG_TIR_ALLOW_SELF_LB_MC)

static bool pow2(uint32_t v)
{
	return v && !(v & (v - 1));
}

/* ---- creation ---- */

static void set_loopback(struct cx_qp *qp, uint32_t flags)
{
	qp->tir.loop_uc = flags & MLX5_QP_FLAG_TIR_ALLOW_SELF_LB_UC;
	qp->tir.loop_mc = flags & MLX5_QP_FLAG_TIR_ALLOW_SELF_LB_MC;
	if (flags & SELF_LB)
		qp->o.ctx->dev->self_loop++;
}

static int create_rss(struct cx_cmd *c, struct cx_qp *qp, uint32_t ind_handle)
{
	struct mlx5_ib_create_qp_rss drv;
	const uint64_t v4 = MLX5_RX_HASH_SRC_IPV4 | MLX5_RX_HASH_DST_IPV4;
	const uint64_t v6 = MLX5_RX_HASH_SRC_IPV6 | MLX5_RX_HASH_DST_IPV6;
	const uint64_t tcp = MLX5_RX_HASH_SRC_PORT_TCP | MLX5_RX_HASH_DST_PORT_TCP;
	const uint64_t udp = MLX5_RX_HASH_SRC_PORT_UDP | MLX5_RX_HASH_DST_PORT_UDP;
	uint64_t f;

	cx_cmd_drv_in(c, &drv, sizeof(drv));
	f = drv.rx_hash_fields_mask;
	if (drv.comp_mask || (drv.flags & ~(uint32_t)SELF_LB) || f & ~0xffull)
		return -EOPNOTSUPP;
	if (drv.rx_hash_function != MLX5_RX_HASH_FUNC_TOEPLITZ || drv.rx_key_len != 40)
		return -EINVAL;
	if ((f & v4 && f & v6) || (f & tcp && f & udp))
		return -EINVAL;
	qp->tir.ind = cx_obj_find(c->ctx, ind_handle, CX_IND);
	if (!qp->tir.ind)
		return -EINVAL;
	qp->rss = true;
	qp->tir.ind->o.refs++;
	qp->tir.fields = f;
	memcpy(qp->tir.key, drv.rx_hash_key, 40);
	set_loopback(qp, drv.flags);
	return 0;
}

static int check_rings(const struct mlx5_ib_create_qp *d)
{
	if (d->flags & ~(MLX5_QP_FLAG_SCATTER_CQE | MLX5_QP_FLAG_ALLOW_SCATTER_CQE |
			 MLX5_QP_FLAG_BFREG_INDEX | MLX5_QP_FLAG_UAR_PAGE_INDEX | SELF_LB))
		return -EOPNOTSUPP;
	if (!d->db_addr || d->db_addr & 7)
		return -EINVAL;
	if (d->sq_wqe_count &&
	    (!pow2(d->sq_wqe_count) || !d->sq_buf_addr || d->sq_wqe_count > 32768))
		return -EINVAL;
	if (d->rq_wqe_count && (!pow2(d->rq_wqe_count) || !d->buf_addr || d->rq_wqe_shift > 9 ||
				d->rq_wqe_shift < 4 || d->rq_wqe_count > 32768))
		return -EINVAL;
	return d->sq_wqe_count || d->rq_wqe_count ? 0 : -EINVAL;
}

/* Static registers are given out in turn: register n of page p is number 4p + n. */
static int assign_register(struct cx_qp *qp, const struct mlx5_ib_create_qp *d, uint32_t *bfreg)
{
	struct cx_ctx *ctx = qp->o.ctx;
	uint32_t page, reg;

	*bfreg = 0;
	if (d->flags & MLX5_QP_FLAG_UAR_PAGE_INDEX) {
		if (!cx_ctx_has_page(ctx, d->bfreg_index))
			return -EINVAL;
		qp->sq.page = d->bfreg_index;
		*bfreg = d->bfreg_index;
		return 0;
	}
	if (!ctx->pages)
		return -EINVAL;
	if (d->flags & MLX5_QP_FLAG_BFREG_INDEX) { /* of a page that was mapped later */
		*bfreg = d->bfreg_index;
		page = d->bfreg_index / 2;
		if (page >= CX_LATE_PAGES || !ctx->late[page])
			return -EINVAL;
		qp->sq.page = ctx->late[page];
		return 0;
	}
	reg = ctx->next_bfreg++ % (2 * ctx->pages);
	page = reg / 2;
	*bfreg = page * 4 + reg % 2;
	qp->sq.page = ctx->page[page];
	return 0;
}

static int init_sq(struct cx_qp *qp, const struct mlx5_ib_create_qp *d, struct cx_cq *cq)
{
	struct cx_dev *dev = qp->o.ctx->dev;
	struct cx_sq *sq = &qp->sq;

	if (!d->sq_wqe_count)
		return 0;
	if (!cq)
		return -EINVAL;
	sq->sqn = cx_number_new(dev, CX_IS_SQ, sq);
	if (!sq->sqn)
		return -ENOMEM;
	sq->tisn = sq->sqn;
	sq->qp = qp;
	sq->pd = qp->pd;
	sq->cq = cq;
	sq->uidx = d->uidx;
	sq->cnt = d->sq_wqe_count;
	sq->buf = (uint8_t *)(uintptr_t)d->sq_buf_addr;
	sq->dbrec = (_Atomic uint32_t *)(uintptr_t)d->db_addr;
	sq->next = dev->sqs;
	dev->sqs = sq;
	cq->o.refs++;
	qp->has_sq = true;
	return 0;
}

static int init_rq(struct cx_qp *qp, const struct mlx5_ib_create_qp *d, struct cx_cq *cq,
		   uint32_t create_flags)
{
	struct cx_rq *rq = &qp->rq;

	if (!d->rq_wqe_count)
		return 0;
	if (!cq)
		return -EINVAL;
	rq->rqn = cx_number_new(qp->o.ctx->dev, CX_IS_RQ, rq);
	if (!rq->rqn)
		return -ENOMEM;
	rq->pd = qp->pd;
	rq->cq = cq;
	rq->uidx = d->uidx;
	rq->cnt = d->rq_wqe_count;
	rq->shift = d->rq_wqe_shift;
	rq->buf = (uint8_t *)(uintptr_t)d->buf_addr;
	rq->dbrec = (_Atomic uint32_t *)(uintptr_t)d->db_addr;
	rq->strip = create_flags & IB_UVERBS_QP_CREATE_CVLAN_STRIPPING;
	rq->fcs = create_flags & IB_UVERBS_QP_CREATE_SCATTER_FCS;
	cx_rq_init(rq, qp->o.ctx);
	cq->o.refs++;
	qp->has_rq = true;
	qp->tir.rq = rq;
	return 0;
}

static int create_direct(struct cx_cmd *c, struct cx_qp *qp,
			 const struct ib_uverbs_ex_create_qp *req, uint32_t *bfreg)
{
	struct mlx5_ib_create_qp drv;
	int err;

	cx_cmd_drv_in(c, &drv, sizeof(drv));
	if (req->is_srq)
		return -EOPNOTSUPP;
	err = check_rings(&drv);
	err = err ? err : assign_register(qp, &drv, bfreg);
	err = err ? err : init_sq(qp, &drv, cx_obj_find(c->ctx, req->send_cq_handle, CX_CQ));
	err = err ? err
		  : init_rq(qp, &drv, cx_obj_find(c->ctx, req->recv_cq_handle, CX_CQ),
			    req->create_flags);
	if (!err)
		set_loopback(qp, drv.flags);
	return err;
}

static void answer_drv(struct cx_cmd *c, const struct cx_qp *qp, uint32_t bfreg)
{
	struct mlx5_ib_create_qp_resp r = {
		.bfreg_index = bfreg,
		.tirn = qp->has_rq || qp->rss ? qp->tir.tirn : 0,
		.tisn = qp->sq.tisn,
		.rqn = qp->rq.rqn,
		.sqn = qp->sq.sqn,
	};

	r.comp_mask = (r.tirn ? MLX5_IB_CREATE_QP_RESP_MASK_TIRN : 0) |
		      (qp->has_sq
			       ? MLX5_IB_CREATE_QP_RESP_MASK_TISN | MLX5_IB_CREATE_QP_RESP_MASK_SQN
			       : 0) |
		      (qp->has_rq ? MLX5_IB_CREATE_QP_RESP_MASK_RQN : 0);
	cx_cmd_drv_out(c, &r, sizeof(r));
}

static int create(struct cx_cmd *c, const struct ib_uverbs_ex_create_qp *req,
		  struct ib_uverbs_create_qp_resp *r)
{
	struct cx_pd *pd = cx_obj_find(c->ctx, req->pd_handle, CX_PD);
	struct cx_qp *qp;
	uint32_t bfreg = 0;
	int err;

	if (req->qp_type != IB_UVERBS_QPT_RAW_PACKET)
		return -EOPNOTSUPP;
	if (!pd)
		return -EINVAL;
	qp = cx_obj_new(c->ctx, CX_QP, sizeof(*qp));
	if (!qp)
		return -ENOMEM;
	qp->pd = pd;
	pd->o.refs++;
	qp->user_handle = req->user_handle;
	qp->tir.ctx = c->ctx;
	qp->tir.tirn = qp->o.handle + 1;
	memcpy(qp->cap, &req->max_send_wr, sizeof(qp->cap));
	err = req->comp_mask & IB_UVERBS_CREATE_QP_MASK_IND_TABLE
		      ? create_rss(c, qp, req->rwq_ind_tbl_handle)
		      : create_direct(c, qp, req, &bfreg);
	if (err) {
		cx_qp_free(&qp->o);
		return err;
	}
	*r = (struct ib_uverbs_create_qp_resp) {
		.qp_handle = qp->o.handle,
		.qpn = qp->has_sq   ? qp->sq.sqn
		       : qp->has_rq ? qp->rq.rqn
				    : qp->tir.tirn,
		.max_send_wr = req->max_send_wr,
		.max_recv_wr = req->max_recv_wr,
		.max_send_sge = req->max_send_sge,
		.max_recv_sge = req->max_recv_sge,
		.max_inline_data = req->max_inline_data,
	};
	answer_drv(c, qp, bfreg);
	return 0;
}

int cx_create_qp(struct cx_cmd *c)
{
	struct ib_uverbs_create_qp req;
	struct ib_uverbs_ex_create_qp ex = {0};
	struct ib_uverbs_create_qp_resp r;
	int err;

	cx_cmd_in(c, &req, sizeof(req));
	/* From user_handle to reserved the two requests are alike. */
	memcpy(&ex, &req.user_handle,
	       offsetof(struct ib_uverbs_create_qp, driver_data) - sizeof(req.response));
	err = create(c, &ex, &r);
	if (!err)
		cx_cmd_out(c, &r, sizeof(r));
	return err;
}

int cx_create_qp_ex(struct cx_cmd *c)
{
	struct ib_uverbs_ex_create_qp req;
	struct ib_uverbs_ex_create_qp_resp r = {.response_length = sizeof(r)};
	int err;

	cx_cmd_in(c, &req, sizeof(req));
	err = create(c, &req, &r.base);
	if (!err)
		cx_cmd_out(c, &r, sizeof(r));
	return err;
}

/* ---- destruction ---- */

static void unlink_sq(struct cx_qp *qp)
{
	struct cx_sq **p;

	if (!qp->has_sq)
		return;
	for (p = &qp->o.ctx->dev->sqs; *p != &qp->sq; p = &(*p)->next)
		;
	*p = qp->sq.next;
	cx_number_free(qp->o.ctx->dev, qp->sq.sqn);
	qp->sq.cq->o.refs--;
}

static void unlink_rq(struct cx_qp *qp)
{
	struct cx_rq **p;

	if (!qp->has_rq)
		return;
	for (p = &qp->o.ctx->dev->rqs; *p != &qp->rq; p = &(*p)->next)
		;
	*p = qp->rq.next;
	cx_number_free(qp->o.ctx->dev, qp->rq.rqn);
	qp->rq.cq->o.refs--;
}

int cx_qp_free(struct cx_obj *o)
{
	struct cx_qp *qp = (struct cx_qp *)o;

	unlink_sq(qp);
	unlink_rq(qp);
	if (qp->tir.ind)
		qp->tir.ind->o.refs--;
	if (qp->tir.loop_uc || qp->tir.loop_mc)
		o->ctx->dev->self_loop--;
	qp->pd->o.refs--;
	cx_obj_free(o);
	return 0;
}

int cx_destroy_qp(struct cx_cmd *c)
{
	struct ib_uverbs_destroy_qp req;
	struct ib_uverbs_destroy_qp_resp r;
	struct cx_qp *qp;

	cx_cmd_in(c, &req, sizeof(req));
	qp = cx_obj_find(c->ctx, req.qp_handle, CX_QP);
	if (!qp)
		return -EINVAL;
	if (qp->o.refs)
		return -EBUSY;
	r.events_reported = qp->async_sent - cx_event_purge_async(c->ctx, qp->user_handle);
	cx_cmd_out(c, &r, sizeof(r));
	return cx_obj_destroy(&qp->o);
}

/* ---- states ---- */

static bool may_go(uint32_t from, uint32_t to)
{
	if (to == IBV_QPS_RESET || to == IBV_QPS_ERR)
		return true;
	return (from == IBV_QPS_RESET && to == IBV_QPS_INIT) ||
	       (from == IBV_QPS_INIT && (to == IBV_QPS_INIT || to == IBV_QPS_RTR)) ||
	       (from == IBV_QPS_RTR && to == IBV_QPS_RTS) ||
	       (from == IBV_QPS_RTS && to == IBV_QPS_RTS);
}

/* The receive queue is ready from INIT, the send queue from RTS (mlx5_ib, raw_packet qp). */
static void apply_state(struct cx_qp *qp, uint32_t to)
{
	enum cx_state rq = to == IBV_QPS_RESET ? CX_RESET : to == IBV_QPS_ERR ? CX_ERROR : CX_READY;
	enum cx_state sq = rq == CX_READY && to != IBV_QPS_RTS ? CX_RESET : rq;

	qp->state = to;
	if (qp->has_rq)
		cx_rq_state(&qp->rq, rq);
	if (qp->has_sq)
		cx_sq_state(&qp->sq, sq);
}

int cx_modify_qp(struct cx_cmd *c)
{
	struct ib_uverbs_modify_qp req;
	struct ib_uverbs_ex_modify_qp_resp r = {.response_length = sizeof(r)};
	struct cx_qp *qp;

	cx_cmd_in(c, &req, sizeof(req));
	qp = cx_obj_find(c->ctx, req.qp_handle, CX_QP);
	if (!qp || qp->rss)
		return -EINVAL;
	if (req.attr_mask & IBV_QP_PORT && req.port_num != 1)
		return -EINVAL;
	if (req.attr_mask & IBV_QP_STATE) {
		if (!may_go(qp->state, req.qp_state))
			return -EINVAL;
		if (qp->state == IBV_QPS_RESET && req.qp_state == IBV_QPS_INIT &&
		    !(req.attr_mask & IBV_QP_PORT)) {
			cx_violation("qp.port", NULL, 0,
				     "QP 0x%x goes from RESET to INIT without a port",
				     qp->has_sq ? qp->sq.sqn : qp->rq.rqn);
			return -EINVAL;
		}
		apply_state(qp, req.qp_state);
	}
	if (req.attr_mask & IBV_QP_PORT)
		qp->port = req.port_num;
	cx_cmd_out(c, &r, sizeof(r));
	return 0;
}

int cx_query_qp(struct cx_cmd *c)
{
	struct ib_uverbs_query_qp req;
	struct ib_uverbs_query_qp_resp r = {0};
	struct cx_qp *qp;

	cx_cmd_in(c, &req, sizeof(req));
	qp = cx_obj_find(c->ctx, req.qp_handle, CX_QP);
	if (!qp || qp->rss)
		return -EINVAL;
	r.max_send_wr = qp->cap[0];
	r.max_recv_wr = qp->cap[1];
	r.max_send_sge = qp->cap[2];
	r.max_recv_sge = qp->cap[3];
	r.max_inline_data = qp->cap[4];
	r.qp_state = (uint8_t)qp->state;
	if (qp->has_sq && qp->sq.state == CX_ERROR)
		r.qp_state = qp->has_rq && qp->rq.state != CX_ERROR ? IBV_QPS_SQE : IBV_QPS_ERR;
	r.cur_qp_state = r.qp_state;
	r.port_num = qp->port;
	cx_cmd_out(c, &r, sizeof(r));
	return 0;
}
