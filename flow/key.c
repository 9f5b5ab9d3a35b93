/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parsing a frame into its key, and the hash of a key. See key.h for what the fields mean; the XDP
 * program (daemon/backend/xdp) does the same in BPF and is compared with this.
 *
 * The parser keeps one position `at` and checks every header against the end before it reads it, so
 * that it can stop anywhere with what it has. Any thread, no state.
 *
 * The key is composed in words and stored by words, as it will be read. Fields stored one by one
 * and read back in a word cannot be forwarded from the store buffer: the read waits until all
 * stores before it are done, and those of the last packet's payload go to lines that another core
 * has. That wait costs more than all of the rest.
 */
#include "key.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "wire.h"

/* struct rn_key by words; it is aligned for that (key.h). */
struct __attribute__((may_alias)) words {
	uint64_t mac; /* dmac, first two bytes of smac */
	uint64_t eth; /* rest of smac, vlan, ethertype */
	uint64_t dst[2], src[2];
	uint64_t l4; /* proto, l4, sport, dport, zero */
};

static_assert(sizeof(struct words) == sizeof(struct rn_key), "all of it");
static_assert(offsetof(struct words, dst) == offsetof(struct rn_key, dst), "dst");
static_assert(offsetof(struct words, src) == offsetof(struct rn_key, src), "src");
static_assert(offsetof(struct words, l4) == offsetof(struct rn_key, proto), "proto");
static_assert(offsetof(struct rn_key, vlan) == 12 && offsetof(struct rn_key, ethertype) == 14,
	      "where they are shifted to");
static_assert(offsetof(struct rn_key, sport) == 50 && offsetof(struct rn_key, dport) == 52,
	      "where they are shifted to");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a word's first byte is its lowest");

struct cursor {
	const uint8_t *frame;
	uint32_t len; /* of the frame; of the IP packet's end once that is known */
	uint32_t at;
};

static uint64_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool has(const struct cursor *c, uint32_t n)
{
	return n <= c->len && c->at <= c->len - n;
}

/* Ports, and the place of whatever follows IP; only of unfragmented packets. */
static void parse_l4(struct cursor *c, uint8_t proto, bool v6, struct words *key,
		     struct rn_headers *h)
{
	const uint8_t *p = c->frame + c->at;

	if (proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP) {
		uint32_t least = proto == PROTO_TCP ? 20 : proto == PROTO_UDP ? 8 : 12;

		if (!has(c, least))
			return;
		key->l4 = proto | 1u << 8 | load32(p) << 16;
	} else if (proto == PROTO_ICMP6 && v6) {
		if (!has(c, 4))
			return;
		if (p[0] >= 133 && p[0] <= 137)
			h->flags |= RN_KEY_NEIGH;
	}
	h->l4 = (uint16_t)c->at;
}

static void parse_ipv4(struct cursor *c, struct words *key, struct rn_headers *h)
{
	const uint8_t *p = c->frame + c->at;
	uint32_t hlen, total;

	if (!has(c, 20) || p[0] >> 4 != 4)
		return;
	hlen = (uint32_t)(p[0] & 15) * 4;
	total = rn_get16(p + 2);
	if (hlen < 20 || total < hlen || !has(c, total))
		return;
	h->l3 = (uint16_t)c->at;
	key->src[0] = load32(p + 12);
	key->dst[0] = load32(p + 16);
	key->l4 = p[9];
	c->len = c->at + total;
	c->at += hlen;
	if (rn_get16(p + 6) & 0x3fff) { /* more fragments, or an offset */
		h->fragment = 1;
		return;
	}
	parse_l4(c, p[9], false, key, h);
}

/* One extension header at c->at of type *next: moves behind it. False: stop, *next is the protocol.
 */
static bool skip_extension(struct cursor *c, uint8_t *next, struct rn_headers *h)
{
	const uint8_t *p = c->frame + c->at;
	uint32_t size;

	switch (*next) {
	case PROTO_HOPOPTS:
	case PROTO_ROUTING:
	case PROTO_DSTOPTS:
		if (!has(c, 8))
			return false;
		size = ((uint32_t)p[1] + 1) * 8;
		break;
	case PROTO_AH:
		if (!has(c, 8))
			return false;
		size = ((uint32_t)p[1] + 2) * 4;
		break;
	case PROTO_FRAGMENT:
		if (!has(c, 8))
			return false;
		h->fragment = 1;
		*next = p[0];
		return false;
	default: return false;
	}
	if (!has(c, size))
		return false;
	*next = p[0];
	c->at += size;
	return true;
}

static bool is_extension(uint8_t proto)
{
	return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING || proto == PROTO_DSTOPTS ||
	       proto == PROTO_AH || proto == PROTO_FRAGMENT;
}

static void parse_ipv6(struct cursor *c, struct words *key, struct rn_headers *h)
{
	const uint8_t *p = c->frame + c->at;
	uint8_t next;

	if (!has(c, 40) || p[0] >> 4 != 6)
		return;
	if (!has(c, 40u + rn_get16(p + 4)))
		return;
	h->l3 = (uint16_t)c->at;
	key->src[0] = load64(p + 8);
	key->src[1] = load64(p + 16);
	key->dst[0] = load64(p + 24);
	key->dst[1] = load64(p + 32);
	next = p[6];
	c->len = c->at + 40u + rn_get16(p + 4);
	c->at += 40;
	for (int i = 0; i < RN_KEY_EXT_MAX && skip_extension(c, &next, h); i++)
		;
	if (!h->fragment && is_extension(next))
		return; /* cut short, or too many: nothing beyond the addresses */
	key->l4 = next;
	if (!h->fragment)
		parse_l4(c, next, true, key, h);
}

/* The outer tag, in the frame or as metadata; returns the ethertype behind it. */
static uint16_t parse_tag(struct cursor *c, int tci, uint16_t *vlan, struct rn_headers *h)
{
	uint16_t type = rn_get16(c->frame + 12);

	c->at = ETH_HEADER;
	if (tci < 0 && (type == TYPE_TAG || type == TYPE_STAG) && has(c, 4)) {
		tci = rn_get16(c->frame + c->at);
		type = rn_get16(c->frame + c->at + 2);
		c->at += 4;
		h->tagged = 4;
	}
	*vlan = tci >= 0 ? (uint16_t)(tci & 0xfff) : 0;
	return type;
}

void rn_key_parse(const uint8_t *frame, uint32_t len, int tci, struct rn_key *key,
		  struct rn_headers *headers)
{
	struct cursor c = {.frame = frame, .len = len};
	struct words *w = (struct words *)key;
	uint16_t type, vlan;

	*w = (struct words) {0};
	memset(headers, 0, sizeof(*headers));
	if (len < ETH_HEADER)
		return;
	if (frame[0] & 1)
		headers->flags |= RN_KEY_GROUP;
	type = parse_tag(&c, tci, &vlan, headers);
	w->mac = load64(frame);
	w->eth = load32(frame + 8) | (uint64_t)htons(vlan) << 32 | (uint64_t)htons(type) << 48;
	if (type == TYPE_ARP)
		headers->flags |= RN_KEY_NEIGH;
	else if (type == TYPE_IP4)
		parse_ipv4(&c, w, headers);
	else if (type == TYPE_IP6)
		parse_ipv6(&c, w, headers);
}
