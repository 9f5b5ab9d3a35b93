/* SPDX-License-Identifier: BSD-2-Clause */
/* See neigh_msg.h. */
#include "neigh_msg.h"

#include <string.h>

#include "offload.h"
#include "wire.h"

#define ND_LEN	   24u /* NS and NA without options */
#define OPTION_LEN 8u
#define HOPS	   255u

enum {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	ND_NS = 135,
	ND_NA = 136,
	OPTION_SOURCE_MAC = 1,
	OPTION_TARGET_MAC = 2,
	NA_SOLICITED = 0x40,
	NA_OVERRIDE = 0x20
};

static const uint8_t zeros[16];
static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};

static uint8_t *put(uint8_t *p, const void *data, uint32_t len)
{
	memcpy(p, data, len);
	return p + len;
}

static uint8_t *put16(uint8_t *p, uint32_t v)
{
	const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	return put(p, b, 2);
}

static bool parse_arp(const uint8_t *arp, uint32_t len, struct rn_question *q)
{
	static const uint8_t ethernet_ip4[6] = {0, 1, 8, 0, 6, 4};

	if (len < ARP_LEN || memcmp(arp, ethernet_ip4, 6) != 0 || rn_get16(arp + 6) != ARP_REQUEST)
		return false;
	q->family = 4;
	memcpy(q->mac, arp + 8, 6);
	memcpy(q->sender, arp + 14, 4);
	memcpy(q->target, arp + 24, 4);
	q->probe = !memcmp(q->sender, zeros, 4);
	return memcmp(q->sender, q->target, 4) != 0; /* an announcement asks for nothing */
}

/* Looks for the source link-layer address; false: malformed. */
static bool parse_options(const uint8_t *p, uint32_t len, struct rn_question *q)
{
	while (len) {
		uint32_t size = len >= 2 ? p[1] * 8u : 0;

		if (!size || size > len)
			return false;
		if (p[0] == OPTION_SOURCE_MAC) {
			if (q->probe)
				return false; /* RFC 4861 7.1.1 */
			memcpy(q->mac, p + 2, 6);
		}
		p += size;
		len -= size;
	}
	return true;
}

/* RFC 4861 7.1.1, in its order. */
static bool parse_ns(const uint8_t *frame, uint32_t len, struct rn_question *q)
{
	struct rn_ip_layout ip;
	const uint8_t *h = frame + ETH_HEADER, *ns = h + IP6_HEADER;
	static const uint8_t group[13] = {0xff, 0x02, [11] = 1, [12] = 0xff};
	uint32_t size;

	if (!rn_ip_layout(frame, len, false, &ip) || ip.l4 != ETH_HEADER + IP6_HEADER)
		return false;
	size = ip.end - ip.l4;
	if (ip.proto != PROTO_ICMP6 || size < ND_LEN || h[7] != HOPS || ns[0] != ND_NS || ns[1])
		return false;
	if (rn_csum_fold(rn_csum_add(rn_csum_pseudo(frame, &ip, size), ns, size)) != 0xffff)
		return false;
	q->family = 6;
	memcpy(q->sender, h + 8, 16);
	memcpy(q->target, ns + 8, 16);
	memcpy(q->mac, frame + 6, 6);
	q->probe = !memcmp(q->sender, zeros, 16);
	if (q->target[0] == 0xff || q->sender[0] == 0xff)
		return false;
	if (q->probe && memcmp(h + 24, group, sizeof(group)) != 0)
		return false;
	return parse_options(ns + ND_LEN, size - ND_LEN, q);
}

bool rn_question_parse(const uint8_t *frame, uint32_t len, struct rn_question *q)
{
	bool ok = false;

	memset(q, 0, sizeof(*q));
	if (len < ETH_HEADER)
		return false;
	if (rn_get16(frame + 12) == TYPE_ARP)
		ok = parse_arp(frame + ETH_HEADER, len - ETH_HEADER, q);
	else if (rn_get16(frame + 12) == TYPE_IP6)
		ok = parse_ns(frame, len, q);
	return ok && !(q->mac[0] & 1) && memcmp(q->mac, zeros, 6) != 0;
}

static uint8_t *put_ethernet(uint8_t *p, const uint8_t dst[6], const uint8_t src[6], uint16_t vlan,
			     uint32_t type)
{
	p = put(put(p, dst, 6), src, 6);
	if (vlan)
		p = put16(put16(p, TYPE_TAG), vlan);
	return put16(p, type);
}

static uint8_t *put_arp(uint8_t *p, uint32_t op, const uint8_t smac[6], const uint8_t sip[4],
			const uint8_t tmac[6], const uint8_t tip[4])
{
	static const uint8_t ethernet_ip4[6] = {0, 1, 8, 0, 6, 4};

	p = put16(put(p, ethernet_ip4, 6), op);
	return put(put(put(put(p, smac, 6), sip, 4), tmac, 6), tip, 4);
}

/* A neighbour advertisement for src, from src. */
static uint8_t *put_na(uint8_t *p, const uint8_t dst[16], const uint8_t src[16],
		       const uint8_t mac[6], uint8_t flags)
{
	static const uint8_t option[2] = {OPTION_TARGET_MAC, OPTION_LEN / 8};
	const uint8_t na[8] = {ND_NA, 0, 0, 0, flags};
	const uint8_t fixed[8] = {0x60, 0, 0, 0, 0, ND_LEN + OPTION_LEN, PROTO_ICMP6, HOPS};
	struct rn_ip_layout ip = {.version = 6, .proto = PROTO_ICMP6};
	uint8_t *h = p, *icmp = p + IP6_HEADER;
	uint16_t sum;

	p = put(put(put(p, fixed, 8), src, 16), dst, 16);
	p = put(put(p, na, 8), src, 16);
	p = put(put(p, option, 2), mac, 6);
	sum = (uint16_t)~rn_csum_fold(rn_csum_add(rn_csum_pseudo(h, &ip, ND_LEN + OPTION_LEN), icmp,
						  ND_LEN + OPTION_LEN));
	memcpy(icmp + 2, &sum, 2);
	return p;
}

uint32_t rn_question_answer(const struct rn_question *q, const uint8_t mac[6], uint16_t vlan,
			    uint8_t out[RN_NEIGH_FRAME])
{
	uint8_t *p;

	if (q->family == 4) {
		p = put_ethernet(out, q->mac, mac, vlan, TYPE_ARP);
		p = put_arp(p, ARP_REPLY, mac, q->target, q->mac, q->sender);
	} else if (q->probe) {
		p = put_ethernet(out, all_nodes_mac, mac, vlan, TYPE_IP6);
		p = put_na(p, all_nodes, q->target, mac, NA_OVERRIDE);
	} else {
		p = put_ethernet(out, q->mac, mac, vlan, TYPE_IP6);
		p = put_na(p, q->sender, q->target, mac, NA_SOLICITED | NA_OVERRIDE);
	}
	return (uint32_t)(p - out);
}

uint32_t rn_neigh_announcement(uint8_t family, const uint8_t *addr, const uint8_t mac[6],
			       uint16_t vlan, uint8_t out[RN_NEIGH_FRAME])
{
	uint8_t *p;

	if (family == 4) {
		p = put_ethernet(out, broadcast, mac, vlan, TYPE_ARP);
		p = put_arp(p, ARP_REQUEST, mac, addr, zeros, addr);
	} else {
		p = put_ethernet(out, all_nodes_mac, mac, vlan, TYPE_IP6);
		p = put_na(p, all_nodes, addr, mac, NA_OVERRIDE);
	}
	return (uint32_t)(p - out);
}
