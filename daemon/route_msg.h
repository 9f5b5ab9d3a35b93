/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages of rtnetlink for one route, its neighbour and its VLAN interface: writing questions
 * and reading answers. Pure functions, any thread.
 */
#ifndef RN_ROUTE_MSG_H
#define RN_ROUTE_MSG_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#define RN_ROUTE_QUESTION 128u /* bytes of the longest question */

/* How the kernel would send to an address. */
struct rn_route {
	uint8_t type; /* RTN_* */
	uint32_t oif;
	uint8_t via_family; /* 4 or 6; 0: the destination is on the link */
	uint8_t via[16];
	bool has_src;
	uint8_t src[16];
	uint32_t mtu; /* 0: the interface's */
	bool encap; /* a tunnel without an interface */
};

/* Which VLAN of which interface this one is. */
struct rn_vlan {
	uint32_t parent;
	uint16_t id; /* 0: not an interface of 802.1Q */
	uint32_t mtu;
	uint8_t mac[6];
};

struct rn_neighbour {
	uint16_t state; /* NUD_* */
	bool has_mac;
	uint8_t mac[6];
};

static inline uint8_t rn_family_size(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

/* oif 0: any. fib: only what a route of the tables says; an error where none does, even if the
 * kernel would then take the destination for one on the link (IPv4 with an oif). */
struct nlmsghdr *rn_route_question(uint8_t buf[RN_ROUTE_QUESTION], uint8_t family,
				   const uint8_t *dst, uint32_t oif, bool fib);
bool rn_route_parse(const struct nlmsghdr *nlh, struct rn_route *route);
struct nlmsghdr *rn_vlan_question(uint8_t buf[RN_ROUTE_QUESTION], uint32_t ifindex);
bool rn_vlan_parse(const struct nlmsghdr *nlh, struct rn_vlan *vlan);
struct nlmsghdr *rn_neighbour_question(uint8_t buf[RN_ROUTE_QUESTION], uint32_t ifindex,
				       uint8_t family, const uint8_t *addr);
bool rn_neighbour_parse(const struct nlmsghdr *nlh, struct rn_neighbour *neighbour);
/* The entry is about to be used: the kernel resolves it, or confirms it if it is old. */
struct nlmsghdr *rn_neighbour_use(uint8_t buf[RN_ROUTE_QUESTION], uint32_t ifindex, uint8_t family,
				  const uint8_t *addr);

#endif
