/* SPDX-License-Identifier: BSD-2-Clause */
/* How a connection ends: for good, or until the daemon is back; and what a program is told. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib_restart.h"

static int setup_final(void **state)
{
	(void)state;
	return open_with(RAWNET_NO_RECONNECT);
}

static void *wait_for_end(void *arg)
{
	*(int *)arg = rawnet_wait(q, RAWNET_WAIT_RX, -1);
	return NULL;
}

static void end_with(uint32_t reason)
{
	struct rawnet_disconnect d = {.hdr = {.size = sizeof(d), .type = RAWNET_MSG_DISCONNECT},
				      .reason = reason,
				      .text = "because"};

	fake_send_all(&fake, &d, sizeof(d));
}

static void test_final(void **state)
{
	struct rawnet_match m;
	int result = 0;
	uint64_t id;
	pthread_t t;

	(void)state;
	rule(&m, 1);
	pthread_create(&t, NULL, wait_for_end, &result);
	usleep(10000);
	end_with(RAWNET_BYE_RING);
	wait_for(&gone, 1);
	pthread_join(t, NULL);
	assert_int_equal(why.reason, RAWNET_BYE_RING);
	assert_int_equal(result, -ECONNABORTED);
	assert_int_equal(rawnet_flow_add(at, &m, NULL, &id), -ECONNABORTED);
	assert_non_null(strstr(rawnet_error(), "because"));
	assert_int_equal(rawnet_process(rn), -ECONNABORTED);
	usleep(20000);
	assert_int_equal(fake_count(&fake, RAWNET_MSG_HELLO), 1);
	assert_int_equal(rawnet_detach(at), 0);
}

static void test_shutdown_comes_back(void **state)
{
	(void)state;
	end_with(RAWNET_BYE_SHUTDOWN);
	wait_for(&gone, 1);
	assert_int_equal(why.reason, RAWNET_BYE_SHUTDOWN);
	assert_string_equal(why.text, "because");
	wait_for(&back, 1);
	assert_int_equal(rawnet_queue_sync(q), 1);
	works();
}

static void test_no_reconnect(void **state)
{
	(void)state;
	kill_daemon();
	wait_for(&gone, 1);
	start_daemon(NULL);
	assert_int_equal(rawnet_process(rn), -ENOTCONN);
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, -1), -ENOTCONN);
	assert_int_equal(rawnet_copies(at, 0), -ENOTCONN);
	usleep(20000);
	assert_int_equal(fake_count(&fake, RAWNET_MSG_HELLO), 0);
	assert_int_equal(back, 0);
}

/* Without a thread, a wait ends early so that the program can process the loss. */
static void test_wait_alone(void **state)
{
	(void)state;
	kill_daemon();
	assert_int_equal(rawnet_wait(q, RAWNET_WAIT_RX, -1), 0);
	start_daemon(NULL);
	wait_for(&back, 1);
	works();
}

#define TEST(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_final, setup),
		TEST(test_shutdown_comes_back, setup),
		TEST(test_no_reconnect, setup_final),
		TEST(test_wait_alone, setup_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
