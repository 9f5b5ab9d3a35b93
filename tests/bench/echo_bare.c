/* SPDX-License-Identifier: BSD-2-Clause */
/* See echo_bare.h. */
#include "echo_bare.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "xsk.h"

#define BURST	64u
#define SPIN_NS 50000u

struct echo_bare {
	struct bench_xsk x;
	pthread_t thread;
	int stop_fd;
	uint32_t stop;
	int tid;
};

static void swap(uint8_t *a, uint8_t *b, uint32_t n)
{
	uint8_t tmp[8];

	memcpy(tmp, a, n);
	memcpy(a, b, n);
	memcpy(b, tmp, n);
}

/* Source and destination trade places; all of IPv4 and UDP without options, which is what comes. */
static void answer(uint8_t *f)
{
	swap(f, f + 6, 6);
	swap(f + 26, f + 30, 4);
	swap(f + 34, f + 36, 2);
}

/* How many packets went round. */
static uint32_t serve(struct bench_xsk *x)
{
	struct xdp_desc out[BURST];
	uint32_t at = 0, n;

	bench_xsk_reap(x);
	if (x->n_free)
		bench_xsk_refill(x, x->free_chunk, x->n_free);
	x->n_free = 0;
	n = xsk_ring_cons__peek(&x->rx, BURST, &at);
	if (!n)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&x->rx, at + i);

		out[i] = (struct xdp_desc) {.addr = d->addr, .len = d->len};
		answer(x->umem + d->addr);
	}
	xsk_ring_cons__release(&x->rx, n);
	bench_xsk_send(x, out, n);
	bench_xsk_kick(x);
	return n;
}

static void *run(void *arg)
{
	struct echo_bare *e = arg;
	struct pollfd fds[2] = {{.fd = e->x.fd, .events = POLLIN},
				{.fd = e->stop_fd, .events = POLLIN}};
	uint64_t idle = 0;

	__atomic_store_n(&e->tid, gettid(), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&e->stop, __ATOMIC_ACQUIRE)) {
		if (serve(&e->x)) {
			idle = 0;
			continue;
		}
		if (!idle)
			idle = bench_ns();
		if (bench_ns() - idle < SPIN_NS)
			continue;
		poll(fds, 2, -1);
		idle = 0;
	}
	return NULL;
}

struct echo_bare *echo_bare_start(const char *dev, bool native)
{
	struct echo_bare *e = calloc(1, sizeof(*e));

	if (!e)
		bench_die("no memory");
	bench_xsk_open(&e->x, dev, native);
	e->x.n_free = 0; /* it sends what it received, and nothing else */
	e->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (e->stop_fd < 0 || pthread_create(&e->thread, NULL, run, e))
		bench_die("cannot start a thread");
	return e;
}

void echo_bare_stop(struct echo_bare *e)
{
	const uint64_t one = 1;

	__atomic_store_n(&e->stop, 1, __ATOMIC_RELEASE);
	(void)!write(e->stop_fd, &one, sizeof(one));
	pthread_join(e->thread, NULL);
	bench_xsk_close(&e->x);
	close(e->stop_fd);
	free(e);
}

int echo_bare_tid(const struct echo_bare *e)
{
	return __atomic_load_n(&e->tid, __ATOMIC_ACQUIRE);
}

uint64_t echo_bare_cpu(const struct echo_bare *e)
{
	struct timespec ts;
	clockid_t clock;

	if (pthread_getcpuclockid(e->thread, &clock) || clock_gettime(clock, &ts))
		bench_die("a thread is gone");
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
