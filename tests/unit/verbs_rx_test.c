/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive of the verbs backend: a completion queue and a receive queue of the test's own.
 *
 * Promise: completions of one call become slots in their order, whatever stands between them. Seen
 * to fail without its defence (rx_done++ of a frame that was too long): 4 requests of 5 were done.
 *
 * Promise: what was read behind an error that breaks the queue, or is of before it was mended, is
 * no packet. Seen to fail without their defences (is_broken() in poll(), the epoch): one more.
 *
 * Promise: the device gets no address that is not in a buffer of the client's. Seen to fail without
 * its defence (n_bufs): 4 GiB behind the client's memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/verbs/verbs.h"
#include "attachment.h"
#include "poller_parts.h"

#define RING	 64u
#define HEADROOM 128u
#define SHIFT	 11u

static struct verbs_hwq hwq;
static struct verbs_queue v;
static struct rn_queue q;
static struct rn_port port;
static struct rn_attachment at;
static struct rawnet_counter_set port_counters;
static uint64_t count[64];
static struct rawnet_ring_ctl ctl;
static struct rawnet_slot slots[RING];
static uint64_t ids[RING], stamps[RING];
static uint8_t mem[RING << SHIFT], trash[1 << SHIFT], sentinel[1 << SHIFT];
static struct ibv_mr region = {.lkey = 1}, trash_region = {.lkey = 2}, copies = {.lkey = 3};
static struct rn_rdma_mem memory = {.packets = &region, .trash = trash, .trash_mr = &trash_region};
static int sick, delivered;

/* ---- the parts that others play ---- */

void rn_queue_sick(struct rn_queue *queue)
{
	(void)queue;
	sick++;
}

bool rn_deliver_first(struct rn_queue *queue, const struct rn_frame *frame, uint32_t index)
{
	(void)queue;
	(void)index;
	assert_ptr_equal(frame->piece[0].data, sentinel);
	delivered++;
	return true;
}

uint32_t rn_steer_changes(const struct rn_steer *steer)
{
	(void)steer;
	return 0;
}

uint32_t rn_tag_find(const struct rn_queue *queue, uint32_t tag)
{
	(void)queue;
	return tag ? tag + 1000 : RN_NO_INDEX;
}

/* ---- the device ---- */

static struct completion {
	uint64_t id;
	enum ibv_wc_status status;
	uint32_t len, tag;
} said[RING * 2];
static uint32_t n_said, next_said;
static struct ibv_cq_ex cq;

static int look_at_next(struct ibv_cq_ex *of)
{
	if (next_said == n_said)
		return ENOENT;
	of->wr_id = said[next_said].id;
	of->status = said[next_said].status;
	next_said++;
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
}

/* Of what failed libibverbs says nothing more. */
static const struct completion *current(void)
{
	assert_int_equal(said[next_said - 1].status, IBV_WC_SUCCESS);
	return &said[next_said - 1];
}

static uint32_t byte_len(struct ibv_cq_ex *of)
{
	(void)of;
	return current()->len;
}

static uint32_t flow_tag(struct ibv_cq_ex *of)
{
	(void)of;
	return current()->tag;
}

static unsigned wc_flags(struct ibv_cq_ex *of)
{
	(void)of;
	return current()->tag == 7 ? IBV_WC_IP_CSUM_OK : 0;
}

static struct posted {
	uint64_t id, addr;
	uint32_t length, lkey;
} given[RING * 4];
static uint32_t n_given, n_taken; /* with the device so far; of them, those with a completion */
static uint32_t takes;
static struct ibv_wq wq;

static int post_recv(struct ibv_wq *to, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad)
{
	(void)to;
	for (; wr; wr = wr->next) {
		const struct ibv_sge *sge = wr->sg_list;

		*bad = wr;
		if (n_given == takes)
			return ENOMEM;
		assert_int_equal(wr->num_sge, 1);
		given[n_given++] = (struct posted) {wr->wr_id, sge->addr, sge->length, sge->lkey};
	}
	return 0;
}

/* The oldest request completes. */
static uint64_t completes(enum ibv_wc_status status, uint32_t len, uint32_t tag)
{
	assert_true(n_taken < n_given);
	said[n_said++] = (struct completion) {given[n_taken].id, status, len, tag};
	return given[n_taken++].id;
}

/* ---- helpers ---- */

static int prepare(void **state)
{
	(void)state;
	memset(count, 0, sizeof(count));
	memset(&port_counters, 0, sizeof(port_counters));
	memset(&ctl, 0, sizeof(ctl));
	memset(slots, 0, sizeof(slots));
	n_said = next_said = n_given = n_taken = 0;
	takes = UINT32_MAX;
	sick = delivered = 0;
	cq = (struct ibv_cq_ex) {.start_poll = start_poll,
				 .next_poll = look_at_next,
				 .end_poll = end_poll,
				 .read_byte_len = byte_len,
				 .read_flow_tag = flow_tag,
				 .read_wc_flags = wc_flags};
	wq = (struct ibv_wq) {.post_recv = post_recv};
	port = (struct rn_port) {.counters = &port_counters};
	at = (struct rn_attachment) {.port = &port};
	hwq = (struct verbs_hwq) {.hwq = {.port = &port, .counters = &port_counters}};
	verbs_requests_link(&hwq.requests);
	v = (struct verbs_queue) {.rdma = {.mem = &memory, .wq = &wq},
				  .rx_cq = &cq,
				  .copies = &copies,
				  .ids = ids,
				  .sentinel_mem = sentinel};
	q = (struct rn_queue) {
		.mem = mem,
		.mem_size = sizeof(mem),
		.buf_shift = SHIFT,
		.n_bufs = RING,
		.headroom = HEADROOM,
		.index = 1, /* nothing is kept from the device */
		.count = count,
		.hwq = &hwq.hwq,
		.at = &at,
		.hw = &v,
		.rx = {.ctl = &ctl, .slots = slots, .mask = RING - 1},
	};
	return 0;
}

/* The client posts the buffers [from, from + n). */
static void post(uint32_t from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		slots[ctl.client++ & (RING - 1)] =
			(struct rawnet_slot) {.off = (from + i) << SHIFT};
	verbs_queue_rx(&q, 32);
}

static void is_packet(uint32_t slot, uint32_t buf, uint32_t len, uint32_t tag)
{
	const uint16_t flags = tag ? RAWNET_RX_RULE : 0;
	const uint16_t sums = tag == 7 ? RAWNET_RX_L3_OK | RAWNET_RX_L4_OK : 0;
	const uint16_t stamp = q.stamps ? RAWNET_RX_STAMP : 0;

	assert_int_equal(slots[slot].off, (buf << SHIFT) + HEADROOM);
	assert_int_equal(slots[slot].len, len);
	assert_int_equal(slots[slot].flags, flags | sums | stamp);
	assert_int_equal(slots[slot].u.rx.rule, tag ? tag + 1000 : 0);
}

static void is_unused(uint32_t slot, uint32_t off)
{
	assert_int_equal(slots[slot].off, off);
	assert_int_equal(slots[slot].len, 0);
	assert_int_equal(slots[slot].flags, RAWNET_RX_ERROR);
}

/* ---- tests ---- */

static void packets_become_slots(void **state)
{
	uint64_t bytes = 0;

	(void)state;
	post(0, RING);
	assert_int_equal(n_given, RING);
	for (uint32_t i = 0; i < RING; i++) {
		assert_ptr_equal((uintptr_t)given[i].addr, mem + (i << SHIFT) + HEADROOM);
		assert_int_equal(given[i].length, (1 << SHIFT) - HEADROOM);
		assert_int_equal(given[i].lkey, region.lkey);
	}
	for (uint32_t i = 0; i < 40; i++)
		completes(IBV_WC_SUCCESS, 60 + i, i / 6); /* tags change */
	assert_int_equal(verbs_queue_rx(&q, 8), 8);
	assert_int_equal(q.rx.daemon, 8);
	assert_int_equal(verbs_queue_rx(&q, RING), 32); /* more than one list of them */
	assert_int_equal(q.rx.daemon, 40);
	for (uint32_t i = 0; i < 40; i++) {
		is_packet(i, i, 60 + i, i / 6);
		bytes += 60 + i;
	}
	assert_int_equal(count[RAWNET_Q_RX_PACKETS], 40);
	assert_int_equal(count[RAWNET_Q_RX_BYTES], bytes);
	assert_int_equal(port_counters.v[RAWNET_P_RX_PACKETS], 40);
	assert_int_equal(port_counters.v[RAWNET_P_RX_BYTES], bytes);
}

/* The first of a call is asked; all are, once the device has told of one. */
static void good_sums_are_told(void **state)
{
	(void)state;
	post(0, RING);
	completes(IBV_WC_SUCCESS, 60, 1);
	completes(IBV_WC_SUCCESS, 60, 7);
	assert_int_equal(verbs_queue_rx(&q, 32), 2);
	is_packet(0, 0, 60, 1);
	assert_int_equal(slots[1].flags, RAWNET_RX_RULE);
	completes(IBV_WC_SUCCESS, 60, 7);
	completes(IBV_WC_SUCCESS, 60, 7);
	assert_int_equal(verbs_queue_rx(&q, 32), 2);
	completes(IBV_WC_SUCCESS, 60, 1);
	completes(IBV_WC_SUCCESS, 60, 7);
	completes(IBV_WC_SUCCESS, 60, 1);
	assert_int_equal(verbs_queue_rx(&q, 32), 3);
	is_packet(2, 2, 60, 7);
	is_packet(3, 3, 60, 7);
	is_packet(4, 4, 60, 1);
	is_packet(5, 5, 60, 7);
	is_packet(6, 6, 60, 1);
}

static void stamps_stand_beside_slots(void **state)
{
	(void)state;
	memset(stamps, 0, sizeof(stamps));
	q.stamps = stamps;
	post(0, RING);
	completes(IBV_WC_SUCCESS, 60, 1);
	completes(IBV_WC_SUCCESS, 60, 0);
	assert_int_equal(verbs_queue_rx(&q, 32), 2);
	is_packet(0, 0, 60, 1);
	is_packet(1, 1, 60, 0);
	assert_true(stamps[0] && stamps[0] == stamps[1] && !stamps[2]);
}

static void order_is_kept_among_what_is_no_packet(void **state)
{
	(void)state;
	slots[3].off = ~0u; /* no buffer */
	post(0, 3);
	ctl.client++;
	post(4, 60);
	assert_int_equal(n_given, RING);
	assert_ptr_equal((uintptr_t)given[3].addr, trash);
	assert_int_equal(given[3].lkey, trash_region.lkey);
	completes(IBV_WC_SUCCESS, 60, 1);
	completes(IBV_WC_LOC_LEN_ERR, 0, 0);
	completes(IBV_WC_SUCCESS, 61, 2);
	completes(IBV_WC_SUCCESS, 62, 2);
	completes(IBV_WC_SUCCESS, 63, 2);
	assert_int_equal(verbs_queue_rx(&q, 32), 5);
	is_packet(0, 0, 60, 1);
	is_unused(1, (1 << SHIFT) + HEADROOM);
	is_packet(2, 2, 61, 2);
	is_unused(3, ~0u);
	is_packet(4, 4, 63, 2);
	assert_int_equal(count[RAWNET_Q_RX_PACKETS], 3);
	assert_int_equal(count[RAWNET_Q_RX_DROP_LONG], 1);
	assert_int_equal(count[RAWNET_Q_RX_DROP_SLOT], 1);
	assert_int_equal(port_counters.v[RAWNET_P_RX_DROP_LONG], 1);
	assert_int_equal(v.rx_done, 5);
	assert_int_equal(sick, 0);
}

static void broken_queue_begins_anew(void **state)
{
	uint64_t old;

	(void)state;
	post(0, RING);
	completes(IBV_WC_SUCCESS, 60, 1);
	completes(IBV_WC_LOC_PROT_ERR, 0, 0);
	old = completes(IBV_WC_SUCCESS, 61, 1);
	assert_int_equal(verbs_queue_rx(&q, 32), 2);
	assert_int_equal(q.rx.daemon, 1);
	assert_int_equal(count[RAWNET_Q_RX_ERRORS], 1);
	assert_int_equal(sick, 1);
	assert_int_equal(verbs_queue_rx(&q, 32), 0);
	v.rx_state = RN_RDMA_MENDED;
	n_taken = n_given;
	said[n_said++] = (struct completion) {old, IBV_WC_SUCCESS, 61, 1};
	assert_int_equal(verbs_queue_rx(&q, 32), 0);
	assert_int_equal(q.rx.daemon, RING);
	for (uint32_t i = 1; i < RING; i++)
		is_unused(i, (i << SHIFT) + HEADROOM);
	assert_int_equal(count[RAWNET_Q_MENDED], 1);
	assert_int_equal(count[RAWNET_Q_RX_PACKETS], 1);
}

/* It posted none: one packet waits in memory of the daemon. */
static void client_without_buffers(void **state)
{
	(void)state;
	verbs_queue_rx(&q, 32);
	assert_int_equal(n_given, 1);
	assert_ptr_equal((uintptr_t)given[0].addr, sentinel);
	assert_int_equal(given[0].lkey, copies.lkey);
	completes(IBV_WC_SUCCESS, 60, 1);
	assert_int_equal(verbs_queue_rx(&q, 32), 1);
	assert_int_equal(delivered, 1);
	assert_int_equal(q.rx.daemon, 0);
	assert_int_equal(port_counters.v[RAWNET_P_RX_PACKETS], 1);
}

static void what_the_device_does_not_take_is_posted_again(void **state)
{
	(void)state;
	takes = 40;
	post(0, RING);
	assert_int_equal(n_given, 40);
	assert_int_equal(q.rx.next, 40);
	takes = UINT32_MAX;
	verbs_queue_rx(&q, 32);
	assert_int_equal(n_given, RING);
	for (uint32_t i = 0; i < RING; i++) {
		assert_ptr_equal((uintptr_t)given[i].addr, mem + (i << SHIFT) + HEADROOM);
		completes(IBV_WC_SUCCESS, 60, 1);
	}
	assert_int_equal(verbs_queue_rx(&q, RING), RING);
	assert_int_equal(q.rx.daemon, RING);
}

#define test(name) cmocka_unit_test_setup(name, prepare)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(packets_become_slots),
		test(good_sums_are_told),
		test(stamps_stand_beside_slots),
		test(order_is_kept_among_what_is_no_packet),
		test(broken_queue_begins_anew),
		test(client_without_buffers),
		test(what_the_device_does_not_take_is_posted_again),
	};

	return cmocka_run_group_tests_name("verbs_rx", tests, NULL, NULL);
}
