/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Completion queues: creation, writing a completion, arming.
 *
 * A CQE is written in 63 bytes and a release store of op_own, whose owner bit is the parity of the
 * pass over the ring. Arming: the record holds sequence number << 28 | command | consumer index;
 * an event is due when there is a CQE past that index, and the sequence number of an event that was
 * delivered arms nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dma.h"
#include "referee.h"
#include "uverbs.h"

#define NO_ARM 0xffffffffu /* no legal arm value has all bits set */
#define LATE_ARMS \
	3 /* with the number of an event that was read: threads may be about to count it */

/* ---- creation ---- */

static int log2_exact(uint32_t v)
{
	return v && !(v & (v - 1)) ? __builtin_ctz(v) : -1;
}

static int check_attr(struct cx_ctx *ctx, const struct mlx5_ib_create_cq *drv, uint32_t cqe)
{
	const struct cx_personality *p = ctx->dev->pers;

	if (!cqe || cqe > 4194303 || !drv->buf_addr || !drv->db_addr || drv->db_addr & 7)
		return -EINVAL;
	if (drv->cqe_size != 64 && drv->cqe_size != 128)
		return -EINVAL;
	if (drv->cqe_comp_en && (drv->cqe_size != 64 || log2_exact(drv->cqe_comp_res_format) < 0 ||
				 !(drv->cqe_comp_res_format & p->comp_formats)))
		return -EOPNOTSUPP;
	if (drv->flags & MLX5_IB_CREATE_CQ_FLAGS_UAR_PAGE_INDEX &&
	    !cx_ctx_has_page(ctx, drv->uar_page_index))
		return -EINVAL;
	return 0;
}

static int find_channel(struct cx_ctx *ctx, int fd, struct cx_channel **ch)
{
	*ch = NULL;
	if (fd < 0)
		return 0;
	*ch = cx_channel_by_fd(ctx, fd);
	return *ch ? 0 : -EINVAL;
}

/* The page of the arm register: 0 for one that is not this context's. */
static uint32_t arm_page(struct cx_ctx *ctx, const struct mlx5_ib_create_cq *drv)
{
	if (drv->flags & MLX5_IB_CREATE_CQ_FLAGS_UAR_PAGE_INDEX)
		return drv->uar_page_index;
	return ctx->pages ? ctx->page[0] : 0;
}

static int create(struct cx_cmd *c, const struct ib_uverbs_ex_create_cq *req, struct cx_cq **out)
{
	struct mlx5_ib_create_cq drv;
	struct cx_channel *ch;
	struct cx_cq *cq;
	int err;

	cx_cmd_drv_in(c, &drv, sizeof(drv));
	err = check_attr(c->ctx, &drv, req->cqe);
	err = err ? err : find_channel(c->ctx, req->comp_channel, &ch);
	if (err)
		return err;
	cq = cx_obj_new(c->ctx, CX_CQ, sizeof(*cq));
	if (!cq)
		return -ENOMEM;
	cq->cqn = cx_number_new(c->ctx->dev, CX_IS_CQ, cq);
	if (!cq->cqn) {
		cx_obj_free(&cq->o);
		return -ENOMEM;
	}
	while ((1u << cq->log) < req->cqe + 1)
		cq->log++;
	cq->cnt = 1u << cq->log;
	cq->size = drv.cqe_size;
	cq->buf = (uint8_t *)(uintptr_t)drv.buf_addr;
	cq->dbrec = (_Atomic uint32_t *)(uintptr_t)drv.db_addr;
	cq->user_handle = req->user_handle;
	cq->page = arm_page(c->ctx, &drv);
	cq->ignore_overrun = req->flags & IB_UVERBS_CQ_FLAGS_IGNORE_OVERRUN;
	cq->comp_format = drv.cqe_comp_en ? drv.cqe_comp_res_format : 0;
	cq->fired_sn = -1;
	cq->arm_seen = NO_ARM;
	atomic_store_explicit(&cq->dbrec[1], NO_ARM, memory_order_release);
	cq->channel = ch;
	if (ch)
		ch->refs++;
	cq->next = c->ctx->dev->cqs;
	c->ctx->dev->cqs = cq;
	*out = cq;
	return 0;
}

static void answer(struct cx_cmd *c, const struct cx_cq *cq, struct ib_uverbs_create_cq_resp *r)
{
	struct mlx5_ib_create_cq_resp drv = {.cqn = cq->cqn};

	r->cq_handle = cq->o.handle;
	r->cqe = cq->cnt - 1;
	cx_cmd_drv_out(c, &drv, sizeof(drv));
}

int cx_create_cq(struct cx_cmd *c)
{
	struct ib_uverbs_create_cq req;
	struct ib_uverbs_create_cq_resp r;
	struct ib_uverbs_ex_create_cq ex = {0};
	struct cx_cq *cq;
	int err;

	cx_cmd_in(c, &req, sizeof(req));
	ex.user_handle = req.user_handle;
	ex.cqe = req.cqe;
	ex.comp_channel = req.comp_channel;
	err = create(c, &ex, &cq);
	if (err)
		return err;
	answer(c, cq, &r);
	cx_cmd_out(c, &r, sizeof(r));
	return 0;
}

int cx_create_cq_ex(struct cx_cmd *c)
{
	struct ib_uverbs_ex_create_cq req;
	struct ib_uverbs_ex_create_cq_resp r = {.response_length = sizeof(r)};
	struct cx_cq *cq;
	int err;

	cx_cmd_in(c, &req, sizeof(req));
	if (req.flags & ~3u)
		return -EOPNOTSUPP;
	err = create(c, &req, &cq);
	if (err)
		return err;
	answer(c, cq, &r.base);
	cx_cmd_out(c, &r, sizeof(r));
	return 0;
}

int cx_cq_free(struct cx_obj *o)
{
	struct cx_cq *cq = (struct cx_cq *)o, **p;

	for (p = &o->ctx->dev->cqs; *p != cq; p = &(*p)->next)
		;
	*p = cq->next;
	cx_number_free(o->ctx->dev, cq->cqn);
	if (cq->channel) {
		cq->channel->refs--;
		cx_channel_put(cq->channel);
	}
	cx_obj_free(o);
	return 0;
}

int cx_destroy_cq(struct cx_cmd *c)
{
	struct ib_uverbs_destroy_cq req;
	struct ib_uverbs_destroy_cq_resp r;
	struct cx_cq *cq;

	cx_cmd_in(c, &req, sizeof(req));
	cq = cx_obj_find(c->ctx, req.cq_handle, CX_CQ);
	if (!cq)
		return -EINVAL;
	if (cq->o.refs)
		return -EBUSY;
	r.comp_events_reported = cq->comp_sent - cx_event_purge_comp(cq);
	r.async_events_reported = cq->async_sent - cx_event_purge_async(c->ctx, cq->user_handle);
	cx_cmd_out(c, &r, sizeof(r));
	return cx_obj_destroy(&cq->o);
}

/* Moderation: accepted, without effect. */
int cx_modify_cq(struct cx_cmd *c)
{
	struct ib_uverbs_ex_modify_cq req;

	cx_cmd_in(c, &req, sizeof(req));
	return cx_obj_find(c->ctx, req.cq_handle, CX_CQ) ? 0 : -EINVAL;
}

/* ---- completions ---- */

void *cx_cq_slot(struct cx_cq *cq, uint32_t index)
{
	return cq->buf + (size_t)(index & (cq->cnt - 1)) * cq->size + (cq->size - 64);
}

bool cx_cq_room(struct cx_cq *cq, uint32_t n)
{
	const uint32_t mask = 2 * cq->cnt - 1;

	if (cq->broken)
		return false;
	if (cq->ignore_overrun || ((cq->pi - cq->ci_seen) & mask) + n <= cq->cnt)
		return true;
	cq->ci_seen = be32toh(atomic_load_explicit(&cq->dbrec[0], memory_order_acquire));
	return ((cq->pi - cq->ci_seen) & mask) + n <= cq->cnt;
}

static void overrun(struct cx_cq *cq)
{
	if (cq->broken)
		return;
	cq->broken = true;
	cx_violation("cq.overrun", NULL, 0,
		     "CQ 0x%x has %u entries, producer index %u, consumer index in its record %u",
		     cq->cqn, cq->cnt, cq->pi,
		     be32toh(atomic_load_explicit(&cq->dbrec[0], memory_order_relaxed)));
	cx_event_cq(cq, IBV_EVENT_CQ_ERR);
}

void cx_cq_put(struct cx_cq *cq, const void *cqe, uint8_t op_own)
{
	uint8_t *slot = cx_cq_slot(cq, cq->pi);

	if (!cx_cq_room(cq, 1)) {
		overrun(cq);
		return;
	}
	cx_dma_write(slot, cqe, 63);
	atomic_store_explicit((_Atomic uint8_t *)(slot + 63),
			      (uint8_t)(op_own | ((cq->pi >> cq->log) & 1)), memory_order_release);
	cq->pi++;
	cx_cq_notify(cq);
}

void cx_cq_req(struct cx_sq *sq, uint16_t wqe, uint8_t opcode, uint32_t bytes)
{
	struct cx_rx_cqe e = {
		.srqn_uidx = htobe32(sq->uidx),
		.byte_cnt = htobe32(bytes),
		.timestamp = htobe64(sq->qp->o.ctx->dev->now),
		.sop_drop_qpn = htobe32((uint32_t)opcode << 24 | sq->sqn),
		.wqe_counter = htobe16(wqe),
	};

	cx_comp_flush(sq->cq);
	cx_cq_put(sq->cq, &e, MLX5_CQE_REQ << 4);
}

void cx_cq_error(struct cx_cq *cq, uint8_t op, uint32_t qpn, uint32_t uidx, uint16_t wqe,
		 uint8_t opcode, uint8_t syndrome)
{
	struct mlx5_err_cqe e = {
		.srqn = htobe32(uidx),
		.vendor_err_synd = 0x68,
		.syndrome = syndrome,
		.s_wqe_opcode_qpn = htobe32((uint32_t)opcode << 24 | qpn),
		.wqe_counter = htobe16(wqe),
	};

	cx_comp_flush(cq);
	cx_cq_put(cq, &e, (uint8_t)(op << 4));
}

void cx_cq_receive(struct cx_cq *cq, struct cx_rx_cqe *cqe)
{
	if (cq->comp_format)
		cx_comp_add(cq, cqe);
	else
		cx_cq_put(cq, cqe, MLX5_CQE_RESP_SEND << 4);
}

/* ---- arming ---- */

void cx_cq_notify(struct cx_cq *cq)
{
	if (!cq->armed || (cq->pi & 0xffffff) == cq->arm_ci)
		return;
	cq->armed = false;
	cq->fired_sn = (int)(cq->arm_seen >> 28 & 3);
	cq->late_arms = 0;
	cx_event_comp(cq);
}

/* The event of this number was delivered: such an arming arms nothing. While the program has not
 * read the event that is no mistake, for the event is there to wake it; and some that it wrote
 * while the event came, or while another thread that read it had not yet counted it, may be seen
 * now. */
static void arm_again(struct cx_cq *cq, uint32_t rec)
{
	if (cx_event_unread_comp(cq) || cq->late_arms++ < LATE_ARMS)
		return;
	cx_violation("arm.sequence", NULL, 0,
		     "CQ 0x%x is armed with sequence number %u, whose event was delivered", cq->cqn,
		     rec >> 28 & 3);
}

void cx_cq_arm(struct cx_cq *cq)
{
	uint32_t rec = be32toh(atomic_load_explicit(&cq->dbrec[1], memory_order_acquire));

	if (rec == cq->arm_seen)
		return;
	cq->arm_seen = rec;
	if ((int)(rec >> 28 & 3) == cq->fired_sn) {
		arm_again(cq, rec);
		return;
	}
	cq->armed = true;
	cq->solicited = rec & MLX5_CQ_DB_REQ_NOT_SOL;
	cq->arm_ci = rec & 0xffffff;
	cx_cq_notify(cq);
}
