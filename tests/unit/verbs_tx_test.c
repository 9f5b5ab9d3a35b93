/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transmit of the verbs backend, into a send queue of the test's own: each test with a provider
 * that takes lists of requests, and with one that is called for each.
 *
 * Promise: what goes out is paid of the client's rates, segments with all their headers and tags.
 * Seen to fail without its defence: sent_bytes() that is c->len: 2,108 bytes where 2,112 went out
 * (a tag).
 *
 * Promise: a completion of before the queue was mended gives nothing back. Seen to fail without its
 * defence (the epoch in wr_id): the slot of a request that is under way was the client's again.
 *
 * Promise: of a policed packet only bytes that were checked leave, and no packet that was not
 * checked. Seen to fail without its defence (a copy): its beginning left from the client's memory.
 *
 * Promise: what the device does not take is lost and counted, once. Seen to fail without its
 * defence (lose_from() in verbs_ring()): none where 2, or 3, were lost.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/verbs/verbs.h"
#include "poller.h"
#include "tx_bill.h"

#define RING 64u

static struct ibv_context device;
static struct ibv_qp qp = {.context = &device};
static struct ibv_cq cq = {.context = &device};
static struct ibv_mr region = {.lkey = 1}, copies_region = {.lkey = 2};
static struct rn_rdma_mem memory = {.packets = &region};
static struct verbs_sent fifo[RING];
static struct ibv_send_wr requests[RN_VERBS_BURST];
static struct ibv_sge pieces[RN_VERBS_BURST][RAWNET_TX_SEGS + 1];
static uint8_t heads[RING * RN_VERBS_ROOM], tso[RN_VERBS_BURST * RN_VERBS_TSO];
static struct verbs_queue v;
static struct rawnet_ring_ctl ctl;
static struct rawnet_slot slots[RING];
static uint64_t sent_frames, sent_bytes;
static struct ibv_qp_ex calls;
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
static int judged, why,
	sick; /* packets policed as a whole; what becomes of them; queues given up */
static struct ibv_wc done[4]; /* what the device says next */
static int n_done;
static uint64_t last_id; /* of the last request */

/* ---- the parts that others play ---- */

uint64_t rn_police_epoch;

int rn_police(struct rn_queue *queue, const uint8_t *frame, uint32_t len, int tci)
{
	(void)queue;
	(void)frame;
	(void)len;
	(void)tci;
	judged++;
	return why;
}

bool rn_police_by_hint(const struct rn_queue *queue, const uint8_t *head, uint32_t len, int tci)
{
	(void)queue;
	(void)head;
	(void)len;
	(void)tci;
	return true;
}

int rn_tx_judge(struct rn_queue *queue, const struct rn_chain *c)
{
	(void)queue;
	(void)c;
	return 0;
}

void rn_poller_touch(struct rn_poller *poller, struct rn_queue *queue)
{
	(void)poller;
	(void)queue;
}

void rn_queue_fault(struct rn_queue *queue, enum rawnet_reason reason)
{
	(void)queue;
	fail_msg("fault %u", reason);
}

void rn_queue_sick(struct rn_queue *queue)
{
	(void)queue;
	sick++;
}

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

static int poll_cq(struct ibv_cq *of, int n, struct ibv_wc *wc)
{
	const int have = n_done;

	(void)of;
	assert_true(have <= n);
	memcpy(wc, done, (size_t)have * sizeof(done[0]));
	n_done = 0;
	return have;
}

/* ---- helpers ---- */

static void completes(uint64_t id, enum ibv_wc_status status)
{
	done[n_done++] = (struct ibv_wc) {.wr_id = id, .status = status};
}

static int prepare_list(void **state)
{
	(void)state;
	tx_parts();
	device.ops = (struct ibv_context_ops) {.post_send = post_send, .poll_cq = poll_cq};
	memset(&ctl, 0, sizeof(ctl));
	q.tx = (struct rn_ring) {.ctl = &ctl, .slots = slots, .mask = RING - 1};
	q.limited = true;
	q.hw = &v;
	v = (struct verbs_queue) {.rdma = {.mem = &memory, .qp = &qp, .tx_cq = &cq},
				  .copies = &copies_region,
				  .memory = heads,
				  .mask = RING - 1,
				  .fifo = fifo,
				  .wr = requests,
				  .tso = tso,
				  .max_tso = 65535,
				  .csum = true};
	for (unsigned i = 0; i < RN_VERBS_BURST; i++) {
		requests[i].sg_list = pieces[i];
		requests[i].next = i + 1 < RN_VERBS_BURST ? &requests[i + 1] : NULL;
	}
	n_done = 0;
	tx_bill();
	sent_frames = sent_bytes = 0;
	n_got = 0;
	takes = UINT32_MAX;
	judged = why = sick = 0;
	return 0;
}

static int prepare_calls(void **state)
{
	prepare_list(state);
	calls = (struct ibv_qp_ex) {.wr_start = call_start,
				    .wr_send = call_send,
				    .wr_send_tso = call_tso,
				    .wr_set_sge = call_piece,
				    .wr_set_sge_list = call_pieces,
				    .wr_complete = call_complete};
	v.qp_ex = &calls;
	return 0;
}

/* No rates: plain packets go in runs. Policed: all are as the last one that was allowed. */
static void runs(bool police)
{
	q.limited = false;
	q.police = police;
	q.hint.vlan = -1;
}

static void post(const struct rn_chain *c)
{
	slots[ctl.client & (RING - 1)] = c->slot[0];
	ctl.client++;
}

/* ---- tests ---- */

static void what_goes_out_is_paid(void **state)
{
	static const uint16_t flags[] = {0, RAWNET_TX_VLAN, RAWNET_TX_TSO,
					 RAWNET_TX_TSO | RAWNET_TX_VLAN};

	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		struct rn_chain c = packet(i * 2048, 6, 1000, flags[i % 4]);

		q.police = i / 4;
		c.slot[0].u.tx.tso_mss = 48;
		c.slot[0].u.tx.vlan_tci = 5;
		post(&c);
		assert_int_equal(verbs_queue_tx(&q, 32), 1);
		assert_int_equal(paid_packets, sent_frames);
		assert_int_equal(paid_bytes, sent_bytes);
	}
	assert_int_equal(sent_frames, 4 + 4 * 21);
	assert_int_equal(count[RAWNET_Q_TX_PACKETS], sent_frames);
	assert_int_equal(count[RAWNET_Q_TX_BYTES], sent_bytes);
	assert_int_equal(copies, 0);
}

static void what_is_not_paid_stays(void **state)
{
	struct rn_chain c = packet(0, 6, 1000, RAWNET_TX_TSO);

	(void)state;
	poor = true;
	c.slot[0].u.tx.tso_mss = 48;
	post(&c);
	assert_int_equal(verbs_queue_tx(&q, 32), 1);
	assert_int_equal(count[RAWNET_Q_TX_DROP_RATE], 1);
	assert_int_equal(sent_frames, 0);
	assert_int_equal(q.tx.daemon, 1); /* the slot is the client's again */
}

/* Requests are numbered anew from the oldest that was lost, so numbers come again. */
static void what_is_of_before_the_queue_was_mended(void **state)
{
	struct rn_chain c = packet(0, 6, 1000, 0);
	uint64_t before[2], now;

	(void)state;
	for (int i = 0; i < 2; i++) {
		post(&c);
		assert_int_equal(verbs_queue_tx(&q, 32), 1);
		before[i] = last_id;
	}
	v.tx_state = RN_RDMA_MENDED;
	post(&c);
	assert_int_equal(verbs_queue_tx(&q, 32), 1);
	now = last_id;
	assert_int_equal(count[RAWNET_Q_TX_DROP_DEVICE], 2);
	assert_int_equal(q.tx.daemon, 2); /* the lost ones' are the client's, this one's is not */
	completes(before[0], IBV_WC_SUCCESS);
	completes(before[1], IBV_WC_WR_FLUSH_ERR);
	verbs_queue_tx(&q, 32);
	assert_int_equal(q.tx.daemon, 2);
	assert_int_equal(v.tx_state, RN_RDMA_WORKS); /* an old error is none of this queue's */
	assert_int_equal(count[RAWNET_Q_TX_ERRORS], 1);
	completes(now, IBV_WC_SUCCESS);
	verbs_queue_tx(&q, 32);
	assert_int_equal(q.tx.daemon, 3);
}

/* A packet without flags in slot i: its length. */
static uint32_t put(uint32_t i, uint32_t payload)
{
	struct rn_chain c = packet(i * 2048, 17, payload, 0);

	post(&c);
	return c.len;
}

static void is_copy(const struct ibv_sge *piece, uint32_t slot, uint32_t len)
{
	const uint8_t *data = (const uint8_t *)(uintptr_t)piece->addr;

	assert_int_equal(piece->length, len);
	assert_int_equal(piece->lkey, copies_region.lkey);
	assert_true(data >= heads && data + len <= heads + sizeof(heads));
	assert_memory_equal(data, mem + (size_t)slot * 2048, len);
}

static void is_own(const struct ibv_sge *piece, uint32_t slot, uint32_t from, uint32_t len)
{
	assert_int_equal(piece->length, len);
	assert_int_equal(piece->lkey, region.lkey);
	assert_ptr_equal((uintptr_t)piece->addr, mem + (size_t)slot * 2048 + from);
}

static void run_is_copied_as_far_as_it_is_checked(void **state)
{
	uint32_t len[4];

	(void)state;
	runs(true);
	len[0] = put(0, 18);
	len[1] = put(1, 70); /* of two lines */
	len[2] = put(2, 86); /* the longest that is copied whole */
	len[3] = put(3, 87);
	assert_int_equal(len[2], RN_VERBS_ROOM);
	assert_int_equal(verbs_queue_tx(&q, 32), 4);
	assert_int_equal(judged, 0);
	assert_int_equal(n_got, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(got[i].n, i < 3 ? 1 : 2);
		is_copy(&got[i].piece[0], i, i < 3 ? len[i] : RN_VERBS_HEAD);
		assert_int_equal(got[i].flags, i < 3 ? 0 : IBV_SEND_SIGNALED);
	}
	is_own(&got[3].piece[1], 3, RN_VERBS_HEAD, len[3] - RN_VERBS_HEAD);
	assert_int_equal(count[RAWNET_Q_TX_PACKETS], 4);
	assert_int_equal(count[RAWNET_Q_TX_BYTES], len[0] + len[1] + len[2] + len[3]);
	assert_int_equal(sent_bytes, len[0] + len[1] + len[2] + len[3]);
	assert_int_equal(q.tx.daemon, 0);
	completes(last_id, IBV_WC_SUCCESS);
	verbs_queue_tx(&q, 32);
	assert_int_equal(q.tx.daemon, 4);
}

static void run_that_nobody_looks_at_stays_where_it_is(void **state)
{
	uint32_t len[2];

	(void)state;
	runs(false);
	len[0] = put(0, 18);
	len[1] = put(1, 1000);
	assert_int_equal(verbs_queue_tx(&q, 32), 2);
	assert_int_equal(n_got, 2);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(got[i].n, 1);
		is_own(&got[i].piece[0], i, 0, len[i]);
	}
}

/* It does not agree with what was allowed last: judged whole, and only it. */
static void stranger_in_a_run_is_judged(void **state)
{
	(void)state;
	runs(true);
	q.hint.head.need = 100;
	for (uint32_t i = 0; i < 5; i++)
		put(i, i == 2 || i == 3 ? 18 : 70);
	assert_int_equal(verbs_queue_tx(&q, 32), 5);
	assert_int_equal(judged, 2);
	assert_int_equal(n_got, 5);
	for (uint32_t i = 0; i < 5; i++)
		is_copy(&got[i].piece[0], i, i == 2 || i == 3 ? 60 : 112);
	assert_int_equal(count[RAWNET_Q_TX_PACKETS], 5);
}

static void refused_in_a_run_does_not_leave(void **state)
{
	(void)state;
	runs(true);
	q.hint.head.need = 100;
	why = RAWNET_Q_TX_DROP_SPOOF;
	for (uint32_t i = 0; i < 3; i++)
		put(i, i == 1 ? 18 : 70);
	put(3, 18);
	assert_int_equal(verbs_queue_tx(&q, 32), 4);
	assert_int_equal(n_got, 2);
	is_copy(&got[1].piece[0], 2, 112);
	assert_int_equal(count[RAWNET_Q_TX_PACKETS], 2);
	assert_int_equal(count[RAWNET_Q_TX_DROP_SPOOF], 2);
	completes(last_id, IBV_WC_SUCCESS);
	verbs_queue_tx(&q, 32);
	assert_int_equal(q.tx.daemon, 4); /* that of the dropped one behind it, too */
}

static void packet_for_a_neighbour_is_not_the_runs(void **state)
{
	(void)state;
	runs(false);
	port.config.local_switching = true;
	port.n_attachments = 2;
	macs.own = 0x060504030202;
	for (uint32_t i = 0; i < 3; i++)
		put(i, 18);
	memcpy(mem, "\x02\x02\x03\x04\x05\x07", 6);
	memcpy(mem + 2048, "\x02\x02\x03\x04\x05\x06", 6);
	memcpy(mem + 4096, "\x02\x02\x03\x04\x05\x08", 6);
	assert_int_equal(verbs_queue_tx(&q, 32), 3);
	assert_int_equal(copies, 1);
	assert_int_equal(n_got, 2);
	is_copy(&got[0].piece[0], 0, 60);
	is_copy(&got[1].piece[0], 2, 60);
}

static void queue_takes_what_it_has_room_for(void **state)
{
	(void)state;
	runs(true);
	v.mask = 15;
	for (uint32_t i = 0; i < 20; i++)
		put(i, 18);
	assert_int_equal(verbs_queue_tx(&q, 32), 16);
	assert_int_equal(verbs_queue_tx(&q, 32), 0);
	assert_int_equal(q.tx.daemon, 0);
	completes(last_id, IBV_WC_SUCCESS);
	assert_int_equal(verbs_queue_tx(&q, 32), 4);
	assert_int_equal(q.tx.daemon, 16);
	assert_int_equal(n_got, 20);
}

/* Of a list the device may have taken the first; of calls it takes none. */
static void what_the_device_refuses_is_lost(void **state)
{
	const uint32_t lost = v.qp_ex ? 3 : 2;

	(void)state;
	runs(true);
	for (uint32_t i = 0; i < 3; i++)
		put(i, 18);
	takes = 1;
	assert_int_equal(verbs_queue_tx(&q, 32), 3);
	assert_int_equal(count[RAWNET_Q_TX_DROP_DEVICE], lost);
	assert_int_equal(q.tx.daemon, v.qp_ex ? 3 : 0);
	assert_int_equal(v.tx_state, RN_RDMA_BROKEN);
	assert_int_equal(sick, 1);
	takes = UINT32_MAX;
	put(3, 18);
	assert_int_equal(verbs_queue_tx(&q, 32), 0);
	v.tx_state = RN_RDMA_MENDED;
	assert_int_equal(verbs_queue_tx(&q, 32), 1);
	assert_int_equal(count[RAWNET_Q_TX_DROP_DEVICE], 3);
	assert_int_equal(q.tx.daemon, 3);
	completes(last_id, IBV_WC_SUCCESS);
	verbs_queue_tx(&q, 32);
	assert_int_equal(q.tx.daemon, 4);
}

#define test(name)                                                 \
	cmocka_unit_test_setup(name, prepare_list),                \
	{                                                          \
#name " by calls", name, prepare_calls, NULL, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_goes_out_is_paid),
		test(what_is_not_paid_stays),
		test(what_is_of_before_the_queue_was_mended),
		test(run_is_copied_as_far_as_it_is_checked),
		test(run_that_nobody_looks_at_stays_where_it_is),
		test(stranger_in_a_run_is_judged),
		test(refused_in_a_run_does_not_leave),
		test(packet_for_a_neighbour_is_not_the_runs),
		test(queue_takes_what_it_has_room_for),
		test(what_the_device_refuses_is_lost),
	};

	return cmocka_run_group_tests_name("verbs_tx", tests, NULL, NULL);
}
