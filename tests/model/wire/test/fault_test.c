/* SPDX-License-Identifier: BSD-2-Clause */
/* fault.h: what happens, how often, that a seed repeats it, and which settings are refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"

#define FRAMES 10000
#define LEN    64

struct seen {
	int frames, damaged;
	uint64_t order; /* a hash of what came out */
};

static void take(void *ctx, const uint8_t *f, uint32_t len)
{
	struct seen *s = ctx;
	int bits = 0;
	uint32_t i;

	assert_int_equal(len, LEN);
	for (i = 4; i < len; i++)
		bits += __builtin_popcount(f[i]);
	s->damaged += bits != 0;
	s->frames++;
	for (i = 0; i < len; i++)
		s->order = (s->order ^ f[i]) * 1099511628211u;
}

static void set(struct cx_fault *f, const char *setting)
{
	char err[256];

	assert_int_equal(cx_fault_set(f, setting, err, sizeof(err)), 0);
}

static struct seen pass(struct cx_fault *f)
{
	struct seen s = {0};
	uint8_t frame[LEN] = {0};
	uint32_t i;

	for (i = 0; i < FRAMES; i++) {
		memcpy(frame, &i, 4);
		cx_fault_pass(f, frame, LEN, take, &s);
	}
	return s;
}

static void test_off(void **state)
{
	struct cx_fault f = {0};

	(void)state;
	assert_int_equal(pass(&f).frames, FRAMES);
	assert_null(cx_fault_json(&f));
	assert_int_equal(cx_fault_due(&f), UINT64_MAX);
}

static void test_drop(void **state)
{
	struct cx_fault f = {0};
	int n;

	(void)state;
	set(&f, "seed=1");
	set(&f, "drop=10");
	n = pass(&f).frames;
	assert_in_range(n, FRAMES * 88 / 100, FRAMES * 92 / 100);
	assert_int_equal(f.count[CX_FAULT_DROP], FRAMES - n);
	set(&f, "drop=100");
	assert_int_equal(pass(&f).frames, 0);
}

static void test_corrupt_and_duplicate(void **state)
{
	struct cx_fault f = {0};
	struct seen s;

	(void)state;
	set(&f, "duplicate=100");
	set(&f, "corrupt=25");
	s = pass(&f);
	assert_int_equal(s.frames, 2 * FRAMES);
	/* one bit of 64 bytes, 4 of them not looked at */
	assert_in_range(s.damaged, FRAMES * 40 / 100, FRAMES * 52 / 100);
	assert_in_range(f.count[CX_FAULT_CORRUPT], FRAMES * 22 / 100, FRAMES * 28 / 100);
}

static void test_seed_repeats(void **state)
{
	struct cx_fault a = {0}, b = {0}, c = {0};

	(void)state;
	set(&a, "seed=7");
	set(&b, "seed=7");
	set(&c, "seed=8");
	set(&a, "drop=30");
	set(&b, "drop=30");
	set(&c, "drop=30");
	set(&a, "corrupt=30");
	set(&b, "corrupt=30");
	set(&c, "corrupt=30");
	assert_true(pass(&a).order == pass(&b).order);
	assert_true(pass(&a).order != pass(&c).order);
}

static void test_delay(void **state)
{
	struct cx_fault f = {0};
	struct seen now = {0}, late = {0};
	uint8_t frame[LEN] = {0};
	uint64_t due;
	int i;

	(void)state;
	set(&f, "delay=100");
	set(&f, "delay-us=1000000");
	for (i = 0; i < 5000; i++)
		cx_fault_pass(&f, frame, LEN, take, &now);
	assert_int_equal(now.frames, 0);
	assert_int_equal(f.late, 4096);
	assert_int_equal(f.overflow, 5000 - 4096);
	due = cx_fault_due(&f);
	assert_int_equal(cx_fault_tick(&f, due - 1, take, &late), 0);
	assert_true(cx_fault_tick(&f, due, take, &late) >= 1);
	cx_fault_tick(&f, UINT64_MAX, take, &late);
	assert_int_equal(late.frames, 4096);
	assert_int_equal(cx_fault_due(&f), UINT64_MAX);
	cx_fault_pass(&f, frame, LEN, take, &now);
	cx_fault_clear(&f); /* frees what is under way */
	assert_int_equal(pass(&f).frames, FRAMES);
}

static void test_settings(void **state)
{
	static const char *const bad[] = {"drop",    "drop=",	"drop=101", "drop=-1",
					  "drop=x",  "drop=1x", "drop=nan", "delay-us=inf",
					  "seed=-4", "=5",	"dropp=1",  "dro=1",
					  ""};
	struct cx_fault f = {0};
	char err[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err[0] = '\0';
		assert_int_equal(cx_fault_set(&f, bad[i], err, sizeof(err)), -EINVAL);
		assert_non_null(strstr(err, "drop="));
	}
	assert_int_equal(pass(&f).frames, FRAMES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_corrupt_and_duplicate),
		cmocka_unit_test(test_seed_repeats),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
