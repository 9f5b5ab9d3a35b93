/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many threads of one program on one device, through the unmodified libibverbs: objects come and go
 * while others send, receive, wait for events, reset their queues and ask the device. Nothing is
 * lost, nothing hangs, and the referee has nothing to say: everything here is allowed. Under
 * ThreadSanitizer this is the proof of what model.h says of the lock.
 *
 * The wire is a loop. Threads share the context, and with it the pages of doorbell registers.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "frames.h"
#include "lab.h"

#define ROUNDS 40 /* of each thread */
#define DEPTH  64
#define FRAMES 200 /* that a receiver waits for in each round */
#define ROOM   256 /* bytes of a buffer */

static struct ibv_context *shared;

/* cmocka's assertions are for the main thread. */
static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "threads_test: %s\n", what);
	abort();
}

struct part {
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	struct ibv_qp *qp;
	uint8_t *mem;
};

static void modify(struct ibv_qp *qp, enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = {.qp_state = state, .port_num = 1};
	int mask = IBV_QP_STATE | (state == IBV_QPS_INIT ? IBV_QP_PORT : 0);

	check(ibv_modify_qp(qp, &attr, mask) == 0, "ibv_modify_qp");
}

static void to_rts(struct ibv_qp *qp)
{
	modify(qp, IBV_QPS_INIT);
	modify(qp, IBV_QPS_RTR);
	modify(qp, IBV_QPS_RTS);
}

static void open_part(struct part *p, struct ibv_context *ctx, struct ibv_pd *pd)
{
	struct ibv_qp_init_attr attr = {.qp_type = IBV_QPT_RAW_PACKET,
					.cap = {.max_send_wr = DEPTH,
						.max_recv_wr = DEPTH,
						.max_send_sge = 1,
						.max_recv_sge = 1}};

	p->pd = pd ? pd : ibv_alloc_pd(ctx);
	p->mem = aligned_alloc(4096, DEPTH * ROOM);
	check(p->pd && p->mem, "ibv_alloc_pd");
	memset(p->mem, 0, DEPTH * ROOM);
	p->mr = ibv_reg_mr(p->pd, p->mem, DEPTH * ROOM, IBV_ACCESS_LOCAL_WRITE);
	p->channel = ibv_create_comp_channel(ctx);
	check(p->mr && p->channel, "ibv_reg_mr, ibv_create_comp_channel");
	p->cq = ibv_create_cq(ctx, 2 * DEPTH, NULL, p->channel, 0);
	check(p->cq, "ibv_create_cq");
	attr.send_cq = attr.recv_cq = p->cq;
	p->qp = ibv_create_qp(p->pd, &attr);
	check(p->qp, "ibv_create_qp");
	to_rts(p->qp);
}

static void close_part(struct part *p, bool pd_too)
{
	check(ibv_destroy_qp(p->qp) == 0, "ibv_destroy_qp");
	check(ibv_dereg_mr(p->mr) == 0, "ibv_dereg_mr");
	check(ibv_destroy_cq(p->cq) == 0, "ibv_destroy_cq");
	check(ibv_destroy_comp_channel(p->channel) == 0, "ibv_destroy_comp_channel");
	check(!pd_too || ibv_dealloc_pd(p->pd) == 0, "ibv_dealloc_pd");
	free(p->mem);
}

/* n frames to a UDP port, all signalled, from buffer 0. Not to the port's own address, whose way
 * changes with each context that another thread opens (loopback_test.c). */
static void send(struct part *p, uint16_t port, uint32_t n)
{
	struct ibv_sge sge = {(uintptr_t)p->mem, 0, p->mr->lkey};
	struct ibv_send_wr wr = {.sg_list = &sge,
				 .num_sge = 1,
				 .opcode = IBV_WR_SEND,
				 .send_flags = IBV_SEND_SIGNALED},
			   *bad;
	static const uint8_t other[6] = {0x02, 0, 0, 0, 0, 0x77};
	struct frame f;

	frame_make(&f, &(struct frame_attr) {.dst = other, .dport = port, .payload = 40});
	memcpy(p->mem, f.b, f.len);
	sge.length = f.len;
	while (n--)
		check(ibv_post_send(p->qp, &wr, &bad) == 0, "ibv_post_send");
}

static uint32_t reap(struct part *p)
{
	struct ibv_wc wc[16];
	int i, n = ibv_poll_cq(p->cq, 16, wc);

	check(n >= 0, "ibv_poll_cq");
	for (i = 0; i < n; i++)
		check(wc[i].status == IBV_WC_SUCCESS, "a completion is an error");
	if (!n)
		sched_yield();
	return (uint32_t)n;
}

/* ---- what the threads do ---- */

/* Sends, and destroys or resets the queue while its last doorbell may be unseen. */
static void *sender(void *arg)
{
	uint32_t round, i;

	for (round = 0; round < ROUNDS; round++) {
		struct part p;

		open_part(&p, shared, NULL);
		for (i = 0; i < 4; i++) {
			uint32_t done = 0;

			send(&p, 9, 16);
			while (done < 16)
				done += reap(&p);
			send(&p, 9, 3);
			modify(p.qp, IBV_QPS_RESET);
			to_rts(p.qp);
		}
		send(&p, 9, 3);
		close_part(&p, true);
	}
	return arg;
}

static void post(struct part *p, uint32_t buffer)
{
	struct ibv_sge sge = {(uintptr_t)p->mem + (size_t)buffer * ROOM, ROOM, p->mr->lkey};
	struct ibv_recv_wr wr = {.wr_id = buffer, .sg_list = &sge, .num_sge = 1}, *bad;

	check(ibv_post_recv(p->qp, &wr, &bad) == 0, "ibv_post_recv");
}

static struct ibv_flow *rule(struct ibv_qp *qp, uint16_t port)
{
	struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_eth eth;
		struct ibv_flow_spec_tcp_udp udp;
	} r = {.attr = {.size = sizeof(r), .num_of_specs = 2, .port = 1},
	       .eth = {.type = IBV_FLOW_SPEC_ETH, .size = sizeof(r.eth)},
	       .udp = {.type = IBV_FLOW_SPEC_UDP,
		       .size = sizeof(r.udp),
		       .val = {.dst_port = htobe16(port)},
		       .mask = {.dst_port = 0xffff}}};

	return ibv_create_flow(qp, &r.attr);
}

static atomic_uint ports = 1000;

/* Sends to itself around the loop, and gets every frame as it was sent; then the rule and the queue
 * go with buffers posted. */
static void *receiver(void *arg)
{
	uint16_t port = (uint16_t)atomic_fetch_add(&ports, 1);
	uint32_t round, i;

	for (round = 0; round < ROUNDS; round++) {
		struct part rx, tx;
		struct ibv_flow *flow;
		uint32_t got = 0, sent = 0;

		open_part(&rx, shared, NULL);
		open_part(&tx, shared, NULL);
		for (i = 0; i < DEPTH; i++)
			post(&rx, i);
		flow = rule(rx.qp, port);
		check(flow, "ibv_create_flow");
		while (got < FRAMES) {
			struct ibv_wc wc;

			if (sent < FRAMES && sent - got < DEPTH / 2) {
				send(&tx, port, 1);
				while (!reap(&tx))
					;
				sent++;
			}
			if (ibv_poll_cq(rx.cq, 1, &wc) != 1)
				continue;
			check(wc.status == IBV_WC_SUCCESS, "an error for a buffer");
			check(memcmp(rx.mem + wc.wr_id * ROOM, tx.mem, wc.byte_len) == 0,
			      "not the frame that was sent");
			post(&rx, (uint32_t)wc.wr_id);
			got++;
		}
		check(ibv_destroy_flow(flow) == 0, "ibv_destroy_flow");
		close_part(&rx, true);
		close_part(&tx, true);
	}
	return arg;
}

/* Sleeps until there is a completion: no event may be lost. */
static void *sleeper(void *arg)
{
	struct part p;
	uint32_t round;

	open_part(&p, shared, NULL);
	for (round = 0; round < ROUNDS * 5; round++) {
		struct pollfd fd = {.fd = p.channel->fd, .events = POLLIN};
		struct ibv_cq *cq;
		uint32_t done = 0;
		void *ctx;

		check(ibv_req_notify_cq(p.cq, 0) == 0, "ibv_req_notify_cq");
		send(&p, 9, 2);
		check(poll(&fd, 1, 60000) == 1, "an event was lost");
		check(ibv_get_cq_event(p.channel, &cq, &ctx) == 0, "ibv_get_cq_event");
		ibv_ack_cq_events(cq, 1);
		while (done < 2)
			done += reap(&p);
	}
	close_part(&p, true);
	return arg;
}

/* Contexts of its own, with a thread domain; all of it goes while the queue is rung and armed. */
static void *opener(void *arg)
{
	struct ibv_td_init_attr none = {0};
	uint32_t round;

	for (round = 0; round < ROUNDS; round++) {
		struct ibv_parent_domain_init_attr init = {0};
		struct ibv_context *ctx = ibv_open_device(shared->device);
		struct part p;

		check(ctx, "ibv_open_device");
		init.pd = ibv_alloc_pd(ctx);
		init.td = ibv_alloc_td(ctx, &none);
		check(init.pd && init.td, "ibv_alloc_td");
		open_part(&p, ctx, ibv_alloc_parent_domain(ctx, &init));
		send(&p, 9, 5);
		check(ibv_req_notify_cq(p.cq, 0) == 0, "ibv_req_notify_cq");
		close_part(&p, true);
		check(ibv_dealloc_td(init.td) == 0, "ibv_dealloc_td");
		check(ibv_dealloc_pd(init.pd) == 0, "ibv_dealloc_pd");
		check(ibv_close_device(ctx) == 0, "ibv_close_device");
	}
	return arg;
}

/* Looks at everything from outside, as a control socket does. */
static void *asker(void *arg)
{
	static const char *const lines[] = {"stats", "objects", "queues", "violations", "fail"};
	char out[16384];
	uint32_t i;

	for (i = 0; i < ROUNDS * 50; i++)
		check(cx_control(lines[i % 5], out, sizeof(out)) == 0, lines[i % 5]);
	return arg;
}

static void many_threads(void **state)
{
	static void *(*const what[])(void *) = {sender,	 sender, receiver, receiver,
						sleeper, opener, asker};
	pthread_t thread[sizeof(what) / sizeof(what[0])];
	size_t i, n = sizeof(what) / sizeof(what[0]);
	struct lab lab;

	(void)state;
	lab_open(&lab, NULL);
	shared = lab.ctx;
	for (i = 0; i < n; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, what[i], NULL), 0);
	for (i = 0; i < n; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	lab_close(&lab);
	lab_clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
