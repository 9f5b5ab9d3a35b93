/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines of keys and values, and the values. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "keys.h"
#include "stream.h"

static void test_numbers(void **state)
{
	uint64_t v;

	(void)state;
	assert_true(value_number("7", 1, 9, &v) && v == 7);
	assert_true(value_number("18446744073709551615", 0, UINT64_MAX, &v) && v == UINT64_MAX);
	for (const char *const *word = (const char *const[]) {"", " 7", "-1", "+7", "7x", "0", "10",
							      "18446744073709551616", "0x7", NULL};
	     *word; word++)
		assert_false(value_number(*word, 1, 9, &v));
}

static void test_rates(void **state)
{
	static const struct {
		const char *word;
		double per_second;
		bool bits;
	} good[] = {{"1", 1, false},
		    {"1.5M", 1.5e6, false},
		    {"20k", 2e4, false},
		    {"10Gbit", 1e10, true},
		    {"9bit", 9, true}};
	struct value_rate rate;

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(value_rate(good[i].word, &rate));
		assert_true(rate.per_second == good[i].per_second && rate.bits == good[i].bits);
	}
	for (const char *const *word = (const char *const[]) {"", "0", "-1", "k", "1Mbits", "1kM",
							      "nan", "inf", "1e13", "fast", NULL};
	     *word; word++)
		assert_false(value_rate(*word, &rate));
}

static void test_macs(void **state)
{
	uint8_t mac[6];

	(void)state;
	assert_true(value_mac("02:00:00:00:00:fe", mac) && mac[0] == 2 && mac[5] == 0xfe);
	assert_false(value_mac("02:00:00:00:00", mac));
	assert_false(value_mac("02:00:00:00:00:fe:", mac));
	assert_false(value_mac("", mac));
}

static int read_stream(struct stream *s, const char *const *words)
{
	struct key_table table = stream_keys(s);

	stream_init(s);
	return keys_read(&table, 1, (char *const *)(uintptr_t)words);
}

#define WORDS(...)                                                \
	(const char *const[])                                     \
	{                                                         \
		"src", "10.0.0.1", "dst", "10.0.0.2", __VA_ARGS__ \
	}

static void test_streams(void **state)
{
	struct stream s;

	(void)state;
	assert_int_equal(read_stream(&s, WORDS("to", "v0", NULL)), 0);
	assert_int_equal(stream_check(&s), 0);
	assert_int_equal(s.addresses.sport, 9);
	assert_int_equal(read_stream(&s, WORDS("dmac", "02:00:00:00:00:01", "sport", "7", "dport",
					       "65535", "vlan", "4094", "queue", "3", NULL)),
			 0);
	assert_int_equal(stream_check(&s), 0);
	assert_true(s.addresses.sport == 7 && s.vlan == 4094 && s.queue == 3 && s.has_dmac);
	s.addresses.flows = 2; /* beyond port 65535 */
	assert_int_equal(stream_check(&s), -EINVAL);
	assert_int_equal(read_stream(&s, WORDS(NULL)), 0);
	assert_int_equal(stream_check(&s), -EINVAL); /* to whom? */
	assert_int_equal(read_stream(&s, WORDS("dprt", "7", NULL)), -EINVAL);
	assert_int_equal(read_stream(&s, WORDS("dport", NULL)), -EINVAL);
	assert_int_equal(read_stream(&s, WORDS("dst", "fd00::1", NULL)), -EINVAL);
	assert_int_equal(read_stream(&s, WORDS("vlan", "4095", NULL)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
