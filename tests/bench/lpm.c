/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a longest-prefix match costs with 2 million routes of each family: cycles a look-up of
 * random addresses, half of which a route was made for, one by one and in bursts. Beside it a
 * binary search over the same routes as intervals, which is what the plainest structure without
 * wasted memory costs; and with fewer routes, since adding to it takes time with their square,
 * rte_lpm of DPDK where that is installed. All have to find the same, which is checked. Lengths are
 * spread about as in the global tables. Build time and memory are printed.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "lpm4.h"
#include "lpm6.h"
#include "lpm_dpdk.h"

#define ROUTES	  2000000u
#define FEW	  100000u
#define ADDRESSES (1u << 20)
#define WINDOW	  16384u
#define BURST	  32u

static uint64_t state = 88172645463325252u;

static uint64_t any(void) /* xorshift64 */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* A length by its share in percent. */
static uint32_t length(const uint8_t (*shares)[2])
{
	unsigned r = (unsigned)(any() % 100);

	for (; r >= (*shares)[1]; shares++)
		r -= (*shares)[1];
	return (*shares)[0];
}

static void *must(void *p)
{
	if (!p)
		bench_die("out of memory");
	return p;
}

/* ---- tables ---- */

static struct lpm4_route *make4(size_t *n)
{
	static const uint8_t shares[][2] = {{16, 1},  {18, 1},	{19, 2},  {20, 4}, {21, 5},
					    {22, 11}, {23, 10}, {24, 62}, {28, 2}, {32, 2}};
	struct lpm4_route *r = must(calloc(*n, sizeof(*r)));
	size_t m = 0;

	for (size_t i = 0; i < *n; i++) {
		uint32_t len = length(shares);

		r[i] = (struct lpm4_route) {(uint32_t)any() >> (32 - len) << (32 - len),
					    (uint32_t)(any() % 4000) + 1, 0, len};
	}
	qsort(r, *n, sizeof(*r), lpm4_compare);
	for (size_t i = 0; i < *n; i++)
		if (!m || lpm4_compare(&r[m - 1], &r[i]))
			r[m++] = r[i];
	*n = m;
	return r;
}

static struct lpm6_key cut(struct lpm6_key k, uint32_t len)
{
	k.hi &= ~0ull << (64 - len); /* 1..64 */
	k.lo = 0;
	return k;
}

static struct lpm6_key any6(void)
{
	return (struct lpm6_key) {1ull << 61 | any() >> 3, any()};
}

static struct lpm6_route *make6(size_t *n)
{
	static const uint8_t shares[][2] = {{29, 2}, {32, 12}, {36, 4},	 {40, 9}, {44, 12},
					    {46, 4}, {47, 4},  {48, 47}, {56, 3}, {64, 3}};
	struct lpm6_route *r = must(calloc(*n, sizeof(*r)));
	size_t m = 0;

	for (size_t i = 0; i < *n; i++) {
		uint32_t len = length(shares);

		r[i] = (struct lpm6_route) {cut(any6(), len), (uint32_t)(any() % 4000) + 1, 0, len};
	}
	qsort(r, *n, sizeof(*r), lpm6_compare);
	for (size_t i = 0; i < *n; i++)
		if (!m || lpm6_compare(&r[m - 1], &r[i]))
			r[m++] = r[i];
	*n = m;
	return r;
}

/* ---- the plain way: where each interval of addresses begins, and its value ---- */

struct interval {
	uint64_t from; /* IPv4: the address; IPv6: the upper half, no route is longer */
	uint32_t value;
};

static struct {
	struct interval *v;
	size_t n;
} plain;

static int compare_edges(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

/* Edges are where routes begin and end; what counts in between, the table says. */
static void make_plain(const uint64_t *edge, size_t n, uint32_t (*value)(uint64_t from))
{
	size_t m = 0;

	free(plain.v);
	plain.v = must(calloc(n + 1, sizeof(*plain.v)));
	for (size_t i = 0; i < n; i++)
		plain.v[i + 1].from = edge[i];
	qsort(plain.v, n + 1, sizeof(*plain.v), compare_edges);
	for (size_t i = 0; i <= n; i++) {
		struct interval next = {plain.v[i].from, value(plain.v[i].from)};

		if (!m || (plain.v[m - 1].from != next.from && plain.v[m - 1].value != next.value))
			plain.v[m++] = next;
	}
	plain.n = m;
}

static uint32_t plain_find(uint64_t addr)
{
	const struct interval *base = plain.v;

	for (size_t n = plain.n; n > 1;) {
		size_t half = n / 2;

		base = base[half].from <= addr ? base + half : base;
		n -= half;
	}
	return base->value;
}

/* ---- what is measured: sums of values, over a window of addresses ---- */

static struct lpm4 t4;
static struct lpm6 t6;
static uint32_t addr4[ADDRESSES];
static struct lpm6_key addr6[ADDRESSES];

static unsigned long ours4(size_t at)
{
	unsigned long sum = 0;

	for (size_t i = at; i < at + WINDOW; i++)
		sum += lpm4_find(&t4, addr4[i]);
	return sum;
}

static unsigned long plain4(size_t at)
{
	unsigned long sum = 0;

	for (size_t i = at; i < at + WINDOW; i++)
		sum += plain_find(addr4[i]);
	return sum;
}

static unsigned long ours4_bursts(size_t at)
{
	unsigned long sum = 0;

	for (size_t i = at; i < at + WINDOW; i += BURST) {
		for (size_t k = i; k < i + BURST; k++)
			lpm4_prefetch(&t4, addr4[k]);
		for (size_t k = i; k < i + BURST; k++)
			sum += lpm4_find(&t4, addr4[k]);
	}
	return sum;
}

static unsigned long dpdk4(size_t at)
{
	return lpm_dpdk_find(addr4 + at, WINDOW);
}

static unsigned long dpdk4_bursts(size_t at)
{
	return lpm_dpdk_find_many(addr4 + at, WINDOW);
}

static unsigned long ours6(size_t at)
{
	unsigned long sum = 0;

	for (size_t i = at; i < at + WINDOW; i++)
		sum += lpm6_find(&t6, addr6[i]);
	return sum;
}

static unsigned long plain6(size_t at)
{
	unsigned long sum = 0;

	for (size_t i = at; i < at + WINDOW; i++)
		sum += plain_find(addr6[i].hi);
	return sum;
}

static unsigned long ours6_bursts(size_t at)
{
	unsigned long sum = 0;
	uint32_t value[BURST];

	for (size_t i = at; i < at + WINDOW; i += BURST) {
		lpm6_find_many(&t6, addr6 + i, BURST, value);
		for (unsigned k = 0; k < BURST; k++)
			sum += value[k];
	}
	return sum;
}

/* ---- comparing ---- */

static void compare(const char *what, unsigned long (*ours)(size_t), const char *against,
		    unsigned long (*theirs)(size_t), enum bench_sense sense, double bound)
{
	static struct bench_samples a, b;

	a.n = b.n = 0;
	for (size_t at = 0; at < ADDRESSES; at += WINDOW) { /* by turns: the same machine */
		uint64_t t0 = bench_ticks(), t1, t2;
		unsigned long x = ours(at), y;

		t1 = bench_ticks();
		y = theirs(at);
		t2 = bench_ticks();
		if (x != y)
			bench_die("%s: %s finds something else", what, against);
		bench_add(&a, (double)(t1 - t0) / WINDOW);
		bench_add(&b, (double)(t2 - t1) / WINDOW);
	}
	bench_report(&(struct bench_figure) {.bench = "lpm",
					     .what = what,
					     .unit = "cycles",
					     .against = against,
					     .ours = &a,
					     .theirs = &b,
					     .sense = sense,
					     .bound = bound});
}

static uint32_t value4(uint64_t from)
{
	return from >> 32 ? 0 : lpm4_find(&t4, (uint32_t)from);
}

static uint32_t value6(uint64_t from)
{
	return lpm6_find(&t6, (struct lpm6_key) {from, 0});
}

static struct lpm4_route *start4(size_t *n)
{
	struct lpm4_route *r = make4(n);
	uint64_t t0 = bench_ns();

	if (lpm4_build(&t4, r, *n))
		bench_die("out of memory");
	fprintf(stderr, "   %zu IPv4 routes: built in %.3f s, %.1f MiB\n", *n,
		(double)(bench_ns() - t0) / 1e9, (double)lpm4_memory(&t4) / 1048576);
	for (size_t i = 0; i < ADDRESSES; i++) {
		const struct lpm4_route *near = &r[any() % *n];

		addr4[i] = i & 1 ? (uint32_t)any()
				 : near->addr | ((uint32_t)any() &
						 (near->len < 32 ? ~0u >> near->len : 0));
	}
	return r;
}

static void with_plain4(const struct lpm4_route *r, size_t n)
{
	uint64_t *edge = must(calloc(2 * n, sizeof(*edge)));

	for (size_t i = 0; i < n; i++) {
		edge[2 * i] = r[i].addr;
		edge[2 * i + 1] = r[i].addr + (1ull << (32 - r[i].len));
	}
	make_plain(edge, 2 * n, value4);
	free(edge);
	compare("IPv4, 2 million routes, one by one", ours4, "binary search", plain4, BENCH_AT_MOST,
		0.5);
	compare("IPv4, 2 million routes, bursts of 32", ours4_bursts, "binary search", plain4,
		BENCH_AT_MOST, 0.5);
}

static void with_plain6(void)
{
	size_t n = ROUTES;
	struct lpm6_route *r = make6(&n);
	uint64_t *edge = must(calloc(2 * n, sizeof(*edge)));
	uint64_t t0 = bench_ns();

	if (lpm6_build(&t6, r, n))
		bench_die("out of memory");
	fprintf(stderr, "   %zu IPv6 routes: built in %.3f s, %.1f MiB\n", n,
		(double)(bench_ns() - t0) / 1e9, (double)lpm6_memory(&t6) / 1048576);
	for (size_t i = 0; i < ADDRESSES; i++) {
		addr6[i] = any6();
		if (!(i & 1))
			addr6[i].hi = r[any() % n].addr.hi | (addr6[i].hi & 0xffff);
	}
	for (size_t i = 0; i < n; i++) {
		edge[2 * i] = r[i].addr.hi;
		edge[2 * i + 1] = r[i].addr.hi + (1ull << (64 - r[i].len));
	}
	make_plain(edge, 2 * n, value6);
	free(edge);
	compare("IPv6, 2 million routes, one by one", ours6, "binary search", plain6, BENCH_AT_MOST,
		1);
	compare("IPv6, 2 million routes, bursts of 32", ours6_bursts, "binary search", plain6,
		BENCH_AT_MOST, 0.5);
	lpm6_free(&t6);
	free(r);
}

int main(void)
{
	size_t n = ROUTES;
	struct lpm4_route *r = start4(&n);

	with_plain4(r, n);
	free(r);
	lpm4_free(&t4);
	with_plain6();
	n = FEW;
	r = start4(&n);
	if (lpm_dpdk_create(r, n)) {
		compare("IPv4, 100,000 routes, one by one", ours4, "rte_lpm", dpdk4, BENCH_AT_MOST,
			1.1);
		compare("IPv4, 100,000 routes, bursts of 32", ours4_bursts, "rte_lpm bulk",
			dpdk4_bursts, BENCH_AT_MOST, 1.1);
	} else {
		fputs("   rte_lpm of DPDK is not here\n", stderr);
	}
	lpm4_free(&t4);
	free(r);
	free(plain.v);
	return 0;
}
