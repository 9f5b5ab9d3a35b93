/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receiving: every field of the CQE that raw Ethernet uses, scatter, VLAN, hash, drops, timestamps.
 * Formats: guide 2.1, 2.4, 2.5.
 */
#include <endian.h>
#include <time.h>

#include "frames.h"
#include "lab.h"

static struct lab lab;
static struct lab_rq rq;
static struct ibv_flow *flow;
static struct frame f;

static void open_with(const struct lab_rq_attr *a)
{
	lab_open(&lab, NULL);
	lab_rq_new(&lab, &rq, a);
	flow = lab_flow_all(rq.qp);
}

static int setup(void **state)
{
	(void)state;
	open_with(NULL);
	return 0;
}

static int setup_strip(void **state)
{
	(void)state;
	open_with(&(struct lab_rq_attr) {.wq_flags = IBV_WQ_FLAGS_CVLAN_STRIPPING});
	return 0;
}

static int setup_sges(void **state)
{
	(void)state;
	open_with(&(struct lab_rq_attr) {.sges = 4});
	return 0;
}

static int setup_fcs(void **state)
{
	(void)state;
	open_with(&(struct lab_rq_attr) {.wq_flags = IBV_WQ_FLAGS_SCATTER_FCS});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(ibv_destroy_flow(flow), 0);
	lab_rq_free(&rq);
	lab_close(&lab);
	lab_clean();
	return 0;
}

/* Posts a buffer, lets f come, returns its CQE. */
static struct mlx5_cqe64 receive(void)
{
	lab_post(&lab, &rq, 0, 2048);
	lab_inject(f.b, f.len);
	return lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND);
}

static void a_frame_arrives(void **state)
{
	struct mlx5_cqe64 c;
	uint32_t i;

	(void)state;
	for (i = 0; i < 200; i++) { /* three times around the ring */
		frame_make(&f, &(struct frame_attr) {.payload = 100 + i});
		c = receive();
		assert_int_equal(be32toh(c.byte_cnt), f.len);
		assert_int_equal(be16toh(c.wqe_counter), i);
		assert_int_equal(be32toh(c.sop_drop_qpn), 0); /* no drop, default tag */
		assert_memory_equal(lab.mem, f.b, f.len);
	}
}

static uint32_t l3_type(const struct mlx5_cqe64 *c)
{
	return c->l4_hdr_type_etc >> 2 & 3;
}

static uint32_t l4_type(const struct mlx5_cqe64 *c)
{
	return c->l4_hdr_type_etc >> 4 & 7;
}

static uint32_t ok_bits(const struct mlx5_cqe64 *c)
{
	return c->hds_ip_ext & 7; /* bit 0 L2, 1 L3, 2 L4 */
}

static void header_types(void **state)
{
	struct mlx5_cqe64 c;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.payload = 10});
	c = receive();
	assert_int_equal(l3_type(&c), 2); /* IPv4 is 2, IPv6 is 1 */
	assert_int_equal(l4_type(&c), 2); /* UDP */
	assert_int_equal(ok_bits(&c), 7);
	frame_make(&f, &(struct frame_attr) {.six = true, .payload = 10});
	c = receive();
	assert_int_equal(l3_type(&c), 1);
	assert_int_equal(l4_type(&c), 2);
	assert_int_equal(ok_bits(&c), 7);
	frame_make(&f, &(struct frame_attr) {.tcp = true, .payload = 10, .flags = 0x02});
	c = receive();
	assert_int_equal(l4_type(&c), 1); /* TCP without ACK */
	frame_make(&f, &(struct frame_attr) {.tcp = true, .flags = 0x10});
	c = receive();
	assert_int_equal(l4_type(&c), 3); /* empty ACK */
	frame_make(&f, &(struct frame_attr) {.tcp = true, .payload = 10, .flags = 0x10});
	c = receive();
	assert_int_equal(l4_type(&c), 4); /* data with ACK */
	lab_put16(f.b + 12, 0x88b5);
	c = receive();
	assert_int_equal(l3_type(&c), 0);
	assert_int_equal(l4_type(&c), 0);
	assert_int_equal(ok_bits(&c), 1);
}

static void wrong_checksums_are_noticed(void **state)
{
	struct mlx5_cqe64 c;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.payload = 33});
	f.b[f.payload + 5] ^= 1;
	c = receive();
	assert_int_equal(ok_bits(&c), 3); /* L4 wrong */
	assert_int_equal(l4_type(&c), 2);
	frame_make(&f, &(struct frame_attr) {.tcp = true, .payload = 33});
	f.b[f.l3 + 8]--; /* TTL */
	c = receive();
	assert_int_equal(ok_bits(&c), 5); /* L3 wrong */
	frame_make(&f, &(struct frame_attr) {.six = true, .tcp = true, .payload = 33});
	f.b[f.l4 + 9] ^= 4;
	c = receive();
	assert_int_equal(ok_bits(&c), 3);
	frame_make(&f, &(struct frame_attr) {.payload = 33});
	lab_put16(f.b + f.l4 + 6, 0); /* UDP without checksum: nothing is wrong */
	c = receive();
	assert_int_equal(ok_bits(&c), 7);
}

/* Not only "good or bad": fragments and options have flags of their own (guide 2.1). */
static void fragments_and_options(void **state)
{
	struct mlx5_cqe64 c;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.payload = 32});
	lab_put16(f.b + f.l3 + 6, 0x2000);
	lab_put16(f.b + f.l3 + 10, 0);
	lab_put16(f.b + f.l3 + 10, (uint16_t)~frame_sum(f.b + f.l3, 20, 0));
	c = receive();
	assert_int_equal(c.l4_hdr_type_etc >> 7, 1);
	assert_int_equal(l4_type(&c), 0);
	assert_int_equal(ok_bits(&c), 3); /* no L4 to be right */
	frame_make(&f, &(struct frame_attr) {.payload = 32});
	f.b[f.l3] = 0x46; /* 4 bytes of the UDP header become options */
	lab_put16(f.b + f.l3 + 10, 0);
	lab_put16(f.b + f.l3 + 10, (uint16_t)~frame_sum(f.b + f.l3, 24, 0));
	c = receive();
	assert_int_equal(c.l4_hdr_type_etc >> 1 & 1, 1);
	assert_true(ok_bits(&c) & 2);
}

static void a_tag_stays_unless_stripped(void **state)
{
	struct mlx5_cqe64 c;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.vlan = 0x6005, .payload = 32});
	c = receive();
	assert_int_equal(be32toh(c.byte_cnt), f.len);
	assert_int_equal(c.l4_hdr_type_etc & 1, 0);
	assert_memory_equal(lab.mem, f.b, f.len);
	assert_int_equal(ok_bits(&c), 7); /* checked behind the tag */
}

static void a_tag_is_stripped(void **state)
{
	struct mlx5_cqe64 c;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.vlan = 0x6005, .payload = 32});
	c = receive();
	assert_int_equal(be32toh(c.byte_cnt), f.len - 4);
	assert_int_equal(c.l4_hdr_type_etc & 1, 1);
	assert_int_equal(be16toh(c.vlan_info), 0x6005);
	assert_memory_equal(lab.mem, f.b, 12);
	assert_memory_equal(lab.mem + 12, f.b + 16, f.len - 16);
	frame_make(&f, &(struct frame_attr) {.payload = 32}); /* none: nothing is stripped */
	c = receive();
	assert_int_equal(be32toh(c.byte_cnt), f.len);
	assert_int_equal(c.l4_hdr_type_etc & 1, 0);
	assert_int_equal(be16toh(c.vlan_info), 0);
	lab_put16(f.b + 12, 0x88a8); /* an S-tag is not stripped */
	c = receive();
	assert_int_equal(be32toh(c.byte_cnt), f.len);
	assert_int_equal(c.l4_hdr_type_etc & 1, 0);
}

static void stripping_is_switched_at_run_time(void **state)
{
	struct ibv_wq_attr a = {.attr_mask = IBV_WQ_ATTR_FLAGS,
				.flags_mask = IBV_WQ_FLAGS_CVLAN_STRIPPING,
				.flags = 0};

	(void)state;
	assert_int_equal(ibv_modify_wq(rq.wq, &a), 0);
	frame_make(&f, &(struct frame_attr) {.vlan = 5, .payload = 32});
	assert_int_equal(be32toh(receive().byte_cnt), f.len);
}

/* CRC-32 of "123456789" is 0xcbf43926; the FCS of a frame follows it, low byte first. */
static void the_fcs_is_scattered(void **state)
{
	static const uint8_t digits[] = {0x26, 0x39, 0xf4, 0xcb};
	uint32_t crc = ~0u, i, b;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.payload = 50});
	assert_int_equal(be32toh(receive().byte_cnt), f.len + 4);
	for (i = 0; i < f.len; i++)
		for (crc ^= f.b[i], b = 0; b < 8; b++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	crc = htole32(~crc);
	assert_memory_equal(lab.mem + f.len, &crc, 4);
	crc = ~0u;
	for (i = 0; i < 9; i++)
		for (crc ^= (uint32_t) "123456789"[i], b = 0; b < 8; b++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	crc = htole32(~crc);
	assert_memory_equal(&crc, digits, 4); /* the reference itself */
}

static void scatter_to_several_segments(void **state)
{
	uint8_t *w = lab_rwqe(&rq, 0);

	(void)state;
	lab_data(w, &lab, 0, 14);
	lab_data(w + 16, &lab, 1000, 1);
	lab_data(w + 32, &lab, 2000, 0); /* skipped */
	lab_data(w + 48, &lab, 3000, 1000);
	rq.pi++;
	lab_post_record(&rq);
	frame_make(&f, &(struct frame_attr) {.payload = 200});
	lab_inject(f.b, f.len);
	assert_int_equal(be32toh(lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND).byte_cnt), f.len);
	assert_memory_equal(lab.mem, f.b, 14);
	assert_memory_equal(lab.mem + 1000, f.b + 14, 1);
	assert_memory_equal(lab.mem + 3000, f.b + 15, f.len - 15);
}

/* A key of 0x100 ends the list (guide 2.4). */
static void the_list_of_segments_ends_early(void **state)
{
	uint8_t *w = lab_rwqe(&rq, 0);

	(void)state;
	lab_data(w, &lab, 0, 100);
	lab_put32(w + 20, MLX5_INVALID_LKEY);
	lab_data(w + 32, &lab, 1000, 1000);
	rq.pi++;
	lab_post_record(&rq);
	frame_make(&f, &(struct frame_attr) {.payload = 200});
	lab_inject(f.b, f.len);
	lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR);
	assert_int_equal(lab.mem[1000], 0);
}

/* Too long for its buffer: one WQE and one CQE are gone, the queue goes on (guide 2.6). */
static void a_frame_longer_than_the_buffer(void **state)
{
	struct mlx5_cqe64 c;

	(void)state;
	lab_post(&lab, &rq, 0, 100);
	lab_post(&lab, &rq, 2048, 2048);
	frame_make(&f, &(struct frame_attr) {.payload = 200});
	lab_inject(f.b, f.len);
	c = lab_cqe(&rq.cq, MLX5_CQE_RESP_ERR);
	assert_int_equal(((struct mlx5_err_cqe *)&c)->syndrome, MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR);
	assert_int_equal(be16toh(((struct mlx5_err_cqe *)&c)->wqe_counter), 0);
	lab_inject(f.b, f.len);
	c = lab_cqe(&rq.cq, MLX5_CQE_RESP_SEND);
	assert_int_equal(be16toh(c.wqe_counter), 1);
	assert_memory_equal(lab.mem + 2048, f.b, f.len);
}

/* An empty ring drops, silently; the next CQE says how often (guide 2.6). */
static void drops_are_counted(void **state)
{
	uint64_t before = lab_stat("out_of_buffer");
	struct mlx5_cqe64 c;
	uint32_t i;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.payload = 20});
	for (i = 0; i < 3; i++)
		lab_inject(f.b, f.len);
	lab_no_cqe(&rq.cq);
	c = receive();
	assert_int_equal(be32toh(c.sop_drop_qpn) >> 24, 3);
	c = receive();
	assert_int_equal(be32toh(c.sop_drop_qpn) >> 24, 0);
	for (i = 0; i < 300; i++)
		lab_inject(f.b, f.len);
	c = receive();
	assert_int_equal(be32toh(c.sop_drop_qpn) >> 24, 255); /* it stops there */
	assert_int_equal(lab_stat("out_of_buffer") - before, 303);
}

/* The free-running counter; mlx5dv turns it into wall-clock nanoseconds. */
static void timestamps(void **state)
{
	struct mlx5dv_clock_info info;
	struct timespec ts;
	uint64_t last = 0, t, before, after;
	uint32_t i;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.payload = 20});
	clock_gettime(CLOCK_REALTIME, &ts);
	before = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	for (i = 0; i < 10; i++) {
		t = be64toh(receive().timestamp);
		assert_true(t >= last && t != 0);
		last = t;
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	after = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	assert_int_equal(mlx5dv_get_clock_info(lab.ctx, &info), 0);
	t = mlx5dv_ts_to_ns(&info, last);
	/* The conversion is as good as its last update; seconds are far outside of that. */
	assert_true(t > before - 5000000000 && t < after + 5000000000);
}

static void the_clock_can_be_read(void **state)
{
	struct ibv_values_ex a = {.comp_mask = IBV_VALUES_MASK_RAW_CLOCK}, b = a;

	(void)state;
	assert_int_equal(ibv_query_rt_values_ex(lab.ctx, &a), 0);
	frame_make(&f, &(struct frame_attr) {.payload = 20});
	receive();
	assert_int_equal(ibv_query_rt_values_ex(lab.ctx, &b), 0);
	assert_true(a.raw_clock.tv_nsec != 0 && b.raw_clock.tv_nsec >= a.raw_clock.tv_nsec);
}

/* The ones' complement sum over what follows the Ethernet header. */
static void the_sum_of_the_packet(void **state)
{
	struct mlx5_cqe64 c;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.payload = 51});
	c = receive();
	assert_int_equal(be16toh(*(uint16_t *)((uint8_t *)&c + 0x14)),
			 frame_sum(f.b + 14, f.len - 14, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_frame_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(header_types, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_checksums_are_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(fragments_and_options, setup, teardown),
		cmocka_unit_test_setup_teardown(a_tag_stays_unless_stripped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_tag_is_stripped, setup_strip, teardown),
		cmocka_unit_test_setup_teardown(stripping_is_switched_at_run_time, setup_strip,
						teardown),
		cmocka_unit_test_setup_teardown(the_fcs_is_scattered, setup_fcs, teardown),
		cmocka_unit_test_setup_teardown(scatter_to_several_segments, setup_sges, teardown),
		cmocka_unit_test_setup_teardown(the_list_of_segments_ends_early, setup_sges,
						teardown),
		cmocka_unit_test_setup_teardown(a_frame_longer_than_the_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(drops_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(timestamps, setup, teardown),
		cmocka_unit_test_setup_teardown(the_clock_can_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(the_sum_of_the_packet, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
