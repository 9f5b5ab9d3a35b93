/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client may ask for with a packet, done in software: checksums, VLAN tag; and the
 * completion of checksums that a local sender left unfinished. The contract stands in tx.h. Every
 * header length of a slot is compared with the frame's own headers first, and nothing is read or
 * written outside the frame. Offloads are refused (as a malformed slot) for fragments and for IPv6
 * packets with routing still to be done, whose checksums do not follow from the frame alone.
 */
#include "tx.h"

#include <string.h>

#include "offload.h"
#include "wire.h"

#define MACS_LEN 12u
#define TCP_MIN	 20u
#define UDP_LEN	 8u

static bool l4_check(const uint8_t *frame, uint32_t have, const struct rn_ip_layout *ip,
		     const struct rawnet_slot *first)
{
	const uint8_t *l4 = frame + ip->l4;
	uint32_t room = ip->end - ip->l4;

	if (!ip->plain || ip->l4 > have ||
	    have - ip->l4 < (ip->proto == RN_PROTO_UDP ? UDP_LEN : TCP_MIN))
		return false;
	if (ip->proto == RN_PROTO_UDP && !(first->flags & RAWNET_TX_TSO))
		return room >= UDP_LEN && (uint32_t)(l4[4] << 8 | l4[5]) == room;
	if (ip->proto != RN_PROTO_TCP || room < TCP_MIN)
		return false;
	if (!(first->flags & RAWNET_TX_TSO))
		return true;
	return first->u.tx.tso_mss >= RAWNET_TX_MSS_MIN && first->u.tx.l4_len >= TCP_MIN &&
	       first->u.tx.l4_len == (l4[12] >> 4) * 4 && first->u.tx.l4_len <= room;
}

bool rn_offload_check(const uint8_t *frame, uint32_t len, const struct rawnet_slot *first)
{
	return rn_offload_check_head(frame, len, len, first);
}

bool rn_offload_check_head(const uint8_t *frame, uint32_t have, uint32_t len,
			   const struct rawnet_slot *first)
{
	bool tso = first->flags & RAWNET_TX_TSO;
	struct rn_ip_layout ip;

	if (!(first->flags & (RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM | RAWNET_TX_TSO)))
		return true;
	if (!rn_ip_layout_head(frame, have, len, tso, &ip))
		return false;
	if (first->u.tx.l2_len != ip.l3 || first->u.tx.l3_len != ip.l4 - ip.l3)
		return false;
	if ((first->flags & RAWNET_TX_IP_CSUM) && ip.version != 4)
		return false;
	return !(first->flags & (RAWNET_TX_L4_CSUM | RAWNET_TX_TSO)) ||
	       l4_check(frame, have, &ip, first);
}

unsigned rn_offload_csum(uint8_t *frame, uint32_t len, const struct rawnet_slot *first)
{
	struct rn_ip_layout ip;
	unsigned n = 0;

	if (!(first->flags & (RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM)) ||
	    !rn_ip_layout(frame, len, false, &ip))
		return 0;
	if (first->flags & RAWNET_TX_IP_CSUM) {
		rn_csum_ip4(frame + ip.l3, ip.l4 - ip.l3);
		n++;
	}
	if (first->flags & RAWNET_TX_L4_CSUM) {
		rn_csum_l4(frame, &ip);
		n++;
	}
	return n;
}

uint32_t rn_offload_vlan(uint8_t *frame, uint32_t len, uint16_t tci)
{
	const uint8_t tag[TAG_LEN] = {0x81, 0x00, (uint8_t)(tci >> 8), (uint8_t)tci};

	memmove(frame + MACS_LEN + TAG_LEN, frame + MACS_LEN, len - MACS_LEN);
	memcpy(frame + MACS_LEN, tag, TAG_LEN);
	return len + TAG_LEN;
}

/* Linux leaves the folded, uncomplemented sum of the pseudo-header in the field (CHECKSUM_PARTIAL,
 * include/linux/skbuff.h). A complete checksum has that value once in 65,536 times; computing it
 * again then gives what is there. */
bool rn_offload_complete(uint8_t *frame, uint32_t len)
{
	struct rn_ip_layout ip;
	uint32_t l4_len;
	uint16_t before, after;
	uint8_t *field;

	if (!rn_ip_layout(frame, len, false, &ip) || !ip.plain)
		return false;
	l4_len = ip.end - ip.l4;
	if (ip.proto == RN_PROTO_TCP && l4_len >= TCP_MIN)
		field = frame + ip.l4 + 16;
	else if (ip.proto == RN_PROTO_UDP && l4_len >= UDP_LEN)
		field = frame + ip.l4 + 6;
	else
		return false;
	memcpy(&before, field, 2);
	if (before != rn_csum_fold(rn_csum_pseudo(frame, &ip, l4_len)))
		return false;
	rn_csum_l4(frame, &ip);
	memcpy(&after, field, 2);
	return after != before;
}
