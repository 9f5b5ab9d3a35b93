/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gso.h: contract. Segmentation follows what a NIC does: headers are repeated, lengths, the IPv4
 * identification, the TCP sequence number and the checksums are set for each frame; FIN and PSH
 * stand in the last one only, CWR in the first.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "gso.h"
#include "wire.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* linux/virtio_net.h since 6.2 */
#endif

/* A packet to cut: offsets within it. */
struct cut {
	const uint8_t *packet;
	uint32_t len;
	uint32_t l3, l4, payload;
	uint32_t mss;
	bool v6, tcp;
};

static uint32_t sum16(const uint8_t *p, uint32_t len, uint32_t sum)
{
	uint64_t s = sum;

	for (; len > 1; len -= 2, p += 2)
		s += (uint32_t)(p[0] << 8 | p[1]);
	if (len)
		s += (uint32_t)p[0] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint32_t)s;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The field at `at` holds the pseudo header's sum already (virtio_net_hdr.csum_start). */
static int finish_checksum(uint8_t *packet, uint32_t len, uint32_t start, uint32_t offset)
{
	uint32_t sum;

	if (start > len || offset > len - start || len - start - offset < 2)
		return -EINVAL;
	sum = ~sum16(packet + start, len - start, 0) & 0xffff;
	put16(packet + start + offset, sum ? sum : 0xffff);
	return 0;
}

/* Where the layers begin; csum_start is the transport header. */
static int parse(struct cut *c, const struct virtio_net_hdr *h)
{
	uint32_t type, off = 12;

	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || !h->gso_size || c->len < 64)
		return -EINVAL;
	for (type = 0x8100; type == 0x8100 || type == 0x88a8; off += 4) {
		if (off + 2 > c->len)
			return -EINVAL;
		type = (uint32_t)(c->packet[off] << 8 | c->packet[off + 1]);
	}
	c->l3 = off - 2;
	c->l4 = h->csum_start;
	c->mss = h->gso_size;
	c->v6 = type == 0x86dd;
	if ((!c->v6 && type != 0x0800) || c->l4 > c->len ||
	    c->l4 < c->l3 + (c->v6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr)) ||
	    c->len - c->l4 < sizeof(struct tcphdr))
		return -EINVAL;
	if (!c->v6 && c->l4 != c->l3 + (uint32_t)(c->packet[c->l3] & 15) * 4)
		return -EINVAL;
	c->payload = c->l4 + (c->tcp ? (uint32_t)(c->packet[c->l4 + 12] >> 4) * 4 : 8);
	return c->payload >= c->len || c->payload < c->l4 + 8 ? -EINVAL : 0;
}

static void set_ip(const struct cut *c, uint8_t *frame, uint32_t len, uint32_t index)
{
	uint8_t *ip = frame + c->l3;

	if (c->v6) {
		put16(ip + 4, len - c->l3 - (uint32_t)sizeof(struct ip6_hdr));
		return;
	}
	put16(ip + 2, len - c->l3);
	put16(ip + 4, (uint32_t)(ip[4] << 8 | ip[5]) + index);
	put16(ip + 10, 0);
	put16(ip + 10, ~sum16(ip, (uint32_t)(ip[0] & 15) * 4, 0));
}

static void set_tcp(uint8_t *tcp, uint32_t done, bool last)
{
	uint32_t seq;

	memcpy(&seq, tcp + 4, sizeof(seq));
	seq = htonl(ntohl(seq) + done);
	memcpy(tcp + 4, &seq, sizeof(seq));
	if (done)
		tcp[13] &= (uint8_t)~0x80;
	if (!last)
		tcp[13] &= (uint8_t)~0x09;
}

static void set_l4(const struct cut *c, uint8_t *frame, uint32_t len, uint32_t done, bool last)
{
	uint8_t *l4 = frame + c->l4, *addr = frame + c->l3 + (c->v6 ? 8 : 12);
	uint32_t at = c->tcp ? 16 : 6, l4_len = len - c->l4;
	uint32_t pseudo =
		sum16(addr, c->v6 ? 32 : 8, (c->tcp ? IPPROTO_TCP : IPPROTO_UDP) + l4_len);

	if (c->tcp)
		set_tcp(l4, done, last);
	else
		put16(l4 + 4, l4_len);
	put16(l4 + at, pseudo);
	finish_checksum(frame, len, c->l4, at);
}

static int segment(const struct cut *c, cx_frame_fn emit, void *ctx)
{
	uint8_t frame[CX_FRAME_MAX];
	uint32_t total = c->len - c->payload, done, index = 0;

	if (c->payload + c->mss > sizeof(frame))
		return -EMSGSIZE;
	for (done = 0; done < total; done += c->mss, index++) {
		uint32_t n = total - done < c->mss ? total - done : c->mss;

		memcpy(frame, c->packet, c->payload);
		memcpy(frame + c->payload, c->packet + c->payload + done, n);
		set_ip(c, frame, c->payload + n, index);
		set_l4(c, frame, c->payload + n, done, done + n == total);
		emit(ctx, frame, c->payload + n);
	}
	return 0;
}

int cx_gso_finish(const struct virtio_net_hdr *h, uint8_t *packet, uint32_t len, cx_frame_fn emit,
		  void *ctx)
{
	struct cut c = {.packet = packet, .len = len};
	uint32_t type = h->gso_type & ~(uint32_t)VIRTIO_NET_HDR_GSO_ECN;
	int code = 0;

	if (type == VIRTIO_NET_HDR_GSO_NONE) {
		if (len > CX_FRAME_MAX)
			return -EMSGSIZE;
		if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
			code = finish_checksum(packet, len, h->csum_start, h->csum_offset);
		if (code == 0)
			emit(ctx, packet, len);
		return code;
	}
	c.tcp = type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6;
	if (!c.tcp && type != VIRTIO_NET_HDR_GSO_UDP_L4)
		return -EOPNOTSUPP;
	code = parse(&c, h);
	return code ? code : segment(&c, emit, ctx);
}
