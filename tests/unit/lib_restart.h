/* SPDX-License-Identifier: BSD-2-Clause */
/* A program with an attachment of two queues, and its daemon, which dies and comes back. */
#ifndef LIB_RESTART_H
#define LIB_RESTART_H

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib_fake.h"

static struct fake fake;
static struct rawnet *rn;
static struct rawnet_attachment *at;
static struct rawnet_queue *q;
static unsigned fds_before;
static bool alone; /* without the library's thread */

static int gone, back, events; /* atomic: the library's thread counts */
static struct rawnet_disconnect why;
static struct rawnet_event event;

static inline void on_gone(void *arg, const struct rawnet_disconnect *reason)
{
	(void)arg;
	why = reason ? *reason : (struct rawnet_disconnect) {.reason = 999};
	__atomic_add_fetch(&gone, 1, __ATOMIC_RELEASE);
}

static inline void on_back(void *arg, uint64_t gap_ns)
{
	(void)arg;
	if (gap_ns == 0)
		abort();
	__atomic_add_fetch(&back, 1, __ATOMIC_RELEASE);
}

static inline void on_event(void *arg, const struct rawnet_event *e)
{
	(void)arg;
	event = *e;
	__atomic_add_fetch(&events, 1, __ATOMIC_RELEASE);
}

static inline void wait_for(const int *counter, int value)
{
	while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) < value) {
		struct pollfd p = {.fd = rawnet_fd(rn), .events = POLLIN};

		if (!alone) {
			usleep(500);
			continue;
		}
		poll(&p, 1, 1000);
		rawnet_process(rn);
	}
}

static inline int open_with(uint32_t flags)
{
	struct rawnet_attach_options o = {
		.size = sizeof(o), .n_queues = 2, .rx_size = 64, .tx_size = 64, .copies = 1};
	struct rawnet_options c = {.size = sizeof(c),
				   .socket = fake.path,
				   .flags = flags,
				   .label = "me",
				   .event = on_event,
				   .gone = on_gone,
				   .back = on_back};

	fds_before = open_fds();
	gone = back = events = 0;
	alone = (flags & RAWNET_NO_THREAD) != 0;
	fake_init(&fake, NULL);
	fake_run(&fake);
	assert_int_equal(rawnet_connect(&rn, &c), 0);
	assert_int_equal(rawnet_attach(rn, "eth0", &o, &at), 0);
	q = rawnet_queue(at, 0);
	alarm(100);
	return 0;
}

static inline int setup(void **state)
{
	(void)state;
	return open_with(0);
}

static inline int setup_alone(void **state)
{
	(void)state;
	return open_with(RAWNET_NO_THREAD);
}

static inline int teardown(void **state)
{
	(void)state;
	alarm(0);
	fake_sync(&fake);
	rawnet_close(rn);
	fake_end(&fake);
	assert_int_equal(open_fds(), fds_before);
	return 0;
}

static inline void kill_daemon(void)
{
	fake_kill(&fake);
}

static inline void start_daemon(fake_hook *hook)
{
	fake_init(&fake, fake.path);
	fake.hook = hook;
	fake_run(&fake);
}

static inline void restart(void)
{
	int before = __atomic_load_n(&back, __ATOMIC_ACQUIRE);

	kill_daemon();
	start_daemon(NULL);
	wait_for(&back, before + 1);
}

static inline void send_bytes(const char *text)
{
	struct rawnet_packet p = {.len = (uint32_t)strlen(text), .data = rawnet_buf_get(q)};

	memcpy(p.data, text, p.len);
	assert_int_equal(rawnet_tx_burst(q, &p, 1), 1);
}

static inline void expect_bytes(const char *text)
{
	struct rawnet_packet p;

	assert_int_equal(rawnet_rx_burst(q, &p, 1), 1);
	assert_int_equal(p.len, strlen(text));
	assert_memory_equal(p.data, text, p.len);
	rawnet_buf_put(q, p.data);
}

/* Both ways through the daemon that is there now. */
static inline void works(void)
{
	struct fake_attachment *a = fake_at(&fake, 0);
	struct rawnet_slot s;

	assert_true(fake_deliver(a, 0, "hello", 5));
	expect_bytes("hello");
	send_bytes("world");
	assert_true(fake_take(a, 0, &s));
	assert_memory_equal(a->packets + s.off, "world", 5);
	fake_done(a, 0);
}

static inline void rule(struct rawnet_match *m, uint16_t port)
{
	*m = (struct rawnet_match) {.size = sizeof(*m),
				    .fields = RAWNET_M_DPORT | RAWNET_M_PROTO | RAWNET_M_ETHERTYPE,
				    .ethertype = 0x800,
				    .proto = 17,
				    .dport = port};
}

#endif
