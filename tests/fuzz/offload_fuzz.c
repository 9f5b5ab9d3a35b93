/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offloads as a client asks for them: flags, three header lengths, segment size, then the frame.
 * Only what the check lets through is done; the frame's headers in front of the checksum stay, and
 * segments together are as long as the packet.
 */
#include <string.h>

#include "fuzz.h"
#include "tx.h"

static void segments(const uint8_t *frame, uint32_t len, const struct rawnet_slot *s)
{
	uint32_t header = (uint32_t)s->u.tx.l2_len + s->u.tx.l3_len + s->u.tx.l4_len;
	unsigned n = rn_offload_segments(frame, len, s);
	uint32_t total = 0;
	uint8_t *out;

	if (!n)
		return;
	must(header <= len);
	out = malloc(header + s->u.tx.tso_mss);
	must(out);
	for (unsigned k = 0; k < n; k++) {
		uint32_t l = rn_offload_segment(frame, len, s, k, out);

		must(l >= header && l <= header + s->u.tx.tso_mss);
		must(!memcmp(out + header, frame + header + total, l - header));
		total += l - header;
	}
	must(total == len - header);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rawnet_slot s = {0};
	uint8_t *frame;
	uint32_t len;

	if (size < 6 || size > 65535)
		return 0;
	s.flags = data[0] & RAWNET_TX_KNOWN;
	s.u.tx.l2_len = data[1];
	s.u.tx.l3_len = data[2];
	s.u.tx.l4_len = data[3];
	s.u.tx.tso_mss = (uint16_t)(data[4] << 8 | data[5]);
	len = (uint32_t)size - 6;
	frame = malloc(len + 4);
	must(frame);
	memcpy(frame, data + 6, len);
	if (rn_offload_check(frame, len, &s)) {
		if (s.flags & RAWNET_TX_TSO) {
			segments(frame, len, &s);
		} else {
			rn_offload_csum(frame, len, &s);
			must(rn_offload_check(frame, len, &s));
			if (s.flags & RAWNET_TX_L4_CSUM)
				must(!rn_offload_complete(frame, len));
		}
	}
	memcpy(frame, data + 6, len);
	if (rn_offload_complete(frame, len))
		must(!rn_offload_complete(frame, len));
	if (len >= 14)
		must(rn_offload_vlan(frame, len, 7) == len + 4);
	free(frame);
	return 0;
}
