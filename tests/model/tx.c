/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executes send requests: SEND, TSO, enhanced multi-packet send, NOP.
 *
 * The Ethernet segment is 16 bytes, of which the last two begin the inline header when its size is
 * not 0; data segments follow at the next multiple of 16. In a multi-packet send every data
 * segment, by pointer or inline, is one packet.
 */
#include <errno.h>

#include "dma.h"
#include "referee.h"
#include "steer.h"
#include "tx.h"
#include "wires.h"

#define ETH_MIN 14

/* Only the device thread executes, under the lock. */
static uint8_t frame_buf[CX_MAX_FRAME + 64];
static uint8_t tso_buf[262144 + 64];

static uint8_t bad(const struct cx_sq *sq, const struct cx_wqe *w, const char *rule,
		   uint8_t syndrome, const char *what, uint64_t value)
{
	cx_violation(rule, w->b, w->len, "SQ 0x%x: WQE %u: %s (%llu)", sq->sqn, w->index, what,
		     (unsigned long long)value);
	return syndrome;
}

/* ---- segments ---- */

/* One data segment at *at: its bytes, and *at moved behind it. 0 or a syndrome. */
static uint8_t segment(struct cx_sq *sq, const struct cx_wqe *w, uint32_t *at, const uint8_t **data,
		       uint32_t *len)
{
	uint32_t count = cx_get32(w->b + *at);
	const char *why;

	if (count & MLX5_INLINE_SEG) {
		*len = count & ~MLX5_INLINE_SEG;
		if (*len > w->len - *at - 4)
			return bad(sq, w, "sq.inline", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
				   "inline data is longer than the WQE", *len);
		*data = w->b + *at + 4;
		*at += (4 + *len + 15) & ~15u;
		return 0;
	}
	*len = count;
	if (!count)
		return bad(sq, w, "sq.zero-length", MLX5_CQE_SYNDROME_LOCAL_PROT_ERR,
			   "a pointer segment of length 0 (hardware may read it as 2 GiB)", count);
	*data = cx_mr_data(sq->qp->o.ctx->dev, sq->pd, cx_get32(w->b + *at + 4),
			   cx_get64(w->b + *at + 8), count, false, &why);
	if (!*data)
		return bad(sq, w, why, MLX5_CQE_SYNDROME_LOCAL_PROT_ERR,
			   "a data segment breaks a rule of its memory key",
			   cx_get32(w->b + *at + 4));
	*at += 16;
	return 0;
}

uint8_t cx_tx_gather(struct cx_sq *sq, const struct cx_wqe *w, uint32_t at, uint8_t *out,
		     uint32_t max, uint32_t *len)
{
	while (at < w->len) {
		const uint8_t *data;
		uint32_t n;
		uint8_t err = segment(sq, w, &at, &data, &n);

		if (err)
			return err;
		if (n > max - *len)
			return bad(sq, w, "sq.length", MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR,
				   "the frame is too long", (uint64_t)*len + n);
		cx_dma_read(out + *len, data, n);
		*len += n;
	}
	return 0;
}

static uint32_t behind_header(uint32_t inl)
{
	return inl > 2 ? (30 + inl + 15) & ~15u : 32;
}

bool cx_tx_names(const struct cx_wqe *w, uint32_t lkey)
{
	uint16_t inl = cx_get16(w->b + 28);
	uint32_t at = behind_header(inl & CX_ETH_INSERT_VLAN ? 0 : inl);

	while (at < w->len) {
		uint32_t count = cx_get32(w->b + at);

		if (!(count & MLX5_INLINE_SEG) && cx_get32(w->b + at + 4) == lkey)
			return true;
		at += count & MLX5_INLINE_SEG ? (4 + (count & 0xffff) + 15) & ~15u : 16;
	}
	return false;
}

/* ---- SEND and TSO ---- */

struct eth {
	bool l3, l4, vlan;
	uint16_t tci, mss;
	uint32_t inl; /* bytes of inline header */
	uint32_t next; /* offset of the first data segment */
};

static uint8_t read_eth(struct cx_sq *sq, const struct cx_wqe *w, struct eth *e)
{
	const struct cx_personality *p = sq->qp->o.ctx->dev->pers;
	uint16_t v;

	if (w->ds < 2)
		return bad(sq, w, "sq.ds", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
			   "no room for the Ethernet segment", w->ds);
	v = cx_get16(w->b + 28);
	*e = (struct eth) {
		.l3 = w->b[20] & MLX5_ETH_WQE_L3_CSUM,
		.l4 = w->b[20] & MLX5_ETH_WQE_L4_CSUM,
		.mss = cx_get16(w->b + 22),
		.vlan = v & CX_ETH_INSERT_VLAN,
		.next = 32,
	};
	if (e->vlan) {
		e->tci = cx_get16(w->b + 30);
		if (!p->vlan_insert)
			return bad(sq, w, "sq.vlan", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
				   "this device cannot insert VLAN tags", e->tci);
		return 0;
	}
	e->inl = v;
	e->next = behind_header(e->inl);
	if (e->inl + 30 > w->len && e->inl > 2)
		return bad(sq, w, "sq.inline", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
			   "the inline header is longer than the WQE", e->inl);
	return 0;
}

/* Devices that parse headers need them in the WQE; a shorter frame is all inline. */
static uint8_t check_min_inline(struct cx_sq *sq, const struct cx_wqe *w, const struct eth *e)
{
	uint32_t need = sq->qp->o.ctx->dev->pers->min_inline;

	if (e->inl >= need || (e->inl && e->next >= w->len))
		return 0;
	return bad(sq, w, "sq.min-inline", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
		   "this device needs more of the header inline than", e->inl);
}

static uint8_t check_length(struct cx_sq *sq, const struct cx_wqe *w, uint32_t len)
{
	uint32_t max = cx_wire_mtu(sq->qp->o.ctx->dev) + ETH_MIN + 8;

	if (len < ETH_MIN)
		return bad(sq, w, "sq.length", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
			   "the frame has no whole Ethernet header", len);
	if (len > max)
		return bad(sq, w, "sq.length", MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR,
			   "the frame is longer than the port's MTU allows", len);
	return 0;
}

static uint32_t insert_tag(uint8_t *frame, uint32_t len, uint16_t tci)
{
	memmove(frame + 16, frame + 12, len - 12);
	cx_put16(frame + 12, 0x8100);
	cx_put16(frame + 14, tci);
	return len + 4;
}

static uint8_t run_send(struct cx_sq *sq, const struct cx_wqe *w, uint32_t *bytes)
{
	struct eth e;
	uint32_t len;
	uint8_t err = read_eth(sq, w, &e);

	err = err ? err : check_min_inline(sq, w, &e);
	if (err)
		return err;
	if (e.mss)
		return bad(sq, w, "sq.mss", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
			   "a SEND with a segment size", e.mss);
	memcpy(frame_buf, w->b + 30, e.inl);
	len = e.inl;
	err = cx_tx_gather(sq, w, e.next, frame_buf, CX_MAX_FRAME, &len);
	err = err ? err : check_length(sq, w, len);
	if (err)
		return err;
	if (e.vlan)
		len = insert_tag(frame_buf, len, e.tci);
	if (e.l3 || e.l4)
		cx_frame_csum(frame_buf, len, e.l3, e.l4);
	cx_dev_transmit(sq, w, frame_buf, len);
	*bytes = len;
	return 0;
}

static uint8_t run_tso(struct cx_sq *sq, const struct cx_wqe *w, uint32_t *bytes)
{
	uint32_t max = sq->qp->o.ctx->dev->pers->max_tso, len = 0;
	struct eth e;
	uint8_t err;

	if (w->opmod)
		return bad(sq, w, "sq.opcode", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
			   "legacy multi-packet send is not supported", w->opmod);
	err = read_eth(sq, w, &e);
	if (err)
		return err;
	if (!e.mss || !e.inl)
		return bad(sq, w, "tso.header", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
			   "TSO without segment size or inline headers", e.mss);
	if (!e.l3 || !e.l4)
		return bad(sq, w, "tso.csum", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
			   "TSO without checksum flags sends wrong checksums", w->b[20]);
	err = cx_tx_gather(sq, w, e.next, tso_buf, max, &len);
	err = err ? err : cx_tso_send(sq, w, w->b + 30, e.inl, tso_buf, len);
	*bytes = e.inl + len;
	return err;
}

/* ---- enhanced multi-packet send ---- */

static uint8_t run_empw(struct cx_sq *sq, const struct cx_wqe *w, uint32_t *bytes)
{
	struct eth e;
	uint32_t at = 32;
	uint8_t err;

	if (!sq->qp->o.ctx->dev->pers->empw || w->opmod)
		return bad(sq, w, "sq.opcode", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
			   "this device has no enhanced multi-packet send", w->opmod);
	err = read_eth(sq, w, &e);
	if (err)
		return err;
	if (e.inl || e.vlan || e.mss || at >= w->len)
		return bad(sq, w, "empw.header", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
			   "multi-packet send takes no inline header, tag or segment size", e.inl);
	while (at < w->len) {
		const uint8_t *data;
		uint32_t len;

		err = segment(sq, w, &at, &data, &len);
		err = err ? err : check_length(sq, w, len);
		if (err)
			return err;
		cx_dma_read(frame_buf, data, len);
		if (e.l3 || e.l4)
			cx_frame_csum(frame_buf, len, e.l3, e.l4);
		cx_dev_transmit(sq, w, frame_buf, len);
		*bytes += len;
	}
	return 0;
}

int cx_tx_execute(struct cx_sq *sq, const struct cx_wqe *w, uint32_t *bytes, uint8_t *syndrome)
{
	struct cx_dev *dev = sq->qp->o.ctx->dev;

	if (!cx_wire_ready(dev))
		return -EAGAIN;
	switch (w->opcode) {
	case MLX5_OPCODE_NOP: *syndrome = 0; break;
	case MLX5_OPCODE_SEND: *syndrome = run_send(sq, w, bytes); break;
	case MLX5_OPCODE_TSO: *syndrome = run_tso(sq, w, bytes); break;
	case CX_OPCODE_EMPW: *syndrome = run_empw(sq, w, bytes); break;
	default:
		*syndrome = bad(sq, w, "sq.opcode", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
				"a raw packet queue does not execute opcode", w->opcode);
	}
	return 0;
}
