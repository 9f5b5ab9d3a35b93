/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending: SEND in all its forms, completions, the ring's end, VLAN insertion. Formats: guide 4.1.
 */
#include "ends.h"
#include "frames.h"

static uint8_t got[4096];

static int setup(void **state)
{
	uint32_t i;

	setup_sender(state);
	for (i = 0; i < 16384; i++)
		lab.mem[i] = (uint8_t)(i * 7 + (i >> 8));
	return 0;
}

static void expect(const uint8_t *frame, uint32_t len)
{
	assert_int_equal(lab_capture(got, sizeof(got)), len);
	assert_memory_equal(got, frame, len);
}

static void a_frame_by_pointer(void **state)
{
	struct mlx5_cqe64 c;

	(void)state;
	lab_send(&lab, &sq, 100, 333);
	expect(lab.mem + 100, 333);
	c = lab_cqe(&sq.cq, MLX5_CQE_REQ);
	assert_int_equal(be16toh(c.wqe_counter), 0);
	assert_int_equal(be32toh(c.sop_drop_qpn), (uint32_t)MLX5_OPCODE_SEND << 24 | sq.dv.sqn);
}

static void every_length_up_to_the_mtu(void **state)
{
	static const uint8_t zero[60];
	uint32_t len;

	(void)state;
	for (len = 14; len <= 1522; len += len < 80 ? 1 : 97) {
		uint32_t wire = len < 60 ? 60 : len; /* padded by the port */

		lab_send(&lab, &sq, len, len);
		assert_int_equal(lab_capture(got, sizeof(got)), wire);
		assert_memory_equal(got, lab.mem + len, len);
		assert_memory_equal(got + len, zero, wire - len);
		lab_cqe(&sq.cq, MLX5_CQE_REQ);
	}
}

/* Several pointer segments make one frame; an inline segment may stand among them. */
static void a_frame_from_several_segments(void **state)
{
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 6);

	(void)state;
	lab_data(w + 32, &lab, 0, 14);
	lab_put32(w + 48, 5 | MLX5_INLINE_SEG);
	memcpy(w + 52, lab.mem + 14, 5);
	lab_data(w + 64, &lab, 19, 1);
	lab_data(w + 80, &lab, 20, 480);
	lab_ring(&sq, 6);
	expect(lab.mem, 500);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

/* Inline header of 18 bytes: data segments begin at byte 48 (guide 4.1). */
static void an_inline_header(void **state)
{
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 4);

	(void)state;
	lab_put16(w + 28, 18);
	memcpy(w + 30, lab.mem, 18);
	lab_data(w + 48, &lab, 18, 200);
	lab_ring(&sq, 4);
	expect(lab.mem, 218);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

static void a_whole_frame_inline(void **state)
{
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 7);

	(void)state;
	lab_put16(w + 28, 64);
	memcpy(w + 30, lab.mem, 64);
	lab_ring(&sq, 7); /* 30 + 64 bytes are 6 units; the seventh is the segment that follows */
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_PROT_ERR);
	lab_broke("sq.zero-length");
	lab_sq_reset(&sq);
	w = lab_wqe(&sq, MLX5_OPCODE_SEND, 6);
	lab_put16(w + 28, 64);
	memcpy(w + 30, lab.mem, 64);
	lab_ring(&sq, 6);
	expect(lab.mem, 64);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

static void an_inline_data_segment(void **state)
{
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 2 + 7);

	(void)state;
	lab_put32(w + 32, 100 | MLX5_INLINE_SEG);
	memcpy(w + 36, lab.mem, 100);
	lab_ring(&sq, 9);
	expect(lab.mem, 100);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

/* A WQE of 2 WQEBBs whose second half lies at the ring's start (guide 4.7). */
static void a_wqe_wraps_the_ring(void **state)
{
	uint8_t *ring = sq.dv.sq.buf, *w;
	uint32_t i;

	(void)state;
	for (i = 0; i < 63; i++) {
		lab_send(&lab, &sq, 0, 60);
		expect(lab.mem, 60);
		lab_cqe(&sq.cq, MLX5_CQE_REQ);
	}
	w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);
	lab_put32(w + 4, sq.dv.sqn << 8 | 6);
	lab_data(w + 32, &lab, 0, 100);
	lab_data(w + 48, &lab, 100, 100);
	lab_data(ring, &lab, 200, 100);
	lab_data(ring + 16, &lab, 300, 100);
	lab_ring(&sq, 6);
	expect(lab.mem, 400);
	assert_int_equal(be16toh(lab_cqe(&sq.cq, MLX5_CQE_REQ).wqe_counter), 63);
	assert_int_equal(sq.pi, 65);
	lab_send(&lab, &sq, 7, 77); /* after it, slot 1 */
	expect(lab.mem + 7, 77);
	assert_int_equal(be16toh(lab_cqe(&sq.cq, MLX5_CQE_REQ).wqe_counter), 65);
}

/* Indexes count WQEBBs modulo 2^16, whatever the ring's size. */
static void indexes_wrap_at_65536(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 65536 + 10; i++) {
		uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);

		lab_data(w + 32, &lab, i & 1023, 60);
		if (i % 32 != 31 && i < 65530)
			w[11] = 0;
		sq.pi++;
		if (w[11]) {
			lab_record(&sq);
			lab_register(&sq, w);
			assert_int_equal(be16toh(lab_cqe(&sq.cq, MLX5_CQE_REQ).wqe_counter),
					 i & 0xffff);
			while (cx_capture(0, got, sizeof(got)) > 0)
				;
		}
	}
}

/* One completion covers all WQEs before it; a WQE without the flag has none (guide 4.5). */
static void completions_on_request(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);

		w[11] = i == 3 ? MLX5_WQE_CTRL_CQ_UPDATE : i == 1 ? 1 << 2 : 0;
		lab_data(w + 32, &lab, i, 60);
		lab_ring(&sq, 3);
		expect(lab.mem + i, 60);
	}
	assert_int_equal(be16toh(lab_cqe(&sq.cq, MLX5_CQE_REQ).wqe_counter), 3);
	lab_no_cqe(&sq.cq);
}

/* The CQ's owner bit is the parity of the pass, through many passes. */
static void the_completion_ring_wraps(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 5 * sq.cq.dv.cqe_cnt; i++) {
		lab_send(&lab, &sq, 0, 60);
		expect(lab.mem, 60);
		assert_int_equal(be16toh(lab_cqe(&sq.cq, MLX5_CQE_REQ).wqe_counter), i & 0xffff);
	}
}

static void a_nop_sends_nothing(void **state)
{
	(void)state;
	lab_wqe(&sq, MLX5_OPCODE_NOP, 1);
	lab_ring(&sq, 1);
	assert_int_equal(be32toh(lab_cqe(&sq.cq, MLX5_CQE_REQ).sop_drop_qpn) >> 24,
			 MLX5_OPCODE_NOP);
}

static void a_burst_with_one_doorbell(void **state)
{
	uint8_t *last = NULL;
	uint32_t i;

	(void)state;
	for (i = 0; i < 64; i++) {
		last = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);
		lab_data(last + 32, &lab, i * 64, 64);
		if (i != 63)
			last[11] = 0;
		sq.pi++;
	}
	lab_record(&sq);
	lab_no_capture(); /* the record alone is not looked at */
	lab_sync();
	lab_no_capture();
	lab_register(&sq, last);
	lab_sync();
	for (i = 0; i < 64; i++)
		expect(lab.mem + (size_t)i * 64, 64);
	assert_int_equal(be16toh(lab_cqe(&sq.cq, MLX5_CQE_REQ).wqe_counter), 63);
}

/* BlueFlame writes the WQE itself into the register; the device takes its first 8 bytes. */
static void the_register_by_blueflame(void **state)
{
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3), *second;
	uint32_t i;

	(void)state;
	if (!sq.dv.bf.size)
		skip();
	lab_data(w + 32, &lab, 0, 64);
	sq.pi++;
	lab_record(&sq);
	for (i = 0; i < 64; i += 8)
		memcpy((uint8_t *)sq.dv.bf.reg + i, w + i, 8);
	lab_sync();
	expect(lab.mem, 64);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	second = lab_wqe(&sq, MLX5_OPCODE_SEND, 3); /* the other half of the register */
	lab_data(second + 32, &lab, 64, 64);
	sq.pi++;
	lab_record(&sq);
	memcpy((uint8_t *)sq.dv.bf.reg + sq.dv.bf.size, second, 8);
	lab_sync();
	expect(lab.mem + 64, 64);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

/* A tag in the Ethernet segment: bit 15 and the TCI at offset 12 (guide 4.1). */
static void a_vlan_tag_is_inserted(void **state)
{
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);

	(void)state;
	lab_put32(w + 28, 1u << 31 | 0x2064);
	lab_data(w + 32, &lab, 0, 100);
	lab_ring(&sq, 3);
	assert_int_equal(lab_capture(got, sizeof(got)), 104);
	assert_memory_equal(got, lab.mem, 12);
	assert_int_equal(lab_get32(got + 12), 0x81002064);
	assert_memory_equal(got + 16, lab.mem + 12, 88);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

/* A key belongs to a region; its address space begins where the program said. */
static void a_region_with_another_address(void **state)
{
	struct ibv_mr *mr =
		ibv_reg_mr_iova(lab.pd, lab.mem, 8192, 0x100000000, IBV_ACCESS_LOCAL_WRITE);
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);

	(void)state;
	assert_non_null(mr);
	lab_put32(w + 32, 100);
	lab_put32(w + 36, mr->lkey);
	lab_put64(w + 40, 0x100000000 + 50);
	lab_ring(&sq, 3);
	expect(lab.mem + 50, 100);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	assert_int_equal(ibv_dereg_mr(mr), 0);
}

/* libibverbs' own way to send: what libmlx5 writes is understood. */
static void the_librarys_own_send(void **state)
{
	struct ibv_sge sge[1] = {{(uintptr_t)lab.mem, 500, lab.mr->lkey}};
	struct ibv_send_wr wr = {.wr_id = 42,
				 .sg_list = sge,
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
	assert_non_null(qp);
	lab_qp_state(qp, IBV_QPS_INIT);
	lab_qp_state(qp, IBV_QPS_RTR);
	lab_qp_state(qp, IBV_QPS_RTS);
	assert_int_equal(ibv_post_send(qp, &wr, &bad), 0);
	lab_sync();
	expect(lab.mem, 500);
	assert_int_equal(ibv_poll_cq(cq, 1, &wc), 1);
	assert_int_equal(wc.status, IBV_WC_SUCCESS);
	assert_int_equal(wc.wr_id, 42);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(ibv_destroy_cq(cq), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown_sender)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_frame_by_pointer),
		T(every_length_up_to_the_mtu),
		T(a_frame_from_several_segments),
		T(an_inline_header),
		T(a_whole_frame_inline),
		T(an_inline_data_segment),
		T(a_wqe_wraps_the_ring),
		T(indexes_wrap_at_65536),
		T(completions_on_request),
		T(the_completion_ring_wraps),
		T(a_nop_sends_nothing),
		T(a_burst_with_one_doorbell),
		T(the_register_by_blueflame),
		T(a_vlan_tag_is_inserted),
		T(a_region_with_another_address),
		T(the_librarys_own_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
