/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules by request: added, checked, listed, moved, deleted, confirmed or rolled back, kept for a
 * label, shared by a group; refused with the errno and the words that say why, and then nothing has
 * changed; policy, protection, quotas and other users' rules.
 *
 * Promise: nobody takes what is another's, what the operator needs or what the policy does not
 * grant. Seen to fail without its defence, the rule was there:
 *   keeps_users_apart      no overlap looked for, or not in all shapes (steer_overlap.c)
 *   leases_to_one          the user not compared in rn_leases_check(), or the MAC
 *   protects_the_operator  check_protected() left out; force granted to all (policy.c)
 *   keeps_to_the_policy    entries that fit any user; deny not looked at; allow that needs only to
 *                          intersect
 *   bounds_rules           rules left out of rn_policy_room()
 *   waits_for_the_last_owner  rn_police_settle() left out of rn_rules_add()
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

#include "control_people.h"
#include "match.h"
#include "steer.h"

#define GRETEL 4003u /* by group */

static char conf[] = TWO_PORTS
	"policy = ( { user = \"4001\"; dev = \"a\"; rules = 4; },\n"
	"  { user = \"4002\"; force = true; },\n"
	"  { group = \"900\"; allow = ( \"udp dport 7000\", \"dst 10.9.0.0/16 tcp\" );\n"
	"    deny = ( \"dst 10.9.9.0/24 tcp\" ); } );\n";

static uint32_t root_a, alice_a, bob_a;

static int setup(void **state)
{
	people_come(state);
	root_a = control_attach(&c, root, "a");
	alice_a = control_attach(&c, alice, "a");
	bob_a = control_attach(&c, bob, "a");
	return 0;
}

static void refused(int fd, const char *match, uint32_t at, uint32_t flags, int error,
		    const char *words)
{
	struct rawnet_req_flow_add req = control_flow_request("a", match, at, flags);

	CONTROL_REFUSED(&c, fd, FLOW_ADD, &req, error, words);
}

/* ---- a rule goes to another user ---- */

static struct rn_key key_of(const char *match)
{
	struct rn_key key, mask;
	struct rawnet_match m;
	char why[200];

	assert_int_equal(rn_match_parse(match, &m, why, sizeof(why)), 0);
	rn_match_key(&m, c.daemon->served[0].port->mac, &key, &mask);
	return key;
}

static uint32_t turn_began;

/* A poller that is long about one turn: whose rule it is at the end of that. */
static void *long_turn(void *arg)
{
	const struct rn_key *key = arg;
	const struct rn_steer *s = c.daemon->served[0].port->steer;
	const struct timespec ms = {.tv_nsec = 1000000};
	uintptr_t owner = ALICE;

	rcu_register_thread();
	__atomic_store_n(&turn_began, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 200 && owner != BOB; i++) {
		const struct rn_rule *rule = rn_steer_classify(s, key, 0);

		owner = rule ? rule->uid : 0;
		nanosleep(&ms, NULL);
	}
	rcu_unregister_thread();
	return (void *)owner;
}

/* What was judged by a rule goes out before its next owner has it. */
static void waits_for_the_last_owner(void **state)
{
	uint64_t rule = control_flow(&c, alice, "a", "udp dport 7", alice_a, 0);
	struct rn_key key = key_of("udp dport 7");
	pthread_t poller;
	void *owner;

	(void)state;
	control_flow(&c, alice, "a", "udp dport 8", alice_a,
		     0); /* a shape that goes waits itself */
	turn_began = 0;
	assert_int_equal(pthread_create(&poller, NULL, long_turn, &key), 0);
	while (!__atomic_load_n(&turn_began, __ATOMIC_ACQUIRE))
		sched_yield();
	assert_int_equal(control_del(&c, alice, rule), 0);
	control_flow(&c, bob, "a", "udp dport 7", bob_a, 0);
	rcu_thread_offline();
	assert_int_equal(pthread_join(poller, &owner), 0);
	rcu_thread_online();
	assert_int_not_equal((uintptr_t)owner, BOB);
}

/* ---- adding, listing, deleting ---- */

static void adds_and_deletes(void **state)
{
	uint64_t rule = control_flow(&c, alice, "a", "udp dport 7", alice_a, 0);
	struct rawnet_flow_info info;

	(void)state;
	assert_true(control_find(&c, alice, rule, &info));
	assert_string_equal(info.dev, "a");
	assert_int_equal(info.uid, ALICE);
	assert_int_equal(info.flags, 0);
	assert_int_equal(info.n_targets, 1);
	assert_int_equal(info.targets[0], alice_a);
	assert_int_equal(info.match.dport, 7);
	assert_string_equal(info.label, "alice");
	assert_int_equal(control_del(&c, alice, rule), 0);
	assert_false(control_find(&c, alice, rule, &info));
	assert_int_equal(control_del(&c, alice, rule), -ENOENT);
	/* An id is never used again. */
	assert_true(control_flow(&c, alice, "a", "udp dport 7", alice_a, 0) > rule);
}

static void finds_targets_by_label(void **state)
{
	struct rawnet_req_flow_add req = control_flow_request("a", "udp dport 7", 0, 0);
	struct rawnet_rep_flow rep;
	struct rawnet_flow_info info;

	(void)state;
	strcpy(req.target.label, "alice");
	CONTROL_REFUSED(&c, bob, FLOW_ADD, &req, -ENOENT, "no client \"alice\"");
	assert_int_equal(CONTROL_ASK(&c, alice, FLOW_ADD, &req, &rep), 0);
	req = control_flow_request("a", "udp dport 8", 0, 0);
	strcpy(req.target.label, "alice");
	assert_int_equal(CONTROL_ASK(&c, root, FLOW_ADD, &req, &rep), 0);
	assert_true(control_find(&c, alice, rep.rule, &info)); /* hers, although root asked */
	assert_int_equal(info.uid, ALICE);
	req.target.label[0] = 0;
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -ENOENT, "target");
	memset(req.target.label, 'x', sizeof(req.target.label));
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EINVAL, "not terminated");
}

static void refuses_targets(void **state)
{
	uint32_t root_b = control_attach(&c, root, "b");

	(void)state;
	refused(alice, "udp dport 7", 999, 0, -ENOENT, "no attachment 999");
	refused(alice, "udp dport 7", bob_a, 0, -EPERM, "another user's");
	refused(root, "udp dport 7", root_b, 0, -EINVAL, "is on b, not on a");
}

static void refuses_fields(void **state)
{
	struct rawnet_req_flow_add good = control_flow_request("a", "udp dport 7", alice_a, 0), req;

	(void)state;
	req = good;
	strcpy(req.dev, "nowhere");
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -ENODEV, "\"nowhere\"");
	memset(req.dev, 'a', sizeof(req.dev));
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -ENODEV, "not a port");
	req = good;
	req.flags = RAWNET_FLOW_STATIC;
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EINVAL, "flags");
	req.flags = 0x80000000;
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EINVAL, "flags");
	req = good;
	req.gap = 2;
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EINVAL, "gap");
	req.gap = RAWNET_GAP_DROP;
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EOPNOTSUPP, "gap");
	req = good;
	req.confirm = 86401;
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EINVAL, "confirm");
	req = good;
	req.match.size = 95;
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EINVAL, "size");
	req = good;
	req.match.fields |= 0x8000;
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EINVAL, "");
	req = good;
	req.match.dport = 0;
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EINVAL, "dport");
	req = good;
	req.match.proto = 1; /* no ports there */
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EINVAL, "");
}

static void checks_without_a_change(void **state)
{
	struct rawnet_req_flow_add req =
		control_flow_request("a", "udp dport 7", alice_a, RAWNET_FLOW_CHECK);
	struct rawnet_rep_flow rep;
	char *before = control_state(c.daemon), *after;

	(void)state;
	assert_int_equal(CONTROL_ASK(&c, alice, FLOW_ADD, &req, &rep), 0);
	assert_int_equal(rep.rule, 0);
	after = control_state(c.daemon);
	assert_string_equal(before, after);
	free(before);
	free(after);
	control_flow(&c, alice, "a", "udp dport 7", alice_a, 0);
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &req, -EEXIST, "same match");
}

static void lists_in_pages(void **state)
{
	uint64_t rules[50], seen = 0;
	struct rawnet_req_list req = {0};
	struct rawnet_rep_flow_list rep;
	uint32_t root_b = control_attach(&c, root, "b"), n = 0;

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		char match[32];

		snprintf(match, sizeof(match), "udp dport %u", 100 + i);
		rules[i] = control_flow(&c, root, i < 35 ? "a" : "b", match,
					i < 35 ? root_a : root_b, 0);
	}
	do {
		assert_int_equal(CONTROL_ASK(&c, root, FLOW_LIST, &req, &rep), 0);
		for (uint32_t i = 0; i < rep.list.n; i++) {
			assert_true(rep.entry[i].rule > seen);
			seen = rep.entry[i].rule;
			n += rep.entry[i].rule == rules[n];
		}
		/* One goes between the pages that was the last of the page. */
		if (n == 16) {
			assert_int_equal(control_del(&c, root, seen), 0);
			assert_int_equal(rep.list.n, 16);
		}
		req.cursor = rep.list.next;
	} while (req.cursor);
	assert_int_equal(n, 50);
	req = (struct rawnet_req_list) {.dev = "b"};
	assert_int_equal(CONTROL_ASK(&c, root, FLOW_LIST, &req, &rep), 0);
	assert_int_equal(rep.list.n, 15);
	req = (struct rawnet_req_list) {.attachment = root_b};
	assert_int_equal(CONTROL_ASK(&c, root, FLOW_LIST, &req, &rep), 0);
	assert_int_equal(rep.list.n, 15);
	req = (struct rawnet_req_list) {.client = 999};
	assert_int_equal(CONTROL_ASK(&c, root, FLOW_LIST, &req, &rep), 0);
	assert_int_equal(rep.list.n, 0);
	req = (struct rawnet_req_list) {.cursor = UINT64_MAX};
	assert_int_equal(CONTROL_ASK(&c, root, FLOW_LIST, &req, &rep), 0);
	assert_int_equal(rep.list.n, 0);
}

/* ---- users ---- */

/* An address is one user's, also where the rules take nothing from each other. */
static void leases_to_one(void **state)
{
	(void)state;
	control_flow(&c, alice, "a", "ipvlan 10.0.0.9 udp dport 53", alice_a, 0);
	refused(bob, "ipvlan 10.0.0.9", bob_a, 0, -EEXIST, "has this address already");
	control_flow(&c, alice, "a", "ipvlan 10.0.0.9", alice_a, 0);
	control_flow(&c, bob, "a", "macvlan 02:00:00:00:00:07 addr 10.0.0.7 udp dport 53", bob_a,
		     0);
	refused(bob, "macvlan 02:00:00:00:00:08 addr 10.0.0.7", bob_a, 0, -EEXIST,
		"has this address already");
	refused(alice, "macvlan 02:00:00:00:00:07 addr 10.0.0.7", alice_a, 0, -EEXIST,
		"has this address already");
}

static void keeps_users_apart(void **state)
{
	uint64_t rule = control_flow(&c, alice, "a", "udp dst 10.0.0.0/24 dport 7", alice_a, 0);
	struct rawnet_req_id id = {.id = rule};
	struct rawnet_req_flow_move move = {.rule = rule, .target = {.attachment = bob_a}};
	struct rawnet_flow_info info;

	(void)state;
	assert_false(control_find(&c, bob, rule, &info));
	assert_true(control_find(&c, root, rule, &info));
	CONTROL_REFUSED(&c, bob, FLOW_DEL, &id, -ENOENT, "not yours");
	CONTROL_REFUSED(&c, bob, FLOW_CONFIRM, &id, -ENOENT, "not yours");
	CONTROL_REFUSED(&c, bob, FLOW_MOVE, &move, -ENOENT, "not yours");
	CONTROL_REFUSED(&c, alice, FLOW_MOVE, &move, -EPERM, "another user's");
	CONTROL_REFUSED(&c, root, FLOW_MOVE, &move, -EPERM, "another user's than the rule");
	/* What would take from her; what comes behind hers takes nothing. */
	refused(bob, "udp dst 10.0.0.0/24 dport 7", bob_a, 0, -EEXIST, "same match");
	refused(bob, "udp dst 10.0.0.7 dport 7", bob_a, 0, -EBUSY, "another user's");
	refused(bob, "udp dst 10.0.0.0/24 dport 7 sport 9", bob_a, 0, -EBUSY, "another user's");
	/* Her own may overlap. */
	control_flow(&c, alice, "a", "udp dst 10.0.0.7 dport 7", alice_a, 0);
	control_flow(&c, bob, "a", "udp dst 10.0.0.0/16 dport 7", bob_a, 0);
	control_flow(&c, bob, "a", "udp dst 10.0.1.7 dport 7", bob_a, 0);
	refused(alice, "udp dst 10.0.2.7 dport 7", alice_a, 0, -EBUSY, "another user's");
	/* Root may force. */
	refused(root, "udp dst 10.0.0.8 dport 7", root_a, 0, -EBUSY, "another user's");
	control_flow(&c, root, "a", "udp dst 10.0.0.8 dport 7", root_a, RAWNET_FLOW_FORCE);
	refused(bob, "udp dst 10.0.0.9 dport 7", bob_a, RAWNET_FLOW_FORCE, -EBUSY,
		"another user's");
	assert_int_equal(control_del(&c, root, rule), 0);
}

static void keeps_to_the_policy(void **state)
{
	const gid_t groups[] = {5, 900};
	struct rawnet_req_hello hello = {.min = 1, .max = 1};
	struct rawnet_rep_hello rep;
	struct rawnet_req_attach attach = {.dev = "b"};
	int fd = control_connect_as(&c, c.path, GRETEL, 77, groups, 2),
	    hans = control_client(&c, 4999, "");
	uint32_t at;

	(void)state;
	CONTROL_REFUSED(&c, alice, ATTACH, &attach, -EACCES, "uid 4001 nothing");
	CONTROL_REFUSED(&c, hans, ATTACH, &attach, -EACCES, "uid 4999 nothing");
	refused(hans, "udp dport 7000", root_a, 0, -EACCES, "nothing");
	assert_int_equal(CONTROL_ASK(&c, fd, HELLO, &hello, &rep), 0);
	at = control_attach(&c, fd, "a");
	control_flow(&c, fd, "a", "udp dport 7000", at, 0);
	control_flow(&c, fd, "a", "udp dst 10.1.1.1 dport 7000", at, 0);
	control_flow(&c, fd, "a", "tcp dst 10.9.8.0/24 dport 80", at, 0);
	refused(fd, "udp dport 7001", at, 0, -EACCES, "does not allow");
	refused(fd, "udp", at, 0, -EACCES, "does not allow");
	refused(fd, "tcp dst 10.9.9.7 dport 80", at, 0, -EACCES, "denies");
	refused(fd, "tcp dst 10.9.8.0/23 dport 80", at, 0, -EACCES, "denies");
	refused(fd, "tcp dst 10.8.0.0/15 dport 80", at, 0, -EACCES, "denies");
	control_bye(&c, fd);
	control_bye(&c, hans);
}

static void protects_the_operator(void **state)
{
	(void)state;
	/* Loop ports have no addresses: a rule without dst could be to the host's. */
	refused(alice, "tcp dport 22", alice_a, 0, -EPERM, "protected");
	refused(alice, "tcp", alice_a, 0, -EPERM, "protected");
	refused(alice, "ethertype ipv6 tcp dport 22", alice_a, 0, -EPERM, "protected");
	refused(alice, "tcp dport 22", alice_a, RAWNET_FLOW_FORCE, -EACCES, "force");
	refused(root, "tcp dport 22", root_a, 0, -EPERM, "protected");
	control_flow(&c, alice, "a", "tcp dst 10.0.0.1 dport 22", alice_a, 0);
	control_flow(&c, bob, "a", "tcp dport 22", bob_a, RAWNET_FLOW_FORCE);
	control_flow(&c, root, "a", "ethertype ipv6 tcp dport 22", root_a, RAWNET_FLOW_FORCE);
}

static void bounds_rules(void **state)
{
	uint64_t rule = 0;
	char match[32];

	(void)state;
	for (int i = 0; i < 4; i++) {
		snprintf(match, sizeof(match), "udp dport %d", 7 + i);
		rule = control_flow(&c, alice, "a", match, alice_a, 0);
	}
	refused(alice, "udp dport 99", alice_a, 0, -EDQUOT, "rules: 4 of 4");
	refused(alice, "udp dport 99", alice_a, RAWNET_FLOW_CHECK, -EDQUOT, "rules: 4 of 4");
	/* They count for whom they are, whoever asks. */
	refused(root, "udp dport 99", alice_a, 0, -EDQUOT, "rules: 4 of 4");
	assert_int_equal(control_del(&c, alice, rule), 0);
	control_flow(&c, alice, "a", "udp dport 99", alice_a, 0);
}

static void bounds_shapes(void **state)
{
	char match[64];

	(void)state;
	for (int i = 0; i < 16; i++) {
		snprintf(match, sizeof(match), "udp dst 10.0.0.0/%d dport 7", 8 + i);
		control_flow(&c, root, "a", match, root_a, 0);
	}
	refused(root, "udp dport 7", root_a, 0, -ENOSPC, "16 shapes");
	control_flow(&c, root, "a", "udp dst 10.7.0.0/16 dport 7", root_a, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_prestate_setup_teardown(name, setup, people_leave, conf)
	const struct CMUnitTest tests[] = {
		TEST(adds_and_deletes),	       TEST(finds_targets_by_label),
		TEST(refuses_targets),	       TEST(refuses_fields),
		TEST(checks_without_a_change), TEST(lists_in_pages),
		TEST(keeps_users_apart),       TEST(keeps_to_the_policy),
		TEST(protects_the_operator),   TEST(bounds_rules),
		TEST(bounds_shapes),	       TEST(waits_for_the_last_owner),
		TEST(leases_to_one),
	};

	if (geteuid() != 0) {
		puts("SKIP: connects as several users, needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
