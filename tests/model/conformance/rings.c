/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lab.h: rings by hand, and the commands of the device.
 */
#include <endian.h>
#include <stdatomic.h>

#include "lab.h"

/* ---- sending ---- */

uint8_t *lab_wqe(struct lab_sq *sq, uint8_t opcode, uint32_t ds)
{
	uint32_t slot = sq->pi & (sq->dv.sq.wqe_cnt - 1);
	uint8_t *w = (uint8_t *)sq->dv.sq.buf + slot * 64;

	assert_true(slot + (ds + 3) / 4 <= sq->dv.sq.wqe_cnt); /* wrapping is done by hand */
	memset(w, 0, (ds + 3) / 4 * 64);
	lab_put32(w, (uint32_t)sq->pi << 8 | opcode);
	lab_put32(w + 4, sq->dv.sqn << 8 | ds);
	w[11] = MLX5_WQE_CTRL_CQ_UPDATE;
	return w;
}

void lab_data(uint8_t *seg, const struct lab *l, uint32_t off, uint32_t len)
{
	lab_put32(seg, len);
	lab_put32(seg + 4, l->mr->lkey);
	lab_put64(seg + 8, (uintptr_t)l->mem + off);
}

void lab_record(struct lab_sq *sq)
{
	atomic_store_explicit((_Atomic uint32_t *)&sq->dv.dbrec[MLX5_SND_DBR], htobe32(sq->pi),
			      memory_order_release);
}

void lab_register(struct lab_sq *sq, const uint8_t *wqe)
{
	uint64_t first;

	memcpy(&first, wqe, 8);
	atomic_store_explicit((_Atomic uint64_t *)sq->dv.bf.reg, first, memory_order_release);
}

void lab_ring(struct lab_sq *sq, uint32_t ds)
{
	const uint8_t *w = (uint8_t *)sq->dv.sq.buf + (sq->pi & (sq->dv.sq.wqe_cnt - 1)) * 64;

	sq->pi = (uint16_t)(sq->pi + (ds + 3) / 4);
	lab_record(sq);
	lab_register(sq, w);
	lab_sync();
}

void lab_send(struct lab *l, struct lab_sq *sq, uint32_t off, uint32_t len)
{
	uint8_t *w = lab_wqe(sq, MLX5_OPCODE_SEND, 3);

	lab_data(w + 32, l, off, len);
	lab_ring(sq, 3);
}

/* ---- receiving ---- */

uint8_t *lab_rwqe(struct lab_rq *rq, uint16_t index)
{
	return (uint8_t *)rq->dv.buf + (index & (rq->dv.wqe_cnt - 1)) * rq->dv.stride;
}

void lab_post_record(struct lab_rq *rq)
{
	atomic_store_explicit((_Atomic uint32_t *)rq->dv.dbrec, htobe32(rq->pi),
			      memory_order_release);
}

void lab_post(struct lab *l, struct lab_rq *rq, uint32_t off, uint32_t len)
{
	lab_data(lab_rwqe(rq, rq->pi), l, off, len);
	rq->pi++;
	lab_post_record(rq);
}

/* ---- completions ---- */

void lab_sync(void)
{
	lab_control("sync");
}

static struct mlx5_cqe64 *next_cqe(struct lab_cq *cq)
{
	struct mlx5_cqe64 *c = (struct mlx5_cqe64 *)cq->dv.buf + (cq->ci & (cq->dv.cqe_cnt - 1));
	uint8_t op_own = atomic_load_explicit((_Atomic uint8_t *)&c->op_own, memory_order_acquire);
	uint8_t owner = (cq->ci & cq->dv.cqe_cnt) != 0;

	return op_own >> 4 != MLX5_CQE_INVALID && (op_own & 1) == owner ? c : NULL;
}

struct mlx5_cqe64 lab_cqe(struct lab_cq *cq, uint8_t opcode)
{
	struct mlx5_cqe64 *c, copy;

	lab_sync();
	c = next_cqe(cq);
	assert_non_null(c);
	copy = *c;
	assert_int_equal(mlx5dv_get_cqe_opcode(&copy), opcode);
	cq->ci++;
	atomic_store_explicit((_Atomic uint32_t *)cq->dv.dbrec, htobe32(cq->ci & 0xffffff),
			      memory_order_release);
	return copy;
}

void lab_no_cqe(struct lab_cq *cq)
{
	lab_sync();
	assert_null(next_cqe(cq));
}

void lab_cqe_error(struct lab_cq *cq, uint8_t opcode, uint8_t syndrome)
{
	struct mlx5_cqe64 c = lab_cqe(cq, opcode);
	const struct mlx5_err_cqe *e = (const struct mlx5_err_cqe *)&c;

	assert_int_equal(e->syndrome, syndrome);
}

/* ---- commands ---- */

void lab_control(const char *fmt, ...)
{
	char line[256], out[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (cx_control(line, out, sizeof(out)) < 0)
		fail_msg("%s: %s", line, out);
}

uint64_t lab_stat(const char *name)
{
	char out[4096], key[64], *at;

	assert_int_equal(cx_control("stats", out, sizeof(out)), 0);
	snprintf(key, sizeof(key), "%s ", name);
	at = strstr(out, key);
	assert_non_null(at);
	return strtoull(at + strlen(key), NULL, 10);
}

void lab_broke(const char *rule)
{
	char out[4096];

	assert_int_equal(cx_control("violations", out, sizeof(out)), 0);
	if (cx_violations(rule) != 1 || cx_violations(NULL) != 1)
		fail_msg("expected one violation of %s, the referee says: %s", rule, out);
	lab_control("violations clear");
}

void lab_clean(void)
{
	char out[4096];

	assert_int_equal(cx_control("violations", out, sizeof(out)), 0);
	lab_control("violations clear"); /* the next test is not to pay for it */
	assert_string_equal(out, "none\n");
}

void lab_inject(const void *frame, uint32_t len)
{
	assert_int_equal(cx_inject(0, frame, len), 0);
	lab_sync();
}

uint32_t lab_capture(uint8_t *frame, uint32_t size)
{
	int len = cx_capture(0, frame, size);

	assert_true(len > 0);
	return (uint32_t)len;
}

void lab_no_capture(void)
{
	uint8_t none[64];

	assert_int_equal(cx_capture(0, none, sizeof(none)), -EAGAIN);
}
