/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames: two bytes of tag (0xffff: none came as metadata), then the frame. Every place that the
 * parser reports lies in the frame, and what stands behind the IP packet changes nothing.
 */
#include <string.h>
#include <arpa/inet.h>

#include "fuzz.h"
#include "head.h"
#include "key.h"

static void check(const struct rn_key *key, const struct rn_headers *h, uint32_t len)
{
	must(h->l3 + (h->l3 ? 20u : 0u) <= len && h->l4 <= len);
	must(!h->l4 || (h->l3 && h->l4 >= h->l3 + 20 && !h->fragment));
	must(!key->l4 || (h->l4 && h->l4 + 8u <= len));
	must(key->l4 || (!key->sport && !key->dport));
	must(!key->l4 || key->proto == 6 || key->proto == 17 || key->proto == 132);
	must(ntohs(key->vlan) < 4096 && !key->zero);
	must(h->tagged == 0 || h->tagged == 4);
	must(h->l3 == 0 || h->l3 == 14 + h->tagged);
}

/* A frame that agrees with the head of another has its key, its places and its flags. */
static void compare_heads(const uint8_t *frame, uint8_t *other, uint32_t size, int tci,
			  const struct rn_key *key, const struct rn_headers *h)
{
	struct rn_headers other_h;
	struct rn_key other_key, all;
	struct rn_head head;

	memset(&all, 0xff, sizeof(all));
	if (!rn_head_make(&head, frame, size, h, key, &all))
		return;
	must(rn_head_agrees_frame(&head, frame, size));
	for (uint32_t i = 0; i < size && i < RN_HEAD_SPAN + 8; i++) {
		uint8_t was = other[i];

		other[i] ^= (uint8_t)(1u << (frame[(i + size / 2) % size] & 7));
		rn_key_parse(other, size, tci, &other_key, &other_h);
		must(!rn_head_agrees_frame(&head, other, size) ||
		     (rn_key_equal(key, &other_key) && !memcmp(h, &other_h, sizeof(*h))));
		other[i] = was;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rn_headers h, padded_h;
	struct rn_key key, padded_key;
	uint8_t *padded;
	uint16_t tag;
	int tci;

	if (size < 2 || size > 65535)
		return 0;
	memcpy(&tag, data, 2);
	tci = tag == 0xffff ? -1 : tag;
	data += 2;
	size -= 2;
	rn_key_parse(data, (uint32_t)size, tci, &key, &h);
	check(&key, &h, (uint32_t)size);
	if (rn_key_hash(&key) && !key.ethertype)
		abort();
	if (!h.l3)
		return 0;
	padded = malloc(size + 32);
	must(padded);
	memcpy(padded, data, size);
	memset(padded + size, 0x55, 32);
	rn_key_parse(padded, (uint32_t)size + 32, tci, &padded_key, &padded_h);
	must(!memcmp(&key, &padded_key, sizeof(key)) && !memcmp(&h, &padded_h, sizeof(h)));
	compare_heads(data, padded, (uint32_t)size, tci, &key, &h);
	free(padded);
	return 0;
}
