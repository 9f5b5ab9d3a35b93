/* SPDX-License-Identifier: BSD-2-Clause */
/* What is forwarded and what is not, and that the checksum is right after each hop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "packet.h"

static uint8_t frame[128];

static uint32_t sum16(const uint8_t *p, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void seal(uint8_t *ip)
{
	uint32_t sum;

	ip[10] = ip[11] = 0;
	sum = sum16(ip, (ip[0] & 0xfu) * 4) ^ 0xffff;
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

/* 10.0.0.1 to 10.1.2.3, 28 bytes; its length as a frame. */
static uint32_t make4(void)
{
	static const uint8_t ip[28] = {0x45, 0, 0,  28, 1, 2, 0, 0, 64, 17, 0, 0, 10, 0,
				       0,    1, 10, 1,	2, 3, 0, 9, 0,	9,  0, 8, 0,  0};

	memset(frame, 0, sizeof(frame));
	frame[12] = 8;
	memcpy(frame + 14, ip, sizeof(ip));
	seal(frame + 14);
	return 60;
}

/* 2001:db8::1 to 2001:db9::7, 48 bytes. */
static uint32_t make6(void)
{
	static const uint8_t ip[40] = {0x60, 0, 0, 0, 0, 8, 17, 64, 0x20, 1, 0x0d, 0xb8, 0,    0,
				       0,    0, 0, 0, 0, 0, 0,	0,  0,	  1, 0x20, 1,	 0x0d, 0xb9,
				       0,    0, 0, 0, 0, 0, 0,	0,  0,	  0, 0,	   7};

	memset(frame, 0, sizeof(frame));
	frame[12] = 0x86;
	frame[13] = 0xdd;
	memcpy(frame + 14, ip, sizeof(ip));
	return 62;
}

static enum l3_drop read_frame(uint32_t len, struct l3_packet *p)
{
	uint8_t exact[128];

	/* So that a sanitizer sees a read behind the end. */
	memcpy(exact + sizeof(exact) - len, frame, len);
	memset(p, 0, sizeof(*p));
	l3_packet_read(exact + sizeof(exact) - len, len, false, p);
	return (enum l3_drop)p->drop;
}

static void forwarded(void **state)
{
	struct l3_packet p;

	(void)state;
	assert_int_equal(read_frame(make4(), &p), L3_FORWARD);
	assert_int_equal(p.family, 4);
	assert_int_equal(p.l2, 14);
	assert_int_equal(p.len, 28);
	assert_int_equal(p.dst4, 0x0a010203);
	assert_int_equal(read_frame(make6(), &p), L3_FORWARD);
	assert_int_equal(p.family, 6);
	assert_int_equal(p.len, 48);
	assert_true(p.dst6.hi == 0x20010db900000000 && p.dst6.lo == 7);
	/* With a tag inside, and with options. */
	make4();
	memmove(frame + 16, frame + 12, 32);
	frame[12] = 0x81;
	frame[13] = 0;
	assert_int_equal(read_frame(64, &p), L3_FORWARD);
	assert_int_equal(p.l2, 18);
	make4();
	frame[14] = 0x46;
	seal(frame + 14);
	assert_int_equal(read_frame(60, &p), L3_FORWARD);
}

/* One byte of a good packet made another one. */
static enum l3_drop spoilt(uint32_t (*make)(void), unsigned at, uint8_t value)
{
	struct l3_packet p;
	uint32_t len = make();

	frame[14 + at] = value;
	if (make == make4 && at != 10)
		seal(frame + 14);
	return read_frame(len, &p);
}

static void dropped(void **state)
{
	struct l3_packet p;

	(void)state;
	assert_int_equal(spoilt(make4, 0, 0x55), L3_DROP_bad_header);
	assert_int_equal(spoilt(make4, 0, 0x44), L3_DROP_bad_header);
	assert_int_equal(spoilt(make4, 3, 19), L3_DROP_bad_header);
	assert_int_equal(spoilt(make4, 3, 47), L3_DROP_bad_header);
	make4();
	frame[24] ^= 1;
	assert_int_equal(read_frame(60, &p), L3_DROP_bad_checksum);
	l3_packet_read(frame, 60, true, &p);
	assert_int_equal(p.drop, L3_FORWARD);
	assert_int_equal(spoilt(make4, 8, 1), L3_DROP_ttl_expired);
	assert_int_equal(spoilt(make4, 8, 0), L3_DROP_ttl_expired);
	assert_int_equal(spoilt(make4, 8, 2), L3_FORWARD);
	assert_int_equal(spoilt(make4, 16, 224), L3_DROP_not_routable);
	assert_int_equal(spoilt(make4, 16, 255), L3_DROP_not_routable);
	assert_int_equal(spoilt(make4, 16, 127), L3_DROP_not_routable);
	assert_int_equal(spoilt(make4, 12, 0), L3_DROP_not_routable);
	assert_int_equal(spoilt(make4, 12, 240), L3_DROP_not_routable);
	assert_int_equal(spoilt(make6, 0, 0x50), L3_DROP_bad_header);
	assert_int_equal(spoilt(make6, 5, 9), L3_DROP_bad_header);
	assert_int_equal(spoilt(make6, 7, 1), L3_DROP_ttl_expired);
	assert_int_equal(spoilt(make6, 24, 0xff), L3_DROP_not_routable);
	make6();
	frame[14 + 8] = 0xfe;
	frame[14 + 9] = 0xbf;
	assert_int_equal(read_frame(62, &p), L3_DROP_not_routable);
	make6();
	memset(frame + 14 + 24, 0, 15);
	frame[14 + 39] = 1;
	assert_int_equal(read_frame(62, &p), L3_DROP_not_routable);
	make4();
	frame[13] = 6;
	assert_int_equal(read_frame(60, &p), L3_DROP_not_ip);
}

/* Cut anywhere. */
static void cut(void **state)
{
	struct l3_packet p;

	(void)state;
	make4();
	for (uint32_t len = 0; len < 42; len++)
		assert_int_not_equal(read_frame(len, &p), L3_FORWARD);
	make6();
	for (uint32_t len = 0; len < 62; len++)
		assert_int_not_equal(read_frame(len, &p), L3_FORWARD);
}

static void aged(void **state)
{
	struct l3_packet p;

	(void)state;
	for (uint32_t id = 0; id < 65536; id++) {
		make4();
		frame[18] = (uint8_t)(id >> 8);
		frame[19] = (uint8_t)id;
		frame[22] = (uint8_t)(id % 254 + 2);
		seal(frame + 14);
		assert_int_equal(read_frame(60, &p), L3_FORWARD);
		l3_packet_age(frame, &p);
		assert_int_equal(frame[22], id % 254 + 1);
		assert_int_equal(sum16(frame + 14, 20), 0xffff);
	}
	make6();
	read_frame(62, &p);
	l3_packet_age(frame, &p);
	assert_int_equal(frame[14 + 7], 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forwarded),
		cmocka_unit_test(dropped),
		cmocka_unit_test(cut),
		cmocka_unit_test(aged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
