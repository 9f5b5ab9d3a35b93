/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protection domains and memory regions.
 *
 * A key is an index and a byte that changes with each use of the index, so that a key of a
 * region that is gone is noticed.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "dma.h"
#include "referee.h"
#include "tx.h"
#include "uverbs.h"

int cx_alloc_pd(struct cx_cmd *c)
{
	struct cx_pd *pd = cx_obj_new(c->ctx, CX_PD, sizeof(*pd));
	struct mlx5_ib_alloc_pd_resp drv;

	if (!pd)
		return -ENOMEM;
	pd->pdn = ++c->ctx->dev->next_pd;
	drv.pdn = pd->pdn;
	cx_cmd_out(c, &pd->o.handle, sizeof(pd->o.handle));
	cx_cmd_drv_out(c, &drv, sizeof(drv));
	return 0;
}

int cx_pd_free(struct cx_obj *o)
{
	cx_obj_free(o);
	return 0;
}

int cx_dealloc_pd(struct cx_cmd *c)
{
	struct ib_uverbs_dealloc_pd req;
	struct cx_obj *o;

	cx_cmd_in(c, &req, sizeof(req));
	o = cx_obj_find(c->ctx, req.pd_handle, CX_PD);
	return o ? cx_obj_destroy(o) : -EINVAL;
}

/* Pinning fails on what is not mapped. */
static bool is_mapped(uint64_t start, uint64_t len)
{
	uint64_t at = start & ~4095ull, end = (start + len + 4095) & ~4095ull;
	unsigned char vec[1024];

	if (end < at)
		return false;
	for (; at < end; at += sizeof(vec) * 4096) {
		uint64_t n = end - at < sizeof(vec) * 4096 ? end - at : sizeof(vec) * 4096;

		if (mincore((void *)(uintptr_t)at, n, vec) < 0)
			return false;
	}
	return true;
}

static uint32_t new_key(struct cx_dev *dev, struct cx_mr *mr)
{
	uint32_t i;

	for (i = 0; i < CX_MAX_MRS - 16; i++) {
		uint32_t n = 16 + (dev->next_mr + i) % (CX_MAX_MRS - 16);

		if (dev->mr[n])
			continue;
		dev->mr[n] = mr;
		dev->next_mr = n - 16 + 1;
		return n << 8 | (uint8_t)(0x11 + dev->next_mr * 7);
	}
	return 0;
}

int cx_reg_mr(struct cx_cmd *c)
{
	struct ib_uverbs_reg_mr req;
	struct ib_uverbs_reg_mr_resp r;
	struct cx_pd *pd;
	struct cx_mr *mr;

	cx_cmd_in(c, &req, sizeof(req));
	pd = cx_obj_find(c->ctx, req.pd_handle, CX_PD);
	if (!pd || (req.start & 4095) != (req.hca_va & 4095))
		return -EINVAL;
	if (!req.length || !is_mapped(req.start, req.length))
		return -EFAULT;
	mr = cx_obj_new(c->ctx, CX_MR, sizeof(*mr));
	if (!mr)
		return -ENOMEM;
	mr->lkey = new_key(c->ctx->dev, mr);
	if (!mr->lkey) {
		cx_obj_free(&mr->o);
		return -ENOMEM;
	}
	mr->pd = pd;
	pd->o.refs++;
	mr->start = req.start;
	mr->iova = req.hca_va;
	mr->len = req.length;
	mr->access = req.access_flags;
	r.mr_handle = mr->o.handle;
	r.lkey = r.rkey = mr->lkey;
	cx_cmd_out(c, &r, sizeof(r));
	return 0;
}

static void check_sq(const struct cx_sq *sq, const struct cx_mr *mr)
{
	struct cx_wqe w;

	if (cx_sq_names(sq, mr->lkey, &w))
		cx_violation("mr.posted", w.b, w.len,
			     "MR 0x%x is deregistered while SQ 0x%x is to send from it", mr->lkey,
			     sq->sqn);
}

/* Does any posted receive WQE of this RQ name the key? */
static void check_rq(struct cx_rq *rq, const struct cx_mr *mr)
{
	uint16_t end = (uint16_t)be32toh(atomic_load_explicit(rq->dbrec, memory_order_acquire));
	uint16_t i, n = (uint16_t)(end - rq->ci);
	uint32_t size = 1u << rq->shift, s;

	if (rq->state != CX_READY || n > rq->cnt)
		return;
	for (i = 0; i < n; i++) {
		uint8_t wqe[512];

		cx_dma_read(wqe, rq->buf + (((uint16_t)(rq->ci + i) & (rq->cnt - 1)) << rq->shift),
			    size);
		for (s = 0; s + 16 <= size; s += 16)
			if (cx_get32(wqe + s + 4) == mr->lkey && cx_get32(wqe + s)) {
				cx_violation("mr.posted", wqe, size,
					     "MR 0x%x is deregistered while RQ 0x%x has it posted",
					     mr->lkey, rq->rqn);
				return;
			}
	}
}

int cx_mr_free(struct cx_obj *o)
{
	struct cx_mr *mr = (struct cx_mr *)o;
	struct cx_sq *sq;
	struct cx_rq *rq;

	for (sq = o->ctx->dev->sqs; sq; sq = sq->next)
		if (sq->pd == mr->pd)
			check_sq(sq, mr);
	for (rq = o->ctx->dev->rqs; rq; rq = rq->next)
		if (rq->pd == mr->pd)
			check_rq(rq, mr);
	o->ctx->dev->mr[mr->lkey >> 8] = NULL;
	mr->pd->o.refs--;
	cx_obj_free(o);
	return 0;
}

int cx_dereg_mr(struct cx_cmd *c)
{
	struct ib_uverbs_dereg_mr req;
	struct cx_obj *o;

	cx_cmd_in(c, &req, sizeof(req));
	o = cx_obj_find(c->ctx, req.mr_handle, CX_MR);
	return o ? cx_obj_destroy(o) : -EINVAL;
}

uint8_t *cx_mr_data(struct cx_dev *dev, struct cx_pd *pd, uint32_t lkey, uint64_t addr,
		    uint32_t len, bool write, const char **why)
{
	struct cx_mr *mr = lkey >> 8 < CX_MAX_MRS ? dev->mr[lkey >> 8] : NULL;

	*why = "mr.key";
	if (!mr || mr->lkey != lkey)
		return NULL;
	*why = "mr.pd";
	if (mr->pd != pd)
		return NULL;
	*why = "mr.range";
	if (addr < mr->iova || len > mr->len || addr - mr->iova > mr->len - len)
		return NULL;
	*why = "mr.access";
	if (write && !(mr->access & IB_UVERBS_ACCESS_LOCAL_WRITE))
		return NULL;
	return (uint8_t *)(uintptr_t)(mr->start + (addr - mr->iova));
}
