/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ConnectX-4 Lx: 18 bytes of every frame inline, no multi-packet send, no VLAN insertion
 * (guide 4.2); compression as on its successors. Run with personality=cx4lx.
 */
#include "ends.h"
#include "frames.h"

static uint8_t got[2048];

static int setup(void **state)
{
	uint32_t i;

	setup_sender(state);
	for (i = 0; i < 2048; i++)
		lab.mem[i] = (uint8_t)(i * 3);
	return 0;
}

static void it_says_what_it_is(void **state)
{
	struct mlx5dv_context dv = {0};
	struct ibv_device_attr attr;

	(void)state;
	assert_int_equal(ibv_query_device(lab.ctx, &attr), 0);
	assert_int_equal(attr.vendor_part_id, 0x1015);
	assert_int_equal(mlx5dv_query_device(lab.ctx, &dv), 0);
	assert_false(dv.flags & MLX5DV_CONTEXT_FLAGS_ENHANCED_MPW);
	assert_true(dv.flags & MLX5DV_CONTEXT_FLAGS_MPW_ALLOWED);
}

static void send_inline(uint32_t inl, uint32_t len)
{
	uint32_t next = (30 + inl + 15) / 16 * 16, ds = next / 16 + (len > inl);
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, ds);

	lab_put16(w + 28, (uint16_t)inl);
	memcpy(w + 30, lab.mem, inl);
	if (len > inl)
		lab_data(w + next, &lab, inl, len - inl);
	lab_ring(&sq, ds);
}

static void the_header_goes_inline(void **state)
{
	static const uint32_t inl[] = {18, 22, 42, 60};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(inl) / sizeof(inl[0]); i++) {
		send_inline(inl[i], 200);
		lab_cqe(&sq.cq, MLX5_CQE_REQ);
		assert_int_equal(lab_capture(got, sizeof(got)), 200);
		assert_memory_equal(got, lab.mem, 200);
	}
}

/* A frame shorter than the minimum is all inline. */
static void a_short_frame(void **state)
{
	(void)state;
	send_inline(15, 15);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	assert_int_equal(lab_capture(got, sizeof(got)), 60);
	assert_memory_equal(got, lab.mem, 15);
}

static void too_little_inline(void **state)
{
	(void)state;
	lab_send(&lab, &sq, 0, 100); /* as a ConnectX-5 takes it */
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("sq.min-inline");
	lab_sq_reset(&sq);
	send_inline(17, 100);
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("sq.min-inline");
}

static void no_multi_packet_send(void **state)
{
	uint8_t *w = lab_wqe(&sq, 0x29, 3);

	(void)state;
	lab_data(w + 32, &lab, 0, 60);
	lab_ring(&sq, 3);
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("sq.opcode");
	lab_sq_reset(&sq);
	w = lab_wqe(&sq, MLX5_OPCODE_TSO, 3); /* the legacy one: TSO with modifier 1 */
	w[0] = 1;
	lab_data(w + 32, &lab, 0, 60);
	lab_ring(&sq, 3);
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("sq.opcode");
}

static void no_vlan_insertion(void **state)
{
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);

	(void)state;
	lab_put32(w + 28, 1u << 31 | 5);
	lab_data(w + 32, &lab, 0, 60);
	lab_ring(&sq, 3);
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("sq.vlan");
}

/* libibverbs' own sends copy the header by themselves. */
static void the_librarys_own_send(void **state)
{
	struct ibv_sge sge = {(uintptr_t)lab.mem, 500, lab.mr->lkey};
	struct ibv_send_wr wr = {.sg_list = &sge,
				 .num_sge = 1,
				 .opcode = IBV_WR_SEND,
				 .send_flags = IBV_SEND_SIGNALED},
			   *bad;
	struct ibv_cq *cq = ibv_create_cq(lab.ctx, 15, NULL, NULL, 0);
	struct ibv_qp_init_attr attr = {.qp_type = IBV_QPT_RAW_PACKET,
					.send_cq = cq,
					.recv_cq = cq,
					.cap = {.max_send_wr = 8, .max_send_sge = 1}};
	struct ibv_qp *qp = ibv_create_qp(lab.pd, &attr);
	struct ibv_wc wc;

	(void)state;
	lab_qp_state(qp, IBV_QPS_INIT);
	lab_qp_state(qp, IBV_QPS_RTR);
	lab_qp_state(qp, IBV_QPS_RTS);
	assert_int_equal(ibv_post_send(qp, &wr, &bad), 0);
	lab_sync();
	assert_int_equal(ibv_poll_cq(cq, 1, &wc), 1);
	assert_int_equal(wc.status, IBV_WC_SUCCESS);
	assert_int_equal(lab_capture(got, sizeof(got)), 500);
	assert_memory_equal(got, lab.mem, 500);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(ibv_destroy_cq(cq), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown_sender)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(it_says_what_it_is),	  T(the_header_goes_inline), T(a_short_frame),
		T(too_little_inline),	  T(no_multi_packet_send),   T(no_vlan_insertion),
		T(the_librarys_own_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
