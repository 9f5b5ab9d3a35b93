/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive queues: a frame into the posted buffers, and its completion.
 *
 * A WQE is a row of data segments; a key of MLX5_INVALID_LKEY ends it, a length of 0 is skipped.
 * The doorbell record counts posted WQEs, freely modulo 2^16; there is no register to ring.
 */
#include <netinet/in.h>

#include "dma.h"
#include "faults.h"
#include "frame.h"
#include "referee.h"

void cx_rq_init(struct cx_rq *rq, struct cx_ctx *ctx)
{
	rq->ctx = ctx;
	rq->next = ctx->dev->rqs;
	ctx->dev->rqs = rq;
}

uint16_t cx_rq_posted(const struct cx_rq *rq)
{
	uint32_t rec = be32toh(atomic_load_explicit(rq->dbrec, memory_order_acquire));

	return (uint16_t)((uint16_t)rec - rq->ci);
}

static const uint8_t *wqe_at(const struct cx_rq *rq)
{
	return rq->buf + ((size_t)(rq->ci & (rq->cnt - 1)) << rq->shift);
}

/* In the error state everything posted comes back unused, what is posted there too. */
void cx_rq_flush(struct cx_rq *rq)
{
	uint16_t n = cx_rq_posted(rq);

	if (n > rq->cnt)
		return;
	for (; n; n--, rq->ci++)
		cx_cq_error(rq->cq, MLX5_CQE_RESP_ERR, rq->rqn, rq->uidx, rq->ci, 0,
			    MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
	rq->end = rq->ci;
}

void cx_rq_state(struct cx_rq *rq, enum cx_state state)
{
	if (rq->state == state)
		return;
	cx_comp_flush(rq->cq);
	if (state == CX_READY) {
		rq->ci = rq->end = 0;
		rq->drops = 0;
	}
	if (state == CX_ERROR && rq->state == CX_READY)
		cx_rq_flush(rq);
	rq->state = state;
}

void cx_rq_fail(struct cx_rq *rq, uint8_t syndrome)
{
	cx_cq_error(rq->cq, MLX5_CQE_RESP_ERR, rq->rqn, rq->uidx, rq->ci, 0, syndrome);
	rq->ci++;
	if (syndrome == MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR)
		return; /* costs one WQE; the queue goes on */
	cx_rq_flush(rq);
	rq->state = CX_ERROR;
}

/* Is a WQE there? The record is a line that the driver writes to, so it is read only at need. */
static bool has_wqe(struct cx_rq *rq)
{
	uint32_t rec;

	if (rq->ci != rq->end)
		return true;
	rec = be32toh(atomic_load_explicit(rq->dbrec, memory_order_acquire));
	if (rec > 0xffff)
		cx_violation("rq.record", NULL, 0, "the doorbell record of RQ 0x%x reads 0x%08x",
			     rq->rqn, rec);
	rq->end = (uint16_t)rec;
	return rq->ci != rq->end;
}

bool cx_rq_takes(struct cx_rq *rq)
{
	return rq->state == CX_READY && has_wqe(rq) && !rq->cq->broken;
}

/* A writable piece of the WQE for the next bytes; 0, or a syndrome. */
static uint8_t next_segment(struct cx_rq *rq, const uint8_t *wqe, uint32_t *at, uint8_t **to,
			    uint32_t *room)
{
	uint32_t size = 1u << rq->shift;
	const char *why;

	for (; *at + 16 <= size; *at += 16) {
		uint8_t seg[16];
		uint32_t count, lkey;

		cx_dma_read(seg, wqe + *at, sizeof(seg));
		count = cx_get32(seg);
		lkey = cx_get32(seg + 4);
		if (lkey == MLX5_INVALID_LKEY)
			break;
		if (!count)
			continue;
		*to = cx_mr_data(rq->ctx->dev, rq->pd, lkey, cx_get64(seg + 8), count, true, &why);
		*at += 16;
		*room = count;
		if (*to)
			return 0;
		cx_violation(why, wqe, size,
			     "RQ 0x%x: WQE %u: a data segment breaks a rule of memory key 0x%x",
			     rq->rqn, rq->ci, lkey);
		return MLX5_CQE_SYNDROME_LOCAL_PROT_ERR;
	}
	return MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR;
}

struct scatter {
	uint32_t at; /* next segment in the WQE */
	uint8_t *to;
	uint32_t room;
};

static uint8_t scatter(struct cx_rq *rq, const uint8_t *wqe, struct scatter *s, const uint8_t *data,
		       uint32_t len)
{
	while (len) {
		uint32_t n;

		if (!s->room) {
			uint8_t err = next_segment(rq, wqe, &s->at, &s->to, &s->room);

			if (err)
				return err;
		}
		n = len < s->room ? len : s->room;
		cx_dma_write(s->to, data, n);
		s->to += n;
		s->room -= n;
		data += n;
		len -= n;
	}
	return 0;
}

static uint8_t l4_type(const struct cx_frame *f)
{
	uint8_t flags;

	if (!f->payload)
		return 0;
	if (f->proto == IPPROTO_UDP)
		return CX_L4_UDP;
	flags = f->data[f->l4 + 13];
	if (!(flags & 0x10))
		return CX_L4_TCP;
	return f->payload == f->l3 + f->l3_len && !(flags & 0x07) ? CX_L4_TCP_EMPTY_ACK
								  : CX_L4_TCP_ACK;
}

static void fill_flags(struct cx_rx_cqe *e, const struct cx_frame *f, bool stripped)
{
	uint8_t l3 = f->ip == 4	  ? MLX5_CQE_L3_HDR_TYPE_IPV4
		     : f->ip == 6 ? MLX5_CQE_L3_HDR_TYPE_IPV6
				  : MLX5_CQE_L3_HDR_TYPE_NONE;
	bool options = f->ip == 4 && f->data[f->l3] % 16 > 5;

	e->hds_ip_ext = (uint8_t)(MLX5_CQE_L2_OK | (f->l3_ok ? MLX5_CQE_L3_OK : 0) |
				  (f->l4_ok ? MLX5_CQE_L4_OK : 0));
	e->l4_hdr_type_etc = (uint8_t)((f->fragment ? CX_CQE_FRAGMENT : 0) | l4_type(f) << 4 |
				       l3 << 2 | options << 1 | (stripped ? CX_CQE_CVLAN : 0));
	e->vlan_info = htobe16(stripped ? f->tci : 0);
}

static uint8_t write_frame(struct cx_rq *rq, const struct cx_frame *f, bool strip, uint32_t *len)
{
	struct scatter s = {0};
	const uint8_t *wqe = wqe_at(rq);
	uint32_t skip = strip ? 16 : 12;
	uint8_t err = scatter(rq, wqe, &s, f->data, 12);

	err = err ? err : scatter(rq, wqe, &s, f->data + skip, f->len - skip);
	*len = f->len - (strip ? 4 : 0);
	if (rq->fcs && !err) {
		uint32_t crc = htole32(cx_crc32(f->data, f->len));

		err = scatter(rq, wqe, &s, (uint8_t *)&crc, 4);
		*len += 4;
	}
	return err;
}

static bool take_wqe(struct cx_rq *rq)
{
	if (!has_wqe(rq)) {
		rq->out_of_buffer++;
		rq->ctx->dev->stats.out_of_buffer++;
		if (rq->drops < 255)
			rq->drops++;
		return false;
	}
	if ((uint16_t)(rq->end - rq->ci) > rq->cnt) {
		cx_violation("rq.overrun", NULL, 0,
			     "RQ 0x%x has %u WQEs, its doorbell record is %u past the consumer "
			     "index %u",
			     rq->rqn, rq->cnt, (uint16_t)(rq->end - rq->ci), rq->ci);
		rq->state = CX_ERROR;
		return false;
	}
	return true;
}

void cx_rq_deliver(struct cx_rq *rq, const struct cx_frame *f, uint32_t hash, uint8_t hash_type,
		   uint32_t tag)
{
	struct cx_rx_cqe e = {.rss_hash = htobe32(hash), .rss_type = hash_type};
	bool strip = rq->strip && f->cvlan;
	uint32_t len;
	uint8_t err;

	if (rq->state != CX_READY || !take_wqe(rq))
		return;
	err = cx_fault_rq(rq);
	err = err ? err : write_frame(rq, f, strip, &len);
	if (err) {
		cx_rq_fail(rq, err);
		return;
	}
	fill_flags(&e, f, strip);
	e.csum = htobe16(cx_frame_sum(f));
	e.srqn_uidx = htobe32(rq->uidx);
	e.byte_cnt = htobe32(len);
	e.timestamp = htobe64(rq->ctx->dev->now);
	e.sop_drop_qpn = htobe32((uint32_t)rq->drops << 24 | (tag & 0xffffff));
	e.wqe_counter = htobe16(rq->ci);
	rq->drops = 0;
	rq->ci++;
	rq->ctx->dev->stats.rx_packets++;
	rq->ctx->dev->stats.rx_bytes += f->len;
	cx_cq_receive(rq->cq, &e);
}
