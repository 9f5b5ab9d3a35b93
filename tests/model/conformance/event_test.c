/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events: completion channels and arming, asynchronous events of port, device and queues.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "lab.h"

static struct lab lab;
static struct ibv_comp_channel *channel;
static struct ibv_cq *cq;
static struct ibv_qp *qp;

static int setup(void **state)
{
	struct ibv_qp_init_attr attr = {.qp_type = IBV_QPT_RAW_PACKET,
					.cap = {.max_send_wr = 32, .max_send_sge = 1}};

	(void)state;
	lab_open(&lab, NULL);
	channel = ibv_create_comp_channel(lab.ctx);
	assert_non_null(channel);
	cq = ibv_create_cq(lab.ctx, 63, &lab, channel, 1);
	assert_non_null(cq);
	attr.send_cq = attr.recv_cq = cq;
	qp = ibv_create_qp(lab.pd, &attr);
	assert_non_null(qp);
	lab_qp_state(qp, IBV_QPS_INIT);
	lab_qp_state(qp, IBV_QPS_RTR);
	lab_qp_state(qp, IBV_QPS_RTS);
	assert_int_equal(fcntl(channel->fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(lab.ctx->async_fd, F_SETFL, O_NONBLOCK), 0);
	return 0;
}

static int teardown(void **state)
{
	uint8_t got[64];

	(void)state;
	while (cx_capture(0, got, sizeof(got)) > 0)
		;
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(ibv_destroy_cq(cq), 0);
	assert_int_equal(ibv_destroy_comp_channel(channel), 0);
	lab_close(&lab);
	lab_clean();
	return 0;
}

static void send_one(bool poll_it)
{
	struct ibv_sge sge = {(uintptr_t)lab.mem, 60, lab.mr->lkey};
	struct ibv_send_wr wr = {.sg_list = &sge,
				 .num_sge = 1,
				 .opcode = IBV_WR_SEND,
				 .send_flags = IBV_SEND_SIGNALED},
			   *bad;
	struct ibv_wc wc;

	assert_int_equal(ibv_post_send(qp, &wr, &bad), 0);
	lab_sync();
	if (poll_it)
		assert_int_equal(ibv_poll_cq(cq, 1, &wc), 1);
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void take_event(void)
{
	struct ibv_cq *from;
	void *ctx;

	assert_true(readable(channel->fd));
	assert_int_equal(ibv_get_cq_event(channel, &from, &ctx), 0);
	assert_ptr_equal(from, cq);
	assert_ptr_equal(ctx, &lab);
	ibv_ack_cq_events(cq, 1);
}

static void nothing_without_arming(void **state)
{
	(void)state;
	send_one(true);
	assert_false(readable(channel->fd));
}

static void one_event_for_each_arming(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 10; i++) { /* the sequence number, two bits, goes around */
		assert_int_equal(ibv_req_notify_cq(cq, 0), 0);
		lab_sync();
		assert_false(readable(channel->fd));
		send_one(true);
		send_one(true);
		take_event();
		assert_false(readable(channel->fd));
	}
}

/* What came between the last look and the arming is not lost. */
static void arming_with_completions_unread(void **state)
{
	struct ibv_wc wc;

	(void)state;
	send_one(false);
	assert_int_equal(ibv_req_notify_cq(cq, 0), 0);
	lab_sync();
	take_event();
	assert_int_equal(ibv_poll_cq(cq, 1, &wc), 1);
}

/* A destroyed queue's unread event does not hold it up; those of others stay. */
static void events_of_a_destroyed_queue(void **state)
{
	struct ibv_cq *other = ibv_create_cq(lab.ctx, 15, NULL, channel, 0);

	(void)state;
	assert_int_equal(ibv_req_notify_cq(cq, 0), 0);
	lab_sync();
	send_one(true);
	assert_int_equal(ibv_destroy_cq(other), 0);
	take_event();
	assert_int_equal(ibv_req_notify_cq(cq, 0), 0);
	lab_sync();
	send_one(true); /* left unread: teardown destroys the queue */
	assert_true(readable(channel->fd));
}

/* ---- asynchronous events ---- */

static struct ibv_async_event async(enum ibv_event_type type)
{
	struct ibv_async_event e;

	lab_sync();
	assert_int_equal(ibv_get_async_event(lab.ctx, &e), 0);
	assert_int_equal(e.event_type, type);
	return e;
}

static enum ibv_port_state port_state(void)
{
	struct ibv_port_attr p;

	assert_int_equal(ibv_query_port(lab.ctx, 1, &p), 0);
	return p.state;
}

static void the_port_goes_down_and_up(void **state)
{
	struct ibv_async_event e;
	uint8_t got[64];

	(void)state;
	assert_int_equal(port_state(), IBV_PORT_ACTIVE);
	lab_control("port down");
	e = async(IBV_EVENT_PORT_ERR);
	assert_int_equal(e.element.port_num, 1);
	ibv_ack_async_event(&e);
	assert_int_equal(port_state(), IBV_PORT_DOWN);
	send_one(true); /* completes, and is lost */
	lab_no_capture();
	lab_control("port up");
	e = async(IBV_EVENT_PORT_ACTIVE);
	ibv_ack_async_event(&e);
	assert_int_equal(port_state(), IBV_PORT_ACTIVE);
	send_one(true);
	assert_int_equal(lab_capture(got, sizeof(got)), 60);
}

static void the_device_dies(void **state)
{
	struct ibv_async_event e;

	(void)state;
	lab_control("fatal device");
	e = async(IBV_EVENT_DEVICE_FATAL);
	ibv_ack_async_event(&e);
}

static void a_queue_pair_dies(void **state)
{
	struct ibv_async_event e;
	struct ibv_wc wc;

	(void)state;
	lab_control("fatal %u", qp->qp_num);
	e = async(IBV_EVENT_QP_FATAL);
	assert_ptr_equal(e.element.qp, qp);
	ibv_ack_async_event(&e);
	send_one(false);
	assert_int_equal(ibv_poll_cq(cq, 1, &wc), 1);
	assert_int_equal(wc.status, IBV_WC_WR_FLUSH_ERR);
	lab_qp_state(qp, IBV_QPS_RESET);
	lab_qp_state(qp, IBV_QPS_INIT);
	lab_qp_state(qp, IBV_QPS_RTR);
	lab_qp_state(qp, IBV_QPS_RTS);
	send_one(true);
}

static void a_work_queue_dies(void **state)
{
	struct ibv_wq_attr a = {.attr_mask = IBV_WQ_ATTR_STATE};
	struct ibv_async_event e;
	struct lab_rq rq;

	(void)state;
	lab_rq_new(&lab, &rq, NULL);
	lab_post(&lab, &rq, 0, 2048);
	lab_control("fatal %u", rq.wq->wq_num);
	e = async(IBV_EVENT_WQ_FATAL);
	assert_ptr_equal(e.element.wq, rq.wq);
	ibv_ack_async_event(&e);
	lab_cqe_error(&rq.cq, MLX5_CQE_RESP_ERR, MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
	a.wq_state = IBV_WQS_RDY; /* not without a RESET */
	assert_int_not_equal(ibv_modify_wq(rq.wq, &a), 0);
	a.wq_state = IBV_WQS_RESET;
	assert_int_equal(ibv_modify_wq(rq.wq, &a), 0);
	a.wq_state = IBV_WQS_RDY;
	assert_int_equal(ibv_modify_wq(rq.wq, &a), 0);
	lab_rq_free(&rq);
}

static void a_completion_queue_dies(void **state)
{
	struct ibv_async_event e;
	struct lab_sq sq;

	(void)state;
	lab_sq_new(&lab, &sq, 16);
	lab_control("fatal %u", sq.cq.dv.cqn);
	e = async(IBV_EVENT_CQ_ERR);
	assert_ptr_equal(e.element.cq, sq.cq.cq);
	ibv_ack_async_event(&e);
	lab_send(&lab, &sq, 0, 60);
	lab_no_cqe(&sq.cq);
	lab_sq_free(&sq);
}

/* An event that nobody read does not hold the queue's destruction up. */
static void unread_asynchronous_events(void **state)
{
	struct lab_sq sq;

	(void)state;
	lab_sq_new(&lab, &sq, 16);
	lab_control("fatal %u", sq.dv.sqn);
	lab_sq_free(&sq);
	lab_sync();
	assert_false(readable(lab.ctx->async_fd));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_without_arming),
		T(one_event_for_each_arming),
		T(arming_with_completions_unread),
		T(events_of_a_destroyed_queue),
		T(the_port_goes_down_and_up),
		T(the_device_dies),
		T(a_queue_pair_dies),
		T(a_work_queue_dies),
		T(a_completion_queue_dies),
		T(unread_asynchronous_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
