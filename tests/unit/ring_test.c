/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promise: a poller believes a client's index only if it is at most a ring ahead of what was
 * published, and not behind what it was. Seen to fail without its defence (rn_ring_look()):
 *   what_is_given_back...  measured by r->daemon: an honest index was a lie
 *   what_is_finished...    measured by r->daemon: eight slots where the client had posted none
 *   nothing_goes_back      ahead alone looked at: an index that went back was taken
 *   all of them            behind alone looked at: nine slots of a ring of eight
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ring.h"

#define SIZE 8u

static const uint32_t starts[] = {0, 5, 0u - 3u}; /* the last wraps within a ring */

/* A ring at index `at` of which the client has posted all. */
static struct rn_ring posted(struct rawnet_ring_ctl *ctl, uint32_t at)
{
	struct rn_ring r = {.ctl = ctl, .mask = SIZE - 1, .daemon = at, .client = at};

	rn_ring_publish(&r);
	ctl->client = at + SIZE;
	assert_int_equal(rn_ring_look(&r), SIZE);
	return r;
}

static int64_t says(struct rn_ring *r, uint32_t client)
{
	__atomic_store_n(&r->ctl->client, client, __ATOMIC_RELEASE);
	return rn_ring_look(r);
}

static void what_is_given_back_may_be_posted(void **state)
{
	struct rawnet_ring_ctl ctl = {0};

	(void)state;
	for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		uint32_t at = starts[i];
		struct rn_ring r = posted(&ctl, at);

		r.daemon += 3;
		assert_int_equal(says(&r, at + SIZE), SIZE - 3);
		rn_ring_publish(&r);
		assert_int_equal(says(&r, at + SIZE + 2), SIZE - 1);
		assert_int_equal(says(&r, at + SIZE + 3), SIZE);
		assert_int_equal(says(&r, at + SIZE + 4), -1);
		assert_int_equal(r.client, at + SIZE + 3);
	}
}

/* A turn takes packets first and looks afterwards: what it took must not make room for a lie. */
static void what_is_finished_is_not_given_back(void **state)
{
	struct rawnet_ring_ctl ctl = {0};

	(void)state;
	for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		uint32_t at = starts[i];
		struct rn_ring r = posted(&ctl, at);

		r.daemon += 3;
		assert_int_equal(says(&r, at + SIZE + 1), -1);
		assert_int_equal(says(&r, at + SIZE + 3), -1);
	}
}

static void nothing_goes_back(void **state)
{
	struct rawnet_ring_ctl ctl = {0};

	(void)state;
	for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		uint32_t at = starts[i];
		struct rn_ring r = posted(&ctl, at);

		assert_int_equal(says(&r, at + SIZE - 1), -1); /* of what was posted */
		r.daemon += 3;
		assert_int_equal(says(&r, at + 4), -1);
		assert_int_equal(says(&r, at + 2), -1); /* behind what was used */
		rn_ring_publish(&r);
		assert_int_equal(says(&r, at + 2), -1);
		assert_int_equal(says(&r, at + (1u << 31)), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_back_may_be_posted),
		cmocka_unit_test(what_is_finished_is_not_given_back),
		cmocka_unit_test(nothing_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
