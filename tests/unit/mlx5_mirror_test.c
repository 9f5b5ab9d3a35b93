/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a NIC's egress tables are told, against policing itself: rules and frames at random, judged
 * by rn_police() over the real table, and by the flows over the parser of the device model.
 *
 * Promises: what passes the tables, policing allows; and while all rules have mirrors, what
 * policing allows passes, but for what is said to be narrower (IPv6 extension headers, priority
 * tags, two unicast ranges). Seen to fail without their defence: the link-control guards, the
 * address of the port.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "../model/frame.h"
#include "backend/mlx5/mirror.h"
#include "police_random.h"

#define SQN 0x1234u

/* ---- the device ---- */

struct entry {
	struct rn_match value, mask;
};

static struct entry pass[64], guard[RN_GUARDS];
static unsigned n_pass;

static bool matches(const struct entry *e, const struct rn_match *k)
{
	for (unsigned i = 0; i < RN_MATCH_WORDS; i++)
		if ((k->w[i] & e->mask.w[i]) != e->value.w[i])
			return false;
	return true;
}

static bool nic_passes(uint32_t len, uint32_t sqn, uint32_t metadata)
{
	struct rn_match k = {0};
	struct cx_frame f;
	struct cx_fte fte;

	cx_frame_parse(&f, buffer, len, false);
	cx_frame_fte(&f, &fte);
	memcpy(k.w, fte.w, CX_FTE_ICMP * 4);
	k.w[RN_MATCH_ICMP] = fte.w[CX_FTE_ICMP];
	k.w[RN_MATCH_METADATA] = htonl(metadata);
	k.w[RN_MATCH_SQN] |= htonl(sqn);
	if (matches(&guard[RN_GUARD_VOUCHED], &k))
		return true;
	if (matches(&guard[RN_GUARD_BRIDGES], &k) || matches(&guard[RN_GUARD_CISCO], &k))
		return false;
	for (unsigned i = 0; i < n_pass; i++)
		if (matches(&pass[i], &k))
			return true;
	return !matches(&guard[RN_GUARD_REST], &k);
}

/* Flows of all rules of the client; false: some have none. */
static bool tell(void)
{
	bool all = true;

	n_pass = 0;
	for (unsigned i = 0; i < table_n; i++) {
		const struct rn_rule *rule = table_real[i];

		if (table_owner[i] != &client)
			continue;
		/* Ports of SCTP: the backend does not take the rule. */
		if (rn_mirror_beyond(rule) || rule->key.proto == IPPROTO_SCTP) {
			all = false;
			continue;
		}
		for (uint32_t k = 0; k < rn_mirror_flows(rule, &addresses); k++) {
			struct entry *e = &pass[n_pass];

			n_pass += rn_mirror_fill(&e->value, &e->mask, rule, &addresses, k, SQN);
		}
	}
	return all;
}

/* What the device understands less of than the daemon's parser: such a frame is not for it. */
static bool narrower(const struct want *w)
{
	return (w->version == 6 && (w->ext || w->frag)) || (w->tags && !(w->tci[0] & 0xfff));
}

/* ---- tests ---- */

static void agrees_with_policing(void **state)
{
	unsigned both = 0, neither = 0, narrow = 0;
	bool whole = false;

	(void)state;
	for (enum rn_guard g = 0; g < RN_GUARDS; g++)
		rn_guard_fill(&guard[g].value, &guard[g].mask, g, SQN);
	for (int i = 0; i < 600000; i++) {
		struct want w;
		uint32_t len = random_frame(&w);
		bool allowed, passes;

		if (i % 20 == 0) {
			random_rules(4);
			whole = tell();
		}
		queue.hint.epoch = 0;
		allowed = !rn_police(&queue, buffer, len, -1);
		passes = nic_passes(len, SQN, 0);
		if (passes)
			assert_true(allowed);
		if (allowed && whole && !narrower(&w))
			assert_true(passes);
		narrow += allowed && whole && !passes;
		both += allowed && passes;
		neither += !allowed && !passes;
		/* what the daemon vouches for; and other queues of the port: the kernel's */
		assert_true(nic_passes(len, SQN, RN_VOUCHED));
		assert_true(nic_passes(len, SQN + 1, 0));
	}
	print_message("%u pass, %u do not, %u are the daemon's alone\n", both, neither, narrow);
	assert_true(both > 5000 && neither > 100000 && narrow > 50);
}

/* No flow may look at the group bit of the destination, nor name a group as an IPv4 destination:
 * Linux would put it behind the one that drops the rest. */
static void stays_in_its_priority(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		random_rules(4);
		tell();
		for (unsigned k = 0; k < n_pass; k++) {
			const uint8_t *v = (const uint8_t *)pass[k].value.w,
				      *m = (const uint8_t *)pass[k].mask.w;

			assert_false(v[8] & m[8] & 1);
			assert_false(m[60] >> 4 == 15 && v[60] >> 4 == 14);
		}
	}
	for (enum rn_guard g = 0; g < RN_GUARDS; g++)
		assert_false(((const uint8_t *)guard[g].mask.w)[8] & 1);
	assert_true(rn_guard_priority(RN_GUARD_VOUCHED) < rn_guard_priority(RN_GUARD_BRIDGES));
	for (uint32_t slot = 0; slot < RN_SHAPES; slot++)
		assert_true(rn_mirror_priority(slot) > rn_guard_priority(RN_GUARD_CISCO) &&
			    rn_mirror_priority(slot) < rn_guard_priority(RN_GUARD_REST));
}

static const char *why(const char *text)
{
	table_clear();
	assert_true(table_add(text, &client));
	return rn_mirror_beyond(table_real[0]);
}

static void what_is_beyond_the_tables(void **state)
{
	(void)state;
	assert_null(why("udp dport 53"));
	assert_null(why("ipvlan 10.0.0.50"));
	assert_null(why("macvlan " OWN_MAC " udp"));
	assert_non_null(why("macvlan " OWN_MAC)); /* its ARP */
	assert_non_null(why("dmac " OWN_MAC " ethertype arp"));
	assert_non_null(why("ipvlan fd00::50")); /* neighbour discovery */
	assert_non_null(why("icmpv6 dst fd00::50"));
	assert_non_null(why("vlan 7 ethertype 0x8100"));
	assert_non_null(why("ethertype 0x88cc"));
	assert_non_null(why("udp src 224.0.0.0/4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_policing),
		cmocka_unit_test(stays_in_its_priority),
		cmocka_unit_test(what_is_beyond_the_tables),
	};
	int rc;

	rcu_register_thread();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return rc;
}
