/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bench of the conformance tests: objects made by the unmodified libibverbs and libmlx5, rings
 * written by hand, completions read by hand. Every function asserts that it worked.
 *
 * Nothing here waits: lab_sync() returns when the device has nothing left to do, so "it comes" and
 * "it does not come" are both certain at once.
 */
#ifndef LAB_H
#define LAB_H

#include <infiniband/mlx5dv.h>
#include <infiniband/verbs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../cx-test.h"

#define LAB_MEM 0x40000 /* bytes of lab->mem */

struct lab {
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_mr *mr; /* all of mem, local write */
	uint8_t *mem;
};

struct lab_cq {
	struct ibv_cq *cq;
	struct mlx5dv_cq dv;
	uint32_t ci;
};

struct lab_sq {
	struct ibv_qp *qp;
	struct mlx5dv_qp dv;
	struct lab_cq cq;
	uint16_t pi;
};

/* A receive queue behind a TIR of its own, or with others behind an indirection table. */
struct lab_rq {
	struct ibv_wq *wq;
	struct ibv_rwq_ind_table *ind;
	struct ibv_qp *qp;
	struct mlx5dv_rwq dv;
	struct lab_cq cq;
	uint16_t pi;
};

struct lab_rq_attr {
	uint32_t entries, sges; /* 0: 64, 1 */
	uint32_t wq_flags; /* IBV_WQ_FLAGS_* */
	uint32_t compression; /* MLX5DV_CQE_RES_FORMAT_*; 0: none */
	uint32_t cqes; /* 0: twice the entries */
	uint64_t hash; /* IBV_RX_HASH_*; 0: all of IPv4 and UDP */
	uint32_t loopback; /* MLX5DV_QP_CREATE_TIR_ALLOW_SELF_LOOPBACK_* */
	bool no_qp; /* only the WQ, for a table of several */
};

/* ---- lab.c ---- */
void lab_open(struct lab *l, const char *dev); /* NULL: mlx5_0 */
void lab_close(struct lab *l);
void lab_cq_new(struct lab *l, struct lab_cq *cq, uint32_t entries, uint32_t compression);
void lab_sq_new(struct lab *l, struct lab_sq *sq, uint32_t entries);
void lab_sq_free(struct lab_sq *sq);
void lab_rq_new(struct lab *l, struct lab_rq *rq, const struct lab_rq_attr *attr); /* NULL: all 0 */
void lab_rq_free(struct lab_rq *rq);
struct ibv_qp *lab_rss(struct lab *l, struct ibv_rwq_ind_table *ind, uint64_t hash, uint32_t loop);
void lab_qp_state(struct ibv_qp *qp, enum ibv_qp_state state);
void lab_sq_reset(struct lab_sq *sq); /* through RESET to RTS, indexes at 0 */

/* ---- rings.c ---- */
/* The WQE at sq->pi, zeroed, with its control segment: opcode, index, number, ds, CQE always. */
uint8_t *lab_wqe(struct lab_sq *sq, uint8_t opcode, uint32_t ds);
void lab_data(uint8_t *seg, const struct lab *l, uint32_t off, uint32_t len); /* pointer segment */
/* Moves pi past the WQE of ds units, writes record and register; then the device runs. */
void lab_ring(struct lab_sq *sq, uint32_t ds);
void lab_record(struct lab_sq *sq); /* the record alone */
void lab_register(struct lab_sq *sq, const uint8_t *wqe); /* the register alone, no sync */
/* One frame of len bytes at mem + off, by pointer. */
void lab_send(struct lab *l, struct lab_sq *sq, uint32_t off, uint32_t len);

uint8_t *lab_rwqe(struct lab_rq *rq, uint16_t index);
/* Posts one buffer of len bytes at mem + off. */
void lab_post(struct lab *l, struct lab_rq *rq, uint32_t off, uint32_t len);
void lab_post_record(struct lab_rq *rq);

void lab_sync(void);
/* The next CQE, consumed; asserts that there is one with the opcode. */
struct mlx5_cqe64 lab_cqe(struct lab_cq *cq, uint8_t opcode);
void lab_no_cqe(struct lab_cq *cq);
void lab_cqe_error(struct lab_cq *cq, uint8_t opcode, uint8_t syndrome);

/* ---- commands and the referee ---- */
__attribute__((format(printf, 1, 2))) void lab_control(const char *fmt, ...);
uint64_t lab_stat(const char *name); /* of device 0 */
void lab_broke(const char *rule); /* exactly this rule, once; forgets it */
/* The same, and the report begins with it, has the sentence, and the first 8 bytes of wqe. */
__attribute__((format(printf, 3, 4))) void lab_said(const char *rule, const void *wqe,
						    const char *fmt, ...);
void lab_report_start(void); /* forgets what was reported so far */
void lab_clean(void); /* no rule was broken */
void lab_inject(const void *frame, uint32_t len);
uint32_t lab_capture(uint8_t *frame, uint32_t size); /* asserts that there is one */
void lab_no_capture(void);

/* ---- flow.c ---- */
struct ibv_flow *lab_flow_all(struct ibv_qp *qp); /* every frame, priority 0 */

static inline uint32_t lab_get32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}

static inline uint16_t lab_get16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return be16toh(v);
}

static inline void lab_put32(void *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
}

static inline void lab_put16(void *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, 2);
}

static inline void lab_put64(void *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, 8);
}

#endif
