/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answers of rawnet-echo. Frames stand in memory of just their length, so that AddressSanitizer
 * sees a byte read too far.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "answer.h"

#define MACS	  0x02, 1, 1, 1, 1, 1, 0x02, 2, 2, 2, 2, 2
#define MACS_BACK 0x02, 2, 2, 2, 2, 2, 0x02, 1, 1, 1, 1, 1
#define IP4(len)  0x45, 0, 0, len, 0, 7, 0x40, 0, 64, 17, 0x12, 0x34
#define UDP	  0x04, 0, 0x1b, 0x59, 0, 10, 0xab, 0xcd, 'h', 'i'
#define UDP_BACK  0x1b, 0x59, 0x04, 0, 0, 10, 0xab, 0xcd, 'h', 'i'
#define A6	  0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
#define B6	  0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2

static const uint8_t v4[] = {MACS, 8, 0, IP4(30), 10, 0, 0, 1, 10, 0, 0, 2, UDP};
static const uint8_t v4_back[] = {MACS_BACK, 8, 0, IP4(30), 10, 0, 0, 2, 10, 0, 0, 1, UDP_BACK};
static const uint8_t tagged[] = {MACS, 0x81, 0, 0, 5, 8, 0, IP4(30), 10, 0, 0, 1, 10, 0, 0, 2, UDP};
static const uint8_t tagged_back[] = {MACS_BACK, 0x81, 0, 0,  5, 8, 0, IP4(30), 10,
				      0,	 0,    2, 10, 0, 0, 1, UDP_BACK};
static const uint8_t v6[] = {MACS, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 10, 17, 64, A6, B6, UDP};
static const uint8_t v6_back[] = {MACS_BACK, 0x86, 0xdd, 0x60, 0,  0,  0,
				  0,	     10,   17,	 64,   B6, A6, UDP_BACK};

static uint8_t *copy(const uint8_t *bytes, uint32_t len)
{
	uint8_t *f = malloc(len ? len : 1);

	assert_non_null(f);
	memcpy(f, bytes, len);
	return f;
}

static void gives(const uint8_t *question, const uint8_t *want, uint32_t len)
{
	uint8_t *f = copy(question, len);

	assert_true(echo_answer(f, len));
	assert_memory_equal(f, want, len);
	assert_true(echo_answer(f, len));
	assert_memory_equal(f, question, len);
	free(f);
}

/* With `value` at `at` and the frame cut to `len`. */
static void refuses(const uint8_t *question, uint32_t len, uint32_t at, uint8_t value)
{
	uint8_t *f = copy(question, len), *before;

	if (at < len)
		f[at] = value;
	before = copy(f, len);
	assert_false(echo_answer(f, len));
	assert_memory_equal(f, before, len);
	free(before);
	free(f);
}

static void test_mirror(void **state)
{
	uint8_t padded[60] = {0}, padded_back[60] = {0};

	(void)state;
	gives(v4, v4_back, sizeof(v4));
	gives(tagged, tagged_back, sizeof(tagged));
	gives(v6, v6_back, sizeof(v6));
	memcpy(padded, v4, sizeof(v4));
	memcpy(padded_back, v4_back, sizeof(v4));
	gives(padded, padded_back, sizeof(padded));
}

static void test_cut(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < sizeof(v4); len++)
		refuses(v4, len, UINT32_MAX, 0);
	for (uint32_t len = 0; len < sizeof(tagged); len++)
		refuses(tagged, len, UINT32_MAX, 0);
	for (uint32_t len = 0; len < sizeof(v6); len++)
		refuses(v6, len, UINT32_MAX, 0);
}

static void test_not_plain(void **state)
{
	(void)state;
	refuses(v4, sizeof(v4), 13, 6); /* ARP */
	refuses(v4, sizeof(v4), 14, 0x46); /* options */
	refuses(v4, sizeof(v4), 14, 0x65); /* version */
	refuses(v4, sizeof(v4), 17, 31); /* longer than the frame */
	refuses(v4, sizeof(v4), 17, 29); /* shorter than its datagram */
	refuses(v4, sizeof(v4), 17, 27); /* shorter than its headers */
	refuses(v4, sizeof(v4), 20, 0x20); /* first fragment */
	refuses(v4, sizeof(v4), 21, 1); /* later fragment */
	refuses(v4, sizeof(v4), 23, 6); /* TCP */
	refuses(v4, sizeof(v4), 39, 9); /* a datagram shorter than its packet */
	refuses(v6, sizeof(v6), 14, 0x40); /* version */
	refuses(v6, sizeof(v6), 19, 11); /* longer than the frame */
	refuses(v6, sizeof(v6), 20, 44); /* fragment header */
	refuses(v6, sizeof(v6), 59, 9); /* a datagram shorter than its packet */
	refuses(tagged, sizeof(tagged), 16, 0x81); /* two tags */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mirror),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_not_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
