/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The referee: a driver that breaks a rule is told which, by which object, with the WQE in
 * hexadecimal. Here: WQEs, and the memory they name.
 * Each test breaks one rule, and reads the report (CX_REPORT).
 */
#include "ends.h"

static uint8_t frame[64];

/* Rings a broken WQE of ds units: error completion, then the report. */
static void broken(uint32_t ds, uint8_t syndrome, const char *rule, const char *what)
{
	const uint8_t *w = (uint8_t *)sq.dv.sq.buf + (sq.pi & 63) * 64;
	uint8_t first[8];
	char want[256];

	snprintf(want, sizeof(want), "SQ 0x%x: WQE %u%s", sq.dv.sqn, sq.pi, what);
	/* The doorbell is right, whatever the WQE in the ring says. */
	lab_put32(first, (uint32_t)sq.pi << 8 | MLX5_OPCODE_SEND);
	lab_put32(first + 4, sq.dv.sqn << 8 | ds);
	sq.pi = (uint16_t)(sq.pi + (ds + 3) / 4);
	lab_record(&sq);
	lab_register(&sq, first);
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, syndrome);
	lab_said(rule, w, "%s", want);
	lab_no_capture();
}

#define OP_ERR	 MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR
#define PROT_ERR MLX5_CQE_SYNDROME_LOCAL_PROT_ERR
#define LEN_ERR	 MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR

static uint8_t *good_wqe(void)
{
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);

	lab_data(w + 32, &lab, 0, 60);
	return w;
}

/* ---- the send queue's WQEs ---- */

static void wrong_index(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	lab_put32(w, 7u << 8 | MLX5_OPCODE_SEND);
	broken(3, OP_ERR, "sq.index", " says that it is WQE 7");
}

static void wrong_number(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	lab_put32(w + 4, (sq.dv.sqn + 1) << 8 | 3);
	broken(3, OP_ERR, "sq.number", " names SQ 0x");
}

static void wrong_sizes(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	lab_put32(w + 4, sq.dv.sqn << 8);
	broken(3, OP_ERR, "sq.ds", " has ds 0, where 1 WQEBBs were rung");
	lab_sq_reset(&sq);
	w = good_wqe();
	lab_put32(w + 4, sq.dv.sqn << 8 | 9); /* as 64-byte units were counted for 16 */
	broken(3, OP_ERR, "sq.ds", " has ds 9, where 1 WQEBBs were rung");
	lab_sq_reset(&sq);
	lab_wqe(&sq, MLX5_OPCODE_SEND, 1);
	broken(1, OP_ERR, "sq.ds", ": no room for the Ethernet segment");
}

static void wrong_opcode(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	lab_put32(w, (uint32_t)sq.pi << 8 | MLX5_OPCODE_RDMA_WRITE);
	broken(3, OP_ERR, "sq.opcode", ": a raw packet queue does not execute opcode (8)");
}

static void inline_beyond_the_wqe(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	lab_put16(w + 28, 100);
	broken(3, OP_ERR, "sq.inline", ": the inline header is longer than the WQE (100)");
	lab_sq_reset(&sq);
	w = good_wqe();
	lab_put32(w + 32, 13 | MLX5_INLINE_SEG);
	broken(3, OP_ERR, "sq.inline", ": inline data is longer than the WQE (13)");
}

static void wrong_lengths(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	lab_data(w + 32, &lab, 0, 13);
	broken(3, OP_ERR, "sq.length", ": the frame has no whole Ethernet header (13)");
	lab_sq_reset(&sq);
	w = good_wqe();
	lab_data(w + 32, &lab, 0, 1523);
	broken(3, LEN_ERR, "sq.length", ": the frame is longer than the port's MTU allows (1523)");
	lab_sq_reset(&sq);
	w = good_wqe();
	lab_data(w + 32, &lab, 0, 0x7fffffff);
	broken(3, PROT_ERR, "mr.range", ": a data segment breaks a rule of its memory key");
}

/* ---- memory keys ---- */

static void a_key_of_nothing(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	lab_put32(w + 36, 0x123456);
	broken(3, PROT_ERR, "mr.key", ": a data segment breaks a rule of its memory key");
}

static void a_key_that_is_gone(void **state)
{
	struct ibv_mr *mr = ibv_reg_mr(lab.pd, lab.mem, 4096, 0), *again;
	uint32_t key = mr->lkey;
	uint8_t *w;

	(void)state;
	assert_int_equal(ibv_dereg_mr(mr), 0);
	again = ibv_reg_mr(lab.pd, lab.mem, 4096, 0);
	w = good_wqe();
	lab_put32(w + 36, key);
	broken(3, PROT_ERR, "mr.key", "");
	assert_int_equal(ibv_dereg_mr(again), 0);
}

static void a_key_of_another_domain(void **state)
{
	struct ibv_pd *pd = ibv_alloc_pd(lab.ctx);
	struct ibv_mr *mr = ibv_reg_mr(pd, lab.mem, 4096, 0);
	uint8_t *w = good_wqe();

	(void)state;
	lab_put32(w + 36, mr->lkey);
	broken(3, PROT_ERR, "mr.pd", "");
	assert_int_equal(ibv_dereg_mr(mr), 0);
	assert_int_equal(ibv_dealloc_pd(pd), 0);
}

static void outside_of_the_region(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	lab_data(w + 32, &lab, LAB_MEM - 59, 60);
	broken(3, PROT_ERR, "mr.range", "");
	lab_sq_reset(&sq);
	w = good_wqe();
	lab_put64(w + 40, (uintptr_t)lab.mem - 1);
	broken(3, PROT_ERR, "mr.range", "");
	lab_sq_reset(&sq);
	w = good_wqe();
	lab_put64(w + 40, UINT64_MAX - 5); /* the sum wraps around */
	broken(3, PROT_ERR, "mr.range", "");
}

static void receiving_into_read_only_memory(void **state)
{
	struct ibv_mr *mr = ibv_reg_mr(lab.pd, lab.mem, 4096, 0);
	uint8_t *w = lab_rwqe(&rq, 0);

	(void)state;
	lab_data(w, &lab, 0, 2048);
	lab_put32(w + 4, mr->lkey);
	rq.pi++;
	lab_post_record(&rq);
	lab_inject(frame, sizeof(frame));
	lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, PROT_ERR);
	lab_said("mr.access", w, "WQE 0: a data segment breaks a rule of memory key 0x%x",
		 mr->lkey);
	assert_int_equal(ibv_dereg_mr(mr), 0);
}

/* Deregistered while posted: told at once, before the device writes. */
static void a_region_that_is_posted(void **state)
{
	struct ibv_mr *mr = ibv_reg_mr(lab.pd, lab.mem, 4096, IBV_ACCESS_LOCAL_WRITE);
	uint32_t key = mr->lkey;
	uint8_t *w = lab_rwqe(&rq, 0);

	(void)state;
	lab_data(w, &lab, 0, 2048);
	lab_put32(w + 4, key);
	rq.pi++;
	lab_post_record(&rq);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	lab_said("mr.posted", w, "MR 0x%x is deregistered while RQ 0x", key);
	lab_inject(frame, sizeof(frame));
	lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, PROT_ERR);
	lab_said("mr.key", w, "WQE 0: ");
}

/* The same while the device has yet to send from it, and not any more when it has. */
static void a_region_that_is_to_be_sent(void **state)
{
	struct ibv_mr *mr = ibv_reg_mr(lab.pd, lab.mem, 4096, 0), *sent;
	uint32_t key = mr->lkey;
	uint8_t *w = good_wqe();

	(void)state;
	sent = ibv_reg_mr(lab.pd, lab.mem, 4096, 0);
	lab_put32(w + 36, sent->lkey);
	lab_ring(&sq, 3);
	lab_control("freeze tx");
	good_wqe();
	lab_ring(&sq, 3); /* of another region */
	assert_int_equal(ibv_dereg_mr(sent), 0);
	lab_clean();
	w = good_wqe();
	lab_put32(w + 36, key);
	lab_ring(&sq, 3);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	lab_said("mr.posted", w, "MR 0x%x is deregistered while SQ 0x%x is to send from it", key,
		 sq.dv.sqn);
	lab_sq_reset(&sq);
	lab_control("thaw tx");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_ends, teardown_ends)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(wrong_index),
		T(wrong_number),
		T(wrong_sizes),
		T(wrong_opcode),
		T(inline_beyond_the_wqe),
		T(wrong_lengths),
		T(a_key_of_nothing),
		T(a_key_that_is_gone),
		T(a_key_of_another_domain),
		T(outside_of_the_region),
		T(receiving_into_read_only_memory),
		T(a_region_that_is_posted),
		T(a_region_that_is_to_be_sent),
	};

	lab_report_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
