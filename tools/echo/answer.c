/* SPDX-License-Identifier: BSD-2-Clause */
/* See answer.h. */
#include "answer.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

static uint32_t load16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static void swap(uint8_t *a, uint8_t *b, uint32_t n)
{
	uint8_t tmp[16];

	memcpy(tmp, a, n);
	memcpy(a, b, n);
	memcpy(b, tmp, n);
}

bool echo_answer(uint8_t *f, uint32_t len)
{
	uint32_t l2 = 14, type, addr, alen, udp, size;
	uint8_t *ip;

	if (len < 18 + 20)
		return false;
	if (load16(f + 12) == ETHERTYPE_VLAN)
		l2 = 18;
	ip = f + l2;
	type = load16(ip - 2);
	if (type == ETHERTYPE_IP && ip[0] == 0x45 && !(load16(ip + 6) & 0x3fff) && /* no fragment */
	    ip[9] == IPPROTO_UDP)
		addr = 12, alen = 4, udp = 20, size = load16(ip + 2);
	else if (type == ETHERTYPE_IPV6 && ip[0] >> 4 == 6 && ip[6] == IPPROTO_UDP)
		addr = 8, alen = 16, udp = 40, size = 40 + load16(ip + 4);
	else
		return false;
	if (size > len - l2 || size < udp + 8 || load16(ip + udp + 4) != size - udp)
		return false;
	swap(f, f + 6, 6);
	swap(ip + addr, ip + addr + alen, alen);
	swap(ip + udp, ip + udp + 2, 2);
	return true;
}
