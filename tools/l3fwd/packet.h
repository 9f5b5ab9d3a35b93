/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One packet of a router: is it one to forward (RFC 1812, RFC 8200), and what changes in it. Pure
 * functions, any thread. Nothing outside of the frame is read, whatever it says.
 */
#ifndef L3_PACKET_H
#define L3_PACKET_H

#include <stdbool.h>

#include "lpm6.h"

/* Why a packet is not forwarded: X(name, text). */
#define L3_DROPS(X)                                                  \
	X(not_ip, "neither IPv4 nor IPv6")                           \
	X(bad_header, "header that is cut or contradicts itself")    \
	X(bad_checksum, "wrong checksum of the IPv4 header")         \
	X(ttl_expired, "TTL or hop limit is used up")                \
	X(not_routable, "multicast, loopback or link-local address") \
	X(no_route, "no route")                                      \
	X(blackhole, "the route says blackhole")                     \
	X(no_neighbour, "the next hop's MAC is not known (yet)")     \
	X(too_big, "longer than the MTU of the next hop")            \
	X(tx_full, "transmit ring of the port was full")

enum l3_drop {
	L3_FORWARD,
#define L3_DROP_ENUM(name, text) L3_DROP_##name,
	L3_DROPS(L3_DROP_ENUM)
#undef L3_DROP_ENUM
	L3_DROP_COUNT
};

struct l3_packet {
	uint8_t drop; /* enum l3_drop */
	uint8_t family; /* 4 or 6 */
	uint8_t l2; /* bytes in front of the IP header */
	uint32_t len; /* of the IP packet */
	uint32_t dst4; /* of the host's byte order */
	struct lpm6_key dst6;
};

/* checked: the header's checksum is known to be right. */
void l3_packet_read(const uint8_t *frame, uint32_t len, bool checked, struct l3_packet *p);
/* One hop less, and the IPv4 checksum with it (RFC 1624). */
void l3_packet_age(uint8_t *frame, const struct l3_packet *p);

#endif
