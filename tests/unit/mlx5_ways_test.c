/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ways of a packet into the send queue: what stands in the request, byte by byte where it
 * matters. Policing and the way of whole copies are played by the test; policing rewrites the
 * client's memory as soon as it has looked, so that whatever goes out must have been copied before.
 *
 * Promise: what goes out is paid of the client's rates, segments with all their headers. Seen to
 * fail without its defence: a tag not paid in refer_all() (148 bytes where 152 went out), one
 * packet of c->len paid in check_head() (452 where 456 went out).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/mlx5/ways.h"
#include "tx_bill.h"

#define BLOCKS 64u
#define LKEY   0x00c0ffeeu

static struct rn_mlx5_tx tx;
static struct rn_mlx5_batch b;
static struct rn_mlx5_sent sent[BLOCKS];
static _Alignas(64) uint8_t sq[BLOCKS * RN_WQE_BB];
static int verdict;
static bool sure;

/* ---- the parts that others play ---- */

static void attack(void)
{
	memset(mem, 0xee, sizeof(mem));
}

int rn_police(struct rn_queue *queue, const uint8_t *frame, uint32_t len, int tci)
{
	(void)queue;
	(void)frame;
	(void)len;
	(void)tci;
	attack();
	return verdict;
}

bool rn_police_by_hint(const struct rn_queue *queue, const uint8_t *head, uint32_t len, int tci)
{
	(void)queue;
	(void)head;
	(void)len;
	(void)tci;
	attack();
	return sure;
}

int rn_tx_judge(struct rn_queue *queue, const struct rn_chain *c)
{
	(void)queue;
	(void)c;
	return verdict;
}

/* ---- helpers ---- */

static int prepare(void **state)
{
	(void)state;
	memset(&tx, 0, sizeof(tx));
	memset(sq, 0xa5, sizeof(sq)); /* what other requests left */
	tx_parts();
	tx.sq = sq;
	tx.mask = BLOCKS - 1;
	tx.sqn = 0x123;
	tx.lkey_be = htobe32(LKEY);
	tx.empw = tx.csum = tx.insert_tag = true;
	tx.max_tso = 262144;
	tx.sent = sent;
	b = (struct rn_mlx5_batch) {.tx = &tx};
	verdict = 0;
	sure = true;
	tx_bill();
	return 0;
}

static enum rn_tx_verdict give(const struct rn_chain *c)
{
	enum rn_tx_verdict v = rn_mlx5_send(&q, &b, c);

	rn_send_close(&b);
	return v;
}

static void refers(const uint8_t *seg, uint32_t off, uint32_t len)
{
	struct rn_data_info d = rn_data_get(seg);

	assert_false(d.is_inline);
	assert_int_equal(d.len, len);
	assert_int_equal(d.lkey, LKEY);
	assert_int_equal(d.addr, (uintptr_t)mem + off);
}

/* ---- tests ---- */

static void segmentation_has_exactly_the_headers_inline(void **state)
{
	struct rn_chain c = packet(100, 6, 3000, RAWNET_TX_TSO);
	uint8_t head[54];
	struct rn_ctrl_info ctrl;
	struct rn_eth_info eth;

	(void)state;
	memcpy(head, mem + 100, sizeof(head));
	q.police = true;
	c.slot[0].u.tx.tso_mss = 1400;
	assert_int_equal(give(&c), RN_TX_SENT);
	ctrl = rn_ctrl_get(sq);
	eth = rn_eth_get(sq + 16);
	assert_int_equal(ctrl.opcode, RN_OP_TSO);
	assert_int_equal(ctrl.sqn, 0x123);
	assert_int_equal(ctrl.ds, 7); /* 30 + 54 bytes are six segments, and a pointer */
	assert_int_equal(eth.mss, 1400);
	assert_int_equal(eth.inline_len, 54);
	assert_int_equal(eth.csum, RN_ETH_L3_CSUM | RN_ETH_L4_CSUM);
	assert_memory_equal(sq + RN_INLINE_AT, head, sizeof(head)); /* not what it was changed to */
	refers(sq + 96, 100 + 54, c.len - 54);
	assert_int_equal(count[RAWNET_Q_TX_PACKETS], 3);
	assert_int_equal(count[RAWNET_Q_TX_BYTES], 3000 + 3 * 54);
	assert_int_equal(tx.by_reference, tx.pi);
}

static void checksums_of_short_frames_inline(void **state)
{
	struct rn_chain c = packet(0, 17, 18, RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM);
	uint8_t frame[60];

	(void)state;
	memcpy(frame, mem, sizeof(frame));
	q.police = true;
	assert_int_equal(c.len, 60);
	assert_int_equal(give(&c), RN_TX_SENT);
	assert_int_equal(rn_ctrl_get(sq).opcode, RN_OP_EMPW);
	assert_int_equal(rn_eth_get(sq + 16).csum, RN_ETH_L3_CSUM | RN_ETH_L4_CSUM);
	assert_true(rn_data_get(sq + RN_EMPW_AT).is_inline);
	assert_memory_equal(sq + RN_EMPW_AT + RN_SEG_INLINE_HEAD, frame, sizeof(frame));
	assert_int_equal(count[RAWNET_Q_TX_SW_CSUM], 0);
}

static void one_checksum_of_a_long_frame_by_head(void **state)
{
	struct rn_chain c = packet(2048, 6, 1000, RAWNET_TX_L4_CSUM);
	uint8_t head[RN_MLX5_HEAD];

	(void)state;
	memcpy(head, mem + 2048, sizeof(head));
	q.police = true;
	assert_int_equal(give(&c), RN_TX_SENT);
	assert_int_equal(rn_ctrl_get(sq).opcode, RN_OP_SEND);
	assert_int_equal(rn_eth_get(sq + 16).csum, RN_ETH_L4_CSUM);
	assert_int_equal(rn_eth_get(sq + 16).inline_len, RN_MLX5_HEAD);
	assert_memory_equal(sq + RN_INLINE_AT, head, sizeof(head));
	refers(sq + 96, 2048 + RN_MLX5_HEAD, c.len - RN_MLX5_HEAD);
}

static void who_is_not_policed_sends_by_reference(void **state)
{
	struct rn_chain c = packet(64, 17, 500, RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM);

	(void)state;
	assert_int_equal(give(&c), RN_TX_SENT);
	assert_int_equal(rn_ctrl_get(sq).opcode, RN_OP_EMPW);
	assert_int_equal(rn_ctrl_get(sq).ds, 3);
	assert_int_equal(rn_eth_get(sq + 16).csum, RN_ETH_L3_CSUM | RN_ETH_L4_CSUM);
	refers(sq + RN_EMPW_AT, 64, c.len);
}

static void the_device_inserts_a_tag(void **state)
{
	struct rn_chain c = packet(64, 17, 500, RAWNET_TX_VLAN);

	(void)state;
	c.slot[0].u.tx.vlan_tci = 0x6007;
	assert_int_equal(give(&c), RN_TX_SENT);
	assert_int_equal(rn_ctrl_get(sq).opcode, RN_OP_SEND);
	assert_true(rn_eth_get(sq + 16).insert_tag);
	assert_int_equal(rn_eth_get(sq + 16).tci, 0x6007);
	refers(sq + 32, 64, c.len);
	assert_int_equal(count[RAWNET_Q_TX_SW_VLAN], 0);
	assert_int_equal(count[RAWNET_Q_TX_BYTES], c.len + 4);
}

/* Where headers are in the request the device cannot. */
static void a_tag_among_the_headers(void **state)
{
	static const uint8_t tag[4] = {0x81, 0x00, 0x60, 0x07};
	struct rn_chain c = packet(64, 17, 500, RAWNET_TX_VLAN);
	uint8_t head[RN_MLX5_HEAD];

	(void)state;
	memcpy(head, mem + 64, sizeof(head));
	q.police = true;
	c.slot[0].u.tx.vlan_tci = 0x6007;
	assert_int_equal(give(&c), RN_TX_SENT);
	assert_false(rn_eth_get(sq + 16).insert_tag);
	assert_int_equal(rn_eth_get(sq + 16).inline_len, RN_MLX5_HEAD + 4);
	assert_memory_equal(sq + RN_INLINE_AT, head, 12);
	assert_memory_equal(sq + RN_INLINE_AT + 12, tag, 4);
	assert_memory_equal(sq + RN_INLINE_AT + 16, head + 12, RN_MLX5_HEAD - 12);
	refers(sq + 112, 64 + RN_MLX5_HEAD, c.len - RN_MLX5_HEAD);
	assert_int_equal(count[RAWNET_Q_TX_SW_VLAN], 1);
}

/* ConnectX-4: some of each frame must be in the request, and there is no multi-packet send. */
static void a_device_that_wants_headers(void **state)
{
	struct rn_chain c = packet(64, 17, 500, RAWNET_TX_VLAN | RAWNET_TX_L4_CSUM);

	(void)state;
	tx.empw = tx.insert_tag = false;
	tx.min_inline = 18;
	c.slot[0].u.tx.vlan_tci = 7;
	assert_int_equal(give(&c), RN_TX_SENT);
	assert_int_equal(rn_ctrl_get(sq).opcode, RN_OP_SEND);
	assert_true(rn_eth_get(sq + 16).inline_len >= 18);
	assert_int_equal(rn_eth_get(sq + 16).csum, RN_ETH_L4_CSUM);
	assert_int_equal(count[RAWNET_Q_TX_SW_VLAN], 1);
	c = packet(64, 17, 500, 0);
	assert_int_equal(give(&c), RN_TX_SENT);
	assert_int_equal(rn_eth_get(rn_send_at(&tx, 2) + 16).inline_len, 18);
}

/* Several pieces: no pointer has length 0, whatever part of the head they end in. */
static void pieces(void **state)
{
	struct rn_chain c = packet(0, 17, 500, 0);
	uint8_t head[RN_MLX5_HEAD];

	(void)state;
	memcpy(head, mem, sizeof(head));
	q.police = true;
	c.n = 3;
	c.slot[0].len = 20;
	c.slot[0].flags = RAWNET_TX_MORE;
	c.slot[1] = (struct rawnet_slot) {.off = 20, .len = 46, .flags = RAWNET_TX_MORE};
	c.slot[2] = (struct rawnet_slot) {.off = 66, .len = (uint16_t)(c.len - 66)};
	assert_int_equal(give(&c), RN_TX_SENT);
	assert_int_equal(rn_ctrl_get(sq).ds, 7);
	assert_memory_equal(sq + RN_INLINE_AT, head, sizeof(head));
	refers(sq + 96, 66, c.len - 66);
}

static void what_contradicts_itself_goes_by_copy(void **state)
{
	struct rn_chain c = packet(0, 6, 500, RAWNET_TX_TSO);

	(void)state;
	assert_int_equal(give(&c), RN_TX_DROPPED); /* no segment size */
	c.slot[0].u.tx.tso_mss = 100;
	c.slot[0].u.tx.l4_len = 24;
	assert_int_equal(give(&c), RN_TX_DROPPED);
	c = packet(0, 6, 500, RAWNET_TX_L4_CSUM);
	c.slot[0].u.tx.l3_len = 24;
	q.police = true;
	assert_int_equal(give(&c), RN_TX_DROPPED);
	c = packet(0, 6, 500, 0x8000);
	assert_int_equal(give(&c), RN_TX_DROPPED);
	c = packet(0, 6, 500, 0);
	port.link_up = false;
	assert_int_equal(give(&c), RN_TX_DROPPED);
	port.link_up = true;
	q.tx_segment = 1;
	assert_int_equal(give(&c), RN_TX_DROPPED);
	assert_int_equal(copies, 6);
	assert_int_equal(tx.pi, 0);
}

/* What may be for another client of the port, its MACs in one slot or two; and what may not. */
static void for_another_client_by_copy(void **state)
{
	struct rn_chain c = packet(0, 17, 300, 0);

	(void)state;
	port.config.local_switching = true;
	port.n_attachments = 2;
	macs.own = rn_mac_word(mem);
	for (unsigned police = 0; police < 2; police++) {
		q.police = police;
		copies = 0;
		assert_int_equal(give(&c), RN_TX_DROPPED);
		assert_int_equal(copies, 1);
	}
	c = packet(0, 17, 300, 0); /* policing spoilt it */
	c.n = 2;
	c.slot[0].len = 4;
	c.slot[1] = (struct rawnet_slot) {.off = 4, .len = (uint16_t)(c.len - 4)};
	assert_int_equal(give(&c), RN_TX_DROPPED);
	assert_int_equal(copies, 2);
	port.n_attachments = 1; /* there is no other */
	assert_int_equal(give(&c), RN_TX_SENT);
	port.n_attachments = 2;
	macs.own ^= 1u << 8;
	packet(0, 17, 300, 0);
	assert_int_equal(give(&c), RN_TX_SENT);
	assert_int_equal(copies, 2);
}

/* Where there are other clients the device never reads a destination from the client's memory,
 * policed or not: what was asked about is what goes out. */
static void destinations_stand_in_the_request(void **state)
{
	static const uint32_t payload[] = {18, 800};
	static const uint16_t flags[] = {0, RAWNET_TX_L4_CSUM, RAWNET_TX_VLAN};

	(void)state;
	port.config.local_switching = true;
	port.n_attachments = 2;
	for (unsigned i = 0; i < 2 * 2 * 3; i++) {
		struct rn_chain c = packet(0, 17, payload[i % 2], flags[i / 4]);
		uint8_t *wqe = rn_send_at(&tx, tx.pi), dmac[6];
		struct rn_eth_info eth;

		memcpy(dmac, mem, sizeof(dmac));
		macs.own = 0xeeeeeeeeeeee; /* what policing turns it into */
		q.police = i / 2 % 2;
		assert_int_equal(give(&c), RN_TX_SENT);
		eth = rn_eth_get(wqe + RN_SEG);
		if (rn_ctrl_get(wqe).opcode == RN_OP_EMPW) {
			assert_true(rn_data_get(wqe + RN_EMPW_AT).is_inline);
			wqe += RN_EMPW_AT + RN_SEG_INLINE_HEAD;
		} else {
			assert_true(eth.inline_len >= 18);
			wqe += RN_INLINE_AT;
		}
		assert_memory_equal(wqe, dmac, sizeof(dmac));
		tx.ci = tx.pi;
	}
	assert_int_equal(copies, 0);
}

/* What the NIC's tables are told of a request: that the daemon looked, or nothing. */
static void who_vouches_for_a_request(void **state)
{
	static const uint16_t flags[] = {0, RAWNET_TX_L4_CSUM, RAWNET_TX_TSO};
	const uint32_t mark = htobe32(0x1234);

	(void)state;
	tx.vouched_be = mark;
	for (unsigned i = 0; i < 3 * 2 * 3; i++) {
		const bool nic = i / 3 % 3 == 1, police = i / 3 % 3 != 2;
		struct rn_chain c = packet(0, 6, i < 9 ? 0 : 800, flags[i % 3]);
		uint8_t *wqe = rn_send_at(&tx, tx.pi);
		uint32_t got;

		c.slot[0].u.tx.tso_mss = 100;
		if (i < 9 && flags[i % 3] == RAWNET_TX_TSO)
			continue;
		q.police = police;
		tx.nic_polices = nic;
		assert_int_equal(give(&c), RN_TX_SENT);
		memcpy(&got, wqe + 24, sizeof(got)); /* flow_table_metadata */
		assert_int_equal(got, nic && flags[i % 3] != RAWNET_TX_TSO ? 0 : mark);
		tx.ci = tx.pi;
	}
}

/* Requests of several packets hold those of one kind. */
static void checked_and_unchecked_are_apart(void **state)
{
	struct rn_chain first = packet(0, 17, 18, 0), second = packet(512, 17, 18, 0);
	uint32_t mark = 0;

	(void)state;
	tx.vouched_be = htobe32(0x1234);
	tx.nic_polices = true;
	q.police = true;
	assert_int_equal(rn_mlx5_send(&q, &b, &first), RN_TX_SENT);
	tx.nic_polices = false;
	assert_int_equal(rn_mlx5_send(&q, &b, &second), RN_TX_SENT);
	rn_send_close(&b);
	assert_false(rn_data_get(sq + RN_EMPW_AT).is_inline);
	memcpy(&mark, sq + 24, sizeof(mark));
	assert_int_equal(mark, 0);
	assert_true(rn_data_get(sq + RN_WQE_BB + RN_EMPW_AT).is_inline);
	memcpy(&mark, sq + RN_WQE_BB + 24, sizeof(mark));
	assert_int_equal(mark, tx.vouched_be);
}

static void what_policing_refuses_is_counted(void **state)
{
	struct rn_chain c = packet(0, 17, 18, 0);

	(void)state;
	q.police = true;
	verdict = RAWNET_Q_TX_DROP_SPOOF;
	assert_int_equal(give(&c), RN_TX_DROPPED);
	sure = false;
	c = packet(0, 17, 800, 0);
	assert_int_equal(give(&c), RN_TX_DROPPED);
	assert_int_equal(count[RAWNET_Q_TX_DROP_SPOOF], 2);
	assert_int_equal(tx.pi, 0);
	verdict = 0; /* allowed, but not by its head */
	c = packet(0, 17, 800, 0);
	assert_int_equal(give(&c), RN_TX_DROPPED);
	assert_int_equal(copies, 1);
}

/* Each way pays what it sends: of segments the headers and the tag of each. */
static void what_goes_out_is_paid(void **state)
{
	static const uint16_t flags[] = {0,
					 RAWNET_TX_VLAN,
					 RAWNET_TX_L4_CSUM,
					 RAWNET_TX_L4_CSUM | RAWNET_TX_VLAN,
					 RAWNET_TX_TSO,
					 RAWNET_TX_TSO | RAWNET_TX_VLAN};

	(void)state;
	q.limited = true;
	for (int i = 0; i < 24; i++) {
		struct rn_chain c = packet(0, 6, i / 12 ? 1000 : 20, flags[i % 6]);

		q.police = i / 6 % 2;
		c.slot[0].u.tx.tso_mss = 48;
		c.slot[0].u.tx.vlan_tci = 5;
		assert_int_equal(give(&c), RN_TX_SENT);
		assert_int_equal(paid_packets, count[RAWNET_Q_TX_PACKETS]);
		assert_int_equal(paid_bytes, count[RAWNET_Q_TX_BYTES]);
		tx.ci = tx.pi; /* the device is done with it */
	}
	assert_int_equal(copies, 0);
	assert_int_equal(paid_packets, 16 + 4 + 4 * 21);
	poor = true;
	for (int i = 0; i < 6; i++) {
		struct rn_chain c = packet(0, 6, 1000, flags[i]);

		c.slot[0].u.tx.tso_mss = 48;
		assert_int_equal(give(&c), RN_TX_DROPPED);
	}
	assert_int_equal(count[RAWNET_Q_TX_DROP_RATE], 6);
	assert_int_equal(tx.pi, tx.ci);
}

/* No request wraps, none touches a block that the device has. */
static void the_end_of_the_ring(void **state)
{
	struct rn_chain c = packet(0, 17, 800, 0);

	(void)state;
	q.police = true;
	tx.pi = tx.ci = BLOCKS - 1;
	assert_int_equal(give(&c), RN_TX_SENT);
	assert_int_equal(rn_ctrl_get(rn_send_at(&tx, BLOCKS - 1)).opcode, RN_OP_NOP);
	assert_int_equal(rn_ctrl_get(sq).opcode, RN_OP_SEND);
	assert_int_equal(rn_ctrl_get(sq).index, BLOCKS);
	tx.ci = tx.pi - BLOCKS + 1; /* one block is free */
	memset(sq, 0xa5, sizeof(sq));
	assert_int_equal(give(&c), RN_TX_FULL);
	for (uint32_t i = 0; i < sizeof(sq); i++)
		assert_int_equal(sq[i], 0xa5);
}

#define test(name) cmocka_unit_test_setup(name, prepare)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(segmentation_has_exactly_the_headers_inline),
		test(checksums_of_short_frames_inline),
		test(one_checksum_of_a_long_frame_by_head),
		test(who_is_not_policed_sends_by_reference),
		test(the_device_inserts_a_tag),
		test(a_tag_among_the_headers),
		test(a_device_that_wants_headers),
		test(pieces),
		test(what_contradicts_itself_goes_by_copy),
		test(for_another_client_by_copy),
		test(destinations_stand_in_the_request),
		test(who_vouches_for_a_request),
		test(checked_and_unchecked_are_apart),
		test(what_policing_refuses_is_counted),
		test(what_goes_out_is_paid),
		test(the_end_of_the_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
