/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap of what is due against a list that is searched whole, over thousands of changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "due.h"

#define MANY 300u

static struct l3_due due[MANY], *heap[MANY];
static struct l3_dues dues = {.heap = heap};
static bool in[MANY];
static uint64_t at[MANY];

static uint32_t roll(uint32_t sides)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % sides;
}

static void check(void)
{
	const struct l3_due *first = l3_due_first(&dues);
	uint64_t least = UINT64_MAX;
	uint32_t n = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(due[i].place != 0, in[i]);
		if (!in[i])
			continue;
		n++;
		assert_int_equal(due[i].at, at[i]);
		assert_ptr_equal(heap[due[i].place - 1], &due[i]);
		least = at[i] < least ? at[i] : least;
	}
	assert_int_equal(dues.n, n);
	assert_true(first ? first->at == least : !n);
}

static void as_a_list(void **state)
{
	uint32_t most = 0;

	(void)state;
	for (uint32_t i = 0; i < 30000; i++) {
		const uint32_t k = roll(MANY);

		if (roll(i / 1000 % 2 ? 3 : 2)) { /* more come than go, then as many */
			l3_due_put(&dues, &due[k], at[k] = roll(200));
			in[k] = true;
		} else {
			l3_due_drop(&dues, &due[k]);
			in[k] = false;
		}
		most = dues.n > most ? dues.n : most;
		check();
	}
	assert_true(most > MANY / 2);
}

/* All come out in order. */
static void in_order(void **state)
{
	uint64_t last = 0;
	struct l3_due *d;

	(void)state;
	for (uint32_t k = 0; k < MANY; k++) {
		l3_due_put(&dues, &due[k], at[k] = roll(1000));
		in[k] = true;
	}
	for (uint32_t n = MANY; (d = l3_due_first(&dues)); n--) {
		assert_int_equal(dues.n, n);
		assert_true(d->at >= last);
		last = d->at;
		l3_due_drop(&dues, d);
		l3_due_drop(&dues, d); /* it is out */
		in[d - due] = false;
		check();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_a_list), cmocka_unit_test(in_order)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
