/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots of received packets: by hand, with numbers and with lanes, which must agree wherever packet
 * memory lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/mlx5/lanes.h"
#include "rawnet/abi.h"

struct kind {
	struct rawnet_slot slot;
	uint64_t len;
};

static struct kind by_numbers(const struct rn_mini *mini, const struct rn_data *wqe,
			      const struct rn_slot_common *common)
{
	struct kind k;

	k.len = rn_slot_mini((uint64_t *)(void *)&k.slot, mini, wqe, common);
	return k;
}

RN_LANES static struct kind by_lanes(const struct rn_mini *mini, const struct rn_data *wqe,
				     const struct rn_slot_common *common)
{
	struct kind k;

	k.len = rn_lanes_mini((uint64_t *)(void *)&k.slot, mini, wqe, rn_lanes_common(common))[1];
	return k;
}

/* The same of a completion of 64 bytes. */
RN_LANES static struct kind by_cqe(const struct rn_mini *m, const struct rn_data *wqe,
				   const struct rn_slot_common *common)
{
	struct rn_cqe e;
	struct kind k;

	memset(&e, 0xa5, sizeof(e)); /* the kind of hash, flags, time */
	e.rss_hash = m->rss_hash;
	e.byte_cnt = m->byte_cnt;
	k.len = rn_lanes_cqe((uint64_t *)(void *)&k.slot, &e, wqe, rn_lanes_common(common))[1];
	return k;
}

static const struct rn_mini mini = {.rss_hash = 0x44332211, .byte_cnt = 0xea050000};

static void check(const struct kind *k)
{
	assert_int_equal(k->len, 1514);
	assert_int_equal(k->slot.off, 0x12345680);
	assert_int_equal(k->slot.len, 1514);
	assert_int_equal(k->slot.flags, 0x802a);
	assert_int_equal(k->slot.u.rx.rule, 0xfffe);
	assert_int_equal(k->slot.u.rx.vlan_tci, 0);
	assert_int_equal(k->slot.u.rx.hash, 0x11223344);
}

static void a_slot_by_hand(void **state)
{
	/* Packet memory below a border of 4 GiB, the buffer above it. */
	const struct rn_slot_common common = {
		.base = 0x7f00f0000000, .flags = 0x802aull << 48, .rule = 0xfffe};
	struct rn_data wqe;
	struct kind k;

	(void)state;
	rn_rx_wqe_prepare(&wqe, 2048, 0xffffffff);
	rn_rx_wqe_post(&wqe, common.base + 0x12345680);
	k = by_numbers(&mini, &wqe, &common);
	check(&k);
	if (!rn_lanes_here())
		skip();
	k = by_lanes(&mini, &wqe, &common);
	check(&k);
	k = by_cqe(&mini, &wqe, &common);
	check(&k);
}

static uint64_t any64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

static void all_kinds_make_the_same(void **state)
{
	(void)state;
	if (!rn_lanes_here())
		skip();
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		const struct rn_slot_common common = {
			.base = any64() >> 17, .flags = any64() << 48, .rule = any64() & 0xffff};
		const struct rn_mini m = {(uint32_t)any64(), htobe32((uint16_t)any64())};
		struct kind a, b;
		struct rn_data wqe;

		rn_rx_wqe_prepare(&wqe, 2048, (uint32_t)any64());
		rn_rx_wqe_post(&wqe, common.base + (uint32_t)any64());
		a = by_numbers(&m, &wqe, &common);
		b = by_lanes(&m, &wqe, &common);
		assert_memory_equal(&a, &b, sizeof(a));
		b = by_cqe(&m, &wqe, &common);
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_by_hand),
		cmocka_unit_test(all_kinds_make_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
