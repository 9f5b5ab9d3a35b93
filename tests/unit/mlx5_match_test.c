/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Matches in the device's form against bytes written by hand from the layout of fte_match_param.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/mlx5/match.h"

static const uint8_t mac[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};

static struct rn_match value, mask;

static const uint8_t *value_at(unsigned offset)
{
	return (const uint8_t *)&value + offset;
}

static const uint8_t *mask_at(unsigned offset)
{
	return (const uint8_t *)&mask + offset;
}

/* A key of a rule without more than the port's MAC and "untagged". */
static void begin(struct rn_key *key, struct rn_key *key_mask)
{
	memset(key, 0, sizeof(*key));
	memset(key_mask, 0, sizeof(*key_mask));
	memcpy(key->dmac, mac, 6);
	memset(key_mask->dmac, 0xff, 6);
	key_mask->vlan = 0xffff; /* as rn_match_key() makes it */
}

/* Nothing may be set that was not asked for. */
static unsigned bits(const struct rn_match *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RN_MATCH_WORDS; i++)
		n += (unsigned)__builtin_popcount(m->w[i]);
	return n;
}

static void untagged_to_a_mac(void **state)
{
	struct rn_key key, key_mask;

	(void)state;
	begin(&key, &key_mask);
	rn_match_fill(&value, &mask, &key, &key_mask, false);
	assert_memory_equal(value_at(0x08), "\x02\x11\x22\x33\x44\x55\0\0", 8);
	assert_memory_equal(mask_at(0x08), "\xff\xff\xff\xff\xff\xff\0\0", 8);
	assert_memory_equal(value_at(0x10), "\0\0\0\0", 4);
	assert_memory_equal(mask_at(0x10), "\0\0\xc0\0", 4); /* neither C-tag nor S-tag */
	assert_int_equal(bits(&mask), 48 + 2);
	assert_int_equal(rn_match_criteria(&mask), RN_MATCH_OUTER);
}

static void one_tag(void **state)
{
	struct rn_key key, key_mask;

	(void)state;
	begin(&key, &key_mask);
	key.vlan = htons(0x123);
	rn_match_fill(&value, &mask, &key, &key_mask, false);
	assert_memory_equal(value_at(0x0c), "\x44\x55\x01\x23", 4);
	assert_memory_equal(mask_at(0x0c), "\xff\xff\x0f\xff", 4); /* priority and CFI are free */
	assert_memory_equal(value_at(0x10), "\0\0\x80\0", 4);
	assert_memory_equal(mask_at(0x10), "\0\0\xc0\0", 4);
	assert_memory_equal(mask_at(0x4c), "\xa0\0\0\0", 4); /* and no second one */
	assert_memory_equal(value_at(0x4c), "\0\0\0\0", 4);
	assert_int_equal(bits(&mask), 48 + 12 + 2 + 2);
	assert_int_equal(rn_match_criteria(&mask), RN_MATCH_OUTER | RN_MATCH_MISC);
}

static void a_port_takes_no_fragment(void **state)
{
	struct rn_key key, key_mask;

	(void)state;
	begin(&key, &key_mask);
	key.ethertype = htons(0x0800);
	key_mask.ethertype = 0xffff;
	memcpy(key.dst, "\x0a\x00\x00\x01", 4);
	memset(key_mask.dst, 0xff, 4);
	memcpy(key.src, "\xc0\xa8\x00\x00", 4);
	memset(key_mask.src, 0xff, 2);
	key.proto = 17;
	key_mask.proto = 0xff;
	key.dport = htons(0x1b59);
	key_mask.dport = 0xffff;
	rn_match_fill(&value, &mask, &key, &key_mask, true);
	/* UDP; version 4 in bits 12..9; no tags, no fragment */
	assert_memory_equal(value_at(0x10), "\x11\x00\x08\x00", 4);
	assert_memory_equal(mask_at(0x10), "\xff\x00\xfe\x00", 4);
	assert_memory_equal(value_at(0x1c), "\x00\x00\x1b\x59", 4);
	assert_memory_equal(mask_at(0x1c), "\x00\x00\xff\xff", 4);
	assert_memory_equal(value_at(0x2c), "\xc0\xa8\x00\x00", 4); /* IPv4 in the last word */
	assert_memory_equal(mask_at(0x2c), "\xff\xff\x00\x00", 4);
	assert_memory_equal(value_at(0x3c), "\x0a\x00\x00\x01", 4);
	assert_memory_equal(mask_at(0x3c), "\xff\xff\xff\xff", 4);
	assert_int_equal(bits(&mask), 48 + 2 + 4 + 1 + 8 + 16 + 16 + 32);
}

static void six_and_tcp(void **state)
{
	static const uint8_t dst[16] = {0xfd, 1, 2, 3, [15] = 9};
	struct rn_key key, key_mask;

	(void)state;
	begin(&key, &key_mask);
	key.ethertype = htons(0x86dd);
	key_mask.ethertype = 0xffff;
	memcpy(key.dst, dst, 16);
	memset(key_mask.dst, 0xff, 16);
	key.proto = 6;
	key_mask.proto = 0xff;
	key.sport = htons(0x0050);
	key_mask.sport = 0xffff;
	rn_match_fill(&value, &mask, &key, &key_mask, false);
	assert_memory_equal(value_at(0x10), "\x06\x00\x0c\x00", 4);
	assert_memory_equal(mask_at(0x10), "\xff\x00\xde\x00", 4);
	assert_memory_equal(value_at(0x14), "\x00\x50\x00\x00", 4);
	assert_memory_equal(mask_at(0x14), "\xff\xff\x00\x00", 4);
	assert_memory_equal(value_at(0x30), dst, 16);
	assert_int_equal(bits(&mask), 48 + 2 + 4 + 8 + 16 + 128);
}

static void another_ethertype(void **state)
{
	struct rn_key key, key_mask;

	(void)state;
	begin(&key, &key_mask);
	key.ethertype = htons(0x88f7);
	key_mask.ethertype = 0xffff;
	memcpy(key.smac, mac, 6);
	memset(key_mask.smac, 0xff, 3);
	rn_match_fill(&value, &mask, &key, &key_mask, false);
	assert_memory_equal(value_at(0x00), "\x02\x11\x22\0\0\0\x88\xf7", 8);
	assert_memory_equal(mask_at(0x00), "\xff\xff\xff\0\0\0\xff\xff", 8);
	assert_int_equal(bits(&mask), 48 + 2 + 24 + 16);
}

static void parameters_have_their_places(void **state)
{
	(void)state;
	memset(&value, 0, sizeof(value));
	memset(&mask, 0, sizeof(mask));
	rn_match_set(&value, &mask, RN_MATCH_SQN, 0x0000abcd, 0x00ffffff);
	assert_memory_equal(value_at(0x40), "\x00\x00\xab\xcd", 4);
	rn_match_set(&value, &mask, RN_MATCH_ICMP, 135 << 8, 0xff00);
	assert_memory_equal(value_at(0x120), "\x00\x00\x87\x00", 4);
	assert_int_equal(rn_match_criteria(&mask), RN_MATCH_MISC | RN_MATCH_MISC3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(untagged_to_a_mac),
		cmocka_unit_test(one_tag),
		cmocka_unit_test(a_port_takes_no_fragment),
		cmocka_unit_test(six_and_tcp),
		cmocka_unit_test(another_ethertype),
		cmocka_unit_test(parameters_have_their_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
