/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending: checksums, TSO, multi-packet send. Formats: guide 4.1, 4.3, 4.4.
 */
#include <netinet/in.h>

#include "ends.h"
#include "frames.h"

static struct frame f;
static uint8_t got[4096];

/* Sends f with the flags; what arrives is in got. */
static void send_with(uint8_t flags)
{
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);

	memcpy(lab.mem, f.b, f.len);
	w[20] = flags;
	lab_data(w + 32, &lab, 0, f.len);
	lab_ring(&sq, 3);
	lab_capture(got, sizeof(got));
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

#define L3 MLX5_ETH_WQE_L3_CSUM
#define L4 MLX5_ETH_WQE_L4_CSUM

static void checksums_are_computed(void **state)
{
	int six, tcp, vlan;

	(void)state;
	for (six = 0; six < 2; six++)
		for (tcp = 0; tcp < 2; tcp++)
			for (vlan = 0; vlan < 2; vlan++) {
				frame_make(&f, &(struct frame_attr) {.six = six,
								     .tcp = tcp,
								     .vlan = vlan * 5,
								     .payload = 101,
								     .no_sums = true});
				send_with(L3 | L4);
				assert_true(six || frame_l3_right(got));
				assert_true(frame_l4_right(got, f.len));
				frame_make(&f, &(struct frame_attr) {.six = six,
								     .tcp = tcp,
								     .vlan = vlan * 5,
								     .payload = 101});
				assert_memory_equal(got, f.b, f.len); /* nothing else changes */
			}
}

/* What stood in the fields does not matter: zero, pseudo header, or rubbish. */
static void old_checksums_do_not_matter(void **state)
{
	struct frame right;

	(void)state;
	frame_make(&right, &(struct frame_attr) {.tcp = true, .payload = 40});
	f = right;
	lab_put16(f.b + f.l3 + 10, 0xdead);
	lab_put16(f.b + f.l4 + 16, 0xbeef);
	send_with(L3 | L4);
	assert_memory_equal(got, right.b, right.len);
}

static void each_flag_is_its_own(void **state)
{
	(void)state;
	frame_make(&f, &(struct frame_attr) {.payload = 40, .no_sums = true});
	send_with(L3);
	assert_true(frame_l3_right(got));
	assert_int_equal(lab_get16(got + f.l4 + 6), 0);
	send_with(L4);
	assert_int_equal(lab_get16(got + f.l3 + 10), 0);
	assert_true(frame_l4_right(got, f.len));
	send_with(0);
	assert_memory_equal(got, f.b, f.len);
}

/* No effect on fragments and unknown protocols (guide 4.1). */
static void fragments_and_strangers_stay(void **state)
{
	(void)state;
	frame_make(&f, &(struct frame_attr) {.payload = 40, .no_sums = true});
	lab_put16(f.b + f.l3 + 6, 0x2000); /* more fragments */
	send_with(L4);
	assert_memory_equal(got, f.b, f.len);
	frame_make(&f, &(struct frame_attr) {.payload = 40, .no_sums = true});
	f.b[f.l3 + 9] = 47;
	send_with(L4);
	assert_memory_equal(got, f.b, f.len);
	lab_put16(f.b + 12, 0x88b5);
	send_with(L3 | L4);
	assert_memory_equal(got, f.b, f.len);
}

/* A UDP checksum that comes out as 0 is sent as 0xffff. */
static void a_udp_checksum_of_zero(void **state)
{
	uint16_t sum;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.payload = 2});
	sum = lab_get16(f.b + f.l4 + 6);
	/* The payload absorbs what is missing to a sum of 0xffff. */
	lab_put16(f.b + f.payload, frame_sum((uint8_t[]) {(uint8_t)(sum >> 8), (uint8_t)sum}, 2,
					     lab_get16(f.b + f.payload)));
	send_with(L4);
	assert_int_equal(lab_get16(got + f.l4 + 6), 0xffff);
	assert_true(frame_l4_right(got, f.len));
}

/* ---- TSO ---- */

static uint8_t *tso_wqe(uint32_t mss, uint32_t head, uint32_t len)
{
	uint32_t next = (30 + head + 15) & ~15u;
	uint8_t *w = lab_wqe(&sq, MLX5_OPCODE_TSO, next / 16 + 1);

	w[20] = L3 | L4;
	lab_put16(w + 22, (uint16_t)mss);
	lab_put16(w + 28, (uint16_t)head);
	memcpy(w + 30, f.b, head);
	lab_data(w + next, &lab, 0, len);
	return w;
}

static void ring_tso(const uint8_t *w)
{
	lab_ring(&sq, lab_get32(w + 4) & 0x3f);
}

static void one_segment(uint32_t off, uint32_t n, uint32_t number, bool last, bool six)
{
	uint32_t len = lab_capture(got, sizeof(got));

	assert_int_equal(len, f.payload + n < 60 ? 60 : f.payload + n);
	assert_memory_equal(got + f.payload, lab.mem + off, n);
	assert_true(six || frame_l3_right(got));
	assert_true(frame_l4_right(got, f.payload + n));
	assert_int_equal(lab_get32(got + f.l4 + 4), 0x01020304 + off);
	assert_int_equal(lab_get16(got + f.l3 + (six ? 4 : 2)),
			 f.payload - f.l3 - (six ? 40 : 0) + n);
	if (!six)
		assert_int_equal(lab_get16(got + f.l3 + 4), 0x1234 + number);
	/* FIN and PSH belong to the last segment, CWR to the first. */
	assert_int_equal(got[f.l4 + 13] & 0x09, last ? 0x09 : 0);
	assert_int_equal(got[f.l4 + 13] & 0x80, number ? 0 : 0x80);
	assert_int_equal(got[f.l4 + 13] & 0x10, 0x10);
}

static void tso_cuts_into_segments(void **state)
{
	int six, vlan;
	uint32_t i;

	(void)state;
	for (i = 0; i < 10000; i++)
		lab.mem[i] = (uint8_t)(i * 13);
	for (six = 0; six < 2; six++)
		for (vlan = 0; vlan < 2; vlan++) {
			frame_make(&f, &(struct frame_attr) {.six = six,
							     .tcp = true,
							     .vlan = vlan * 9,
							     .flags = 0x99,
							     .no_sums = true});
			ring_tso(tso_wqe(1400, f.payload, 5000));
			for (i = 0; i < 4; i++)
				one_segment(i * 1400, i == 3 ? 800 : 1400, i, i == 3, six);
			lab_cqe(&sq.cq, MLX5_CQE_REQ);
			lab_no_cqe(&sq.cq); /* one WQE, one completion */
		}
}

static void tso_of_one_segment(void **state)
{
	(void)state;
	frame_make(&f, &(struct frame_attr) {.tcp = true, .flags = 0x99, .no_sums = true});
	ring_tso(tso_wqe(1400, f.payload, 1));
	one_segment(0, 1, 0, true, false);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

static void tso_refusals(void **state)
{
	uint8_t *w;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.tcp = true});
	ring_tso(tso_wqe(0, f.payload, 100)); /* no segment size */
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("tso.header");
	lab_sq_reset(&sq);
	ring_tso(tso_wqe(1400, f.payload - 4, 100)); /* the header is cut */
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("tso.header");
	lab_sq_reset(&sq);
	w = tso_wqe(1400, f.payload, 100);
	w[20] = L3;
	ring_tso(w);
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("tso.csum");
	lab_sq_reset(&sq);
	frame_make(&f, &(struct frame_attr) {.payload = 0}); /* UDP */
	ring_tso(tso_wqe(1400, f.payload, 100));
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("tso.header");
	lab_sq_reset(&sq);
	w = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);
	lab_put16(w + 22, 1400);
	lab_data(w + 32, &lab, 0, 100);
	lab_ring(&sq, 3);
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("sq.mss");
}

/* ---- multi-packet send ---- */

#define EMPW 0x29

static void many_packets_in_one_wqe(void **state)
{
	uint32_t n, i;

	(void)state;
	for (i = 0; i < 16384; i++)
		lab.mem[i] = (uint8_t)(i * 11);
	for (n = 1; n <= 61; n += 20) { /* 61 pointers fill the 63 units */
		uint8_t *w;

		w = lab_wqe(&sq, EMPW, 2 + n);
		for (i = 0; i < n; i++)
			lab_data(w + 32 + (size_t)i * 16, &lab, i * 200, 60 + i);
		lab_ring(&sq, 2 + n);
		for (i = 0; i < n; i++) {
			assert_int_equal(lab_capture(got, sizeof(got)), 60 + i);
			assert_memory_equal(got, lab.mem + (size_t)i * 200, 60 + i);
		}
		assert_int_equal(be32toh(lab_cqe(&sq.cq, MLX5_CQE_REQ).sop_drop_qpn) >> 24, EMPW);
		lab_no_cqe(&sq.cq);
	}
}

/* Inline packets stand among pointers, each padded to 16 bytes (guide 4.3). */
static void inline_packets_in_a_multi_packet_send(void **state)
{
	uint8_t *w = lab_wqe(&sq, EMPW, 2 + 5 + 1 + 5);
	uint32_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		uint8_t *seg = w + 32 + i * 96;

		lab_put32(seg, (uint32_t)(64 + i * 8) | MLX5_INLINE_SEG);
		memset(seg + 4, (int)(0x40 + i), 64 + i * 8);
	}
	lab_data(w + 32 + 80, &lab, 0, 99);
	lab_ring(&sq, 13);
	assert_int_equal(lab_capture(got, sizeof(got)), 64);
	assert_int_equal(got[63], 0x40);
	assert_int_equal(lab_capture(got, sizeof(got)), 99);
	assert_int_equal(lab_capture(got, sizeof(got)), 72);
	assert_int_equal(got[71], 0x41);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

/* All packets of the WQE share its checksum flags. */
static void checksums_in_a_multi_packet_send(void **state)
{
	uint8_t *w = lab_wqe(&sq, EMPW, 4);
	uint32_t i;

	(void)state;
	w[20] = L3 | L4;
	for (i = 0; i < 2; i++) {
		frame_make(&f, &(struct frame_attr) {.tcp = i, .payload = 60 + i, .no_sums = true});
		memcpy(lab.mem + (size_t)i * 256, f.b, f.len);
		lab_data(w + 32 + (size_t)i * 16, &lab, i * 256, f.len);
	}
	lab_ring(&sq, 4);
	for (i = 0; i < 2; i++) {
		lab_capture(got, sizeof(got));
		assert_true(frame_l3_right(got));
		assert_true(frame_l4_right(got, f.len));
	}
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

static void multi_packet_send_refusals(void **state)
{
	uint8_t *w = lab_wqe(&sq, EMPW, 4);

	(void)state;
	lab_put16(w + 28, 18); /* an inline header */
	lab_data(w + 48, &lab, 0, 64);
	lab_ring(&sq, 4);
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("empw.header");
	lab_sq_reset(&sq);
	lab_wqe(&sq, EMPW, 2); /* no packet at all */
	lab_ring(&sq, 2);
	lab_cqe_error(&sq.cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
	lab_broke("empw.header");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_sender, teardown_sender)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(checksums_are_computed),
		T(old_checksums_do_not_matter),
		T(each_flag_is_its_own),
		T(fragments_and_strangers_stay),
		T(a_udp_checksum_of_zero),
		T(tso_cuts_into_segments),
		T(tso_of_one_segment),
		T(tso_refusals),
		T(many_packets_in_one_wqe),
		T(inline_packets_in_a_multi_packet_send),
		T(checksums_in_a_multi_packet_send),
		T(multi_packet_send_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
