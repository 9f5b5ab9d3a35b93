/* SPDX-License-Identifier: BSD-2-Clause */
/* The map of ids, against a plain array, with deletions that move entries up. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "idmap.h"

#define IDS 3000u

static void test_empty(void **state)
{
	struct rn_idmap map = {0};

	(void)state;
	assert_null(rn_idmap_get(&map, 1));
	rn_idmap_del(&map, 1);
	assert_int_equal(rn_idmap_put(&map, 1, &map), 0);
	assert_null(rn_idmap_get(&map, 0));
	assert_int_equal(rn_idmap_put(&map, 1, &map), -EEXIST);
	rn_idmap_free(&map);
	assert_null(rn_idmap_get(&map, 1));
}

/* Consecutive ids, ids that share low bits, large ones: puts and deletions at random. */
static void test_like_an_array(void **state)
{
	static const uint64_t strides[] = {1, 64, 1ull << 32, 0x0123456789abcdefull};
	static char here[IDS];
	unsigned seed = 1;

	(void)state;
	for (unsigned s = 0; s < 4; s++) {
		struct rn_idmap map = {0};
		char in[IDS] = {0};
		size_t n = 0;

		for (int i = 0; i < 60000; i++) {
			unsigned k = (unsigned)rand_r(&seed) % IDS;
			uint64_t id = (k + 1) * strides[s];

			assert_ptr_equal(rn_idmap_get(&map, id), in[k] ? &here[k] : NULL);
			if (in[k])
				rn_idmap_del(&map, id);
			else
				assert_int_equal(rn_idmap_put(&map, id, &here[k]), 0);
			in[k] = !in[k];
			n += in[k] ? 1 : (size_t)-1;
			assert_int_equal(map.used, n);
		}
		for (unsigned k = 0; k < IDS; k++)
			assert_ptr_equal(rn_idmap_get(&map, (k + 1) * strides[s]),
					 in[k] ? &here[k] : NULL);
		rn_idmap_free(&map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_like_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
