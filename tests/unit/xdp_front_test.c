/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands in front of the XDP program's tables, looked at as the program does.
 *
 * Promise: a rule that left is not found, and nothing is written where a program may still read.
 * Seen to fail without its defence (front.c):
 *
 *   a_rule_is_found     rn_front_hide() without effect: found after it left
 *   what_rests          a room that was left is free at once: another rule stood in it
 *   a_slot_that_closes  cache_leave() left out of rn_front_close(): found by the next table
 *   places_are          a place that is taken is taken again: the first rule's room was lost
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "front.h"

#define ROOMS (RN_XDP_CACHED - 1u)

static struct rn_xdp_front shared;
static struct rn_front front;
static struct rn_shape shape[2] = {{.slot = 3}, {.slot = 4}};

static struct rn_rule rule_of(unsigned s, uint16_t number)
{
	return (struct rn_rule) {
		.shape = &shape[s], .key = {.dport = number, .l4 = 1}, .handle = 1000u + number};
}

static uint32_t hash_of(const struct rn_key *key)
{
	unsigned long long words[7];

	memcpy(words, key, sizeof(words));
	return rn_xdp_hash(words);
}

/* The number of the rule's entry; 0: it is not cached. */
static uint32_t found(const struct rn_rule *rule)
{
	const uint32_t slot = rule->shape->slot, hash = hash_of(&rule->key);
	const uint32_t n = shared.place[rn_xdp_place(slot, hash)];
	const struct rn_xdp_cached *c = &shared.cached[n];

	if (!n || c->slot != slot || !rn_key_equal(&c->key, &rule->key))
		return 0;
	assert_true(shared.filter[slot][hash / 64] >> hash % 64 & 1);
	assert_int_equal(c->handle, rule->handle);
	return n;
}

static void add(unsigned s, uint16_t number)
{
	const struct rn_rule rule = rule_of(s, number);

	rn_front_add(&front, &rule);
}

static void del(unsigned s, uint16_t number)
{
	const struct rn_rule rule = rule_of(s, number);

	rn_front_hide(&front, &rule);
	assert_int_equal(found(&rule), 0);
	rn_front_del(&front, &rule);
}

static uint32_t where(unsigned s, uint16_t number)
{
	const struct rn_rule rule = rule_of(s, number);

	return found(&rule);
}

/* Rules from `at` on until so many rooms are taken; the number behind the last. */
static uint16_t fill(uint16_t at, uint32_t rooms)
{
	for (uint32_t taken = 0; taken < rooms; at++) {
		assert_true(at < 30000); /* or the rooms are not there */
		add(0, at);
		taken += where(0, at) != 0;
	}
	return at;
}

static int setup(void **state)
{
	(void)state;
	memset(&shared, 0, sizeof(shared));
	rn_front_init(&front, &shared);
	assert_int_equal(rn_front_open(&front, 3), 0);
	assert_int_equal(rn_front_open(&front, 4), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rn_front_free(&front);
	return 0;
}

static void a_rule_is_found_until_it_leaves(void **state)
{
	(void)state;
	add(0, 7);
	assert_int_not_equal(where(0, 7), 0);
	assert_int_equal(where(1, 7), 0); /* the same key of another shape */
	del(0, 7);
	assert_int_equal(where(0, 7), 0);
}

static void what_rests_is_not_written(void **state)
{
	struct rn_xdp_cached old;
	uint16_t next;
	uint32_t room;

	(void)state;
	next = fill(1, ROOMS);
	assert_false(rn_front_wants_wait(&front)); /* it would give nothing */
	room = where(0, 1);
	old = shared.cached[room];
	del(0, 1);
	assert_true(rn_front_wants_wait(&front));
	for (uint16_t i = next; i < next + 100; i++) {
		add(0, i);
		assert_int_equal(where(0, i), 0);
	}
	assert_memory_equal(&shared.cached[room], &old, sizeof(old));
	rn_front_waited(&front);
	assert_false(rn_front_wants_wait(&front));
	add(0, 1);
	assert_int_equal(where(0, 1), room);
}

static void a_slot_that_closes_leaves_nothing(void **state)
{
	(void)state;
	add(0, 7);
	add(1, 8);
	rn_front_close(&front, 3);
	assert_int_equal(where(0, 7), 0);
	assert_int_not_equal(where(1, 8), 0);
	assert_int_equal(rn_front_open(&front, 3), 0);
	add(0, 9); /* the next table of this slot */
	assert_int_equal(where(0, 7), 0);
	assert_int_not_equal(where(0, 9), 0);
}

/* The first one stays, whatever else leads to its place, and leaves it to the next that comes. */
static void places_are_first_come_first_served(void **state)
{
	const struct rn_rule first = rule_of(0, 1);
	const uint32_t place = rn_xdp_place(3, hash_of(&first.key));
	struct rn_rule other;
	uint16_t i = 2;

	(void)state;
	add(0, 1);
	do
		other = rule_of(0, i++);
	while (rn_xdp_place(3, hash_of(&other.key)) != place);
	rn_front_add(&front, &other);
	assert_int_not_equal(where(0, 1), 0);
	assert_int_equal(found(&other), 0);
	rn_front_hide(&front, &other); /* is not there: takes nobody out */
	rn_front_del(&front, &other);
	assert_int_not_equal(where(0, 1), 0);
	del(0, 1);
	rn_front_add(&front, &other);
	assert_int_not_equal(found(&other), 0);
	rn_front_waited(&front);
	fill(10000, ROOMS - 1); /* all but that of `other` are there still */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_rule_is_found_until_it_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(what_rests_is_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slot_that_closes_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(places_are_first_come_first_served, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
