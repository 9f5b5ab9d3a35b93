/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generator, a wire from which configured flows come. Four devices:
 *   mlx5_0  flows=3,len=128,proto=tcp6,count=30
 *   mlx5_1  flows=2,vlan=5,count=10
 *   mlx5_2  rate=1000000,count=50
 *   mlx5_3  proto=tcp,count=20
 */
#include "frames.h"
#include "lab.h"

#define ROOM 2048

struct bench {
	struct lab lab;
	struct lab_rq rq;
	struct ibv_flow *flow;
};

static void open_bench(struct bench *b, const char *name)
{
	lab_open(&b->lab, name);
	lab_rq_new(&b->lab, &b->rq, NULL);
}

static void post(struct bench *b, uint32_t n)
{
	while (n--)
		lab_post(&b->lab, &b->rq, (b->rq.pi & 63u) * ROOM, ROOM);
}

static void close_bench(struct bench *b)
{
	assert_int_equal(ibv_destroy_flow(b->flow), 0);
	lab_rq_free(&b->rq);
	lab_close(&b->lab);
	lab_clean();
}

static uint64_t missed(int dev)
{
	char out[4096], line[16], *at;

	snprintf(line, sizeof(line), "stats %d", dev);
	assert_int_equal(cx_control(line, out, sizeof(out)), 0);
	at = strstr(out, "out_of_buffer ");
	assert_non_null(at);
	return strtoull(at + 14, NULL, 10);
}

/* Flows in turn, told apart by their source port; so many bytes, and right sums; so many in all. */
static void flows_in_turn(void **state)
{
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, "mlx5_0");
	post(&b, 64);
	lab_sync();
	lab_no_cqe(&b.rq.cq); /* not before there is a rule */
	b.flow = lab_flow_all(b.rq.qp);
	for (i = 0; i < 30; i++) {
		const uint8_t *p = b.lab.mem + i * ROOM;
		struct mlx5_cqe64 c = lab_cqe(&b.rq.cq, MLX5_CQE_RESP_SEND);

		assert_int_equal(be32toh(c.byte_cnt), 128);
		assert_int_equal(lab_get16(p + 12), 0x86dd);
		assert_int_equal(p[20], 6); /* TCP */
		assert_int_equal(lab_get16(p + 54), 1024 + i % 3);
		assert_int_equal(c.hds_ip_ext & 7, 7);
		assert_true(frame_l4_right(p, 128));
	}
	lab_no_cqe(&b.rq.cq);
	close_bench(&b);
}

static void with_a_tag(void **state)
{
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, "mlx5_1");
	post(&b, 64);
	b.flow = lab_flow_all(b.rq.qp);
	for (i = 0; i < 10; i++) {
		const uint8_t *p = b.lab.mem + i * ROOM;

		lab_cqe(&b.rq.cq, MLX5_CQE_RESP_SEND);
		assert_int_equal(lab_get32(p + 12), 0x81000005);
		assert_int_equal(lab_get16(p + 16), 0x0800);
		assert_int_equal(lab_get16(p + 38), 1024 + i % 2);
	}
	lab_no_cqe(&b.rq.cq);
	close_bench(&b);
}

/* At a rate it does not wait: what finds no buffer is lost, and counted. */
static void at_a_rate(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, "mlx5_2");
	b.flow = lab_flow_all(b.rq.qp);
	while (missed(2) < 50)
		lab_sync();
	post(&b, 4);
	lab_no_cqe(&b.rq.cq);
	assert_int_equal(missed(2), 50);
	close_bench(&b);
}

/* Without one it loses nothing: it sends as buffers come. */
static void as_buffers_allow(void **state)
{
	struct bench b;
	uint32_t i, k;

	(void)state;
	open_bench(&b, "mlx5_3");
	b.flow = lab_flow_all(b.rq.qp);
	lab_no_cqe(&b.rq.cq);
	for (i = 0; i < 5; i++) {
		post(&b, 4);
		for (k = 0; k < 4; k++)
			lab_cqe(&b.rq.cq, MLX5_CQE_RESP_SEND);
		lab_no_cqe(&b.rq.cq);
	}
	post(&b, 4);
	lab_no_cqe(&b.rq.cq); /* twenty have come */
	assert_int_equal(missed(3), 0);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_in_turn),
		cmocka_unit_test(with_a_tag),
		cmocka_unit_test(at_a_rate),
		cmocka_unit_test(as_buffers_allow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
