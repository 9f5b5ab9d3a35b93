/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Longest-prefix match against an oracle that looks at every route: random routes of all lengths,
 * crowded so that they nest, and addresses at and next to their edges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lpm4.h"
#include "lpm6.h"

#define ROUNDS	  30
#define ROUTES	  400
#define ADDRESSES 2000

static uint64_t state = 1;

static uint64_t any(void) /* xorshift64 */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* ---- IPv4 ---- */

static uint32_t mask4(uint32_t len)
{
	return len ? ~0u << (32 - len) : 0;
}

static uint32_t oracle4(const struct lpm4_route *r, size_t n, uint32_t addr)
{
	uint32_t value = 0;
	int longest = -1;

	for (size_t i = 0; i < n; i++) {
		if ((addr & mask4(r[i].len)) == r[i].addr && (int)r[i].len > longest) {
			longest = (int)r[i].len;
			value = r[i].value;
		}
	}
	return value;
}

/* Sorted, without the same prefix twice. */
static size_t make4(struct lpm4_route *r, uint32_t crowd)
{
	size_t m = 0;

	for (size_t i = 0; i < ROUTES; i++) {
		r[i].len = (uint32_t)(any() % 33);
		r[i].addr = ((uint32_t)any() & ~crowd) & mask4(r[i].len);
		r[i].value = (uint32_t)(any() % 1000) + 1;
	}
	qsort(r, ROUTES, sizeof(*r), lpm4_compare);
	for (size_t i = 0; i < ROUTES; i++)
		if (!m || lpm4_compare(&r[m - 1], &r[i]))
			r[m++] = r[i];
	return m;
}

static void random4(void **unused)
{
	static const uint32_t crowds[] = {0, 0xffff0000, 0xffffff00, 0x0fff0000};
	struct lpm4_route r[ROUTES];
	struct lpm4 t;

	(void)unused;
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t crowd = crowds[round % 4];
		size_t n = make4(r, crowd);

		assert_int_equal(lpm4_build(&t, r, n), 0);
		for (int i = 0; i < ADDRESSES; i++) {
			const struct lpm4_route *near = &r[any() % n];
			uint32_t a = i % 4 == 0	  ? (uint32_t)any() & ~crowd
				     : i % 4 == 1 ? near->addr
				     : i % 4 == 2
					     ? near->addr - 1
					     : (near->addr | ~mask4(near->len)) + (i & 4 ? 1 : 0);

			if (lpm4_find(&t, a) != oracle4(r, n, a))
				fail_msg("round %d: %08x: %u, not %u", round, a, lpm4_find(&t, a),
					 oracle4(r, n, a));
		}
		lpm4_free(&t);
	}
}

static void edges4(void **unused)
{
	struct lpm4_route r[] = {{0, 1, 0, 0}, {0xffffffff, 2, 0, 32}, {0, 3, 0, 32}};
	struct lpm4 t;

	(void)unused;
	assert_int_equal(lpm4_build(&t, NULL, 0), 0);
	assert_int_equal(lpm4_find(&t, 0x0a000001), 0);
	lpm4_free(&t);
	assert_int_equal(lpm4_build(&t, r, 3), 0);
	assert_int_equal(lpm4_find(&t, 0xffffffff), 2);
	assert_int_equal(lpm4_find(&t, 0xfffffffe), 1);
	assert_int_equal(lpm4_find(&t, 0), 3);
	assert_int_equal(lpm4_find(&t, 1), 1);
	assert_int_equal(t.n_groups, 2);
	lpm4_free(&t);
}

/* ---- IPv6 ---- */

static struct lpm6_key mask6(struct lpm6_key k, uint32_t len)
{
	k.hi &= len >= 64 ? ~0ull : len ? ~0ull << (64 - len) : 0;
	k.lo &= len <= 64 ? 0 : ~0ull << (128 - len);
	return k;
}

static uint32_t oracle6(const struct lpm6_route *r, size_t n, struct lpm6_key a)
{
	uint32_t value = 0;
	int longest = -1;

	for (size_t i = 0; i < n; i++) {
		struct lpm6_key k = mask6(a, r[i].len);

		if (k.hi == r[i].addr.hi && k.lo == r[i].addr.lo && (int)r[i].len > longest) {
			longest = (int)r[i].len;
			value = r[i].value;
		}
	}
	return value;
}

/* Addresses of few bits, or of random ones that others share up to some place. */
static struct lpm6_key any6(const struct lpm6_route *r, size_t n, int crowd)
{
	struct lpm6_key k = {any(), any()};

	if (crowd && n) {
		struct lpm6_key other = r[any() % n].addr, part = mask6(k, (uint32_t)(any() % 129));

		k.hi ^= part.hi ^ other.hi;
		k.lo ^= part.lo ^ other.lo;
		if (any() % 2) { /* only the lower part differs */
			k = other;
			k.lo += any() % 7 - 3;
			k.hi += any() % 3 - 1;
		}
	}
	return k;
}

static size_t make6(struct lpm6_route *r, int crowd)
{
	size_t m = 0;

	for (size_t i = 0; i < ROUTES; i++) {
		r[i].len = (uint32_t)(any() % 129);
		r[i].addr = mask6(any6(r, i, crowd), r[i].len);
		r[i].value = (uint32_t)(any() % 3) + 1; /* equal neighbours too */
	}
	qsort(r, ROUTES, sizeof(*r), lpm6_compare);
	for (size_t i = 0; i < ROUTES; i++)
		if (!m || lpm6_compare(&r[m - 1], &r[i]))
			r[m++] = r[i];
	return m;
}

static void random6(void **unused)
{
	static struct lpm6_route r[ROUTES];
	static struct lpm6_key k[ADDRESSES];
	static uint32_t many[ADDRESSES];
	struct lpm6 t;

	(void)unused;
	for (int round = 0; round < ROUNDS; round++) {
		size_t n = make6(r, round % 3);

		assert_int_equal(lpm6_build(&t, r, n), 0);
		for (int i = 0; i < ADDRESSES; i++)
			k[i] = any6(r, n, i % 4);
		lpm6_find_many(&t, k, ADDRESSES, many);
		for (int i = 0; i < ADDRESSES; i++) {
			uint32_t want = oracle6(r, n, k[i]);

			if (lpm6_find(&t, k[i]) != want || many[i] != want)
				fail_msg("round %d: %016llx %016llx: %u and %u, not %u", round,
					 (unsigned long long)k[i].hi, (unsigned long long)k[i].lo,
					 lpm6_find(&t, k[i]), many[i], want);
		}
		lpm6_free(&t);
	}
}

static void edges6(void **unused)
{
	struct lpm6_route r[] = {{{0, 0}, 1, 0, 0},
				 {{0, 0}, 2, 0, 128},
				 {{0x20010db800000000, 0}, 3, 0, 32},
				 {{0x20010db800000000, 0}, 4, 0, 48},
				 {{0x20010db800000000, 1}, 5, 0, 128},
				 {{~0ull, ~0ull}, 6, 0, 128}};
	struct lpm6 t;

	(void)unused;
	assert_int_equal(lpm6_build(&t, NULL, 0), 0);
	assert_int_equal(lpm6_find(&t, (struct lpm6_key) {1, 2}), 0);
	lpm6_free(&t);
	assert_int_equal(lpm6_build(&t, r, 6), 0);
	assert_int_equal(lpm6_find(&t, (struct lpm6_key) {0, 0}), 2);
	assert_int_equal(lpm6_find(&t, (struct lpm6_key) {0, 1}), 1);
	assert_int_equal(lpm6_find(&t, (struct lpm6_key) {0x20010db8000000ff, 7}), 4);
	assert_int_equal(lpm6_find(&t, (struct lpm6_key) {0x20010db800010000, 7}), 3);
	assert_int_equal(lpm6_find(&t, (struct lpm6_key) {0x20010db800000000, 1}), 5);
	assert_int_equal(lpm6_find(&t, (struct lpm6_key) {~0ull, ~0ull}), 6);
	assert_int_equal(lpm6_find(&t, (struct lpm6_key) {~0ull, ~1ull}), 1);
	lpm6_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random4),
		cmocka_unit_test(edges4),
		cmocka_unit_test(random6),
		cmocka_unit_test(edges6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
