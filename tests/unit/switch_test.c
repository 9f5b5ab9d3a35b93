/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local switching: what a client sends to another of its port.
 *
 * Promise: it is checked as if it left, and it costs nobody else anything (switch_liars_test has
 * the senders that try).
 */
#include <arpa/inet.h>

#include "switch_site.h"

#include "match.h"
#include "offload.h"
#include "state.h"
#include "tap.h"

/* "auto" is not what this tests. */
const struct rn_backend *const rn_backends[] = {NULL};

/* ---- who gets what ---- */

static void to_the_other(void **state)
{
	struct site s;

	(void)state;
	open_site(&s, true, true, 64);
	rig_rule(s.left, &s.a, "ipvlan 10.0.0.1");
	rig_rule(s.left, &s.b, "ipvlan 10.0.0.3");
	rig_rule(s.left, &s.b, "ipvlan 10.0.0.2");
	frame_to(&s, s.left->mac);
	send_times(&s, &s.a, 10);
	assert_int_equal(rig_await(&s.b, 10), 10);
	came(&s.b, 10, s.frame, s.len);
	assert_int_equal(rawnet_rx_slot(&s.b.rx, 0)->u.rx.rule, 1);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_TX_PACKETS), 10);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_TX_BYTES), 10 * s.len);
	assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_PACKETS), 10);
	assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_BYTES), 10 * s.len);
	assert_int_equal(port_count(s.left, RAWNET_P_LOCAL_PACKETS), 10);
	assert_int_equal(port_count(s.left, RAWNET_P_LOCAL_BYTES), 10 * s.len);
	/* The port's own counters are of the wire. */
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), 0);
	assert_int_equal(port_count(s.left, RAWNET_P_RX_PACKETS), 0);
	assert_int_equal(port_count(s.right, RAWNET_P_RX_UNMATCHED), 0);
	close_site(&s);
}

/* What is for the wire, for the sender, or for nobody. */
static void to_the_wire(void **state)
{
	struct site s;

	(void)state;
	open_site(&s, false, true, 64);
	rig_rule(s.left, &s.a, "udp dport 7");
	rig_rule(s.left, &s.b, "udp dport 8");
	frame_to(&s, far_mac);
	send_times(&s, &s.a, 5);
	assert_int_equal(rig_await(&s.far, 5), 5);
	came(&s.far, 5, s.frame, s.len);
	frame_to(&s, s.left->mac); /* its own rule takes it */
	send_times(&s, &s.a, 3);
	s.len = rig_udp(s.frame, s.left->mac, far_mac, 1, 2, 1000, 9, 18); /* nobody's */
	send_times(&s, &s.a, 4);
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), 12);
	assert_int_equal(port_count(s.right, RAWNET_P_RX_UNMATCHED), 7);
	assert_int_equal(port_count(s.left, RAWNET_P_LOCAL_PACKETS), 0);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_RX_PACKETS), 0);
	assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_PACKETS), 0);
	close_site(&s);
}

static void switched_off(void **state)
{
	struct site s;

	(void)state;
	open_site(&s, false, false, 64);
	rig_rule(s.left, &s.b, "udp dport 7");
	frame_to(&s, s.left->mac);
	send_times(&s, &s.a, 3);
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), 3);
	assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_PACKETS), 0);
	close_site(&s);
}

/* By a MAC of its own, by part of one, and no more when the rule is gone. */
static void by_mac(void **state)
{
	static const char *const rules[] = {"macvlan 02:00:00:00:00:0b",
					    "dmac 02:00:00:00:00:00/ff:ff:ff:00:00:00"};
	struct site s;

	(void)state;
	open_site(&s, false, true, 64);
	rig_rule(s.left, &s.a, "udp dport 99");
	frame_to(&s, b_mac);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t id = rig_rule(s.left, &s.b, rules[i]);

		send_times(&s, &s.a, 4);
		assert_int_equal(rig_await(&s.b, 4), 4);
		came(&s.b, 4, s.frame, s.len);
		take(&s.b, 4);
		delete_rule(&s, id);
		send_times(&s, &s.a, 4);
		assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_PACKETS), 4 * (i + 1));
		assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), 4 * (i + 1));
	}
	close_site(&s);
}

/* The one rule's packets go to two members by hash: the sender's part of them leaves. */
static void group(void **state)
{
	struct rawnet_match match;
	struct rn_steer_request q = {.match = &match, .flags = RAWNET_FLOW_GROUP};
	struct rn_rule *rule;
	struct rn_err err;
	uint32_t index;
	uint64_t there;
	struct site s;

	(void)state;
	open_site(&s, false, true, 256);
	assert_int_equal(rn_match_parse("udp dport 7", &match, NULL, 0), 0);
	q.at = s.a.at;
	assert_int_equal(rn_steer_add(s.left->steer, &q, &rule, &index, &err), 0);
	q.at = s.b.at;
	assert_int_equal(rn_steer_add(s.left->steer, &q, &rule, &index, &err), 0);
	for (uint16_t port = 1000; port < 1060; port++) {
		s.len = rig_udp(s.frame, s.left->mac, far_mac, 1, 2, port, 7, 18);
		assert_true(rig_send(&s.a, s.frame, s.len, 0));
	}
	rig_flush(&s.a);
	assert_true(rig_drained(&s.a));
	there = rig_counter(&s.b, RAWNET_Q_RX_PACKETS);
	assert_in_range(there, 5, 55);
	assert_int_equal(port_count(s.left, RAWNET_P_LOCAL_PACKETS), there);
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), 60 - there);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_RX_PACKETS), 0);
	close_site(&s);
}

/* Who captures sees it twice: sent, and received. */
static void captured(void **state)
{
	const struct rawnet_req_capture req = {.direction = RAWNET_CAPTURE_RX | RAWNET_CAPTURE_TX};
	struct rig_client sink;
	struct rn_err err = {0};
	uint32_t seen = 0;
	struct site s;

	(void)state;
	open_site(&s, false, true, 64);
	rig_attach(&s.rig, s.left, 64, 64, &sink);
	assert_int_equal(rn_tap_set(sink.at, &req, &err), 0);
	rig_rule(s.left, &s.b, "udp dport 7");
	frame_to(&s, s.left->mac);
	send_times(&s, &s.a, 1);
	assert_int_equal(rig_await(&s.b, 1), 1);
	assert_int_equal(rig_await(&sink, 2), 2);
	for (uint32_t k = 0; k < 2; k++) {
		const struct rawnet_slot *slot = rawnet_rx_slot(&sink.rx, k);
		struct rawnet_capture c;

		memcpy(&c, sink.mem + slot->off - sizeof(c), sizeof(c));
		assert_memory_equal(sink.mem + slot->off, s.frame, s.len);
		assert_int_equal(c.attachment,
				 c.direction == RAWNET_CAPTURE_TX ? s.a.at->id : s.b.at->id);
		seen |= c.direction;
	}
	assert_int_equal(seen, RAWNET_CAPTURE_RX | RAWNET_CAPTURE_TX);
	rig_detach(&sink);
	close_site(&s);
}

/* ---- drops ---- */

static void policed(void **state)
{
	struct site s;

	(void)state;
	open_site(&s, true, true, 64);
	rig_rule(s.left, &s.a, "ipvlan 10.0.0.1");
	rig_rule(s.left, &s.b, "ipvlan 10.0.0.2");
	s.len = rig_udp(s.frame, s.left->mac, s.left->mac, 9, 2, 1000, 7, 18);
	send_times(&s, &s.a, 6);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_TX_DROP_SPOOF), 6);
	assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_PACKETS), 0);
	assert_int_equal(port_count(s.left, RAWNET_P_LOCAL_PACKETS), 0);
	close_site(&s);
}

static void full(void **state)
{
	struct site s;

	(void)state;
	open_site(&s, false, true, 8);
	rig_rule(s.left, &s.b, "udp dport 7");
	frame_to(&s, s.left->mac);
	send_times(&s, &s.a, 20);
	assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_PACKETS), 8);
	assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_DROP_FULL), 12);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_TX_PACKETS), 20);
	close_site(&s);
}

/* ---- offloads ---- */

static void set_offload(struct rig_client *c, uint8_t l4, uint16_t mss, uint16_t tci)
{
	struct rawnet_slot *slot = &c->tx.slots[(c->tx.client - 1) & c->tx.mask];

	slot->u.tx.l2_len = 14;
	slot->u.tx.l3_len = 20;
	slot->u.tx.l4_len = l4;
	slot->u.tx.tso_mss = mss;
	slot->u.tx.vlan_tci = tci;
}

/* Of the UDP or TCP packet behind a header of l2 bytes. */
static bool sums_are_right(const uint8_t *frame, uint32_t len)
{
	struct rn_ip_layout ip;

	return rn_ip_layout(frame, len, false, &ip) &&
	       rn_csum_fold(rn_csum_add(0, frame + ip.l3, ip.l4 - ip.l3)) == 0xffff &&
	       rn_csum_fold(rn_csum_add(rn_csum_pseudo(frame, &ip, ip.end - ip.l4), frame + ip.l4,
					ip.end - ip.l4)) == 0xffff;
}

/* The receiver gets what would have been on the wire, and is told what the daemon knows of it. */
static void sums_and_tag(void **state)
{
	const struct rawnet_slot *slot;
	struct site s;

	(void)state;
	open_site(&s, false, true, 64);
	rig_rule(s.left, &s.b, "vlan 7 udp dport 7");
	frame_to(&s, s.left->mac);
	memset(s.frame + 24, 0, 2);
	assert_true(rig_send(&s.a, s.frame, s.len,
			     RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM | RAWNET_TX_VLAN));
	set_offload(&s.a, 0, 0, 0x2007);
	rig_flush(&s.a);
	assert_int_equal(rig_await(&s.b, 1), 1);
	slot = rawnet_rx_slot(&s.b.rx, 0);
	assert_int_equal(slot->len, s.len + 4);
	assert_memory_equal(s.b.mem + slot->off + 12, "\x81\x00\x20\x07", 4);
	assert_true(sums_are_right(s.b.mem + slot->off, slot->len));
	assert_int_equal(slot->flags & (RAWNET_RX_L3_OK | RAWNET_RX_L4_OK),
			 RAWNET_RX_L3_OK | RAWNET_RX_L4_OK);
	/* Without the tag nobody has it, and no sums were made. */
	assert_true(rig_send(&s.a, s.frame, s.len, 0));
	rig_flush(&s.a);
	assert_true(rig_drained(&s.a));
	assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_PACKETS), 1);
	close_site(&s);
}

static uint32_t tcp_frame(struct site *s, uint32_t payload)
{
	const uint16_t total = htons((uint16_t)(40 + payload));

	rig_udp(s->frame, s->left->mac, far_mac, 1, 2, 1000, 7, 0);
	memcpy(s->frame + 16, &total, 2);
	s->frame[23] = 6;
	memset(s->frame + 38, 0, 16);
	s->frame[46] = 0x50;
	for (uint32_t i = 0; i < payload; i++)
		s->frame[54 + i] = (uint8_t)i;
	return 54 + payload;
}

static void segments(void **state)
{
	enum {
		MSS = RAWNET_TX_MSS_MIN
	};
	struct site s;

	(void)state;
	open_site(&s, false, true, 256);
	rig_rule(s.left, &s.b, "tcp dport 7");
	s.len = tcp_frame(&s, 25 * MSS);
	for (int i = 0; i < 4; i++) { /* more segments than a queue's burst */
		assert_true(rig_send(&s.a, s.frame, s.len, RAWNET_TX_TSO));
		set_offload(&s.a, 20, MSS, 0);
	}
	rig_flush(&s.a);
	assert_int_equal(rig_await(&s.b, 100), 100);
	assert_true(rig_drained(&s.a));
	for (uint32_t k = 0; k < 100; k++) {
		const struct rawnet_slot *slot = rawnet_rx_slot(&s.b.rx, k);

		assert_int_equal(slot->len, 54 + MSS);
		assert_memory_equal(s.b.mem + slot->off + 54, s.frame + 54 + k % 25 * MSS, MSS);
		assert_true(sums_are_right(s.b.mem + slot->off, slot->len));
		assert_true(slot->flags & RAWNET_RX_L4_OK);
	}
	assert_int_equal(port_count(s.left, RAWNET_P_LOCAL_PACKETS), 100);
	close_site(&s);
}

/* ---- a device that has buffers ---- */

/* A packet takes the first buffer that the device does not have, and the state says so until those
 * that it has have come back. */
static void out_of_turn(void **state)
{
	enum {
		HELD = 5
	};
	uint8_t hw[64 * 6];
	struct rn_queue *q;
	struct site s;

	(void)state;
	open_site(&s, false, true, 8);
	q = &s.b.at->queue[0];
	q->hw = hw;
	q->rx.client = 8;
	q->rx.next = HELD;
	rig_rule(s.left, &s.b, "udp dport 7");
	frame_to(&s, s.left->mac);
	send_times(&s, &s.a, 4);
	assert_int_equal(rig_await(&s.b, 3), 3);
	for (uint32_t k = 0; k < 3; k++)
		assert_int_equal(rawnet_rx_slot(&s.b.rx, k)->off / s.b.buf_size, HELD + k);
	assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_DROP_FULL), 1);
	assert_int_equal(q->state->rx_daemon, 3);
	assert_int_equal(q->state->rx_true, 8);
	q->hw = NULL;
	close_site(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_the_other), cmocka_unit_test(to_the_wire),
		cmocka_unit_test(switched_off), cmocka_unit_test(by_mac),
		cmocka_unit_test(group),	cmocka_unit_test(captured),
		cmocka_unit_test(policed),	cmocka_unit_test(full),
		cmocka_unit_test(sums_and_tag), cmocka_unit_test(segments),
		cmocka_unit_test(out_of_turn),
	};

	return cmocka_run_group_tests_name("switch", tests, NULL, NULL);
}
