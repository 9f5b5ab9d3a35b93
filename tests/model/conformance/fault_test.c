/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults on demand in the data path: error completions, lost frames, late and massed completions,
 * and the mode in which the device only writes what a test wants to be read.
 */
#include <endian.h>
#include <sched.h>
#include <stdatomic.h>

#include "ends.h"
#include "frames.h"

static struct frame f;

static int setup(void **state)
{
	uint32_t i;

	setup_ends(state);
	for (i = 0; i < 64; i++)
		lab_post(&lab, &rq, i * 2048, 2048);
	frame_make(&f, &(struct frame_attr) {.payload = 40});
	return 0;
}

/* The syndromes of the CQE format, and one that nobody knows. */
static const uint8_t syndromes[] = {0x01, 0x02, 0x04, 0x06, 0x10, 0x11, 0x12,
				    0x13, 0x14, 0x15, 0x16, 0x22, 0x7f};

/* After an error everything that was rung comes back as flushed, until RESET (guide 4.8). */
static void send_errors_of_each_kind(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(syndromes); i++) {
		uint8_t got[64];

		lab_control("sq-error 0x%x %u", syndromes[i], sq.dv.sqn);
		lab_send(&lab, &sq, 0, 60);
		lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, syndromes[i]);
		lab_send(&lab, &sq, 0, 60);
		lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
		lab_no_capture();
		lab_sq_reset(&sq);
		lab_send(&lab, &sq, 0, 60);
		lab_cqe(&sq.cq, MLX5_CQE_REQ);
		assert_int_equal(lab_capture(got, sizeof(got)), 60);
	}
}

/* The error CQE names opcode, queue and WQE; what was sent before it in one ring is sent. */
static void an_error_in_the_middle_of_a_burst(void **state)
{
	struct mlx5_cqe64 c;
	struct mlx5_err_cqe e;
	uint8_t *w = NULL, got[64];
	uint32_t i;

	(void)state;
	for (i = 0; i < 8; i++) {
		w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);
		lab_data(w + 32, &lab, 0, 60);
		if (i == 5)
			lab_put32(w + 36, 0xbad00); /* this one names no memory */
		w[11] = 0;
		sq.pi++;
	}
	lab_record(&sq);
	lab_register(&sq, w);
	c = lab_cqe(&sq.cq, MLX5_CQE_REQ_ERR);
	memcpy(&e, &c, sizeof(e));
	assert_int_equal(e.syndrome, MLX5_CQE_SYNDROME_LOCAL_PROT_ERR);
	assert_int_equal(be16toh(e.wqe_counter), 5);
	assert_int_equal(be32toh(e.s_wqe_opcode_qpn), (uint32_t)MLX5_OPCODE_SEND << 24 | sq.dv.sqn);
	assert_int_not_equal(e.vendor_err_synd, 0);
	for (i = 0; i < 5; i++)
		assert_int_equal(lab_capture(got, sizeof(got)), 60);
	lab_no_capture();
	for (i = 6; i < 8; i++) {
		c = lab_cqe(&sq.cq, MLX5_CQE_REQ_ERR);
		memcpy(&e, &c, sizeof(e));
		assert_int_equal(e.syndrome, MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
		assert_int_equal(be16toh(e.wqe_counter), i);
	}
	lab_no_cqe(&sq.cq);
	lab_broke("mr.key");
}

/* Only the named queue fails. */
static void a_fault_for_one_queue(void **state)
{
	struct lab_sq other;

	(void)state;
	lab_sq_new(&lab, &other, 16);
	lab_control("sq-error 4 %u", other.dv.sqn);
	lab_send(&lab, &sq, 0, 60);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	lab_send(&lab, &other, 0, 60);
	lab_cqe_error(&other.cq, MLX5_CQE_REQ_ERR, 4);
	lab_sq_free(&other);
}

static void receive_errors(void **state)
{
	struct ibv_wq_attr a = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RESET};
	uint32_t i;

	(void)state;
	lab_control("rq-error 1 %u", rq.wq->wq_num); /* a length error: the queue goes on */
	lab_inject(f.b, f.len);
	lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, 1);
	lab_inject(f.b, f.len);
	assert_int_equal(be16toh(lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND).wqe_counter), 1);
	lab_control("rq-error 2 %u", rq.wq->wq_num); /* any other: all that is posted comes back */
	lab_inject(f.b, f.len);
	lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, 2);
	for (i = 3; i < 64; i++)
		lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
	lab_inject(f.b, f.len);
	lab_no_cqe(&rq.cq);
	/* Recovery (guide 2.6): RESET, RDY, post again; the CQ's index goes on. */
	assert_int_equal(ibv_modify_wq(rq.wq, &a), 0);
	a.wq_state = IBV_WQS_RDY;
	assert_int_equal(ibv_modify_wq(rq.wq, &a), 0);
	rq.pi = 0;
	lab_post(&lab, &rq, 0, 2048);
	lab_inject(f.b, f.len);
	assert_int_equal(be16toh(lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND).wqe_counter), 0);
}

/* Each kind of error that a posted buffer can come back with; a length error costs only the buffer.
 */
static void receive_errors_of_each_kind(void **state)
{
	struct ibv_wq_attr a = {.attr_mask = IBV_WQ_ATTR_STATE};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(syndromes); i++) {
		a.wq_state = IBV_WQS_RESET;
		assert_int_equal(ibv_modify_wq(rq.wq, &a), 0);
		a.wq_state = IBV_WQS_RDY;
		assert_int_equal(ibv_modify_wq(rq.wq, &a), 0);
		rq.pi = 0;
		lab_post(&lab, &rq, 0, 2048);
		lab_post(&lab, &rq, 2048, 2048);
		lab_control("rq-error 0x%x %u", syndromes[i], rq.wq->wq_num);
		lab_inject(f.b, f.len);
		lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, syndromes[i]);
		lab_inject(f.b, f.len);
		if (syndromes[i] == MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR)
			lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND);
		else
			lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
		lab_no_cqe(&rq.cq);
	}
}

/* What is posted to a queue in error comes back like what was posted before. */
static void posting_to_a_queue_in_error(void **state)
{
	uint32_t i;

	(void)state;
	lab_control("rq-error 4 %u", rq.wq->wq_num);
	lab_inject(f.b, f.len);
	lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, 4);
	for (i = 1; i < 64; i++)
		lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
	lab_post(&lab, &rq, 0, 2048);
	lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
	lab_no_cqe(&rq.cq);
}

static void lost_frames(void **state)
{
	uint8_t got[64];
	uint32_t i, n = 0;

	(void)state;
	lab_control("drop rx 3");
	for (i = 0; i < 30; i++)
		lab_inject(f.b, f.len);
	for (i = 0; i < 20; i++)
		lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND);
	lab_no_cqe(&rq.cq);
	lab_control("drop rx 0");
	lab_control("drop tx 5");
	for (i = 0; i < 10; i++) {
		lab_send(&lab, &sq, 0, 60);
		lab_cqe(&sq.cq, MLX5_CQE_REQ); /* the driver does not learn of it */
	}
	while (cx_capture(0, got, sizeof(got)) > 0)
		n++;
	assert_int_equal(n, 8);
	lab_control("drop tx 0");
}

/* Ten minutes late: not there; the fault ends: there. */
static void late_completions(void **state)
{
	(void)state;
	lab_control("delay 600000000");
	lab_send(&lab, &sq, 0, 60);
	lab_no_cqe(&sq.cq);
	lab_no_capture();
	lab_control("delay 0");
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

static void a_slow_device_still_works(void **state)
{
	struct mlx5_cqe64 *c = sq.cq.dv.buf;
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);

	(void)state;
	lab_control("slow 2000");
	lab_data(w + 32, &lab, 0, 60);
	sq.pi++;
	lab_record(&sq);
	lab_register(&sq, w);
	while (atomic_load((_Atomic uint8_t *)&c->op_own) >> 4 == MLX5_CQE_INVALID)
		sched_yield(); /* its own thread comes, some time */
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	lab_control("slow 0");
}

/* Completions gather, and come all at once. */
static void a_storm_of_completions(void **state)
{
	uint8_t *w = NULL;
	uint32_t i;

	(void)state;
	lab_control("freeze");
	for (i = 0; i < 64; i++) {
		w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);
		lab_data(w + 32, &lab, 0, 60);
		sq.pi++;
		lab_inject(f.b, f.len);
	}
	lab_record(&sq);
	lab_register(&sq, w);
	lab_no_cqe(&sq.cq);
	lab_no_cqe(&rq.cq);
	lab_control("thaw");
	for (i = 0; i < 64; i++) {
		assert_int_equal(be16toh(lab_cqe(&sq.cq, MLX5_CQE_REQ).wqe_counter), i);
		assert_int_equal(be16toh(lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND).wqe_counter), i);
	}
}

/* ---- paused: the device writes what it is told to, and otherwise sleeps ---- */

static void completions_written_in_advance(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 10; i++)
		assert_int_equal(cx_inject(0, f.b, f.len), 0);
	lab_sync();
	for (i = 0; i < 10; i++)
		lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND);
	lab_control("pause");
	for (i = 0; i < 10; i++)
		assert_int_equal(cx_inject(0, f.b, f.len), 0);
	lab_no_cqe(&rq.cq);
	lab_control("prewrite rx 10");
	lab_control("prewrite tx 4 16"); /* as if four times 16 WQEs had been sent */
	for (i = 0; i < 10; i++)
		assert_int_equal(be16toh(lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND).wqe_counter), 10 + i);
	for (i = 0; i < 4; i++) {
		uint8_t *w = NULL;
		uint32_t k;

		for (k = 0; k < 16; k++) { /* what is posted meanwhile is not executed */
			w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);
			lab_data(w + 32, &lab, 0, 60);
			sq.pi++;
		}
		lab_record(&sq);
		lab_register(&sq, w);
		assert_int_equal(be16toh(lab_cqe(&sq.cq, MLX5_CQE_REQ).wqe_counter), i * 16 + 15);
	}
	lab_control("resume");
	lab_no_capture();
	lab_send(&lab, &sq, 0, 60); /* and work goes on behind it */
	assert_int_equal(be16toh(lab_cqe(&sq.cq, MLX5_CQE_REQ).wqe_counter), 64);
}

static void nonsense_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"nonsense",
		"fail REG_MR",
		"fail X EIO",
		"fail REG_MR ESTUPID",
		"port",
		"port sideways",
		"fatal 99999",
		"fatal",
		"drop",
		"prewrite rx 1",
		"sq-error",
		"rq-error",
		"stats 3",
	};
	char out[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_true(cx_control(wrong[i], out, sizeof(out)) < 0);
		assert_true(strlen(out) > 5); /* a sentence */
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown_ends)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(send_errors_of_each_kind),
		T(an_error_in_the_middle_of_a_burst),
		T(a_fault_for_one_queue),
		T(receive_errors),
		T(receive_errors_of_each_kind),
		T(posting_to_a_queue_in_error),
		T(lost_frames),
		T(late_completions),
		T(a_slow_device_still_works),
		T(a_storm_of_completions),
		T(completions_written_in_advance),
		T(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
