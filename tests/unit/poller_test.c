/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A poller's turns by themselves: a driven poller, a backend of this test whose queues do what they
 * are told.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "poller_rig.h"

#define IDLE_TURNS  3000 /* after so many a queue is cold */
#define COLD_TURNS  64 /* and in so many a few cold ones are looked at */
#define COLD_ROUND  12 /* and in so many two */
#define PATIENCE_MS 60000

static bool gives_back; /* one slot, without a packet moved */
static unsigned room; /* of the device */
static unsigned sent;

static unsigned queue_tx(struct rn_queue *q, unsigned budget)
{
	(void)budget;
	if (gives_back) {
		gives_back = false;
		q->tx.daemon++;
		rn_poller_touch(q->poller, q);
	}
	return 0;
}

static const struct rn_backend backend = {.name = "test", .queue_tx = queue_tx};
static const struct rn_backend copying = {.name = "copies"}; /* rn_tx_run */

static int setup(void **state)
{
	(void)state;
	return poller_rig_open(&backend);
}

static int teardown(void **state)
{
	(void)state;
	poller_rig_close();
	return 0;
}

/* A cold queue gives a slot back and moves no packet; then the set changes. Taken out was the
 * publication behind looks at cold queues: the next turn published a place of the new set that held
 * nothing, SIGSEGV. */
static void nothing_stays_touched(void **state)
{
	struct one a, b;

	(void)state;
	one_open(&a, 0, 1);
	turns(IDLE_TURNS);
	assert_false(a.q.hot);
	gives_back = true;
	turns(COLD_TURNS);
	assert_false(gives_back);
	assert_false(a.q.touched);
	assert_int_equal(a.tx.daemon, 1);
	one_open(&b, 1, 1);
	rn_poller_turn(poller);
	one_close(&a);
	one_close(&b);
}

static bool woken(struct one *o)
{
	struct pollfd p = {.fd = o->sockets[1], .events = POLLIN};
	char byte;

	return poll(&p, 1, PATIENCE_MS) == 1 && read(o->sockets[1], &byte, 1) == 1;
}

/* Who sleeps is woken in the turn that has something for it. */
static void wakes_a_sleeper(void **state)
{
	struct one a;

	(void)state;
	one_open(&a, 0, 1);
	a.tx.sleep.client = 1;
	gives_back = true;
	turns(1);
	assert_true(woken(&a));
	one_close(&a);
}

/* Who goes to sleep while something is published for it looks before it does (not here: as if the
 * index had not come yet), and the poller looks again in its next turn, also if it serves another
 * set then, or had published for it in several turns. Taken out was that look, what keeps it when
 * the set changes, and what keeps it when something more is published: nobody woke it. */
static void wakes_who_falls_asleep(void **state)
{
	struct one a, b;

	(void)state;
	one_open(&a, 0, 1);
	for (int i = 0; i < 3; i++) {
		gives_back = true;
		turns(1);
	}
	a.tx.sleep.client = 1;
	turns(1);
	assert_true(woken(&a));
	a.tx.sleep.client = 0;
	usleep(1000); /* past RN_WAKES_MOST: it may be woken again at once */
	gives_back = true;
	turns(1);
	one_open(&b, 1, 1);
	a.tx.sleep.client = 1;
	turns(1);
	assert_true(woken(&a));
	one_close(&a);
	one_close(&b);
}

/* Cold, of a backend that copies: its client's index alone is looked at, and when that moves the
 * queue is served. Here it lies, which serving finds. */
static void cold_one_comes_back(void **state)
{
	struct one a, b;

	(void)state;
	port.backend = &copying;
	one_open(&a, 0, 1);
	one_open(&b, 1, 1);
	turns(IDLE_TURNS);
	assert_false(a.q.hot || b.q.hot || a.q.dead || b.q.dead);
	b.tx.client = 12345;
	turns(COLD_TURNS);
	assert_true(b.q.dead);
	assert_false(a.q.dead);
	one_close(&a);
	one_close(&b);
}

static uint8_t *reserve(struct rn_hwq *h)
{
	static uint8_t frame[2048];

	(void)h;
	return room ? frame : NULL;
}

static void submit(struct rn_hwq *h, uint32_t len)
{
	(void)h;
	(void)len;
	sent++;
	room--;
}

static struct rawnet_slot packet = {.len = 60};

/* Two of a port that copies; what the first sends is `packet`. */
static void open_two(struct one *a, struct one *b)
{
	static const struct rn_backend device = {.tx_reserve = reserve, .tx_submit = submit};
	static uint8_t mem[64];

	port = (struct rn_port) {
		.backend = &device, .link_up = true, .mtu = 1500, .max_frame = 1514};
	one_open(a, 0, 1);
	one_open(b, 1, 1);
	turns(1); /* takes the set */
	a->q.mem = mem;
	a->q.mem_size = sizeof(mem);
}

/* While it was hot its index came round, to where it stood when it was cold last; then the device
 * was full for so long that it went cold with a packet left. Taken out was what make_cold() keeps
 * of the index: nobody looked any more. */
static void cold_one_that_came_round(void **state)
{
	struct one a, b;

	(void)state;
	open_two(&a, &b);
	a.q.tx = (struct rn_ring) {&a.tx, &packet, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX, 0};
	a.tx.client = 0; /* as when the set was taken */
	sent = room = 0;
	turns(IDLE_TURNS);
	assert_false(a.q.hot || a.q.dead);
	assert_int_equal(sent, 0);
	room = 1;
	turns(COLD_TURNS);
	assert_int_equal(sent, 1);
	assert_int_equal(a.tx.daemon, 0);
	one_close(&a);
	one_close(&b);
}

/* What it sent last was above its rate, and it rests; what it sends when it is cold does not wait
 * for the end of that, look by look. Taken out was what make_cold() does to q->rest. */
static void cold_one_has_rested(void **state)
{
	struct one a, b;

	(void)state;
	open_two(&a, &b);
	a.q.tx = (struct rn_ring) {.ctl = &a.tx, .slots = &packet};
	a.q.rest = 32;
	sent = 0;
	room = 1;
	turns(IDLE_TURNS);
	assert_false(a.q.hot);
	a.tx.client = 1;
	turns(COLD_TURNS);
	assert_int_equal(sent, 1);
	one_close(&a);
	one_close(&b);
}

static const struct rn_queue *the_one;
static unsigned the_one_served;

static bool is_the_one(const struct rn_queue *q)
{
	return q == the_one;
}

static unsigned serve_the_one(struct rn_queue *q, unsigned budget)
{
	(void)budget;
	the_one_served += q == the_one;
	return q == the_one;
}

/* Sets change before a rotation through the cold ones has ended: the last of them is found all the
 * same. Taken out was that a rotation goes on, for one that begins anew with each set. */
static void sets_that_change(void **state)
{
	static const struct rn_backend device = {.queue_tx = serve_the_one,
						 .queue_waits = is_the_one};
	struct one cold[8], more[60];

	(void)state;
	port.backend = &device;
	the_one = NULL;
	the_one_served = 0;
	for (uint32_t i = 0; i < 8; i++)
		one_open(&cold[i], i, 1);
	turns(IDLE_TURNS);
	the_one = &cold[7].q;
	for (uint32_t i = 0; i < 60; i++) {
		one_open(&more[i], 8 + i, 1);
		turns(8); /* two looks */
	}
	assert_true(the_one_served > 0);
	for (uint32_t i = 0; i < 8; i++)
		one_close(&cold[i]);
	for (uint32_t i = 0; i < 60; i++)
		one_close(&more[i]);
}

static uint8_t written; /* by the device */
static bool waits; /* for what the watch does not tell */
static unsigned asked, served;

static void watch_device(const struct rn_queue *q, struct rn_watch *w)
{
	(void)q;
	w->device = &written;
	w->device_seen = written;
	w->beyond = true;
}

static bool ask_whether(const struct rn_queue *q)
{
	(void)q;
	asked++;
	return waits || written;
}

static unsigned serve_one(struct rn_queue *q, unsigned budget)
{
	(void)q;
	(void)budget;
	served += waits || written;
	return waits || written;
}

/* Cold, of a backend whose queues can be watched: what the device writes is found in one round,
 * without that the backend was asked before, and what only the backend knows in some more. Taken
 * out were device_seen in is_as_it_was(), and the rounds that go beyond. */
static void cold_one_is_watched(void **state)
{
	static const struct rn_backend device = {
		.queue_tx = serve_one, .queue_waits = ask_whether, .queue_watch = watch_device};
	struct one a, b;

	(void)state;
	port.backend = &device;
	for (int k = 0; k < 5; k++) {
		const bool beyond = k == 4;

		waits = false;
		written = 0;
		one_open(&a, 0, 1);
		one_open(&b, 1, 1);
		turns(IDLE_TURNS + 8 * k); /* another round */
		assert_false(a.q.hot || b.q.hot);
		asked = served = 0;
		turns(16 * COLD_TURNS);
		assert_int_equal(served, 0);
		assert_true(asked > 0 && asked < 16 * COLD_TURNS / 16);
		written = !beyond;
		waits = beyond;
		turns(beyond ? 8 * COLD_TURNS : COLD_ROUND);
		assert_true(served > 0);
		assert_true(a.q.hot && b.q.hot);
		one_close(&a);
		one_close(&b);
	}
}

/* ---- descriptors that an adaptive poller sleeps on ---- */

static int slept_on = -1; /* the one that this is about */
static uint32_t holds; /* its file, as the kernel does in poll(2) */

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	const int fd = __atomic_load_n(&slept_on, __ATOMIC_RELAXED);
	const bool it = fd >= 0 && n == 2 && fds[1].fd == fd;
	int rc;

	if (it)
		__atomic_store_n(&holds, 1, __ATOMIC_SEQ_CST);
	rc = __real_poll(fds, n, timeout);
	if (it) {
		usleep(50000); /* woken, and not on a core yet */
		__atomic_store_n(&holds, 0, __ATOMIC_SEQ_CST);
	}
	return rc;
}

static void await_sleep(void)
{
	for (int i = 0; i < PATIENCE_MS && !__atomic_load_n(&holds, __ATOMIC_SEQ_CST); i++)
		usleep(1000);
	assert_true(__atomic_load_n(&holds, __ATOMIC_SEQ_CST));
}

/* Who replaces a descriptor, or takes its port away, may close it when that returns: the poller
 * does not hold its file, so the close is not left to it. Taken out was the wait in
 * rn_hwq_set_fd(), then that in rn_poller_remove_port(). */
static void lets_go_of_a_descriptor(void **state)
{
	const struct rn_poller_config config = {.cpu = -1};
	struct rn_port sleepy = {.backend = &copying, .n_hwq = 1, .n_pollers = 1};
	struct rn_hwq hw = {.port = &sleepy, .fd = -1};
	struct rn_err err;

	(void)state;
	rn_poller_destroy(poller);
	assert_int_equal(
		rn_poller_create(0, &config, waker, eventfd(0, EFD_NONBLOCK), &poller, &err), 0);
	hw.poller = sleepy.poller[0] = poller;
	sleepy.hwq[0] = &hw;
	assert_int_equal(rn_poller_add_port(poller, &sleepy), 0);
	__atomic_store_n(&slept_on, eventfd(0, EFD_NONBLOCK), __ATOMIC_RELAXED);
	rn_hwq_set_fd(&hw, slept_on);
	await_sleep();
	rn_hwq_set_fd(&hw, -1);
	assert_false(__atomic_load_n(&holds, __ATOMIC_SEQ_CST));
	rn_hwq_set_fd(&hw, slept_on);
	await_sleep();
	rn_poller_remove_port(poller, &sleepy);
	assert_false(__atomic_load_n(&holds, __ATOMIC_SEQ_CST));
	close(slept_on);
	__atomic_store_n(&slept_on, -1, __ATOMIC_RELAXED);
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
	one_open(&o, 0, 1);
	rn_poller_turn(poller);
	for (uint32_t i = 0; i < SLOTS; i++)
		slots[i].off = i << SHIFT;
	o.q.rx.slots = slots;
	o.q.rx.mask = SLOTS - 1;
	o.q.rx.client = o.rx.client = SLOTS;
	o.q.rx.next = HELD;
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
		cmocka_unit_test_setup_teardown(first_of_all, setup, teardown),
		cmocka_unit_test_setup_teardown(wakes_a_sleeper, setup, teardown),
		cmocka_unit_test_setup_teardown(wakes_who_falls_asleep, setup, teardown),
		cmocka_unit_test_setup_teardown(cold_one_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(cold_one_that_came_round, setup, teardown),
		cmocka_unit_test_setup_teardown(cold_one_has_rested, setup, teardown),
		cmocka_unit_test_setup_teardown(sets_that_change, setup, teardown),
		cmocka_unit_test_setup_teardown(cold_one_is_watched, setup, teardown),
		cmocka_unit_test_setup_teardown(lets_go_of_a_descriptor, setup, teardown),
	};
	int failed;

	rcu_register_thread();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed;
}
