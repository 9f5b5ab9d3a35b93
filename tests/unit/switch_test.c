/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local switching over loop ports: two clients of the left port, and a third on the right one, the
 * other end of the wire, who gets whatever leaves for its MAC.
 *
 * Promise: what a client sends to another of its port is checked as if it left, a copy decides
 * whose it is, and it costs nobody else anything. Seen to fail without its defence: the frame given
 * to the receiver from the sender's memory (run_plain() in tx.c): five of six runs of flipped found
 * frames for another MAC or port; no end to what a queue's rate grants at once (COPIES_ONCE in
 * switch.c): copies_at_once had 60 copies of 60 frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "match.h"
#include "neigh_msg.h"
#include "offload.h"
#include "rig.h"
#include "state.h"
#include "steer.h"
#include "switch.h"
#include "tap.h"
#include "tx.h"

/* "auto" is not what this tests. */
const struct rn_backend *const rn_backends[] = {NULL};

static const uint8_t far_mac[6] = {2, 0, 0, 0, 0, 0x77};
static const uint8_t b_mac[6] = {2, 0, 0, 0, 0, 0x0b};
static const uint8_t ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct site {
	struct rig rig;
	struct rn_port *left, *right;
	struct rig_client a, b, far;
	uint8_t frame[4096];
	uint32_t len;
};

static void open_site(struct site *s, bool police, bool local, uint32_t b_rx)
{
	rig_open(&s->rig, 1, false);
	s->left = rig_port(&s->rig, "left", "right", police);
	s->left->config.local_switching = local; /* nobody is attached yet */
	s->right = rig_port(&s->rig, "right", "left", false);
	rig_attach(&s->rig, s->left, 64, 64, &s->a);
	rig_attach(&s->rig, s->left, b_rx, 64, &s->b);
	rig_attach(&s->rig, s->right, 256, 64, &s->far);
	rig_rule(s->right, &s->far, "macvlan 02:00:00:00:00:77");
}

static void close_site(struct site *s)
{
	rig_detach(&s->a);
	rig_detach(&s->b);
	rig_detach(&s->far);
	rig_close(&s->rig);
}

static uint64_t port_count(struct rn_port *port, enum rawnet_port_counter c)
{
	uint64_t v[RAWNET_COUNTERS_SPACE];

	rn_port_counters(port, v);
	return v[c];
}

/* To dmac, from 10.0.0.1 port 1000 to 10.0.0.2 port 7. */
static void frame_to(struct site *s, const uint8_t dmac[6])
{
	s->len = rig_udp(s->frame, dmac, s->left->mac, 1, 2, 1000, 7, 18);
}

static void send_times(struct site *s, struct rig_client *c, int n)
{
	for (int i = 0; i < n; i++)
		assert_true(rig_send(c, s->frame, s->len, 0));
	rig_flush(c);
	assert_true(rig_drained(c));
}

/* The frames of one who sleeps in between: each must be this one. */
static void came(const struct rig_client *c, uint32_t n, const uint8_t *frame, uint32_t len)
{
	for (uint32_t k = 0; k < n; k++) {
		const struct rawnet_slot *slot = rawnet_rx_slot(&c->rx, k);

		assert_int_equal(slot->len, len);
		assert_memory_equal(c->mem + slot->off, frame, len);
		assert_true(slot->off % c->buf_size >= c->at->headroom);
		assert_true(slot->flags & RAWNET_RX_RULE);
	}
}

static void take(struct rig_client *c, uint32_t n)
{
	rawnet_rx_release(&c->rx, n);
	rawnet_ring_publish(&c->rx);
}

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

static void delete_rule(struct site *s, uint64_t id)
{
	rn_steer_del(s->left->steer, rn_steer_find(s->left->steer, id));
	rn_police_changed();
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

/* ---- to groups ---- */

/* a and b subscribe. */
static void subscribe(struct site *s, uint32_t kind)
{
	struct rn_subscribers *set = calloc(1, sizeof(*set) + 2 * sizeof(set->at[0]));

	set->n = 2;
	set->at[0] = s->a.at;
	set->at[1] = s->b.at;
	__atomic_store_n(&s->a.at->copies, kind, __ATOMIC_RELAXED);
	__atomic_store_n(&s->b.at->copies, kind, __ATOMIC_RELAXED);
	rcu_assign_pointer(s->left->subscribers, set);
}

/* A loop port has no packet socket to close. */
static void unsubscribe(struct site *s)
{
	struct rn_subscribers *set = s->left->subscribers;

	rcu_assign_pointer(s->left->subscribers, NULL);
	synchronize_rcu();
	s->a.at->copies = s->b.at->copies = 0;
	free(set);
}

static void copies(void **state)
{
	const struct rawnet_slot *slot;
	uint64_t left_out;
	struct site s;

	(void)state;
	open_site(&s, false, true, 256);
	s.left->config.copy_rate = 1; /* so bursts alone count */
	subscribe(&s, RAWNET_COPY_BROADCAST);
	frame_to(&s, ones);
	memmove(s.frame + 16, s.frame + 12, s.len - 12);
	memcpy(s.frame + 12, "\x81\x00\x20\x07", 4);
	s.len += 4;
	send_times(&s, &s.a, 40);
	assert_in_range(rig_counter(&s.b, RAWNET_Q_RX_COPIES), 32, 39);
	left_out = port_count(s.left, RAWNET_P_COPY_DROP);
	assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_COPIES) + left_out, 40);
	assert_int_equal(rig_await(&s.b, 32) + left_out, 40);
	slot = rawnet_rx_slot(&s.b.rx, 0);
	assert_int_equal(slot->flags, RAWNET_RX_COPY | RAWNET_RX_VLAN);
	assert_int_equal(slot->u.rx.vlan_tci, 0x2007);
	assert_int_equal(slot->len, s.len - 4);
	assert_memory_equal(s.b.mem + slot->off, s.frame, 12);
	assert_memory_equal(s.b.mem + slot->off + 12, s.frame + 16, s.len - 16);
	/* They left too, and the sender has none of them. */
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), 40);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_RX_PACKETS), 0);
	/* Not what nobody asked for; and what one uses up is not the other's. */
	s.frame[0] = 0x33;
	send_times(&s, &s.a, 4);
	assert_int_equal(port_count(s.left, RAWNET_P_COPY_PACKETS), 40);
	s.frame[0] = 0xff;
	send_times(&s, &s.b, 4);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_RX_COPIES), 4);
	unsubscribe(&s);
	close_site(&s);
}

/* What one queue may send to groups at once does not grow with the rate: each frame is copied for
 * all who want it. The bucket's own clock says what came in between. */
static void copies_at_once(void **state)
{
	enum {
		RATE = 5000, /* a second, for each of two: 20 ms would grant 100 */
		ONCE = 32,
		MANY = 60
	};
	const struct rn_bucket *bucket;
	uint64_t since, copied, granted;
	struct site s;

	(void)state;
	do {
		open_site(&s, false, true, 256);
		bucket = &s.a.at->queue[0].copies;
		s.left->config.copy_rate = 2 * RATE;
		subscribe(&s, RAWNET_COPY_BROADCAST);
		frame_to(&s, ones);
		send_times(&s, &s.a, 1);
		since = bucket->last;
		send_times(&s, &s.a, MANY - 1);
		granted = (bucket->last - since) * RATE / 1000000000u;
		copied = rig_counter(&s.b, RAWNET_Q_RX_COPIES);
		assert_in_range(copied, ONCE, ONCE + granted + 1);
		assert_int_equal(copied + port_count(s.left, RAWNET_P_COPY_DROP), MANY);
		unsubscribe(&s);
		close_site(&s);
	} while (granted > 10); /* the poller had to wait for a core: that showed nothing */
}

/* An ARP request of a for 10.0.0.`last`; vlan 0: untagged. */
static void ask(struct site *s, uint8_t last, const uint8_t dmac[6], const uint8_t smac[6],
		uint16_t vlan)
{
	const uint8_t target[4] = {10, 0, 0, last}, sender[4] = {10, 0, 0, 1};
	uint8_t arp[RN_NEIGH_FRAME];

	s->len = rn_neigh_announcement(4, target, smac, vlan, arp);
	memcpy(arp, dmac, 6);
	memcpy(arp + s->len - 14, sender, 4);
	memcpy(s->frame, arp, s->len);
	send_times(s, &s->a, 1);
}

static void questions(void **state)
{
	static const uint8_t a_mac[6] = {2, 0, 0, 0, 0, 0x0a};
	const struct rawnet_slot *slot;
	struct site s;

	(void)state;
	open_site(&s, true, true, 64);
	rig_rule(s.left, &s.a, "macvlan 02:00:00:00:00:0a addr 10.0.0.1");
	rig_rule(s.left, &s.a, "macvlan 02:00:00:00:00:0a addr 10.0.0.1 vlan 9");
	rig_rule(s.left, &s.b, "macvlan 02:00:00:00:00:0b addr 10.0.0.2");
	rig_rule(s.left, &s.b, "ipvlan 10.0.0.3");
	rig_rule(s.left, &s.b, "ipvlan 10.0.0.4 vlan 9");
	ask(&s, 2, ones, a_mac, 0); /* answered, and on the wire all the same */
	assert_int_equal(rig_await(&s.a, 1), 1);
	slot = rawnet_rx_slot(&s.a.rx, 0);
	assert_int_equal(slot->len, 42);
	assert_memory_equal(s.a.mem + slot->off, a_mac, 6);
	assert_memory_equal(s.a.mem + slot->off + 22, b_mac, 6);
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), 1);
	ask(&s, 3, s.left->mac, a_mac, 0); /* to one MAC: answered only */
	assert_int_equal(rig_await(&s.a, 2), 2);
	assert_memory_equal(s.a.mem + rawnet_rx_slot(&s.a.rx, 1)->off + 22, s.left->mac, 6);
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), 1);
	ask(&s, 4, ones, a_mac, 9);
	assert_int_equal(rig_await(&s.a, 3), 3);
	assert_memory_equal(s.a.mem + rawnet_rx_slot(&s.a.rx, 2)->off + 12, "\x81\x00\x00\x09", 4);
	assert_int_equal(port_count(s.left, RAWNET_P_NEIGH_REPLIES), 3);
	/* Nobody's, of another VLAN, its own. */
	ask(&s, 77, ones, a_mac, 0);
	ask(&s, 4, ones, a_mac, 0);
	ask(&s, 1, ones, a_mac, 0);
	assert_int_equal(port_count(s.left, RAWNET_P_NEIGH_REPLIES), 3);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_RX_PACKETS), 3);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_TX_DROP_SPOOF), 0);
	close_site(&s);
}

/* ---- what may be local ---- */

/* Thousands of rules come and go: a MAC may be local while a rule names it, and no longer. */
static void names(void **state)
{
	enum {
		MACS = 3000
	};
	static uint64_t id[MACS];
	struct rn_queue *q;
	const struct rn_macs *m;
	struct site s;
	char text[64];

	(void)state;
	open_site(&s, false, true, 64);
	q = &s.a.at->queue[0];
	m = rn_switch_on(s.left);
	assert_non_null(m);
	for (unsigned i = 0; i < MACS; i++) {
		snprintf(text, sizeof(text), "macvlan 02:00:00:01:%02x:%02x", i >> 8, i & 0xff);
		id[i] = rig_rule(s.left, &s.b, text);
	}
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 2 * MACS; i++) {
			const uint8_t mac[8] = {2, 0, 0, 1, (uint8_t)(i >> 8), (uint8_t)i};
			bool there = i < MACS && (!round || i % 3);

			assert_int_equal(rn_switch_may(q, m, mac), there);
		}
		for (unsigned i = 0; !round && i < MACS; i += 3)
			delete_rule(&s, id[i]);
	}
	for (unsigned i = 0; i < MACS; i++)
		if (i % 3)
			delete_rule(&s, id[i]);
	for (unsigned i = 0; i < sizeof(m->bit) / sizeof(m->bit[0]); i++)
		assert_int_equal(m->bit[i], 0);
	assert_int_equal(m->n_masks, 0);
	close_site(&s);
}

/* ---- a sender that rewrites its frames ---- */

struct flipper {
	struct rig_client *c;
	bool stop;
};

/* Destination MAC and port turn: b's, the wire's, and back. */
static void *flip(void *arg)
{
	static const uint8_t macs[2] = {0x0b, 0x77};
	struct flipper *f = arg;

	for (uint32_t i = 0; !__atomic_load_n(&f->stop, __ATOMIC_RELAXED); i++) {
		uint8_t *buffer = f->c->mem + f->c->tx.slots[i & f->c->tx.mask].off;

		__atomic_store_n(&buffer[5], macs[i / 64 % 2], __ATOMIC_RELAXED);
		__atomic_store_n(&buffer[37], 7 + i / 128 % 2, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* How many came: each is for this MAC, and for port 7 where that is all that the rule takes. */
static uint32_t check(struct rig_client *c, uint8_t last, bool port)
{
	uint32_t n = rawnet_rx_avail(&c->rx);

	for (uint32_t k = 0; k < n; k++) {
		const uint8_t *frame = c->mem + rawnet_rx_slot(&c->rx, k)->off;

		assert_int_equal(frame[5], last);
		assert_true(!port || frame[37] == 7);
	}
	take(c, n);
	return n;
}

static void flipped(void **state)
{
	struct flipper flipper = {0};
	uint64_t here = 0, there = 0, sent = 0;
	pthread_t thread;
	struct site s;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* this client races with the daemon on purpose */
#endif
	open_site(&s, false, true, 256);
	rig_rule(s.left, &s.b, "dmac 02:00:00:00:00:0b udp dport 7");
	flipper.c = &s.a;
	frame_to(&s, b_mac);
	for (uint32_t i = 0; i <= s.a.tx.mask; i++)
		memcpy(s.a.mem + s.a.tx.slots[i].off, s.frame, s.len);
	assert_int_equal(pthread_create(&thread, NULL, flip, &flipper), 0);
	while (sent < 20000 || !here || !there) {
		while (rawnet_tx_room(&s.a.tx, 1)) {
			rawnet_tx_slot(&s.a.tx, 0)->len = (uint16_t)s.len;
			rawnet_tx_fill(&s.a.tx, 1);
			sent++;
		}
		rig_flush(&s.a);
		assert_true(rig_drained(&s.a));
		rig_await(&s.b, 0);
		here += check(&s.b, 0x0b, true);
		rig_await(&s.far, 0);
		there += check(&s.far, 0x77, false);
	}
	__atomic_store_n(&flipper.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_TX_PACKETS), sent);
	assert_int_equal(port_count(s.left, RAWNET_P_LOCAL_PACKETS), here);
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), sent - here);
	print_message("%llu came to the other, %llu to the wire\n", (unsigned long long)here,
		      (unsigned long long)there);
	close_site(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_the_other),	  cmocka_unit_test(to_the_wire),
		cmocka_unit_test(switched_off),	  cmocka_unit_test(by_mac),
		cmocka_unit_test(group),	  cmocka_unit_test(policed),
		cmocka_unit_test(captured),	  cmocka_unit_test(full),
		cmocka_unit_test(sums_and_tag),	  cmocka_unit_test(segments),
		cmocka_unit_test(out_of_turn),	  cmocka_unit_test(copies),
		cmocka_unit_test(copies_at_once), cmocka_unit_test(questions),
		cmocka_unit_test(names),	  cmocka_unit_test(flipped),
	};

	return cmocka_run_group_tests_name("switch", tests, NULL, NULL);
}
