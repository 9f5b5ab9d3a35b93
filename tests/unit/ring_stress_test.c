/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both sides of one ring, each in a thread of its own: rawnet/ring.h against daemon/ring.h. Buffers
 * go round, the daemon's side numbers packets and the client's checks numbers and contents; the
 * other ring is the same the other way. Slots and buffers are plain memory, so ThreadSanitizer sees
 * it if one side touches what is the other's. The rings are small, so that they are full and empty
 * all the time, and the indexes begin shortly before they wrap. tests/model-check has the argument.
 *
 * Promise: no slot is read before it was written. Seen to fail without its defence, in the preset
 * tsan: relaxed in place of release or acquire, of one side or the other, was a data race each time
 * (two to eight reports).
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rawnet/ring.h"
#include "ring.h"

#define SIZE	4u
#define BUFFERS 6u
#define BUFSIZE 64u
#define START	(UINT32_MAX - 1000)
#define PACKETS 300000u

struct pair {
	struct rawnet_ring_ctl ctl;
	struct rawnet_slot slot[SIZE];
	uint8_t mem[BUFFERS * BUFSIZE];
	struct rawnet_ring client;
	struct rn_ring daemon;
	uint64_t wrong; /* of the thread that checks */
};

static void open_pair(struct pair *p)
{
	memset(p, 0, sizeof(*p));
	p->ctl.client = p->ctl.daemon = START;
	p->client = (struct rawnet_ring) {.ctl = &p->ctl,
					  .slots = p->slot,
					  .mask = SIZE - 1,
					  .client = START,
					  .taken = START,
					  .daemon = START};
	p->daemon = (struct rn_ring) {.ctl = &p->ctl,
				      .slots = p->slot,
				      .mask = SIZE - 1,
				      .daemon = START,
				      .client = START,
				      .published = START};
	for (uint32_t i = 0; i < SIZE; i++)
		p->slot[(START + i) & (SIZE - 1)].off = i * BUFSIZE;
}

static void fill(struct pair *p, uint32_t off, uint32_t number)
{
	memset(p->mem + off, (int)(number % 251), BUFSIZE);
}

static void check(struct pair *p, const struct rawnet_slot *s, uint32_t number)
{
	if (s->len != number % 1500 || s->off >= sizeof(p->mem) || p->mem[s->off] != number % 251 ||
	    p->mem[s->off + BUFSIZE - 1] != number % 251)
		p->wrong++;
}

/* ---- rx: the daemon fills what the client posts ---- */

static void *rx_daemon(void *arg)
{
	struct pair *p = arg;

	for (uint32_t n = 0; n < PACKETS;) {
		int64_t ours = rn_ring_look(&p->daemon);

		if (ours < 0)
			p->wrong++; /* of nobody else while this runs: the client only reads slots
				     */
		if (ours <= 0)
			sched_yield();
		for (; ours > 0 && n < PACKETS; ours--, n++) {
			struct rawnet_slot *shared = &p->slot[p->daemon.daemon & p->daemon.mask];
			struct rawnet_slot s = rn_slot_copy(shared);

			fill(p, s.off, n);
			s.len = (uint16_t)(n % 1500);
			*shared = s;
			p->daemon.daemon++;
			if (n % 3 == 0)
				rn_ring_publish(&p->daemon);
		}
		rn_ring_publish(&p->daemon);
	}
	return NULL;
}

static void *rx_client(void *arg)
{
	struct pair *p = arg;
	uint32_t spare = SIZE * BUFSIZE;
	uint64_t wrong = 0;

	p->client.client += SIZE;
	rawnet_ring_publish(&p->client);
	for (uint32_t n = 0; n < PACKETS;) {
		uint32_t got = rawnet_rx_avail(&p->client);

		if (!got)
			sched_yield();
		for (uint32_t k = 0; k < got; k++, n++) {
			struct rawnet_slot *s = rawnet_rx_slot(&p->client, k);
			uint32_t off = s->off;

			if (s->len != n % 1500 || off >= sizeof(p->mem) || p->mem[off] != n % 251 ||
			    p->mem[off + BUFSIZE - 1] != n % 251)
				wrong++;
			memset(p->mem + off, 255, BUFSIZE);
			s->off = spare; /* another buffer in its place */
			spare = off;
		}
		rawnet_rx_release(&p->client, got);
		rawnet_ring_publish(&p->client);
	}
	return (void *)(uintptr_t)wrong;
}

/* ---- tx: the daemon reads what the client fills ---- */

static void *tx_daemon(void *arg)
{
	struct pair *p = arg;

	for (uint32_t n = 0; n < PACKETS;) {
		int64_t ours = rn_ring_look(&p->daemon);

		if (ours < 0)
			p->wrong++;
		if (ours <= 0)
			sched_yield();
		for (; ours > 0; ours--, n++) {
			struct rawnet_slot s =
				rn_slot_copy(&p->slot[p->daemon.daemon & p->daemon.mask]);

			check(p, &s, n);
			p->daemon.daemon++;
		}
		rn_ring_publish(&p->daemon);
	}
	return NULL;
}

static void *tx_client(void *arg)
{
	struct pair *p = arg;

	for (uint32_t n = 0; n < PACKETS;) {
		uint32_t room = rawnet_tx_room(&p->client, 1 + n % SIZE);

		if (!room)
			sched_yield();
		for (uint32_t k = 0; k < room && n < PACKETS; k++, n++) {
			struct rawnet_slot *s = rawnet_tx_slot(&p->client, 0);

			fill(p, s->off, n);
			s->len = (uint16_t)(n % 1500);
			rawnet_tx_fill(&p->client, 1);
		}
		rawnet_ring_publish(&p->client);
	}
	return NULL;
}

static void run(void *(*daemon_side)(void *), void *(*client_side)(void *))
{
	struct pair *p = aligned_alloc(64, (sizeof(*p) + 63) / 64 * 64);
	pthread_t thread[2];
	void *wrong;

	assert_non_null(p);
	open_pair(p);
	assert_int_equal(pthread_create(&thread[0], NULL, daemon_side, p), 0);
	assert_int_equal(pthread_create(&thread[1], NULL, client_side, p), 0);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], &wrong);
	assert_int_equal(p->wrong + (uint64_t)(uintptr_t)wrong, 0);
	free(p);
}

static void test_rx(void **state)
{
	(void)state;
	run(rx_daemon, rx_client);
}

static void test_tx(void **state)
{
	(void)state;
	run(tx_daemon, tx_client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rx),
		cmocka_unit_test(test_tx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
