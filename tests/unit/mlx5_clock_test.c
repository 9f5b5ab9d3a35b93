/* SPDX-License-Identifier: BSD-2-Clause */
/* The device's clock against CLOCK_REALTIME, on a device (CMake runs it on the software ConnectX,
 * whose counter has 156.25 MHz). Times are compared with a second to spare: the machine may be
 * busy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "backend/mlx5/clock.h"

#define SECOND 1000000000ull
#define TICKS  156250000ull /* a second */

static struct ibv_context *ctx;
static struct rn_mlx5_clock clock_;

static int setup(void **state)
{
	struct ibv_device **devs = ibv_get_device_list(NULL);

	(void)state;
	assert_non_null(devs);
	assert_non_null(devs[0]);
	ctx = ibv_open_device(devs[0]);
	ibv_free_device_list(devs);
	assert_non_null(ctx);
	assert_true(rn_mlx5_clock_open(&clock_, ctx));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ibv_close_device(ctx);
	return 0;
}

static bool is_near(uint64_t a, uint64_t b)
{
	return a - b + 5 * SECOND < 10 * SECOND; /* a machine with other work reads late */
}

static void test_now(void **state)
{
	(void)state;
	assert_true(is_near(rn_mlx5_clock_time(&clock_, clock_.read_at), rn_wall_ns()));
}

/* A packet that waited has its own time, however late it is read: exact to the rounding of 2^-20
 * ns. */
static void test_before(void **state)
{
	const uint64_t at = clock_.read_at, now = rn_mlx5_clock_time(&clock_, at);
	uint64_t then = rn_mlx5_clock_time(&clock_, at - 3 * TICKS);

	(void)state;
	assert_in_range(now - then, 3 * SECOND - 200, 3 * SECOND + 200);
	assert_int_equal(clock_.read_at, at);
	then = rn_mlx5_clock_time(&clock_, at + TICKS / 100);
	assert_in_range(then - now, SECOND / 100 - 10, SECOND / 100 + 10);
	assert_int_equal(clock_.read_at, at);
}

/* What has run away is caught with the first packet of the next period, and not before. */
static void test_set_again(void **state)
{
	const uint64_t at = clock_.read_at;

	(void)state;
	clock_.skew += 1000 * SECOND;
	assert_false(is_near(rn_mlx5_clock_time(&clock_, at + clock_.period), rn_wall_ns()));
	assert_int_equal(clock_.read_at, at);
	assert_true(is_near(rn_mlx5_clock_time(&clock_, at + clock_.period + 1), rn_wall_ns()));
}

/* The counter wraps at its mask. */
static void test_wrap(void **state)
{
	struct rn_mlx5_clock c = clock_;

	(void)state;
	c.info.last_cycles = c.info.mask - TICKS / 100;
	c.read_at = c.info.mask - TICKS / 100;
	assert_in_range(rn_mlx5_clock_time(&c, TICKS / 100) - rn_mlx5_clock_time(&c, c.read_at),
			SECOND / 50 - 100, SECOND / 50 + 100);
}

static void test_no_device(void **state)
{
	struct rn_mlx5_clock c;
	struct ibv_context *other = ctx;
	struct verbs_context *v = verbs_get_ctx(ctx);
	__typeof__(v->query_rt_values) query = v->query_rt_values;

	(void)state;
	v->query_rt_values = NULL;
	assert_false(rn_mlx5_clock_open(&c, other));
	assert_null(c.ctx);
	assert_int_equal(rn_mlx5_clock_time(&clock_, clock_.read_at + 2 * clock_.period), 0);
	v->query_rt_values = query;
	assert_true(is_near(rn_mlx5_clock_time(&clock_, clock_.read_at + 2 * clock_.period),
			    rn_wall_ns()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_now),	  cmocka_unit_test(test_before),
		cmocka_unit_test(test_wrap),	  cmocka_unit_test(test_set_again),
		cmocka_unit_test(test_no_device),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
