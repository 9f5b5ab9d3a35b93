/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of offload share: the Internet checksum (RFC 1071) and where the headers of a
 * frame stand. Pure functions, any thread. Sums are kept in the byte order of the machine, which
 * the Internet checksum allows; a folded sum is stored with memcpy.
 */
#ifndef RN_OFFLOAD_H
#define RN_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RN_PROTO_TCP 6u
#define RN_PROTO_UDP 17u

/* Adds len bytes to a sum. Only the last piece of what is summed may have an odd length. */
uint64_t rn_csum_add(uint64_t sum, const uint8_t *data, size_t len);
/* 16 bits, not complemented. */
uint16_t rn_csum_fold(uint64_t sum);

/* An IP packet inside a frame, its headers checked against the length of the frame. */
struct rn_ip_layout {
	uint32_t l3; /* offset of the IP header */
	uint32_t l4; /* offset behind the IP header with options or extension headers */
	uint32_t end; /* offset behind the packet as its length field says, at most the frame's */
	uint8_t version; /* 4 or 6 */
	uint8_t proto; /* of what stands at l4 */
	bool plain; /* not a fragment, no routing still to be done: l4 is a transport header whose
		       checksum covers the addresses of the IP header */
};

/* False: no IP packet, or one that is cut off or contradicts itself. any_length: the length field
 * is not looked at (it says nothing in a packet that is to be segmented), end is len. */
bool rn_ip_layout(const uint8_t *frame, uint32_t len, bool any_length, struct rn_ip_layout *ip);
/* The same of a frame of which the first `have` bytes are there; false also if they do not hold all
 * IP headers. Nothing behind them is read. */
bool rn_ip_layout_head(const uint8_t *frame, uint32_t have, uint32_t len, bool any_length,
		       struct rn_ip_layout *ip);
/* Sum of the pseudo-header for l4_len bytes of proto. */
uint64_t rn_csum_pseudo(const uint8_t *frame, const struct rn_ip_layout *ip, uint32_t l4_len);
/* Fills in the checksum of an IPv4 header. */
void rn_csum_ip4(uint8_t *header, uint32_t len);
/* Fills in the checksum of the TCP or UDP packet from ip->l4 to ip->end, both checked. */
void rn_csum_l4(uint8_t *frame, const struct rn_ip_layout *ip);

#endif
