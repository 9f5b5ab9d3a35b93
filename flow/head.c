/* SPDX-License-Identifier: BSD-2-Clause */
/* See head.h. Each byte that key.c looks at of a plain frame is in the mask or in the bounds of the
 * length; what the mask leaves out is a field of the key and nothing else. */
#include "head.h"

#include <arpa/inet.h>

#include "wire.h"

static void of_ports(struct rn_head *h, const struct rn_key *key, const struct rn_key *mask,
		     uint32_t l4)
{
	uint8_t proto = key->proto;

	h->least = l4;
	h->need = l4;
	if (proto != PROTO_TCP && proto != PROTO_UDP && proto != PROTO_SCTP)
		return;
	h->least += proto == PROTO_TCP ? 20 : proto == PROTO_UDP ? 8 : 12;
	h->need += 4;
	memcpy(h->mask + l4, &mask->sport, 2);
	memcpy(h->mask + l4 + 2, &mask->dport, 2);
}

static bool of_ip(struct rn_head *h, const struct rn_headers *headers, const struct rn_key *key,
		  const struct rn_key *mask, bool v4)
{
	uint32_t size = v4 ? 4 : 16;
	uint8_t *m = h->mask + headers->l3, *src = m + (v4 ? 12 : 8);

	if (!headers->l4 || headers->l4 != headers->l3 + (v4 ? IP4_HEADER : IP6_HEADER))
		return false;
	if (!v4 && key->proto == PROTO_ICMP6)
		return false;
	if (v4) {
		m[0] = 0xff; /* version, header length */
		m[6] = 0x3f; /* more fragments, offset */
		m[7] = 0xff;
		m[9] = 0xff; /* protocol */
	} else {
		m[0] = 0xf0; /* version */
		m[6] = 0xff; /* next header */
	}
	memcpy(src, mask->src, size);
	memcpy(src + size, mask->dst, size);
	h->length_at = (uint8_t)(headers->l3 + (v4 ? 2 : 4));
	h->length_mask = 0xffff;
	h->base = headers->l3 + (v4 ? 0 : IP6_HEADER);
	of_ports(h, key, mask, headers->l4);
	return h->need <= RN_HEAD_SPAN;
}

/* MACs, the frame's own tag, ethertype. A mask of MACs never lets one address stand for a group. */
static void of_ethernet(struct rn_head *h, const struct rn_headers *headers,
			const struct rn_key *mask)
{
	memcpy(h->mask, mask->dmac, 6);
	memcpy(h->mask + 6, mask->smac, 6);
	h->mask[0] |= 1;
	h->mask[6] |= 1;
	memset(h->mask + 12, 0xff, 2u + headers->tagged);
	if (headers->tagged)
		h->mask[14] = 0x0f; /* priority is free */
	h->need = h->base = h->least = ETH_HEADER + headers->tagged;
}

bool rn_head_make(struct rn_head *h, const uint8_t *frame, uint32_t len,
		  const struct rn_headers *headers, const struct rn_key *key,
		  const struct rn_key *mask)
{
	const uint16_t type = ntohs(key->ethertype);
	uint8_t span[RN_HEAD_SPAN] = {0};

	memset(h, 0, sizeof(*h));
	if (!headers->tagged && (type == TYPE_TAG || type == TYPE_STAG))
		return false; /* the tag is cut off: a longer frame has it */
	of_ethernet(h, headers, mask);
	if ((type == TYPE_IP4 || type == TYPE_IP6) &&
	    !of_ip(h, headers, key, mask, type == TYPE_IP4))
		return false;
	if (len < h->need)
		return false;
	memcpy(span, frame, len < RN_HEAD_SPAN ? len : RN_HEAD_SPAN);
	for (uint32_t i = 0; i < RN_HEAD_SPAN; i++)
		h->value[i] = span[i] & h->mask[i];
	return true;
}
