/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data path between two clients over loop ports: delivery, chains, wrap-around of rings,
 * sleeping and waking, attachments that come and go under traffic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

#include "rig_pair.h"
#include "steer.h"

static void delivers(void **state)
{
	struct pair p;
	struct rawnet_slot *s;

	(void)state;
	open_pair(&p, false, 64);
	for (int i = 0; i < 10; i++)
		assert_true(rig_send(&p.a, p.frame, p.len, 0));
	rig_flush(&p.a);
	assert_int_equal(rig_await(&p.b, 10), 10);
	for (uint32_t k = 0; k < 10; k++) {
		s = rawnet_rx_slot(&p.b.rx, k);
		assert_int_equal(s->len, p.len);
		assert_memory_equal(p.b.mem + s->off, p.frame, p.len);
		assert_true(s->off % p.b.buf_size >= p.b.at->headroom);
		assert_int_equal(s->off % 64, 0);
		assert_true(s->flags & RAWNET_RX_RULE);
		assert_int_equal(s->u.rx.rule, 0);
		assert_false(s->flags & (RAWNET_RX_L3_OK | RAWNET_RX_L4_OK));
	}
	assert_true(rig_drained(&p.a));
	assert_int_equal(rig_counter(&p.a, RAWNET_Q_TX_PACKETS), 10);
	assert_int_equal(rig_counter(&p.b, RAWNET_Q_RX_PACKETS), 10);
	assert_int_equal(rig_counter(&p.b, RAWNET_Q_RX_BYTES), 10 * p.len);
	close_pair(&p);
}

/* Many times around both rings, contents in order. */
static void wraps(void **state)
{
	const uint32_t total = 5000;
	uint32_t sent = 0, got = 0;
	struct pair p;

	(void)state;
	open_pair(&p, false, 64);
	while (got < total) {
		while (sent < total && sent - got < 48) {
			memcpy(p.frame + 42, &sent, 4);
			if (!rig_send(&p.a, p.frame, p.len, 0))
				break;
			sent++;
		}
		rig_flush(&p.a);
		assert_true(rig_await(&p.b, 1) > 0);
		for (; rawnet_rx_avail(&p.b.rx); got++) {
			uint32_t number;

			memcpy(&number, p.b.mem + rawnet_rx_slot(&p.b.rx, 0)->off + 42, 4);
			assert_int_equal(number, got);
			rawnet_rx_release(&p.b.rx, 1);
		}
		rawnet_ring_publish(&p.b.rx);
	}
	close_pair(&p);
}

static void drops_when_full(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, false, 8);
	for (int i = 0; i < 20; i++)
		rig_send(&p.a, p.frame, p.len, 0);
	rig_flush(&p.a);
	assert_int_equal(rig_count_to(&p.b, RAWNET_Q_RX_DROP_FULL, 12), 12);
	assert_int_equal(rig_await(&p.b, 8), 8);
	close_pair(&p);
}

static void gathers_chains(void **state)
{
	struct pair p;
	struct rawnet_slot *s;

	(void)state;
	open_pair(&p, false, 64);
	memcpy(p.a.mem, p.frame, p.len);
	for (uint32_t k = 0; k < 3; k++) {
		s = rawnet_tx_slot(&p.a.tx, k);
		s->off = k * 20;
		s->len = (uint16_t)(k < 2 ? 20 : p.len - 40);
		s->flags = k < 2 ? RAWNET_TX_MORE : 0;
	}
	rawnet_tx_fill(&p.a.tx, 3);
	rig_flush(&p.a);
	assert_int_equal(rig_await(&p.b, 1), 1);
	s = rawnet_rx_slot(&p.b.rx, 0);
	assert_int_equal(s->len, p.len);
	assert_memory_equal(p.b.mem + s->off, p.frame, p.len);
	close_pair(&p);
}

/* ---- sleeping ---- */

struct waiter {
	struct pair *p;
	uint32_t total, got;
};

static void *wait_and_read(void *arg)
{
	struct waiter *w = arg;
	struct rig_client *c = &w->p->b;
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
	char bytes[256];

	while (w->got < w->total) {
		uint32_t n = rawnet_rx_avail(&c->rx);

		if (n) {
			__atomic_add_fetch(&w->got, n, __ATOMIC_RELAXED);
			rawnet_rx_release(&c->rx, n);
			rawnet_ring_publish(&c->rx);
			continue;
		}
		while (recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			;
		if (!rawnet_ring_arm(&c->rx) && poll(&pfd, 1, 20000) <= 0)
			break; /* a wake-up was lost */
		rawnet_ring_disarm(&c->rx);
	}
	return NULL;
}

/* One packet at a time between sleepers: the sender sleeps on its tx ring, the receiver on its rx
 * ring, the poller between them. A lost wake-up is a time-out. */
static void loses_no_wakeup(void **state)
{
	struct waiter w = {.total = 3000};
	struct pair p;
	pthread_t thread;

	(void)state;
	open_pair(&p, false, 64);
	w.p = &p;
	pthread_create(&thread, NULL, wait_and_read, &w);
	for (uint32_t i = 0; i < w.total; i++) {
		/* A receiver that is not scheduled for a while must not lose packets by it. */
		for (int k = 0; i - __atomic_load_n(&w.got, __ATOMIC_RELAXED) > 48 && k < 400000;
		     k++)
			usleep(50);
		assert_true(rig_send(&p.a, p.frame, p.len, 0));
		rig_flush(&p.a);
		if (i % 16 == 0)
			usleep(i % 7 * 30);
		assert_true(rig_drained(&p.a) || i % 16);
	}
	pthread_join(thread, NULL);
	assert_int_equal(w.got, w.total);
	close_pair(&p);
}

/* Clients come and go while another pair moves packets: nothing is lost, nothing is left. */
static void churns(void **state)
{
	struct rawnet_poller_info info;
	uint64_t ran;
	struct pair p;
	uint32_t sent = 0;

	(void)state;
	open_pair(&p, true, 64);
	for (int round = 0; round < 100; round++) {
		struct rig_client c;

		rig_attach(&p.rig, p.left, 8, 8, &c);
		assert_true(rig_send(&p.a, p.frame, p.len, 0));
		rig_flush(&p.a);
		sent++;
		rig_send(&c, p.frame, p.len, 0);
		rig_flush(&c);
		rig_detach(&c); /* with a packet in flight */
		while (rig_await(&p.b, 1) && rawnet_rx_avail(&p.b.rx)) {
			rawnet_rx_release(&p.b.rx, rawnet_rx_avail(&p.b.rx));
			rawnet_ring_publish(&p.b.rx);
			break;
		}
	}
	assert_true(rig_drained(&p.a));
	assert_int_equal(rig_counter(&p.a, RAWNET_Q_TX_PACKETS), sent);
	assert_int_equal(rig_counter(&p.b, RAWNET_Q_RX_DROP_FULL), 0);
	rn_poller_info(p.rig.poller[0], &info);
	assert_int_equal(info.queues, 2);
	assert_true(rn_poller_alive(p.rig.poller[0], &ran));
	close_pair(&p);
}

/* ---- frames one after the other (struct rn_burst) ---- */

#define FRAMES 400u

/* In runs and singly: to port 7, to port 8, to nobody; the length follows from the port and number.
 */
static uint32_t burst_frame(const struct rn_port *port, uint32_t i, uint8_t *frame)
{
	uint16_t dport = (uint16_t)(i < 200 ? 7 + i % 3 : 7 + i / 40 % 3);

	return rig_udp(frame, port->mac, from, 1, 2, 1000, dport, 18 + i % 5 * 100);
}

static void write_frames(struct rn_port *like, const char *path)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	pcap_dumper_t *out = pcap_dump_open(pcap, path);
	uint8_t frame[2048];

	assert_non_null(out);
	for (uint32_t i = 0; i < FRAMES; i++) {
		struct pcap_pkthdr h = {0};

		h.len = h.caplen = burst_frame(like, i, frame);
		pcap_dump((u_char *)out, &h, frame);
	}
	pcap_dump_close(out);
	pcap_close(pcap);
}

/* Everything of the client's ring, checked and given back: how many. */
static uint32_t read_all(struct rig_client *c, uint16_t dport)
{
	uint32_t n = rawnet_rx_avail(&c->rx);

	for (uint32_t k = 0; k < n; k++) {
		const struct rawnet_slot *s = rawnet_rx_slot(&c->rx, k);
		const uint8_t *f = c->mem + s->off;

		if (s->flags & RAWNET_RX_ERROR)
			continue;
		assert_int_equal(s->flags, RAWNET_RX_RULE);
		assert_int_equal(s->u.rx.rule, 0);
		assert_int_equal(f[36] << 8 | f[37], dport);
		assert_int_equal(f[16] << 8 | f[17], s->len - 14);
	}
	rawnet_rx_release(&c->rx, n);
	rawnet_ring_publish(&c->rx);
	return n;
}

static uint64_t all_of(const struct rig_client *c)
{
	return rig_counter(c, RAWNET_Q_RX_PACKETS) + rig_counter(c, RAWNET_Q_RX_DROP_FULL) +
	       rig_counter(c, RAWNET_Q_RX_DROP_SLOT);
}

static void bursts(void **state)
{
	char path[] = "/tmp/rawnet-data-test.XXXXXX";
	int fd = mkstemp(path);
	struct rn_port *port, *like;
	uint32_t at_a = 0, at_b = 0;
	const uint64_t *v;
	struct rig rig;
	struct rig_client a, b;
	struct rn_rule *rule;

	(void)state;
	rig_open(&rig, 1, true);
	like = rig_port(&rig, "source", "sink", false); /* its name makes its address */
	write_frames(like, path);
	rig_close(&rig);
	rig_open(&rig, 1, true);
	port = rig_source(&rig, "source", path);
	rig_attach(&rig, port, 1024, 64, &a);
	rig_attach(&rig, port, 64, 64, &b);
	rawnet_rx_slot(&b.rx, 3)->off = UINT32_MAX; /* no buffer of its memory */
	rig_rule(port, &a, "udp dport 7");
	rig_rule(port, &b, "udp dport 8");
	while (at_a < 20000 || at_b < 2000) {
		at_a += read_all(&a, 7);
		at_b += read_all(&b, 8);
	}
	while ((rule = rn_steer_next(port->steer, NULL)))
		rn_steer_del(port->steer, rule);
	synchronize_rcu(); /* the turns that knew the rules are over */
	at_a += read_all(&a, 7);
	at_b += read_all(&b, 8);
	v = port->hwq[0]->counters->v;
	assert_int_equal(rig_counter(&a, RAWNET_Q_RX_PACKETS), at_a);
	assert_true(rig_counter(&b, RAWNET_Q_RX_DROP_SLOT) > 0);
	assert_int_equal(rig_counter(&b, RAWNET_Q_RX_PACKETS) +
				 rig_counter(&b, RAWNET_Q_RX_DROP_SLOT),
			 at_b);
	assert_int_equal(v[RAWNET_P_RX_PACKETS], all_of(&a) + all_of(&b));
	assert_true(v[RAWNET_P_RX_UNMATCHED] > 0);
	rig_detach(&a);
	rig_detach(&b);
	rig_close(&rig);
	close(fd);
	unlink(path);
}

/* ---- the flow that is remembered (struct rn_last) ---- */

/* Sends the pair's frame once more, which `to` must get as its packet number n. */
static void goes_to(struct pair *p, struct rig_client *to, uint32_t n)
{
	assert_true(rig_send(&p->a, p->frame, p->len, 0));
	rig_flush(&p->a);
	assert_int_equal(rig_await(to, n), n);
}

/* A flow is looked up once; whatever changes whose it is makes it looked up again: a rule of a
 * better shape, its end, the rule's move, the end of all. Seen to fail without note_change() in
 * show() of steer.c: the flow stayed with the old rule. */
static void remembers_flows(void **state)
{
	struct rig_client c;
	struct rn_rule *rule;
	struct rn_err err;
	struct pair p;

	(void)state;
	open_pair(&p, true, 64);
	rig_attach(&p.rig, p.right, 64, 64, &c);
	goes_to(&p, &p.b, 1);
	goes_to(&p, &p.b, 2);
	rule = rn_steer_find(p.right->steer, rig_rule(p.right, &c, "udp dst 10.0.0.2 dport 7"));
	goes_to(&p, &c, 1);
	goes_to(&p, &c, 2);
	rn_steer_del(p.right->steer, rule);
	goes_to(&p, &p.b, 3);
	rule = rn_steer_next(p.right->steer, NULL);
	assert_int_equal(rn_steer_move(p.right->steer, rule, c.at, &err), 0);
	goes_to(&p, &c, 3);
	rn_steer_del(p.right->steer, rule);
	assert_true(rig_send(&p.a, p.frame, p.len, 0));
	rig_flush(&p.a);
	assert_true(rig_drained(&p.a));
	assert_int_equal(p.right->hwq[0]->counters->v[RAWNET_P_RX_UNMATCHED], 1);
	rig_detach(&c);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivers),	   cmocka_unit_test(wraps),
		cmocka_unit_test(drops_when_full), cmocka_unit_test(gathers_chains),
		cmocka_unit_test(loses_no_wakeup), cmocka_unit_test(churns),
		cmocka_unit_test(bursts),	   cmocka_unit_test(remembers_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
