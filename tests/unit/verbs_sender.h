/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For a test of the verbs backend's transmit: a device that takes requests, as a list or by calls
 * for each, and remembers them. It says of completions what the test tells it.
 */
#ifndef VERBS_SENDER_H
#define VERBS_SENDER_H

#include <errno.h>
#include <infiniband/verbs.h>
#include <string.h>

#include "rawnet/ring.h"

#define RING 64u

static struct ibv_context device;
static struct ibv_qp qp = {.context = &device};
static struct request { /* as the device got it */
	uint64_t id;
	unsigned flags;
	bool cut; /* into segments, each with a header */
	uint16_t header, mss;
	size_t n;
	struct ibv_sge piece[RAWNET_TX_SEGS + 1];
} got[RING * 2];
static uint32_t n_got;
static uint32_t takes; /* requests that the device takes before it refuses */
static uint64_t sent_frames, sent_bytes;
static uint64_t last_id; /* of the last request */
static struct done { /* what the device says next */
	uint64_t id;
	enum ibv_wc_status status;
} done[4];
static unsigned n_done, n_read;

/* What a device makes of a request: frames, and bytes with their headers. */
static void transmit(const struct request *r)
{
	uint64_t payload = 0, n = 1;

	for (size_t i = 0; i < r->n; i++)
		payload += r->piece[i].length;
	if (r->cut)
		n = (payload + r->mss - 1) / r->mss;
	sent_frames += n;
	sent_bytes += payload + (r->cut ? n * r->header : 0);
	last_id = r->id;
}

static int post_send(struct ibv_qp *to, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
	(void)to;
	for (; wr; wr = wr->next) {
		struct request *r = &got[n_got];

		*bad = wr;
		if (n_got == takes)
			return ENOMEM;
		*r = (struct request) {.id = wr->wr_id,
				       .flags = wr->send_flags,
				       .cut = wr->opcode == IBV_WR_TSO,
				       .header = wr->tso.hdr_sz,
				       .mss = wr->tso.mss,
				       .n = (size_t)wr->num_sge};
		memcpy(r->piece, wr->sg_list, r->n * sizeof(r->piece[0]));
		transmit(r);
		n_got++;
	}
	return 0;
}

/* ---- the same by calls; what was called for leaves with the last ---- */

static uint32_t begun; /* n_got at the start */
static bool open_request;

static void call_start(struct ibv_qp_ex *to)
{
	(void)to;
	begun = n_got;
	open_request = false;
}

static void call_request(struct ibv_qp_ex *to, bool cut, uint16_t header, uint16_t mss)
{
	assert_false(open_request);
	open_request = true;
	got[n_got] = (struct request) {
		.id = to->wr_id, .flags = to->wr_flags, .cut = cut, .header = header, .mss = mss};
}

static void call_send(struct ibv_qp_ex *to)
{
	call_request(to, false, 0, 0);
}

static void call_tso(struct ibv_qp_ex *to, void *hdr, uint16_t hdr_sz, uint16_t mss)
{
	(void)hdr;
	call_request(to, true, hdr_sz, mss);
}

static void call_pieces(struct ibv_qp_ex *to, size_t n, const struct ibv_sge *list)
{
	(void)to;
	assert_true(open_request && n && n <= RAWNET_TX_SEGS + 1);
	open_request = false;
	got[n_got].n = n;
	memcpy(got[n_got].piece, list, n * sizeof(*list));
	n_got++;
}

static void call_piece(struct ibv_qp_ex *to, uint32_t lkey, uint64_t addr, uint32_t length)
{
	call_pieces(to, 1, &(struct ibv_sge) {addr, length, lkey});
}

static int call_complete(struct ibv_qp_ex *to)
{
	(void)to;
	assert_false(open_request);
	if (n_got > takes) {
		n_got = begun;
		return ENOMEM;
	}
	for (uint32_t i = begun; i < n_got; i++)
		transmit(&got[i]);
	return 0;
}

/* ---- completions ---- */

static int look_at_next(struct ibv_cq_ex *of)
{
	if (n_read == n_done)
		return ENOENT;
	of->wr_id = done[n_read].id;
	of->status = done[n_read++].status;
	return 0;
}

static int start_poll(struct ibv_cq_ex *of, struct ibv_poll_cq_attr *attr)
{
	(void)attr;
	return look_at_next(of);
}

static void end_poll(struct ibv_cq_ex *of)
{
	(void)of;
	if (n_read == n_done)
		n_read = n_done = 0;
}

static struct ibv_cq_ex cq = {
	.start_poll = start_poll, .next_poll = look_at_next, .end_poll = end_poll};

static void completes(uint64_t id, enum ibv_wc_status status)
{
	done[n_done++] = (struct done) {id, status};
}

static struct ibv_qp_ex calls = {.wr_start = call_start,
				 .wr_send = call_send,
				 .wr_send_tso = call_tso,
				 .wr_set_sge = call_piece,
				 .wr_set_sge_list = call_pieces,
				 .wr_complete = call_complete};

static inline void sender(void)
{
	device.ops = (struct ibv_context_ops) {.post_send = post_send};
	n_done = n_read = 0;
	n_got = 0;
	takes = UINT32_MAX;
	sent_frames = sent_bytes = 0;
}

#endif
