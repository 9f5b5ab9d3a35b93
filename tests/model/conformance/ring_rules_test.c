/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The referee: a driver that breaks a rule is told which, by which object, with the WQE in
 * hexadecimal. Here: doorbells, records and rings.
 * Each test breaks one rule, and reads the report (CX_REPORT).
 */
#include <endian.h>
#include <stdatomic.h>
#include <unistd.h>

#include "ends.h"

static uint8_t frame[64];

static uint8_t *good_wqe(void)
{
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);

	lab_data(w + 32, &lab, 0, 60);
	return w;
}

/* ---- doorbells ---- */

static void a_doorbell_before_its_record(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	lab_register(&sq, w);
	lab_sync();
	lab_said("doorbell.record", w, "SQ 0x%x rings for WQE 0, but its doorbell record says 0",
		 sq.dv.sqn);
	lab_no_cqe(&sq.cq); /* and nothing is sent: it hangs, as on hardware */
}

static void a_record_without_doorbell(void **state)
{
	uint8_t *w = good_wqe(), got[64];

	(void)state;
	sq.pi++;
	lab_record(&sq);
	lab_no_cqe(&sq.cq);
	lab_no_capture();
	lab_clean(); /* no rule is broken; it only waits */
	lab_register(&sq, w);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	assert_int_equal(lab_capture(got, sizeof(got)), 60);
}

/* The record in the machine's byte order (guide, pitfall 2). */
static void a_record_in_the_wrong_order(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	sq.pi++;
	atomic_store((_Atomic uint32_t *)&sq.dv.dbrec[MLX5_SND_DBR], sq.pi); /* 0x01000000 */
	lab_register(&sq, w);
	lab_sync();
	lab_said("doorbell.record", w, "SQ 0x%x rings for WQE 0, but its doorbell record says 0",
		 sq.dv.sqn);
}

static void a_doorbell_of_nobody(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	lab_put32(w + 4, 0x3ff0 << 8 | 3);
	lab_register(&sq, w);
	lab_sync();
	lab_said("doorbell.number", NULL, "a doorbell names SQ 0x3ff0, which does not exist");
}

/* Written to after its queue was destroyed. */
static void a_doorbell_of_a_destroyed_queue(void **state)
{
	struct lab_sq other;
	uint64_t first;

	(void)state;
	lab_sq_new(&lab, &other, 16);
	memcpy(&first, lab_wqe(&other, MLX5_OPCODE_NOP, 1), 8);
	lab_sq_free(&other);
	lab_register(&sq, (uint8_t *)&first);
	lab_sync();
	lab_said("doorbell.number", NULL,
		 "a doorbell names SQ 0x%x, which does not exist (any more)", other.dv.sqn);
}

static void the_wrong_register_page(void **state)
{
	struct ibv_td_init_attr none = {0};
	struct ibv_td *td = ibv_alloc_td(lab.ctx, &none);
	struct ibv_parent_domain_init_attr p = {.pd = lab.pd, .td = td};
	struct lab other = lab;
	struct lab_sq theirs;
	void *reg = sq.dv.bf.reg;
	uint8_t *w;

	(void)state;
	other.pd = ibv_alloc_parent_domain(lab.ctx, &p);
	assert_non_null(other.pd);
	lab_sq_new(&other, &theirs, 16);
	w = good_wqe();
	sq.pi++;
	lab_record(&sq);
	sq.dv.bf.reg = theirs.dv.bf.reg;
	lab_register(&sq, w);
	lab_sync();
	sq.dv.bf.reg = reg;
	lab_said("doorbell.uar", NULL, "SQ 0x%x belongs to UAR ", sq.dv.sqn);
	lab_register(&sq, w); /* on its own page it is heard */
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	lab_sq_free(&theirs);
	assert_int_equal(ibv_dealloc_pd(other.pd), 0);
	assert_int_equal(ibv_dealloc_td(td), 0);
}

static void rung_beyond_what_is_free(void **state)
{
	uint8_t *w;
	uint32_t i;

	(void)state;
	lab_control("freeze tx");
	for (i = 0; i < 65; i++) {
		w = good_wqe();
		w[11] = 0;
		sq.pi++;
	}
	w = (uint8_t *)sq.dv.sq.buf;
	lab_record(&sq);
	lab_register(&sq, w);
	lab_sync();
	lab_said("sq.overrun", NULL, "SQ 0x%x has 64 WQEBBs, is rung up to 65", sq.dv.sqn);
	lab_sq_reset(&sq);
	lab_control("thaw tx");
}

/* Reused before a completion covered it: the device may be done, the driver cannot know. */
static void reused_without_a_completion(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 64; i++) {
		uint8_t *w = good_wqe();

		w[11] = 0;
		lab_ring(&sq, 3);
	}
	lab_clean();
	good_wqe();
	lab_ring(&sq, 3);
	lab_said("sq.overrun", NULL, "completions cover only up to 0");
}

static void a_record_that_goes_back(void **state)
{
	uint8_t *w = good_wqe();

	(void)state;
	lab_ring(&sq, 3);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	sq.pi = 0;
	lab_record(&sq);
	lab_register(&sq, w);
	lab_sync();
	lab_control("violations clear"); /* doorbell.record speaks, too */
	lab_report_start();
	lab_register(&sq, (const uint8_t[8]) {0, 0xff, 0xff, 0, (uint8_t)(sq.dv.sqn >> 16),
					      (uint8_t)(sq.dv.sqn >> 8), (uint8_t)sq.dv.sqn, 1});
	lab_sync();
	lab_said("sq.backwards", NULL, "the doorbell record of SQ 0x%x went back from 1 to 0",
		 sq.dv.sqn);
}

/* On its way through RESET the record goes back to 0, and somebody else's doorbell makes the device
 * look at it: no rule is broken. */
static void set_back_in_reset(void **state)
{
	struct ibv_qp_attr attr = {.qp_state = IBV_QPS_RESET};
	struct lab_sq other;

	(void)state;
	lab_sq_new(&lab, &other, 64);
	good_wqe();
	lab_ring(&sq, 3);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	assert_int_equal(ibv_modify_qp(sq.qp, &attr, IBV_QP_STATE), 0); /* sets the record to 0 */
	lab_send(&lab, &other, 0, 64);
	lab_cqe(&other.cq, MLX5_CQE_REQ);
	lab_clean();
	lab_sq_free(&other);
}

static void rung_in_reset(void **state)
{
	struct ibv_qp_attr attr = {.qp_state = IBV_QPS_RESET};
	uint8_t *w = good_wqe();

	(void)state;
	assert_int_equal(ibv_modify_qp(sq.qp, &attr, IBV_QP_STATE), 0);
	sq.pi++;
	lab_record(&sq);
	lab_register(&sq, w);
	lab_sync();
	lab_said("sq.state", NULL, "SQ 0x%x is rung in state RESET", sq.dv.sqn);
	lab_sq_reset(&sq);
}

/* ---- the other rings ---- */

static void posted_beyond_the_ring(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 65; i++)
		lab_post(&lab, &rq, 0, 2048);
	lab_inject(frame, sizeof(frame));
	lab_said("rq.overrun", NULL, "has 64 WQEs, its doorbell record is 65 past the consumer");
	lab_no_cqe(&rq.cq);
}

static void a_completion_ring_runs_over(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < sq.cq.dv.cqe_cnt; i++) {
		good_wqe();
		lab_ring(&sq, 3); /* completions stay unread */
	}
	lab_clean();
	good_wqe();
	lab_ring(&sq, 3);
	lab_said("cq.overrun", NULL,
		 "CQ 0x%x has %u entries, producer index %u, consumer index in its record 0",
		 sq.cq.dv.cqn, sq.cq.dv.cqe_cnt, sq.cq.dv.cqe_cnt);
}

static void arm(const struct lab_cq *cq, uint32_t cqn, uint32_t sn, uint32_t ci)
{
	uint64_t v = htobe64((uint64_t)(sn << 28 | ci) << 32 | cqn);

	atomic_store((_Atomic uint32_t *)&cq->dv.dbrec[1], htobe32(sn << 28 | ci));
	atomic_store((_Atomic uint64_t *)((uint8_t *)cq->dv.cq_uar + MLX5_CQ_DOORBELL), v);
	lab_sync();
}

static void arming_nothing(void **state)
{
	(void)state;
	arm(&sq.cq, 0x3ff1, 0, 0);
	lab_said("arm.number", NULL, "an arm doorbell names CQ 0x3ff1, which does not exist");
}

/* Arming with the sequence number of an event that was read arms nothing. A few such armings may
 * have been under way when the event came. */
static void arming_with_an_old_number(void **state)
{
	uint32_t i;

	(void)state;
	arm(&sq.cq, sq.cq.dv.cqn, 0, 0);
	good_wqe();
	lab_ring(&sq, 3); /* the event goes out */
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	for (i = 1; i <= 3; i++)
		arm(&sq.cq, sq.cq.dv.cqn, 0, i);
	lab_clean();
	arm(&sq.cq, sq.cq.dv.cqn, 0, i);
	lab_said("arm.sequence", NULL, "CQ 0x%x is armed with sequence number 0", sq.cq.dv.cqn);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_ends, teardown_ends)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_doorbell_before_its_record),
		T(a_record_without_doorbell),
		T(a_record_in_the_wrong_order),
		T(a_doorbell_of_nobody),
		T(a_doorbell_of_a_destroyed_queue),
		T(the_wrong_register_page),
		T(rung_beyond_what_is_free),
		T(reused_without_a_completion),
		T(a_record_that_goes_back),
		T(set_back_in_reset),
		T(rung_in_reset),
		T(posted_beyond_the_ring),
		T(a_completion_ring_runs_over),
		T(arming_nothing),
		T(arming_with_an_old_number),
	};

	lab_report_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
