/* SPDX-License-Identifier: BSD-2-Clause */
/* The messages of the neighbour responder, byte by byte. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "neigh_frames.h"
#include "neigh_msg.h"

static void ns_csum(uint8_t *f, uint32_t len)
{
	struct want w = {.version = 6, .proto = 58, .l3 = 14};
	uint32_t sum;

	memset(f + 56, 0, 2);
	sum = slow_sum(slow_pseudo(f, &w, len - 54), f + 54, len - 54);
	be16(f + 56, 0xffff - sum);
}

static uint32_t solicitation(uint8_t *f, const char *from, const char *who, bool option)
{
	uint32_t len = option ? 86 : 78;

	memset(f, 0, 100);
	memcpy(f, "\x33\x33\xff\0\0\0", 6);
	memcpy(f + 6, asker_mac, 6);
	be16(f + 12, 0x86dd);
	f[14] = 0x60;
	be16(f + 18, len - 54);
	f[20] = 58;
	f[21] = 255;
	inet_pton(AF_INET6, from, f + 22);
	f[54] = 135;
	inet_pton(AF_INET6, who, f + 62);
	inet_pton(AF_INET6, "ff02::1:ff00:0", f + 38);
	memcpy(f + 38 + 13, f + 62 + 13, 3);
	memcpy(f + 3, f + 62 + 13, 3);
	if (option) {
		f[78] = 1;
		f[79] = 1;
		memcpy(f + 80, asker_mac, 6);
	}
	ns_csum(f, len);
	return len;
}

static void arp_bytes(void **state)
{
	static const uint8_t want[42] = {2,  0, 0, 0,  0, 0x20, 2, 0, 0, 0,    0,  0x77, 8, 6,
					 0,  1, 8, 0,  6, 4,	0, 2, 2, 0,    0,  0,	 0, 0x77,
					 10, 0, 0, 50, 2, 0,	0, 0, 0, 0x20, 10, 0,	 0, 2};
	static const uint8_t told[46] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0,
					 0,    0x77, 0x81, 0,	 0,    7,    8, 6, 0, 1,
					 8,    0,    6,	   4,	 0,    1,    2, 0, 0, 0,
					 0,    0x77, 10,   0,	 0,    50,   0, 0, 0, 0,
					 0,    0,    10,   0,	 0,    50};
	static const uint8_t addr[4] = {10, 0, 0, 50};
	uint8_t f[100], out[RN_NEIGH_FRAME];
	struct rn_question q;

	(void)state;
	assert_true(rn_question_parse(f, arp_request(f, "10.0.0.2", "10.0.0.50"), &q));
	assert_int_equal(q.family, 4);
	assert_false(q.probe);
	assert_int_equal(rn_question_answer(&q, own_mac, 0, out), 42);
	assert_memory_equal(out, want, 42);
	assert_int_equal(rn_neigh_announcement(4, addr, own_mac, 7, out), 46);
	assert_memory_equal(out, told, 46);
	assert_true(rn_question_parse(f, arp_request(f, "0.0.0.0", "10.0.0.50"), &q));
	assert_true(q.probe);
	/* an announcement, a reply, another kind of address, a group as asker */
	assert_false(rn_question_parse(f, arp_request(f, "10.0.0.50", "10.0.0.50"), &q));
	for (unsigned i = 14; i < 22; i++) {
		arp_request(f, "10.0.0.2", "10.0.0.50");
		f[i] ^= 3;
		assert_false(rn_question_parse(f, 60, &q));
	}
	arp_request(f, "10.0.0.2", "10.0.0.50");
	f[22] |= 1;
	assert_false(rn_question_parse(f, 60, &q));
	memset(f + 22, 0, 6);
	assert_false(rn_question_parse(f, 60, &q));
}

/* An advertisement, looked at field by field. */
static void na_is_right(const uint8_t *f, uint32_t len, const char *dst, const char *target,
			uint8_t flags)
{
	struct want w = {.version = 6, .proto = 58, .l3 = 14, .l4 = 54, .end = 86};
	uint8_t addr[16];

	assert_int_equal(len, 86);
	assert_memory_equal(f + 6, own_mac, 6);
	assert_int_equal(get_be16(f + 12), 0x86dd);
	assert_int_equal(get_be32(f + 14), 0x60000000);
	assert_int_equal(get_be32(f + 18), 32u << 16 | 58u << 8 | 255);
	inet_pton(AF_INET6, target, addr);
	assert_memory_equal(f + 22, addr, 16);
	assert_memory_equal(f + 62, addr, 16);
	inet_pton(AF_INET6, dst, addr);
	assert_memory_equal(f + 38, addr, 16);
	assert_int_equal(get_be16(f + 54), 136u << 8);
	assert_int_equal(get_be32(f + 58), (uint32_t)flags << 24);
	assert_int_equal(get_be16(f + 78), 0x0201);
	assert_memory_equal(f + 80, own_mac, 6);
	assert_true(slow_l4_ok(f, &w));
}

static void nd_bytes(void **state)
{
	static const uint8_t all_nodes[6] = {0x33, 0x33, 0, 0, 0, 1};
	uint8_t f[120], out[RN_NEIGH_FRAME], addr[16];
	struct rn_question q;
	uint32_t len;

	(void)state;
	len = solicitation(f, "fd00::2", "fd00::50", true);
	assert_true(rn_question_parse(f, len, &q));
	assert_memory_equal(q.mac, asker_mac, 6);
	len = rn_question_answer(&q, own_mac, 0, out);
	na_is_right(out, len, "fd00::2", "fd00::50", 0x60);
	assert_memory_equal(out, asker_mac, 6);
	/* duplicate address detection of somebody else */
	len = solicitation(f, "::", "fd00::50", false);
	assert_true(rn_question_parse(f, len, &q));
	assert_true(q.probe);
	len = rn_question_answer(&q, own_mac, 0, out);
	na_is_right(out, len, "ff02::1", "fd00::50", 0x20);
	assert_memory_equal(out, all_nodes, 6);
	inet_pton(AF_INET6, "fd00::50", addr);
	len = rn_neigh_announcement(6, addr, own_mac, 0, out);
	na_is_right(out, len, "ff02::1", "fd00::50", 0x20);
	/* with a tag */
	len = rn_question_answer(&q, own_mac, 5, out);
	assert_int_equal(len, 90);
	assert_int_equal(get_be32(out + 12), 0x81000005);
}

static void nd_refused(void **state)
{
	uint8_t f[120];
	struct rn_question q;
	uint32_t len;

	(void)state;
	len = solicitation(f, "::", "fd00::50", true); /* a probe must not name a MAC */
	assert_false(rn_question_parse(f, len, &q));
	len = solicitation(f, "fd00::2", "ff02::50", true);
	assert_false(rn_question_parse(f, len, &q));
	len = solicitation(f, "::", "fd00::50", false); /* a probe to one host */
	inet_pton(AF_INET6, "fd00::50", f + 38);
	ns_csum(f, len);
	assert_false(rn_question_parse(f, len, &q));
	for (unsigned at = 56; at < 86; at++) { /* broken on its way */
		len = solicitation(f, "fd00::2", "fd00::50", true);
		f[at] ^= 0x10;
		assert_false(rn_question_parse(f, len, &q));
	}
	len = solicitation(f, "fd00::2", "fd00::50", true);
	f[21] = 254; /* came through a router */
	assert_false(rn_question_parse(f, len, &q));
	len = solicitation(f, "fd00::2", "fd00::50", true);
	f[79] = 0; /* an option without length */
	ns_csum(f, len);
	assert_false(rn_question_parse(f, len, &q));
	f[79] = 2;
	ns_csum(f, len);
	assert_false(rn_question_parse(f, len, &q));
}

static void truncated(void **state)
{
	uint8_t f[120], *g = guarded(86);
	struct rn_question q;

	(void)state;
	solicitation(f, "fd00::2", "fd00::50", true);
	for (uint32_t len = 0; len < 86; len++) {
		memcpy(g + 86 - len, f, len);
		assert_false(rn_question_parse(g + 86 - len, len, &q));
	}
	arp_request(f, "10.0.0.2", "10.0.0.50");
	for (uint32_t len = 0; len < 60; len++) {
		memcpy(g + 86 - len, f, len);
		assert_int_equal(rn_question_parse(g + 86 - len, len, &q), len >= 42);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arp_bytes),
		cmocka_unit_test(nd_bytes),
		cmocka_unit_test(nd_refused),
		cmocka_unit_test(truncated),
	};

	return cmocka_run_group_tests_name("neigh_msg", tests, NULL, NULL);
}
