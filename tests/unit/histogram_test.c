/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnet-latency's histogram. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "histogram.h"

struct row {
	double from, to;
	uint64_t count;
	unsigned bar;
};

static struct row rows[HISTOGRAM_ROWS + 2];

/* Draws, and reads what was drawn: how many rows. */
static unsigned draw(const struct latency *l, unsigned columns)
{
	char *text = NULL, *line, *next;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	unsigned n = 0;
	int at;

	assert_non_null(f);
	histogram_draw(f, l, columns);
	fclose(f);
	for (line = text; *line; line = next + 1, n++) {
		next = strchr(line, '\n');
		assert_non_null(next);
		*next = '\0';
		assert_true(n < HISTOGRAM_ROWS + 1);
		assert_true(strlen(line) == columns);
		assert_int_equal(sscanf(line, "%lf%lf us%n", &rows[n].from, &rows[n].to, &at), 2);
		rows[n].bar = (unsigned)strspn(line + at + 2, "#.");
		rows[n].count = strtoull(line + at + 2 + strspn(line + at + 2, "#. "), NULL, 10);
	}
	free(text);
	return n;
}

static void test_none(void **state)
{
	static const struct latency l;

	(void)state;
	assert_int_equal(draw(&l, 80), 0);
}

static void test_one(void **state)
{
	static struct latency l;

	(void)state;
	latency_add(&l, 3210);
	assert_int_equal(draw(&l, 80), 1);
	assert_true(rows[0].from <= 3.21 && rows[0].to >= 3.21 && rows[0].count == 1);
	assert_int_equal(rows[0].bar, 35);
}

/* Whatever is measured: each is in one row, rows follow one another, the longest bar is full. */
static void test_all_are_there(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned wide = 1; wide < 62; wide++) {
		struct latency *l = calloc(1, sizeof(*l));
		uint64_t sum = 0;
		unsigned n, longest = 0;

		assert_non_null(l);
		for (unsigned i = 0; i < 3000; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			latency_add(l, 1000 + (seed >> 2) % (1ull << wide) % 4000000000ull);
		}
		n = draw(l, 100);
		for (unsigned i = 0; i < n; i++) {
			sum += rows[i].count;
			longest = rows[i].bar > longest ? rows[i].bar : longest;
			assert_true(!rows[i].count == !rows[i].bar);
			assert_true(i == 0 || rows[i].from == rows[i - 1].to);
		}
		assert_int_equal(sum, 3000);
		assert_int_equal(longest, 55);
		free(l);
	}
}

/* One that took very long does not squeeze the others into one row. */
static void test_outlier(void **state)
{
	static struct latency l;
	unsigned n;

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		latency_add(&l, 3000 + i);
	latency_add(&l, 900000000);
	n = draw(&l, 80);
	assert_true(n > 8);
	assert_int_equal(rows[n - 1].count, 1);
	assert_int_equal(rows[n - 1].bar, 1);
	assert_true(rows[n - 1].to == 900000.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_all_are_there),
		cmocka_unit_test(test_outlier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
