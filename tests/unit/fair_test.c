/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promise: what one client sends costs the others bounded time, and each its share. Two senders on
 * one port, a receiver behind the cable whose ring shows in which order the poller served them.
 *
 * Seen to fail without its defence:
 *   shares    without q->weight in serve_burst(): runs of 32 where the heavy one has 96; without
 *             q->served: of a burst of 512 came 224, then the other's
 *   segments  without the budget in hwq_reserve(): 1,350 frames of one packet before the other's
 *   regranted with buckets and rights that control writes: data races that ThreadSanitizer names
 *   rests     without q->rest in rn_tx_pay(): 5,405 packets were taken where 288 are the bound
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "rig.h"
#include "turns.h"

/* "auto" is not what this tests. */
const struct rn_backend *const rn_backends[] = {NULL};

static const uint8_t from[6] = {2, 0, 0, 0, 0, 1};

struct trio {
	struct rig rig;
	struct rn_port *left, *right;
	struct rig_client a, b; /* senders */
	struct rig_client sink;
	uint8_t frame[2048];
	uint32_t len;
};

static void open_trio(struct trio *t, uint32_t ring)
{
	rig_open(&t->rig, 1, false);
	t->left = rig_port(&t->rig, "left", "right", false);
	t->right = rig_port(&t->rig, "right", "left", false);
	rig_attach(&t->rig, t->left, 8, ring, &t->a);
	rig_attach(&t->rig, t->left, 8, ring, &t->b);
	rig_attach(&t->rig, t->right, 4 * ring, 8, &t->sink);
	rig_rule(t->right, &t->sink, "udp dport 7");
	rig_rule(t->right, &t->sink, "tcp dport 7");
	t->len = rig_udp(t->frame, t->right->mac, from, 1, 2, 1000, 7, 18);
}

static void close_trio(struct trio *t)
{
	rig_detach(&t->a);
	rig_detach(&t->b);
	rig_detach(&t->sink);
	rig_close(&t->rig);
}

static void nap_ms(long ms)
{
	const struct timespec ts = {.tv_nsec = ms * 1000000};

	nanosleep(&ts, NULL);
}

/* Both publish while the poller sleeps; then it is woken: it sees all of it at once. */
static void publish_both(struct trio *t)
{
	while (!__atomic_load_n(&t->a.tx.ctl->sleep.daemon, __ATOMIC_ACQUIRE) ||
	       !__atomic_load_n(&t->b.tx.ctl->sleep.daemon, __ATOMIC_ACQUIRE))
		nap_ms(1);
	nap_ms(5); /* behind its last look */
	rawnet_ring_publish(&t->a.tx);
	rawnet_ring_publish(&t->b.tx);
	assert_int_equal(send(t->a.fd, "", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(send(t->b.fd, "", 1, MSG_NOSIGNAL), 1);
}

static void fill(struct trio *t, struct rig_client *c, uint8_t mark, uint32_t n)
{
	t->frame[42] = mark;
	while (n--)
		assert_true(rig_send(c, t->frame, t->len, 0));
}

static uint8_t mark_of(const struct rig_client *c, uint32_t k)
{
	return c->mem[rawnet_rx_slot((struct rawnet_ring *)(uintptr_t)&c->rx, k)->off + 42];
}

/* Frames of one sender in a row, from the k-th on. */
static uint32_t run_at(const struct rig_client *c, uint32_t k, uint32_t n)
{
	uint32_t end = k;

	while (end < n && mark_of(c, end) == mark_of(c, k))
		end++;
	return end - k;
}

static void check_shares(uint32_t weight)
{
	const struct rn_grant heavy = {.weight = weight};
	const uint32_t ring = 4096, total = 2 * ring;
	uint32_t longest[2] = {0}, first = 0, k;
	struct trio t;

	open_trio(&t, ring);
	rn_attachment_regrant(t.b.at, &heavy);
	fill(&t, &t.a, 0, ring);
	fill(&t, &t.b, 1, ring);
	publish_both(&t);
	assert_int_equal(rig_await(&t.sink, total), total);
	/* Behind the first bursts, and as long as both have more, runs are the bursts exactly. */
	for (k = 0; first < 4; first++)
		k += run_at(&t.sink, k, total);
	for (; k < ring;) {
		uint32_t n = run_at(&t.sink, k, total);
		uint8_t who = mark_of(&t.sink, k);

		if (k + n < ring)
			assert_int_equal(n, who ? 32 * weight : 32);
		if (n > longest[who])
			longest[who] = n;
		k += n;
	}
	assert_true(longest[0] >= 32 && longest[1] >= 32 * weight);
	close_trio(&t);
}

static void shares(void **state)
{
	(void)state;
	check_shares(1);
	check_shares(3);
	check_shares(16); /* a burst of two turns */
}

/* One packet that becomes 1,350 frames is no longer burst than others. */
static void segments(void **state)
{
	static const uint8_t tcp[20] = {3, 232, 0, 7, [12] = 0x50, 0x10};
	struct rawnet_slot *s;
	struct trio t;
	uint32_t k = 0;
	uint64_t made;

	(void)state;
	open_trio(&t, 1024);
	fill(&t, &t.b, 1, 1);
	rig_udp(t.frame, t.right->mac, from, 1, 2, 1000, 7, 1966);
	t.frame[23] = 6;
	memcpy(t.frame + 34, tcp, sizeof(tcp));
	assert_true(rig_send(&t.a, t.frame, 2008, RAWNET_TX_TSO));
	s = &t.a.tx.slots[0];
	s->len = 54 + 1350 * RAWNET_TX_MSS_MIN;
	memset(&s->u, 0, sizeof(s->u));
	s->u.tx.l2_len = 14;
	s->u.tx.l3_len = 20;
	s->u.tx.l4_len = 20;
	s->u.tx.tso_mss = RAWNET_TX_MSS_MIN;
	publish_both(&t);
	assert_int_equal(rig_await(&t.sink, 1351), 1351);
	made = rig_counter(&t.a, RAWNET_Q_TX_SW_TSO);
	assert_int_equal(made, 1350);
	while (rawnet_rx_slot(&t.sink.rx, k)->len != t.len)
		k++;
	/* Woken by the first byte alone, the poller finds the other by its looks at cold ones, of
	 * three, and bursts of who is alone are double. */
	assert_in_range(k, 0, 4 * 64);
	assert_true(rig_drained(&t.a));
	close_trio(&t);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t taken(const struct rig_client *c)
{
	return rig_counter(c, RAWNET_Q_TX_PACKETS) + rig_counter(c, RAWNET_Q_TX_DROP_RATE);
}

/* A burst is granted; what is above the rate is dropped and counted, at a bounded pace: 32 packets
 * each 50 us, whatever else the poller has to do. */
static void rests(void **state)
{
	const struct rn_grant grant = {.packet_rate = 1000};
	const uint32_t ring = 8192;
	uint64_t began, took, sent;
	struct trio t;

	(void)state;
	open_trio(&t, ring);
	rn_attachment_regrant(t.a.at, &grant);
	fill(&t, &t.a, 0, 64);
	rig_flush(&t.a);
	assert_true(rig_drained(&t.a));
	assert_int_equal(rig_counter(&t.a, RAWNET_Q_TX_PACKETS), 64);
	assert_int_equal(rig_counter(&t.a, RAWNET_Q_TX_DROP_RATE), 0);
	fill(&t, &t.a, 0, ring);
	began = now_ns();
	rig_flush(&t.a);
	rig_count_to(&t.a, RAWNET_Q_TX_DROP_RATE, 1024);
	sent = taken(&t.a) - 64;
	took = now_ns() - began;
	assert_in_range(sent, 1024, 64 + took / 50000 * 32);
	assert_true(rig_drained(&t.a));
	took = now_ns() - began;
	sent = rig_counter(&t.a, RAWNET_Q_TX_PACKETS) - 64;
	assert_in_range(sent, 1, 64 + took / 1000000 + 1);
	assert_int_equal(taken(&t.a), 64 + ring);
	close_trio(&t);
}

/* Control changes what is granted while the poller pays with it: the last one counts. */
static void regranted(void **state)
{
	static const struct rn_grant some = {.packet_rate = 1000, .byte_rate = 1000000},
				     more = {.packet_rate = 50000, .weight = 3}, all = {0};
	uint64_t sent;
	struct trio t;

	(void)state;
	open_trio(&t, 64);
	for (unsigned i = 0; i < 400; i++) {
		while (rig_send(&t.a, t.frame, t.len, 0))
			;
		rig_flush(&t.a);
		rn_attachment_regrant(t.a.at, i % 2 ? &some : &more);
	}
	rn_attachment_regrant(t.a.at, &all);
	assert_true(rig_drained(&t.a));
	fill(&t, &t.a, 0, 1); /* the burst behind that of this one is under the last grant */
	rig_flush(&t.a);
	assert_true(rig_drained(&t.a));
	sent = rig_counter(&t.a, RAWNET_Q_TX_PACKETS);
	for (unsigned i = 0; i < 10; i++) {
		fill(&t, &t.a, 0, 64);
		rig_flush(&t.a);
		assert_true(rig_drained(&t.a));
	}
	assert_int_equal(rig_counter(&t.a, RAWNET_Q_TX_PACKETS) - sent, 640);
	close_trio(&t);
}

/* A whole ring of buffers is a whole ring of frames, whoever else waits: many that wake at once all
 * get their turn. */
static void wave(void **state)
{
	enum {
		MANY = 100
	};
	static struct rig_client c[MANY];
	struct trio t;

	(void)state;
	open_trio(&t, 1024);
	for (int i = 0; i < MANY; i++)
		rig_attach(&t.rig, t.left, 8, 32, &c[i]);
	for (int i = 0; i < MANY; i++) {
		fill(&t, &c[i], 2, 32);
		rawnet_ring_publish(&c[i].tx);
	}
	for (int i = 0; i < MANY; i++)
		(void)!send(c[i].fd, "", 1, MSG_NOSIGNAL);
	assert_int_equal(rig_await(&t.sink, 32 * MANY), 32 * MANY);
	for (int i = 0; i < MANY; i++)
		rig_detach(&c[i]);
	close_trio(&t);
}

static void lengths(void **state)
{
	struct rn_turns t = {0};
	uint64_t last = 0;

	(void)state;
	for (uint64_t ns = 0; ns < 1u << 20; ns += 1 + ns / 50) {
		uint64_t most = rn_turns_most(rn_turns_step(ns));

		assert_true(most >= ns && most <= ns + ns / 4 && most >= last);
		last = most;
	}
	assert_int_equal(rn_turns_step(UINT64_MAX), RN_TURNS_STEPS - 1);
	assert_int_equal(rn_turns_quantile(&t, 990), 0);
	for (int i = 0; i < 98; i++)
		rn_turns_add(&t, 1000);
	rn_turns_add(&t, 50000);
	rn_turns_add(&t, 900000);
	assert_in_range(rn_turns_quantile(&t, 500), 1000, 1250);
	assert_in_range(rn_turns_quantile(&t, 990), 50000, 62500);
	assert_int_equal(rn_turns_quantile(&t, 1000), 900000);
	assert_int_equal(t.longest, 900000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares),    cmocka_unit_test(segments), cmocka_unit_test(rests),
		cmocka_unit_test(regranted), cmocka_unit_test(wave),	 cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests_name("fair", tests, NULL, NULL);
}
