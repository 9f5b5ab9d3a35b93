/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules and frames at random, of few values each so that rules often allow a frame. */
#ifndef POLICE_RANDOM_H
#define POLICE_RANDOM_H

#include "police_rig.h"

#define PICK(of) (of)[rnd(sizeof(of) / sizeof((of)[0]))]

static inline void random_rules(uint32_t most)
{
	static const char *const pool[] = {
		"udp dport 53",
		"tcp dport 80 src 10.0.0.2",
		"udp sport 53",
		"tcp",
		"ethertype ipv4",
		"ethertype ipv6",
		"ethertype ipv6 udp",
		"ethertype 0x88b5",
		"ethertype 0x9100",
		"dst 10.0.0.0/24",
		"dst 10.0.0.50 udp",
		"dst fd00::/64 tcp dport 80",
		"src fd00::/16 dst fd00::50",
		"src fd00::/16 dst fd00::50 udp",
		"vlan 7 udp dport 53",
		"vlan 7 ethertype 0x8100",
		"ipvlan 10.0.0.50",
		"ipvlan fd00::50",
		"ipvlan fd00::50 udp",
		"ipvlan 10.0.0.50 vlan 7",
		"macvlan " OWN_MAC,
		"macvlan " OWN_MAC " vlan 7",
		"macvlan " OWN_MAC " ethertype ipv4",
		"macvlan " OWN_MAC " addr 10.0.0.50",
		"macvlan " OWN_MAC " addr fd00::50",
		"macvlan " OWN_MAC " addr 10.0.0.51 addr fd00::51 vlan 7",
		"macvlan " OWN_MAC " udp addr 10.0.0.50",
		"macvlan " OWN_MAC " udp addr 10.0.0.50 addr fd00::50 vlan 7",
		"dmac " OWN_MAC " udp dport 53",
		"dmac " OWN_MAC " smac " PEER_MAC,
		"dmac " OWN_MAC " smac " PEER_MAC " tcp",
		"dmac 02:00:00:00:00:00/ff:ff:ff:ff:ff:00 ethertype 0x88b5",
		"dmac 02:00:00:00:00:00/f3:ff:ff:ff:ff:00 dst 10.0.0.0/8",
		"icmp dst 10.0.0.0/24",
		"icmpv6 dst fd00::/16",
		"sctp dst 10.0.0.50 dport 80",
	};

	table_clear();
	for (uint32_t n = 1 + rnd(most); n; n--)
		assert_true(table_add(PICK(pool), rnd(4) ? &client : &other));
}

static inline const char *random_mac(void)
{
	static const char *const macs[] = {PORT_MAC, PORT_MAC, OWN_MAC,
					   OWN_MAC,  PEER_MAC, "03:00:00:00:00:10"};

	return PICK(macs);
}

static inline const char *random_address(int version)
{
	static const char *const v4[] = {"10.0.0.1",  "10.0.0.1",  "10.0.0.50",
					 "10.0.0.50", "10.0.0.51", "10.0.0.3",
					 "10.0.0.2",  "10.0.1.1",  "0.0.0.0"};
	static const char *const v6[] = {"fd00::1",  "fd00::1", "fd00::50", "fd00::50",
					 "fd00::51", "fd00::2", "fd01::2",  "::"};

	return version == 6 ? PICK(v6) : PICK(v4);
}

/* What follows the type of an ICMPv6 message, as neighbour discovery has it. */
static inline void random_nd(const struct want *w)
{
	static const char *const targets[] = {"fd00::50", "fd00::51", "fd00::2"};
	uint8_t *p = buffer + w->l4;

	p[0] = (uint8_t)(128 + rnd(12));
	if (w->end - w->l4 < 24)
		return;
	addr(p + 8, PICK(targets));
	for (p += 24; p + 8 <= buffer + w->end; p += 8) {
		p[0] = (uint8_t)rnd(4);
		p[1] = rnd(8) ? 1 : (uint8_t)rnd(3);
		memcpy(p + 2, rnd(4) ? w->smac : w->dmac, 6);
	}
}

static inline struct want random_want(void)
{
	static const char *const to[] = {PEER_MAC,
					 PEER_MAC,
					 PEER_MAC,
					 PEER_MAC,
					 PEER_MAC,
					 ANY,
					 "33:33:00:00:00:01",
					 "01:80:c2:00:00:0f",
					 "01:80:c2:00:00:10",
					 "01:00:0c:cc:cc:cc"};
	static const uint16_t ports[] = {53, 53, 80, 4000},
			      types[] = {0x88b5, 0x88b5, 0x0806, 0x88cc,
					 46,	 0x8847, 0x9100, 0x8100};
	static const uint8_t protos[] = {6, 6, 17, 17, 17, 1, 58, 58, 132, 47};
	struct want w = {.version = (int[]) {4, 6, 6, 0}[rnd(4)],
			 .tags = rnd(5) ? 0 : 1 + (int)rnd(2),
			 .tci = {(uint16_t)(rnd(2) ? 7 : rnd(65536)), 7},
			 .ethertype = PICK(types),
			 .options = rnd(4) ? 0 : (int)rnd(11),
			 .ext = rnd(4) ? 0 : (int)rnd(8),
			 .frag = rnd(6) ? 0 : (uint16_t)rnd(65536),
			 .proto = PICK(protos),
			 .sport = PICK(ports),
			 .dport = PICK(ports),
			 .payload = rnd(60),
			 .padding = rnd(3) ? 0 : rnd(30)};

	mac(w.smac, random_mac());
	mac(w.dmac, PICK(to));
	addr(w.src, random_address(w.version));
	addr(w.dst, random_address(w.version));
	if (!rnd(4))
		w.tpid[0] = (uint16_t[]) {0x88a8, 0x9100}[rnd(2)];
	if (w.version == 6 && w.frag)
		w.frag |= 1;
	return w;
}

/* A frame in the buffer, made of *w, now and then cut short: its length. */
static inline uint32_t random_frame(struct want *w)
{
	uint32_t len;

	*w = random_want();
	if (!w->version && !w->tags && w->ethertype == 0x0806 && rnd(4)) {
		len = arp(random_mac(), random_mac(), random_address(4), 1 + (int)rnd(2));
	} else {
		len = frame_build(buffer, w);
		if (w->version == 6 && w->proto == 58 && !w->frag && w->end > w->l4)
			random_nd(w);
	}
	return rnd(10) ? len : 14 + rnd(len - 13);
}
#endif
