/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offloads against bytes made by hand and against a slow checksum, on random frames.
 *
 * Promise: one packet is at most some 1,400 segments. Seen to fail without its defence: l4_check()
 * that takes any segment size but 0: 47 bytes were accepted.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net_frames.h"
#include "tx.h"

#define ROUNDS 3000

static uint8_t buffer[70000], copy[70000], out[70000];

static struct want random_want(void)
{
	struct want w = {.tags = (int)rnd(3),
			 .version = rnd(2) ? 4 : 6,
			 .proto = rnd(2) ? 6 : 17,
			 .options = (int)rnd(4) * (int)rnd(4),
			 .ext = (int)rnd(3) * (int)rnd(4),
			 .l4_words = (int)rnd(11),
			 .tcp_flags = (uint8_t)rnd(256),
			 .id = (uint16_t)rnd(65536),
			 .seq = rnd(0xffffffff),
			 .payload = rnd(4) ? rnd(300) : rnd(9000),
			 .padding = rnd(20)};

	rnd_fill(w.src, 16);
	rnd_fill(w.dst, 16);
	rnd_fill(w.dmac, 12);
	w.tpid[0] = rnd(2) ? 0x8100 : 0x88a8;
	return w;
}

static struct rawnet_slot slot_of(const struct want *w, uint16_t flags)
{
	struct rawnet_slot s = {.flags = flags};

	s.u.tx.l2_len = (uint8_t)w->l3;
	s.u.tx.l3_len = (uint8_t)(w->l4 - w->l3);
	s.u.tx.l4_len = w->proto == 6 ? (uint8_t)(20 + w->l4_words * 4) : 8;
	s.u.tx.tso_mss = 1000;
	return s;
}

static uint16_t csum_flags(const struct want *w)
{
	return RAWNET_TX_L4_CSUM | (w->version == 4 ? RAWNET_TX_IP_CSUM : 0);
}

static void known_bytes(void **state)
{
	uint8_t f[14 + 20 + 8 + 1] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0,
				      /* IPv4 */
				      0x45, 0, 0, 29, 0, 0, 0x40, 0, 0x40, 0x11, 0xff, 0xff, 0xc0,
				      0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7,
				      /* UDP: 1 -> 2, one byte of 3 */
				      0, 1, 0, 2, 0, 9, 0xff, 0xff, 3};
	struct rawnet_slot s = {.flags = RAWNET_TX_IP_CSUM | RAWNET_TX_L4_CSUM};

	(void)state;
	s.u.tx.l2_len = 14;
	s.u.tx.l3_len = 20;
	assert_true(rn_offload_check(f, sizeof(f), &s));
	assert_int_equal(rn_offload_csum(f, sizeof(f), &s), 2);
	/* with a total length of 0x73 it is b861, as in many a textbook */
	assert_int_equal(get_be16(f + 24), 0xb861 + 0x73 - 29);
	assert_int_equal(
		get_be16(f + 40),
		0xffff - ((0xc0a8 + 1 + 0xc0a8 + 0xc7 + 0x11 + 9 + 1 + 2 + 9 + 0x300) % 0xffff));
}

static void udp_zero(void **state)
{
	struct want w = {.version = 4, .proto = 17, .payload = 2, .src = {10, 0, 0, 1}};
	uint32_t len = frame_build(buffer, &w), sum;
	struct rawnet_slot s = slot_of(&w, RAWNET_TX_L4_CSUM);

	(void)state;
	memset(buffer + w.data, 0, 2);
	memset(buffer + w.l4 + 6, 0, 2);
	sum = slow_sum(slow_pseudo(buffer, &w, 10), buffer + w.l4, 10);
	be16(buffer + w.data, 0xffff - sum); /* now the checksum would be 0 */
	assert_int_equal(rn_offload_csum(buffer, len, &s), 1);
	assert_int_equal(get_be16(buffer + w.l4 + 6), 0xffff);
	assert_true(slow_l4_ok(buffer, &w));
}

static void random_csum(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct want w = random_want();
		uint32_t len = frame_build(buffer, &w);
		struct rawnet_slot s = slot_of(&w, csum_flags(&w));
		uint32_t field = w.l4 + (w.proto == 17 ? 6 : 16);

		memcpy(copy, buffer, len);
		assert_true(rn_offload_check(buffer, len, &s));
		assert_int_equal(rn_offload_csum(buffer, len, &s), w.version == 4 ? 2 : 1);
		assert_true(slow_l4_ok(buffer, &w));
		assert_true(w.version == 6 || slow_ip4_ok(buffer, &w));
		memcpy(copy + field, buffer + field, 2); /* nothing else has changed */
		if (w.version == 4)
			memcpy(copy + w.l3 + 10, buffer + w.l3 + 10, 2);
		assert_memory_equal(copy, buffer, len);
	}
}

static void wrong_lengths(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct want w = random_want();
		uint32_t len = frame_build(buffer, &w);
		struct rawnet_slot s = slot_of(&w, csum_flags(&w));

		switch (rnd(3)) {
		case 0: s.u.tx.l2_len = (uint8_t)(s.u.tx.l2_len + 1 + rnd(255)); break;
		case 1: s.u.tx.l3_len = (uint8_t)(s.u.tx.l3_len + 1 + rnd(255)); break;
		default:
			if (w.proto != 6)
				continue;
			s.flags |= RAWNET_TX_TSO;
			s.u.tx.l4_len = (uint8_t)(s.u.tx.l4_len + 1 + rnd(255));
		}
		assert_false(rn_offload_check(buffer, len, &s));
		assert_int_equal(rn_offload_segments(buffer, len, &s), 0);
	}
}

static void refused(void **state)
{
	struct want w = {.version = 6, .proto = 6, .payload = 100};
	struct want frag = {.version = 4, .proto = 17, .frag = 0x2000, .payload = 100};
	struct want icmp = {.version = 4, .proto = 1, .payload = 100};
	struct rawnet_slot s;
	uint32_t len = frame_build(buffer, &w);

	(void)state;
	s = slot_of(&w, RAWNET_TX_IP_CSUM); /* there is none in IPv6 */
	assert_false(rn_offload_check(buffer, len, &s));
	s = slot_of(&w, RAWNET_TX_TSO);
	s.u.tx.tso_mss = 0;
	assert_false(rn_offload_check(buffer, len, &s));
	s.u.tx.tso_mss = RAWNET_TX_MSS_MIN - 1; /* one packet would be thousands of frames */
	assert_false(rn_offload_check(buffer, len, &s));
	assert_int_equal(rn_offload_segments(buffer, len, &s), 0);
	s.u.tx.tso_mss = RAWNET_TX_MSS_MIN;
	assert_int_equal(rn_offload_segments(buffer, len, &s), 3);
	s.u.tx.tso_mss = 65535; /* the segment could not say its length */
	assert_int_equal(rn_offload_segments(buffer, len, &s), 0);
	s = slot_of(&w, 0);
	assert_true(rn_offload_check(buffer, 3, &s)); /* nothing asked for */
	assert_int_equal(rn_offload_segments(buffer, len, &s), 0);

	len = frame_build(buffer, &frag);
	s = slot_of(&frag, RAWNET_TX_IP_CSUM);
	assert_true(rn_offload_check(buffer, len, &s));
	s.flags = RAWNET_TX_L4_CSUM;
	assert_false(rn_offload_check(buffer, len, &s));

	len = frame_build(buffer, &icmp);
	s = slot_of(&icmp, RAWNET_TX_L4_CSUM);
	assert_false(rn_offload_check(buffer, len, &s));

	/* a routing header that is not yet at its end */
	w.ext = 1;
	len = frame_build(buffer, &w);
	buffer[w.l3 + 6] = 43;
	s = slot_of(&w, RAWNET_TX_L4_CSUM);
	assert_true(rn_offload_check(buffer, len, &s));
	buffer[w.l3 + 40 + 3] = 1;
	assert_false(rn_offload_check(buffer, len, &s));
}

/* Every length of every kind of frame, in memory that ends with the frame. */
static void truncated(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		struct want w = random_want();
		struct rawnet_slot s;
		uint8_t *f;
		uint32_t len;

		w.payload = rnd(40);
		w.padding = 0;
		len = frame_build(buffer, &w);
		s = slot_of(&w, csum_flags(&w));
		f = guarded(len);
		for (uint32_t l = 0; l < len; l++) {
			memcpy(f + len - l, buffer, l);
			assert_false(rn_offload_check(f + len - l, l, &s));
			assert_int_equal(rn_offload_csum(f + len - l, l, &s), 0);
			assert_false(rn_offload_complete(f + len - l, l));
			s.flags |= RAWNET_TX_TSO;
			if (l < w.data)
				assert_int_equal(rn_offload_segments(f + len - l, l, &s), 0);
			s.flags &= (uint16_t)~RAWNET_TX_TSO;
		}
		memcpy(f, buffer, len);
		assert_true(rn_offload_check(f, len, &s));
		munmap((void *)((uintptr_t)f & ~4095ul), 8192);
	}
}

/* The first bytes of a frame alone, in memory that ends with them: true only where the whole frame
 * says so, and always where all headers are there. */
static void heads(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		struct want w = random_want();
		bool tso = w.proto == 6 && rnd(2);
		struct rawnet_slot s;
		uint32_t len, headers;
		uint8_t *f;

		w.payload = 200 + rnd(1000);
		len = frame_build(buffer, &w);
		s = slot_of(&w, tso ? RAWNET_TX_TSO | RAWNET_TX_L4_CSUM : csum_flags(&w));
		if (tso)
			len -= w.padding;
		headers = w.l4 + (w.proto == 6 ? 20u : 8u);
		f = guarded(len);
		for (uint32_t have = 0; have < len; have += 1 + (have > headers) * 50) {
			uint8_t *at = f + len - have;
			bool whole = rn_offload_check(buffer, len, &s);

			memcpy(at, buffer, have);
			assert_true(whole || !rn_offload_check_head(at, have, len, &s));
			assert_int_equal(rn_offload_check_head(at, have, len, &s),
					 whole && have >= headers);
			if (tso)
				assert_int_equal(
					rn_offload_segments_head(at, have, len, &s),
					have < headers ? 0 : rn_offload_segments(buffer, len, &s));
		}
		munmap((void *)((uintptr_t)f & ~4095ul), 8192);
	}
}

/* Rubbish with a believable start: nothing but "no crash" is asked. */
static void rubbish(void **state)
{
	uint8_t *f = guarded(300);

	(void)state;
	for (int i = 0; i < 20 * ROUNDS; i++) {
		struct want w = random_want();
		struct rawnet_slot s;
		uint32_t len = 14 + rnd(286);
		uint8_t *at = f + 300 - len;

		w.payload %= 200;
		frame_build(buffer, &w);
		memcpy(at, buffer, len);
		for (uint32_t n = rnd(6); n; n--)
			at[rnd(len)] = (uint8_t)rnd(256);
		s = slot_of(&w, (uint16_t)rnd(32));
		if (!rn_offload_check(at, len, &s))
			continue;
		if (s.flags & RAWNET_TX_TSO) {
			unsigned n = rn_offload_segments(at, len, &s);

			for (unsigned k = 0; k < n; k++)
				assert_true(rn_offload_segment(at, len, &s, k, out) <= len);
		} else {
			rn_offload_csum(at, len, &s);
		}
		rn_offload_complete(at, len);
	}
}

static void vlan(void **state)
{
	static const uint8_t tag[4] = {0x81, 0, 0x60, 0x07};

	(void)state;
	for (uint32_t len = 14; len < 200; len++) {
		uint8_t *f = guarded(len + 4);

		rnd_fill(copy, len);
		memcpy(f, copy, len);
		assert_int_equal(rn_offload_vlan(f, len, 0x6007), len + 4);
		assert_memory_equal(f, copy, 12);
		assert_memory_equal(f + 12, tag, 4);
		assert_memory_equal(f + 16, copy + 12, len - 12);
	}
}

/* One segment as the standard says it must be, looked at byte by byte. */
static void segment_is_right(const struct want *w, uint32_t mss, unsigned n, unsigned k)
{
	struct want seg = *w;
	uint32_t size = w->payload - k * mss, flags = w->tcp_flags;
	const uint8_t *tcp = out + w->l4;

	if (size > mss)
		size = mss;
	seg.end = w->data + size;
	if (k)
		flags &= ~0x80u;
	if (k + 1 < n)
		flags &= ~0x09u;
	assert_memory_equal(out, buffer, w->l3);
	assert_memory_equal(out + w->data, buffer + w->data + k * mss, size);
	if (w->version == 4) {
		assert_int_equal(get_be16(out + w->l3 + 2), seg.end - w->l3);
		assert_int_equal(get_be16(out + w->l3 + 4), (w->id + k) & 0xffff);
		assert_true(slow_ip4_ok(out, &seg));
		assert_memory_equal(out + w->l3 + 12, buffer + w->l3 + 12, w->l4 - w->l3 - 12);
	} else {
		assert_int_equal(get_be16(out + w->l3 + 4), seg.end - w->l3 - 40);
		assert_memory_equal(out + w->l3 + 6, buffer + w->l3 + 6, w->l4 - w->l3 - 6);
	}
	assert_int_equal(get_be32(tcp + 4), (uint32_t)(w->seq + k * mss));
	assert_int_equal(tcp[13], flags);
	assert_memory_equal(tcp + 14, buffer + w->l4 + 14, 2);
	assert_memory_equal(tcp + 18, buffer + w->l4 + 18, w->data - w->l4 - 18);
	assert_true(slow_l4_ok(out, &seg));
}

static void tso(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS / 4; i++) {
		struct want w = random_want();
		uint32_t len, mss = RAWNET_TX_MSS_MIN + rnd(1413);
		struct rawnet_slot s;
		unsigned n;

		w.proto = 6;
		w.padding = 0; /* all behind the header is payload */
		w.payload = rnd(8) ? rnd(6000) : 60000 + rnd(8000);
		len = frame_build(buffer, &w);
		if (rnd(2))
			be16(buffer + w.l3 + 2, rnd(65536)); /* IPv4 total length: not looked at */
		if (w.version == 6 && get_be16(buffer + w.l3 + 2) != 0)
			be16(buffer + w.l3 + 2, 0);
		s = slot_of(&w, RAWNET_TX_TSO);
		s.u.tx.tso_mss = (uint16_t)mss;
		n = rn_offload_segments(buffer, len, &s);
		assert_int_equal(n, w.payload ? (w.payload + mss - 1) / mss : 1);
		for (unsigned k = n; k-- > 0;) {
			uint32_t l = rn_offload_segment(buffer, len, &s, k, out);

			assert_int_equal(l,
					 k + 1 < n ? w.data + mss : w.data + w.payload - k * mss);
			segment_is_right(&w, mss, n, k);
		}
	}
}

static void complete(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct want w = random_want();
		uint32_t len, field;

		if (!rnd(4))
			w.frag = rnd(2) ? 0x2000 : 7;
		len = frame_build(buffer, &w);
		field = w.l4 + (w.proto == 17 ? 6 : 16);
		if (w.frag & 0x1fff) {
			memcpy(copy, buffer, len);
			assert_false(rn_offload_complete(buffer, len));
			assert_memory_equal(copy, buffer, len);
			continue;
		}
		be16(buffer + field, slow_pseudo(buffer, &w, w.end - w.l4));
		memcpy(copy, buffer, len);
		if (w.frag) {
			assert_false(rn_offload_complete(buffer, len));
			assert_memory_equal(copy, buffer, len);
			continue;
		}
		if (!slow_l4_ok(buffer, &w))
			assert_true(rn_offload_complete(buffer, len));
		assert_true(slow_l4_ok(buffer, &w));
		memcpy(copy + field, buffer + field, 2);
		assert_memory_equal(copy, buffer, len);
		assert_false(rn_offload_complete(buffer, len)); /* is finished now */
		assert_memory_equal(copy, buffer, len);

		be16(buffer + field, get_be16(buffer + field) ^ 0x0100); /* broken on its way */
		memcpy(copy, buffer, len);
		if (get_be16(buffer + field) != slow_pseudo(buffer, &w, w.end - w.l4)) {
			assert_false(rn_offload_complete(buffer, len));
			assert_memory_equal(copy, buffer, len);
		}
	}
}

/* UDP without a checksum stays without one. */
static void complete_udp_none(void **state)
{
	struct want w = {.version = 4, .proto = 17, .payload = 33, .src = {1, 2, 3, 4}};
	uint32_t len = frame_build(buffer, &w);

	(void)state;
	be16(buffer + w.l4 + 6, 0);
	assert_false(rn_offload_complete(buffer, len));
	assert_int_equal(get_be16(buffer + w.l4 + 6), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_bytes), cmocka_unit_test(udp_zero),
		cmocka_unit_test(random_csum), cmocka_unit_test(wrong_lengths),
		cmocka_unit_test(refused),     cmocka_unit_test(truncated),
		cmocka_unit_test(heads),       cmocka_unit_test(rubbish),
		cmocka_unit_test(vlan),	       cmocka_unit_test(tso),
		cmocka_unit_test(complete),    cmocka_unit_test(complete_udp_none),
	};

	return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
