/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promise: who comes to a port or leaves it costs what its own rules cost, not what the port has of
 * others': as many instructions (steps.h) among 100,000 rules of others as among 1,000.
 *
 * Seen to fail without its defence:
 *   rn_steer_leave() that walks all rules: 2,609,861 instructions, instead of 9,488
 *   rn_index_reserve() that takes any index: 0 where -EEXIST was due
 *   one list for all rules that wait: 805,266, instead of 6,372
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attachment.h"
#include "backend/backend.h"
#include "match.h"
#include "steer.h"
#include "steps.h"

#define OWN  10u
#define FEW  1000u
#define MANY 100000u

const struct rn_backend *const rn_backends[] = {NULL};

static const uint8_t port_mac[6] = {2, 0, 0, 0, 0, 1};
static struct rn_steer *table;
static uint64_t ids;
static struct rn_attachment mine = {.uid = 1, .label = "mine"}, other = {.uid = 2};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct rn_rule *add(struct rn_attachment *at, uint32_t uid, const char *label, unsigned net,
			   unsigned i)
{
	struct rawnet_match match;
	struct rn_steer_request q = {.match = &match,
				     .at = at,
				     .label = label,
				     .uid = uid,
				     .flags = at ? 0 : RAWNET_FLOW_PERSIST};
	char text[64], why[200];
	struct rn_err err = {0};
	struct rn_rule *rule;
	uint32_t index;

	snprintf(text, sizeof(text), "dst %u.%u.%u.%u", net, i >> 16, i >> 8 & 255, i & 255);
	must(!rn_match_parse(text, &match, why, sizeof(why)));
	must(!rn_steer_add(table, &q, &rule, &index, &err));
	return rule;
}

static void open_table(void)
{
	must(!rn_steer_create(NULL, NULL, port_mac, &ids, &table));
}

static void leave_again_and_again(unsigned others)
{
	open_table();
	for (unsigned i = 0; i < others; i++)
		add(&other, 2, "", 10, i);
	do {
		for (unsigned i = 0; i < OWN; i++)
			add(&mine, 1, "mine", 11, i);
		steps_begin();
		must(rn_steer_leave(table, &mine, NULL, NULL, UINT64_MAX));
		must(rn_steer_count(table, NULL) == others && !mine.n_rules);
	} while (steps_end());
}

static void arrive_again_and_again(unsigned others)
{
	char label[16];

	open_table();
	for (unsigned i = 0; i < others; i++) {
		snprintf(label, sizeof(label), "w%u", i);
		add(NULL, 2, label, 10, i);
	}
	for (unsigned i = 0; i < OWN; i++)
		add(NULL, 1, "mine", 11, i);
	do {
		must(rn_steer_leave(table, &mine, NULL, NULL, UINT64_MAX));
		must(rn_steer_count(table, NULL) == others + OWN && !mine.n_rules);
		steps_begin();
		must(rn_steer_arrive(table, &mine) == OWN);
	} while (steps_end());
}

static uint32_t index_of(const struct rn_rule *rule)
{
	return rule->members->m[0].index;
}

/* A rule of the last daemon, with the index that its client knows it by. */
static int try_restore(unsigned net, uint32_t index)
{
	struct rawnet_match match;
	struct rn_steer_restore from = {.request = {.match = &match, .uid = 1},
					.id = ids + 1,
					.members = rn_members_alloc(1)};
	char text[64], why[200];
	struct rn_err err = {0};
	struct rn_rule *rule;
	int rc;

	snprintf(text, sizeof(text), "dst %u.0.0.1", net);
	must(!rn_match_parse(text, &match, why, sizeof(why)) && from.members);
	from.members->m[0] = (struct rn_member) {.at = &mine, .index = index};
	rc = rn_steer_restore(table, &from, &rule, &err);
	must(rc || index_of(rule) == index);
	return rc;
}

static void restore(unsigned net, uint32_t index)
{
	must(!try_restore(net, index));
}

/* Slots name rules by 16 bits: no index is lost, and none is given out twice. */
static void gives_indexes_out_again(void **state)
{
	struct rn_rule *rule;
	bool seen[9] = {false};

	(void)state;
	open_table();
	rule = add(&mine, 1, "mine", 10, 0);
	assert_int_equal(index_of(rule), 0);
	assert_int_equal(index_of(add(&mine, 1, "mine", 10, 1)), 1);
	rn_steer_del(table, rule);
	assert_int_equal(index_of(add(&mine, 1, "mine", 10, 2)), 0);
	assert_true(rn_steer_leave(table, &mine, NULL, NULL, UINT64_MAX));
	restore(11, 7);
	restore(12, 3);
	seen[7] = seen[3] = true;
	for (unsigned i = 0; i < 7; i++) {
		uint32_t index = index_of(add(&mine, 1, "mine", 10, i));

		assert_in_range(index, 0, 8);
		assert_false(seen[index]);
		seen[index] = true;
	}
	assert_int_equal(mine.n_rules, 9);
	/* By turns that are over after one rule. */
	for (unsigned i = 9; i > 1; i--)
		assert_false(rn_steer_leave(table, &mine, NULL, NULL, 0));
	assert_true(rn_steer_leave(table, &mine, NULL, NULL, 0));
	assert_int_equal(rn_steer_count(table, NULL), 0);
	rn_steer_destroy(table);
}

/* Two records that name one index of one attachment: the second is none of its rules. */
static void restores_an_index_once(void **state)
{
	(void)state;
	open_table();
	restore(11, 3);
	assert_int_equal(try_restore(12, 3), -EEXIST);
	assert_int_equal(mine.n_rules, 1);
	assert_int_equal(rn_steer_count(table, NULL), 1);
	assert_true(rn_steer_leave(table, &mine, NULL, NULL, UINT64_MAX));
	assert_int_equal(rn_steer_count(table, NULL), 0);
	rn_steer_destroy(table);
}

static void leaves_at_the_cost_of_its_own(void **state)
{
	(void)state;
	steps_do_not_grow(leave_again_and_again, FEW, MANY, 4);
}

static void arrives_at_the_cost_of_its_own(void **state)
{
	(void)state;
	steps_do_not_grow(arrive_again_and_again, FEW, MANY, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_indexes_out_again),
		cmocka_unit_test(restores_an_index_once),
		cmocka_unit_test(leaves_at_the_cost_of_its_own),
		cmocka_unit_test(arrives_at_the_cost_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
