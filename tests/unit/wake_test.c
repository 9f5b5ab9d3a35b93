/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping and waking under stress: clients that sleep until their answer comes and a poller that
 * sleeps whenever it has nothing to do, one packet under way at a time, so that a wake-up that is
 * lost is never made up for by another: the test would stand still. Pauses around the time that a
 * poller spins make it sleep at every moment. tests/model-check has the argument.
 *
 * Promise: no wake-up is lost. Seen to fail without its defence, a client slept for ever:
 *   poller  the tx ring not looked at again behind the flag (something_came())
 *   waker   `pending` cleared behind the send, or the rings not looked at behind `asleep`
 *   client  the ring not looked at again behind the flag (rawnet_ring_arm())
 * That the fences are needed too is seen by the model checker only (tests/model-check): here the
 * test passed without them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "rig.h"
#include "spin.h"

/* "auto" is not what this tests. */
const struct rn_backend *const rn_backends[] = {NULL};

#define CLIENTS	 3
#define PATIENCE 20000 /* ms: a bound for what hangs */

struct player {
	struct rig_client c;
	pthread_t thread;
	uint8_t frame[128];
	uint32_t len;
	uint64_t rounds, slept;
	double seconds;
	bool stuck;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* Asks nothing of the kernel, so that the poller has the core's attention or not. */
static void spin_ns(uint64_t ns)
{
	double end = now() + (double)ns * 1e-9;

	while (now() < end)
		;
}

/* False: nobody woke us. */
static bool sleep_until_answered(struct player *p)
{
	struct pollfd fd = {.fd = p->c.fd, .events = POLLIN};
	char bytes[64];

	while (!rawnet_rx_avail(&p->c.rx)) {
		while (recv(p->c.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			;
		if (rawnet_ring_arm(&p->c.rx))
			continue;
		p->slept++;
		if (poll(&fd, 1, PATIENCE) == 0)
			return false;
	}
	rawnet_ring_disarm(&p->c.rx);
	return true;
}

static void *play(void *arg)
{
	struct player *p = arg;
	double end = now() + p->seconds;
	uint64_t r = (uint64_t)(uintptr_t)p | 1;

	for (; now() < end && !p->stuck; p->rounds++) {
		rig_send(&p->c, p->frame, p->len, 0);
		rig_flush(&p->c);
		p->stuck = !sleep_until_answered(p);
		rawnet_rx_release(&p->c.rx, rawnet_rx_avail(&p->c.rx));
		rawnet_ring_publish(&p->c.rx);
		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		if (r % 3)
			spin_ns(r % (3 * RN_SPIN_NS));
	}
	return NULL;
}

static void run(unsigned clients, double seconds)
{
	struct player *p = calloc(clients, sizeof(*p));
	struct rn_port *port;
	struct rig rig;

	rig_open(&rig, 1, false);
	port = rig_port(&rig, "lo0", "reflect", false);
	for (unsigned i = 0; i < clients; i++) {
		char rule[64];

		rig_attach(&rig, port, 64, 64, &p[i].c);
		snprintf(rule, sizeof(rule), "udp dport %u", 7001 + i);
		rig_rule(port, &p[i].c, rule);
		p[i].len = rig_udp(p[i].frame, port->mac, port->mac, 1, 1, 9, (uint16_t)(7001 + i),
				   16);
		p[i].seconds = seconds;
		assert_int_equal(pthread_create(&p[i].thread, NULL, play, &p[i]), 0);
	}
	for (unsigned i = 0; i < clients; i++) {
		pthread_join(p[i].thread, NULL);
		print_message("client %u: %llu rounds, slept %llu times\n", i,
			      (unsigned long long)p[i].rounds, (unsigned long long)p[i].slept);
		assert_false(p[i].stuck);
		assert_true(p[i].rounds > 100 && p[i].slept > 0);
		rig_detach(&p[i].c);
	}
	rig_close(&rig);
	free(p);
}

static double seconds(void)
{
	const char *s = getenv("SECONDS");

	return s ? strtod(s, NULL) : 2;
}

static void test_one(void **state)
{
	(void)state;
	run(1, seconds());
}

static void test_several(void **state)
{
	(void)state;
	run(CLIENTS, seconds());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
