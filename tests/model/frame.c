/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h: the parser, match parameters, checksums.
 */
#include <infiniband/verbs.h>
#include <netinet/in.h>

#include "frame.h"

#define TYPE_IP4   0x0800
#define TYPE_IP6   0x86dd
#define TYPE_CVLAN 0x8100
#define TYPE_SVLAN 0x88a8

/* ---- checksums ---- */

uint32_t cx_sum(const uint8_t *p, uint32_t len, uint32_t sum)
{
	uint64_t acc = sum;

	for (; len >= 4; len -= 4, p += 4)
		acc += cx_get32(p);
	if (len >= 2) {
		acc += cx_get16(p);
		p += 2;
		len -= 2;
	}
	if (len)
		acc += (uint32_t)*p << 8;
	acc = (acc & 0xffffffff) + (acc >> 32);
	acc = (acc & 0xffff) + (acc >> 16 & 0xffff) + (acc >> 32);
	return (uint32_t)acc;
}

uint16_t cx_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t cx_frame_sum(const struct cx_frame *f)
{
	return f->summed ? f->sum : cx_fold(cx_sum(f->data + f->l3, f->len - f->l3, 0));
}

uint32_t cx_crc32(const uint8_t *p, uint32_t len)
{
	uint32_t crc = ~0u, i;
	int b;

	for (i = 0; i < len; i++) {
		crc ^= p[i];
		for (b = 0; b < 8; b++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* Pseudo header and L4, without the checksum's own complement. */
static uint32_t l4_sum(const struct cx_frame *f, const uint8_t *data)
{
	uint32_t l4_len = f->l3_len - (f->l4 - f->l3), sum;

	sum = f->ip == 4 ? cx_sum(data + f->l3 + 12, 8, 0) : cx_sum(data + f->l3 + 8, 32, 0);
	return cx_sum(data + f->l4, l4_len, sum + f->proto + l4_len);
}

static void verify(struct cx_frame *f)
{
	if (f->ip == 6)
		f->l3_ok = true;
	else if (f->ip == 4)
		f->l3_ok = cx_fold(cx_sum(f->data + f->l3, f->data[f->l3] % 16 * 4u, 0)) == 0xffff;
	if (!f->payload)
		return;
	if (f->proto == IPPROTO_UDP && f->ip == 4 && !cx_get16(f->data + f->l4 + 6))
		f->l4_ok = true; /* none was sent */
	else
		f->l4_ok = cx_fold(l4_sum(f, f->data)) == 0xffff;
}

void cx_frame_csum(uint8_t *data, uint32_t len, bool l3, bool l4)
{
	struct cx_frame f;
	uint32_t at;
	uint16_t sum;

	cx_frame_parse(&f, data, len, false);
	if (l3 && f.ip == 4) {
		cx_put16(data + f.l3 + 10, 0);
		cx_put16(data + f.l3 + 10,
			 (uint16_t)~cx_fold(cx_sum(data + f.l3, data[f.l3] % 16 * 4u, 0)));
	}
	if (!l4 || !f.payload)
		return;
	at = f.l4 + (f.proto == IPPROTO_TCP ? 16 : 6);
	cx_put16(data + at, 0);
	sum = (uint16_t)~cx_fold(l4_sum(&f, data));
	cx_put16(data + at, sum || f.proto == IPPROTO_TCP ? sum : 0xffff);
}

/* ---- parser ---- */

static uint32_t parse_tags(struct cx_frame *f)
{
	uint32_t at = 12;

	f->type = cx_get16(f->data + at);
	while ((f->type == TYPE_CVLAN || f->type == TYPE_SVLAN) && at + 6 <= f->len &&
	       f->tags < 2) {
		if (!f->tags) {
			f->tci = cx_get16(f->data + at + 2);
			f->cvlan = f->type == TYPE_CVLAN;
			f->svlan = f->type == TYPE_SVLAN;
		}
		f->tags++;
		at += 4;
		f->type = cx_get16(f->data + at);
	}
	return at + 2;
}

static void parse_l4(struct cx_frame *f)
{
	uint32_t end = f->l3 + f->l3_len, head;

	if (f->proto == IPPROTO_UDP) {
		if (f->l4 + 8 > end)
			return;
		f->payload = f->l4 + 8;
	} else if (f->proto == IPPROTO_TCP) {
		if (f->l4 + 20 > end)
			return;
		head = (f->data[f->l4 + 12] >> 4) * 4u;
		if (head < 20 || f->l4 + head > end)
			return;
		f->payload = f->l4 + head;
	}
}

static void parse_ip4(struct cx_frame *f)
{
	const uint8_t *h = f->data + f->l3;
	uint32_t left = f->len - f->l3, ihl, total, frag;

	if (left < 20 || h[0] >> 4 != 4)
		return;
	ihl = h[0] % 16 * 4u;
	total = cx_get16(h + 2);
	if (ihl < 20 || total < ihl || total > left)
		return;
	frag = cx_get16(h + 6);
	f->ip = 4;
	f->l3_len = total;
	f->proto = h[9];
	f->fragment = frag & 0x3fff;
	if (f->fragment)
		return;
	f->l4 = f->l3 + ihl;
	parse_l4(f);
}

/* Extension headers are skipped as far as a fragment header; others end the parse. */
static void parse_ip6(struct cx_frame *f)
{
	const uint8_t *h = f->data + f->l3;
	uint32_t left = f->len - f->l3, total;

	if (left < 40 || h[0] >> 4 != 6)
		return;
	total = 40u + cx_get16(h + 4);
	if (total > left)
		return;
	f->ip = 6;
	f->l3_len = total;
	f->proto = h[6];
	if (f->proto == IPPROTO_FRAGMENT) {
		f->fragment = true;
		f->proto = total >= 48 ? h[40] : IPPROTO_NONE;
		return;
	}
	f->l4 = f->l3 + 40;
	parse_l4(f);
}

void cx_frame_parse(struct cx_frame *f, const uint8_t *data, uint32_t len, bool check)
{
	*f = (struct cx_frame) {.data = data, .len = len};
	if (len < 14)
		return;
	f->l3 = parse_tags(f);
	if (f->type == TYPE_IP4)
		parse_ip4(f);
	else if (f->type == TYPE_IP6)
		parse_ip6(f);
	if (check)
		verify(f);
}

/* ---- match parameters ---- */

static void fte_ip(const struct cx_frame *f, struct cx_fte *k, uint32_t *word)
{
	const uint8_t *h = f->data + f->l3;
	uint8_t tos;

	if (f->ip == 4) {
		tos = h[1];
		memcpy(&k->w[CX_FTE_SRC_IP + 3], h + 12, 4);
		memcpy(&k->w[CX_FTE_DST_IP + 3], h + 16, 4);
		k->w[CX_FTE_TTL] = htobe32((uint32_t)(h[0] % 16) << 12 | h[8]);
	} else {
		tos = (uint8_t)(cx_get16(h) >> 4);
		memcpy(&k->w[CX_FTE_SRC_IP], h + 8, 16);
		memcpy(&k->w[CX_FTE_DST_IP], h + 24, 16);
		k->w[CX_FTE_TTL] = htobe32(h[7]);
		k->w[CX_FTE_FLOW_LABEL] = htobe32(cx_get32(h) & 0xfffff);
	}
	*word |= CX_FTE_IP_PROTO(f->proto) | CX_FTE_IP_DSCP(tos >> 2) | CX_FTE_IP_ECN(tos & 3) |
		 CX_FTE_IP_VERSION(f->ip) | (f->fragment ? CX_FTE_IP_FRAG : 0);
}

static void fte_l4(const struct cx_frame *f, struct cx_fte *k, uint32_t *word)
{
	const uint8_t *h = f->data + f->l4;

	if (f->proto == IPPROTO_TCP) {
		memcpy(&k->w[CX_FTE_TCP_PORTS], h, 4);
		*word |= cx_get16(h + 12) & 0x1ff;
		return;
	}
	memcpy(&k->w[CX_FTE_UDP_PORTS], h, 4);
	if (cx_get16(h + 2) == 4789 && f->payload + 8 <= f->l3 + f->l3_len)
		k->w[CX_FTE_VXLAN] = htobe32(cx_get32(f->data + f->payload + 4) & 0xffffff00);
}

void cx_frame_fte(const struct cx_frame *f, struct cx_fte *k)
{
	uint32_t word = (f->cvlan ? CX_FTE_IP_CVLAN : 0) | (f->svlan ? CX_FTE_IP_SVLAN : 0);

	memset(k, 0, sizeof(*k));
	if (f->len < 14)
		return;
	memcpy(&k->w[CX_FTE_DMAC_HI], f->data, 4);
	k->w[CX_FTE_DMAC_LO_VLAN] = htobe32((uint32_t)cx_get16(f->data + 4) << 16 | f->tci);
	memcpy(&k->w[CX_FTE_SMAC_HI], f->data + 6, 4);
	k->w[CX_FTE_SMAC_LO_TYPE] = htobe32((uint32_t)cx_get16(f->data + 10) << 16 | f->type);
	if (f->ip)
		fte_ip(f, k, &word);
	if (f->payload)
		fte_l4(f, k, &word);
	if (f->proto == IPPROTO_ICMPV6 && f->ip == 6 && f->l4 && f->l4 + 4 <= f->l3 + f->l3_len)
		k->w[CX_FTE_ICMP] = htobe32(cx_get16(f->data + f->l4));
	if (f->tags > 1)
		k->w[CX_FTE_SECOND] = htobe32(cx_get16(f->data + 16) == TYPE_CVLAN
						      ? CX_FTE_SECOND_CVLAN
						      : CX_FTE_SECOND_SVLAN);
	k->w[CX_FTE_IP] = htobe32(word);
}

/* ---- Toeplitz ---- */

uint32_t cx_toeplitz(const uint8_t key[40], const uint8_t *data, uint32_t len)
{
	uint32_t hash = 0, window = cx_get32(key), i;
	int b;

	for (i = 0; i < len && i < 36; i++) {
		uint8_t next = key[i + 4];

		for (b = 7; b >= 0; b--) {
			if (data[i] >> b & 1)
				hash ^= window;
			window = window << 1 | (next >> b & 1);
		}
	}
	return hash;
}

#define ALL_IP \
	(IBV_RX_HASH_SRC_IPV4 | IBV_RX_HASH_DST_IPV4 | IBV_RX_HASH_SRC_IPV6 | IBV_RX_HASH_DST_IPV6)

static uint32_t gather_ip(const struct cx_frame *f, uint64_t fields, uint8_t *in)
{
	const uint8_t *h = f->data + f->l3;
	uint32_t size = f->ip == 4 ? 4 : 16, n = 0;
	uint64_t src = f->ip == 4 ? IBV_RX_HASH_SRC_IPV4 : IBV_RX_HASH_SRC_IPV6;
	uint64_t dst = f->ip == 4 ? IBV_RX_HASH_DST_IPV4 : IBV_RX_HASH_DST_IPV6;
	uint32_t at = f->ip == 4 ? 12 : 8;

	if (fields & src) {
		memcpy(in, h + at, size);
		n += size;
	}
	if (fields & dst) {
		memcpy(in + n, h + at + size, size);
		n += size;
	}
	return n;
}

uint32_t cx_frame_hash(const struct cx_frame *f, const uint8_t key[40], uint64_t fields,
		       uint8_t *type)
{
	uint8_t in[36];
	uint32_t n = 0, ports = 0;
	bool tcp = f->proto == IPPROTO_TCP;
	uint64_t src = tcp ? IBV_RX_HASH_SRC_PORT_TCP : IBV_RX_HASH_SRC_PORT_UDP;
	uint64_t dst = tcp ? IBV_RX_HASH_DST_PORT_TCP : IBV_RX_HASH_DST_PORT_UDP;

	*type = 0;
	if (!f->ip)
		return 0;
	n = gather_ip(f, fields, in);
	if (!n && fields & ALL_IP)
		return 0; /* the other version was asked for */
	if (n)
		*type = f->ip == 4 ? CX_RSS_TYPE_IPV4 : CX_RSS_TYPE_IPV6;
	if (f->payload && (fields & src)) {
		memcpy(in + n, f->data + f->l4, 2);
		ports += 2;
	}
	if (f->payload && (fields & dst)) {
		memcpy(in + n + ports, f->data + f->l4 + 2, 2);
		ports += 2;
	}
	if (ports)
		*type |= tcp ? CX_RSS_TYPE_TCP : CX_RSS_TYPE_UDP;
	return cx_toeplitz(key, in, n + ports);
}
