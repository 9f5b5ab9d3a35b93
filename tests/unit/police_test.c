/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policing: cases that a reader can check, then random rules and frames against an oracle, with and
 * without a hint, and every byte of allowed frames changed under their hint.
 *
 * Promise: a client sends the mirror of its rules only. Seen to fail without its defence
 * (police.c):
 *   arp_cases     ARP not kept to macvlan
 *   nd_cases      link-layer options not looked at; against_oracle too
 *   link_control  an ethertype left out of link_type()
 *   mutated       the source address left out of the hint, and against_oracle
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <urcu-qsbr.h>

#include "net_frames.h"
#include "police_oracle.h"
#ifdef REAL_TABLE
#include "police_steer.h"
#else
#include "police_table.h"
#endif

#define OK    0
#define SPOOF RAWNET_Q_TX_DROP_SPOOF
#define LINK  RAWNET_Q_TX_DROP_LINK

#define PORT_MAC "02:00:00:00:00:10"
#define OWN_MAC	 "02:00:00:00:00:77"
#define PEER_MAC "02:00:00:00:00:20"
#define ANY	 "ff:ff:ff:ff:ff:ff"

static uint8_t v4_of_port[1][4] = {{10, 0, 0, 1}};
static uint8_t v6_of_port[1][16] = {{0xfd, 0, [15] = 1}};
static struct rn_addresses addresses = {1, 1, v4_of_port, v6_of_port};
static struct rn_port port = {.addresses = &addresses};
static struct rn_attachment client = {.port = &port}, other = {.port = &port};
static struct rn_queue queue = {.at = &client};
static struct oracle_port seen;

static uint8_t buffer[4096];

static void addr(uint8_t *to, const char *text)
{
	assert_true(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, to));
}

static void mac(uint8_t *to, const char *text)
{
	assert_int_equal(sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", to, to + 1, to + 2, to + 3,
				to + 4, to + 5),
			 6);
}

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

static uint32_t arp(const char *smac, const char *sha, const char *spa, int op)
{
	struct want w = {.ethertype = 0x0806, .payload = 46};

	mac(w.smac, smac);
	mac(w.dmac, ANY);
	frame_build(buffer, &w);
	memset(buffer + 14, 0, 46);
	be16(be16(buffer + 14, 1), 0x800);
	buffer[18] = 6;
	buffer[19] = 4;
	be16(buffer + 20, (uint32_t)op);
	mac(buffer + 22, sha);
	addr(buffer + 28, spa);
	addr(buffer + 38, "10.0.0.2");
	return 60;
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

/* ---- random ---- */

static const char *const rule_pool[] = {
	"udp dport 53",
	"tcp dport 80 src 10.0.0.2",
	"udp sport 53",
	"tcp",
	"ethertype ipv4",
	"ethertype ipv6",
	"ethertype 0x88b5",
	"dst 10.0.0.0/24",
	"dst 10.0.0.50 udp",
	"dst fd00::/64 tcp dport 80",
	"src fd00::/16 dst fd00::50",
	"vlan 7 udp dport 53",
	"vlan 7 ethertype 0x8100",
	"ethertype 0x9100",
	"ipvlan 10.0.0.50",
	"ipvlan fd00::50",
	"ipvlan 10.0.0.50 vlan 7",
	"macvlan " OWN_MAC,
	"macvlan " OWN_MAC " vlan 7",
	"macvlan " OWN_MAC " addr 10.0.0.50",
	"macvlan " OWN_MAC " addr fd00::50",
	"macvlan " OWN_MAC " addr 10.0.0.51 addr fd00::51 vlan 7",
	"macvlan " OWN_MAC " udp addr 10.0.0.50",
	"dmac " OWN_MAC " udp dport 53",
	"dmac " OWN_MAC " smac " PEER_MAC,
	"dmac 02:00:00:00:00:00/ff:ff:ff:ff:ff:00 ethertype 0x88b5",
	"dmac 02:00:00:00:00:00/f3:ff:ff:ff:ff:00 dst 10.0.0.0/8",
	"icmp dst 10.0.0.0/24",
	"icmpv6 dst fd00::/16",
	"sctp dst 10.0.0.50 dport 80",
};
#define POOL (sizeof(rule_pool) / sizeof(rule_pool[0]))

static const char *pick(const char *const *of, uint32_t n)
{
	return of[rnd(n)];
}

static void random_rules(void)
{
	table_clear();
	for (uint32_t n = 1 + rnd(7); n; n--)
		assert_true(table_add(rule_pool[rnd(POOL)], rnd(4) ? &client : &other));
}

static void random_nd(const struct want *w, uint32_t len)
{
	static const char *const targets[] = {"fd00::50", "fd00::51", "fd00::2"};
	uint8_t *p = buffer + w->l4;

	p[0] = (uint8_t)(128 + rnd(12));
	if (len - w->l4 < 24)
		return;
	addr(p + 8, pick(targets, 3));
	for (p += 24; p + 8 <= buffer + w->end; p += 8) {
		p[0] = (uint8_t)rnd(4);
		p[1] = rnd(8) ? 1 : (uint8_t)rnd(3);
		memcpy(p + 2, rnd(4) ? w->smac : w->dmac, 6);
	}
}

static uint32_t random_frame(void)
{
	static const char *const macs[] = {PORT_MAC, PORT_MAC, OWN_MAC, OWN_MAC, PEER_MAC};
	static const char *const to[] = {PEER_MAC, PEER_MAC, ANY, "01:80:c2:00:00:0f",
					 "33:33:00:00:00:01"};
	static const char *const v4[] = {"10.0.0.1", "10.0.0.50", "10.0.0.51", "10.0.0.2",
					 "0.0.0.0"};
	static const char *const v6[] = {"fd00::1", "fd00::50", "fd00::51", "fd00::2", "::"};
	static const uint16_t ports[] = {53, 53, 80, 4000},
			      types[] = {0x88b5, 0x0806, 0x88cc, 46, 0x9100, 0x8100};
	static const uint8_t protos[] = {6, 17, 17, 1, 58, 58, 132, 47};
	struct want w = {.version = (int[]) {4, 6, 0}[rnd(3)],
			 .tags = rnd(5) ? 0 : 1 + (int)rnd(2),
			 .tci = {(uint16_t)(rnd(2) ? 7 : rnd(65536)), 7},
			 .ethertype = types[rnd(6)],
			 .options = rnd(4) ? 0 : (int)rnd(11),
			 .ext = rnd(4) ? 0 : (int)rnd(8),
			 .frag = rnd(6) ? 0 : (uint16_t)rnd(65536),
			 .proto = protos[rnd(8)],
			 .sport = ports[rnd(4)],
			 .dport = ports[rnd(4)],
			 .payload = rnd(60),
			 .padding = rnd(3) ? 0 : rnd(30)};
	uint32_t len;

	mac(w.smac, pick(macs, 5));
	mac(w.dmac, pick(to, 5));
	addr(w.src, w.version == 6 ? pick(v6, 5) : pick(v4, 5));
	addr(w.dst, w.version == 6 ? pick(v6, 5) : pick(v4, 5));
	if (!rnd(4))
		w.tpid[0] = (uint16_t[]) {0x88a8, 0x9100}[rnd(2)];
	if (w.version == 6 && w.frag)
		w.frag |= 1;
	len = frame_build(buffer, &w);
	if (w.version == 6 && w.proto == 58 && !w.frag && len > w.l4)
		random_nd(&w, len);
	if (!w.version && w.ethertype == 0x0806 && rnd(4)) {
		uint8_t pad[128];

		memcpy(pad, buffer + w.l3, w.payload);
		arp(pick(macs, 5), pick(macs, 5), pick(v4, 5), 1 + (int)rnd(2));
		if (w.tags)
			return 60;
		return 14 + w.payload < 60 ? 14 + w.payload : 60;
	}
	return rnd(10) ? len : 14 + rnd(len - 13);
}

/* What the oracle says of the whole table. */
static int verdict(const uint8_t *f, uint32_t len, int tci)
{
	if (oracle_link(f, (int)len))
		return LINK;
	for (unsigned i = 0; i < table_n; i++) {
		if (table_owner[i] == &client &&
		    oracle_allows(&seen, &table_rule[i].match, f, (int)len, tci))
			return OK;
	}
	return SPOOF;
}

static int random_tci(void)
{
	switch (rnd(9)) {
	case 0: return 7;
	case 1: return 0x6007;
	case 2: return 0;
	default: return -1;
	}
}

static void against_oracle(void **state)
{
	unsigned allowed = 0, by_hint = 0;
	struct rn_queue cold = {.at = &client};
	uint8_t *edge = guarded(400);

	(void)state;
	for (int i = 0; i < 300000; i++) {
		uint32_t len;
		int tci, want;
		uint8_t *f;

		if (i % 20 == 0)
			random_rules();
		len = random_frame();
		if (!rnd(5))
			buffer[rnd(len)] = (uint8_t)rnd(256);
		f = edge + 400 - len;
		memcpy(f, buffer, len);
		tci = random_tci();
		want = verdict(f, len, tci);
		cold.hint.epoch = 0;
		assert_int_equal(rn_police(&cold, f, len, tci), want);
		by_hint += want == OK && queue.hint.epoch == cold.hint.epoch && cold.hint.epoch;
		assert_int_equal(rn_police(&queue, f, len, tci), want);
		allowed += want == OK;
	}
	/* the pools are such that both answers are common */
	print_message("%u allowed, %u under a hint\n", allowed, by_hint);
	assert_true(allowed > 10000 && allowed < 150000);
	assert_true(by_hint > 2000);
}

/* Under the hint of an allowed frame: each byte changed, each length, each tag. */
static void mutated(void **state)
{
	struct rn_queue hot = {.at = &client}, cold = {.at = &client};
	struct rn_police_hint hint;
	unsigned hinted = 0, still = 0;
	uint8_t f[512];

	(void)state;
	for (int i = 0; i < 200000 && hinted < 2000; i++) {
		uint32_t len;
		int tci = random_tci();

		if (i % 20 == 0)
			random_rules();
		len = random_frame();
		hot.hint.epoch = 0;
		if (rn_police(&hot, buffer, len, tci) || !hot.hint.epoch)
			continue;
		hinted++;
		hint = hot.hint;
		for (uint32_t k = 0; k < 3 * len + 40; k++) {
			uint32_t l = len, at = k % len;
			int t = tci;

			memcpy(f, buffer, len);
			if (k < 3 * len) /* one bit, another, anything */
				f[at] = (uint8_t)(k < 2 * len ? f[at] ^ 1u << rnd(8) : rnd(256));
			else if (k & 1)
				l = 14 + rnd(len - 13);
			else
				t = random_tci();
			hot.hint = hint;
			cold.hint.epoch = 0;
			still += !rn_police(&cold, f, l, t);
			assert_int_equal(rn_police(&hot, f, l, t), rn_police(&cold, f, l, t));
			assert_int_equal(rn_police(&cold, f, l, t), verdict(f, l, t));
		}
	}
	assert_true(hinted == 2000);
	assert_true(still > 10000);
}

static void truncated(void **state)
{
	uint8_t *edge = guarded(400);

	(void)state;
	for (int i = 0; i < 400; i++) {
		uint32_t len;

		random_rules();
		len = random_frame();
		for (uint32_t l = 0; l <= len; l++) {
			uint8_t *f = edge + 400 - l;
			int got;

			memcpy(f, buffer, l);
			got = rn_police(&queue, f, l, -1);
			assert_int_equal(got, l < 14 ? SPOOF : verdict(f, l, -1));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tuple),     cmocka_unit_test(fragments),
		cmocka_unit_test(ipvlan),    cmocka_unit_test(macvlan),
		cmocka_unit_test(several),   cmocka_unit_test(masked_mac),
		cmocka_unit_test(tags),	     cmocka_unit_test(link_control),
		cmocka_unit_test(arp_cases), cmocka_unit_test(nd_cases),
		cmocka_unit_test(changes),   cmocka_unit_test(against_oracle),
		cmocka_unit_test(mutated),   cmocka_unit_test(truncated),
	};
	int failed;

	rcu_register_thread();
	memcpy(seen.mac, table_port_mac, 6);
	memcpy(seen.v4, v4_of_port[0], 4);
	memcpy(seen.v6, v6_of_port[0], 16);
	failed = cmocka_run_group_tests_name("police", tests, NULL, NULL);
	table_clear();
	rcu_unregister_thread();
	return failed;
}
