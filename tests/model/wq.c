/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive work queues and indirection tables.
 */
#include <errno.h>
#include <stdlib.h>

#include "uverbs.h"

static int check_wq(const struct ib_uverbs_ex_create_wq *req, const struct mlx5_ib_create_wq *d)
{
	const uint32_t flags = IB_UVERBS_WQ_FLAGS_CVLAN_STRIPPING | IB_UVERBS_WQ_FLAGS_SCATTER_FCS |
			       IB_UVERBS_WQ_FLAGS_PCI_WRITE_END_PADDING;

	if (req->wq_type != IB_UVERBS_WQT_RQ || d->comp_mask || d->flags ||
	    req->create_flags & ~flags)
		return -EOPNOTSUPP; /* striding queues, signatures, delay drop */
	if (!d->rq_wqe_count || d->rq_wqe_count & (d->rq_wqe_count - 1) ||
	    d->rq_wqe_count > 32768 || d->rq_wqe_shift < 4 || d->rq_wqe_shift > 9 || !d->buf_addr ||
	    !d->db_addr || d->db_addr & 7)
		return -EINVAL;
	return 0;
}

int cx_create_wq(struct cx_cmd *c)
{
	struct ib_uverbs_ex_create_wq req;
	struct ib_uverbs_ex_create_wq_resp r = {.response_length = sizeof(r)};
	struct mlx5_ib_create_wq drv;
	struct mlx5_ib_create_wq_resp dr = {.response_length = sizeof(dr)};
	struct cx_pd *pd;
	struct cx_cq *cq;
	struct cx_wq *wq;
	int err;

	cx_cmd_in(c, &req, sizeof(req));
	cx_cmd_drv_in(c, &drv, sizeof(drv));
	err = check_wq(&req, &drv);
	if (err)
		return err;
	pd = cx_obj_find(c->ctx, req.pd_handle, CX_PD);
	cq = cx_obj_find(c->ctx, req.cq_handle, CX_CQ);
	if (!pd || !cq)
		return -EINVAL;
	wq = cx_obj_new(c->ctx, CX_WQ, sizeof(*wq));
	if (!wq)
		return -ENOMEM;
	wq->user_handle = req.user_handle;
	wq->rq = (struct cx_rq) {
		.pd = pd,
		.cq = cq,
		.rqn = cx_number_new(c->ctx->dev, CX_IS_RQ, &wq->rq),
		.uidx = drv.user_index,
		.cnt = drv.rq_wqe_count,
		.shift = drv.rq_wqe_shift,
		.buf = (uint8_t *)(uintptr_t)drv.buf_addr,
		.dbrec = (_Atomic uint32_t *)(uintptr_t)drv.db_addr,
		.strip = req.create_flags & IB_UVERBS_WQ_FLAGS_CVLAN_STRIPPING,
		.fcs = req.create_flags & IB_UVERBS_WQ_FLAGS_SCATTER_FCS,
	};
	if (!wq->rq.rqn) {
		cx_obj_free(&wq->o);
		return -ENOMEM;
	}
	cx_rq_init(&wq->rq, c->ctx);
	pd->o.refs++;
	cq->o.refs++;
	r.wq_handle = wq->o.handle;
	r.max_wr = req.max_wr;
	r.max_sge = req.max_sge;
	r.wqn = wq->rq.rqn;
	cx_cmd_out(c, &r, sizeof(r));
	cx_cmd_drv_out(c, &dr, sizeof(dr));
	return 0;
}

int cx_wq_free(struct cx_obj *o)
{
	struct cx_wq *wq = (struct cx_wq *)o;
	struct cx_rq **p;

	for (p = &o->ctx->dev->rqs; *p != &wq->rq; p = &(*p)->next)
		;
	*p = wq->rq.next;
	cx_number_free(o->ctx->dev, wq->rq.rqn);
	wq->rq.pd->o.refs--;
	wq->rq.cq->o.refs--;
	cx_obj_free(o);
	return 0;
}

int cx_destroy_wq(struct cx_cmd *c)
{
	struct ib_uverbs_ex_destroy_wq req;
	struct ib_uverbs_ex_destroy_wq_resp r = {.response_length = sizeof(r)};
	struct cx_wq *wq;

	cx_cmd_in(c, &req, sizeof(req));
	wq = cx_obj_find(c->ctx, req.wq_handle, CX_WQ);
	if (!wq)
		return -EINVAL;
	if (wq->o.refs)
		return -EBUSY;
	r.events_reported = wq->async_sent - cx_event_purge_async(c->ctx, wq->user_handle);
	cx_cmd_out(c, &r, sizeof(r));
	return cx_obj_destroy(&wq->o);
}

int cx_modify_wq(struct cx_cmd *c)
{
	static const enum cx_state states[] = {CX_RESET, CX_READY, CX_ERROR};
	struct ib_uverbs_ex_modify_wq req;
	struct cx_wq *wq;

	cx_cmd_in(c, &req, sizeof(req));
	wq = cx_obj_find(c->ctx, req.wq_handle, CX_WQ);
	if (!wq || req.wq_state > IBV_WQS_ERR || req.attr_mask & ~7u)
		return -EINVAL;
	if (req.attr_mask & IBV_WQ_ATTR_CURR_STATE && states[req.curr_wq_state % 3] != wq->rq.state)
		return -EINVAL;
	if (req.attr_mask & IBV_WQ_ATTR_FLAGS && req.flags_mask & IBV_WQ_FLAGS_CVLAN_STRIPPING)
		wq->rq.strip = req.flags & IBV_WQ_FLAGS_CVLAN_STRIPPING;
	if (req.attr_mask & IBV_WQ_ATTR_STATE) {
		enum cx_state to = states[req.wq_state];

		/* RDY -> RDY is no transition; ERR -> RDY is none that exists. */
		if (to == CX_READY && wq->rq.state == CX_ERROR)
			return -EINVAL;
		cx_rq_state(&wq->rq, to);
	}
	return 0;
}

/* ---- indirection tables ---- */

int cx_create_ind(struct cx_cmd *c)
{
	struct ib_uverbs_ex_create_rwq_ind_table req;
	struct ib_uverbs_ex_create_rwq_ind_table_resp r = {.response_length = sizeof(r)};
	struct mlx5_ib_create_rwq_ind_tbl_resp dr = {.response_length = sizeof(dr)};
	const uint32_t *handles = (const uint32_t *)((const uint8_t *)c->in + sizeof(req));
	struct cx_ind *ind;
	uint32_t i, n;

	cx_cmd_in(c, &req, sizeof(req));
	n = 1u << (req.log_ind_tbl_size & 31);
	if (req.comp_mask || req.log_ind_tbl_size > 11 || c->in_len < sizeof(req) + n * 4)
		return -EINVAL;
	ind = cx_obj_new(c->ctx, CX_IND, sizeof(*ind));
	if (!ind)
		return -ENOMEM;
	ind->wq = calloc(n, sizeof(ind->wq[0]));
	ind->log = req.log_ind_tbl_size;
	for (i = 0; ind->wq && i < n; i++) {
		ind->wq[i] = cx_obj_find(c->ctx, handles[i], CX_WQ);
		if (!ind->wq[i])
			break;
		ind->wq[i]->o.refs++;
		ind->num++;
	}
	if (ind->num < n) {
		int err = ind->wq ? -EINVAL : -ENOMEM;

		cx_ind_free(&ind->o);
		return err;
	}
	r.ind_tbl_handle = ind->o.handle;
	r.ind_tbl_num = ind->o.handle + 1;
	cx_cmd_out(c, &r, sizeof(r));
	cx_cmd_drv_out(c, &dr, sizeof(dr));
	return 0;
}

int cx_ind_free(struct cx_obj *o)
{
	struct cx_ind *ind = (struct cx_ind *)o;
	uint32_t i;

	for (i = 0; i < ind->num; i++)
		ind->wq[i]->o.refs--;
	free(ind->wq);
	cx_obj_free(o);
	return 0;
}

int cx_destroy_ind(struct cx_cmd *c)
{
	struct ib_uverbs_ex_destroy_rwq_ind_table req;
	struct cx_obj *o;

	cx_cmd_in(c, &req, sizeof(req));
	o = cx_obj_find(c->ctx, req.ind_tbl_handle, CX_IND);
	return o ? cx_obj_destroy(o) : -EINVAL;
}
