/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library against the daemon's real data path: two programs over a pair of loop ports, one
 * adaptive poller, the waker. Only the control channel is fake: it hands out the attachments that
 * the test made. Both programs sleep whenever they can, and so does the poller, so every packet of
 * the ping-pong crosses two sleeps; a lost wake-up hangs the test, which the alarm ends.
 *
 * Seen to fail without its defence: hung with the tx ring not looked at again behind the poller's
 * flag (something_came()), and with a waker that clears `pending` behind the send or does not look
 * again behind `asleep`.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <urcu-qsbr.h>
#include <cmocka.h>

#include "backend/backend.h"
#include "lib_fake.h"
#include "rig.h"
#include "tx.h"

#define PINGS 3000u
#define BULK  30000u

const struct rn_backend *const rn_backends[] = {NULL};

/* A program: its connection, and the attachment that its fake daemon hands out. */
struct program {
	struct fake fake;
	struct rig_client daemon_side;
	struct rawnet *rn;
	struct rawnet_attachment *at;
	struct rawnet_queue *q;
	uint8_t frame[64];
	uint32_t len;
};

static struct rig rig;
static struct rn_port *port_left, *port_right;
static struct program a, b;

static void hand_out(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *out)
{
	struct rawnet_rep_attach rep;

	if (req->type != RAWNET_MSG_ATTACH)
		return;
	for (uint32_t i = 0; i < out->n_fds; i++)
		close(out->fds[i]);
	memcpy(&rep, out->bytes, sizeof(rep));
	out->n_fds = rn_attachment_reply(f->arg, &rep, out->fds);
	for (uint32_t i = 0; i < out->n_fds; i++)
		out->fds[i] = dup(out->fds[i]);
	memcpy(out->bytes, &rep, sizeof(rep));
}

static void open_program(struct program *p, struct rn_port *port, const char *rule)
{
	struct rawnet_req_attach req = {.rx_size = 64, .tx_size = 64, .n_bufs = 192};
	struct rawnet_options options = {.size = sizeof(options), .socket = p->fake.path};
	struct rn_grant grant = {.label = "test"};
	struct rn_err err = {0};
	uint64_t memory;

	if (rn_attachment_plan(port, &req, &memory, &err) ||
	    rn_attachment_create(port, &req, &grant, &p->daemon_side.at, &err))
		fail_msg("%s", err.text);
	rig_rule(port, &p->daemon_side, rule);
	fake_init(&p->fake, NULL);
	p->fake.hook = hand_out;
	p->fake.arg = p->daemon_side.at;
	fake_run(&p->fake);
	assert_int_equal(rawnet_connect(&p->rn, &options), 0);
	if (rawnet_attach(p->rn, port->config.dev, NULL, &p->at))
		fail_msg("%s", rawnet_error());
	p->q = rawnet_queue(p->at, 0);
	assert_int_equal(p->q->n_free, 64);
}

static int open_with(bool busy)
{
	alarm(100);
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	rig_open(&rig, 1, busy);
	port_left = rig_port(&rig, "left", "right", false);
	port_right = rig_port(&rig, "right", "left", false);
	open_program(&a, port_left, "udp dport 8");
	open_program(&b, port_right, "udp dport 7");
	a.len = rig_udp(a.frame, port_right->mac, port_left->mac, 1, 2, 1000, 7, 18);
	b.len = rig_udp(b.frame, port_left->mac, port_right->mac, 2, 1, 1000, 8, 18);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return open_with(false);
}

static int setup_busy(void **state)
{
	(void)state;
	return open_with(true);
}

static void close_program(struct program *p)
{
	rawnet_close(p->rn);
	fake_end(&p->fake);
	rig_detach(&p->daemon_side);
}

static int teardown(void **state)
{
	(void)state;
	close_program(&a);
	close_program(&b);
	rig_close(&rig);
	alarm(0);
	return 0;
}

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void send_number(struct program *p, uint32_t number)
{
	struct rawnet_packet packet = {.len = p->len};

	while (!(packet.data = rawnet_buf_get(p->q)))
		must(rawnet_wait(p->q, RAWNET_WAIT_TX, -1) == 1);
	memcpy(packet.data, p->frame, p->len);
	memcpy(packet.data + 42, &number, sizeof(number));
	while (!rawnet_tx_burst(p->q, &packet, 1))
		must(rawnet_wait(p->q, RAWNET_WAIT_TX, -1) == 1);
}

/* Takes up to n packets, checks their numbers from `number` on; how many came. */
static uint32_t take_numbers(struct program *p, uint32_t number, uint32_t n)
{
	struct rawnet_packet packets[32];
	uint32_t got;

	while (!(got = rawnet_rx_burst(p->q, packets, n < 32 ? n : 32)))
		must(rawnet_wait(p->q, RAWNET_WAIT_RX, -1) == 1);
	for (uint32_t i = 0; i < got; i++, number++) {
		must(packets[i].len == p->len);
		must((packets[i].flags & RAWNET_RX_RULE) && packets[i].u.rx.rule == 0);
		must(!memcmp(packets[i].data + 42, &number, sizeof(number)));
		rawnet_buf_put(p->q, packets[i].data);
	}
	return got;
}

static void *pong(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < PINGS; i++) {
		take_numbers(&b, i, 1);
		send_number(&b, i);
	}
	return NULL;
}

static void *ping(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < PINGS; i++) {
		send_number(&a, i);
		take_numbers(&a, i, 1);
	}
	return NULL;
}

/* No more under way than the receiver has slots, so that nothing may be dropped. */
static uint32_t received;

static void *send_bulk(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < BULK; i++) {
		while (i - __atomic_load_n(&received, __ATOMIC_ACQUIRE) >= 48)
			sched_yield();
		send_number(&a, i);
	}
	return NULL;
}

static void *receive_bulk(void *arg)
{
	uint32_t i = 0;

	(void)arg;
	while (i < BULK) {
		i += take_numbers(&b, i, 32);
		__atomic_store_n(&received, i, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void run_both(void *(*left)(void *), void *(*right)(void *))
{
	pthread_t t[2];

	rcu_thread_offline();
	pthread_create(&t[0], NULL, left, NULL);
	pthread_create(&t[1], NULL, right, NULL);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	rcu_thread_online();
}

/* The poller counts a packet after it gave it away. */
static void counts_to(struct program *p, enum rawnet_queue_counter counter, uint64_t n)
{
	uint64_t v[RAWNET_COUNTERS_SPACE] = {0};

	for (int i = 0; i < 5000 && v[counter] != n; i++) {
		assert_int_equal(rawnet_counters(p->at, RAWNET_ALL_QUEUES, v), 0);
		if (v[counter] != n)
			usleep(1000);
	}
	assert_int_equal(v[counter], n);
}

static void check_counters(uint32_t packets, bool both)
{
	counts_to(&a, RAWNET_Q_TX_PACKETS, packets);
	counts_to(&b, RAWNET_Q_RX_PACKETS, packets);
	counts_to(&a, RAWNET_Q_RX_PACKETS, both ? packets : 0);
	counts_to(&b, RAWNET_Q_TX_PACKETS, both ? packets : 0);
}

static void test_ping_pong(void **state)
{
	(void)state;
	run_both(ping, pong);
	check_counters(PINGS, true);
}

static void test_bulk(void **state)
{
	(void)state;
	received = 0;
	run_both(send_bulk, receive_bulk);
	check_counters(BULK, false);
}

#define TEST(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ping_pong, setup),
		TEST(test_bulk, setup),
		TEST(test_ping_pong, setup_busy),
		TEST(test_bulk, setup_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
