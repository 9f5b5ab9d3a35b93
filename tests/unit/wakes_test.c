/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promise: a flood of one client does not delay the wake-up of another. When clients that sleep are
 * woken, with a clock of the test's own and a waker that only counts.
 *
 * Seen to fail without its defence (q->fed not looked at in due()): the client beside a flood was
 * woken after 200 us and not after 50.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "queue.h"
#include "waker.h"
#include "wakes.h"

#define US 1000u

static struct rn_queue q;
static struct rn_queue *room[4];
static struct rawnet_ring_ctl rx, tx;
static uint64_t counters[RAWNET_COUNTERS_SPACE];
static unsigned woken;

void rn_waker_wake(struct rn_waker *waker, uint32_t poller, struct rn_queue *queue)
{
	(void)waker;
	(void)poller;
	assert_ptr_equal(queue, &q);
	woken++;
}

static struct rn_wakes begin(void)
{
	q = (struct rn_queue) {.rx.ctl = &rx, .tx.ctl = &tx, .count = counters};
	rx.sleep.client = 1;
	woken = 0;
	return (struct rn_wakes) {.held = room};
}

/* The poller turns each microsecond, from the first wake-up on; something comes each `every` us,
 * first after `first`. When the client is woken again, in us. */
static unsigned woken_after(struct rn_wakes *w, unsigned first, unsigned every, bool idle)
{
	uint64_t start = 1000 * US;

	rn_wakes_add(w, &q, start);
	assert_int_equal(woken, 1); /* at once: it was not woken for a while */
	for (unsigned us = 1; us < 1000; us++) {
		uint64_t now = start + us * US;

		if (us >= first && (us - first) % every == 0)
			rn_wakes_add(w, &q, now);
		if (w->n)
			rn_wakes_run(w, now, idle);
		if (woken == 2)
			return us;
	}
	return 1000;
}

static void beside_a_flood(void **state)
{
	struct rn_wakes w = begin();

	(void)state;
	assert_in_range(woken_after(&w, 10, 5000, false), 50, 51);
}

static void own_stream(void **state)
{
	struct rn_wakes w = begin();

	(void)state;
	assert_in_range(woken_after(&w, 1, 1, false), 200, 201);
}

static void own_stream_that_ends(void **state)
{
	struct rn_wakes w = begin();

	(void)state;
	assert_in_range(woken_after(&w, 1, 5000, true), 50, 51);
	w = begin();
	assert_in_range(woken_after(&w, 120, 5000, false), 121,
			122); /* had there been more: later */
}

/* Who woke by itself is left alone. */
static void wakes_nobody_who_is_awake(void **state)
{
	struct rn_wakes w = begin();

	(void)state;
	rn_wakes_add(&w, &q, 1000 * US);
	rn_wakes_add(&w, &q, 1001 * US);
	rx.sleep.client = 0;
	rn_wakes_run(&w, 1100 * US, false);
	assert_int_equal(woken, 1);
	assert_int_equal(w.n, 0);
	assert_false(q.held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_a_flood),
		cmocka_unit_test(own_stream),
		cmocka_unit_test(own_stream_that_ends),
		cmocka_unit_test(wakes_nobody_who_is_awake),
	};

	return cmocka_run_group_tests_name("wakes", tests, NULL, NULL);
}
