/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "xdp_random.h"

static uint64_t state = 88172645463325252u; /* xorshift64: the same run every time */

uint32_t roll(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % n;
}

/* ---- rules ---- */

static const char *const net4[] = {"10.0.0.0/24", "10.0.0.1", "10.0.0.2", "10.0.0.0/8"};
static const char *const net6[] = {"fd00::/64", "fd00::1", "fd00::2", "fd00::/16"};
static const char *const protos[] = {"udp", "tcp", "sctp"};
static const uint16_t vlans[] = {5, 6, 0x805};

void random_match(char *text, size_t size)
{
	const char *const *net = roll(2) ? net4 : net6;
	char term[64];

	*text = 0;
#define ADD(...)                                              \
	do {                                                  \
		snprintf(term, sizeof(term), __VA_ARGS__);    \
		strncat(text, term, size - strlen(text) - 1); \
	} while (0)
	if (!roll(4))
		ADD("dmac 02:00:00:00:00:%02x ", 1 + roll(3));
	if (!roll(4))
		ADD("vlan %u ", vlans[roll(3)]);
	if (!roll(8)) {
		ADD("ethertype 0x88%02x", 0xb5 + roll(2));
		return;
	}
	ADD("ethertype %s ", net == net4 ? "ipv4" : "ipv6");
	if (roll(2))
		ADD("dst %s ", net[roll(4)]);
	if (!roll(3))
		ADD("src %s ", net[roll(4)]);
	if (!roll(3))
		return;
	ADD("%s ", protos[roll(3)]);
	if (roll(2))
		ADD("dport %u ", 7 + roll(3));
	if (!roll(3))
		ADD("sport %u ", 7 + roll(3));
}

/* ---- frames ---- */

static void put(struct bytes *f, const void *data, uint32_t n)
{
	memcpy(f->b + f->n, data, n);
	f->n += n;
}

static void put8(struct bytes *f, uint32_t v)
{
	f->b[f->n++] = (uint8_t)v;
}

static void put16(struct bytes *f, uint32_t v)
{
	put8(f, v >> 8);
	put8(f, v);
}

static uint8_t random_proto(void)
{
	static const uint8_t some[] = {17, 17, 17, 6, 6, 132, 58, 1, 50, 59};

	return some[roll(sizeof(some))];
}

static void put_l4(struct bytes *f)
{
	uint32_t n = roll(8) ? 24 : roll(24);

	if (roll(8))
		put16(f, 7 + roll(3));
	else
		put16(f, roll(65536)); /* ICMPv6 types among them */
	put16(f, 7 + roll(3));
	for (uint32_t i = 4; i < n; i++)
		put8(f, roll(256));
}

static void put_ipv4(struct bytes *f)
{
	uint32_t start = f->n, ihl = roll(6) ? 5 : roll(16);
	const uint8_t from[4] = {10, 0, (uint8_t)(roll(8) == 0), (uint8_t)roll(4)};
	const uint8_t to[4] = {10, (uint8_t)(roll(8) == 0), 0, (uint8_t)roll(4)};

	put8(f, (roll(16) ? 0x40 : roll(256)) | ihl);
	put8(f, 0);
	put16(f, 0);
	put16(f, 1);
	put16(f, roll(4) ? 0x4000 : roll(2) ? roll(65536) : roll(4) << 13 | roll(2));
	put8(f, 64);
	put8(f, random_proto());
	put16(f, 0);
	put(f, from, 4);
	put(f, to, 4);
	for (uint32_t i = 5; i < ihl; i++)
		put(f, "\1\1\1\1", 4);
	put_l4(f);
	if (roll(16)) {
		uint32_t total = f->n - start - (roll(4) ? 0 : roll(6));

		f->b[start + 2] = (uint8_t)(total >> 8);
		f->b[start + 3] = (uint8_t)total;
	}
}

static uint8_t put_extensions(struct bytes *f)
{
	static const uint8_t kinds[] = {0, 43, 60, 51, 44};
	uint32_t n = roll(3) ? 0 : roll(8);
	uint8_t first = 0, last = random_proto();
	uint32_t link = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t kind = kinds[roll(sizeof(kinds))];
		uint32_t units = kind == 44 ? 0 : roll(3);

		if (i)
			f->b[link] = kind;
		else
			first = kind;
		link = f->n;
		put8(f, last);
		put8(f, roll(12) ? units : roll(256));
		for (uint32_t k = 2; k < (kind == 51 ? (units + 2) * 4 : (units + 1) * 8); k++)
			put8(f, 0);
	}
	return n ? first : last;
}

static void put_ipv6(struct bytes *f)
{
	uint8_t addr[16] = {0xfd, 0, 0};
	uint32_t start = f->n, length;

	put(f, roll(16) ? "\x60\0\0\0" : "\x50\0\0\0", 4);
	put(f, "\0\0\0\100", 4);
	for (int i = 0; i < 2; i++) {
		addr[2] = roll(8) == 0;
		addr[15] = (uint8_t)roll(4);
		put(f, addr, 16);
	}
	f->b[start + 6] = put_extensions(f);
	put_l4(f);
	length = f->n - start - 40 - (roll(4) ? 0 : roll(6));
	if (!roll(16))
		length = roll(65536);
	f->b[start + 4] = (uint8_t)(length >> 8);
	f->b[start + 5] = (uint8_t)length;
}

void random_frame(struct bytes *f)
{
	uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)(1 + roll(3))};
	uint32_t kind = roll(10);

	f->n = 0;
	if (!roll(20))
		mac[0] = 0xff;
	put(f, mac, 6);
	put(f, "\2\0\0\0\0\11", 6);
	for (uint32_t tags = roll(3) ? 0 : 1 + (roll(6) == 0); tags; tags--) {
		put16(f, roll(4) ? 0x8100 : 0x88a8);
		put16(f, roll(16) << 12 | (roll(3) ? vlans[roll(3)] : 0));
	}
	if (kind < 5) {
		put16(f, 0x0800);
		put_ipv4(f);
	} else if (kind < 9) {
		put16(f, 0x86dd);
		put_ipv6(f);
	} else {
		put16(f, roll(2) ? 0x0806 : 0x88b5 + roll(2));
		put_l4(f);
	}
	if (!roll(6))
		f->n = 14 + roll(f->n - 13);
	else if (!roll(4))
		put(f, "padding behind the packet", 18);
}
