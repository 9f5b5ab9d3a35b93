/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Toeplitz hash against the vectors of Microsoft's "Verifying the RSS hash calculation".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "key.h"

struct vector {
	const char *dst, *src;
	uint16_t dport, sport;
	uint32_t without, with; /* ports */
};

static const struct vector vectors[] = {
	{"161.142.100.80", "66.9.149.187", 1766, 2794, 0x323e8fc2, 0x51ccc178},
	{"65.69.140.83", "199.92.111.2", 4739, 14230, 0xd718262a, 0xc626b0ea},
	{"12.22.207.184", "24.19.198.95", 38024, 12898, 0xd2d0a5de, 0x5c2b394a},
	{"209.142.163.6", "38.27.205.30", 2217, 48228, 0x82989176, 0xafc7327f},
	{"202.188.127.2", "153.39.163.191", 1303, 44251, 0x5d1809c5, 0x10e828a2},
	{"3ffe:2501:200:3::1", "3ffe:2501:200:1fff::7", 1766, 2794, 0x2cc18cd5, 0x40207d3d},
	{"ff02::1", "3ffe:501:8::260:97ff:fe40:efab", 4739, 14230, 0x0f0c461c, 0xdde51bbf},
	{"fe80::200:f8ff:fe21:67cf", "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 38024, 44251,
	 0x4b61e985, 0x02d1feef},
};

static void follows_the_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct rn_key key = {0};
		int family = strchr(v->dst, ':') ? AF_INET6 : AF_INET;

		key.ethertype = htons(family == AF_INET ? 0x0800 : 0x86dd);
		assert_int_equal(inet_pton(family, v->dst, key.dst), 1);
		assert_int_equal(inet_pton(family, v->src, key.src), 1);
		assert_int_equal(rn_key_hash(&key), v->without);
		key.l4 = 1;
		key.sport = htons(v->sport);
		key.dport = htons(v->dport);
		assert_int_equal(rn_key_hash(&key), v->with);
	}
}

static void has_none_without_l3(void **state)
{
	struct rn_key key = {.ethertype = 0x1234};

	(void)state;
	key.src[0] = 1;
	assert_int_equal(rn_key_hash(&key), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_vectors),
		cmocka_unit_test(has_none_without_l3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
