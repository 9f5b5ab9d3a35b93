/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients that write into their rings what must not be there: each cause of a drop that they can
 * provoke is counted, and an index that lies ends its client alone.
 *
 * Promise: no offset, length or index of a client's leads outside its own memory. Seen to fail
 * without its defence: rn_in_range() in 32 bits: counts_bad_slots died of an offset that wraps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <poll.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig_pair.h"

/* A posted slot that names no buffer comes back with ERROR; the next one is used. */
static void returns_bad_buffer(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, false, 8);
	p.b.rx.slots[0].off = 0xffffff00u;
	rig_send(&p.a, p.frame, p.len, 0);
	rig_send(&p.a, p.frame, p.len, 0);
	rig_flush(&p.a);
	assert_int_equal(rig_await(&p.b, 2), 2);
	assert_int_equal(rawnet_rx_slot(&p.b.rx, 0)->flags, RAWNET_RX_ERROR);
	assert_int_equal(rawnet_rx_slot(&p.b.rx, 0)->len, 0);
	assert_int_equal(rawnet_rx_slot(&p.b.rx, 1)->len, p.len);
	assert_int_equal(rig_counter(&p.b, RAWNET_Q_RX_DROP_SLOT), 1);
	close_pair(&p);
}

struct bad {
	uint32_t off;
	uint16_t len, flags;
	enum rawnet_queue_counter counter;
};

static void counts_bad_slots(void **state)
{
	static const struct bad bad[] = {
		{0xfffffff0u, 60, 0, RAWNET_Q_TX_DROP_RANGE},
		{128 * 2048 - 59, 60, 0, RAWNET_Q_TX_DROP_RANGE}, /* one byte beyond */
		{0, 13, 0, RAWNET_Q_TX_DROP_SHORT},
		{0, 0, 0, RAWNET_Q_TX_DROP_SHORT},
		{0, 1519, 0, RAWNET_Q_TX_DROP_LONG},
		{0, 60, 0x8000, RAWNET_Q_TX_DROP_SHAPE},
		{0, 60, RAWNET_TX_L4_CSUM, RAWNET_Q_TX_DROP_SHAPE}, /* header lengths are zero */
	};
	struct pair p;

	(void)state;
	open_pair(&p, false, 64);
	memset(p.a.mem, 0, 2048);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t before = rig_counter(&p.a, bad[i].counter);
		struct rawnet_slot *s = rawnet_tx_slot(&p.a.tx, 0);

		memset(s, 0, sizeof(*s));
		s->off = bad[i].off;
		s->len = bad[i].len;
		s->flags = bad[i].flags;
		rawnet_tx_fill(&p.a.tx, 1);
		rig_flush(&p.a);
		assert_true(rig_drained(&p.a));
		assert_int_equal(rig_counter(&p.a, bad[i].counter), before + 1);
	}
	assert_int_equal(rig_counter(&p.a, RAWNET_Q_TX_PACKETS), 0);
	assert_int_equal(rn_attachment_fault(p.a.at), 0);
	close_pair(&p);
}

/* Everything that ends a client: the fault is reported, and the neighbour does not notice. */
static void lie(struct pair *p, int how)
{
	uint32_t n = how == 3 ? RAWNET_TX_SEGS + 1 : 1;

	switch (how) {
	case 0: p->a.tx.client += p->a.tx.mask + 2; break; /* more than a ring ahead */
	case 1: p->a.tx.client -= 1; break; /* back */
	case 2: /* unfinished chain */
	case 3: /* too long a chain */
		for (uint32_t k = 0; k < n; k++) {
			struct rawnet_slot *s = rawnet_tx_slot(&p->a.tx, k);

			s->len = 20;
			s->flags = RAWNET_TX_MORE;
		}
		rawnet_tx_fill(&p->a.tx, n);
		break;
	default: break;
	}
	rig_flush(&p->a);
}

static void ends_liars(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		struct pollfd fault;
		struct pair p;

		open_pair(&p, false, 64);
		rig_send(&p.a, p.frame, p.len, 0);
		rig_flush(&p.a);
		assert_true(rig_drained(&p.a));
		lie(&p, how);
		fault = (struct pollfd) {.fd = p.rig.fault_fd, .events = POLLIN};
		assert_int_equal(poll(&fault, 1, 20000), 1);
		assert_int_equal(rn_attachment_fault(p.a.at), 1 + RAWNET_BYE_RING);
		assert_int_equal(rn_attachment_fault(p.b.at), 0);
		rig_detach(&p.a);
		rig_attach(&p.rig, p.left, 64, 64, &p.a);
		rig_send(&p.a, p.frame, p.len, 0);
		rig_flush(&p.a);
		assert_int_equal(rig_await(&p.b, 2), 2);
		close_pair(&p);
	}
}

/* rx: the index goes back, or ahead of what can be posted. */
static void ends_rx_liars(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		struct pollfd fault;
		struct pair p;

		open_pair(&p, false, 8);
		p.b.rx.client += how ? 1 : -9u;
		rawnet_ring_publish(&p.b.rx);
		for (int i = 0; i < 20; i++)
			rig_send(&p.a, p.frame, p.len, 0);
		rig_flush(&p.a);
		fault = (struct pollfd) {.fd = p.rig.fault_fd, .events = POLLIN};
		assert_int_equal(poll(&fault, 1, 20000), 1);
		assert_int_equal(rn_attachment_fault(p.b.at), 1 + RAWNET_BYE_RING);
		assert_true(rig_drained(&p.a));
		close_pair(&p);
	}
}

/* The counters are the client's to read, not to write. */
static void protects_memory(void **state)
{
	struct pair p;
	int fd;

	(void)state;
	open_pair(&p, false, 64);
	fd = p.b.at->shm.counters.client_fd;
	assert_true(ftruncate(p.b.at->shm.rings.client_fd, 0) < 0);
	assert_true(write(fd, "x", 1) < 0);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_bad_buffer), cmocka_unit_test(counts_bad_slots),
		cmocka_unit_test(ends_liars),	      cmocka_unit_test(ends_rx_liars),
		cmocka_unit_test(protects_memory),
	};

	return cmocka_run_group_tests_name("data_liars", tests, NULL, NULL);
}
