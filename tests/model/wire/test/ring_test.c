/* SPDX-License-Identifier: BSD-2-Clause */
/* ring.h: order, wrap, full and empty, every length, a hostile other side, two threads. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring.h"

#define SIZE (1u << 16)

struct pair {
	struct cx_ring_ctl ctl;
	_Alignas(64) uint8_t data[SIZE];
	struct cx_ring w, r;
};

/* Both sides at `start`, so that wraps of 2^32 are reached at once. */
static struct pair *make(uint32_t start)
{
	struct pair *p = aligned_alloc(64, sizeof(*p));

	memset(p, 0, sizeof(*p));
	cx_ring_init(&p->w, &p->ctl, p->data, SIZE);
	cx_ring_init(&p->r, &p->ctl, p->data, SIZE);
	p->w.mine = p->w.seen = p->r.mine = p->r.seen = start;
	atomic_init(&p->ctl.head, start);
	atomic_init(&p->ctl.tail, start);
	return p;
}

static bool put(struct cx_ring *w, uint32_t len, uint32_t number)
{
	uint8_t *f = cx_ring_reserve(w, len);

	if (!f)
		return false;
	memset(f, (int)(number & 0xff), len);
	if (len >= 4)
		memcpy(f, &number, 4);
	cx_ring_commit(w, len);
	return true;
}

static void take(struct cx_ring *r, uint32_t len, uint32_t number)
{
	uint32_t got = 0, i;
	const uint8_t *f = cx_ring_peek(r, &got);

	assert_non_null(f);
	assert_int_equal(got, len);
	if (len >= 4)
		assert_memory_equal(f, &number, 4);
	for (i = 4; i < len; i++)
		assert_int_equal(f[i], number & 0xff);
	cx_ring_release(r, got);
}

static void test_every_length(void **state)
{
	struct pair *p = make(0xffff8000u);
	uint32_t len, got;

	(void)state;
	for (len = 0; len <= CX_FRAME_MAX; len++) {
		assert_true(put(&p->w, len, len));
		take(&p->r, len, len);
		assert_null(cx_ring_peek(&p->r, &got));
	}
	assert_null(cx_ring_reserve(&p->w, CX_FRAME_MAX + 1));
	assert_false(p->w.broken || p->r.broken);
	free(p);
}

static void test_full_and_empty(void **state)
{
	struct pair *p = make(0);
	uint32_t n, i, got;

	(void)state;
	for (n = 0; put(&p->w, 56, n); n++)
		;
	assert_int_equal(n, SIZE / 64);
	assert_true(cx_ring_is_full(&p->w));
	take(&p->r, 56, 0);
	assert_true(put(&p->w, 56, n));
	for (i = 1; i <= n; i++)
		take(&p->r, 56, i);
	assert_null(cx_ring_peek(&p->r, &got));
	assert_true(cx_ring_is_empty(&p->r));
	assert_false(cx_ring_is_full(&p->w));
	free(p);
}

/* Mixed lengths, the ring mostly full: skips happen at every distance from its end. */
static void test_mixed(void **state)
{
	struct pair *p = make(0xfffff000u);
	uint32_t in = 0, out = 0, seed = 1;
	uint32_t lens[4096];

	(void)state;
	while (out < 20000) {
		uint32_t len = (seed = seed * 1103515245 + 12345) >> 16 & 0x3fff;

		if (put(&p->w, len, in)) {
			lens[in++ % 4096] = len;
			continue;
		}
		assert_true(in > out);
		take(&p->r, lens[out % 4096], out);
		out++;
	}
	assert_false(p->w.broken || p->r.broken);
	free(p);
}

static void test_peek_is_stable(void **state)
{
	struct pair *p = make(0);
	uint32_t a, b;

	(void)state;
	put(&p->w, 100, 7);
	put(&p->w, 200, 8);
	assert_ptr_equal(cx_ring_peek(&p->r, &a), cx_ring_peek(&p->r, &b));
	assert_int_equal(a, 100);
	assert_int_equal(atomic_load(&p->ctl.tail), 0);
	take(&p->r, 100, 7);
	take(&p->r, 200, 8);
	free(p);
}

static void test_hostile_writer(void **state)
{
	static const uint32_t heads[] = {SIZE + 8, 4, 0x80000000u, 0xfffffff8u};
	static const uint32_t lens[] = {CX_FRAME_MAX + 1, 0xfffffff0u, 0x80000000u, 300,
					CX_RECORD_SKIP};
	uint32_t i, got;

	(void)state;
	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct pair *p = make(0);

		atomic_store(&p->ctl.head, heads[i]);
		assert_null(cx_ring_peek(&p->r, &got));
		assert_true(p->r.broken);
		assert_true(cx_ring_is_empty(&p->r));
		free(p);
	}
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct pair *p = make(0);

		put(&p->w, 100, 1);
		atomic_store(&cx_ring_at(&p->w, 0)->len, lens[i]);
		assert_null(cx_ring_peek(&p->r, &got));
		assert_true(p->r.broken);
		free(p);
	}
}

static void test_hostile_reader(void **state)
{
	struct pair *p = make(0);

	(void)state;
	while (put(&p->w, 1000, 0))
		;
	atomic_store(&p->ctl.tail, 0x40000000u);
	assert_false(put(&p->w, 1000, 0));
	assert_true(p->w.broken);
	free(p);
}

/* ---- two threads ---- */

#define FRAMES 200000

static void *write_all(void *ctx)
{
	struct pair *p = ctx;
	uint32_t i;

	for (i = 0; i < FRAMES; i++) {
		while (!put(&p->w, 4 + i * 13 % 1500, i))
			sched_yield();
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct pair *p = make(0xfff00000u);
	pthread_t writer;
	uint32_t i, len, number;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, write_all, p), 0);
	for (i = 0; i < FRAMES; i++) {
		const uint8_t *f;

		while (!(f = cx_ring_peek(&p->r, &len))) {
			assert_false(p->r.broken);
			sched_yield();
		}
		memcpy(&number, f, 4);
		assert_int_equal(number, i);
		assert_int_equal(len, 4 + i * 13 % 1500);
		assert_true(len < 5 || f[len - 1] == (uint8_t)i);
		cx_ring_release(&p->r, len);
	}
	pthread_join(writer, NULL);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),   cmocka_unit_test(test_full_and_empty),
		cmocka_unit_test(test_mixed),	       cmocka_unit_test(test_peek_is_stable),
		cmocka_unit_test(test_hostile_writer), cmocka_unit_test(test_hostile_reader),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
