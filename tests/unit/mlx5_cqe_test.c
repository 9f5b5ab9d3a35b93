/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoders of completions against bytes written by hand, the owner bit over many passes, and
 * sessions of compressed completions by a device that writes as little as it may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/mlx5/cqe.h"

static const uint8_t udp4[64] = {
	[0x0c] = 0x11, 0x22, 0x33, 0x44, /* hash */
	[0x10] = 0x84, /* its kind: IPv4, UDP */
	[0x1c] = 0x07, /* L2, L3, L4 verified */
	[0x1d] = 0x28, /* UDP over IPv4 */
	[0x2c] = 0x00, 0x00, 0x05, 0xea, /* 1514 bytes */
	[0x38] = 0x03, 0x12, 0x34, 0x56, /* three drops, tag */
	[0x3c] = 0xff, 0xfe, /* counter */
	[0x3f] = 0x20 /* a received packet, owner 0 */
};

static const uint8_t refused[64] = {
	[0x36] = 0x68, /* vendor's syndrome */
	[0x37] = 0x04, /* protection */
	[0x38] = 0x0a, 0x00, 0x01, 0x02, /* SEND, queue */
	[0x3c] = 0x00, 0x10, /* counter */
	[0x3f] = 0xd1 /* a failed send, owner 1 */
};

static void a_received_packet(void **state)
{
	struct rn_cqe e;

	(void)state;
	memcpy(&e, udp4, sizeof(e));
	assert_int_equal(RN_CQE_KIND(rn_cqe_op_own(&e)), RN_CQE_RECEIVED);
	assert_int_equal(be32toh(e.rss_hash), 0x11223344);
	assert_int_equal(e.rss_type, 0x84);
	assert_int_equal(be32toh(e.byte_cnt), 1514);
	assert_int_equal(rn_cqe_tag(&e), 0x123456);
	assert_int_equal(rn_cqe_drops(&e), 3);
	assert_int_equal(rn_cqe_wqe(&e), 0xfffe);
	assert_int_equal(rn_cqe_flags(e.verified, e.headers), RAWNET_RX_L3_OK | RAWNET_RX_L4_OK);
}

static void an_error(void **state)
{
	struct rn_cqe_error e;

	(void)state;
	memcpy(&e, refused, sizeof(e));
	assert_int_equal(RN_CQE_KIND(e.op_own), RN_CQE_SEND_ERROR);
	assert_int_equal(e.syndrome, RN_SYNDROME_PROTECTION);
	assert_int_equal(e.vendor, 0x68);
	assert_int_equal(be32toh(e.opcode_qpn), 0x0a000102);
	assert_int_equal(be16toh(e.wqe_counter), 16);
}

/* A set bit counts only with its header; a clear one claims nothing, least of all "bad". */
static void flags_claim_what_was_verified(void **state)
{
	static const struct {
		uint8_t verified, headers;
		uint16_t flags;
	} table[] = {
		{0x07, 0x18, RAWNET_RX_L3_OK | RAWNET_RX_L4_OK}, /* TCP, IPv4 */
		{0x07, 0x38, RAWNET_RX_L3_OK | RAWNET_RX_L4_OK}, /* empty ACK */
		{0x07, 0x48, RAWNET_RX_L3_OK | RAWNET_RX_L4_OK}, /* ACK */
		{0x07, 0x24, RAWNET_RX_L4_OK}, /* UDP, IPv6: no header checksum */
		{0x07, 0x08, RAWNET_RX_L3_OK}, /* IPv4, something else */
		{0x07, 0xa8, RAWNET_RX_L3_OK}, /* fragment */
		{0x05, 0x28, RAWNET_RX_L4_OK}, /* L3 not verified */
		{0x03, 0x28, RAWNET_RX_L3_OK}, /* L4 not verified */
		{0x01, 0x28, 0},
		{0x07, 0x00, 0},
		{0x00, 0x00, 0},
		{0x06, 0x0a, RAWNET_RX_L3_OK}, /* IP options */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(rn_cqe_flags(table[i].verified, table[i].headers), table[i].flags);
}

/* ---- the ring ---- */

#define LOG  4u
#define SIZE (1u << LOG)

static void put(struct rn_cqe *ring, uint32_t pi, uint8_t kind)
{
	ring[pi % SIZE].op_own = (uint8_t)(kind | (pi >> LOG & 1));
}

static bool ours(const struct rn_cqe *ring, uint32_t ci)
{
	return rn_cqe_ours(rn_cqe_op_own(&ring[ci % SIZE]), ci, LOG);
}

static void a_fresh_ring_is_the_devices(void **state)
{
	struct rn_cqe ring[SIZE];

	(void)state;
	for (uint32_t i = 0; i < SIZE; i++)
		ring[i].op_own = 0xf0; /* as libmlx5 leaves it */
	rn_cqe_prepare(ring, LOG);
	for (uint32_t ci = 0; ci < SIZE; ci++)
		assert_false(ours(ring, ci));
}

/* Over the wrap of ci's 32 bits too. */
static void each_pass_flips_the_owner(void **state)
{
	struct rn_cqe ring[SIZE];

	(void)state;
	for (uint32_t start = 0; start != 2 * (0u - 3 * SIZE); start += 0u - 3 * SIZE) {
		for (uint32_t i = 0; i < SIZE; i++)
			rn_cqe_release(ring, start - SIZE + i, LOG);
		for (uint32_t n = 0; n < 7 * SIZE; n++) {
			uint32_t pi = start + n;

			assert_false(ours(ring, pi));
			put(ring, pi, RN_CQE_RECEIVED);
			assert_true(ours(ring, pi));
			assert_false(ours(ring, pi + 1));
			assert_false(ours(ring, pi + SIZE));
		}
	}
}

/* ---- compression ---- */

static void arrays_stand_at_one_eight_sixteen(void **state)
{
	(void)state;
	assert_int_equal(rn_mini_entry(100, 0), 101);
	assert_int_equal(rn_mini_entry(100, 7), 101);
	assert_int_equal(rn_mini_entry(100, 8), 108);
	assert_int_equal(rn_mini_entry(100, 15), 108);
	assert_int_equal(rn_mini_entry(100, 16), 116);
	assert_int_equal(rn_mini_entry(100, 63), 156);
	assert_int_equal(rn_mini_entry(UINT32_MAX, 9), 7);
}

/* Writes title and arrays and nothing else; every byte of the arrays is a trap for the reader. */
static void put_session(struct rn_cqe *ring, uint32_t pi, uint32_t n, uint32_t first_len)
{
	for (uint32_t k = 0; k < n; k++) {
		struct rn_mini m = {htobe32(0xa0000000 | (pi + k)), htobe32(first_len + k)};
		struct rn_cqe *entry = &ring[rn_mini_entry(pi, k) % SIZE];

		memcpy((uint8_t *)entry + 8 * (k % 8), &m, sizeof(m));
	}
	ring[pi % SIZE].byte_cnt = htobe32(n);
	put(ring, pi, RN_CQE_COMPRESSED);
}

static void take_session(struct rn_cqe *ring, struct rn_sessions *sessions, uint32_t ci, uint32_t n,
			 uint32_t first_len)
{
	assert_true(ours(ring, ci));
	assert_int_equal(RN_CQE_KIND(ring[ci % SIZE].op_own), RN_CQE_COMPRESSED);
	assert_int_equal(be32toh(ring[ci % SIZE].byte_cnt), n);
	for (uint32_t k = 0; k < n; k++) {
		const struct rn_mini *m = rn_mini_at(ring, LOG, ci, k);

		assert_int_equal(be32toh(m->rss_hash), 0xa0000000 | (ci + k));
		assert_int_equal(be32toh(m->byte_cnt), first_len + k);
		assert_int_equal(rn_mini_get(m),
				 (uint64_t)(0xa0000000 | (ci + k)) << 32 | (first_len + k));
	}
	rn_cqe_release_session(ring, sessions, ci, n, LOG);
}

/* Sessions of 2 to 9 packets and single completions, at every place of the ring, for many passes,
 * mixed and sessions alone: what a session left unwritten must never look like a completion. */
static void sessions_leave_nothing_behind(void **state)
{
	struct rn_sessions sessions = {0};
	struct rn_cqe ring[SIZE];
	uint32_t ci = 0;

	(void)state;
	memset(ring, 0, sizeof(ring));
	rn_cqe_prepare(ring, LOG);
	for (uint32_t round = 0; round < 20000; round++) {
		bool alone = round / 100 % 2; /* long enough that a pass has nothing else */
		uint32_t n = round * 7 % 11;

		for (uint32_t k = 0; k < SIZE; k++)
			assert_false(ours(ring, ci + k));
		if (n < 2 && !alone) {
			put(ring, ci, RN_CQE_RECEIVED);
			assert_true(ours(ring, ci++));
			continue;
		}
		n = n < 3 ? 2 : n - 1;
		put_session(ring, ci, n, round);
		take_session(ring, &sessions, ci, n, round);
		ci += n;
	}
}

/* Lines that the device did not write are not touched, once a pass was one of sessions. */
static void sessions_touch_what_was_written(void **state)
{
	struct rn_sessions sessions = {0};
	struct rn_cqe ring[SIZE];
	uint32_t ci = 0;

	(void)state;
	memset(ring, 0, sizeof(ring));
	rn_cqe_prepare(ring, LOG);
	for (uint32_t round = 0; round < 20; round++, ci += 8) {
		put_session(ring, ci, 8, round);
		for (uint32_t k = 2; k < 8 && round > 1; k++)
			ring[(ci + k) % SIZE].op_own =
				0xf2; /* INVALID too, but not as we write it */
		take_session(ring, &sessions, ci, 8, round);
		for (uint32_t k = 2; k < 8 && round > 1; k++)
			assert_int_equal(ring[(ci + k) % SIZE].op_own, 0xf2);
	}
}

/* ---- completions that are alike ---- */

static void alike_is_the_tail_but_for_the_counter(void **state)
{
	struct rn_cqe e;
	uint64_t tail = rn_cqe_tail_of(0x123456, 0xfffe, 0x20);

	(void)state;
	memcpy(&e, udp4, sizeof(e));
	assert_int_not_equal((rn_cqe_tail(&e) ^ tail) & RN_CQE_TAIL_MASK, 0); /* drops */
	e.drops_tag &= htobe32(0xffffff);
	assert_int_equal((rn_cqe_tail(&e) ^ tail) & RN_CQE_TAIL_MASK, 0);
	e.signature = 0x5a;
	e.op_own |= 2; /* solicited */
	assert_int_equal((rn_cqe_tail(&e) ^ tail) & RN_CQE_TAIL_MASK, 0);
	e.wqe_counter = htobe16(0xffff);
	assert_int_equal((rn_cqe_tail(&e) ^ (tail + RN_CQE_TAIL_NEXT)) & RN_CQE_TAIL_MASK, 0);
	e.op_own ^= 1; /* another pass */
	assert_int_not_equal((rn_cqe_tail(&e) ^ (tail + RN_CQE_TAIL_NEXT)) & RN_CQE_TAIL_MASK, 0);
	e.op_own = 0x2c; /* title */
	assert_int_not_equal((rn_cqe_tail(&e) ^ (tail + RN_CQE_TAIL_NEXT)) & RN_CQE_TAIL_MASK, 0);
	assert_int_equal(rn_cqe_parsed(&e), 0x2807); /* as the machine reads it */
	assert_int_equal(rn_cqe_hashing(&e), 0x84);
	assert_int_equal(rn_cqe_hashed(&e), 0x1122334484000000);
	assert_true(rn_cqe_len_up(&e) == 1514ull << 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_received_packet),
		cmocka_unit_test(an_error),
		cmocka_unit_test(flags_claim_what_was_verified),
		cmocka_unit_test(a_fresh_ring_is_the_devices),
		cmocka_unit_test(each_pass_flips_the_owner),
		cmocka_unit_test(arrays_stand_at_one_eight_sixteen),
		cmocka_unit_test(sessions_leave_nothing_behind),
		cmocka_unit_test(sessions_touch_what_was_written),
		cmocka_unit_test(alike_is_the_tail_but_for_the_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
