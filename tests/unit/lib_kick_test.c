/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls of the fast path: one to wake a poller that sleeps, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "lib_queue.h"

#define RING 64u

static int setup(void **state)
{
	(void)state;
	return open_queue(RING, RING, 0, 0);
}

static int setup_busy(void **state)
{
	(void)state;
	return open_queue(RING, RING, 0, RAWNET_RINGS_BUSY);
}

static int bytes_at_daemon(void)
{
	char b[8];
	int n = 0;

	while (recv(peer->q[0].wake_fd, b, sizeof(b), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

static void test_wakes_sleeping_poller(void **state)
{
	(void)state;
	send_one();
	rawnet_flush(q);
	rawnet_kick(q);
	assert_int_equal(bytes_at_daemon(), 0);
	peer->q[0].tx_ctl->sleep.daemon = 1;
	send_one();
	assert_int_equal(bytes_at_daemon(), 1);
	rawnet_flush(q);
	assert_int_equal(bytes_at_daemon(), 1);
	rawnet_kick(q);
	assert_int_equal(bytes_at_daemon(), 1);
	peer->q[0].tx_ctl->sleep.daemon = 0;
	peer->q[0].rx_ctl->sleep.daemon = 1;
	rawnet_kick(q);
	assert_int_equal(bytes_at_daemon(), 1);
	/* A full socket is no reason to block. */
	peer->q[0].tx_ctl->sleep.daemon = 1;
	for (int i = 0; i < 5000; i++)
		rawnet_kick(q);
	assert_true(bytes_at_daemon() < 5000);
}

static void test_busy_poller_is_not_woken(void **state)
{
	(void)state;
	peer->q[0].tx_ctl->sleep.daemon = 1;
	send_one();
	rawnet_flush(q);
	rawnet_kick(q);
	assert_int_equal(bytes_at_daemon(), 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* In a process where any system call but exit is death: polling, forwarding, counters. */
static void poll_without_kernel(void)
{
	uint64_t v[RAWNET_COUNTERS_SPACE];
	struct rawnet_packet p[16];
	struct rawnet_slot s;
	uint32_t n;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		syscall(SYS_exit, 2);
	for (int turn = 0; turn < 1000; turn++) {
		for (int i = 0; i < 8; i++)
			fake_deliver(peer, 0, "x", 1);
		n = rawnet_rx_burst(q, p, 16);
		for (uint32_t i = 0; i < n; i++)
			p[i].flags = 0;
		if (rawnet_tx_burst(q, p, n) != 8 || rawnet_wait(q, RAWNET_WAIT_RX, 0) != 0)
			syscall(SYS_exit, 3);
		rawnet_queue_sync(q);
		rawnet_flush(q);
		rawnet_counters(at, RAWNET_ALL_QUEUES, v);
		while (fake_take(peer, 0, &s))
			;
		fake_done(peer, 0);
	}
	syscall(SYS_exit, 0);
}

static void test_no_system_calls(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		poll_without_kernel();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}
#else
static void test_no_system_calls(void **state)
{
	(void)state;
	print_message("SKIP: the sanitizer makes system calls of its own\n");
	skip();
}
#endif

#define TEST(f, s) cmocka_unit_test_setup_teardown(f, s, close_queue)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wakes_sleeping_poller, setup),
		TEST(test_busy_poller_is_not_woken, setup_busy),
		TEST(test_no_system_calls, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
