/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A match: which packets a flow rule takes, as a struct and as text; one grammar for the
 * configuration, the command line and the library.
 *
 *   match    = [model] term...
 *   model    = "macvlan" MAC        the attachment gets a MAC of its own
 *            | "ipvlan" ADDRESS     the attachment gets an address on the port's MAC
 *            | "tuple"              what its terms say; may be left out
 *   term     = "dmac" MAC["/"MASK] | "smac" MAC["/"MASK] | "vlan" 1..4094
 *            | "ethertype" (NUMBER | "ipv4" | "ipv6" | "arp")
 *            | "dst" ADDRESS["/"BITS] | "src" ADDRESS["/"BITS]
 *            | "proto" (NUMBER | "tcp" | "udp" | "sctp" | "icmp" | "icmpv6")
 *            | "tcp" | "udp" | "sctp" | "icmp" | "icmpv6"      short for "proto ..."
 *            | "sport" 1..65535 | "dport" 1..65535
 *            | "addr" ADDRESS       (macvlan) an address to answer ARP or ND for, one of each
 * family
 *
 * Meaning. Without dmac the match means the port's own MAC; without vlan it means untagged frames.
 * With sport or dport it takes no fragment, the first included; proto must then be tcp, udp or
 * sctp. proto needs a family: by an address, by ethertype, or both families are tried as two rules
 * by the caller; icmp implies ipv4 and icmpv6 implies ipv6; tcp, udp, sctp and numbers without an
 * address or ethertype imply ipv4. An address implies its ethertype. Frames to group addresses
 * (broadcast, multicast), and ARP and neighbour discovery to the port's own MAC, are never taken:
 * they stay with the kernel, and a client may subscribe to copies.
 *
 * Order. A shape is a set of masks. When several rules match, the one of the most specific shape
 * wins; shapes compare by the number of bits they fix in dport, sport, dst, src, proto, ethertype,
 * vlan, smac, dmac, in this order of weight, then by the masks' bytes. docs/flows.md has examples.
 *
 * Ports, VLAN ids and ethertype are in the byte order of the machine; addresses are in network
 * order, as bytes; an IPv4 address stands in the first four bytes.
 */
#ifndef RAWNET_FLOW_H
#define RAWNET_FLOW_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which members of struct rawnet_match count. */
#define RAWNET_M_DMAC	   0x0001u
#define RAWNET_M_SMAC	   0x0002u
#define RAWNET_M_VLAN	   0x0004u
#define RAWNET_M_ETHERTYPE 0x0008u
#define RAWNET_M_DST	   0x0010u
#define RAWNET_M_SRC	   0x0020u
#define RAWNET_M_PROTO	   0x0040u
#define RAWNET_M_SPORT	   0x0080u
#define RAWNET_M_DPORT	   0x0100u
#define RAWNET_M_ADDR4	   0x0200u /* leased with macvlan */
#define RAWNET_M_ADDR6	   0x0400u
#define RAWNET_M_KNOWN	   0x07ffu

enum rawnet_model {
	RAWNET_MODEL_TUPLE, /* what its terms say */
	RAWNET_MODEL_MACVLAN, /* dmac is leased to the attachment, with addr4 and addr6 if given */
	RAWNET_MODEL_IPVLAN, /* dst, a whole address, is leased to the attachment */
	RAWNET_MODEL_COUNT
};

struct rawnet_match {
	uint32_t size; /* sizeof(struct rawnet_match) */
	uint16_t fields; /* RAWNET_M_* */
	uint8_t model; /* enum rawnet_model */
	uint8_t family; /* of dst and src: 0 (neither given), 4 or 6 */
	uint8_t dmac[6];
	uint8_t dmac_mask[6];
	uint8_t smac[6];
	uint8_t smac_mask[6];
	uint16_t vlan; /* VLAN id, 1..4094 */
	uint16_t ethertype; /* of the payload, after the tag */
	uint8_t dst[16];
	uint8_t src[16];
	uint8_t dst_len; /* prefix length in bits */
	uint8_t src_len;
	uint8_t proto;
	uint8_t reserved; /* zero */
	uint16_t sport;
	uint16_t dport;
	uint8_t addr4[4];
	uint8_t addr6[16];
};
RAWNET_STATIC_ASSERT(sizeof(struct rawnet_match) == 96, "match is 96 bytes");

/* Longest text that rawnet_match_format writes, with its NUL. */
#define RAWNET_MATCH_TEXT 320

#ifdef __cplusplus
}
#endif
#endif
