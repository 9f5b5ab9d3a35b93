/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of rules: moved, shared by a group, gone with their target or waiting for its label,
 * confirmed or rolled back.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control_people.h"

static char conf[] = TWO_PORTS "policy = ( { user = \"4001\"; }, { user = \"4002\"; } );\n";

static uint32_t alice_a, bob_a;

static int setup(void **state)
{
	people_come(state);
	alice_a = control_attach(&c, alice, "a");
	bob_a = control_attach(&c, bob, "a");
	alice_a = control_attach(&c, alice, "a");
	alice_a = control_attach(&c, alice, "a");
	return 0;
}

static void refused(int fd, const char *match, uint32_t at, uint32_t flags, int error,
		    const char *words)
{
	struct rawnet_req_flow_add req = control_flow_request("a", match, at, flags);

	CONTROL_REFUSED(&c, fd, FLOW_ADD, &req, error, words);
}

/* ---- moving, groups ---- */

static void moves(void **state)
{
	uint64_t rule = control_flow(&c, alice, "a", "udp dport 7", alice_a, 0);
	int second = control_client(&c, ALICE, "second");
	uint32_t to = control_attach(&c, second, "a");
	struct rawnet_req_flow_move req = {.rule = rule, .target = {.label = "second"}};
	struct rawnet_req_subscribe subscribe = {.mask = RAWNET_EVENT_FLOW};
	struct rawnet_rep_plain rep;
	struct rawnet_flow_info info;
	struct rawnet_event event;

	(void)state;
	assert_int_equal(CONTROL_ASK(&c, second, SUBSCRIBE, &subscribe, &rep), 0);
	assert_int_equal(CONTROL_ASK(&c, alice, FLOW_MOVE, &req, &rep), 0);
	assert_true(control_event(&c, second, "moved", &event));
	assert_int_equal(event.id, rule);
	assert_int_equal(event.attachment, to);
	assert_true(control_find(&c, alice, rule, &info));
	assert_int_equal(info.targets[0], to);
	req.target = (struct rawnet_target) {.attachment = 999};
	CONTROL_REFUSED(&c, alice, FLOW_MOVE, &req, -ENOENT, "999");
	req.rule = 999;
	CONTROL_REFUSED(&c, alice, FLOW_MOVE, &req, -ENOENT, "rule 999");
	/* It goes with its new target, not with the old one. */
	control_bye(&c, alice);
	alice = control_client(&c, ALICE, "alice");
	assert_true(control_find(&c, alice, rule, &info));
	control_bye(&c, second);
	assert_false(control_find(&c, alice, rule, &info));
}

static void shares_by_groups(void **state)
{
	uint64_t rule = control_flow(&c, alice, "a", "udp dport 7", alice_a, RAWNET_FLOW_GROUP);
	int second = control_client(&c, ALICE, "second");
	uint32_t to = control_attach(&c, second, "a");
	struct rawnet_req_flow_add req;
	struct rawnet_flow_info info;

	(void)state;
	refused(alice, "udp dport 7", to, 0, -EEXIST, "group would share it");
	refused(bob, "udp dport 7", bob_a, RAWNET_FLOW_GROUP, -EEXIST, "same match");
	refused(alice, "udp dport 7", alice_a, RAWNET_FLOW_GROUP, -EEXIST,
		"this attachment already");
	assert_int_equal(control_flow(&c, alice, "a", "udp dport 7", to, RAWNET_FLOW_GROUP), rule);
	assert_true(control_find(&c, alice, rule, &info));
	assert_int_equal(info.n_targets, 2);
	/* What would be rolled back is the whole rule, which the others have for good. */
	control_bye(&c, second);
	assert_true(control_find(&c, alice, rule, &info));
	assert_int_equal(info.n_targets, 1);
	assert_int_equal(info.targets[0], alice_a);
	second = control_client(&c, ALICE, "second");
	to = control_attach(&c, second, "a");
	req = control_flow_request("a", "udp dport 7", to, RAWNET_FLOW_GROUP);
	req.confirm = 5;
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EINVAL, "confirm");
	control_bye(&c, second);
	/* A rule that is no group's stays alone. */
	control_flow(&c, alice, "a", "udp dport 8", alice_a, 0);
	refused(alice, "udp dport 8", alice_a, RAWNET_FLOW_GROUP, -EEXIST, "same match");
}

/* ---- going with their target, or waiting for it ---- */

static void goes_with_its_target(void **state)
{
	uint64_t rule = control_flow(&c, alice, "a", "udp dport 7", alice_a, 0);
	struct rawnet_req_id id = {.id = alice_a};
	struct rawnet_rep_plain rep;
	struct rawnet_flow_info info;

	(void)state;
	assert_int_equal(CONTROL_ASK(&c, alice, DETACH, &id, &rep), 0);
	assert_false(control_find(&c, root, rule, &info));
	CONTROL_REFUSED(&c, alice, DETACH, &id, -ENOENT, "not one of yours");
	alice_a = control_attach(&c, alice, "a");
}

static void waits_for_its_label(void **state)
{
	uint64_t rule = control_flow(&c, alice, "a", "udp dport 7", alice_a, RAWNET_FLOW_PERSIST);
	struct rawnet_flow_info info;
	int other;

	(void)state;
	control_bye(&c, alice);
	assert_true(control_find(&c, root, rule, &info));
	assert_int_equal(info.flags, RAWNET_FLOW_PERSIST | RAWNET_FLOW_WAITING);
	assert_int_equal(info.n_targets, 0);
	assert_string_equal(info.label, "alice");
	/* Another user's client of this label is not the one, nor another label of hers. */
	other = control_client(&c, BOB, "alice");
	control_attach(&c, other, "a");
	assert_true(control_find(&c, root, rule, &info));
	assert_int_equal(info.n_targets, 0);
	control_bye(&c, other);
	alice = control_client(&c, ALICE, "alicia");
	control_attach(&c, alice, "a");
	assert_true(control_find(&c, root, rule, &info));
	assert_int_equal(info.n_targets, 0);
	control_bye(&c, alice);
	alice = control_client(&c, ALICE, "alice");
	alice_a = control_attach(&c, alice, "a");
	assert_true(control_find(&c, alice, rule, &info));
	assert_int_equal(info.flags, RAWNET_FLOW_PERSIST);
	assert_int_equal(info.targets[0], alice_a);
	assert_int_equal(control_del(&c, alice, rule), 0);
}

static void waits_only_for_who_has_a_label(void **state)
{
	uint64_t rule = control_flow(&c, alice, "a", "udp dport 7", alice_a, RAWNET_FLOW_PERSIST);
	int nameless = control_client(&c, ALICE, "");
	uint32_t at = control_attach(&c, nameless, "a");
	struct rawnet_req_flow_move move = {.rule = rule, .target = {.attachment = at}};

	(void)state;
	refused(alice, "udp dport 8", at, RAWNET_FLOW_PERSIST, -EINVAL, "persist");
	CONTROL_REFUSED(&c, alice, FLOW_MOVE, &move, -EINVAL, "persist");
	control_bye(&c, nameless);
	assert_int_equal(control_del(&c, alice, rule), 0);
}

/* ---- confirming ---- */

static uint64_t tentative(int fd, const char *match, uint32_t at, uint32_t seconds)
{
	struct rawnet_req_flow_add req = control_flow_request("a", match, at, 0);
	struct rawnet_rep_flow rep;

	req.confirm = seconds;
	assert_int_equal(CONTROL_ASK(&c, fd, FLOW_ADD, &req, &rep), 0);
	return rep.rule;
}

static bool is_gone(void *arg)
{
	const uint64_t *rule = arg;
	struct rawnet_flow_info info;

	return !control_find(&c, root, *rule, &info);
}

static void rolls_back(void **state)
{
	uint64_t rule = tentative(alice, "udp dport 7", alice_a, 1), kept;
	struct rawnet_req_id id;
	struct rawnet_rep_plain rep;
	struct rawnet_flow_info info;

	(void)state;
	kept = tentative(alice, "udp dport 8", alice_a, 1);
	assert_true(control_find(&c, alice, rule, &info));
	assert_int_equal(info.flags, RAWNET_FLOW_TENTATIVE);
	assert_int_equal(info.confirm_left, 1);
	id.id = kept;
	assert_int_equal(CONTROL_ASK(&c, alice, FLOW_CONFIRM, &id, &rep), 0);
	CONTROL_REFUSED(&c, alice, FLOW_CONFIRM, &id, -ENOENT, "does not wait");
	control_await(&c, is_gone, &rule);
	assert_true(control_find(&c, alice, kept, &info));
	assert_int_equal(info.flags, 0);
	assert_int_equal(info.confirm_left, 0);
	id.id = rule;
	CONTROL_REFUSED(&c, alice, FLOW_CONFIRM, &id, -ENOENT, "there is none");
}

/* Those who watch hear what became of it, in time for the reason. */
static void tells_that_it_rolled_back(void **state)
{
	struct rawnet_req_subscribe subscribe = {.mask = RAWNET_EVENT_FLOW};
	struct rawnet_rep_plain rep;
	struct rawnet_event event;
	uint64_t rule;
	int watcher = control_client(&c, 0, "watcher"), other = control_client(&c, BOB, "other");

	(void)state;
	assert_int_equal(CONTROL_ASK(&c, watcher, SUBSCRIBE, &subscribe, &rep), 0);
	assert_int_equal(CONTROL_ASK(&c, other, SUBSCRIBE, &subscribe, &rep), 0);
	rule = tentative(alice, "udp dport 7", alice_a, 1);
	assert_true(control_event(&c, watcher, "added", &event));
	assert_int_equal(event.uid, ALICE);
	assert_int_equal(event.kind, RAWNET_EVENT_FLOW);
	assert_string_equal(event.dev, "a");
	assert_non_null(strstr(event.text, "dport 7"));
	control_await(&c, is_gone, &rule);
	assert_true(control_event(&c, watcher, "rolled-back", &event));
	assert_int_equal(event.id, rule);
	assert_false(control_event(&c, other, "rolled-back", &event)); /* nothing of hers */
	control_bye(&c, watcher);
	control_bye(&c, other);
}

/* Deleted, or its target gone, before the time has run out: nothing is left to go off. */
static void forgets_what_went_before(void **state)
{
	uint64_t rule = tentative(alice, "udp dport 7", alice_a, 60);

	(void)state;
	assert_int_equal(control_del(&c, alice, rule), 0);
	assert_true(cds_list_empty(&c.daemon->tentative));
	tentative(alice, "udp dport 7", alice_a, 60);
	control_bye(&c, alice);
	assert_true(cds_list_empty(&c.daemon->tentative));
	alice = control_client(&c, ALICE, "alice");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_prestate_setup_teardown(name, setup, people_leave, conf)
	const struct CMUnitTest tests[] = {
		TEST(moves),
		TEST(shares_by_groups),
		TEST(goes_with_its_target),
		TEST(waits_for_its_label),
		TEST(waits_only_for_who_has_a_label),
		TEST(rolls_back),
		TEST(tells_that_it_rolled_back),
		TEST(forgets_what_went_before),
	};

	if (geteuid() != 0) {
		puts("SKIP: connects as several users, needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
