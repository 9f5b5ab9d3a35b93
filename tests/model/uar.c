/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that the program maps: doorbell registers (UARs), the clock.
 *
 * A doorbell page is a page of a memfd, mapped by the program for writing and by the device once
 * more. The device takes a value by exchanging the register with 0: a driver never writes 0, since
 * queue numbers are not 0. A register holds only the last value written, where hardware sees every
 * write; so when any register of a page was written, the doorbell records of all SQs on that page
 * and the arm records of all CQs on it are looked at. A driver that forgets its register write
 * altogether hangs, as on hardware.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "referee.h"
#include "sys.h"
#include "uverbs.h"

int cx_pages_init(struct cx_pages *p, const char *name)
{
	p->memfd = memfd_create(name, MFD_CLOEXEC);
	if (p->memfd < 0)
		return -errno;
	if (ftruncate(p->memfd, CX_MAX_PAGES * CX_UAR_PAGE) < 0)
		return -errno;
	p->map = cx_libc.mmap(NULL, CX_MAX_PAGES * CX_UAR_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      p->memfd, 0);
	if (p->map != MAP_FAILED)
		return 0;
	p->map = NULL;
	return -errno;
}

void cx_pages_exit(struct cx_pages *p)
{
	if (p->map)
		cx_libc.munmap(p->map, CX_MAX_PAGES * CX_UAR_PAGE);
	if (p->memfd > 0)
		cx_libc.close(p->memfd);
	memset(p, 0, sizeof(*p));
}

/* Page 0 is never given out: a UAR number of 0 would look like none. */
int cx_page_alloc(struct cx_pages *p)
{
	uint32_t i;

	for (i = 1; i < CX_MAX_PAGES; i++) {
		if (p->used[i])
			continue;
		p->used[i] = true;
		memset(p->map + i * CX_UAR_PAGE, 0, CX_UAR_PAGE);
		if (i >= p->high)
			p->high = i + 1;
		return (int)i;
	}
	return -ENOMEM;
}

void cx_page_free(struct cx_pages *p, uint32_t page)
{
	p->used[page] = false;
	while (p->high && !p->used[p->high - 1])
		p->high--;
}

/* ---- mapping ---- */

/* Offsets that UAR_ALLOC hands out lie above those of the static commands (page offset is
 * command << 8 | index in mlx5-abi.h). */
#define DYNAMIC_BASE 0x100000

bool cx_ctx_has_page(const struct cx_ctx *ctx, uint32_t page)
{
	const struct cx_obj *o;

	for (o = ctx->objs; o; o = o->next)
		if (o->type == CX_UAR && ((const struct cx_uar *)o)->page == page)
			return true;
	return false;
}

/* A thread domain's page, where the kernel has no UAR objects (mlx5_ib: uar_mmap). */
static int late_page(struct cx_ctx *ctx, uint64_t index)
{
	int page;

	if (!ctx->pages || index >= CX_LATE_PAGES || ctx->late[index])
		return -EINVAL;
	page = cx_page_alloc(&ctx->dev->uar);
	if (page > 0)
		ctx->late[index] = (uint16_t)page;
	return page;
}

static int page_of_offset(struct cx_ctx *ctx, uint64_t pgoff)
{
	uint64_t cmd = pgoff >> 8, index = pgoff & 0xff;

	if (pgoff >= DYNAMIC_BASE) {
		index = pgoff - DYNAMIC_BASE;
		return cx_ctx_has_page(ctx, (uint32_t)index) ? (int)index : -EINVAL;
	}
	if (cmd == MLX5_IB_MMAP_ALLOC_WC)
		return late_page(ctx, index);
	if (cmd != MLX5_IB_MMAP_REGULAR_PAGE && cmd != MLX5_IB_MMAP_WC_PAGE &&
	    cmd != MLX5_IB_MMAP_NC_PAGE)
		return -EINVAL;
	return index < ctx->pages ? ctx->page[index] : -EINVAL;
}

void *cx_ctx_mmap(struct cx_ctx *ctx, void *addr, size_t len, int prot, int flags, off_t off)
{
	uint64_t pgoff = (uint64_t)off / CX_UAR_PAGE;
	struct cx_dev *dev = ctx->dev;
	int page;

	if (len != CX_UAR_PAGE || off % CX_UAR_PAGE || !(flags & MAP_SHARED))
		goto refuse;
	if (pgoff >> 8 == MLX5_IB_MMAP_CORE_CLOCK || pgoff >> 8 == MLX5_IB_MMAP_CLOCK_INFO) {
		int which = pgoff >> 8 == MLX5_IB_MMAP_CLOCK_INFO;

		if (prot & PROT_WRITE) {
			errno = EPERM;
			return MAP_FAILED;
		}
		return cx_libc.mmap(addr, len, prot, flags, dev->clock.memfd, which * CX_UAR_PAGE);
	}
	page = page_of_offset(ctx, pgoff);
	if (page < 0)
		goto refuse;
	return cx_libc.mmap(addr, len, prot, flags, dev->uar.memfd, (off_t)page * CX_UAR_PAGE);
refuse:
	errno = EINVAL;
	return MAP_FAILED;
}

int cx_uar_alloc(struct cx_attrs *a)
{
	struct ib_uverbs_attr *handle = cx_attr(a, MLX5_IB_ATTR_UAR_OBJ_ALLOC_HANDLE);
	struct cx_uar *u;
	uint64_t offset;
	uint32_t len = CX_UAR_PAGE;
	int page, err;

	if (!handle || cx_settings.static_uar)
		return -EOPNOTSUPP;
	if (cx_attr_const(a, MLX5_IB_ATTR_UAR_OBJ_ALLOC_TYPE, 0) > MLX5_IB_UAPI_UAR_ALLOC_TYPE_NC)
		return -EOPNOTSUPP;
	page = cx_page_alloc(&a->ctx->dev->uar);
	if (page < 0)
		return page;
	u = cx_obj_new(a->ctx, CX_UAR, sizeof(*u));
	if (!u) {
		cx_page_free(&a->ctx->dev->uar, (uint32_t)page);
		return -ENOMEM;
	}
	u->page = (uint32_t)page;
	offset = (DYNAMIC_BASE + (uint64_t)page) * CX_UAR_PAGE;
	err = cx_attr_out(a, MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_OFFSET, &offset, sizeof(offset));
	err = err ? err : cx_attr_out(a, MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_LENGTH, &len, sizeof(len));
	err = err ? err
		  : cx_attr_out(a, MLX5_IB_ATTR_UAR_OBJ_ALLOC_PAGE_ID, &u->page, sizeof(u->page));
	if (err)
		cx_uar_free(&u->o);
	else
		handle->data = u->o.handle;
	return err;
}

int cx_uar_free(struct cx_obj *o)
{
	cx_page_free(&o->ctx->dev->uar, ((struct cx_uar *)o)->page);
	cx_obj_free(o);
	return 0;
}

int cx_uar_destroy(struct cx_attrs *a)
{
	uint32_t h = (uint32_t)cx_attr_const(a, MLX5_IB_ATTR_UAR_OBJ_DESTROY_HANDLE, UINT32_MAX);
	struct cx_obj *o = cx_obj_find(a->ctx, h, CX_UAR);

	return o ? cx_obj_destroy(o) : -ENOENT;
}

/* ---- doorbells ---- */

static uint64_t take(uint8_t *reg)
{
	_Atomic uint64_t *r = (_Atomic uint64_t *)(void *)reg;

	if (!atomic_load_explicit(r, memory_order_relaxed))
		return 0;
	return be64toh(atomic_exchange_explicit(r, 0, memory_order_acquire));
}

/* A send doorbell: the first 8 bytes of the last WQE's control segment. */
static void check_send(struct cx_dev *dev, uint32_t page, uint64_t v)
{
	uint32_t sqn = (uint32_t)v >> 8;
	uint16_t idx = (uint16_t)(v >> 40), pi;
	uint64_t raw = htobe64(v); /* as the driver wrote it */
	struct cx_number *n = cx_number_find(dev, sqn);
	struct cx_sq *sq;

	if (!n || n->kind != CX_IS_SQ) {
		cx_violation("doorbell.number", &raw, sizeof(raw),
			     "a doorbell names SQ 0x%x, which does not exist (any more)", sqn);
		return;
	}
	sq = n->queue;
	if (sq->page != page)
		cx_violation("doorbell.uar", &raw, sizeof(raw),
			     "SQ 0x%x belongs to UAR %u, its doorbell was rung on %u", sqn,
			     sq->page, page);
	if (sq->state == CX_RESET) {
		cx_violation("sq.state", &raw, sizeof(raw), "SQ 0x%x is rung in state RESET", sqn);
		return;
	}
	pi = (uint16_t)be32toh(atomic_load_explicit(&sq->dbrec[1], memory_order_acquire));
	if ((int16_t)(uint16_t)(pi - (uint16_t)(idx + 1)) < 0)
		cx_violation("doorbell.record", &raw, sizeof(raw),
			     "SQ 0x%x rings for WQE %u, but its doorbell record says %u", sqn, idx,
			     pi);
}

static void check_arm(struct cx_dev *dev, uint64_t v)
{
	uint32_t cqn = (uint32_t)v & 0xffffff;
	uint64_t raw = htobe64(v);
	struct cx_number *n = cx_number_find(dev, cqn);

	if (!n || n->kind != CX_IS_CQ)
		cx_violation("arm.number", &raw, sizeof(raw),
			     "an arm doorbell names CQ 0x%x, which does not exist (any more)", cqn);
	else
		cx_cq_arm(n->queue);
}

static void page_rung(struct cx_dev *dev, uint32_t page, bool send, bool arm)
{
	struct cx_sq *sq;
	struct cx_cq *cq;

	if (send)
		for (sq = dev->sqs; sq; sq = sq->next)
			if (sq->page == page)
				cx_sq_ring(sq);
	if (arm)
		for (cq = dev->cqs; cq; cq = cq->next)
			if (cq->page == page)
				cx_cq_arm(cq);
}

bool cx_uar_scan(struct cx_dev *dev)
{
	bool any = false;
	uint32_t page, i;

	for (page = 1; page < dev->uar.high; page++) {
		uint8_t *regs = dev->uar.map + page * CX_UAR_PAGE;
		uint64_t v = take(regs + MLX5_CQ_DOORBELL);
		bool send = false, arm = v != 0;

		if (v)
			check_arm(dev, v);
		for (i = 0; i < CX_UAR_DB_COUNT; i++) {
			v = take(regs + CX_UAR_DB_FIRST + i * CX_UAR_DB_STEP);
			if (!v)
				continue;
			send = true;
			check_send(dev, page, v);
		}
		if (send || arm)
			page_rung(dev, page, send, arm);
		any |= send || arm;
	}
	return any;
}
