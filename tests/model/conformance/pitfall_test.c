/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mistakes that drivers of this hardware made (README.md has the list, and where the others are
 * shown): each is made here on purpose. Either the referee names it, or the test shows what a NIC
 * does of it, which nobody but the driver could know to be wrong.
 */
#include <endian.h>
#include <stdatomic.h>
#include <unistd.h>

#include "ends.h"
#include "frames.h"

static struct frame f;

static int setup(void **state)
{
	setup_ends(state);
	frame_make(&f, &(struct frame_attr) {.payload = 40});
	return 0;
}

static void nops(uint32_t n)
{
	while (n--) {
		lab_wqe(&sq, MLX5_OPCODE_NOP, 1);
		lab_ring(&sq, 1);
		lab_cqe(&sq.cq, MLX5_CQE_REQ);
	}
}

/* 2: the consumer index in the machine's order reads as one that never moves. */
static void a_consumer_index_in_the_wrong_order(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < sq.cq.dv.cqe_cnt; i++) {
		nops(1);
		atomic_store((_Atomic uint32_t *)sq.cq.dv.dbrec, sq.cq.ci);
	}
	lab_clean();
	lab_wqe(&sq, MLX5_OPCODE_NOP, 1);
	lab_ring(&sq, 1);
	lab_said("cq.overrun", NULL, "CQ 0x%x has %u entries, producer index %u, consumer index",
		 sq.cq.dv.cqn, sq.cq.dv.cqe_cnt, sq.cq.dv.cqe_cnt);
}

/* 2: the receive record. */
static void a_receive_record_in_the_wrong_order(void **state)
{
	(void)state;
	lab_data(lab_rwqe(&rq, 0), &lab, 0, 2048);
	atomic_store((_Atomic uint32_t *)rq.dv.dbrec, 1);
	lab_inject(f.b, f.len);
	lab_said("rq.record", NULL, "the doorbell record of RQ 0x%x reads 0x01000000",
		 rq.wq->wq_num);
	lab_no_cqe(&rq.cq);
}

/* 3: after RESET and RDY the device is at 0; a driver that goes on at its old index is far ahead.
 */
static void an_old_index_after_recovery(void **state)
{
	struct ibv_wq_attr a = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RESET};
	uint32_t i;

	(void)state;
	for (i = 0; i < 100; i++) {
		lab_post(&lab, &rq, 0, 2048);
		lab_inject(f.b, f.len);
		lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND);
	}
	assert_int_equal(ibv_modify_wq(rq.wq, &a), 0);
	a.wq_state = IBV_WQS_RDY;
	assert_int_equal(ibv_modify_wq(rq.wq, &a), 0);
	lab_post(&lab, &rq, 0, 2048); /* number 100 */
	lab_inject(f.b, f.len);
	lab_said("rq.overrun", NULL, "has 64 WQEs, its doorbell record is 101 past the consumer");
}

/* 6: the environment decides the size of a CQE, unless the driver does. */
static void the_cqe_size_of_the_environment(void **state)
{
	struct mlx5dv_cq dv = {0};
	struct ibv_context *ctx;
	struct mlx5dv_obj obj = {.cq = {.out = &dv}};
	struct lab_cq mine;
	struct lab other;

	(void)state;
	setenv("MLX5_CQE_SIZE", "128", 1);
	lab_open(&other, NULL);
	ctx = other.ctx;
	obj.cq.in = ibv_create_cq(ctx, 15, NULL, NULL, 0);
	assert_non_null(obj.cq.in);
	assert_int_equal(mlx5dv_init_obj(&obj, MLX5DV_OBJ_CQ), 0);
	assert_int_equal(dv.cqe_size, 128);
	lab_cq_new(&other, &mine, 16, 0); /* asserts 64 */
	unsetenv("MLX5_CQE_SIZE");
	assert_int_equal(ibv_destroy_cq(mine.cq), 0);
	assert_int_equal(ibv_destroy_cq(obj.cq.in), 0);
	lab_close(&other);
}

/* 7: two queues share a register, and ring before the device looks. A register holds one value:
 * here no doorbell is lost, for the model looks at the records; a merged store on a real bus loses
 * one. */
static void two_doorbells_in_one_register(void **state)
{
	struct lab_sq q[64];
	uint32_t n, first = 0, i;

	(void)state;
	for (n = 0; n < 64; n++) {
		lab_sq_new(&lab, &q[n], 16);
		for (first = 0; q[first].dv.bf.reg != q[n].dv.bf.reg; first++)
			;
		if (first < n)
			break;
	}
	assert_true(n < 64);
	lab_control("slow 1000000");
	usleep(50000);
	for (i = first; i <= n; i += n - first) {
		const uint8_t *w = lab_wqe(&q[i], MLX5_OPCODE_NOP, 1);

		q[i].pi++;
		lab_record(&q[i]);
		lab_register(&q[i], w);
	}
	lab_control("slow 0");
	lab_cqe(&q[first].cq, MLX5_CQE_REQ);
	lab_cqe(&q[n].cq, MLX5_CQE_REQ);
	for (i = 0; i <= n; i++)
		lab_sq_free(&q[i]);
}

/* 10: with a full ring, the WQE behind the newest is the oldest that is under way. */
static void zeroing_the_next_wqe(void **state)
{
	uint8_t *w = NULL;
	uint32_t i;

	(void)state;
	nops(3);
	lab_control("freeze tx");
	for (i = 0; i < 64; i++) {
		w = lab_wqe(&sq, MLX5_OPCODE_NOP, 1);
		sq.pi++;
	}
	lab_record(&sq);
	lab_register(&sq, w);
	w = (uint8_t *)sq.dv.sq.buf + (sq.pi & 63) * 64;
	memset(w, 0, 64);
	lab_control("thaw tx");
	lab_sync();
	lab_said("sq.index", w, "SQ 0x%x: WQE 3 says that it is WQE 0", sq.dv.sqn);
}

/* 12: the record counts a slot that was not refilled: the frame goes where the slot still points,
 * into a buffer that is somebody else's by now. */
static void a_record_past_what_was_refilled(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 64; i++)
		lab_post(&lab, &rq, i * 2048, 2048);
	for (i = 0; i < 64; i++) {
		lab_inject(f.b, f.len);
		lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND);
	}
	memset(lab.mem, 0, LAB_MEM); /* every buffer was handed on */
	rq.pi++;
	lab_post_record(&rq);
	lab_inject(f.b, f.len);
	lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND);
	assert_memory_equal(lab.mem, f.b, f.len); /* nobody can tell: no rule is broken */
}

/* 15: libmlx5 writes the receive record anew, with a count of its own, when a raw packet QP goes to
 * RTR: what was posted by hand before is gone. */
static void posting_before_rtr(void **state)
{
	struct ibv_qp_init_attr attr = {.qp_type = IBV_QPT_RAW_PACKET,
					.cap = {.max_recv_wr = 16, .max_recv_sge = 1}};
	struct mlx5dv_qp dv = {0};
	struct mlx5dv_obj obj;
	struct ibv_flow *mine;
	struct lab_cq cq;
	struct ibv_qp *qp;

	(void)state;
	lab_cq_new(&lab, &cq, 64, 0);
	attr.send_cq = attr.recv_cq = cq.cq;
	qp = ibv_create_qp(lab.pd, &attr);
	assert_non_null(qp);
	obj.qp.in = qp;
	obj.qp.out = &dv;
	assert_int_equal(mlx5dv_init_obj(&obj, MLX5DV_OBJ_QP), 0);
	assert_int_equal(ibv_destroy_flow(flow), 0);
	mine = lab_flow_all(qp);
	lab_qp_state(qp, IBV_QPS_INIT);
	lab_data(dv.rq.buf, &lab, 0, 2048);
	lab_put32(&dv.dbrec[MLX5_RCV_DBR], 1);
	lab_inject(f.b, f.len);
	lab_cqe(&cq, MLX5_CQE_RESP_SEND); /* the queue receives from INIT on */
	lab_data((uint8_t *)dv.rq.buf + dv.rq.stride, &lab, 2048, 2048);
	lab_put32(&dv.dbrec[MLX5_RCV_DBR], 2);
	lab_qp_state(qp, IBV_QPS_RTR);
	assert_int_equal(dv.dbrec[MLX5_RCV_DBR], 0);
	lab_inject(f.b, f.len);
	lab_said("rq.overrun", NULL, "its doorbell record is 65535 past the consumer");
	assert_int_equal(ibv_destroy_flow(mine), 0);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(ibv_destroy_cq(cq.cq), 0);
	flow = lab_flow_all(rq.qp);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown_ends)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_consumer_index_in_the_wrong_order), T(a_receive_record_in_the_wrong_order),
		T(an_old_index_after_recovery),		T(the_cqe_size_of_the_environment),
		T(two_doorbells_in_one_register),	T(zeroing_the_next_wqe),
		T(a_record_past_what_was_refilled),	T(posting_before_rtr),
	};

	lab_report_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
