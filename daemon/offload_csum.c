/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum and the layout of IP packets; see offload.h. The inner loop adds 32-bit
 * halves into 64-bit lanes, 64 bytes a turn, in vectors that the compiler maps to what the machine
 * has. A lane takes 2^32 additions before it could overflow, far more than any packet is long.
 */
#include "offload.h"

#include <endian.h>
#include <string.h>

#include "wire.h"

typedef uint64_t lanes __attribute__((vector_size(32)));

static uint64_t add_tail(uint64_t sum, const uint8_t *data, size_t len)
{
	uint32_t word;
	uint16_t half;

	for (; len >= 4; data += 4, len -= 4) {
		memcpy(&word, data, 4);
		sum += word;
	}
	if (len >= 2) {
		memcpy(&half, data, 2);
		sum += half;
		data += 2;
	}
	if (len & 1) {
		half = 0;
		memcpy(&half, data, 1);
		sum += half;
	}
	return sum;
}

uint64_t rn_csum_add(uint64_t sum, const uint8_t *data, size_t len)
{
	lanes a = {0}, b = {0}, x, y;

	for (; len >= 64; data += 64, len -= 64) {
		memcpy(&x, data, 32);
		memcpy(&y, data + 32, 32);
		a += (x & 0xffffffffu) + (x >> 32);
		b += (y & 0xffffffffu) + (y >> 32);
	}
	a += b;
	sum += a[0] + a[1] + a[2] + a[3];
	return add_tail(sum, data, len);
}

uint16_t rn_csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffu) + (sum >> 16 & 0xffffu) + (sum >> 32);
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)sum;
}

/* What is there of a frame of `len` bytes: the first `have`. */
struct part {
	const uint8_t *frame;
	uint32_t have, len;
};

static bool layout4(const struct part *p, bool any_length, struct rn_ip_layout *ip)
{
	const uint8_t *h = p->frame + ip->l3;
	uint32_t room = p->len - ip->l3, header, total;

	if (p->have - ip->l3 < IP4_HEADER || h[0] >> 4 != 4)
		return false;
	header = (h[0] & 15u) * 4;
	total = any_length ? room : rn_get16(h + 2);
	if (header < IP4_HEADER || header > total || total > room)
		return false;
	ip->version = 4;
	ip->l4 = ip->l3 + header;
	ip->end = ip->l3 + total;
	ip->proto = h[9];
	ip->plain = !(rn_get16(h + 6) & 0x3fff); /* more fragments, offset */
	return true;
}

/* Walks the extension headers up to the first that is none, or to a fragment header. */
static bool layout6(const struct part *p, bool any_length, struct rn_ip_layout *ip)
{
	const uint8_t *frame = p->frame, *h = frame + ip->l3;
	uint32_t at = ip->l3 + IP6_HEADER, size;
	uint8_t next;

	if (p->have - ip->l3 < IP6_HEADER || h[0] >> 4 != 6)
		return false;
	ip->end = any_length ? p->len : at + rn_get16(h + 4);
	if (ip->end > p->len)
		return false;
	ip->version = 6;
	ip->plain = true;
	for (next = h[6]; next == PROTO_HOPOPTS || next == PROTO_ROUTING || next == PROTO_AH ||
			  next == PROTO_DSTOPTS;) {
		if (ip->end - at < 8 || at > p->have || p->have - at < 8)
			return false;
		size = next == PROTO_AH ? (frame[at + 1] + 2u) * 4 : (frame[at + 1] + 1u) * 8;
		if (size > ip->end - at)
			return false;
		if (next == PROTO_ROUTING && frame[at + 3])
			ip->plain = false; /* the pseudo-header has the last destination */
		next = frame[at];
		at += size;
	}
	if (next == PROTO_FRAGMENT)
		ip->plain = false;
	ip->proto = next;
	ip->l4 = at;
	return true;
}

bool rn_ip_layout_head(const uint8_t *frame, uint32_t have, uint32_t len, bool any_length,
		       struct rn_ip_layout *ip)
{
	const struct part part = {frame, have, len};
	uint32_t at = ETH_HEADER;
	uint16_t type;

	if (have < ETH_HEADER)
		return false;
	type = rn_get16(frame + at - 2);
	for (int tags = 0; tags < 2 && (type == TYPE_TAG || type == TYPE_STAG); tags++) {
		if (have - at < TAG_LEN)
			return false;
		at += TAG_LEN;
		type = rn_get16(frame + at - 2);
	}
	ip->l3 = at;
	if (type == TYPE_IP4)
		return layout4(&part, any_length, ip);
	return type == TYPE_IP6 && layout6(&part, any_length, ip);
}

bool rn_ip_layout(const uint8_t *frame, uint32_t len, bool any_length, struct rn_ip_layout *ip)
{
	return rn_ip_layout_head(frame, len, len, any_length, ip);
}

uint64_t rn_csum_pseudo(const uint8_t *frame, const struct rn_ip_layout *ip, uint32_t l4_len)
{
	const uint8_t *h = frame + ip->l3;
	const uint64_t sum = ip->version == 4 ? add_tail(0, h + 12, 8) : add_tail(0, h + 8, 32);

	return sum + htobe32(l4_len) + htobe32(ip->proto);
}

void rn_csum_ip4(uint8_t *header, uint32_t len)
{
	uint16_t sum;

	memset(header + 10, 0, 2);
	sum = (uint16_t)~rn_csum_fold(add_tail(0, header, len));
	memcpy(header + 10, &sum, 2);
}

void rn_csum_l4(uint8_t *frame, const struct rn_ip_layout *ip)
{
	uint8_t *l4 = frame + ip->l4;
	uint8_t *field = l4 + (ip->proto == RN_PROTO_UDP ? 6 : 16);
	uint32_t len = ip->end - ip->l4;
	uint16_t sum;

	memset(field, 0, 2);
	sum = (uint16_t)~rn_csum_fold(rn_csum_add(rn_csum_pseudo(frame, ip, len), l4, len));
	if (!sum && ip->proto == RN_PROTO_UDP)
		sum = 0xffff; /* RFC 768: zero means no checksum */
	memcpy(field, &sum, 2);
}
