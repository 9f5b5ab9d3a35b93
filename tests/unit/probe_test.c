/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes: their frames, and what comes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe.h"
#include "track.h"

/* ---- frames, against sums that are made in one go ---- */

static const struct probe_addresses v4 = {
	.dmac = {2, 1, 1, 1, 1, 1},
	.smac = {2, 2, 2, 2, 2, 2},
	.family = 4,
	.src = {10, 0, 0, 1},
	.dst = {255, 254, 253, 252},
	.sport = 1000,
	.dport = 65000,
	.flows = 500,
	.magic = PROBE_MAGIC | 0xffff,
};

static uint32_t ones_sum(const uint8_t *p, uint32_t len, uint32_t s)
{
	for (uint32_t i = 0; i < len; i++)
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static uint32_t at16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static void check_frame(const struct probe_template *t, uint32_t size, uint32_t number,
			uint64_t time)
{
	const struct probe_mark mark = {.number = number, .time = time};
	uint8_t *f = calloc(1, size);
	struct probe_mark got;
	uint32_t l4 = t->v4 ? 34 : 54, magic = t->magic, any = 0, pseudo;

	assert_non_null(f);
	probe_write(t, f, size, &mark);
	if (t->v4) {
		assert_int_equal(ones_sum(f + 14, 20, 0), 0xffff);
		assert_int_equal(at16(f + 16), size - 14);
	} else {
		assert_int_equal(at16(f + 18), size - 54);
	}
	pseudo = ones_sum(f + (t->v4 ? 26 : 22), t->v4 ? 8 : 32, 17 + size - l4);
	assert_int_equal(ones_sum(f + l4, size - l4, pseudo), 0xffff);
	assert_int_not_equal(at16(f + l4 + 6), 0);
	assert_int_equal(at16(f + l4 + 2), t->dport + number % t->flows);
	assert_int_equal(at16(f + l4 + 4), size - l4);
	assert_true(probe_read(f, size, &magic, &got));
	assert_true(probe_read(f, size, &any, &got));
	assert_int_equal(any, t->magic);
	assert_int_equal(got.number, number);
	assert_true(got.time == time);
	free(f);
}

static void check_frames(const struct probe_addresses *a, uint32_t least)
{
	struct probe_template t;

	probe_template(&t, a);
	assert_int_equal(probe_least(&t), least);
	for (uint32_t i = 0; i < 70000; i++)
		check_frame(&t, least + i % 7, i * 2654435761u, i * 0x9e3779b97f4a7c15ull);
	check_frame(&t, 9014, UINT32_MAX, UINT64_MAX);
}

static void test_frames(void **state)
{
	struct probe_addresses v6 = v4;

	(void)state;
	v6.family = 6;
	memset(v6.src, 0xff, 16);
	memset(v6.dst, 0xfe, 16);
	check_frames(&v4, 60);
	check_frames(&v6, 78);
}

static void test_not_ours(void **state)
{
	struct probe_template t;
	struct probe_mark mark = {.number = 1};
	uint8_t frame[100] = {0}, tagged[100], *cut;
	uint32_t magic = v4.magic, other = PROBE_MAGIC | 1, any = 0;

	(void)state;
	probe_template(&t, &v4);
	probe_write(&t, frame, 60, &mark);
	assert_false(probe_read(frame, 60, &other, &mark));
	for (uint32_t len = 0; len < 60; len++) {
		cut = malloc(len + 1);
		assert_non_null(cut);
		memcpy(cut, frame, len);
		assert_false(probe_read(cut, len, &magic, &mark));
		free(cut);
	}
	memcpy(tagged, frame, 12);
	memcpy(tagged + 12, (const uint8_t[]) {0x81, 0, 0, 5}, 4);
	memcpy(tagged + 16, frame + 12, 80);
	assert_true(probe_read(tagged, 64, &magic, &mark));
	assert_false(probe_read(tagged, 60, &magic, &mark));
	frame[42] = 0;
	assert_false(probe_read(frame, 60, &any, &mark));
	frame[23] = 6;
	assert_false(probe_read(frame, 60, &magic, &mark));
}

/* ---- numbers ---- */

static struct track track;

static int setup(void **state)
{
	(void)state;
	return track_init(&track, 1);
}

static int teardown(void **state)
{
	(void)state;
	track_free(&track);
	return 0;
}

static void expect(uint64_t span, uint64_t marked, uint64_t reordered, uint64_t duplicates)
{
	assert_int_equal(track.next - track.first, span);
	assert_int_equal(track.marked, marked);
	assert_int_equal(track.reordered, reordered);
	assert_int_equal(track.duplicates, duplicates);
}

static void add_all(const uint32_t *numbers, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		track_add(&track, numbers[i], 1);
}

#define ADD(...) \
	add_all((const uint32_t[]) {__VA_ARGS__}, sizeof((const uint32_t[]) {__VA_ARGS__}) / 4)

static void test_order(void **state)
{
	(void)state;
	ADD(5, 6, 7);
	expect(3, 3, 0, 0);
	ADD(9, 8, 10, 12); /* 8 is late, 11 missing */
	expect(8, 7, 1, 0);
	ADD(12, 5, 8); /* all were there */
	expect(8, 7, 1, 3);
	ADD(4, 11); /* before the first, and the missing one */
	expect(9, 9, 3, 3);
}

static void test_wrap(void **state)
{
	(void)state;
	ADD(UINT32_MAX - 1, 0, UINT32_MAX, 1, 1);
	expect(4, 4, 1, 1);
	assert_int_equal(track.next >> 32, 2);
}

/* A number that comes more than a window late is not checked, and never taken for a new one. */
static void test_window(void **state)
{
	(void)state;
	ADD(0, TRACK_WINDOW - 1, 0);
	expect(TRACK_WINDOW, 2, 0, 1);
	ADD(TRACK_WINDOW, 0);
	expect(TRACK_WINDOW + 1, 4, 1, 1);
	ADD(5 * TRACK_WINDOW, 5 * TRACK_WINDOW - 1, 4 * TRACK_WINDOW + 1, TRACK_WINDOW);
	expect(5 * TRACK_WINDOW + 1, 8, 4, 1);
}

static void test_flows(void **state)
{
	struct track *t = &track;

	(void)state;
	track_free(t);
	assert_int_equal(track_init(t, 2), 0);
	ADD(0, 3, 2, 1, 4); /* only 1 came behind one of its flow */
	expect(5, 5, 1, 0);
}

/* ---- latency ---- */

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void test_latency(void **state)
{
	static struct latency l;
	static uint64_t values[20000];
	const double shares[] = {0.001, 0.5, 0.9, 0.99, 0.999, 1};
	uint64_t seed = 1;

	(void)state;
	assert_int_equal(latency_at(&l, 0.5), 0);
	for (uint32_t i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		values[i] = seed >> (20 + seed % 44);
		latency_add(&l, values[i]);
	}
	qsort(values, 20000, sizeof(values[0]), compare);
	assert_true(l.min == values[0] && l.max == values[19999] && l.n == 20000);
	for (uint32_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		uint64_t exact = values[(uint32_t)(shares[i] * 20000) - 1];
		uint64_t got = latency_at(&l, shares[i]);

		assert_true(got >= exact && got - exact <= exact / 32 + 1);
	}
}

static void test_latency_extremes(void **state)
{
	static struct latency l;

	(void)state;
	latency_add(&l, 0);
	assert_int_equal(latency_at(&l, 1), 0);
	latency_add(&l, UINT64_MAX);
	assert_true(latency_at(&l, 1) == UINT64_MAX);
	assert_int_equal(latency_at(&l, 0.5), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_not_ours),
		TEST(test_order),
		TEST(test_wrap),
		TEST(test_window),
		TEST(test_flows),
		cmocka_unit_test(test_latency),
		cmocka_unit_test(test_latency_extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
