/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys of frames: a table of frames written as hexadecimal pieces, with the key that each has; and
 * every one of them cut at every length, which may take fields away but never invent one. And heads
 * (head.h): what agrees with one has the same key under its mask, the same places and flags.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "head.h"
#include "key.h"

#define ETH            \
	"020000000001" \
	"020000000002"
#define IP4(ihl_len, frag, proto)             \
	ihl_len "0000" frag "40" proto "0000" \
		"0a000001"                    \
		"0a000002"
#define A6                                 \
	"20010db8000000000000000000000001" \
	"20010db8000000000000000000000002"
#define IP6(len, next) "60000000" len next "40" A6
#define PORTS	       "04d20035" /* 1234 to 53 */
#define UDP	       PORTS "00080000"
#define TCP                      \
	PORTS "0000000000000000" \
	      "5002000000000000"
#define SCTP  PORTS "0000000000000000"
#define ZERO8 "0000000000000000"

struct sample {
	const char *name, *hex;
	int tci; /* as metadata; -1: none */
	uint16_t vlan, type;
	uint8_t has_addr, proto, l4;
	uint8_t fragment, flags, tagged;
	uint16_t l3_at, l4_at;
};

static const struct sample samples[] = {
	{"udp", ETH "0800" IP4("4500001c", "0000", "11") UDP, -1, 0, 0x0800, 4, 17, 1, 0, 0, 0, 14,
	 34},
	{"don't fragment", ETH "0800" IP4("4500001c", "4000", "11") UDP, -1, 0, 0x0800, 4, 17, 1, 0,
	 0, 0, 14, 34},
	{"padded to 60", ETH "0800" IP4("4500001c", "0000", "11") UDP ZERO8 ZERO8 "0000", -1, 0,
	 0x0800, 4, 17, 1, 0, 0, 0, 14, 34},
	{"tcp", ETH "0800" IP4("45000028", "0000", "06") TCP, -1, 0, 0x0800, 4, 6, 1, 0, 0, 0, 14,
	 34},
	{"sctp", ETH "0800" IP4("45000020", "0000", "84") SCTP, -1, 0, 0x0800, 4, 132, 1, 0, 0, 0,
	 14, 34},
	{"icmp", ETH "0800" IP4("4500001c", "0000", "01") ZERO8, -1, 0, 0x0800, 4, 1, 0, 0, 0, 0,
	 14, 34},
	{"other protocol", ETH "0800" IP4("4500001c", "0000", "59") ZERO8, -1, 0, 0x0800, 4, 0x59,
	 0, 0, 0, 0, 14, 34},
	{"options", ETH "0800" IP4("46000020", "0000", "11") "01010100" UDP, -1, 0, 0x0800, 4, 17,
	 1, 0, 0, 0, 14, 38},
	{"most options", ETH "0800" IP4("4f000044", "0000", "11") ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 UDP,
	 -1, 0, 0x0800, 4, 17, 1, 0, 0, 0, 14, 74},
	{"first fragment", ETH "0800" IP4("4500001c", "2000", "11") UDP, -1, 0, 0x0800, 4, 17, 0, 1,
	 0, 0, 14, 0},
	{"middle fragment", ETH "0800" IP4("4500001c", "2001", "11") UDP, -1, 0, 0x0800, 4, 17, 0,
	 1, 0, 0, 14, 0},
	{"last fragment", ETH "0800" IP4("4500001c", "0001", "11") UDP, -1, 0, 0x0800, 4, 17, 0, 1,
	 0, 0, 14, 0},
	{"wrong version", ETH "0800" IP4("5500001c", "0000", "11") UDP, -1, 0, 0x0800, 0, 0, 0, 0,
	 0, 0, 0, 0},
	{"IHL below 5", ETH "0800" IP4("4400001c", "0000", "11") UDP, -1, 0, 0x0800, 0, 0, 0, 0, 0,
	 0, 0, 0},
	{"IHL beyond total", ETH "0800" IP4("4800001c", "0000", "11") UDP, -1, 0, 0x0800, 0, 0, 0,
	 0, 0, 0, 0, 0},
	{"total beyond the frame", ETH "0800" IP4("4500001d", "0000", "11") UDP, -1, 0, 0x0800, 0,
	 0, 0, 0, 0, 0, 0, 0},
	{"total without UDP", ETH "0800" IP4("4500001b", "0000", "11") UDP, -1, 0, 0x0800, 4, 17, 0,
	 0, 0, 0, 14, 0},
	{"total too short for TCP", ETH "0800" IP4("45000027", "0000", "06") TCP, -1, 0, 0x0800, 4,
	 6, 0, 0, 0, 0, 14, 0},
	{"total zero", ETH "0800" IP4("45000000", "0000", "11") UDP, -1, 0, 0x0800, 0, 0, 0, 0, 0,
	 0, 0, 0},
	{"vlan",
	 ETH "8100"
	     "6005"
	     "0800" IP4("4500001c", "0000", "11") UDP,
	 -1, 5, 0x0800, 4, 17, 1, 0, 0, 4, 18, 38},
	{"vlan as metadata", ETH "0800" IP4("4500001c", "0000", "11") UDP, 0x6005, 5, 0x0800, 4, 17,
	 1, 0, 0, 0, 14, 34},
	{"service tag",
	 ETH "88a8"
	     "0005"
	     "0800" IP4("4500001c", "0000", "11") UDP,
	 -1, 5, 0x0800, 4, 17, 1, 0, 0, 4, 18, 38},
	{"priority tag",
	 ETH "8100"
	     "e000"
	     "0800" IP4("4500001c", "0000", "11") UDP,
	 -1, 0, 0x0800, 4, 17, 1, 0, 0, 4, 18, 38},
	{"two tags",
	 ETH "88a8"
	     "0005"
	     "8100"
	     "0006"
	     "0800" IP4("4500001c", "0000", "11") UDP,
	 -1, 5, 0x8100, 0, 0, 0, 0, 0, 4, 0, 0},
	{"a tag and metadata",
	 ETH "8100"
	     "0006"
	     "0800" IP4("4500001c", "0000", "11") UDP,
	 5, 5, 0x8100, 0, 0, 0, 0, 0, 0, 0, 0},
	{"tag cut",
	 ETH "8100"
	     "0005"
	     "08",
	 -1, 0, 0x8100, 0, 0, 0, 0, 0, 0, 0, 0},
	{"length field",
	 ETH "0026"
	     "4242030000",
	 -1, 0, 0x0026, 0, 0, 0, 0, 0, 0, 0, 0},
	{"broadcast",
	 "ffffffffffff"
	 "020000000002"
	 "0800" IP4("4500001c", "0000", "11") UDP,
	 -1, 0, 0x0800, 4, 17, 1, 0, RN_KEY_GROUP, 0, 14, 34},
	{"multicast",
	 "01005e000001"
	 "020000000002"
	 "88cc",
	 -1, 0, 0x88cc, 0, 0, 0, 0, RN_KEY_GROUP, 0, 0, 0},
	{"arp",
	 ETH "0806"
	     "0001080006040001",
	 -1, 0, 0x0806, 0, 0, 0, 0, RN_KEY_NEIGH, 0, 0, 0},
	{"udp6", ETH "86dd" IP6("0008", "11") UDP, -1, 0, 0x86dd, 6, 17, 1, 0, 0, 0, 14, 54},
	{"echo request 6", ETH "86dd" IP6("0008", "3a") "8000000000000000", -1, 0, 0x86dd, 6, 58, 0,
	 0, 0, 0, 14, 54},
	{"router solicitation", ETH "86dd" IP6("0008", "3a") "8500000000000000", -1, 0, 0x86dd, 6,
	 58, 0, 0, RN_KEY_NEIGH, 0, 14, 54},
	{"redirect", ETH "86dd" IP6("0008", "3a") "8900000000000000", -1, 0, 0x86dd, 6, 58, 0, 0,
	 RN_KEY_NEIGH, 0, 14, 54},
	{"type 138", ETH "86dd" IP6("0008", "3a") "8a00000000000000", -1, 0, 0x86dd, 6, 58, 0, 0, 0,
	 0, 14, 54},
	{"solicitation behind hop-by-hop",
	 ETH "86dd" IP6("0010", "00") "3a00010400000000"
				      "8700000000000000",
	 -1, 0, 0x86dd, 6, 58, 0, 0, RN_KEY_NEIGH, 0, 14, 62},
	{"ICMPv6 in IPv4", ETH "0800" IP4("4500001c", "0000", "3a") "8700000000000000", -1, 0,
	 0x0800, 4, 58, 0, 0, 0, 0, 14, 34},
	{"hop-by-hop", ETH "86dd" IP6("0010", "00") "1100010400000000" UDP, -1, 0, 0x86dd, 6, 17, 1,
	 0, 0, 0, 14, 62},
	{"long destination options", ETH "86dd" IP6("0018", "3c") "1101000000000000" ZERO8 UDP, -1,
	 0, 0x86dd, 6, 17, 1, 0, 0, 0, 14, 70},
	{"routing", ETH "86dd" IP6("0010", "2b") "1100040000000000" UDP, -1, 0, 0x86dd, 6, 17, 1, 0,
	 0, 0, 14, 62},
	{"AH", ETH "86dd" IP6("0014", "33") "110100000000000000000000" UDP, -1, 0, 0x86dd, 6, 17, 1,
	 0, 0, 0, 14, 66},
	{"six extensions",
	 ETH "86dd" IP6("0038", "00") "3c00000000000000"
				      "3c00000000000000"
				      "3c00000000000000"
				      "3c00000000000000"
				      "3c00000000000000"
				      "1100000000000000" UDP,
	 -1, 0, 0x86dd, 6, 17, 1, 0, 0, 0, 14, 102},
	{"seven extensions",
	 ETH "86dd" IP6("0040", "00") "3c00000000000000"
				      "3c00000000000000"
				      "3c00000000000000"
				      "3c00000000000000"
				      "3c00000000000000"
				      "3c00000000000000"
				      "1100000000000000" UDP,
	 -1, 0, 0x86dd, 6, 0, 0, 0, 0, 0, 14, 0},
	{"extension beyond the packet", ETH "86dd" IP6("0010", "00") "1102000000000000" UDP, -1, 0,
	 0x86dd, 6, 0, 0, 0, 0, 0, 14, 0},
	{"ESP", ETH "86dd" IP6("0008", "32") ZERO8, -1, 0, 0x86dd, 6, 50, 0, 0, 0, 0, 14, 54},
	{"no next header", ETH "86dd" IP6("0000", "3b"), -1, 0, 0x86dd, 6, 59, 0, 0, 0, 0, 14, 54},
	{"first fragment 6", ETH "86dd" IP6("0010", "2c") "1100000100000001" UDP, -1, 0, 0x86dd, 6,
	 17, 0, 1, 0, 0, 14, 0},
	{"last fragment 6", ETH "86dd" IP6("0010", "2c") "1100000800000001" ZERO8, -1, 0, 0x86dd, 6,
	 17, 0, 1, 0, 0, 14, 0},
	{"atomic fragment 6", ETH "86dd" IP6("0010", "2c") "1100000000000001" UDP, -1, 0, 0x86dd, 6,
	 17, 0, 1, 0, 0, 14, 0},
	{"fragment of options", ETH "86dd" IP6("0010", "2c") "3c00000100000001" ZERO8, -1, 0,
	 0x86dd, 6, 60, 0, 1, 0, 0, 14, 0},
	{"fragment header cut", ETH "86dd" IP6("0004", "2c") "11000001", -1, 0, 0x86dd, 6, 0, 0, 0,
	 0, 0, 14, 0},
	{"wrong version 6",
	 ETH "86dd"
	     "50000000"
	     "0008"
	     "1140" A6 UDP,
	 -1, 0, 0x86dd, 0, 0, 0, 0, 0, 0, 0, 0},
	{"payload beyond the frame", ETH "86dd" IP6("0009", "11") UDP, -1, 0, 0x86dd, 0, 0, 0, 0, 0,
	 0, 0, 0},
	{"payload without UDP", ETH "86dd" IP6("0007", "11") UDP, -1, 0, 0x86dd, 6, 17, 0, 0, 0, 0,
	 14, 0},
	{"jumbogram length", ETH "86dd" IP6("0000", "11") UDP, -1, 0, 0x86dd, 6, 17, 0, 0, 0, 0, 14,
	 0},
	{"nothing behind the type", ETH "0800", -1, 0, 0x0800, 0, 0, 0, 0, 0, 0, 0, 0},
};
#define N_SAMPLES (sizeof(samples) / sizeof(samples[0]))

/* The frame in memory of exactly its size, so that a sanitizer sees a read beyond it. */
static uint8_t *frame_of(const char *hex, uint32_t *len)
{
	uint8_t *frame;

	*len = (uint32_t)strlen(hex) / 2;
	frame = malloc(*len);
	assert_non_null(frame);
	for (uint32_t i = 0; i < *len; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		frame[i] = (uint8_t)v;
	}
	return frame;
}

static void check_addresses(const struct sample *s, const struct rn_key *key)
{
	struct rn_key zero = {0};
	uint8_t src[16] = {0}, dst[16] = {0};

	if (!s->has_addr) {
		assert_memory_equal(key->src, zero.src, 16);
		assert_memory_equal(key->dst, zero.dst, 16);
		return;
	}
	inet_pton(s->has_addr == 4 ? AF_INET : AF_INET6,
		  s->has_addr == 4 ? "10.0.0.1" : "2001:db8::1", src);
	inet_pton(s->has_addr == 4 ? AF_INET : AF_INET6,
		  s->has_addr == 4 ? "10.0.0.2" : "2001:db8::2", dst);
	assert_memory_equal(key->src, src, 16);
	assert_memory_equal(key->dst, dst, 16);
}

static void samples_have_their_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++) {
		const struct sample *s = &samples[i];
		struct rn_headers h;
		struct rn_key key;
		uint32_t len;
		uint8_t *frame = frame_of(s->hex, &len);

		rn_key_parse(frame, len, s->tci, &key, &h);
		if (ntohs(key.vlan) != s->vlan || ntohs(key.ethertype) != s->type ||
		    key.proto != s->proto || key.l4 != s->l4 || h.fragment != s->fragment ||
		    h.flags != s->flags || h.tagged != s->tagged || h.l3 != s->l3_at ||
		    h.l4 != s->l4_at)
			fail_msg("%s: vlan %u type %04x proto %u l4 %u fragment %u flags %u tagged "
				 "%u l3 %u l4 at %u",
				 s->name, ntohs(key.vlan), ntohs(key.ethertype), key.proto, key.l4,
				 h.fragment, h.flags, h.tagged, h.l3, h.l4);
		assert_memory_equal(key.dmac, frame, 6);
		assert_memory_equal(key.smac, frame + 6, 6);
		check_addresses(s, &key);
		assert_int_equal(ntohs(key.sport), s->l4 ? 1234 : 0);
		assert_int_equal(ntohs(key.dport), s->l4 ? 53 : 0);
		assert_int_equal(key.zero, 0);
		free(frame);
	}
}

/* A field of the cut frame's key is zero or what it was. */
static void no_field_is_invented(const char *name, uint32_t cut, const struct rn_key *part,
				 const struct rn_key *whole)
{
	bool ok = (!part->vlan || part->vlan == whole->vlan) &&
		  (!part->proto || part->proto == whole->proto) && part->l4 <= whole->l4 &&
		  (!part->sport || part->sport == whole->sport) &&
		  (!part->dport || part->dport == whole->dport);
	static const uint8_t zero[16];

	ok = ok && (!memcmp(part->src, zero, 16) || !memcmp(part->src, whole->src, 16));
	ok = ok && (!memcmp(part->dst, zero, 16) || !memcmp(part->dst, whole->dst, 16));
	if (!ok)
		fail_msg("%s cut to %u bytes", name, cut);
}

static void cut_frames_lose_fields_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++) {
		const struct sample *s = &samples[i];
		struct rn_key whole, key;
		struct rn_headers h;
		uint32_t len;
		uint8_t *frame = frame_of(s->hex, &len);

		rn_key_parse(frame, len, s->tci, &whole, &h);
		for (uint32_t cut = 0; cut < len; cut++) {
			uint8_t *part = malloc(cut ? cut : 1);

			assert_non_null(part);
			memcpy(part, frame, cut);
			rn_key_parse(part, cut, s->tci, &key, &h);
			no_field_is_invented(s->name, cut, &key, &whole);
			assert_true(h.l3 <= cut && h.l4 <= cut);
			if (cut < 14)
				assert_int_equal(key.dmac[5] | key.vlan | h.flags, 0);
			free(part);
		}
		free(frame);
	}
}

static bool same_under(const struct rn_key *a, const struct rn_key *b, const struct rn_key *mask)
{
	const uint8_t *x = (const void *)a, *y = (const void *)b, *m = (const void *)mask;

	for (size_t i = 0; i < sizeof(*a); i++)
		if ((x[i] ^ y[i]) & m[i])
			return false;
	return true;
}

/* The head of `frame`, asked about `other`, of which n bytes are there. Counts both answers. */
static void ask(const struct sample *s, const struct rn_head *head, const struct rn_key *mask,
		const uint8_t *frame, uint32_t len, const uint8_t *other, uint32_t n,
		unsigned yes[2])
{
	uint8_t *edge = malloc(n ? n : 1); /* for the sanitizer: nothing behind it is read */
	struct rn_headers h, other_h;
	struct rn_key key, other_key;
	bool agrees;

	assert_non_null(edge);
	memcpy(edge, other, n);
	agrees = rn_head_agrees_frame(head, edge, n);
	yes[agrees]++;
	rn_key_parse(frame, len, s->tci, &key, &h);
	rn_key_parse(edge, n, s->tci, &other_key, &other_h);
	if (agrees && (!same_under(&key, &other_key, mask) || memcmp(&h, &other_h, sizeof(h)) != 0))
		fail_msg("%s: agrees, but is another", s->name);
	free(edge);
}

/* Each bit changed, each length, with all of the key and with each field of it left out. */
static void heads_know_their_frames(void **state)
{
	static const struct rn_key fields[] = {
		{.zero = 0xffff},	  {.dmac = {254, 255, 255, 255, 255, 255}},
		{.smac = {0, 0, 0, 255}}, {.src = {0, 0, 255, 255}},
		{.dst = {255, 1}},	  {.sport = 0xffff},
		{.dport = 0x0300}};
	unsigned made = 0, yes[2] = {0};

	(void)state;
	for (size_t i = 0; i < N_SAMPLES * 7; i++) {
		const struct sample *s = &samples[i / 7];
		struct rn_key key, mask = fields[i % 7];
		struct rn_headers h;
		struct rn_head head;
		uint8_t other[600];
		uint32_t len;
		uint8_t *frame = frame_of(s->hex, &len);

		for (size_t k = 0; k < sizeof(mask); k++)
			((uint8_t *)&mask)[k] ^= 0xff;
		rn_key_parse(frame, len, s->tci, &key, &h);
		if (rn_head_make(&head, frame, len, &h, &key, &mask)) {
			made++;
			assert_true(rn_head_agrees_frame(&head, frame, len));
			memset(other, 0, sizeof(other));
			memcpy(other, frame, len);
			for (uint32_t n = 0; n < len + 70; n++)
				ask(s, &head, &mask, frame, len, other, n, yes);
			for (uint32_t bit = 0; bit < len * 8; bit++) {
				other[bit / 8] ^= (uint8_t)(1u << bit % 8);
				ask(s, &head, &mask, frame, len, other, len, yes);
				other[bit / 8] ^= (uint8_t)(1u << bit % 8);
			}
		} else {
			assert_true(h.fragment || !h.l4 || h.l4 > 54 || key.proto == 58 ||
				    h.l4 != h.l3 + (key.ethertype == htons(0x0800) ? 20u : 40u));
		}
		free(frame);
	}
	print_message("%u heads: %u frames agreed, %u did not\n", made, yes[1], yes[0]);
	assert_true(made > 40 && yes[0] > 5000 && yes[1] > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_have_their_keys),
		cmocka_unit_test(cut_frames_lose_fields_only),
		cmocka_unit_test(heads_know_their_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
