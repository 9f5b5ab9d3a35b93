/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies of broadcast and multicast over a veth pair, with a delivery that only remembers.
 *
 * Promise: copies have a rate, and are only of what came to a group. Seen to fail without its
 * defence: rate, with pay() that always pays or tokens that gather without end: 30 where 11 are
 * due; kinds, with a filter that lets all through: 4 frames where 1 was due.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "attachment.h"
#include "backend/backend.h"
#include "copies.h"
#include "net_frames.h"
#include "net_stubs.h"
#include "poller.h"

#define MARK 0x88b5 /* ethertype for experiments */

static uint64_t now = 1000000000;
static struct got {
	struct rn_queue *q;
	uint8_t data[2048];
	uint32_t len;
	int tci;
	uint16_t flags;
	bool completed;
	uint64_t stamp;
} got[600];
static unsigned n_got;

static struct rn_queue queues[2];
static struct rn_attachment at[2];
static struct rn_subscribers *subscribers;
static struct rn_hwq hwq;
static struct rn_copies *copies;
static int peer;

uint64_t rn_poller_now(struct rn_poller *poller)
{
	(void)poller;
	return now;
}

bool rn_deliver_to(struct rn_queue *q, const struct rn_frame *f, uint32_t index)
{
	struct got *g = &got[n_got++];

	assert_true(n_got <= 600);
	assert_int_equal(index, RN_NO_INDEX);
	assert_int_equal(f->n_pieces, 1);
	assert_int_equal(f->piece[0].len, f->len);
	g->q = q;
	memcpy(g->data, f->piece[0].data, f->len);
	g->len = f->len;
	g->tci = f->tci;
	g->flags = f->flags;
	g->completed = f->completed;
	g->stamp = f->stamp;
	return true;
}

static int setup(void **state)
{
	(void)state;
	if (pair_make() || port_make())
		return -1;
	subscribers = calloc(1, sizeof(*subscribers) + 2 * sizeof(subscribers->at[0]));
	subscribers->n = 2;
	for (int i = 0; i < 2; i++) {
		at[i] = (struct rn_attachment) {.queue = &queues[i], .n_queues = 1};
		subscribers->at[i] = &at[i];
	}
	at[0].copies = RAWNET_COPY_BROADCAST | RAWNET_COPY_MULTICAST;
	at[1].copies = RAWNET_COPY_MULTICAST;
	port.subscribers = subscribers;
	hwq.counters = &port_counters;
	hwq.port = &port;
	n_got = 0;
	peer = raw_open("net1");
	return peer < 0 || rn_copies_open(&port, &copies, NULL);
}

static int teardown(void **state)
{
	(void)state;
	rn_copies_close(copies);
	close(peer);
	free(subscribers);
	return pair_drop();
}

static uint32_t frame(uint8_t *f, const char *dst, int tags, uint16_t tpid, uint32_t payload)
{
	struct want w = {.tags = tags, .ethertype = MARK, .payload = payload, .tci = {0x2007}};

	w.tpid[0] = tpid;
	sscanf(dst, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &w.dmac[0], &w.dmac[1], &w.dmac[2], &w.dmac[3],
	       &w.dmac[4], &w.dmac[5]);
	memcpy(w.smac, "\x02\0\0\0\0\x20", 6);
	return frame_build(f, &w);
}

static void send_frame(int fd, const uint8_t *f, uint32_t len)
{
	assert_int_equal(send(fd, f, len, 0), len);
}

static void kinds(void **state)
{
	uint8_t b[200], m[200], u[200], out[200];
	uint32_t len;
	int own = raw_open("net0");

	(void)state;
	assert_int_equal(rn_copies_run(copies, &hwq, 32), 0);
	assert_false(rn_copies_ready(copies));
	len = frame(b, "ff:ff:ff:ff:ff:ff", 0, 0, 100);
	send_frame(peer, b, len);
	frame(m, "33:33:00:00:00:fb", 0, 0, 100);
	send_frame(peer, m, len);
	frame(u, "02:00:00:00:00:10", 0, 0, 100); /* to the host */
	send_frame(peer, u, len);
	frame(u, "02:00:00:00:00:11", 0, 0, 100); /* to somebody else */
	send_frame(peer, u, len);
	frame(out, "ff:ff:ff:ff:ff:ff", 0, 0, 100); /* what the host sends */
	send_frame(own, out, len);
	assert_true(rn_copies_ready(copies));
	assert_int_equal(rn_copies_run(copies, &hwq, 1), 1);
	assert_int_equal(rn_copies_run(copies, &hwq, 32), 1);
	assert_false(rn_copies_ready(copies));
	assert_int_equal(n_got, 3);
	assert_ptr_equal(got[0].q, &queues[0]);
	assert_int_equal(got[0].len, len);
	assert_memory_equal(got[0].data, b, len);
	assert_int_equal(got[0].tci, -1);
	assert_int_equal(got[0].flags, RAWNET_RX_COPY);
	assert_false(got[0].completed);
	assert_true(got[0].stamp > 1000000000u);
	assert_ptr_equal(got[1].q, &queues[0]);
	assert_ptr_equal(got[2].q, &queues[1]);
	assert_memory_equal(got[1].data, m, len);
	assert_memory_equal(got[2].data, m, len);
	assert_int_equal(port_counters.v[RAWNET_P_COPY_PACKETS], 2);
	assert_int_equal(port_counters.v[RAWNET_P_COPY_DROP], 0);
	close(own);
}

static void nobody(void **state)
{
	uint8_t b[200];

	(void)state;
	port.subscribers = NULL;
	send_frame(peer, b, frame(b, "ff:ff:ff:ff:ff:ff", 0, 0, 100));
	assert_int_equal(rn_copies_run(copies, &hwq, 32), 1);
	assert_int_equal(n_got, 0);
}

static void tags(void **state)
{
	uint8_t b[200], plain[200];
	uint32_t len;

	(void)state;
	len = frame(b, "ff:ff:ff:ff:ff:ff", 1, 0x8100, 100);
	send_frame(peer, b, len);
	memcpy(plain, b, 12);
	memcpy(plain + 12, b + 16, len - 16);
	assert_int_equal(rn_copies_run(copies, &hwq, 32), 1);
	assert_int_equal(got[0].tci, 0x2007);
	assert_int_equal(got[0].len, len - 4);
	assert_memory_equal(got[0].data, plain, len - 4);
	len = frame(b, "ff:ff:ff:ff:ff:ff", 1, 0x88a8, 100);
	send_frame(peer, b, len);
	assert_int_equal(rn_copies_run(copies, &hwq, 32), 1);
	assert_int_equal(got[1].tci, -1);
	assert_int_equal(got[1].len, len);
	assert_memory_equal(got[1].data, b, len);
}

static void largest(void **state)
{
	uint8_t b[2000];
	uint32_t len = frame(b, "ff:ff:ff:ff:ff:ff", 1, 0x88a8, 1496);

	(void)state;
	send_frame(peer, b, len);
	assert_int_equal(rn_copies_run(copies, &hwq, 32), 1);
	assert_int_equal(got[0].len, len);
	assert_memory_equal(got[0].data, b, len);
}

/* More than the ring holds: what does not fit is counted, and the ring goes on after it. */
static void overrun(void **state)
{
	uint8_t b[200];
	uint32_t len = frame(b, "ff:ff:ff:ff:ff:ff", 0, 0, 100);
	unsigned n = 0;

	(void)state;
	for (int i = 0; i < 400; i++)
		send_frame(peer, b, len);
	while (rn_copies_ready(copies))
		n += rn_copies_run(copies, &hwq, 32);
	assert_int_equal(n, 256);
	assert_int_equal(n_got, 256);
	assert_int_equal(port_counters.v[RAWNET_P_COPY_DROP], 400 - 256); /* whatever comes later */
	now += 1000000000;
	for (int i = 0; i < 10; i++)
		send_frame(peer, b, len);
	assert_int_equal(rn_copies_run(copies, &hwq, 32), 10);
	assert_int_equal(port_counters.v[RAWNET_P_COPY_DROP], 400 - 256);
}

static void rate(void **state)
{
	uint8_t b[200];
	uint32_t len = frame(b, "ff:ff:ff:ff:ff:ff", 0, 0, 100);

	(void)state;
	rn_copies_close(copies);
	port.config.copy_rate = 100; /* bursts of 11 */
	assert_int_equal(rn_copies_open(&port, &copies, NULL), 0);
	now += 1000000000;
	for (int i = 0; i < 30; i++)
		send_frame(peer, b, len);
	assert_int_equal(rn_copies_run(copies, &hwq, 32), 30);
	assert_int_equal(n_got, 11);
	assert_int_equal(port_counters.v[RAWNET_P_COPY_DROP], 19);
	now += 20000000; /* two more */
	for (int i = 0; i < 5; i++)
		send_frame(peer, b, len);
	assert_int_equal(rn_copies_run(copies, &hwq, 32), 5);
	assert_int_equal(n_got, 13);
	for (int i = 0; i < 20; i++) { /* turns shorter than a token do not lose it */
		now += 1000000;
		send_frame(peer, b, len);
		rn_copies_run(copies, &hwq, 32);
	}
	assert_int_equal(n_got, 15);
}

/* A local sender leaves the checksum of a multicast datagram to the device. */
static void completed(void **state)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(5353)};
	struct want w = {.version = 4, .proto = 17, .l3 = 14, .l4 = 34};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(
		sh("ip addr add 10.0.0.2/24 dev net1 && ip route add 239.0.0.0/8 dev net1"), 0);
	inet_pton(AF_INET, "239.1.2.3", &to.sin_addr);
	assert_int_equal(sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	assert_int_equal(rn_copies_run(copies, &hwq, 1), 1);
	w.end = got[0].len;
	assert_int_equal(w.end, 14 + 20 + 8 + 5);
	assert_true(got[0].completed);
	assert_true(slow_l4_ok(got[0].data, &w));
	close(fd);
}

static void down_and_up(void **state)
{
	struct pollfd pfd = {.fd = rn_copies_fd(copies), .events = POLLIN};
	uint8_t b[200];
	uint32_t len = frame(b, "ff:ff:ff:ff:ff:ff", 0, 0, 100);

	(void)state;
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(sh("ip link set net0 down"), 0);
	assert_int_equal(poll(&pfd, 1, 1000), 1); /* the error of a dead interface */
	assert_false(rn_copies_ready(copies));
	assert_int_equal(poll(&pfd, 1, 0), 0); /* no longer wakes */
	assert_int_equal(sh("ip link set net0 up"), 0);
	assert_false(rn_copies_ready(copies));
	/* What the peer sends before Linux has seen that its link is up again is dropped. */
	for (int i = 0; i < 100 && !poll(&pfd, 1, 100); i++)
		send_frame(peer, b, len);
	assert_int_equal(rn_copies_run(copies, &hwq, 1), 1);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	send_frame(peer, b, len);
	assert_int_equal(poll(&pfd, 1, 5000), 1);
}

static void gone_and_back(void **state)
{
	uint8_t b[200];
	uint32_t len = frame(b, "ff:ff:ff:ff:ff:ff", 0, 0, 100);

	(void)state;
	assert_int_equal(pair_drop(), 0);
	assert_int_equal(pair_make(), 0);
	assert_false(rn_copies_ready(copies));
	port.ifindex = if_nametoindex("net0");
	assert_int_equal(rn_copies_rebind(copies, NULL), 0);
	close(peer);
	peer = raw_open("net1");
	send_frame(peer, b, len);
	assert_int_equal(rn_copies_run(copies, &hwq, 1), 1);
}

static void no_interface(void **state)
{
	struct rn_copies *other;
	struct rn_err err = {0};
	uint32_t ifindex = port.ifindex;

	(void)state;
	port.ifindex = 0x7ffffff0;
	assert_int_equal(rn_copies_open(&port, &other, &err), -ENODEV);
	assert_non_null(strstr(err.text, "net0"));
	port.ifindex = ifindex;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(tags, setup, teardown),
		cmocka_unit_test_setup_teardown(largest, setup, teardown),
		cmocka_unit_test_setup_teardown(overrun, setup, teardown),
		cmocka_unit_test_setup_teardown(rate, setup, teardown),
		cmocka_unit_test_setup_teardown(completed, setup, teardown),
		cmocka_unit_test_setup_teardown(down_and_up, setup, teardown),
		cmocka_unit_test_setup_teardown(gone_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(no_interface, setup, teardown),
	};

	sandbox();
	return cmocka_run_group_tests_name("copies", tests, NULL, NULL);
}
