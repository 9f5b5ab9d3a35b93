/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP segmentation in software; the contract stands in tx.h. Each segment is made from the packet
 * alone, so that the caller may make them in any order and straight into the device's memory. The
 * length field of the packet's IP header is not looked at: the packet may be longer than it can
 * say.
 */
#include "tx.h"

#include <string.h>

#include "offload.h"

#define IP_MAX 65535u /* longest IPv4 packet, longest IPv6 payload */

enum {
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_CWR = 0x80
};

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

unsigned rn_offload_segments(const uint8_t *packet, uint32_t len, const struct rawnet_slot *first)
{
	return rn_offload_segments_head(packet, len, len, first);
}

unsigned rn_offload_segments_head(const uint8_t *packet, uint32_t have, uint32_t len,
				  const struct rawnet_slot *first)
{
	uint32_t l4, header, payload, mss = first->u.tx.tso_mss;

	if (!(first->flags & RAWNET_TX_TSO) || !rn_offload_check_head(packet, have, len, first))
		return 0;
	l4 = (uint32_t)first->u.tx.l3_len + first->u.tx.l4_len;
	header = first->u.tx.l2_len + l4;
	if (l4 + mss > IP_MAX)
		return 0;
	payload = len - header;
	return payload ? (payload + mss - 1) / mss : 1;
}

static void segment_tcp(uint8_t *tcp, uint32_t done, bool is_first, bool is_last)
{
	uint32_t seq =
		((uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 | tcp[7]) +
		done;

	put16(tcp + 4, seq >> 16);
	put16(tcp + 6, seq);
	if (!is_last)
		tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (!is_first)
		tcp[13] &= (uint8_t)~TCP_CWR; /* RFC 3168: once for one reduction */
}

uint32_t rn_offload_segment(const uint8_t *packet, uint32_t len, const struct rawnet_slot *first,
			    unsigned k, uint8_t *out)
{
	const uint32_t l2 = first->u.tx.l2_len, l3 = first->u.tx.l3_len;
	const uint32_t header = l2 + l3 + first->u.tx.l4_len, mss = first->u.tx.tso_mss;
	const uint32_t done = k * mss, left = len - header - done;
	const uint32_t size = left < mss ? left : mss;
	struct rn_ip_layout ip = {.l3 = l2,
				  .l4 = l2 + l3,
				  .end = header + size,
				  .version = packet[l2] >> 4,
				  .proto = RN_PROTO_TCP,
				  .plain = true};
	uint8_t *h = out + l2;

	memcpy(out, packet, header);
	memcpy(out + header, packet + header + done, size);
	if (ip.version == 4) {
		put16(h + 2, ip.end - l2);
		put16(h + 4, (uint32_t)(h[4] << 8 | h[5]) + k);
		rn_csum_ip4(h, l3);
	} else {
		put16(h + 4, ip.end - l2 - 40);
	}
	segment_tcp(out + ip.l4, done, !k, left <= mss);
	rn_csum_l4(out, &ip);
	return ip.end;
}
