/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A key: the header fields of one frame that rules can match, in one flat struct, so that a rule is
 * a masked key and a lookup is "and, hash, compare". The XDP program and the daemon's reference
 * classifier share this struct and must parse alike; the fuzzer compares them.
 *
 * All multi-byte fields are in network byte order, absent fields are zero.
 *   vlan       id (12 bits) of the outer tag, whether it stands in the frame or came as metadata;
 *              0 for untagged and priority-tagged frames
 *   ethertype  of what follows that tag; an inner tag's TPID when there are two (no L3 then)
 *   dst, src   IPv4 in the first four bytes
 *   proto      IPv4 protocol, or IPv6 next header after the extension headers (hop-by-hop, routing,
 *              destination options, AH; at most RN_KEY_EXT_MAX of them, else the frame has no field
 *              beyond its addresses); of a fragment: what its fragment header names
 *   l4         1 if sport and dport are those of TCP, UDP or SCTP of an unfragmented packet
 *
 * A frame too short for a header, or with a wrong IP version, IHL or total length, has no field of
 * that header and of those behind it.
 */
#ifndef RN_KEY_H
#define RN_KEY_H

#ifdef __bpf__
#include <linux/types.h>
#define RN_U8  __u8
#define RN_U16 __u16
#else
#include <stdint.h>
#define RN_U8  uint8_t
#define RN_U16 uint16_t
#endif

#define RN_KEY_EXT_MAX 6

struct rn_key {
	RN_U8 dmac[6];
	RN_U8 smac[6];
	RN_U16 vlan;
	RN_U16 ethertype;
	RN_U8 dst[16];
	RN_U8 src[16];
	RN_U8 proto;
	RN_U8 l4;
	RN_U16 sport;
	RN_U16 dport;
	RN_U16 zero; /* padding to 56 bytes, always zero */
} __attribute__((aligned(8))); /* masked and compared by words */

/* What a frame is besides its key: frames that no rule of the port's own MAC may take. */
#define RN_KEY_GROUP 0x1 /* destination is broadcast or multicast: no rule takes it */
/* ARP, or ICMPv6 types 133..137: no rule of the port's own MAC takes it. */
#define RN_KEY_NEIGH 0x2

#ifndef __bpf__
/* Where the headers stand, for hashing and offloads; 0: not there. */
struct rn_headers {
	uint16_t l3; /* offset of the IP header */
	uint16_t l4; /* offset of TCP, UDP, SCTP or ICMP header, unfragmented packets only */
	uint8_t flags; /* RN_KEY_GROUP, RN_KEY_NEIGH */
	uint8_t fragment;
	uint8_t tagged; /* bytes of VLAN tags inside the frame: 0, 4, 8 */
};

/* Parses a frame of len bytes. tci: the tag that came as metadata (16 bits), or -1 for none.
 * Never reads beyond len; always fills key and headers. Any thread. */
void rn_key_parse(const uint8_t *frame, uint32_t len, int tci, struct rn_key *key,
		  struct rn_headers *headers);

static inline int rn_key_equal(const struct rn_key *a, const struct rn_key *b)
{
	const uint64_t *x = (const uint64_t *)(const void *)a,
		       *y = (const uint64_t *)(const void *)b;
	uint64_t diff = 0;

	for (unsigned i = 0; i < sizeof(*a) / 8; i++)
		diff |= x[i] ^ y[i];
	return !diff;
}

/* Toeplitz hash of addresses and, with l4, ports (Microsoft's RSS definition and its well-known
 * key), symmetric input order as for receive: src, dst, sport, dport. 0 for frames without L3. */
uint32_t rn_key_hash(const struct rn_key *key);
#endif
#endif
