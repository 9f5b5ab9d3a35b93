/* SPDX-License-Identifier: BSD-2-Clause */
/* Bursts against a fake poller: contents, metadata, swaps, exhaustion, wrap of the indexes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib_queue.h"

#define RING   64u
#define SPARES 64u

static int setup(void **state)
{
	(void)state;
	return open_queue(RING, RING, 0, 0);
}

static int setup_stamps(void **state)
{
	(void)state;
	return open_queue(RING, RING, RAWNET_ATTACH_STAMP, 0);
}

/* Every buffer stands in exactly one place: a slot, the spares, or `held`. */
static void check_buffers(const struct rawnet_packet *held, uint32_t n_held)
{
	uint32_t n = (uint32_t)(q->mem_size / q->buf_size), total = 2 * RING + q->n_free + n_held;
	uint8_t *seen = calloc(n, 1);

	assert_int_equal(total, n);
	for (uint32_t i = 0; i < RING; i++) {
		seen[q->rx.slots[i].off / q->buf_size]++;
		seen[q->tx.slots[i].off / q->buf_size]++;
	}
	for (uint32_t i = 0; i < q->n_free; i++)
		seen[q->free_bufs[i] / q->buf_size]++;
	for (uint32_t i = 0; i < n_held; i++)
		seen[(uint32_t)(held[i].data - q->mem) / q->buf_size]++;
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(seen[i], 1);
	free(seen);
}

static void put_all(const struct rawnet_packet *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		rawnet_buf_put(q, p[i].data);
}

static void test_start(void **state)
{
	(void)state;
	assert_int_equal(peer->q[0].rx_ctl->client, RING);
	assert_int_equal(peer->q[0].tx_ctl->client, 0);
	assert_int_equal(q->n_free, SPARES);
	assert_int_equal(q->headroom, 128);
	check_buffers(NULL, 0);
}

static void test_rx(void **state)
{
	struct rawnet_packet p[32];
	char text[32];

	(void)state;
	assert_int_equal(rawnet_rx_burst(q, p, 32), 0);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "packet %d", i);
		assert_true(fake_deliver(peer, 0, text, 9));
	}
	assert_int_equal(rawnet_rx_burst(q, p, 4), 4);
	assert_int_equal(rawnet_rx_burst(q, p + 4, 28), 6);
	assert_int_equal(rawnet_rx_burst(q, p + 10, 22), 0);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "packet %d", i);
		assert_int_equal(p[i].len, 9);
		assert_memory_equal(p[i].data, text, 9);
		assert_int_equal((uint32_t)(p[i].data - q->mem) % q->buf_size, q->headroom);
	}
	check_buffers(p, 10);
	assert_int_equal(peer->q[0].rx_ctl->client, RING + 10);
	put_all(p, 10);
	check_buffers(NULL, 0);
}

static void test_rx_metadata(void **state)
{
	struct rawnet_packet p[4];
	struct rawnet_slot *s = fake_fill(peer, 0, "abcd", 4);

	(void)state;
	s->flags = RAWNET_RX_RULE | RAWNET_RX_VLAN | RAWNET_RX_HASH | RAWNET_RX_STAMP;
	s->u.rx.rule = 3;
	s->u.rx.vlan_tci = 0x2123;
	s->u.rx.hash = 0xdeadbeef;
	peer->q[0].stamps[0] = 1234567890123u;
	fake_publish(peer, 0);
	assert_int_equal(rawnet_rx_burst(q, p, 4), 1);
	assert_int_equal(p[0].flags, s->flags);
	assert_int_equal(p[0].u.rx.rule, 3);
	assert_int_equal(p[0].vlan_tci, 0x2123);
	assert_int_equal(p[0].u.rx.hash, 0xdeadbeef);
	assert_int_equal(p[0].stamp, 1234567890123u);
	put_all(p, 1);
}

/* A buffer returned unused is posted again and is no packet. */
static void test_rx_error_slot(void **state)
{
	struct rawnet_packet p[8];
	struct rawnet_slot *s;

	(void)state;
	fake_fill(peer, 0, "a", 1);
	s = fake_fill(peer, 0, "", 0);
	s->flags = RAWNET_RX_ERROR;
	fake_fill(peer, 0, "b", 1);
	fake_publish(peer, 0);
	assert_int_equal(rawnet_rx_burst(q, p, 8), 2);
	assert_int_equal(p[0].data[0], 'a');
	assert_int_equal(p[1].data[0], 'b');
	assert_int_equal(peer->q[0].rx_ctl->client, RING + 3);
	check_buffers(p, 2);
	put_all(p, 2);
}

static void test_exhaustion(void **state)
{
	struct rawnet_packet p[SPARES + RING];
	uint32_t got = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		while (fake_deliver(peer, 0, "x", 1))
			;
		got += rawnet_rx_burst(q, p + got, RING);
	}
	assert_int_equal(got, SPARES);
	assert_int_equal(q->n_free, 0);
	assert_null(rawnet_buf_get(q));
	while (fake_deliver(peer, 0, "y", 1))
		;
	assert_int_equal(rawnet_rx_burst(q, p + got, RING), 0);
	check_buffers(p, got);
	put_all(p, 5);
	assert_int_equal(rawnet_rx_burst(q, p, RING), 5);
	check_buffers(p, got);
	put_all(p, got);
	check_buffers(NULL, 0);
}

static void test_tx(void **state)
{
	struct rawnet_packet p[3] = {0};
	struct rawnet_slot s;

	(void)state;
	for (int i = 0; i < 3; i++) {
		p[i].data = rawnet_buf_get(q);
		p[i].data[0] = (uint8_t)i;
		p[i].len = 60 + (uint32_t)i;
	}
	p[1].flags = RAWNET_TX_TSO | RAWNET_TX_VLAN | RAWNET_TX_MORE;
	p[1].vlan_tci = 77;
	p[1].u.tx.l2_len = 14;
	p[1].u.tx.l3_len = 20;
	p[1].u.tx.l4_len = 32;
	p[1].u.tx.tso_mss = 1448;
	p[2].len = 65536 + 64;
	assert_int_equal(rawnet_tx_burst(q, p, 3), 3);
	for (int i = 0; i < 3; i++) {
		assert_true(fake_take(peer, 0, &s));
		assert_int_equal(peer->packets[s.off], i);
		assert_int_equal(s.len, i == 2 ? 65535 : 60 + i);
		assert_int_equal(s.flags, i == 1 ? RAWNET_TX_TSO | RAWNET_TX_VLAN : 0);
		assert_int_equal(s.u.tx.reserved, 0);
		if (i != 1)
			continue;
		assert_int_equal(s.u.tx.l2_len, 14);
		assert_int_equal(s.u.tx.l3_len, 20);
		assert_int_equal(s.u.tx.l4_len, 32);
		assert_int_equal(s.u.tx.tso_mss, 1448);
		assert_int_equal(s.u.tx.vlan_tci, 77);
	}
	assert_false(fake_take(peer, 0, &s));
	check_buffers(NULL, 0);
}

static void test_tx_full(void **state)
{
	struct rawnet_packet p = {.len = 60};
	struct rawnet_slot s;
	uint32_t sent = 0;

	(void)state;
	for (;;) {
		p.data = rawnet_buf_get(q);
		if (!rawnet_tx_burst(q, &p, 1))
			break;
		sent++;
	}
	assert_int_equal(sent, RING);
	check_buffers(&p, 1);
	for (int i = 0; i < 7; i++)
		assert_true(fake_take(peer, 0, &s));
	fake_done(peer, 0);
	assert_int_equal(rawnet_tx_burst(q, &p, 1), 1);
	check_buffers(NULL, 0);
}

/* A pointer outside packet memory (from before a restart) is a lost packet, nothing worse. */
static void test_tx_stale(void **state)
{
	struct rawnet_gap_info gap = {.size = sizeof(gap)};
	static uint8_t elsewhere[64];
	struct rawnet_packet p[2] = {{.data = elsewhere, .len = 60}, {.len = 60}};
	struct rawnet_slot s;

	(void)state;
	p[1].data = rawnet_buf_get(q);
	assert_int_equal(rawnet_tx_burst(q, p, 2), 2);
	assert_true(fake_take(peer, 0, &s));
	assert_false(fake_take(peer, 0, &s));
	rawnet_buf_put(q, elsewhere);
	check_buffers(NULL, 0);
	assert_int_equal(rawnet_gap(rn, &gap), 0);
	assert_int_equal(gap.tx_lost, 1);
}

/* A buffer given back twice must not run over the list of spares. */
static void test_double_put(void **state)
{
	struct rawnet_packet p = {.len = 60};

	(void)state;
	p.data = rawnet_buf_get(q);
	for (int i = 0; i < 1000; i++)
		rawnet_buf_put(q, p.data);
	assert_int_equal(q->n_free, q->mem_size / q->buf_size);
	assert_int_equal(rawnet_tx_burst(q, &p, 1), 0);
}

static void start_at(uint32_t index)
{
	struct fake_queue *f = &peer->q[0];

	/* As if `index` packets had gone each way: all slots are where they were. */
	f->rx_daemon = f->tx_daemon = index;
	f->rx_ctl->daemon = f->tx_ctl->daemon = index;
	f->rx_ctl->client = q->rx.client = index + RING;
	f->tx_ctl->client = q->tx.client = index;
	q->rx.taken = q->rx.daemon = q->tx.daemon = index;
}

/* Forwarding by swaps, in place and by burst, over the wrap of the indexes. */
static void forward(uint32_t start, bool in_place)
{
	struct rawnet_packet p[16];
	struct rawnet_slot s;
	uint32_t in = 0, out = 0, n, sent;

	start_at(start);
	for (int turn = 0; turn < 200; turn++) {
		for (int i = 0; i < 11; i++)
			in += fake_deliver(peer, 0, &(uint32_t) {in}, sizeof(in));
		if (in_place) {
			n = rawnet_rx_avail(&q->rx);
			if (n > rawnet_tx_room(&q->tx, n))
				n = rawnet_tx_room(&q->tx, n);
			for (uint32_t k = 0; k < n; k++) {
				struct rawnet_slot *rx = rawnet_rx_slot(&q->rx, k);
				struct rawnet_slot *tx = rawnet_tx_slot(&q->tx, k);
				uint32_t off = tx->off;

				*tx = (struct rawnet_slot) {.off = rx->off, .len = rx->len};
				rx->off = off;
			}
			rawnet_rx_release(&q->rx, n);
			rawnet_tx_fill(&q->tx, n);
			rawnet_flush(q);
		} else {
			n = rawnet_rx_burst(q, p, 16);
			for (uint32_t i = 0; i < n; i++)
				p[i].flags = 0;
			sent = rawnet_tx_burst(q, p, n);
			put_all(p + sent, n - sent);
			assert_int_equal(sent, n);
		}
		for (; fake_take(peer, 0, &s); out++) {
			assert_int_equal(s.len, sizeof(out));
			assert_memory_equal(peer->packets + s.off, &out, sizeof(out));
		}
		fake_done(peer, 0);
		check_buffers(NULL, 0);
	}
	assert_int_equal(in, 2200);
	assert_int_equal(out, 2200);
}

static void test_forward(void **state)
{
	(void)state;
	forward(0, false);
}

static void test_forward_wrap(void **state)
{
	(void)state;
	forward(UINT32_MAX - 1000 - (UINT32_MAX - 1000) % RING, false);
}

static void test_forward_in_place_wrap(void **state)
{
	(void)state;
	forward(UINT32_MAX - 500 - (UINT32_MAX - 500) % RING, true);
}

static void test_counters(void **state)
{
	uint64_t v[RAWNET_COUNTERS_SPACE];

	(void)state;
	peer->counters->queue[0].v[RAWNET_Q_RX_PACKETS] = 5;
	assert_int_equal(rawnet_counters(at, 0, v), 0);
	assert_int_equal(v[RAWNET_Q_RX_PACKETS], 5);
	assert_int_equal(rawnet_counters(at, RAWNET_ALL_QUEUES, v), 0);
	assert_int_equal(v[RAWNET_Q_RX_PACKETS], 5);
	assert_int_equal(rawnet_counters(at, 1, v), -22);
	assert_string_equal(rawnet_queue_counter_info(RAWNET_Q_TX_BYTES)->name, "tx_bytes");
	assert_null(rawnet_queue_counter_info(RAWNET_Q_COUNT));
	assert_string_equal(rawnet_port_counter_info(RAWNET_P_TX_KICKS)->unit, "calls");
	assert_null(rawnet_port_counter_info(RAWNET_P_COUNT));
}

#define TEST(f, s) cmocka_unit_test_setup_teardown(f, s, close_queue)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_start, setup),
		TEST(test_rx, setup),
		TEST(test_rx_metadata, setup_stamps),
		TEST(test_rx_error_slot, setup),
		TEST(test_exhaustion, setup),
		TEST(test_tx, setup),
		TEST(test_tx_full, setup),
		TEST(test_tx_stale, setup),
		TEST(test_double_put, setup),
		TEST(test_forward, setup),
		TEST(test_forward_wrap, setup),
		TEST(test_forward_in_place_wrap, setup),
		TEST(test_counters, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
