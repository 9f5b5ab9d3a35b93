/* SPDX-License-Identifier: BSD-2-Clause */
/* See packet.h. */
#include "packet.h"

#include <string.h>

#define V4_HEADER 20u
#define V6_HEADER 40u

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* ---- IPv4 ---- */

static bool checksum_right(const uint8_t *ip, uint32_t header)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < header; i += 2)
		sum += get16(ip + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* This network, loopback, link-local, multicast and above (RFC 6890). */
static bool stays4(uint32_t addr)
{
	return addr >> 24 == 0 || addr >> 24 == 127 || addr >> 16 == 0xa9fe || addr >> 28 >= 0xe;
}

static enum l3_drop read4(const uint8_t *ip, uint32_t len, bool checked, struct l3_packet *p)
{
	uint32_t header;

	if (len < V4_HEADER || ip[0] >> 4 != 4)
		return L3_DROP_bad_header;
	header = (ip[0] & 0xfu) * 4;
	p->len = get16(ip + 2);
	if (header < V4_HEADER || p->len < header || p->len > len)
		return L3_DROP_bad_header;
	if (!checked && !checksum_right(ip, header))
		return L3_DROP_bad_checksum;
	p->dst4 = get32(ip + 16);
	if (stays4(p->dst4) || stays4(get32(ip + 12)))
		return L3_DROP_not_routable;
	return ip[8] > 1 ? L3_FORWARD : L3_DROP_ttl_expired;
}

/* ---- IPv6 ---- */

/* Unspecified, loopback, link-local, multicast (RFC 4291). */
static bool stays6(struct lpm6_key k)
{
	return (!k.hi && k.lo <= 1) || k.hi >> 54 == 0xfe80 >> 6 || k.hi >> 56 == 0xff;
}

static enum l3_drop read6(const uint8_t *ip, uint32_t len, struct l3_packet *p)
{
	if (len < V6_HEADER || ip[0] >> 4 != 6)
		return L3_DROP_bad_header;
	p->len = V6_HEADER + get16(ip + 4);
	if (p->len > len)
		return L3_DROP_bad_header;
	p->dst6 = lpm6_key(ip + 24);
	if (stays6(p->dst6) || stays6(lpm6_key(ip + 8)))
		return L3_DROP_not_routable;
	return ip[7] > 1 ? L3_FORWARD : L3_DROP_ttl_expired;
}

/* ---- both ---- */

void l3_packet_read(const uint8_t *frame, uint32_t len, bool checked, struct l3_packet *p)
{
	uint32_t type;

	p->l2 = 14;
	p->drop = L3_DROP_not_ip;
	if (len < 18)
		return;
	type = get16(frame + 12);
	if (type == 0x8100) {
		type = get16(frame + 16);
		p->l2 = 18;
	}
	if (type == 0x0800) {
		p->family = 4;
		p->drop = (uint8_t)read4(frame + p->l2, len - p->l2, checked, p);
	} else if (type == 0x86dd) {
		p->family = 6;
		p->drop = (uint8_t)read6(frame + p->l2, len - p->l2, p);
	}
}

void l3_packet_age(uint8_t *frame, const struct l3_packet *p)
{
	uint8_t *ip = frame + p->l2;
	uint32_t old, sum;

	if (p->family == 6) {
		ip[7]--;
		return;
	}
	old = get16(ip + 8);
	ip[8]--;
	sum = (~get16(ip + 10) & 0xffff) + (~old & 0xffff) + get16(ip + 8);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}
