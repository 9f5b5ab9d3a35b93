/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames.h. Plain and slow on purpose: it shares nothing with the device.
 */
#include <netinet/in.h>
#include <string.h>

#include "frames.h"
#include "lab.h"

const uint8_t port_mac[6] = {0x02, 0xc5, 0, 0, 0, 0x01};

uint16_t frame_sum(const uint8_t *p, uint32_t len, uint32_t start)
{
	uint32_t i, sum = start;

	for (i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static uint32_t ip_at(const uint8_t *p)
{
	uint32_t at = 12;

	while (lab_get16(p + at) == 0x8100 || lab_get16(p + at) == 0x88a8)
		at += 4;
	return at + 2;
}

static uint16_t l4_sum(const uint8_t *p, uint32_t l3, uint32_t *l4, uint8_t *proto)
{
	bool six = p[l3] >> 4 == 6;
	uint32_t n;
	uint16_t sum;

	*proto = p[l3 + (six ? 6 : 9)];
	*l4 = l3 + (six ? 40 : p[l3] % 16 * 4u);
	n = six ? lab_get16(p + l3 + 4) : lab_get16(p + l3 + 2) - (*l4 - l3);
	sum = frame_sum(p + l3 + (six ? 8 : 12), six ? 32 : 8, *proto + n);
	return frame_sum(p + *l4, n, sum);
}

bool frame_l3_right(const uint8_t *p)
{
	uint32_t l3 = ip_at(p);

	return frame_sum(p + l3, p[l3] % 16 * 4u, 0) == 0xffff;
}

bool frame_l4_right(const uint8_t *p, uint32_t len)
{
	uint32_t l4;
	uint8_t proto;

	(void)len;
	return l4_sum(p, ip_at(p), &l4, &proto) == 0xffff;
}

static uint32_t put_ip4(uint8_t *p, const struct frame_attr *a, uint32_t total)
{
	p[0] = 0x45;
	p[1] = a->tos;
	lab_put16(p + 2, (uint16_t)total);
	lab_put16(p + 4, 0x1234);
	p[8] = 64;
	p[9] = a->tcp ? IPPROTO_TCP : IPPROTO_UDP;
	lab_put32(p + 12, a->from ? a->from : 0x0a000001);
	lab_put32(p + 16, a->to ? a->to : 0x0a000002);
	if (!a->no_sums)
		lab_put16(p + 10, (uint16_t)~frame_sum(p, 20, 0));
	return 20;
}

static uint32_t put_ip6(uint8_t *p, const struct frame_attr *a, uint32_t total)
{
	lab_put32(p, 6u << 28 | (uint32_t)a->tos << 20);
	lab_put16(p + 4, (uint16_t)(total - 40));
	p[6] = a->tcp ? IPPROTO_TCP : IPPROTO_UDP;
	p[7] = 64;
	p[8] = p[24] = 0xfd;
	lab_put32(p + 20, a->from ? a->from : 1);
	lab_put32(p + 36, a->to ? a->to : 2);
	return 40;
}

static void put_l4(struct frame *f, const struct frame_attr *a)
{
	uint8_t *p = f->b + f->l4, proto;
	uint32_t l4;

	lab_put16(p, a->sport ? a->sport : 1000);
	lab_put16(p + 2, a->dport ? a->dport : 2000);
	if (a->tcp) {
		lab_put32(p + 4, 0x01020304);
		p[12] = 5 << 4;
		p[13] = a->flags ? a->flags : 0x10;
	} else {
		lab_put16(p + 4, (uint16_t)(f->len - f->l4));
	}
	if (!a->no_sums)
		lab_put16(p + (a->tcp ? 16 : 6), (uint16_t)~l4_sum(f->b, f->l3, &l4, &proto));
}

void frame_make(struct frame *f, const struct frame_attr *a)
{
	static const uint8_t other[6] = {0x02, 0, 0, 0, 0, 0x99};
	uint32_t i, ip = a->six ? 40 : 20, l4 = a->tcp ? 20 : 8;

	memset(f, 0, sizeof(*f));
	memcpy(f->b, a->dst ? a->dst : port_mac, 6);
	memcpy(f->b + 6, a->src ? a->src : other, 6);
	f->l3 = 14;
	if (a->vlan) {
		lab_put16(f->b + 12, 0x8100);
		lab_put16(f->b + 14, (uint16_t)a->vlan);
		f->l3 = 18;
	}
	lab_put16(f->b + f->l3 - 2, a->six ? 0x86dd : 0x0800);
	f->l4 = f->l3 + ip;
	f->payload = f->l4 + l4;
	f->len = f->payload + a->payload;
	for (i = 0; i < a->payload; i++)
		f->b[f->payload + i] = (uint8_t)i;
	if (a->six)
		put_ip6(f->b + f->l3, a, f->len - f->l3);
	else
		put_ip4(f->b + f->l3, a, f->len - f->l3);
	put_l4(f, a);
}
