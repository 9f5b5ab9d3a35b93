/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Matches: every word of the grammar, good and bad with the exact sentence; text and struct there
 * and back; checks of structs that no text can say; keys, masks and relations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <errno.h>

#include <cmocka.h>

#include "match.h"

static const uint8_t port_mac[6] = {0x02, 0, 0, 0, 0, 0xaa};

struct pair {
	const char *text, *other;
};

/* Text, and how it is written back. */
static const struct pair good[] = {
	{"dmac 02:00:00:00:00:01", "dmac 02:00:00:00:00:01"},
	{"dmac 02:AB:cd:00:00:00/ff:ff:ff:00:00:00", "dmac 02:ab:cd:00:00:00/ff:ff:ff:00:00:00"},
	{"smac 02:00:00:00:00:01", "smac 02:00:00:00:00:01"},
	{"smac 00:10:00:00:00:00/00:ff:00:00:00:00", "smac 00:10:00:00:00:00/00:ff:00:00:00:00"},
	{"vlan 1", "vlan 1"},
	{"vlan 4094", "vlan 4094"},
	{"ethertype ipv4", "ethertype ipv4"},
	{"ethertype 0x86DD", "ethertype ipv6"},
	{"ethertype 35020", "ethertype 0x88cc"},
	{"dmac 02:00:00:00:00:01 ethertype arp", "dmac 02:00:00:00:00:01 ethertype arp"},
	{"dst 10.0.0.1", "dst 10.0.0.1"},
	{"dst 10.0.0.0/8", "dst 10.0.0.0/8"},
	{"dst 128.0.0.0/1", "dst 128.0.0.0/1"},
	{"dst 10.0.0.1/32", "dst 10.0.0.1"},
	{"src 2001:db8::/32", "src 2001:db8::/32"},
	{"dst 2001:DB8::1/128", "dst 2001:db8::1"},
	{"src 10.0.0.1 dst 10.0.0.2", "dst 10.0.0.2 src 10.0.0.1"},
	{"proto tcp", "ethertype ipv4 proto tcp"},
	{"proto 17", "ethertype ipv4 proto udp"},
	{"proto 89", "ethertype ipv4 proto 89"},
	{"proto 0", "ethertype ipv4 proto 0"},
	{"proto icmpv6", "ethertype ipv6 proto icmpv6"},
	{"icmpv6", "ethertype ipv6 proto icmpv6"},
	{"icmp", "ethertype ipv4 proto icmp"},
	{"sctp dport 9", "ethertype ipv4 proto sctp dport 9"},
	{"tcp", "ethertype ipv4 proto tcp"},
	{"udp dst ::1 dport 53", "dst ::1 proto udp dport 53"},
	{"ethertype ipv6 udp dport 53", "ethertype ipv6 proto udp dport 53"},
	{"udp ethertype ipv6", "ethertype ipv6 proto udp"},
	{"dport 65535 udp sport 1", "ethertype ipv4 proto udp sport 1 dport 65535"},
	{"dst 10.0.0.1 ethertype ipv4", "dst 10.0.0.1"},
	{"tuple udp dst 10.0.0.1 dport 7", "dst 10.0.0.1 proto udp dport 7"},
	{"  tuple\tvlan 3\n", "vlan 3"},
	{"macvlan 02:00:00:00:00:01", "macvlan 02:00:00:00:00:01"},
	{"macvlan 02:00:00:00:00:01 addr fe80::1 vlan 7 addr 10.0.0.9",
	 "macvlan 02:00:00:00:00:01 vlan 7 addr 10.0.0.9 addr fe80::1"},
	{"ipvlan 10.0.0.5", "ipvlan 10.0.0.5"},
	{"ipvlan 2001:db8::5 udp dport 53", "ipvlan 2001:db8::5 proto udp dport 53"},
	{"ipvlan 10.0.0.5/32 vlan 2", "ipvlan 10.0.0.5 vlan 2"},
};

/* Text, and the sentence that refuses it. */
static const struct pair bad[] = {
	{"", "match: says nothing"},
	{"tuple", "match: says nothing"},
	{"bogus 1", "\"bogus\": not a word of a match"},
	{"DST 10.0.0.1", "\"DST\": not a word of a match, did you mean \"dst\"?"},
	{"udp dprt 7", "\"dprt\": not a word of a match, did you mean \"dport\"?"},
	{"upd dport 7", "\"upd\": not a word of a match, did you mean \"udp\"?"},
	{"ethrtpe ipv4", "\"ethrtpe\": not a word of a match, did you mean \"ethertype\"?"},
	{"xx 7", "\"xx\": not a word of a match"},
	{"vlan 3 tuple", "\"tuple\": stands in front of all other words or nowhere"},
	{"vlan 3 macvlan 02:00:00:00:00:01",
	 "\"macvlan\": stands in front of all other words or nowhere"},
	{"\x1b[2J", "\"?[2J\": not a word of a match"},
	{"dmac", "\"dmac\": a value is missing behind it"},
	{"macvlan", "\"macvlan\": a value is missing behind it"},
	{"ipvlan", "\"ipvlan\": a value is missing behind it"},
	{"udp dport", "\"dport\": a value is missing behind it"},
	{"vlan 1 vlan 1", "\"vlan\": was said before"},
	{"udp proto tcp", "\"proto\": was said before"},
	{"macvlan 02:00:00:00:00:01 dmac 02:00:00:00:00:01", "\"dmac\": was said before"},
	{"ipvlan 10.0.0.1 dst 10.0.0.1", "\"dst\": was said before"},
	{"dmac 02:00:00:00:00", "\"02:00:00:00:00\": not a MAC address (02:00:00:00:00:01)"},
	{"dmac 2:0:0:0:0:1", "\"2:0:0:0:0:1\": not a MAC address (02:00:00:00:00:01)"},
	{"smac 02:00:00:00:00:01:",
	 "\"02:00:00:00:00:01:\": not a MAC address (02:00:00:00:00:01)"},
	{"smac 02:00:00:00:00:01/24", "\"02:00:00:00:00:01/24\": the mask is not a MAC address"},
	{"dmac 02:00:00:00:00:01/ff:ff:ff:00:00:00",
	 "\"02:00:00:00:00:01\": has bits outside its mask"},
	{"dmac 01:00:5e:00:00:01",
	 "dmac: group addresses stay with the kernel, subscribe to copies"},
	{"dmac ff:ff:ff:ff:ff:ff",
	 "dmac: group addresses stay with the kernel, subscribe to copies"},
	{"dmac 02:00:00:00:00:00/fe:00:00:00:00:00", "dmac: the mask must fix the group bit"},
	{"dmac 00:00:00:00:00:00/00:00:00:00:00:00", "dmac: the mask is empty"},
	{"smac 00:00:00:00:00:00/00:00:00:00:00:00", "smac: the mask is empty"},
	{"vlan 0", "\"0\": vlan, 1 to 4094 is possible"},
	{"vlan 4095", "\"4095\": vlan, 1 to 4094 is possible"},
	{"vlan 5x", "\"5x\": vlan, 1 to 4094 is possible"},
	{"vlan -1", "\"-1\": vlan, 1 to 4094 is possible"},
	{"ethertype 1500", "\"1500\": ethertype, ipv4, ipv6, arp or 0x0600 to 0xffff"},
	{"ethertype 0x10000", "\"0x10000\": ethertype, ipv4, ipv6, arp or 0x0600 to 0xffff"},
	{"ethertype IPv4", "\"IPv4\": ethertype, ipv4, ipv6, arp or 0x0600 to 0xffff"},
	{"ethertype arp", "ethertype arp: ARP to the port's own MAC stays with the kernel"},
	{"ethertype arp udp dport 53", "proto: ethertype 0x0806 has no protocol"},
	{"ethertype arp dst 10.0.0.1", "ethertype 0x0806: the address or protocol needs 0x0800"},
	{"ethertype ipv6 dst 10.0.0.1", "ethertype 0x86dd: the address or protocol needs 0x0800"},
	{"ethertype ipv4 icmpv6", "ethertype 0x0800: the address or protocol needs 0x86dd"},
	{"ethertype ipv6 icmp", "ethertype 0x86dd: the address or protocol needs 0x0800"},
	{"icmpv6 dst 10.0.0.1", "proto icmpv6: the address is of the other family"},
	{"icmp src ::1", "proto icmp: the address is of the other family"},
	{"ethertype 0x88cc tcp", "proto: ethertype 0x88cc has no protocol"},
	{"dst 10.0.0", "\"10.0.0\": not an IPv4 or IPv6 address"},
	{"dst 10.0.0.256", "\"10.0.0.256\": not an IPv4 or IPv6 address"},
	{"src fe80::1%eth0", "\"fe80::1%eth0\": not an IPv4 or IPv6 address"},
	{"dst 10.0.0.0/0", "\"0\": prefix length, 1 to 32 is possible"},
	{"dst 10.0.0.0/33", "\"33\": prefix length, 1 to 32 is possible"},
	{"dst 10.0.0.0/", "\"\": prefix length, 1 to 32 is possible"},
	{"dst ::/129", "\"129\": prefix length, 1 to 128 is possible"},
	{"dst 10.0.0.1/24", "\"10.0.0.1\": has bits outside its prefix"},
	{"src 2001:db8::1/64", "\"2001:db8::1\": has bits outside its prefix"},
	{"dst 10.0.0.1 src ::1", "\"::1\": src and dst are of different families"},
	{"dst 224.0.0.1", "dst: group addresses stay with the kernel, subscribe to copies"},
	{"dst 255.255.255.255", "dst: group addresses stay with the kernel, subscribe to copies"},
	{"dst ff02::1", "dst: group addresses stay with the kernel, subscribe to copies"},
	{"proto foo", "\"foo\": proto, tcp, udp, sctp, icmp, icmpv6 or 0 to 255"},
	{"proto 256", "\"256\": proto, tcp, udp, sctp, icmp, icmpv6 or 0 to 255"},
	{"udp dport 0", "\"0\": port, 1 to 65535 is possible"},
	{"udp sport 65536", "\"65536\": port, 1 to 65535 is possible"},
	{"udp dport http", "\"http\": port, 1 to 65535 is possible"},
	{"dport 53", "dport: needs proto tcp, udp or sctp"},
	{"icmp dport 53", "dport: needs proto tcp, udp or sctp"},
	{"dst 10.0.0.1 sport 53", "sport: needs proto tcp, udp or sctp"},
	{"macvlan 02:00:00:00:00:00/ff:ff:ff:ff:ff:00", "macvlan: needs a whole MAC"},
	{"macvlan 00:00:00:00:00:00", "macvlan: needs a whole MAC"},
	{"ipvlan 10.0.0.0/24", "ipvlan: needs a whole address, and takes no dmac"},
	{"ipvlan 10.0.0.1 dmac 02:00:00:00:00:01",
	 "ipvlan: needs a whole address, and takes no dmac"},
	{"ipvlan 0.0.0.0", "ipvlan: not the address of a host"},
	{"ipvlan ::", "ipvlan: not the address of a host"},
	{"vlan 3 addr 10.0.0.1", "addr: goes with macvlan"},
	{"macvlan 02:00:00:00:00:01 addr 10.0.0.0/24",
	 "\"10.0.0.0/24\": not an IPv4 or IPv6 address"},
	{"macvlan 02:00:00:00:00:01 addr 10.0.0.1 addr 10.0.0.2",
	 "\"10.0.0.2\": a second address of this family"},
	{"macvlan 02:00:00:00:00:01 addr 224.0.0.1", "addr: not the address of a host"},
	{"macvlan 02:00:00:00:00:01 addr ::", "addr: not the address of a host"},
	{"dst 1111111111222222222233333333334444444444555555555566666666667777",
	 "\"111111111122222222223333333333444444444455555555556666666666777\": too long a word"},
};

static void good_ones_come_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct rawnet_match m, again;
		char err[160] = "", text[RAWNET_MATCH_TEXT];

		if (rn_match_parse(good[i].text, &m, err, sizeof(err)))
			fail_msg("%s: %s", good[i].text, err);
		assert_int_equal(rn_match_format(&m, text, sizeof(text)), strlen(good[i].other));
		assert_string_equal(text, good[i].other);
		assert_int_equal(rn_match_parse(text, &again, err, sizeof(err)), 0);
		assert_memory_equal(&m, &again, sizeof(m));
	}
}

static void bad_ones_name_the_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rawnet_match m;
		char err[160] = "";

		if (rn_match_parse(bad[i].text, &m, err, sizeof(err)) != -EINVAL)
			fail_msg("\"%s\" was not refused", bad[i].text);
		if (strcmp(err, bad[i].other) != 0)
			fail_msg("\"%s\": \"%s\" instead of \"%s\"", bad[i].text, err,
				 bad[i].other);
		assert_int_equal(rn_match_parse(bad[i].text, &m, NULL, 0), -EINVAL);
		assert_int_equal(rn_match_parse(bad[i].text, &m, err, 4), -EINVAL);
		assert_int_equal(strlen(err), 3);
	}
}

static struct rawnet_match parsed(const char *text)
{
	struct rawnet_match m;
	char err[160];

	if (rn_match_parse(text, &m, err, sizeof(err)))
		fail_msg("%s: %s", text, err);
	return m;
}

/* What format would have written is cut, never overrun. */
static void format_stops_at_the_end(void **state)
{
	struct rawnet_match m = parsed("dst 10.0.0.1 proto udp dport 53");
	char whole[RAWNET_MATCH_TEXT], text[RAWNET_MATCH_TEXT];
	int len = rn_match_format(&m, whole, sizeof(whole));

	(void)state;
	assert_int_equal(rn_match_format(&m, NULL, 0), len);
	for (size_t size = 1; size <= (size_t)len + 2; size++) {
		memset(text, '#', sizeof(text));
		assert_int_equal(rn_match_format(&m, text, size), len);
		assert_true(text[size] == '#');
		assert_true(strlen(text) < size);
		assert_memory_equal(text, whole, strlen(text));
	}
}

static void the_longest_fits(void **state)
{
	const char *text = "macvlan 02:00:00:00:00:01 smac 02:00:00:00:00:01/ff:ff:ff:ff:ff:0f "
			   "vlan 4094 dst 1111:2222:3333:4444:5555:6666:7777:8880/127 "
			   "src 1111:2222:3333:4444:5555:6666:7777:8880/127 proto sctp "
			   "sport 65535 dport 65535 addr 111.111.111.111 "
			   "addr 1111:2222:3333:4444:5555:6666:7777:8888";
	struct rawnet_match m = parsed(text);
	char out[RAWNET_MATCH_TEXT];

	(void)state;
	assert_true(rn_match_format(&m, out, sizeof(out)) < (int)sizeof(out));
	assert_string_equal(out, text);
}

static void refuse_struct(const struct rawnet_match *m, const char *why)
{
	struct rawnet_match copy = *m;
	char err[160] = "";

	assert_int_equal(rn_match_check(&copy, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, why);
}

static void structs_from_outside_are_checked(void **state)
{
	struct rawnet_match ok = parsed("dst 10.0.0.0/8 udp dport 53"), m;

	(void)state;
	m = ok;
	m.size = 8;
	refuse_struct(&m, "match: size 8, 96 is known");
	m = ok;
	m.fields |= 0x8000;
	refuse_struct(&m, "match: unknown fields 0x8000");
	m = ok;
	m.model = 3;
	refuse_struct(&m, "match: unknown model 3");
	m = ok;
	m.reserved = 1;
	refuse_struct(&m, "match: reserved is not zero");
	m = ok;
	m.family = 5;
	refuse_struct(&m, "family 5: 4 or 6 is possible");
	m = ok;
	m.family = 0;
	refuse_struct(&m, "family 0: 4 or 6 is possible");
	m = ok;
	m.fields &= (uint16_t)~RAWNET_M_DST;
	refuse_struct(&m, "family 4 without an address");
	m = ok;
	m.dst_len = 33;
	refuse_struct(&m, "dst: prefix length 33, 1 to 32 is possible");
	m = ok;
	m.dst[15] = 1;
	refuse_struct(&m, "dst: bits outside the prefix /8");
	m = ok;
	m.dport = 0;
	refuse_struct(&m, "dport: 1 to 65535 is possible");
	m = ok;
	m.fields |= RAWNET_M_SPORT;
	refuse_struct(&m, "sport: 1 to 65535 is possible");
	m = ok;
	m.fields |= RAWNET_M_VLAN;
	m.vlan = 4095;
	refuse_struct(&m, "vlan 4095: 1 to 4094 is possible");
	m = ok;
	m.fields |= RAWNET_M_SMAC;
	m.smac[5] = 1;
	refuse_struct(&m, "smac: bits outside its mask");
	m = ok;
	m.ethertype = 0x100;
	refuse_struct(&m, "ethertype 0x0100: 0x0600 to 0xffff is possible");
}

static void what_does_not_count_is_cleared(void **state)
{
	struct rawnet_match ok = parsed("dst 10.0.0.1 udp"), m = ok;

	(void)state;
	memset(m.src, 0xff, sizeof(m.src));
	memset(m.addr6, 0xff, sizeof(m.addr6));
	memset(m.smac_mask, 0xff, sizeof(m.smac_mask));
	m.src_len = 77;
	m.vlan = 5;
	m.sport = 9;
	m.fields &= (uint16_t)~RAWNET_M_ETHERTYPE;
	assert_int_equal(rn_match_check(&m, NULL, 0), 0);
	assert_memory_equal(&m, &ok, sizeof(m));
}

static void keys_mean_the_match(void **state)
{
	struct rawnet_match m = parsed("dst 10.16.0.0/12 vlan 5 udp dport 53");
	struct rn_key key, mask, zero = {0};

	(void)state;
	rn_match_key(&m, port_mac, &key, &mask);
	assert_memory_equal(key.dmac, port_mac, 6);
	assert_memory_equal(mask.dmac, "\xff\xff\xff\xff\xff\xff", 6);
	assert_memory_equal(mask.smac, zero.smac, 6);
	assert_int_equal(key.vlan, htons(5));
	assert_int_equal(mask.vlan, 0xffff);
	assert_int_equal(key.ethertype, htons(0x0800));
	assert_memory_equal(key.dst, "\x0a\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(mask.dst, "\xff\xf0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(mask.src, zero.src, 16);
	assert_int_equal(key.proto, 17);
	assert_int_equal(mask.proto, 0xff);
	assert_int_equal(key.l4, 1);
	assert_int_equal(mask.l4, 1);
	assert_int_equal(mask.sport, 0);
	assert_int_equal(key.dport, htons(53));
	assert_int_equal(mask.dport, 0xffff);

	m = parsed("macvlan 02:00:00:00:00:01 addr 10.0.0.1");
	rn_match_key(&m, port_mac, &key, &mask);
	assert_memory_equal(key.dmac, "\x02\0\0\0\0\x01", 6);
	assert_int_equal(mask.ethertype, 0);
	assert_int_equal(key.vlan, 0);
	assert_int_equal(mask.vlan, 0xffff); /* untagged only */
	assert_int_equal(mask.l4, 0); /* fragments too */
}

static const struct {
	const char *a, *b;
	int intersects, a_covers, b_covers;
} relations[] = {
	{"dst 10.0.0.0/8", "dst 10.1.0.0/16", 1, 1, 0},
	{"dst 10.0.0.0/8", "dst 10.0.0.0/8", 1, 1, 1},
	{"dst 10.0.0.0/8", "dst 11.0.0.0/8", 0, 0, 0},
	{"dst 10.0.0.0/8", "src 10.0.0.0/8", 1, 0, 0},
	{"udp dport 53", "udp sport 53", 1, 0, 0},
	{"udp dport 53", "udp dport 54", 0, 0, 0},
	{"udp dport 53", "tcp dport 53", 0, 0, 0},
	{"udp", "udp dport 53", 1, 1, 0},
	{"ethertype ipv4", "udp dport 53", 1, 1, 0},
	{"dst 10.0.0.1", "dst ::1", 0, 0, 0},
	{"vlan 5", "vlan 6", 0, 0, 0},
	{"vlan 5", "dst 10.0.0.1", 0, 0, 0}, /* tagged against untagged */
	{"macvlan 02:00:00:00:00:01", "dst 10.0.0.1", 0, 0, 0},
	{"macvlan 02:00:00:00:00:aa", "dst 10.0.0.1", 1, 1, 0}, /* the port's own */
	{"macvlan 02:00:00:00:00:01", "macvlan 02:00:00:00:00:01 vlan 5", 0, 0, 0},
	{"macvlan 02:00:00:00:00:01", "dmac 02:00:00:00:00:00/ff:ff:ff:ff:ff:00", 1, 0, 1},
	{"smac 02:00:00:00:00:01", "smac 00:00:00:00:00:01/00:00:00:00:00:ff", 1, 0, 1},
	{"ipvlan 10.0.0.1", "dst 10.0.0.1", 1, 1, 1},
};

static void relations_hold_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(relations) / sizeof(relations[0]); i++) {
		struct rawnet_match a = parsed(relations[i].a), b = parsed(relations[i].b);

		if (rn_match_intersects(&a, &b, port_mac) != relations[i].intersects ||
		    rn_match_intersects(&b, &a, port_mac) != relations[i].intersects ||
		    rn_match_covers(&a, &b, port_mac) != relations[i].a_covers ||
		    rn_match_covers(&b, &a, port_mac) != relations[i].b_covers)
			fail_msg("%s against %s", relations[i].a, relations[i].b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_come_back),
		cmocka_unit_test(bad_ones_name_the_word),
		cmocka_unit_test(format_stops_at_the_end),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(structs_from_outside_are_checked),
		cmocka_unit_test(what_does_not_count_is_cleared),
		cmocka_unit_test(keys_mean_the_match),
		cmocka_unit_test(relations_hold_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
