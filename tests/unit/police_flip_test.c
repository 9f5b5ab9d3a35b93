/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promise: what was checked is what is sent (tests/hostile/wire_test shows it on a wire). Seen to
 * fail without its defence: the client's memory checked and copied afterwards (run_plain() in
 * tx.c): forged MACs, addresses and ports came, in ten of ten runs.
 *
 * A client that rewrites its frames while they are being sent gains nothing: over a loop cable, a
 * thread turns source MAC, source address and source port of every buffer to forged values and
 * back, and the other end must never see one of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "rig.h"

#define PACKETS 100000u /* of 20,000 one run in three saw nothing */

/* "auto" is not what this tests. */
const struct rn_backend *const rn_backends[] = {NULL};

/* Offsets of the last byte of source MAC, source address and source port. */
static const uint32_t forged_at[] = {11, 29, 35};
#define FORGED (sizeof(forged_at) / sizeof(forged_at[0]))

struct flipper {
	struct rig_client *c;
	const uint8_t *frame;
	bool stop;
};

static uint8_t *buffer_of(const struct rig_client *c, uint32_t slot)
{
	return c->mem + c->tx.slots[slot].off;
}

static void *flip(void *arg)
{
	struct flipper *f = arg;

	for (uint32_t i = 0; !__atomic_load_n(&f->stop, __ATOMIC_RELAXED); i++) {
		uint8_t *buffer = buffer_of(f->c, i & f->c->tx.mask);
		uint32_t at = forged_at[i / 64 % FORGED];
		uint8_t now = __atomic_load_n(&buffer[at], __ATOMIC_RELAXED);

		__atomic_store_n(&buffer[at], now == f->frame[at] ? 0xee : f->frame[at],
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

static void send_all(struct rig_client *c, uint32_t len)
{
	while (rawnet_tx_room(&c->tx, 1)) {
		struct rawnet_slot *s = rawnet_tx_slot(&c->tx, 0);

		s->len = (uint16_t)len;
		s->flags = 0;
		rawnet_tx_fill(&c->tx, 1);
	}
	rig_flush(c);
}

/* How many came; each must be the honest one. */
static uint32_t receive_all(struct rig_client *c, const uint8_t *frame, uint32_t len)
{
	uint32_t n = rawnet_rx_avail(&c->rx);

	for (uint32_t k = 0; k < n; k++) {
		const struct rawnet_slot *s = rawnet_rx_slot(&c->rx, k);

		assert_int_equal(s->len, len);
		assert_memory_equal(c->mem + s->off, frame, len);
	}
	rawnet_rx_release(&c->rx, n);
	rig_flush(c);
	return n;
}

static void flipped(void **state)
{
	static const uint8_t to[6] = {2, 0, 0, 0, 0, 0x77};
	struct rig_client a, b;
	struct flipper flipper = {.c = &a};
	struct rn_port *left, *right;
	uint8_t frame[128];
	struct rig rig;
	pthread_t thread;
	uint64_t sent, refused, asked;
	uint32_t len, got = 0;

	(void)state;
	rig_open(&rig, 1, false);
	left = rig_port(&rig, "left", "right", true);
	right = rig_port(&rig, "right", "left", false);
	rig_attach(&rig, left, 64, 64, &a);
	rig_attach(&rig, right, 256, 64, &b);
	rig_rule(left, &a, "ipvlan 10.0.0.1 udp dport 1000");
	rig_rule(right, &b, "macvlan 02:00:00:00:00:77");
	len = rig_udp(frame, to, left->mac, 1, 2, 1000, 7, 18);
	for (uint32_t i = 0; i <= a.tx.mask; i++)
		memcpy(buffer_of(&a, i), frame, len);
	flipper.frame = frame;
	assert_int_equal(pthread_create(&thread, NULL, flip, &flipper), 0);
	do {
		send_all(&a, len);
		assert_true(rig_drained(&a));
		sent = rig_counter(&a, RAWNET_Q_TX_PACKETS);
		while (got < sent) { /* what was sent comes: nothing was forged past b's rule */
			assert_true(rig_await(&b, 1) > 0);
			got += receive_all(&b, frame, len);
		}
		refused = rig_counter(&a, RAWNET_Q_TX_DROP_SPOOF);
		asked = sent + refused;
	} while (asked < PACKETS || !sent || !refused);
	__atomic_store_n(&flipper.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(got, sent);
	print_message("%u honest frames came, %llu forged ones were refused\n", got,
		      (unsigned long long)refused);
	rig_detach(&a);
	rig_detach(&b);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(flipped)};

#ifdef __SANITIZE_THREAD__
	puts("SKIP: this client races with the daemon on purpose");
	return 77;
#endif
	return cmocka_run_group_tests_name("police_flip", tests, NULL, NULL);
}
