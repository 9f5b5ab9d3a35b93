/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is no mistake, though it may look like one: the driver and the device act at the same time,
 * and the device sees late, or by the way, what the driver did. A referee that speaks here would
 * make every other test a matter of luck.
 *
 * "slow" puts the device's own thread to sleep between turns, so that what a test does in between
 * stays unseen until a command comes.
 */
#include <stdatomic.h>
#include <unistd.h>

#include "lab.h"

static struct lab lab;

static int setup(void **state)
{
	(void)state;
	lab_open(&lab, NULL);
	return 0;
}

static int teardown(void **state)
{
	uint8_t got[64];

	(void)state;
	lab_control("slow 0");
	while (cx_capture(0, got, sizeof(got)) > 0)
		;
	lab_close(&lab);
	lab_clean();
	return 0;
}

static void asleep(void)
{
	lab_control("slow 1000000");
	usleep(50000); /* it has begun to sleep, and this program has its core for less than it */
}

static void arm(const struct lab_cq *cq, uint32_t sn, uint32_t ci)
{
	uint64_t v = htobe64((uint64_t)(sn << 28 | ci) << 32 | cq->dv.cqn);

	atomic_store((_Atomic uint32_t *)&cq->dv.dbrec[1], htobe32(sn << 28 | ci));
	atomic_store((_Atomic uint64_t *)((uint8_t *)cq->dv.cq_uar + MLX5_CQ_DOORBELL), v);
}

/* A NOP in the ring, and its doorbell, which nobody looks at yet. */
static void ring_unseen(struct lab_sq *sq)
{
	const uint8_t *w = lab_wqe(sq, MLX5_OPCODE_NOP, 1);

	sq->pi++;
	lab_record(sq);
	lab_register(sq, w);
}

static void ringing_and_destroying_at_once(void **state)
{
	struct lab_sq sq;

	(void)state;
	lab_sq_new(&lab, &sq, 16);
	asleep();
	ring_unseen(&sq);
	lab_sq_free(&sq);
	lab_sync();
	lab_clean();
}

static void ringing_and_resetting_at_once(void **state)
{
	struct lab_sq sq;

	(void)state;
	lab_sq_new(&lab, &sq, 16);
	asleep();
	ring_unseen(&sq);
	lab_sq_reset(&sq);
	lab_sync();
	lab_no_cqe(&sq.cq); /* what was rung went with the state */
	lab_wqe(&sq, MLX5_OPCODE_NOP, 1);
	lab_ring(&sq, 1);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	lab_sq_free(&sq);
	lab_clean();
}

static void arming_and_destroying_at_once(void **state)
{
	struct lab_cq cq;

	(void)state;
	lab_cq_new(&lab, &cq, 64, 0);
	asleep();
	arm(&cq, 0, 0);
	assert_int_equal(ibv_destroy_cq(cq.cq), 0);
	lab_sync();
	lab_clean();
}

/* All records of a register page are looked at when one of its queues is rung. In RESET the record
 * of a queue has the old value first, and 0 then. */
static void a_neighbour_rings_during_a_reset(void **state)
{
	struct ibv_qp_attr reset = {.qp_state = IBV_QPS_RESET};
	struct lab_sq sq[64];
	uint32_t n, i;

	(void)state;
	lab_sq_new(&lab, &sq[0], 16);
	for (n = 1; n < 64; n++) {
		lab_sq_new(&lab, &sq[n], 16);
		if (((uintptr_t)sq[n].dv.bf.reg ^ (uintptr_t)sq[0].dv.bf.reg) < 4096)
			break;
	}
	assert_true(n < 64);
	for (i = 0; i < 5; i++) {
		lab_wqe(&sq[0], MLX5_OPCODE_NOP, 1);
		lab_ring(&sq[0], 1);
	}
	assert_int_equal(ibv_modify_qp(sq[0].qp, &reset, IBV_QP_STATE), 0);
	assert_int_equal(sq[0].dv.dbrec[MLX5_SND_DBR], 0); /* libmlx5 has set it back */
	lab_wqe(&sq[n], MLX5_OPCODE_NOP, 1);
	lab_ring(&sq[n], 1);
	lab_clean();
	for (i = 0; i <= n; i++)
		lab_sq_free(&sq[i]);
}

/* Closing is a command like others. The context's register page lies below one that is in use,
 * where the device goes on looking. */
static void arming_and_closing_at_once(void **state)
{
	struct lab_sq sq;
	struct lab first = lab;
	struct lab_cq cq;

	(void)state;
	lab_open(&lab, NULL);
	lab_sq_new(&lab, &sq, 16); /* a page of the second context */
	lab_cq_new(&first, &cq, 64, 0);
	asleep();
	arm(&cq, 0, 0);
	assert_int_equal(close(first.ctx->cmd_fd),
			 0); /* libmlx5 is not asked: it would come before */
	lab_sync();
	assert_int_equal(cx_violations("arm.number"), 0);
	assert_int_equal(cx_violations("exit.leak"), cx_violations(NULL));
	lab_control("violations clear");
	lab_sq_free(&sq);
}

/* The events of several queues stay in their order, and in sight, while the device looks whether an
 * arming with an old number was under way when the event came. */
static void events_stay_where_they_are(void **state)
{
	struct ibv_comp_channel *ch = ibv_create_comp_channel(lab.ctx);
	struct ibv_cq *cq[2], *from;
	struct ibv_qp *qp[2];
	struct ibv_qp_init_attr attr = {.qp_type = IBV_QPT_RAW_PACKET,
					.cap = {.max_send_wr = 32, .max_send_sge = 1}};
	struct ibv_sge sge = {(uintptr_t)lab.mem, 60, lab.mr->lkey};
	struct ibv_send_wr wr = {.sg_list = &sge,
				 .num_sge = 1,
				 .opcode = IBV_WR_SEND,
				 .send_flags = IBV_SEND_SIGNALED},
			   *bad;
	struct ibv_wc wc;
	void *ctx;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		cq[i] = ibv_create_cq(lab.ctx, 63, NULL, ch, 0);
		attr.send_cq = attr.recv_cq = cq[i];
		qp[i] = ibv_create_qp(lab.pd, &attr);
		lab_qp_state(qp[i], IBV_QPS_INIT);
		lab_qp_state(qp[i], IBV_QPS_RTR);
		lab_qp_state(qp[i], IBV_QPS_RTS);
		assert_int_equal(ibv_req_notify_cq(cq[i], 0), 0);
		assert_int_equal(ibv_post_send(qp[i], &wr, &bad), 0);
		lab_sync();
	}
	assert_int_equal(ibv_poll_cq(cq[0], 1, &wc), 1);
	assert_int_equal(ibv_req_notify_cq(cq[0], 0), 0); /* its event is there, and unread */
	lab_sync();
	for (i = 0; i < 2; i++) {
		assert_int_equal(ibv_get_cq_event(ch, &from, &ctx), 0);
		assert_ptr_equal(from, cq[i]);
		ibv_ack_cq_events(from, 1);
	}
	for (i = 0; i < 2; i++) {
		assert_int_equal(ibv_destroy_qp(qp[i]), 0);
		assert_int_equal(ibv_destroy_cq(cq[i]), 0);
	}
	assert_int_equal(ibv_destroy_comp_channel(ch), 0);
	lab_clean();
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ringing_and_destroying_at_once), T(ringing_and_resetting_at_once),
		T(arming_and_destroying_at_once),  T(a_neighbour_rings_during_a_reset),
		T(arming_and_closing_at_once),	   T(events_stay_where_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
