/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of routes: what a line means, and what is said of wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "routes.h"

static struct l3_routes r;
static struct l3_names names;
static char why[160];

static int read_text(const char *text, size_t size)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, size, "r");
	int rc;

	assert_non_null(in);
	names = (struct l3_names) {.dev = {"eth0", "eth1"}, .n = 2};
	rc = l3_routes_read(&r, in, &names, why, sizeof(why));
	fclose(in);
	return rc;
}

static void good(const char *text)
{
	if (read_text(text, strlen(text)))
		fail_msg("%s", why);
}

static void bad(const char *text, const char *words)
{
	if (!read_text(text, strlen(text)) || !strstr(why, words))
		fail_msg("\"%s\": \"%s\", not \"%s\"", text, why, words);
	assert_null(r.v4);
}

static const struct l3_hop *hop4(size_t i)
{
	return &r.hops.hop[r.v4[i].value];
}

static const struct l3_hop *hop6(size_t i)
{
	return &r.hops.hop[r.v6[i].value];
}

static void lines(void **state)
{
	(void)state;
	good("# routes\n"
	     "\n"
	     "10.0.0.0/8 via 192.0.2.1 dev eth0\n"
	     "10.1.0.0/16 via 192.0.2.1 dev eth0 proto kernel scope link src 10.0.0.1 metric 100\n"
	     "10.2.0.0/16 dev eth1 onlink # behind\r\n"
	     "blackhole 10.3.0.0/16\n"
	     "10.4.0.7 via inet6 fe80::1 dev eth1\n"
	     "default via 192.0.2.9 dev eth0\n"
	     "2001:db8::/32\tvia fe80::1 dev eth1\n"
	     "default via fe80::9 dev eth0\n"
	     "unreachable fd00::/8 metric 1024 pref medium");
	assert_int_equal(r.n4, 6);
	assert_int_equal(r.n6, 3);
	assert_int_equal(r.v4[0].len, 0);
	assert_int_equal(hop4(0)->addr[3], 9);
	assert_int_equal(r.v4[1].addr, 0x0a000000);
	assert_int_equal(r.v4[1].len, 8);
	assert_int_equal(r.v4[1].line, 3);
	assert_int_equal(r.v4[1].value, r.v4[2].value); /* one gateway, one hop */
	assert_int_equal(hop4(1)->kind, L3_GATEWAY);
	assert_int_equal(hop4(3)->kind, L3_LINK);
	assert_int_equal(hop4(3)->port, 1);
	assert_int_equal(r.v4[4].value, L3_BLACKHOLE);
	assert_int_equal(r.v4[5].len, 32);
	assert_int_equal(hop4(5)->family, 6);
	assert_int_equal(hop6(0)->addr[15], 9);
	assert_int_equal(r.v6[1].value, r.v4[5].value); /* the same gateway of both families */
	assert_int_equal(r.v6[2].value, L3_BLACKHOLE);
	l3_routes_free(&r);
}

static void wrong_lines(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"x via 10.0.0.1 dev eth0", "1: \"x\": not an address"},
		{"# fine\n10.0.0.0/33 dev eth0", "2: \"10.0.0.0/33\": a length from 0 to 32"},
		{"10.0.0.0/ dev eth0", "a length from 0 to 32"},
		{"10.0.0.0/-1 dev eth0", "a length from 0 to 32"},
		{"10.0.0.0/8x dev eth0", "a length from 0 to 32"},
		{"10.0.0.0/288 dev eth0", "a length from 0 to 32"},
		{"fd00::/129 dev eth0", "a length from 0 to 128"},
		{"10.0.0.1/8 dev eth0", "bits behind the length are set"},
		{"fd00::1/64 dev eth0", "bits behind the length are set"},
		{"10.0.0.0/8 via 10.0.0.1", "dev is missing"},
		{"10.0.0.0/8", "dev is missing"},
		{"10.0.0.0/8 dev eth7", "\"eth7\": not one of the ports"},
		{"10.0.0.0/8 via nobody dev eth0", "via \"nobody\": not an address"},
		{"10.0.0.0/8 dev", "\"dev\": not expected at the end"},
		{"10.0.0.0/8 via inet6", "via: an address is missing"},
		{"10.0.0.0/8 nexthop via", "via, dev or blackhole is expected"},
		{"fd00::/8 via 10.0.0.1 dev eth0", "an IPv4 gateway for IPv6"},
		{"blackhole", "a prefix is missing"},
		{"10.0.0.0/8 dev eth0\n10.0.0.0/9 dev eth0\n10.0.0.0/8 dev eth1",
		 "3: the same prefix as in line 1"},
		{"fd00::/8 dev eth0\nfd00::/8 dev eth1", "2: the same prefix as in line 1"},
		{"a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g",
		 "more than 31"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		bad(cases[i].text, cases[i].words);
	assert_int_not_equal(read_text("10.0.0.0/8\0dev eth0", 19), 0);
	assert_non_null(strstr(why, "a byte of zero"));
}

/* More hops than the first tables hold. */
static void many_hops(void **state)
{
	static char text[400000];
	size_t len = 0;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"10.%u.%u.0/24 via 192.168.%u.%u dev eth%u\n", i / 256,
					i % 256, i / 256, i % 256, i % 2);
	good(text);
	assert_int_equal(r.n4, 5000);
	assert_int_equal(r.hops.n, 5002);
	for (unsigned i = 0; i < 5000; i++) {
		assert_int_equal(hop4(i)->addr[2], i / 256);
		assert_int_equal(hop4(i)->addr[3], i % 256);
		assert_int_equal(hop4(i)->port, i % 2);
	}
	l3_routes_free(&r);
}

static void names_that_are_learnt(void **state)
{
	char text[] = "10.0.0.0/8 dev a\n11.0.0.0/8 dev b\n12.0.0.0/8 dev a\n";
	FILE *in = fmemopen(text, strlen(text), "r");

	(void)state;
	names = (struct l3_names) {.learn = true};
	assert_int_equal(l3_routes_read(&r, in, &names, why, sizeof(why)), 0);
	fclose(in);
	assert_int_equal(names.n, 2);
	assert_string_equal(names.dev[1], "b");
	assert_int_equal(hop4(2)->port, 0);
	l3_routes_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(wrong_lines),
		cmocka_unit_test(many_hops),
		cmocka_unit_test(names_that_are_learnt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
