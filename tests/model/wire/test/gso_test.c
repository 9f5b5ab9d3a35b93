/* SPDX-License-Identifier: BSD-2-Clause */
/* gso.h: checksums completed, TCP and UDP cut over IPv4 and IPv6, what cannot be is refused. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gso.h"
#include "wire.h"

struct kind {
	bool v6, tcp, tag;
	uint8_t gso;
};

struct seen {
	struct kind kind;
	uint32_t l3, l4, payload, mss, total;
	uint32_t frames, bytes;
};

static uint16_t word(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* RFC 1071, one byte at a time, unlike the code under test. */
static uint32_t ones_sum(const uint8_t *p, uint32_t len, uint32_t sum)
{
	uint32_t i;

	for (i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* A packet with `total` payload bytes, as the kernel describes it. */
static uint32_t build(struct seen *s, uint8_t *p, struct virtio_net_hdr *h)
{
	uint32_t i, proto = s->kind.tcp ? 6 : 17, at = s->kind.tcp ? 16 : 6;
	uint8_t *ip, *l4;

	s->l3 = s->kind.tag ? 18 : 14;
	s->l4 = s->l3 + (s->kind.v6 ? 40 : 24); /* IPv4 with an option */
	s->payload = s->l4 + (s->kind.tcp ? 32 : 8);
	memset(p, 0x11, s->payload);
	if (s->kind.tag)
		put(p + 12, 0x8100);
	put(p + s->l3 - 2, s->kind.v6 ? 0x86dd : 0x0800);
	ip = p + s->l3;
	l4 = p + s->l4;
	ip[0] = s->kind.v6 ? 0x60 : 0x46;
	put(ip + 4, 0xffff); /* IPv4: identification, so that it wraps */
	put(l4 + 4, 0xffff);
	put(l4 + 6, 0xff00); /* TCP: sequence number, so that it wraps */
	l4[12] = 8 << 4;
	l4[13] = 0x99; /* CWR, ACK, PSH, FIN */
	for (i = 0; i < s->total; i++)
		p[s->payload + i] = (uint8_t)(i * 7);
	put(l4 + at, ones_sum(ip + (s->kind.v6 ? 8 : 12), s->kind.v6 ? 32 : 8,
			      proto + s->total + s->payload - s->l4));
	*h = (struct virtio_net_hdr) {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				      .gso_type = s->kind.gso,
				      .gso_size = (uint16_t)s->mss,
				      .csum_start = (uint16_t)s->l4,
				      .csum_offset = (uint16_t)at};
	return s->payload + s->total;
}

static void check_ip(const struct seen *s, const uint8_t *ip, uint32_t len)
{
	if (s->kind.v6) {
		assert_int_equal(word(ip + 4), len - 40);
		return;
	}
	assert_int_equal(word(ip + 2), len);
	assert_int_equal(word(ip + 4), (0xffff + s->frames) & 0xffff);
	assert_int_equal(ones_sum(ip, 24, 0), 0xffff);
}

static void check_frame(void *ctx, const uint8_t *f, uint32_t len)
{
	struct seen *s = ctx;
	const uint8_t *ip = f + s->l3, *l4 = f + s->l4;
	uint32_t n = len - s->payload, i, proto = s->kind.tcp ? 6 : 17;
	bool last = s->bytes + n == s->total;

	assert_int_equal(n, last ? (s->total - 1) % s->mss + 1 : s->mss);
	check_ip(s, ip, len - s->l3);
	assert_int_equal(ones_sum(l4, len - s->l4,
				  ones_sum(ip + (s->kind.v6 ? 8 : 12), s->kind.v6 ? 32 : 8,
					   proto + len - s->l4)),
			 0xffff);
	if (s->kind.tcp) {
		assert_int_equal(((uint32_t)word(l4 + 4) << 16 | word(l4 + 6)),
				 0xffffff00u + s->bytes);
		assert_int_equal(l4[13], 0x10 | (s->bytes ? 0 : 0x80) | (last ? 0x09 : 0));
	} else {
		assert_int_equal(word(l4 + 4), n + 8);
	}
	for (i = 0; i < n; i++)
		assert_int_equal(f[s->payload + i], (uint8_t)((s->bytes + i) * 7));
	s->bytes += n;
	s->frames++;
}

static void test_segments(void **state)
{
	static const struct kind kinds[] = {
		{false, true, false, VIRTIO_NET_HDR_GSO_TCPV4},
		{true, true, false, VIRTIO_NET_HDR_GSO_TCPV6},
		{false, true, true, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN},
		{false, false, false, 5},
		{true, false, true, 5},
	};
	static const uint32_t totals[] = {2000, 1448, 1449, 2896, 60001, 65001};
	uint8_t *p = malloc(70000);
	struct virtio_net_hdr h;
	size_t k, t;

	(void)state;
	for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (t = 0; t < sizeof(totals) / sizeof(totals[0]); t++) {
			struct seen s = {.kind = kinds[k], .mss = 1448, .total = totals[t]};
			uint32_t len = build(&s, p, &h);

			assert_int_equal(cx_gso_finish(&h, p, len, check_frame, &s), 0);
			assert_int_equal(s.bytes, s.total);
			assert_int_equal(s.frames, (s.total + s.mss - 1) / s.mss);
		}
	}
	free(p);
}

static void count(void *ctx, const uint8_t *f, uint32_t len)
{
	(void)f;
	(void)len;
	++*(int *)ctx;
}

static void keep(void *ctx, const uint8_t *f, uint32_t len)
{
	memcpy(ctx, f, len);
}

/* A UDP sum of zero is sent as ones (RFC 768). */
static void test_checksum_alone(void **state)
{
	struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
	uint8_t p[60] = {0}, out[60];

	(void)state;
	put(p + 50, 0x1234);
	assert_int_equal(cx_gso_finish(&h, p, sizeof(p), keep, out), 0);
	assert_int_equal(word(out + 40), 0xffff - 0x1234);
	memset(p, 0, sizeof(p));
	put(p + 50, 0xffff);
	assert_int_equal(cx_gso_finish(&h, p, sizeof(p), keep, out), 0);
	assert_int_equal(word(out + 40), 0xffff);
}

static void test_refusals(void **state)
{
	static const struct virtio_net_hdr bad[] = {
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 2000},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 1490, .csum_offset = 9},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 14, .csum_offset = 0xffff},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 100},
		{.flags = 1, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0, .csum_start = 34},
		{.flags = 1, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 9, .csum_start = 20},
		{.flags = 1,
		 .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		 .gso_size = 9,
		 .csum_start = 1499},
		{.flags = 1, .gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 100, .csum_start = 34},
		{.flags = 1, .gso_type = 0x7f, .gso_size = 100, .csum_start = 34},
	};
	uint8_t p[1500];
	size_t i;
	int n = 0;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(p, 0, sizeof(p));
		put(p + 12, 0x0800);
		p[14] = 0x45;
		assert_true(cx_gso_finish(&bad[i], p, sizeof(p), count, &n) < 0);
	}
	assert_int_equal(n, 0);
}

static void test_too_long(void **state)
{
	struct seen s = {.kind = {false, true, false, VIRTIO_NET_HDR_GSO_TCPV4},
			 .mss = CX_FRAME_MAX,
			 .total = 40000};
	struct virtio_net_hdr h, none = {0};
	uint8_t *p = malloc(70000);
	uint32_t len = build(&s, p, &h);
	int n = 0;

	(void)state;
	assert_int_equal(cx_gso_finish(&h, p, len, count, &n), -EMSGSIZE);
	assert_int_equal(cx_gso_finish(&none, p, CX_FRAME_MAX + 1, count, &n), -EMSGSIZE);
	assert_int_equal(n, 0);
	assert_int_equal(cx_gso_finish(&none, p, CX_FRAME_MAX, count, &n), 0);
	assert_int_equal(n, 1);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_checksum_alone),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
