/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping and waking: time-outs, signals, arm and disarm with a poll of the program's own, and
 * many handovers between a client that always sleeps and a poller. A lost wake-up hangs the test,
 * which the alarm ends.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib_queue.h"

#define HANDOVERS 5000

static int stop;

/* The linker leads the library's calls here. */
ssize_t __real_recv(int fd, void *buf, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags);

static bool no_memory;

ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags)
{
	if (!no_memory)
		return __real_recv(fd, buf, size, flags);
	errno = ENOBUFS;
	return -1;
}

static int setup(void **state)
{
	(void)state;
	__atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
	return open_queue(64, 8, 0, 0);
}

static void take_one(void)
{
	struct rawnet_packet p;

	assert_int_equal(rawnet_rx_burst(q, &p, 1), 1);
	rawnet_buf_put(q, p.data);
}

static void test_wait(void **state)
{
	struct rawnet_slot s;

	(void)state;
	assert_int_equal(rawnet_wait(q, 0, 0), -EINVAL);
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, 0), 0);
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, 5), 0);
	assert_int_equal(peer->q[0].rx_ctl->sleep.client, 0);
	fake_deliver(peer, 0, "x", 1);
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, -1), 1);
	take_one();
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, 0), 0);
	/* tx: nothing under way is news, a packet under way is not, its return is. */
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_TX, -1), 1);
	send_one();
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_TX, 1), 0);
	send_one();
	assert_true(fake_take(peer, 0, &s));
	fake_done(peer, 0);
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_TX, -1), 1);
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_TX, 1), 0);
}

/* A wake-up that cannot be read wakes again and again. Before the deadline held whatever came, this
 * never ended. */
static void test_deadline(void **state)
{
	(void)state;
	assert_int_equal(write(peer->q[0].wake_fd, "", 1), 1);
	no_memory = true;
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, 20), 0);
	no_memory = false;
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, 1), 0);
}

static int readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0);
}

static void test_arm(void **state)
{
	(void)state;
	assert_int_equal(rawnet_arm(q, 4), -EINVAL);
	assert_int_equal(rawnet_arm(q, RAWNET_WAIT_RX), 0);
	assert_int_equal(peer->q[0].rx_ctl->sleep.client, 1);
	assert_int_equal(peer->q[0].tx_ctl->sleep.client, 0);
	assert_int_equal(readable(rawnet_queue_fd(q)), 0);
	fake_deliver(peer, 0, "x", 1);
	assert_int_equal(readable(rawnet_queue_fd(q)), 1);
	rawnet_disarm(q);
	assert_int_equal(peer->q[0].rx_ctl->sleep.client, 0);
	assert_int_equal(rawnet_arm(q, RAWNET_WAIT_RX), 1);
	assert_int_equal(peer->q[0].rx_ctl->sleep.client, 0);
	take_one();
	/* The byte of the wake-up before is gone: nothing pretends to be there. */
	assert_int_equal(rawnet_arm(q, RAWNET_WAIT_RX), 0);
	assert_int_equal(readable(rawnet_queue_fd(q)), 0);
	rawnet_disarm(q);
}

static void nothing(int signal_number)
{
	(void)signal_number;
}

static void *interrupt(void *thread)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
		usleep(1000);
	}
	return NULL;
}

static void test_signal(void **state)
{
	struct sigaction sa = {.sa_handler = nothing};
	pthread_t self = pthread_self(), t;

	(void)state;
	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&t, NULL, interrupt, &self);
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, -1), -EINTR);
	/* Requests go on through signals. */
	for (int i = 0; i < 50; i++)
		assert_int_equal(rawnet_copies(at, RAWNET_COPY_BROADCAST), 0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
}

/* The poller of the stress tests: sends every packet back, one at a time. */
static void *echo(void *arg)
{
	struct rawnet_slot s;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		if (!fake_take(peer, 0, &s)) {
			sched_yield();
			continue;
		}
		fake_done(peer, 0);
		if (!fake_deliver(peer, 0, peer->packets + s.off, s.len))
			abort();
	}
	return NULL;
}

static void sleep_in_wait(void)
{
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, -1), 1);
}

static void sleep_in_poll(void)
{
	struct pollfd p = {.fd = rawnet_queue_fd(q), .events = POLLIN};

	while (rawnet_arm(q, RAWNET_WAIT_RX) == 0) {
		assert_int_equal(poll(&p, 1, -1), 1);
		rawnet_disarm(q);
	}
}

static int epoll_fd;

/* Edge-triggered, registered once. */
static void sleep_in_epoll(void)
{
	struct epoll_event ev;

	while (rawnet_arm(q, RAWNET_WAIT_RX) == 0) {
		assert_int_equal(epoll_wait(epoll_fd, &ev, 1, -1), 1);
		rawnet_disarm(q);
	}
}

static void handovers(void (*sleep_for_rx)(void))
{
	struct rawnet_packet p;
	pthread_t t;

	pthread_create(&t, NULL, echo, NULL);
	for (uint32_t i = 0; i < HANDOVERS; i++) {
		p = (struct rawnet_packet) {.len = sizeof(i), .data = rawnet_buf_get(q)};
		memcpy(p.data, &i, sizeof(i));
		while (!rawnet_tx_burst(q, &p, 1))
			sched_yield();
		while (!rawnet_rx_burst(q, &p, 1))
			sleep_for_rx();
		assert_int_equal(p.len, sizeof(i));
		assert_memory_equal(p.data, &i, sizeof(i));
		rawnet_buf_put(q, p.data);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
}

static void test_handovers_wait(void **state)
{
	(void)state;
	handovers(sleep_in_wait);
}

static void test_handovers_poll(void **state)
{
	(void)state;
	handovers(sleep_in_poll);
}

static void test_handovers_epoll(void **state)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	(void)state;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, rawnet_queue_fd(q), &ev), 0);
	handovers(sleep_in_epoll);
	close(epoll_fd);
}

/* A full tx ring is waited for: every packet goes out, in order, though the ring has 8 slots. */
static void *drain(void *count)
{
	struct rawnet_slot s;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		if (!fake_take(peer, 0, &s)) {
			sched_yield();
			continue;
		}
		if (memcmp(peer->packets + s.off, count, sizeof(uint32_t)))
			abort();
		++*(uint32_t *)count;
		fake_done(peer, 0);
	}
	return NULL;
}

static void test_handovers_tx(void **state)
{
	struct rawnet_packet p;
	uint32_t count = 0;
	pthread_t t;

	(void)state;
	pthread_create(&t, NULL, drain, &count);
	for (uint32_t i = 0; i < 4 * HANDOVERS; i++) {
		p = (struct rawnet_packet) {.len = sizeof(i), .data = rawnet_buf_get(q)};
		memcpy(p.data, &i, sizeof(i));
		while (!rawnet_tx_burst(q, &p, 1))
			assert_int_equal(rawnet_wait(q, RAWNET_WAIT_TX, -1), 1);
	}
	while (rawnet_ring_load(&peer->q[0].tx_ctl->daemon) != 4 * HANDOVERS)
		sched_yield();
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	assert_int_equal(count, 4 * HANDOVERS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, close_queue)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wait),
		TEST(test_deadline),
		TEST(test_arm),
		TEST(test_signal),
		TEST(test_handovers_wait),
		TEST(test_handovers_poll),
		TEST(test_handovers_epoll),
		TEST(test_handovers_tx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
