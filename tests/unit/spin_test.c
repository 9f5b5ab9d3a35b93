/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promise: a poller spins long only where that bridges the time until the next work. With a clock
 * of the test's own.
 *
 * Seen to fail without its defence (spin.h):
 *   spins_short...  rn_spin_slept() without `missed`: 50 us before each sleep
 *   one_that...     `missed` not taken back there: 10 us for ever
 *   a_spin_that...  `longer` not looked at: short after four sleeps among any number of packets
 *   stays...        `longer` kept whatever rn_spin_stayed() is told: 50 us again before each sleep
 *   holds...        `held` not looked at: wake-ups that were put off came 40 us early
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "spin.h"

#define US  1000u
#define FAR (10 * RN_SPIN_NS)

/* The poller looks each microsecond, work comes after `idle` ns. How long it spun, ns. */
static uint64_t idle_for(struct rn_spin *s, uint64_t idle, bool held)
{
	uint64_t spun = 0;

	rn_spin_begin(s);
	while (spun < idle && !rn_spin_over(s, spun, held))
		spun += US;
	if (spun < idle)
		rn_spin_slept(s, idle);
	return spun;
}

static struct rn_spin after_misses(void)
{
	struct rn_spin s = {0};

	for (unsigned i = 0; i < RN_SPIN_MISSES; i++)
		assert_int_equal(idle_for(&s, FAR, false), RN_SPIN_NS);
	return s;
}

static void spins_short_where_work_is_far(void **state)
{
	struct rn_spin s = after_misses();

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(idle_for(&s, FAR, false), RN_SPIN_SHORT_NS);
	assert_int_equal(idle_for(&s, RN_SPIN_SHORT_NS / 2, false), RN_SPIN_SHORT_NS / 2);
	assert_int_equal(idle_for(&s, FAR, false), RN_SPIN_SHORT_NS); /* a burst is no change */
}

static void one_that_a_spin_would_have_bridged_makes_it_long(void **state)
{
	struct rn_spin s = after_misses();

	(void)state;
	assert_int_equal(idle_for(&s, RN_SPIN_NS / 2, false), RN_SPIN_SHORT_NS); /* slept */
	assert_int_equal(idle_for(&s, RN_SPIN_NS / 2, false), RN_SPIN_NS / 2); /* and not again */
	assert_int_equal(idle_for(&s, FAR, false), RN_SPIN_NS);
}

static void a_spin_that_pays_counts(void **state)
{
	struct rn_spin s = {0};

	(void)state;
	for (unsigned i = 0; i < 10 * RN_SPIN_MISSES; i++) {
		assert_int_equal(idle_for(&s, FAR, false), RN_SPIN_NS);
		assert_int_equal(idle_for(&s, RN_SPIN_NS / 2, false), RN_SPIN_NS / 2);
	}
}

/* Short spins, behind each of which it looks once more before it sleeps. */
static void stays_awake_for_nothing(void **state)
{
	struct rn_spin s = after_misses();

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		rn_spin_begin(&s);
		assert_true(rn_spin_over(&s, RN_SPIN_SHORT_NS, false));
		rn_spin_stayed(&s, false);
	}
	assert_int_equal(idle_for(&s, FAR, false), RN_SPIN_SHORT_NS);
	rn_spin_begin(&s);
	assert_true(rn_spin_over(&s, RN_SPIN_SHORT_NS, false));
	rn_spin_stayed(&s, true);
	assert_int_equal(idle_for(&s, FAR, false), RN_SPIN_NS);
}

static void holds_out_for_wake_ups(void **state)
{
	struct rn_spin s = after_misses();

	(void)state;
	assert_int_equal(idle_for(&s, FAR, true), RN_SPIN_NS);
	assert_int_equal(idle_for(&s, RN_SPIN_NS / 2, true), RN_SPIN_NS / 2);
	assert_int_equal(idle_for(&s, FAR, false), RN_SPIN_SHORT_NS); /* it was not the spin's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spins_short_where_work_is_far),
		cmocka_unit_test(one_that_a_spin_would_have_bridged_makes_it_long),
		cmocka_unit_test(a_spin_that_pays_counts),
		cmocka_unit_test(stays_awake_for_nothing),
		cmocka_unit_test(holds_out_for_wake_ups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
