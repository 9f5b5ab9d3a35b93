/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promise: who has little to send waits for nobody who has much, and who has much gets on. Turns of
 * a driven poller, a backend whose queues send what they are told to have.
 *
 * Seen to fail without its defence (daemon/poller_share.c):
 *
 *   published_first    without rn_poller_finish() before heavy ones: 100 packets too late
 *   waits_for_light    without `hold`: no wait; without `calm`: 4 packets again
 *   receives_meanwhile without serve_put_off(): nothing in the first turn
 *   as_much            without `light_had`: 4 packets where the light one had 8
 *   long_turns         without turns_are_short(): 32 packets in eight turns
 *   many_light_ones    without the bound of `passed`: none of the heavy one
 *   many_heavy_ones    without the look at `cut`: 1,680 packets, 30,000 of the light one
 *   heavy_weight       light and heavy ones in one round: nothing during a burst of 2,048
 *   waits_for_no_more  without the bound of `passed`: for all 2,000 turns
 *   full_beside_light  without the step to the next: 12,000 packets to none; without the look
 *                      at what waits: 11,996 to 4
 *   never_a_burst      without LOAD_HEAVY: 31 packets in each turn
 *   full_is_not_light  what waits counted from `next`; if_owned: from `daemon`
 *   lowered_weight     without the look at it: an endless burst, the other had no turn
 *   full_device        without the step to the next: all went to the first
 */
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "poller_impl.h"
#include "poller_rig.h"

#define ENDLESS (1u << 20)
#define MANY	20u /* queues */
#define HOLD	32u /* turns, more than a heavy one waits for light ones that do not come */

static unsigned has[MANY]; /* packets of each queue, at each look */
static bool once; /* queue 0 has them at one look */
static unsigned room, other_room; /* of the device; of that of queues from 2 on, if so */
static bool two_devices;
static uint64_t turn_ns; /* what the poller measured, it believes */
static struct one a, b;

/* What came of it. */
static unsigned moved[MANY];
static unsigned late; /* packets of queue 0 that were not published when queue 1 had a burst */

static unsigned queue_tx(struct rn_queue *q, unsigned budget)
{
	const uint32_t i = q->index;
	unsigned n = has[i] < budget ? has[i] : budget;
	unsigned *r = two_devices && i > 1 ? &other_room : &room;

	n = *r < n ? *r : n;
	if (n && i == 1)
		late += a.q.tx.daemon - a.tx.daemon;
	if (once && !i)
		has[0] = 0;
	*r -= n;
	moved[i] += n;
	q->tx.client += n;
	q->tx.next += n;
	q->tx.daemon += n;
	if (n)
		rn_poller_touch(q->poller, q);
	return n;
}

static const struct rn_backend backend = {.name = "test", .queue_tx = queue_tx};

static unsigned received; /* looks at what came for queue 1 */

static unsigned queue_rx(struct rn_queue *q, unsigned budget)
{
	(void)budget;
	received += q->index == 1;
	return 0;
}

static const struct rn_backend receiving = {
	.name = "test", .queue_tx = queue_tx, .queue_rx = queue_rx};

static int setup(void **state)
{
	(void)state;
	memset(has, 0, sizeof(has));
	memset(moved, 0, sizeof(moved));
	once = two_devices = false;
	turn_ns = 100;
	room = UINT32_MAX;
	return poller_rig_open(&backend);
}

static int teardown(void **state)
{
	(void)state;
	poller_rig_close();
	return 0;
}

/* On a machine as fast as the test wants it. */
static void some_turns(int n)
{
	while (n-- > 0) {
		poller->turn_ns = turn_ns;
		turns(1);
	}
}

/* One turn: packets that queue i moved in it. */
static unsigned turn_of(int i)
{
	memset(moved, 0, sizeof(moved));
	some_turns(1);
	return moved[i];
}

/* Queue 0 has nothing, queue 1 all that it is asked for. */
static void open_weighty(uint32_t weight)
{
	one_open(&a, 0, weight);
	one_open(&b, 1, 1);
	has[1] = ENDLESS;
	some_turns(4);
	assert_int_equal(turn_of(1), RN_POLLER_BURST);
	late = 0;
}

static void open_both(void)
{
	open_weighty(1);
}

static void close_both(void)
{
	one_close(&a);
	one_close(&b);
}

static void send_light(unsigned n)
{
	has[0] = n;
	once = true;
}

/* Behind it the heavy one has had a burst again. */
static void send_first(void)
{
	send_light(1);
	assert_int_equal(turn_of(0), 1);
	some_turns(HOLD);
	late = 0;
}

static void alone(void **state)
{
	(void)state;
	one_open(&a, 0, 1);
	has[0] = ENDLESS;
	assert_int_equal(turn_of(0), 2 * RN_POLLER_BURST);
	one_close(&a);
}

static void published_first(void **state)
{
	unsigned heavy = 0;

	(void)state;
	open_both();
	send_first();
	for (int i = 0; i < 800; i++) {
		send_light(1);
		assert_int_equal(turn_of(0), 1);
		heavy += moved[1];
	}
	assert_int_equal(late, 0);
	assert_int_equal(heavy, 100 * RN_POLLER_BURST);
	close_both();
}

/* Turns until the heavy one has a burst again; how large that is. */
static unsigned waits(unsigned *burst)
{
	unsigned n = 0;

	while (!(*burst = turn_of(1)) && n < 1000)
		n++;
	return n;
}

/* Behind a light packet bursts are small and seldom; larger and larger, until nobody waits. A light
 * one that comes is served at once, and it begins again. */
static void waits_for_light(void **state)
{
	unsigned burst, last = 0;

	(void)state;
	open_both();
	for (int round = 0; round < 2; round++) {
		send_light(1);
		assert_int_equal(turn_of(0), 1);
		waits(&burst);
	}
	assert_int_equal(burst, RN_POLLER_SMALL);
	for (unsigned want = 2 * RN_POLLER_SMALL; want <= RN_POLLER_BURST; want *= 2) {
		unsigned n = waits(&burst);

		assert_in_range(n, last + 1, HOLD);
		assert_int_equal(burst, want);
		last = n;
	}
	some_turns(3);
	send_light(1);
	assert_int_equal(turn_of(0), 1);
	waits(&burst);
	assert_int_equal(burst, RN_POLLER_SMALL);
	some_turns(300);
	for (int i = 0; i < 10; i++)
		assert_int_equal(turn_of(1), RN_POLLER_BURST);
	close_both();
}

/* A heavy one that waits with its packets still gets those of others. */
static void receives_meanwhile(void **state)
{
	(void)state;
	port.backend = &receiving;
	open_both();
	send_light(1);
	some_turns(1);
	received = 0;
	for (unsigned i = 1; i < HOLD && !turn_of(1); i++)
		assert_int_equal(received, i);
	assert_in_range(received, 2, HOLD);
	close_both();
}

/* One that sends in each turn does not take a heavy one's share. */
static void as_much(void **state)
{
	(void)state;
	open_both();
	has[0] = 8;
	some_turns(80);
	memset(moved, 0, sizeof(moved));
	some_turns(800);
	assert_int_equal(moved[0], 6400);
	assert_int_equal(moved[1], 6400);
	close_both();
}

/* Turns are long: a light one comes in each, and the heavy one has a small burst in each. */
static void long_turns(void **state)
{
	(void)state;
	open_both();
	turn_ns = 20000;
	for (int i = 0; i < 100; i++) {
		send_light(1);
		assert_int_equal(turn_of(0), 1);
	}
	memset(moved, 0, sizeof(moved));
	for (int i = 0; i < 8; i++) {
		send_light(1);
		some_turns(1);
	}
	assert_int_equal(moved[1], 64);
	close_both();
}

/* Light ones take all that a turn may move: the heavy one has bursts all the same. */
static void many_light_ones(void **state)
{
	static struct one more[MANY];

	(void)state;
	open_both();
	for (uint32_t i = 2; i < MANY; i++) {
		one_open(&more[i], i, 1);
		has[i] = 15;
	}
	some_turns(100);
	memset(moved, 0, sizeof(moved));
	some_turns(800);
	assert_in_range(moved[2], 9000, 12000);
	assert_in_range(moved[1], 9000, 12000);
	assert_in_range(moved[MANY - 1], 9000, 12000);
	for (uint32_t i = 2; i < MANY; i++)
		one_close(&more[i]);
	close_both();
}

/* As many heavy ones, of which two have their bursts in a turn. */
static void many_heavy_ones(void **state)
{
	static struct one more[MANY];

	(void)state;
	open_both();
	has[0] = 15;
	for (uint32_t i = 2; i < MANY; i++) {
		one_open(&more[i], i, 1);
		has[i] = ENDLESS;
	}
	some_turns(100);
	memset(moved, 0, sizeof(moved));
	some_turns(2000);
	assert_int_equal(moved[0], 30000);
	for (uint32_t i = 1; i < MANY; i++)
		assert_in_range(moved[i], 30000 / 4, 30000);
	for (uint32_t i = 2; i < MANY; i++)
		one_close(&more[i]);
	close_both();
}

/* Of a large weight: light ones are served, and it is published, in each turn all the same. */
static void heavy_weight(void **state)
{
	(void)state;
	open_both();
	b.q.weight = 64;
	send_first();
	for (int i = 0; i < 800; i++) {
		send_light(1);
		assert_int_equal(turn_of(0), 1);
	}
	assert_int_equal(late, 0);
	close_both();
}

/* Light packets that come just before each wait is over: it is bounded. */
static void waits_for_no_more(void **state)
{
	unsigned since = 0, longest = 0;

	(void)state;
	open_both();
	for (int i = 0; i < 2000; i++) {
		if (i % 8 == 0)
			send_light(1);
		since = turn_of(1) ? 0 : since + 1;
		longest = since > longest ? since : longest;
	}
	assert_in_range(longest, 8, 64);
	close_both();
}

/* Two want a device that is full, a light and a heavy one use another. */
static void full_beside_light(void **state)
{
	struct one c, d;

	(void)state;
	open_both();
	one_open(&c, 2, 1);
	one_open(&d, 3, 1);
	has[2] = has[3] = ENDLESS;
	c.q.tx.client = d.q.tx.client = ENDLESS;
	two_devices = true;
	other_room = 0;
	for (int i = 0; i < 4000; i++) {
		other_room = other_room < 60 ? other_room + 4 : 64;
		send_light(1);
		some_turns(1);
		if (i == 1000)
			memset(moved, 0, sizeof(moved));
	}
	assert_in_range(moved[2] + moved[3], 9000, 12100);
	assert_in_range(moved[2], 1500, 10500);
	assert_in_range(moved[3], 1500, 10500);
	one_close(&c);
	one_close(&d);
	close_both();
}

/* Who has nearly a burst each time never has a whole one, and is as heavy. */
static void never_a_burst(void **state)
{
	unsigned heavy = 0;

	(void)state;
	open_both();
	has[1] = RN_POLLER_BURST - 1;
	some_turns(300);
	for (int i = 0; i < 800; i++) {
		send_light(1);
		assert_int_equal(turn_of(0), 1);
		heavy += moved[1];
	}
	assert_in_range(heavy, 99 * has[1], 101 * has[1]);
	close_both();
}

/* A device that is full makes nobody a light one. What waits is counted from `from`, and not from
 * `other`, which says the opposite. */
static void check_full(uint32_t *from, uint32_t *other)
{
	has[0] = 1;
	*from = a.q.tx.client - 9;
	*other = a.q.tx.client;
	for (int i = 0; i < 20; i++)
		assert_int_equal(turn_of(1), RN_POLLER_BURST);
	*from = a.q.tx.client;
	*other = a.q.tx.client - 9;
	some_turns(1);
	assert_int_equal(turn_of(1), 0); /* and now it is one */
}

static void full_is_not_light(void **state)
{
	(void)state;
	open_both();
	a.q.hw = NULL;
	a.tx.client = 1; /* there is always something to look at */
	check_full(&a.q.tx.daemon, &a.q.tx.next);
	close_both();
}

/* The queue is the backend's: what is posted does not wait. */
static void full_is_not_light_if_owned(void **state)
{
	(void)state;
	open_both();
	check_full(&a.q.tx.next, &a.q.tx.daemon);
	close_both();
}

/* A weight is lowered within a burst that the end of a turn cut short. */
static void lowered_weight(void **state)
{
	(void)state;
	open_weighty(100);
	has[0] = ENDLESS;
	for (int i = 0; i < 100 && !(a.q.heavy && a.q.served); i++)
		some_turns(1);
	assert_true(a.q.heavy && a.q.served);
	a.q.weight = 1;
	memset(moved, 0, sizeof(moved));
	some_turns(8);
	assert_true(moved[1] > 0);
	close_both();
}

/* A device takes less in a turn than one burst, and two want it. */
static void full_device(void **state)
{
	(void)state;
	open_both();
	has[0] = ENDLESS;
	a.q.tx.client = b.q.tx.client = a.q.tx.daemon + ENDLESS; /* there is always more */
	memset(moved, 0, sizeof(moved));
	for (int i = 0; i < 100; i++) {
		room = 4;
		some_turns(1);
	}
	assert_int_equal(moved[0] + moved[1], 400);
	assert_in_range(moved[0], 150, 250);
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(alone, setup, teardown),
		cmocka_unit_test_setup_teardown(published_first, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_for_light, setup, teardown),
		cmocka_unit_test_setup_teardown(receives_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(as_much, setup, teardown),
		cmocka_unit_test_setup_teardown(long_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(many_light_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(many_heavy_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(heavy_weight, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_for_no_more, setup, teardown),
		cmocka_unit_test_setup_teardown(full_beside_light, setup, teardown),
		cmocka_unit_test_setup_teardown(never_a_burst, setup, teardown),
		cmocka_unit_test_setup_teardown(full_is_not_light, setup, teardown),
		cmocka_unit_test_setup_teardown(full_is_not_light_if_owned, setup, teardown),
		cmocka_unit_test_setup_teardown(lowered_weight, setup, teardown),
		cmocka_unit_test_setup_teardown(full_device, setup, teardown),
	};
	int failed;

	rcu_register_thread();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed;
}
