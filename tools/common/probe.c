/* SPDX-License-Identifier: BSD-2-Clause */
/* See frame.h. */
#include "probe.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#define TTL 64u

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t sum(const uint8_t *p, uint32_t len)
{
	uint32_t s = 0;

	for (uint32_t i = 0; i < len; i += 2)
		s += get16(p + i);
	return s;
}

/* RFC 1071 */
static uint32_t checksum(uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

void probe_template(struct probe_template *t, const struct probe_addresses *a)
{
	uint8_t *ip = t->header + 14;
	const uint32_t alen = a->family == 4 ? 4 : 16;

	memset(t, 0, sizeof(*t));
	t->v4 = a->family == 4;
	t->dport = a->dport;
	t->flows = a->flows;
	memcpy(t->header, a->dmac, 6);
	memcpy(t->header + 6, a->smac, 6);
	put16(t->header + 12, t->v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	if (t->v4) {
		ip[0] = 0x45;
		put16(ip + 6, 0x4000); /* not to be fragmented */
		ip[8] = TTL;
		ip[9] = IPPROTO_UDP;
		memcpy(ip + 12, a->src, 4);
		memcpy(ip + 16, a->dst, 4);
		t->ip_sum = sum(ip, 20);
		t->l4 = 14 + 20;
	} else {
		ip[0] = 0x60;
		ip[6] = IPPROTO_UDP;
		ip[7] = TTL;
		memcpy(ip + 8, a->src, 16);
		memcpy(ip + 24, a->dst, 16);
		t->l4 = 14 + 40;
	}
	t->payload = t->l4 + 8;
	put16(t->header + t->l4, a->sport);
	t->udp_sum = sum(a->src, alen) + sum(a->dst, alen) + IPPROTO_UDP + a->sport +
		     (a->magic >> 16) + (a->magic & 0xffff);
	t->magic = a->magic;
}

uint32_t probe_least(const struct probe_template *t)
{
	const uint32_t least = t->payload + PROBE_MARK;

	return least < ETHER_MIN_LEN - ETHER_CRC_LEN ? ETHER_MIN_LEN - ETHER_CRC_LEN : least;
}

void probe_write(const struct probe_template *t, uint8_t *frame, uint32_t size,
		 const struct probe_mark *mark)
{
	uint8_t *ip = frame + 14, *udp = frame + t->l4, *payload = frame + t->payload;
	const uint32_t dport = t->dport + mark->number % t->flows, len = size - t->l4;

	memcpy(frame, t->header, t->payload);
	if (t->v4) {
		put16(ip + 2, size - 14);
		put16(ip + 10, checksum(t->ip_sum + size - 14));
	} else {
		put16(ip + 4, len);
	}
	put32(payload, t->magic);
	put32(payload + 4, mark->number);
	put32(payload + 8, (uint32_t)(mark->time >> 32));
	put32(payload + 12, (uint32_t)mark->time);
	put16(udp + 2, dport);
	put16(udp + 4, len);
	/* The length stands in the pseudo header too. A sum of 0 would mean that there is none. */
	put16(udp + 6, checksum(t->udp_sum + dport + 2 * len + sum(payload + 4, PROBE_MARK - 4)));
	if (!udp[6] && !udp[7])
		put16(udp + 6, 0xffff);
}

bool probe_read(const uint8_t *frame, uint32_t len, uint32_t *magic, struct probe_mark *mark)
{
	uint32_t at = 14, found;
	const uint8_t *ip;

	if (len < 60)
		return false;
	if (get16(frame + 12) == ETHERTYPE_VLAN)
		at += 4;
	ip = frame + at;
	if (get16(ip - 2) == ETHERTYPE_IP && ip[0] == 0x45 && ip[9] == IPPROTO_UDP)
		at += 20 + 8;
	else if (get16(ip - 2) == ETHERTYPE_IPV6 && ip[0] >> 4 == 6 && ip[6] == IPPROTO_UDP)
		at += 40 + 8;
	else
		return false;
	if (at + PROBE_MARK > len)
		return false;
	found = get32(frame + at);
	if (*magic ? found != *magic : (found & 0xffff0000) != PROBE_MAGIC)
		return false;
	*magic = found;
	mark->number = get32(frame + at + 4);
	mark->time = (uint64_t)get32(frame + at + 8) << 32 | get32(frame + at + 12);
	return true;
}
