/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A poller's turns by themselves: a driven poller, a backend of this test whose queues do what they
 * are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

#include "attachment.h"
#include "backend/backend.h"
#include "poller.h"
#include "state.h"

#define IDLE_TURNS 3000 /* after so many a queue is cold */

const struct rn_backend *const rn_backends[] = {NULL};

/* One queue with all that it leads to. */
struct one {
	struct rn_queue q;
	struct rn_queue_state state;
	struct rawnet_ring_ctl rx, tx;
	int sockets[2];
};

static struct rn_port port;
static struct rn_attachment owner = {.port = &port};
static struct rn_hwq hwq = {.port = &port};
static struct rn_poller *poller;
static bool gives_back; /* one slot, without a packet moved */
static unsigned moves; /* packets that each look moves */
static unsigned asked[2]; /* looks at each queue */

static unsigned queue_tx(struct rn_queue *q, unsigned budget)
{
	asked[q->index]++;
	if (gives_back) {
		gives_back = false;
		q->tx.daemon++;
		rn_poller_touch(q->poller, q);
	}
	return moves < budget ? moves : budget;
}

static const struct rn_backend backend = {.name = "test", .queue_tx = queue_tx};

static void one_open(struct one *o, uint32_t weight)
{
	memset(o, 0, sizeof(*o));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, o->sockets), 0);
	o->q.at = &owner;
	o->q.hwq = &hwq;
	o->q.state = &o->state;
	o->q.rx.ctl = &o->rx;
	o->q.tx.ctl = &o->tx;
	o->q.wake_fd = o->sockets[0];
	o->q.weight = weight;
	assert_int_equal(rn_poller_add_queues(poller, (struct rn_queue *[]) {&o->q}, 1), 0);
}

static void one_close(struct one *o)
{
	close(o->sockets[0]);
	close(o->sockets[1]);
}

static int setup(void **state)
{
	const struct rn_poller_config config = {.cpu = -1, .busy = true, .driven = true};
	struct rn_err err = {0};

	(void)state;
	port.backend = &backend;
	moves = 0;
	return rn_poller_create(0, &config, NULL, eventfd(0, EFD_NONBLOCK), &poller, &err);
}

static int teardown(void **state)
{
	(void)state;
	rn_poller_destroy(poller);
	return 0;
}

/* A cold queue gives a slot back and moves no packet; then the set changes. Taken out was the
 * publication behind looks at cold queues: the next turn published a place of the new set that held
 * nothing, SIGSEGV. */
static void nothing_stays_touched(void **state)
{
	struct one a, b;

	(void)state;
	one_open(&a, 1);
	for (int i = 0; i < IDLE_TURNS; i++)
		rn_poller_turn(poller);
	assert_false(a.q.hot);
	gives_back = true;
	rn_poller_turn(poller);
	assert_false(gives_back);
	assert_false(a.q.touched);
	assert_int_equal(a.tx.daemon, 1);
	one_open(&b, 1);
	rn_poller_turn(poller);
	one_close(&a);
	one_close(&b);
}

/* A weight is lowered within a burst that the end of a turn cut short. Taken out was the look at
 * it: the burst was as good as endless, and the other queue never had its turn. */
static void a_lowered_weight(void **state)
{
	struct one a, b;

	(void)state;
	one_open(&a, 100);
	one_open(&b, 1);
	b.q.index = 1;
	moves = 1u << 20; /* all that it is asked for */
	rn_poller_turn(poller);
	assert_int_not_equal(a.q.served, 0);
	a.q.weight = 1;
	asked[1] = 0;
	for (int i = 0; i < 8; i++)
		rn_poller_turn(poller);
	assert_true(asked[1] > 0);
	one_close(&a);
	one_close(&b);
}

/* A packet came before all that the device has, and is copied: it takes the first buffer that the
 * device does not have, and the slots go on naming what the device has, in its order. */
static void first_of_all(void **state)
{
	enum {
		SLOTS = 8,
		HELD = 5,
		SHIFT = 11
	};
	uint64_t count[RAWNET_COUNTERS_SPACE] = {0};
	struct rawnet_slot slots[SLOTS] = {{0}};
	uint8_t mem[SLOTS << SHIFT], data[60] = {0};
	struct rn_frame f;
	struct one o;

	(void)state;
	one_open(&o, 1);
	rn_poller_turn(poller);
	for (uint32_t i = 0; i < SLOTS; i++)
		slots[i].off = i << SHIFT;
	o.q.rx.slots = slots;
	o.q.rx.mask = SLOTS - 1;
	o.q.rx.client = o.rx.client = SLOTS;
	o.q.rx.next = HELD;
	o.q.hw = &o;
	o.q.mem = mem;
	o.q.buf_shift = SHIFT;
	o.q.n_bufs = SLOTS;
	o.q.count = count;
	rn_frame_init(&f, data, sizeof(data));
	for (uint32_t n = 1; n <= SLOTS - HELD; n++) {
		assert_true(rn_deliver_first(&o.q, &f, 0));
		assert_int_equal(o.q.rx.daemon, n);
		assert_int_equal(slots[n - 1].off >> SHIFT, HELD + n - 1);
		for (uint32_t k = 0; k < HELD; k++)
			assert_int_equal(slots[(n + k) % SLOTS].off >> SHIFT, k);
		assert_true((int32_t)(o.state.rx_true - n) <= 0); /* another daemon can go on */
	}
	assert_false(rn_deliver_first(&o.q, &f, 0)); /* no buffer is left */
	assert_int_equal(o.q.rx.daemon, SLOTS - HELD);
	assert_int_equal(count[RAWNET_Q_RX_DROP_FULL], 1);
	one_close(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_stays_touched, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lowered_weight, setup, teardown),
		cmocka_unit_test_setup_teardown(first_of_all, setup, teardown),
	};
	int failed;

	rcu_register_thread();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed;
}
