/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Send queues: the ring, the control segment, completion, errors. tx.c executes the requests.
 *
 * Indexes count WQEBBs of 64 bytes and run freely modulo 2^16. A WQE that wraps the ring's end is
 * copied out in one piece first; the driver may not touch it until a CQE covers it.
 */
#include <errno.h>

#include "dma.h"
#include "faults.h"
#include "referee.h"
#include "tx.h"

/* ---- ring ---- */

static uint16_t record(const struct cx_sq *sq)
{
	return (uint16_t)be32toh(atomic_load_explicit(&sq->dbrec[1], memory_order_acquire));
}

/* A queue of the register page was rung, perhaps another: in RESET the record is the driver's to
 * set back, so it says nothing (uar.c judges who rings a queue there). */
void cx_sq_ring(struct cx_sq *sq)
{
	uint16_t pi = record(sq);

	if (pi == sq->pi || sq->state == CX_RESET)
		return;
	if ((int16_t)(uint16_t)(pi - sq->pi) < 0 && sq->cnt <= 0x4000) {
		cx_violation("sq.backwards", NULL, 0,
			     "the doorbell record of SQ 0x%x went back from %u to %u", sq->sqn,
			     sq->pi, pi);
		return;
	}
	if ((uint16_t)(pi - sq->reported) > sq->cnt)
		cx_violation("sq.overrun", NULL, 0,
			     "SQ 0x%x has %u WQEBBs, is rung up to %u, but completions cover only "
			     "up to %u",
			     sq->sqn, sq->cnt, pi, sq->reported);
	if (sq->pi == sq->ci && cx_faults.delay_us)
		sq->due = cx_now_ns() + cx_faults.delay_us * 1000ull;
	sq->pi = pi;
}

void cx_sq_state(struct cx_sq *sq, enum cx_state state)
{
	if (sq->state == state)
		return;
	if (state == CX_READY && sq->state != CX_READY)
		sq->pi = sq->ci = sq->reported = 0;
	if (state == CX_RESET)
		cx_comp_flush(sq->cq);
	sq->state = state;
}

/* ---- one WQE ---- */

static void copy_out(const struct cx_sq *sq, uint16_t at, uint32_t len, uint8_t *to)
{
	uint32_t ring = sq->cnt * MLX5_SEND_WQE_BB;
	uint32_t off = (at & (sq->cnt - 1)) * MLX5_SEND_WQE_BB;
	uint32_t first = len < ring - off ? len : ring - off;

	cx_dma_read(to, sq->buf + off, first);
	cx_dma_read(to + first, sq->buf, len - first);
}

void cx_sq_fail(struct cx_sq *sq, uint8_t opcode, uint8_t syndrome)
{
	cx_cq_error(sq->cq, MLX5_CQE_REQ_ERR, sq->sqn, sq->uidx, sq->ci, opcode, syndrome);
	sq->state = CX_ERROR;
}

/* The control segment of the WQE at an index, as it stands there; the number that it names. */
static uint32_t decode(const struct cx_sq *sq, uint16_t at, struct cx_wqe *w)
{
	uint32_t op, qd;

	copy_out(sq, at, MLX5_SEND_WQE_BB, w->b);
	op = cx_get32(w->b);
	qd = cx_get32(w->b + 4);
	w->opcode = (uint8_t)op;
	w->opmod = (uint8_t)(op >> 24);
	w->index = (uint16_t)(op >> 8);
	w->ds = qd & 0xff;
	w->bbs = (w->ds + 3) / 4;
	w->ce = w->b[11] & CX_CTRL_CE_MASK;
	w->len = w->ds * 16;
	return qd >> 8;
}

static bool has_size(const struct cx_wqe *w, uint32_t avail)
{
	return w->ds && w->ds <= 63 && w->bbs <= avail;
}

/* Reads the next WQE; false: malformed, and reported. */
static bool read_wqe(struct cx_sq *sq, struct cx_wqe *w)
{
	uint32_t avail = (uint16_t)(sq->pi - sq->ci), number = decode(sq, sq->ci, w);

	if (w->index != sq->ci) {
		cx_violation("sq.index", w->b, 64, "SQ 0x%x: WQE %u says that it is WQE %u",
			     sq->sqn, sq->ci, w->index);
		return false;
	}
	if (number != sq->sqn) {
		cx_violation("sq.number", w->b, 64, "SQ 0x%x: WQE %u names SQ 0x%x", sq->sqn,
			     sq->ci, number);
		return false;
	}
	if (!has_size(w, avail)) {
		cx_violation("sq.ds", w->b, 64,
			     "SQ 0x%x: WQE %u has ds %u, where %u WQEBBs were rung", sq->sqn,
			     sq->ci, w->ds, avail);
		return false;
	}
	copy_out(sq, sq->ci, w->len, w->b);
	return true;
}

bool cx_sq_names(const struct cx_sq *sq, uint32_t lkey, struct cx_wqe *w)
{
	uint16_t at = sq->ci;

	while (sq->state == CX_READY && at != sq->pi) {
		decode(sq, at, w);
		if (!has_size(w, (uint16_t)(sq->pi - at)))
			return false;
		copy_out(sq, at, w->len, w->b);
		if (w->opcode != MLX5_OPCODE_NOP && cx_tx_names(w, lkey))
			return true;
		at = (uint16_t)(at + w->bbs);
	}
	return false;
}

static void complete(struct cx_sq *sq, const struct cx_wqe *w, uint32_t bytes)
{
	uint16_t start = sq->ci;

	sq->ci = (uint16_t)(sq->ci + w->bbs);
	if (w->ce != CX_CTRL_CE_ALWAYS)
		return;
	sq->reported = sq->ci;
	cx_cq_req(sq, start, w->opcode, bytes);
}

/* After an error every WQE that was rung comes back unexecuted. */
static void flush_one(struct cx_sq *sq)
{
	uint8_t ctrl[64];
	uint16_t bbs;

	copy_out(sq, sq->ci, sizeof(ctrl), ctrl);
	bbs = (uint16_t)(((cx_get32(ctrl + 4) & 0x3f) + 3) / 4);
	cx_cq_error(sq->cq, MLX5_CQE_REQ_ERR, sq->sqn, sq->uidx, sq->ci, (uint8_t)cx_get32(ctrl),
		    MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
	if (!bbs || bbs > (uint16_t)(sq->pi - sq->ci))
		sq->ci = sq->pi;
	else
		sq->ci = (uint16_t)(sq->ci + bbs);
	sq->reported = sq->ci;
}

/* 1: executed, 0: the wire has no room, try again. */
static int run_one(struct cx_sq *sq)
{
	struct cx_wqe w;
	uint8_t syndrome;
	uint32_t bytes = 0;
	int ret;

	if (!read_wqe(sq, &w)) {
		syndrome = MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR;
	} else {
		syndrome = cx_fault_sq(sq);
		if (!syndrome) {
			ret = cx_tx_execute(sq, &w, &bytes, &syndrome);
			if (ret == -EAGAIN)
				return 0;
		}
	}
	if (!syndrome) {
		complete(sq, &w, bytes);
		return 1;
	}
	cx_sq_fail(sq, w.opcode, syndrome);
	sq->ci = has_size(&w, (uint16_t)(sq->pi - sq->ci)) ? (uint16_t)(sq->ci + w.bbs) : sq->pi;
	sq->reported = sq->ci;
	return 1;
}

void cx_sq_skip(struct cx_sq *sq)
{
	if (!sq->prewritten)
		return;
	cx_sq_ring(sq);
	sq->ci = sq->pi;
	sq->prewritten = false;
}

int cx_sq_run(struct cx_sq *sq, int budget)
{
	int n = 0;

	if (sq->ci == sq->pi || sq->state == CX_RESET)
		return 0;
	if (cx_faults.delay_us && cx_now_ns() < sq->due)
		return 0;
	while (sq->ci != sq->pi && n < budget) {
		if (sq->state == CX_ERROR)
			flush_one(sq);
		else if (!run_one(sq))
			break;
		n++;
	}
	return n;
}
