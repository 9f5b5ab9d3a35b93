/* SPDX-License-Identifier: BSD-2-Clause */
/* See asker.h. */
#include "asker.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "net.h"

#define BURST	32u
#define LOST_MS 50

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void make_frame(struct asker *a, uint32_t len)
{
	uint8_t *f = a->frame;
	const uint8_t ip[20] = {0x45,
				0,
				(uint8_t)((len - 14) >> 8),
				(uint8_t)(len - 14),
				0,
				0,
				0,
				0,
				64,
				17,
				0,
				0,
				10,
				(uint8_t)a->pair,
				0,
				2,
				10,
				(uint8_t)a->pair,
				0,
				1};
	uint32_t sum = 0;

	net_enter(NET_HOST);
	net_mac(NET_HOST, a->pair, f);
	net_enter(NET_PEER);
	net_mac(NET_PEER, a->pair, f + 6);
	f[12] = 8;
	memcpy(f + 14, ip, sizeof(ip));
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	f[24] = (uint8_t)(~sum >> 8);
	f[25] = (uint8_t)~sum;
	f[34] = 0x27; /* from port 10000 */
	f[35] = 0x10;
	f[37] = 7;
	f[38] = (uint8_t)((len - 34) >> 8);
	f[39] = (uint8_t)(len - 34);
}

void asker_open(struct asker *a, unsigned pair, uint32_t len)
{
	char dev[16];

	memset(a, 0, sizeof(*a));
	a->pair = pair;
	a->len = len;
	make_frame(a, len);
	snprintf(dev, sizeof(dev), "b%u", pair);
	bench_xsk_open(&a->x, dev, false);
}

void asker_close(struct asker *a)
{
	bench_xsk_close(&a->x);
}

/* A burst out of free chunks; what it took in system calls is counted. */
static void send_burst(struct asker *a)
{
	struct xdp_desc out[BURST];
	uint64_t start;

	bench_xsk_reap(&a->x);
	if (a->x.n_free < BURST)
		return;
	for (uint32_t i = 0; i < BURST; i++, a->next++) {
		uint64_t addr = a->x.free_chunk[--a->x.n_free];

		memcpy(a->x.umem + addr, a->frame, a->len);
		memcpy(a->x.umem + addr + 42, &a->next, sizeof(a->next));
		out[i] = (struct xdp_desc) {.addr = addr, .len = a->len};
	}
	bench_xsk_send(&a->x, out, BURST);
	start = cpu_ns();
	bench_xsk_kick(&a->x);
	a->send_cpu += cpu_ns() - start;
	a->sent += BURST;
	a->under_way += BURST;
}

static bool is_answer(const struct asker *a, const uint8_t *f, uint32_t len)
{
	return len == a->len && !memcmp(f, a->frame + 6, 6) && !memcmp(f + 26, a->frame + 30, 4) &&
	       !memcmp(f + 34, a->frame + 36, 2) && !memcmp(f + 36, a->frame + 34, 2);
}

static uint32_t take(struct asker *a)
{
	uint32_t at = 0, n = xsk_ring_cons__peek(&a->x.rx, 256, &at);
	uint64_t chunk[256];

	if (!n)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&a->x.rx, at + i);

		if (is_answer(a, a->x.umem + d->addr, d->len)) {
			a->back++;
			a->under_way -= a->under_way > 0;
		} else {
			a->wrong++;
		}
		chunk[i] = d->addr & ~(uint64_t)(XSK_CHUNK - 1);
	}
	xsk_ring_cons__release(&a->x.rx, n);
	bench_xsk_refill(&a->x, chunk, n);
	return n;
}

/* Sleeps until an answer comes. False: none did, what is under way is lost. */
static bool wait_answer(struct asker *a)
{
	struct pollfd p = {.fd = a->x.fd, .events = POLLIN};

	if (poll(&p, 1, LOST_MS) > 0)
		return true;
	a->lost += a->under_way;
	a->under_way = 0;
	return false;
}

void asker_run(struct asker *a, uint64_t ns, uint32_t window)
{
	uint64_t end = bench_ns() + ns;

	while (bench_ns() < end) {
		take(a);
		if (a->under_way + BURST <= window)
			send_burst(a);
		else if (!take(a))
			wait_answer(a);
	}
	while (a->under_way)
		if (!take(a) && !wait_answer(a))
			break;
}
