/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compressed completions, in the HASH and CSUM formats: where title and mini CQEs lie, what is the
 * title's, when a session ends, what a driver must put back. Layout: guide 2.3.
 *
 * "freeze rx" lets frames gather on the wire, so that one turn of the device makes one session.
 */
#include <stdatomic.h>

#include "frames.h"
#include "lab.h"

#define RING 128

static struct lab lab;
static struct lab_rq rq;
static struct ibv_flow *flow;
static uint32_t slot; /* of the next CQE, running freely */

static int open_with(uint32_t format, uint32_t flags)
{
	uint32_t i;

	lab_open(&lab, NULL);
	lab_rq_new(
		&lab, &rq,
		&(struct lab_rq_attr) {
			.entries = RING, .cqes = RING, .compression = format, .wq_flags = flags});
	for (i = 0; i < RING; i++)
		lab_post(&lab, &rq, i * 1024, 1024);
	flow = lab_flow_all(rq.qp);
	slot = 0;
	return 0;
}

static int setup_hash(void **state)
{
	(void)state;
	return open_with(MLX5DV_CQE_RES_FORMAT_HASH, 0);
}

static int setup_strip(void **state)
{
	(void)state;
	return open_with(MLX5DV_CQE_RES_FORMAT_HASH, IBV_WQ_FLAGS_CVLAN_STRIPPING);
}

static int setup_csum(void **state)
{
	(void)state;
	return open_with(MLX5DV_CQE_RES_FORMAT_CSUM, 0);
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(ibv_destroy_flow(flow), 0);
	lab_rq_free(&rq);
	lab_close(&lab);
	lab_clean();
	return 0;
}

static uint8_t *cqe(uint32_t i)
{
	return (uint8_t *)rq.cq.dv.buf + (i & (RING - 1)) * 64;
}

static bool valid(uint32_t i)
{
	uint8_t op_own = cqe(i)[63];

	return op_own >> 4 != MLX5_CQE_INVALID && (op_own & 1) == ((i & RING) != 0);
}

/* n frames of 60 + i bytes from ports 1000 + i, at once. */
static void arrive(uint32_t n)
{
	struct frame f;
	uint32_t i;

	lab_control("freeze rx");
	for (i = 0; i < n; i++) {
		frame_make(&f,
			   &(struct frame_attr) {.sport = (uint16_t)(1000 + i), .payload = 18 + i});
		assert_int_equal(cx_inject(0, f.b, f.len), 0);
	}
	lab_control("thaw rx");
	lab_sync();
}

/* As a driver must: the slots of a session become the device's again, their owner bit that of the
 * pass that is over, and the consumer index moves. */
static void give_back(uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++, slot++)
		cqe(slot)[63] = (uint8_t)(MLX5_CQE_INVALID << 4 | ((slot & RING) != 0));
	atomic_store_explicit((_Atomic uint32_t *)rq.cq.dv.dbrec, htobe32(slot & 0xffffff),
			      memory_order_release);
}

static const uint8_t *mini(uint32_t title, uint32_t k)
{
	uint32_t array = k / 8;

	return cqe(title + (array ? array * 8 : 1)) + k % 8 * 8;
}

/* The title: format 3, the count for a length, the first packet's everything else. */
static void check_title(uint32_t n, uint16_t first_wqe)
{
	const uint8_t *t = cqe(slot);

	assert_true(valid(slot));
	assert_int_equal(t[63] >> 4, MLX5_CQE_RESP_SEND);
	assert_int_equal(t[63] >> 2 & 3, 3);
	assert_int_equal(lab_get32(t + 0x2c), n);
	assert_int_equal(lab_get16(t + 0x3c), first_wqe);
	assert_int_equal(t[0x1d] >> 2 & 3, 2);
	assert_int_equal(t[0x1c] & 7, 7);
}

static void sessions_of_every_length(void **state)
{
	static uint32_t hash[64];
	uint32_t n, i, wqe = 0;

	(void)state;
	for (n = 2; n <= 64; n += n < 20 ? 1 : 11) {
		arrive(n);
		check_title(n, (uint16_t)wqe);
		for (i = 0; i < n; i++) {
			const uint8_t *m = mini(slot, i);

			assert_int_equal(lab_get32(m + 4), 60 + i);
			if (!hash[i]) /* the same flow has the same hash each time */
				hash[i] = lab_get32(m);
			assert_int_equal(lab_get32(m), hash[i]);
		}
		assert_int_not_equal(hash[0], hash[1]);
		give_back(n);
		assert_false(valid(slot)); /* the next CQE is behind the session */
		for (i = 0; i < n; i++, wqe++)
			lab_post(&lab, &rq, (rq.pi & (RING - 1)) * 1024u, 1024);
	}
}

static void checksums_in_the_minis(void **state)
{
	struct frame f;
	uint32_t i;

	(void)state;
	arrive(10);
	check_title(10, 0);
	for (i = 0; i < 10; i++) {
		frame_make(&f,
			   &(struct frame_attr) {.sport = (uint16_t)(1000 + i), .payload = 18 + i});
		assert_int_equal(lab_get16(mini(slot, i)), frame_sum(f.b + 14, f.len - 14, 0));
		assert_int_equal(lab_get32(mini(slot, i) + 4), f.len);
	}
	give_back(10);
}

static void a_single_packet_is_not_compressed(void **state)
{
	(void)state;
	arrive(1);
	assert_true(valid(slot));
	assert_int_equal(cqe(slot)[63] >> 2 & 3, 0);
	assert_int_equal(lab_get32(cqe(slot) + 0x2c), 60);
	assert_int_equal(lab_get32(cqe(slot) + 0x0c) != 0, 1);
	give_back(1);
}

/* Flags, tag and VLAN are the title's: a frame that differs begins anew. */
static void a_different_frame_ends_the_session(void **state)
{
	struct frame f;
	uint32_t i;

	(void)state;
	lab_control("freeze rx");
	for (i = 0; i < 9; i++) {
		frame_make(&f, &(struct frame_attr) {.tcp = i >= 4 && i < 7, .payload = 30});
		assert_int_equal(cx_inject(0, f.b, f.len), 0);
	}
	lab_control("thaw rx");
	lab_sync();
	check_title(4, 0);
	give_back(4);
	check_title(3, 4);
	assert_int_equal(cqe(slot)[0x1d] >> 4 & 7, 4);
	give_back(3);
	check_title(2, 7);
	give_back(2);
	assert_false(valid(slot));
}

/* The stripped tag stands in the title, for all packets of the session: another tag begins anew. */
static void the_tag_of_a_session(void **state)
{
	struct frame f;
	uint32_t i;

	(void)state;
	lab_control("freeze rx");
	for (i = 0; i < 7; i++) {
		frame_make(&f,
			   &(struct frame_attr) {.vlan = i < 4 ? 0x2005 : 0x2006, .payload = 30});
		assert_int_equal(cx_inject(0, f.b, f.len), 0);
	}
	lab_control("thaw rx");
	lab_sync();
	check_title(4, 0);
	assert_int_equal(cqe(slot)[0x1d] & 1, 1);
	assert_int_equal(lab_get16(cqe(slot) + 0x1e), 0x2005);
	assert_int_equal(lab_get32(mini(slot, 0) + 4), f.len - 4);
	give_back(4);
	check_title(3, 4);
	assert_int_equal(lab_get16(cqe(slot) + 0x1e), 0x2006);
	give_back(3);
}

/* Slots that hold neither title nor array keep what was in them: a driver that does not mark them
 * sees stale completions on the next pass (guide, pitfall 5). */
static void unwritten_slots_keep_their_owner(void **state)
{
	uint32_t pass, i;

	(void)state;
	/* Pass one, uncompressed; every slot is valid, and consumed. */
	for (i = 0; i < RING; i++) {
		arrive(1);
		slot++;
		atomic_store_explicit((_Atomic uint32_t *)rq.cq.dv.dbrec, htobe32(slot),
				      memory_order_release);
		lab_post(&lab, &rq, (rq.pi & (RING - 1)) * 1024u, 1024);
	}
	/* Passes two and three, in sessions of 64, whose slots are not marked. */
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < RING / 64; i++) {
			uint32_t k;

			arrive(64);
			assert_int_equal(lab_get32(cqe(slot) + 0x2c), 64);
			for (k = 0; k < 64; k++)
				lab_post(&lab, &rq, (rq.pi & (RING - 1)) * 1024u, 1024);
			slot += 64;
			atomic_store_explicit((_Atomic uint32_t *)rq.cq.dv.dbrec,
					      htobe32(slot & 0xffffff), memory_order_release);
		}
	/* Slot 2 was last written on pass one (parity 0): now, at pass four (parity 1), it is
	 * harmless; one pass later, with nothing new in it, it looks valid. */
	assert_false(valid(3 * RING + 2));
	assert_true(valid(4 * RING + 2));
}

/* A session that does not fit as a block comes packet by packet: no overrun. */
static void sessions_and_a_full_ring(void **state)
{
	(void)state;
	arrive(60);
	arrive(60);
	check_title(60, 0);
	arrive(8); /* eight slots are left */
	lab_clean();
	give_back(60);
	check_title(60, 60);
	give_back(60);
	check_title(8, 120);
	give_back(8);
}

#define T(name, format) cmocka_unit_test_setup_teardown(name, setup_##format, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(sessions_of_every_length, hash),
		T(checksums_in_the_minis, csum),
		T(a_single_packet_is_not_compressed, hash),
		T(a_different_frame_ends_the_session, hash),
		T(the_tag_of_a_session, strip),
		T(unwritten_slots_keep_their_owner, hash),
		T(sessions_and_a_full_ring, hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
