/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promise: no user takes packets that another user's rule owns, and none is refused for less. Rules
 * of three users come and go at random, thousands of them in all, over few values so that they
 * overlap often. An oracle that knows no shapes and no tables (a list, searched whole, in the
 * documented order) says who owns a packet before and after each addition, for packets made from
 * what two rules have in common; and the table's own classifier has to agree with it.
 *
 * Seen to fail without its defence:
 *   rn_overlap_find() that finds nothing: a rule of user 1 took a packet of user 2's
 *   its order turned round: the same
 *   index_add() left out of rn_overlap_add(): a rule of user 3 took a packet of user 2's
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "match.h"
#include "steer.h"

#define ROUNDS	  24
#define ADDITIONS 600
#define MOST	  ADDITIONS

const struct rn_backend *const rn_backends[] = {NULL};

static const uint8_t port_mac[6] = {2, 0, 0, 0, 0, 1};
static const struct rn_steer_ops ops;
static struct rn_steer *table;
static uint64_t ids, state;

struct owned {
	struct rn_key key, mask;
	struct rn_rule *rule;
	uint32_t uid;
};
static struct owned list[MOST + 1];
static unsigned n;

static uint32_t roll(uint32_t sides)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % sides;
}

/* ---- the oracle ---- */

static unsigned bits(const void *data, size_t size)
{
	const uint8_t *p = data;
	unsigned sum = 0;

	while (size--)
		sum += (unsigned)__builtin_popcount(*p++);
	return sum;
}

/* include/rawnet/flow.h, "Order": is a before b? */
static bool before(const struct rn_key *a, const struct rn_key *b)
{
#define FIELD(f)                                                    \
	if (bits(&a->f, sizeof(a->f)) != bits(&b->f, sizeof(b->f))) \
	return bits(&a->f, sizeof(a->f)) > bits(&b->f, sizeof(b->f))
	FIELD(dport);
	FIELD(sport);
	FIELD(dst);
	FIELD(src);
	FIELD(proto);
	FIELD(ethertype);
	FIELD(vlan);
	FIELD(smac);
	FIELD(dmac);
#undef FIELD
	return memcmp(a, b, sizeof(*a)) > 0;
}

static bool takes(const struct owned *o, const struct rn_key *packet)
{
	const uint8_t *p = (const void *)packet, *k = (const void *)&o->key;
	const uint8_t *m = (const void *)&o->mask;

	for (size_t i = 0; i < sizeof(*packet); i++)
		if ((p[i] & m[i]) != k[i])
			return false;
	return true;
}

/* Who owns the packet among the first `among` of the list; NULL: the kernel. */
static const struct owned *owner(const struct rn_key *packet, unsigned among)
{
	const struct owned *best = NULL;

	for (unsigned i = 0; i < among; i++)
		if (takes(&list[i], packet) && (!best || before(&list[i].mask, &best->mask)))
			best = &list[i];
	return best;
}

/* A packet that both take, its other bits at random; false: there is none. */
static bool in_both(const struct owned *a, const struct owned *b, struct rn_key *packet)
{
	uint8_t *p = (void *)packet;
	const uint8_t *ka = (const void *)&a->key, *ma = (const void *)&a->mask;
	const uint8_t *kb = (const void *)&b->key, *mb = (const void *)&b->mask;

	for (size_t i = 0; i < sizeof(*packet); i++) {
		if ((ka[i] ^ kb[i]) & ma[i] & mb[i])
			return false;
		p[i] = (uint8_t)(ka[i] | kb[i] | (roll(256) & ~(ma[i] | mb[i])));
	}
	packet->zero = 0;
	return true;
}

/* ---- rules ---- */

static void random_match(char *text, size_t size)
{
	static const char *const net[] = {"10.0.0.0/24", "10.0.0.1", "10.0.0.2", "10.0.0.0/8"};
	static const char *const protos[] = {"udp", "tcp"};
	char term[64];

	snprintf(text, size, "ethertype ipv4 ");
#define ADD(...)                                              \
	do {                                                  \
		snprintf(term, sizeof(term), __VA_ARGS__);    \
		strncat(text, term, size - strlen(text) - 1); \
	} while (0)
	if (!roll(6))
		ADD("vlan %u ", 5 + roll(2));
	if (roll(2))
		ADD("dst %s ", net[roll(4)]);
	if (!roll(3))
		ADD("src %s ", net[roll(4)]);
	if (!roll(4))
		return;
	ADD("%s ", protos[roll(2)]);
	if (roll(2))
		ADD("dport %u ", 7 + roll(4));
	if (!roll(3))
		ADD("sport %u ", 7 + roll(4));
#undef ADD
}

/* What the new rule (list[n], not counted yet) would take of others: the first such packet. */
static const struct owned *theft(struct rn_key *packet)
{
	const struct owned *new = &list[n];

	for (unsigned i = 0; i < n; i++) {
		if (list[i].uid == new->uid || !before(&new->mask, &list[i].mask))
			continue;
		if (in_both(&list[i], new, packet))
			return &list[i];
	}
	return NULL;
}

/* Packets of two rules: nobody else's before and the new user's afterwards. */
static void check_added(void)
{
	for (unsigned i = 0; i < n; i++)
		for (int k = 0; k < 2; k++) {
			const struct owned *was, *is;
			struct rn_key packet;

			if (!in_both(&list[i], &list[n], &packet))
				break;
			was = owner(&packet, n);
			is = owner(&packet, n + 1);
			if (was && was->uid != is->uid)
				fail_msg("a rule of user %u took a packet of user %u's", is->uid,
					 was->uid);
			assert_ptr_equal(rn_steer_classify(table, &packet, 0), is->rule);
		}
}

/* 1: added, 0: refused because it would take something. */
static int add(void)
{
	struct rn_steer_request request = {
		.uid = 1 + roll(3), .label = "t", .flags = RAWNET_FLOW_PERSIST};
	struct owned *new = &list[n];
	struct rawnet_match match;
	struct rn_err err = {0};
	struct rn_key packet;
	char text[200], why[200];
	uint32_t index;
	int rc;

	random_match(text, sizeof(text));
	if (rn_match_parse(text, &match, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
	request.match = &match;
	*new = (struct owned) {.uid = request.uid};
	rn_match_key(&match, port_mac, &new->key, &new->mask);
	rc = rn_steer_add(table, &request, &new->rule, &index, &err);
	if (!rc) {
		check_added();
		n++;
		return 1;
	}
	if (rc == -EEXIST) {
		bool same = false;

		for (unsigned i = 0; i < n; i++)
			same |= !memcmp(&list[i].key, &new->key, sizeof(new->key)) &&
				!memcmp(&list[i].mask, &new->mask, sizeof(new->mask));
		assert_true(same);
	} else if (rc == -EBUSY) {
		if (!theft(&packet))
			fail_msg("\"%s\" takes nothing of anybody's: %s", text, err.text);
		return 0;
	} else {
		assert_int_equal(rc, -ENOSPC);
	}
	return -1;
}

static void del(unsigned i)
{
	rn_steer_del(table, list[i].rule);
	list[i] = list[--n];
}

static void nobody_takes(void **unused)
{
	static const unsigned few[] = {MOST, 12, 6,
				       3}; /* with few, what is kept of old ones shows */
	unsigned added = 0, refused = 0;

	(void)unused;
	state = 88172645463325252u;
	for (int round = 0; round < ROUNDS; round++) {
		assert_int_equal(rn_steer_create(&ops, NULL, port_mac, &ids, &table), 0);
		n = 0;
		for (int i = 0; i < ADDITIONS; i++) {
			int what = add();

			added += what == 1;
			refused += what == 0;
			if (n && !roll(3))
				del(roll(n));
			while (n > few[round % 4])
				del(roll(n));
			rcu_quiescent_state();
		}
		while (n)
			del(n - 1);
		rn_steer_destroy(table);
	}
	print_message("%u added, %u refused\n", added, refused);
	assert_true(added > 500 && refused > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_takes)};
	int rc;

	rcu_register_thread();
	rc = cmocka_run_group_tests_name("steer_theft", tests, NULL, NULL);
	rcu_barrier();
	rcu_unregister_thread();
	return rc;
}
