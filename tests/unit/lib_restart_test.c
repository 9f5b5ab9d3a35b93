/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A daemon that dies and comes back: attachments, rules with their ids, copies and events are
 * restored, queues switch in their own thread, sleepers wake, losses and counters add up.
 *
 * Promise: what a program had is there again after a restart of the daemon. Seen to fail without
 * its defence: rn_flow_restore() left out (restore.c): test_rules, no rule where four are due.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib_restart.h"

/* ---- coming back ---- */

static void check_restart(void)
{
	struct rawnet_gap_info gap = {.size = sizeof(gap)};
	struct fake_attachment *a = fake_at(&fake, 0);
	uint64_t v[RAWNET_COUNTERS_SPACE];
	const uint8_t *memory = q->mem;

	works();
	assert_int_equal(rawnet_gap(rn, &gap), 0);
	assert_int_equal(gap.restarts, 0);
	a->counters->queue[0].v[RAWNET_Q_RX_PACKETS] = 100;
	a->counters->queue[1].v[RAWNET_Q_RX_PACKETS] = 11;
	/* Left in the old rings: three to send (one of two slots), two to read. */
	send_bytes("1");
	send_bytes("2");
	rawnet_tx_slot(&q->tx, 0)->flags = RAWNET_TX_MORE;
	rawnet_tx_slot(&q->tx, 1)->flags = 0;
	rawnet_tx_fill(&q->tx, 2);
	rawnet_flush(q);
	fake_deliver(a, 0, "3", 1);
	fake_deliver(a, 0, "4", 1);
	assert_int_equal(rawnet_queue_sync(q), 0);
	restart();
	assert_int_equal(gone, 1);
	assert_int_equal(why.reason, 999);
	assert_int_equal(fake_at(&fake, 0)->n_queues, 2);
	assert_int_equal(fake_count(&fake, RAWNET_MSG_ATTACH), 1);

	assert_int_equal(rawnet_queue_sync(q), 1);
	assert_int_equal(rawnet_queue_sync(q), 0);
	assert_ptr_not_equal(q->mem, memory);
	assert_int_equal(q->n_free, 64);
	works();
	assert_int_equal(rawnet_gap(rn, &gap), 0);
	assert_int_equal(gap.restarts, 1);
	assert_int_equal(gap.tx_lost, 3);
	assert_int_equal(gap.rx_lost, 2);
	assert_true(gap.last_ns > 0);
	assert_int_equal(gap.total_ns, gap.last_ns);

	/* The other queue switches by itself, in its burst. */
	assert_int_equal(rawnet_rx_burst(rawnet_queue(at, 1), NULL, 0), 0);
	assert_int_equal(rawnet_queue_sync(rawnet_queue(at, 1)), 0);
	assert_ptr_equal(rawnet_queue(at, 1)->mem, q->mem);
	fake_at(&fake, 0)->counters->queue[0].v[RAWNET_Q_RX_PACKETS] = 5;
	assert_int_equal(rawnet_counters(at, 0, v), 0);
	assert_int_equal(v[RAWNET_Q_RX_PACKETS], 105);
	assert_int_equal(rawnet_counters(at, RAWNET_ALL_QUEUES, v), 0);
	assert_int_equal(v[RAWNET_Q_RX_PACKETS], 116);
}

static void test_restart(void **state)
{
	(void)state;
	check_restart();
}

static void test_restart_alone(void **state)
{
	(void)state;
	check_restart();
}

/* While there is none: nothing is taken, what was received can be read, waits time out. */
static void test_meanwhile(void **state)
{
	struct rawnet_match match = {.size = sizeof(match)};
	struct rawnet_packet p = {.len = 60, .data = rawnet_buf_get(q)};
	uint64_t rule;

	(void)state;
	fake_deliver(fake_at(&fake, 0), 0, "last", 4);
	kill_daemon();
	wait_for(&gone, 1);
	assert_int_equal(rawnet_tx_burst(q, &p, 1), 0);
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, -1), 1);
	expect_bytes("last");
	assert_int_equal(rawnet_rx_burst(q, &p, 1), 0);
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX | RAWNET_WAIT_TX, 5), 0);
	assert_int_equal(rawnet_arm(q, RAWNET_WAIT_RX), 0);
	rawnet_disarm(q);
	rawnet_flush(q);
	assert_int_equal(rawnet_flow_add(at, &match, NULL, &rule), -ENOTCONN);
	assert_int_equal(rawnet_copies(at, 0), -ENOTCONN);
	assert_int_equal(rawnet_subscribe(rn, 1), -ENOTCONN);
	start_daemon(NULL);
	wait_for(&back, 1);
	/* The packet held over the switch is stale: lost, not sent. */
	assert_int_equal(rawnet_tx_burst(q, &p, 1), 1);
	works();
}

static void test_many_restarts(void **state)
{
	struct rawnet_gap_info gap = {.size = sizeof(gap)};
	unsigned fds;

	(void)state;
	restart();
	works();
	assert_int_equal(rawnet_queue_sync(rawnet_queue(at, 1)), 1);
	fds = open_fds();
	for (int i = 0; i < 10; i++)
		restart();
	/* Only the last of the pending mappings is used; the queues that did not look lag behind.
	 */
	works();
	assert_int_equal(rawnet_queue_sync(rawnet_queue(at, 1)), 1);
	assert_int_equal(open_fds(), fds);
	assert_int_equal(rawnet_gap(rn, &gap), 0);
	assert_int_equal(gap.restarts, 11);
}

/* ---- sleepers ---- */

static void *sleeper(void *arg)
{
	struct rawnet_packet p;
	int *n = arg;

	while (__atomic_load_n(n, __ATOMIC_RELAXED) < 2) {
		if (rawnet_wait(q, RAWNET_WAIT_RX, -1) != 1)
			abort();
		__atomic_add_fetch(n, (int)rawnet_rx_burst(q, &p, 1), __ATOMIC_RELEASE);
	}
	return NULL;
}

static void *poll_sleeper(void *arg)
{
	struct pollfd fd = {.fd = rawnet_queue_fd(q), .events = POLLIN};
	struct rawnet_packet p;
	int *n = arg;

	while (__atomic_load_n(n, __ATOMIC_RELAXED) < 2) {
		if (__atomic_add_fetch(n, (int)rawnet_rx_burst(q, &p, 1), __ATOMIC_RELEASE) == 2 ||
		    rawnet_arm(q, RAWNET_WAIT_RX) != 0)
			continue;
		if (poll(&fd, 1, -1) != 1)
			abort();
		rawnet_disarm(q);
	}
	return NULL;
}

static void sleep_over_restart(void *(*run)(void *))
{
	pthread_t t;
	int n = 0;

	pthread_create(&t, NULL, run, &n);
	fake_deliver(fake_at(&fake, 0), 0, "a", 1);
	while (!__atomic_load_n(&n, __ATOMIC_ACQUIRE))
		usleep(1000); /* a restart would take it away */
	restart();
	usleep(20000);
	fake_deliver(fake_at(&fake, 0), 0, "b", 1);
	pthread_join(t, NULL);
	assert_int_equal(n, 2);
	/* A switch inside the wait is still told. */
	assert_int_equal(rawnet_queue_sync(rawnet_queue(at, 1)), 1);
}

static void test_sleeper(void **state)
{
	(void)state;
	sleep_over_restart(sleeper);
}

static void test_poll_sleeper(void **state)
{
	(void)state;
	sleep_over_restart(poll_sleeper);
}

static void test_wait_tells_switch(void **state)
{
	(void)state;
	restart();
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, -1), 1);
	assert_int_equal(rawnet_queue_sync(q), 1);
	assert_int_equal(rawnet_queue_sync(q), 0);
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, 1), 0);
	works();
}

/* ---- rules and subscriptions ---- */

static int collect(void *arg, const void *entry)
{
	const struct rawnet_flow_info *info = entry;
	uint64_t **next = arg;

	*(*next)++ = info->rule;
	return 0;
}

static void list(uint64_t ids[16])
{
	memset(ids, 0, 16 * sizeof(*ids));
	assert_int_equal(rawnet_list_each(rn, RAWNET_MSG_FLOW_LIST, NULL,
					  sizeof(struct rawnet_flow_info), collect, &ids),
			 0);
}

static void test_rules(void **state)
{
	struct rawnet_flow_options o = {.size = sizeof(o), .flags = RAWNET_FLOW_PERSIST, .gap = 1};
	uint64_t ids[5], more, seen[16];
	struct rawnet_match m;

	(void)state;
	assert_int_equal(rawnet_subscribe(rn, RAWNET_EVENT_FLOW), 0);
	assert_int_equal(rawnet_copies(at, 3), 0);
	for (uint16_t i = 0; i < 5; i++) {
		rule(&m, 1000 + i);
		assert_int_equal(rawnet_flow_add(at, &m, i == 3 ? &o : NULL, &ids[i]), 0);
		assert_int_equal(ids[i], i + 1);
	}
	assert_int_equal(rawnet_flow_del(rn, ids[1]), 0);
	restart();
	/* In order, with their flags, on the new attachment. */
	assert_int_equal(fake.n_rules, 4);
	for (int i = 0; i < 4; i++) {
		static const uint16_t ports[] = {1000, 1002, 1003, 1004};

		assert_int_equal(fake.rules[i].req.match.dport, ports[i]);
		assert_int_equal(fake.rules[i].req.flags, i == 2 ? RAWNET_FLOW_PERSIST : 0);
		assert_int_equal(fake.rules[i].req.gap, i == 2);
		assert_int_equal(fake.rules[i].req.target.attachment,
				 rawnet_attachment_info(at)->attachment);
	}
	assert_int_equal(fake.events_mask, RAWNET_EVENT_FLOW);
	/* The program's ids are the old ones. A new rule whose id is in use gets another. */
	list(seen);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1], 3);
	assert_int_equal(seen[2], 4);
	assert_int_equal(seen[3], 5);
	rule(&m, 2000);
	assert_int_equal(rawnet_flow_add(at, &m, NULL, &more), 0);
	assert_int_equal(fake.rules[4].id, 5);
	assert_true(more > UINT32_MAX);
	assert_int_equal(rawnet_flow_del(rn, 4), 0);
	list(seen);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1], 3);
	assert_int_equal(seen[2], 5);
	assert_true(seen[3] == more);
	assert_int_equal(rawnet_flow_del(rn, 4), -ENOENT);
	assert_int_equal(rawnet_flow_del(rn, more), 0);
	restart();
	assert_int_equal(fake.n_rules, 3);
}

/* Options set by rawnet_copies() are those of the next attach; seen by the hook. */
static uint32_t copies_seen;

static void note_copies(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	(void)f;
	(void)rep;
	if (req->type == RAWNET_MSG_ATTACH)
		copies_seen = ((const struct rawnet_req_attach *)(const void *)req)->copies;
}

static void test_copies(void **state)
{
	(void)state;
	assert_int_equal(rawnet_copies(at, 2), 0);
	kill_daemon();
	start_daemon(note_copies);
	wait_for(&back, 1);
	assert_int_equal(copies_seen, 2);
}

static void refuse_second_rule(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	if (req->type == RAWNET_MSG_FLOW_ADD && f->requests[RAWNET_MSG_FLOW_ADD] == 2) {
		f->n_rules--;
		fake_refuse(rep, -EBUSY, "match: taken by another user");
	}
}

/* A rule that cannot be restored is told, and no reason to lose the others. */
static void test_lost_rule(void **state)
{
	struct rawnet_match m;
	uint64_t id;

	(void)state;
	for (uint16_t i = 0; i < 3; i++) {
		rule(&m, 1 + i);
		assert_int_equal(rawnet_flow_add(at, &m, NULL, &id), 0);
	}
	kill_daemon();
	start_daemon(refuse_second_rule);
	wait_for(&events, 1);
	wait_for(&back, 1);
	assert_int_equal(event.kind, RAWNET_EVENT_FLOW);
	assert_int_equal(event.id, 2);
	assert_string_equal(event.what, "lost");
	assert_string_equal(event.text, "match: taken by another user");
	assert_int_equal(fake_rules(&fake), 2);
	assert_int_equal(rawnet_flow_del(rn, 2), 0);
	assert_int_equal(rawnet_flow_del(rn, 2), -ENOENT);
}

static void no_port_twice(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	if (req->type != RAWNET_MSG_ATTACH || f->requests[RAWNET_MSG_ATTACH] > 2)
		return;
	rep->fds[rep->n_fds] = -1;
	fake_refuse(rep, -ENODEV, "dev: no eth0 yet");
}

static void never(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	(void)f;
	if (req->type == RAWNET_MSG_ATTACH)
		fake_refuse(rep, -EACCES, "policy: not you");
}

/* The interface is not there yet: tried again, with its rules. */
static void test_port_comes_later(void **state)
{
	struct rawnet_match m;
	uint64_t id;

	(void)state;
	rule(&m, 7);
	assert_int_equal(rawnet_flow_add(at, &m, NULL, &id), 0);
	kill_daemon();
	start_daemon(no_port_twice);
	wait_for(&back, 1);
	wait_for(&events, 1);
	assert_string_equal(event.what, "waiting");
	assert_string_equal(event.dev, "eth0");
	while (!fake_rules(&fake))
		usleep(1000);
	assert_int_equal(fake_count(&fake, RAWNET_MSG_ATTACH), 3);
	assert_int_equal(rawnet_queue_sync(q), 1);
	assert_int_equal(rawnet_flow_del(rn, id), 0);
}

/* Refused for good: the attachment ends, the connection goes on. */
static void test_attachment_refused(void **state)
{
	struct rawnet_attachment *other;

	(void)state;
	kill_daemon();
	start_daemon(never);
	wait_for(&events, 1);
	wait_for(&back, 1);
	assert_string_equal(event.what, "refused");
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, -1), -ECONNABORTED);
	assert_non_null(strstr(rawnet_error(), "policy: not you"));
	assert_int_equal(rawnet_arm(q, RAWNET_WAIT_RX), -ECONNABORTED);
	assert_int_equal(rawnet_detach(at), 0);
	fake_set_hook(&fake, NULL, NULL);
	assert_int_equal(rawnet_attach(rn, "eth1", NULL, &other), 0);
}

/* ---- all at once ---- */

/* Everything at once, for ThreadSanitizer: requests from two threads, a queue in use, counters
 * read, while the daemon dies again and again. */
static int stop;

static void *ask(void *arg)
{
	struct rawnet_match m;
	uint64_t id, v[RAWNET_COUNTERS_SPACE];

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		rule(&m, *(uint16_t *)arg);
		if (rawnet_flow_add(at, &m, NULL, &id) == 0)
			rawnet_flow_del(rn, id);
		else
			usleep(1000);
		if (rawnet_counters(at, RAWNET_ALL_QUEUES, v) || !rawnet_hello(rn) ||
		    !rawnet_attachment_info(at))
			abort();
	}
	return NULL;
}

static void *use(void *arg)
{
	struct rawnet_packet p[8];
	uint32_t n, sent;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		rawnet_wait(q, RAWNET_WAIT_RX | RAWNET_WAIT_TX, 1);
		n = rawnet_rx_burst(q, p, 8);
		for (uint32_t i = 0; i < n; i++)
			p[i].flags = 0;
		if (n == 0 && (p[0].data = rawnet_buf_get(q))) {
			p[0].len = 60;
			p[0].flags = 0;
			n = 1;
		}
		sent = rawnet_tx_burst(q, p, n);
		for (uint32_t i = sent; i < n; i++)
			rawnet_buf_put(q, p[i].data);
	}
	return NULL;
}

static void test_crowd(void **state)
{
	uint16_t ports[] = {1, 2};
	pthread_t t[3];

	(void)state;
	__atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
	pthread_create(&t[0], NULL, ask, &ports[0]);
	pthread_create(&t[1], NULL, ask, &ports[1]);
	pthread_create(&t[2], NULL, use, NULL);
	for (int i = 0; i < 15; i++) {
		usleep(5000);
		restart();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	restart();
	assert_int_equal(rawnet_queue_sync(q), 1);
	works();
}

#define TEST(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_restart, setup),
		TEST(test_restart_alone, setup_alone),
		TEST(test_meanwhile, setup),
		TEST(test_many_restarts, setup),
		TEST(test_sleeper, setup),
		TEST(test_poll_sleeper, setup),
		TEST(test_wait_tells_switch, setup),
		TEST(test_rules, setup),
		TEST(test_copies, setup),
		TEST(test_lost_rule, setup),
		TEST(test_port_comes_later, setup),
		TEST(test_attachment_refused, setup),
		TEST(test_crowd, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
