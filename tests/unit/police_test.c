/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policing: cases that a reader can check.
 *
 * Promise: a client sends the mirror of its rules only. Seen to fail without its defence
 * (police.c):
 *   arp_cases     ARP not kept to macvlan
 *   nd_cases      link-layer options not looked at; against_oracle (police_random_test.c) too
 *   link_control  an ethertype left out of link_type()
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#include "police_rig.h"

static struct want ip(const char *smac, const char *src, const char *dst, uint8_t proto,
		      uint16_t sport, uint16_t dport)
{
	struct want w = {.proto = proto, .sport = sport, .dport = dport, .payload = 20};

	w.version = strchr(src, ':') ? 6 : 4;
	addr(w.src, src);
	addr(w.dst, dst);
	mac(w.smac, smac);
	mac(w.dmac, PEER_MAC);
	return w;
}

static int police_tci(struct want w, int tci)
{
	uint32_t len = frame_build(buffer, &w);
	int first = rn_police(&queue, buffer, len, tci);

	/* asked again, perhaps with a hint: the same answer */
	assert_int_equal(rn_police(&queue, buffer, len, tci), first);
	return first;
}

static int police(struct want w)
{
	return police_tci(w, -1);
}

static void rules(const char *a, const char *b)
{
	table_clear();
	assert_true(table_add(a, &client));
	if (b)
		assert_true(table_add(b, &client));
}

/* ---- cases ---- */

static void tuple(void **state)
{
	struct want w = ip(PORT_MAC, "10.0.0.1", "10.9.9.9", 17, 53, 4000);

	(void)state;
	rules("udp dport 53", NULL);
	assert_int_equal(police(w), OK);
	w.sport = 54;
	assert_int_equal(police(w), SPOOF);
	w = ip(PORT_MAC, "10.0.0.2", "10.9.9.9", 17, 53, 4000); /* not an address of the port */
	assert_int_equal(police(w), SPOOF);
	w = ip(OWN_MAC, "10.0.0.1", "10.9.9.9", 17, 53, 4000);
	assert_int_equal(police(w), SPOOF);
	w = ip(PORT_MAC, "10.0.0.1", "10.9.9.9", 6, 53, 4000);
	assert_int_equal(police(w), SPOOF);
	w = ip(PORT_MAC, "10.0.0.1", "10.9.9.9", 17, 53, 4000);
	w.frag = 0x2000; /* first of several: a rule with ports takes none */
	assert_int_equal(police(w), SPOOF);
	w.frag = 0x4000; /* don't fragment */
	assert_int_equal(police(w), OK);
	w.options = 3;
	assert_int_equal(police(w), OK);
	/* the rule's source constrains where to */
	rules("udp src 10.9.0.0/16 dport 53", NULL);
	assert_int_equal(police(w), OK);
	addr(w.dst, "10.8.0.1");
	assert_int_equal(police(w), SPOOF);
	/* somebody else's rule is of no use */
	table_clear();
	assert_true(table_add("udp dport 53", &other));
	assert_int_equal(police(w), SPOOF);
}

static void fragments(void **state)
{
	struct want w = ip(PORT_MAC, "10.0.0.50", "10.9.9.9", 17, 1, 2);

	(void)state;
	rules("ipvlan 10.0.0.50", NULL);
	for (uint16_t frag = 0; frag < 3; frag++) {
		w.frag = frag ? (uint16_t)(0x2000 * (frag & 1) + frag) : 0;
		assert_int_equal(police(w), OK);
	}
	w = ip(PORT_MAC, "fd00::50", "fd00::2", 17, 1, 2);
	rules("ipvlan fd00::50", NULL);
	w.frag = 0x2001;
	assert_int_equal(police(w), OK);
	w.proto = 58; /* may hide neighbour discovery */
	assert_int_equal(police(w), SPOOF);
	w.proto = 60;
	assert_int_equal(police(w), SPOOF);
	w = ip(PORT_MAC, "fd00::50", "fd00::2", 17, 1, 2);
	w.ext = 6;
	assert_int_equal(police(w), OK);
	w.ext = 7; /* more than the parser follows */
	assert_int_equal(police(w), SPOOF);
}

static void ipvlan(void **state)
{
	struct want w = ip(PORT_MAC, "10.0.0.50", "10.0.0.2", 6, 1, 2);

	(void)state;
	rules("ipvlan 10.0.0.50", "ipvlan fd00::50");
	assert_int_equal(police(w), OK);
	w.version = 6;
	assert_int_equal(police(w), SPOOF);
	addr(w.src, "fd00::50");
	assert_int_equal(police(w), OK);
	addr(w.src, "fd00::51");
	assert_int_equal(police(w), SPOOF);
	w = ip(PORT_MAC, "10.0.0.1", "10.0.0.2", 6, 1, 2); /* the host's address is the host's */
	assert_int_equal(police(w), SPOOF);
	w = (struct want) {.ethertype = 0x0806, .payload = 28};
	mac(w.smac, PORT_MAC);
	assert_int_equal(police(w), SPOOF);
}

static void macvlan(void **state)
{
	struct want w = ip(OWN_MAC, "10.0.0.50", "10.0.0.2", 6, 1, 2);

	(void)state;
	rules("macvlan " OWN_MAC " addr 10.0.0.50 addr fd00::50", NULL);
	assert_int_equal(police(w), OK);
	addr(w.src, "10.0.0.1");
	assert_int_equal(police(w), SPOOF);
	w = ip(OWN_MAC, "fd00::50", "fd00::2", 17, 1, 2);
	assert_int_equal(police(w), OK);
	addr(w.src, "fe80::1");
	assert_int_equal(police(w), SPOOF);
	w = ip(OWN_MAC, "fd00::50", "ff02::16", 58, 0, 0); /* a listener report */
	w.payload = 0;
	assert_int_equal(police(w), SPOOF); /* without a type */
	w.payload = 28;
	frame_build(buffer, &w);
	buffer[w.l4] = 143;
	assert_int_equal(rn_police(&queue, buffer, w.end, -1), OK);
	w = ip(PORT_MAC, "10.0.0.50", "10.0.0.2", 6, 1, 2);
	assert_int_equal(police(w), SPOOF);
	rules("macvlan " OWN_MAC, NULL); /* nothing leased: any address */
	w = ip(OWN_MAC, "192.0.2.1", "10.0.0.2", 6, 1, 2);
	assert_int_equal(police(w), OK);
	w = (struct want) {.ethertype = 0x88b5, .payload = 40};
	mac(w.smac, OWN_MAC);
	assert_int_equal(police(w), OK);
	w.ethertype = 46; /* 802.3 */
	assert_int_equal(police(w), SPOOF);
}

/* Several rules of one MAC: a frame needs one that allows it, and the first does not hide others.
 */
static void several(void **state)
{
	struct want w = ip(OWN_MAC, "10.0.0.50", "10.0.0.2", 17, 53, 2);

	(void)state;
	rules("dmac " OWN_MAC " udp dport 53", "macvlan " OWN_MAC " addr 10.0.0.50");
	assert_int_equal(police(w), OK);
	addr(w.src, "10.0.0.51");
	assert_int_equal(police(w), SPOOF);
	rules("macvlan " OWN_MAC " udp addr 10.0.0.51", "macvlan " OWN_MAC " addr 10.0.0.50");
	assert_int_equal(police(w), OK);
	addr(w.src, "10.0.0.50");
	assert_int_equal(police(w), OK);
	w.proto = 6;
	assert_int_equal(police(w), OK);
	addr(w.src, "10.0.0.51");
	assert_int_equal(police(w), SPOOF);
}

static void masked_mac(void **state)
{
	struct want w = {.ethertype = 0x88b5, .payload = 40};

	(void)state;
	rules("dmac 06:00:00:00:00:00/ff:ff:ff:ff:00:00", NULL);
	mac(w.dmac, PEER_MAC);
	mac(w.smac, "06:00:00:00:12:34");
	assert_int_equal(police(w), OK);
	mac(w.smac, "06:00:00:01:12:34");
	assert_int_equal(police(w), SPOOF);
	rules("dmac 02:00:00:00:00:05/03:00:00:00:00:ff", NULL);
	mac(w.smac, "06:00:00:01:12:05");
	assert_int_equal(police(w), OK);
	mac(w.smac, "07:00:00:01:12:05"); /* a group cannot send */
	assert_int_equal(police(w), SPOOF);
	rules("dmac " OWN_MAC " smac " PEER_MAC, NULL);
	mac(w.smac, OWN_MAC);
	assert_int_equal(police(w), OK);
	mac(w.dmac, "02:00:00:00:00:21");
	assert_int_equal(police(w), SPOOF);
}

static void tags(void **state)
{
	struct want w = ip(OWN_MAC, "10.0.0.50", "10.0.0.2", 6, 1, 2), in = w;

	(void)state;
	in.tags = 1;
	in.tci[0] = 0xe007;
	rules("macvlan " OWN_MAC " vlan 7", NULL);
	assert_int_equal(police(w), SPOOF);
	assert_int_equal(police(in), OK);
	assert_int_equal(police_tci(w, 0x6007), OK);
	assert_int_equal(police_tci(w, 8), SPOOF);
	assert_int_equal(police_tci(in, 7), SPOOF); /* two tags */
	in.tci[0] = 8;
	assert_int_equal(police(in), SPOOF);
	in.tci[0] = 7;
	in.tpid[0] = 0x88a8; /* another network */
	assert_int_equal(police(in), SPOOF);
	in.tpid[0] = 0x8100;
	in.tags = 2;
	assert_int_equal(police(in), SPOOF);
	rules("macvlan " OWN_MAC, NULL);
	assert_int_equal(police_tci(w, 7), SPOOF);
	assert_int_equal(police_tci(w, 0xe000), OK); /* priority only */
	in.tags = 1;
	assert_int_equal(police(in), SPOOF);
	in.tpid[0] = 0x9100; /* an old kind of tag, to us a payload */
	assert_int_equal(police(in), SPOOF);
	rules("dmac " OWN_MAC " vlan 7 ethertype 0x8100", NULL);
	in.tags = 2;
	in.tpid[0] = 0x8100;
	in.tci[1] = 99;
	assert_int_equal(police(in), OK);
	assert_int_equal(police(w), SPOOF);
}

static void link_control(void **state)
{
	static const uint16_t types[] = {0x8808, 0x8809, 0x888e, 0x88cc};
	static const char *const macs[] = {"01:80:c2:00:00:00", "01:80:c2:00:00:02",
					   "01:80:c2:00:00:0e", "01:80:c2:00:00:0f",
					   "01:00:0c:cc:cc:cc", "01:00:0c:cc:cc:cd"};
	struct want w = {.payload = 46};

	(void)state;
	rules("macvlan " OWN_MAC, "dmac " OWN_MAC " vlan 7");
	mac(w.smac, OWN_MAC);
	mac(w.dmac, ANY);
	for (int i = 0; i < 4; i++) {
		w.ethertype = types[i];
		for (w.tags = 0; w.tags < 3; w.tags++) {
			w.tci[0] = 7;
			assert_int_equal(police(w), LINK);
			assert_int_equal(police_tci(w, 7), LINK);
		}
	}
	w.tags = 0;
	w.ethertype = 0x88b5;
	assert_int_equal(police(w), OK);
	for (int i = 0; i < 6; i++) {
		mac(w.dmac, macs[i]);
		assert_int_equal(police(w), LINK);
	}
	mac(w.dmac, "01:80:c2:00:00:10");
	assert_int_equal(police(w), OK);
	mac(w.dmac, "01:80:c2:00:00:0f"); /* under the hint of its neighbour */
	assert_int_equal(police(w), LINK);
}

static void arp_cases(void **state)
{
	(void)state;
	rules("macvlan " OWN_MAC " addr 10.0.0.50", NULL);
	assert_int_equal(rn_police(&queue, buffer, arp(OWN_MAC, OWN_MAC, "10.0.0.50", 1), -1), OK);
	assert_int_equal(rn_police(&queue, buffer, arp(OWN_MAC, OWN_MAC, "10.0.0.50", 2), -1), OK);
	assert_int_equal(rn_police(&queue, buffer, arp(OWN_MAC, OWN_MAC, "0.0.0.0", 1), -1), OK);
	assert_int_equal(rn_police(&queue, buffer, arp(OWN_MAC, OWN_MAC, "10.0.0.1", 1), -1),
			 SPOOF);
	assert_int_equal(rn_police(&queue, buffer, arp(OWN_MAC, PEER_MAC, "10.0.0.50", 2), -1),
			 SPOOF);
	assert_int_equal(rn_police(&queue, buffer, arp(PORT_MAC, OWN_MAC, "10.0.0.50", 2), -1),
			 SPOOF);
	arp(OWN_MAC, OWN_MAC, "10.0.0.50", 1);
	assert_int_equal(rn_police(&queue, buffer, 41, -1), SPOOF);
	buffer[18] = 5;
	assert_int_equal(rn_police(&queue, buffer, 60, -1), SPOOF);
	rules("macvlan " OWN_MAC, NULL); /* nothing leased: probes */
	assert_int_equal(rn_police(&queue, buffer, arp(OWN_MAC, OWN_MAC, "10.0.0.50", 1), -1),
			 SPOOF);
	assert_int_equal(rn_police(&queue, buffer, arp(OWN_MAC, OWN_MAC, "0.0.0.0", 1), -1), OK);
	rules("dmac " OWN_MAC, NULL); /* not a macvlan */
	assert_int_equal(rn_police(&queue, buffer, arp(OWN_MAC, OWN_MAC, "0.0.0.0", 1), -1), SPOOF);
}

/* ICMPv6 with a target, or none of it, and an option, or none. */
static uint32_t nd(uint8_t type, const char *src, const char *target, int option, const char *lla)
{
	struct want w = ip(OWN_MAC, src, "fd00::2", 58, 0, 0);
	uint8_t *p;

	w.payload = (target ? 24 : 8) + (option ? 8 : 0);
	frame_build(buffer, &w);
	p = buffer + w.l4;
	memset(p, 0, w.payload);
	p[0] = type;
	if (target)
		addr(p + 8, target);
	if (option) {
		p += target ? 24 : 8;
		p[0] = (uint8_t)option;
		p[1] = 1;
		mac(p + 2, lla);
	}
	return w.end;
}

static int nd_police(uint8_t type, const char *src, const char *target, int option, const char *lla)
{
	return rn_police(&queue, buffer, nd(type, src, target, option, lla), -1);
}

static void nd_cases(void **state)
{
	(void)state;
	rules("macvlan " OWN_MAC " addr fd00::50", NULL);
	assert_int_equal(nd_police(135, "fd00::50", "fd00::2", 1, OWN_MAC), OK);
	assert_int_equal(nd_police(135, "fd00::50", "fd00::2", 0, NULL), OK);
	assert_int_equal(nd_police(135, "fd00::50", "fd00::2", 1, PEER_MAC), SPOOF);
	assert_int_equal(nd_police(135, "fd00::2", "fd00::3", 1, OWN_MAC), SPOOF);
	assert_int_equal(nd_police(135, "::", "fd00::50", 0, NULL), OK);
	assert_int_equal(nd_police(135, "::", "fd00::51", 0, NULL), SPOOF);
	assert_int_equal(nd_police(136, "fd00::50", "fd00::50", 2, OWN_MAC), OK);
	assert_int_equal(nd_police(136, "fd00::50", "fd00::50", 2, PEER_MAC), SPOOF);
	assert_int_equal(nd_police(136, "fd00::50", "fd00::2", 2, OWN_MAC), SPOOF);
	assert_int_equal(nd_police(136, "fd00::2", "fd00::50", 2, OWN_MAC), SPOOF);
	assert_int_equal(nd_police(136, "::", "fd00::50", 2, OWN_MAC), SPOOF);
	assert_int_equal(nd_police(133, "fd00::50", NULL, 1, OWN_MAC), OK);
	assert_int_equal(nd_police(133, "::", NULL, 0, NULL), OK);
	assert_int_equal(nd_police(133, "fd00::2", NULL, 0, NULL), SPOOF);
	assert_int_equal(nd_police(134, "fd00::50", "fd00::2", 0, NULL), SPOOF);
	assert_int_equal(nd_police(137, "fd00::50", "fd00::2", 0, NULL), SPOOF);
	assert_int_equal(nd_police(128, "fd00::50", NULL, 0, NULL), OK); /* a ping */
	assert_int_equal(nd_police(128, "fd00::2", NULL, 0, NULL), SPOOF);
	/* an option that ends behind the packet */
	nd(135, "fd00::50", "fd00::2", 1, OWN_MAC);
	buffer[14 + 40 + 25] = 2;
	assert_int_equal(rn_police(&queue, buffer, 86, -1), SPOOF);
	rules("macvlan " OWN_MAC, NULL); /* nothing leased: probes */
	assert_int_equal(nd_police(135, "::", "fd00::51", 0, NULL), OK);
	assert_int_equal(nd_police(135, "fd00::50", "fd00::2", 1, OWN_MAC), SPOOF);
	assert_int_equal(nd_police(136, "fd00::50", "fd00::50", 2, OWN_MAC), SPOOF);
}

/* A hint must not outlive the rules and addresses that it came from. */
static void changes(void **state)
{
	struct want w = ip(PORT_MAC, "10.0.0.1", "10.9.9.9", 17, 53, 4000);

	(void)state;
	rules("udp dport 53", NULL);
	assert_int_equal(police(w), OK);
	table_clear();
	assert_int_equal(police(w), SPOOF);
	rules("udp dport 53", NULL);
	assert_int_equal(police(w), OK);
	addresses.v4[0][3] = 9;
	rn_police_changed();
	assert_int_equal(police(w), SPOOF);
	addresses.v4[0][3] = 1;
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tuple),     cmocka_unit_test(fragments),
		cmocka_unit_test(ipvlan),    cmocka_unit_test(macvlan),
		cmocka_unit_test(several),   cmocka_unit_test(masked_mac),
		cmocka_unit_test(tags),	     cmocka_unit_test(link_control),
		cmocka_unit_test(arp_cases), cmocka_unit_test(nd_cases),
		cmocka_unit_test(changes),
	};
	int failed;

	rcu_register_thread();
	failed = cmocka_run_group_tests_name("police", tests, NULL, NULL);
	table_clear();
	rcu_unregister_thread();
	return failed;
}
