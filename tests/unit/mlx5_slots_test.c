/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots of received packets: by hand, with numbers one at a time and with lanes two at a time,
 * which must agree wherever packet memory lies. And groups of a client's slots, of which one that
 * is not as it should be spoils all.
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

/* Two packets that follow each other. */
struct kind {
	struct rawnet_slot slot[2];
	uint64_t bytes;
};

static struct kind by_numbers(const struct rn_mini *mini, const struct rn_data *wqe,
			      const struct rn_slot_common *common)
{
	struct kind k = {.bytes = 0};

	for (int i = 0; i < 2; i++)
		k.bytes += rn_slot_mini((uint64_t *)(void *)&k.slot[i], &mini[i], &wqe[i], common);
	return k;
}

RN_PAIRS static struct kind by_lanes(const struct rn_mini *mini, const struct rn_data *wqe,
				     const struct rn_slot_common *common)
{
	struct kind k;

	k.bytes = rn_pair_sum_lane1(rn_lanes_minis(k.slot, mini, wqe, rn_lanes_common(common)));
	return k;
}

/* The same of completions of 64 bytes. */
RN_PAIRS static struct kind by_cqe(const struct rn_mini *m, const struct rn_data *wqe,
				   const struct rn_slot_common *common)
{
	struct rn_cqe e[2];
	struct kind k;

	memset(e, 0xa5, sizeof(e)); /* the kind of hash, flags, time */
	for (int i = 0; i < 2; i++) {
		e[i].rss_hash = m[i].rss_hash;
		e[i].byte_cnt = m[i].byte_cnt;
	}
	k.bytes = rn_pair_sum_lane1(rn_lanes_cqes(k.slot, e, wqe, rn_lanes_common(common)));
	return k;
}

static const struct rn_mini minis[2] = {{.rss_hash = 0x44332211, .byte_cnt = 0xea050000},
					{.rss_hash = 0x48372615, .byte_cnt = 0x40000000}};

static void check(const struct kind *k)
{
	assert_int_equal(k->bytes, 1514 + 64);
	assert_int_equal(k->slot[0].off, 0x12345680);
	assert_int_equal(k->slot[0].len, 1514);
	assert_int_equal(k->slot[0].u.rx.hash, 0x11223344);
	assert_int_equal(k->slot[1].off, 0xff000880);
	assert_int_equal(k->slot[1].len, 64);
	assert_int_equal(k->slot[1].u.rx.hash, 0x15263748);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(k->slot[i].flags, 0x802a);
		assert_int_equal(k->slot[i].u.rx.rule, 0xfffe);
		assert_int_equal(k->slot[i].u.rx.vlan_tci, 0);
	}
}

static void slots_by_hand(void **state)
{
	/* Packet memory below a border of 4 GiB, the buffers above it. */
	const struct rn_slot_common common = {
		.base = 0x7f00f0000000, .flags = 0x802aull << 48, .rule = 0xfffe};
	struct rn_data wqe[2];
	struct kind k;

	(void)state;
	rn_rx_wqe_prepare(&wqe[0], 2048, 0xffffffff);
	rn_rx_wqe_post(&wqe[0], common.base + 0x12345680);
	rn_rx_wqe_prepare(&wqe[1], 2048, 0xffffffff);
	rn_rx_wqe_post(&wqe[1], common.base + 0xff000880);
	k = by_numbers(minis, wqe, &common);
	check(&k);
	if (!rn_pairs_here())
		skip();
	k = by_lanes(minis, wqe, &common);
	check(&k);
	k = by_cqe(minis, wqe, &common);
	check(&k);
}

static uint64_t any64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

static void all_kinds_make_the_same(void **state)
{
	(void)state;
	if (!rn_pairs_here())
		skip();
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		const struct rn_slot_common common = {
			.base = any64() >> 17, .flags = any64() << 48, .rule = any64() & 0xffff};
		const struct rn_mini m[2] = {
			{(uint32_t)any64(), htobe32((uint16_t)any64())},
			{(uint32_t)any64(), htobe32((uint16_t)any64())},
		};
		struct kind a, b;
		struct rn_data wqe[2];

		for (int k = 0; k < 2; k++) {
			rn_rx_wqe_prepare(&wqe[k], 2048, (uint32_t)any64());
			rn_rx_wqe_post(&wqe[k], common.base + (uint32_t)any64());
		}
		a = by_numbers(m, wqe, &common);
		b = by_lanes(m, wqe, &common);
		assert_memory_equal(&a, &b, sizeof(a));
		b = by_cqe(m, wqe, &common);
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

/* ---- groups ---- */

#define GROUP	 RN_LANES_GROUP
#define POST_LEN 2048u
#define KEY	 0x11223344u

static struct rawnet_slot junk_slot(uint32_t off)
{
	struct rawnet_slot s;

	memset(&s, 0x5a, sizeof(s));
	s.off = off;
	return s;
}

RN_PAIRS static bool post(struct rn_data *wqe, const struct rawnet_slot *slot, uint64_t limit)
{
	const struct rn_lanes_posting p =
		rn_lanes_posting(~2047u, limit, 0x7f00fffff080, POST_LEN, KEY);

	return rn_lanes_post(wqe, slot, &p);
}

static void posted_buffers(void **state)
{
	struct rn_data wqe[GROUP], expected[GROUP], before[GROUP];
	struct rawnet_slot slot[GROUP];

	(void)state;
	if (!rn_pairs_here())
		skip();
	for (uint32_t i = 0; i < GROUP; i++) {
		slot[i] = junk_slot(0xfffff800 - i * 0x1fff0803); /* within a buffer, too */
		rn_rx_wqe_prepare(&expected[i], POST_LEN, KEY);
		rn_rx_wqe_post(&expected[i], 0x7f00fffff080 + (slot[i].off & ~2047u));
	}
	assert_true(post(wqe, slot, 1ull << 32));
	assert_memory_equal(wqe, expected, sizeof(wqe));
	memset(wqe, 0x77, sizeof(wqe));
	memcpy(before, wqe, sizeof(before));
	for (uint32_t i = 0; i < GROUP; i++) {
		for (uint32_t k = 0; k < GROUP; k++)
			slot[k] = junk_slot(k == i ? 0x100000 : 0xfffff);
		assert_false(post(wqe, slot, 0x100000));
		assert_memory_equal(wqe, before, sizeof(wqe));
	}
	slot[GROUP - 1].off = 0xfffff;
	assert_true(post(wqe, slot, 0x100000));
}

#define LONGEST 1518u

static const uint8_t *const packets = (const uint8_t *)0x7ffffffff000;

RN_PAIRS static bool point(struct rn_data *segs, const struct rawnet_slot *slot, uint64_t size,
			   uint64_t *bytes)
{
	const struct rn_lanes_plain p = rn_lanes_plain(LONGEST, LONGEST, size);
	const struct rn_lanes_memory memory = rn_lanes_memory(packets, KEY);
	rn_pair sum = rn_pair_same(0, 0);
	bool good = rn_lanes_point(segs, slot, &p, &memory, &sum);

	*bytes = rn_pair_sum_lane0(sum);
	return good;
}

RN_PAIRS static bool take(struct rn_packet *p, const struct rawnet_slot *slot, uint64_t size)
{
	const struct rn_lanes_plain plain = rn_lanes_plain(LONGEST, LONGEST, size);

	return rn_lanes_packets(p, slot, &plain);
}

static struct rawnet_slot plain(uint32_t off, uint16_t len)
{
	struct rawnet_slot s = junk_slot(off);

	s.len = len;
	s.flags = 0;
	return s;
}

static void plain_packets(void **state)
{
	static const uint16_t len[GROUP] = {14, LONGEST, 64, 65, 255, 256, 1024, 1500};
	struct rn_data segs[GROUP], expected[GROUP];
	struct rn_packet taken[GROUP];
	struct rawnet_slot slot[GROUP];
	uint64_t bytes, all = 0;

	(void)state;
	if (!rn_pairs_here())
		skip();
	for (uint32_t i = 0; i < GROUP; i++) {
		slot[i] = plain(UINT32_MAX - i * 0x1fff0803, len[i]);
		rn_data_put(&expected[i], len[i], KEY, (uintptr_t)packets + slot[i].off);
		all += len[i];
	}
	assert_true(point(segs, slot, UINT32_MAX + 1ull + LONGEST, &bytes));
	assert_memory_equal(segs, expected, sizeof(segs));
	assert_int_equal(bytes, all);
	assert_true(take(taken, slot, UINT32_MAX + 1ull + LONGEST));
	for (uint32_t i = 0; i < GROUP; i++) {
		assert_int_equal(taken[i].len, len[i]);
		assert_int_equal(taken[i].off, slot[i].off);
	}
}

/* Each kind in each place. */
static void packets_that_are_not_plain(void **state)
{
	const struct rawnet_slot good = plain(0x100000 - LONGEST, LONGEST);
	struct rawnet_slot bad[] = {good, good, good, good, good};
	struct rn_data segs[GROUP], before[GROUP];
	struct rawnet_slot slot[GROUP];
	struct rn_packet taken[GROUP];
	uint64_t bytes;

	(void)state;
	if (!rn_pairs_here())
		skip();
	bad[0].len = 13;
	bad[1].len = LONGEST + 1;
	bad[2].flags = 1;
	bad[3].flags = 0x8000;
	bad[4].off++;
	memset(segs, 0x77, sizeof(segs));
	memcpy(before, segs, sizeof(before));
	for (uint32_t i = 0; i < GROUP * 5; i++) {
		for (uint32_t k = 0; k < GROUP; k++)
			slot[k] = k == i / 5 ? bad[i % 5] : good;
		assert_false(take(taken, slot, 0x100000));
		assert_false(point(segs, slot, 0x100000, &bytes));
		assert_int_equal(bytes, 0);
		assert_memory_equal(segs, before, sizeof(segs));
	}
	slot[GROUP - 1] = good;
	assert_true(point(segs, slot, 0x100000, &bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_by_hand),
		cmocka_unit_test(all_kinds_make_the_same),
		cmocka_unit_test(posted_buffers),
		cmocka_unit_test(plain_packets),
		cmocka_unit_test(packets_that_are_not_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
