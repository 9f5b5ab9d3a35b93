/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP segmentation: the headers of the WQE, repeated before every mss bytes of payload, with
 * lengths, IPv4 id, sequence number and flags put right, and both checksums computed.
 */
#include <netinet/in.h>

#include "frame.h"
#include "referee.h"
#include "tx.h"

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

static uint8_t seg_buf[CX_MAX_FRAME];

/* Where the headers are; they alone are no valid packet, since the IP length covers the payload. */
struct heads {
	uint32_t l3, l4, len;
	bool ip4;
	uint16_t id;
	uint32_t seq;
	uint8_t flags;
};

static bool find_heads(struct heads *h, const uint8_t *p, uint32_t len)
{
	uint32_t at = 12;
	uint16_t type;

	while (at + 2 <= len && (cx_get16(p + at) == 0x8100 || cx_get16(p + at) == 0x88a8))
		at += 4;
	if (at + 2 > len)
		return false;
	type = cx_get16(p + at);
	*h = (struct heads) {.l3 = at + 2, .len = len, .ip4 = type == 0x0800};
	if (h->ip4) {
		if (h->l3 + 20 > len || p[h->l3 + 9] != IPPROTO_TCP)
			return false;
		h->l4 = h->l3 + p[h->l3] % 16 * 4u;
		h->id = cx_get16(p + h->l3 + 4);
	} else {
		if (type != 0x86dd || h->l3 + 40 > len || p[h->l3 + 6] != IPPROTO_TCP)
			return false;
		h->l4 = h->l3 + 40;
	}
	if (h->l4 + 20 > len || h->l4 + (p[h->l4 + 12] >> 4) * 4u != len)
		return false;
	h->seq = cx_get32(p + h->l4 + 4);
	h->flags = p[h->l4 + 13];
	return true;
}

static void fix(const struct heads *h, uint32_t off, uint32_t n, uint32_t i, bool last)
{
	uint8_t *p = seg_buf;

	if (h->ip4) {
		cx_put16(p + h->l3 + 2, (uint16_t)(h->len - h->l3 + n));
		cx_put16(p + h->l3 + 4, (uint16_t)(h->id + i));
	} else {
		cx_put16(p + h->l3 + 4, (uint16_t)(h->len - h->l3 - 40 + n));
	}
	cx_put32(p + h->l4 + 4, h->seq + off);
	p[h->l4 + 13] = h->flags;
	if (!last)
		p[h->l4 + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (i)
		p[h->l4 + 13] &= (uint8_t)~TCP_CWR;
}

uint8_t cx_tso_send(struct cx_sq *sq, const struct cx_wqe *w, const uint8_t *head,
		    uint32_t head_len, const uint8_t *payload, uint32_t len)
{
	uint32_t mss = cx_get16(w->b + 22), off, i = 0;
	struct heads h;

	if (!find_heads(&h, head, head_len) || head_len + mss > sizeof(seg_buf)) {
		cx_violation("tso.header", w->b, w->len,
			     "SQ 0x%x: WQE %u: the inline header of %u bytes is not exactly "
			     "Ethernet, IP and TCP",
			     sq->sqn, w->index, head_len);
		return MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR;
	}
	for (off = 0; off < len; off += mss, i++) {
		uint32_t n = len - off < mss ? len - off : mss;

		memcpy(seg_buf, head, head_len);
		memcpy(seg_buf + head_len, payload + off, n);
		fix(&h, off, n, i, off + n == len);
		cx_frame_csum(seg_buf, head_len + n, true, true);
		cx_dev_transmit(sq, w, seg_buf, head_len + n);
	}
	return 0;
}
