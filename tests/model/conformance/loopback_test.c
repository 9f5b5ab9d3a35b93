/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a port sends to itself: off, until somebody asks for it. Rules: guide 5.6.
 */
#include "ends.h"
#include "frames.h"

static uint8_t got[2048];
static struct frame f;

static const uint8_t group[6] = {0x01, 0, 0x5e, 1, 2, 3};

static void send_to(const uint8_t *dst)
{
	frame_make(&f, &(struct frame_attr) {.dst = dst, .payload = 40});
	memcpy(lab.mem + 0x10000, f.b, f.len);
	lab_send(&lab, &sq, 0x10000, f.len);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
}

static bool on_the_wire(void)
{
	return cx_capture(0, got, sizeof(got)) == (int)f.len;
}

struct receiver {
	struct lab *lab;
	struct lab_rq rq;
	struct ibv_flow *flow;
};

static void receiver_new(struct receiver *r, struct lab *l, uint32_t loop)
{
	uint32_t i;

	r->lab = l;
	lab_rq_new(l, &r->rq, &(struct lab_rq_attr) {.loopback = loop});
	for (i = 0; i < 64; i++)
		lab_post(l, &r->rq, i * 512, 512);
	r->flow = lab_flow_all(r->rq.qp);
}

static void receiver_free(struct receiver *r)
{
	assert_int_equal(ibv_destroy_flow(r->flow), 0);
	lab_rq_free(&r->rq);
}

static void off_by_default(void **state)
{
	struct receiver r;

	(void)state;
	receiver_new(&r, &lab, 0);
	send_to(port_mac);
	assert_true(on_the_wire());
	lab_no_cqe(&r.rq.cq);
	receiver_free(&r);
}

#define UC MLX5DV_QP_CREATE_TIR_ALLOW_SELF_LOOPBACK_UC
#define MC MLX5DV_QP_CREATE_TIR_ALLOW_SELF_LOOPBACK_MC

/* A frame to the port's own address then comes back, and does not go out. */
static void unicast_on_request(void **state)
{
	static const uint8_t other[6] = {2, 0, 0, 0, 0, 7};
	struct receiver r;

	(void)state;
	receiver_new(&r, &lab, UC);
	send_to(port_mac);
	assert_int_equal(be32toh(lab_cqe(&r.rq.cq, MLX5_CQE_RESP_SEND).byte_cnt), f.len);
	assert_memory_equal(lab.mem, f.b, f.len);
	assert_false(on_the_wire());
	send_to(other);
	assert_true(on_the_wire());
	lab_no_cqe(&r.rq.cq);
	send_to(group); /* UC only */
	assert_true(on_the_wire());
	lab_no_cqe(&r.rq.cq);
	receiver_free(&r);
}

/* A multicast frame goes both ways. */
static void multicast_on_request(void **state)
{
	struct receiver r;

	(void)state;
	receiver_new(&r, &lab, MC);
	send_to(group);
	assert_int_equal(be32toh(lab_cqe(&r.rq.cq, MLX5_CQE_RESP_SEND).byte_cnt), f.len);
	assert_true(on_the_wire());
	receiver_free(&r);
}

/* One TIR that asks turns the port's switch; others of the same context still block their own. */
static void each_queue_decides(void **state)
{
	struct receiver a, b;

	(void)state;
	receiver_new(&a, &lab, UC);
	receiver_new(&b, &lab, 0); /* same match: both would get a copy */
	send_to(port_mac);
	lab_cqe(&a.rq.cq, MLX5_CQE_RESP_SEND);
	lab_no_cqe(&b.rq.cq);
	receiver_free(&b);
	receiver_free(&a);
}

/* A second context turns it on for everybody, silently (guide 5.6: test). */
static void a_second_program_changes_it(void **state)
{
	struct receiver mine, theirs;
	struct lab other;

	(void)state;
	receiver_new(&mine, &lab, 0);
	lab_open(&other, NULL);
	receiver_new(&theirs, &other, 0);
	send_to(port_mac);
	assert_false(on_the_wire());
	lab_no_cqe(&mine.rq.cq); /* its own frames it still blocks */
	lab_cqe(&theirs.rq.cq, MLX5_CQE_RESP_SEND);
	receiver_free(&theirs);
	lab_close(&other);
	send_to(port_mac); /* and off again */
	assert_true(on_the_wire());
	receiver_free(&mine);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_sender, teardown_sender)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(off_by_default),     T(unicast_on_request),	       T(multicast_on_request),
		T(each_queue_decides), T(a_second_program_changes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
