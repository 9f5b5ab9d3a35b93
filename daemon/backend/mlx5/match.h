/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A match as the device's flow tables take it: fte_match_param of Linux'
 * include/linux/mlx5/mlx5_ifc.h, as 32-bit big-endian words. Pure functions.
 *
 * Unlike the portable specifications it can say what a key says: no tag (neither C nor S), exactly
 * one tag, no fragment. Where the device looks less closely than the daemon's parser, it takes
 * less: priority tags and S-tags are not "untagged" to it, and a packet with IPv6 extension headers
 * has the protocol of the first of them. Such packets stay with the kernel.
 *
 * IP is matched by ip_version, not by ethertype: a packet that only claims to be IP has none.
 */
#ifndef RN_MLX5_MATCH_H
#define RN_MLX5_MATCH_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "key.h"

#define RN_MATCH_WORDS 80u /* outer, misc, inner, misc2, misc3: 16 words each */

struct rn_match {
	uint32_t w[RN_MATCH_WORDS];
};

/* Words of the outer headers (fte_match_set_lyr_2_4) and of the miscellaneous parameters. */
enum {
	RN_MATCH_SMAC = 0, /* four bytes, then two and the ethertype */
	RN_MATCH_DMAC = 2, /* four bytes, then two and the tag: priority 3, CFI 1, id 12 */
	RN_MATCH_IP = 4,
	RN_MATCH_TCP = 5, /* source port, destination port */
	RN_MATCH_UDP = 7,
	RN_MATCH_SRC = 8, /* IPv4 in the last word */
	RN_MATCH_DST = 12,
	RN_MATCH_SQN = 16, /* misc: number of the send queue, 24 bits; on transmit */
	RN_MATCH_SECOND = 19, /* misc: C-tag bit 31, S-tag bit 29 of a second tag */
	RN_MATCH_METADATA = 60, /* misc2: metadata_reg_a, on transmit that of the request */
	RN_MATCH_ICMP = 72 /* misc3: ICMP type, code, ICMPv6 type, code */
};

/* Which groups of parameters a mask has: bits of match_criteria_enable. */
#define RN_MATCH_OUTER 0x01u
#define RN_MATCH_MISC  0x02u
#define RN_MATCH_MISC3 0x10u

#define RN_MATCH_IP_PROTO(v)   ((uint32_t)(v) << 24)
#define RN_MATCH_IP_CTAG       (1u << 15)
#define RN_MATCH_IP_STAG       (1u << 14)
#define RN_MATCH_IP_FRAGMENT   (1u << 13)
#define RN_MATCH_IP_VERSION(v) ((uint32_t)(v) << 9)
#define RN_MATCH_VLAN_ID       0xfffu
#define RN_MATCH_SECOND_TAGS   (1u << 31 | 1u << 29)

/* Adds a field to value and mask. */
static inline void rn_match_set(struct rn_match *value, struct rn_match *mask, unsigned word,
				uint32_t v, uint32_t m)
{
	value->w[word] |= htonl(v & m);
	mask->w[word] |= htonl(m);
}

static inline void rn_match_set_mac(struct rn_match *value, struct rn_match *mask, unsigned word,
				    const uint8_t v[6], const uint8_t m[6])
{
	uint8_t *to = (uint8_t *)&value->w[word], *to_mask = (uint8_t *)&mask->w[word];

	for (unsigned i = 0; i < 6; i++) {
		to[i] = v[i] & m[i];
		to_mask[i] = m[i];
	}
}

static inline void rn_match_set_address(struct rn_match *value, struct rn_match *mask,
					unsigned word, const uint8_t v[16], const uint8_t m[16],
					bool six)
{
	unsigned size = six ? 16 : 4, at = six ? 0 : 12;
	uint8_t *to = (uint8_t *)&value->w[word], *to_mask = (uint8_t *)&mask->w[word];

	for (unsigned i = 0; i < size; i++) {
		to[at + i] = v[i] & m[i];
		to_mask[at + i] = m[i];
	}
}

/* What stands above IP, and the tags: exactly the one, or none at all. */
static inline void rn_match_ethernet(struct rn_match *value, struct rn_match *mask,
				     const struct rn_key *key, const struct rn_key *key_mask)
{
	bool tagged = key->vlan & key_mask->vlan;

	rn_match_set_mac(value, mask, RN_MATCH_DMAC, key->dmac, key_mask->dmac);
	rn_match_set_mac(value, mask, RN_MATCH_SMAC, key->smac, key_mask->smac);
	if (!key_mask->vlan)
		return;
	rn_match_set(value, mask, RN_MATCH_IP, tagged ? RN_MATCH_IP_CTAG : 0,
		     RN_MATCH_IP_CTAG | RN_MATCH_IP_STAG);
	if (!tagged)
		return;
	/* Of any priority: a rule names the id. */
	rn_match_set(value, mask, RN_MATCH_DMAC + 1, ntohs(key->vlan), RN_MATCH_VLAN_ID);
	rn_match_set(value, mask, RN_MATCH_SECOND, 0, RN_MATCH_SECOND_TAGS);
}

/* whole: no fragments. */
static inline void rn_match_ip(struct rn_match *value, struct rn_match *mask,
			       const struct rn_key *key, const struct rn_key *key_mask, bool whole)
{
	bool six = key->ethertype == htons(0x86dd);

	rn_match_set(value, mask, RN_MATCH_IP, RN_MATCH_IP_VERSION(six ? 6 : 4),
		     RN_MATCH_IP_VERSION(15));
	rn_match_set(value, mask, RN_MATCH_IP, RN_MATCH_IP_PROTO(key->proto),
		     RN_MATCH_IP_PROTO(key_mask->proto));
	if (whole)
		rn_match_set(value, mask, RN_MATCH_IP, 0, RN_MATCH_IP_FRAGMENT);
	rn_match_set_address(value, mask, RN_MATCH_SRC, key->src, key_mask->src, six);
	rn_match_set_address(value, mask, RN_MATCH_DST, key->dst, key_mask->dst, six);
	rn_match_set(value, mask, key->proto == 6 ? RN_MATCH_TCP : RN_MATCH_UDP,
		     (uint32_t)ntohs(key->sport) << 16 | ntohs(key->dport),
		     (uint32_t)ntohs(key_mask->sport) << 16 | ntohs(key_mask->dport));
}

/* A masked key in the device's terms. */
static inline void rn_match_fill(struct rn_match *value, struct rn_match *mask,
				 const struct rn_key *key, const struct rn_key *key_mask,
				 bool whole)
{
	bool ip = key_mask->ethertype &&
		  (key->ethertype == htons(0x0800) || key->ethertype == htons(0x86dd));

	memset(value, 0, sizeof(*value));
	memset(mask, 0, sizeof(*mask));
	rn_match_ethernet(value, mask, key, key_mask);
	if (ip)
		rn_match_ip(value, mask, key, key_mask, whole);
	else
		rn_match_set(value, mask, RN_MATCH_SMAC + 1, ntohs(key->ethertype),
			     ntohs(key_mask->ethertype));
}

/* match_criteria_enable of a mask. */
static inline uint8_t rn_match_criteria(const struct rn_match *mask)
{
	uint8_t criteria = 0;

	for (unsigned i = 0; i < RN_MATCH_WORDS; i++)
		if (mask->w[i])
			criteria |= (uint8_t)(1u << i / 16);
	return criteria;
}

#endif
