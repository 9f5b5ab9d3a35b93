/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promise: who chooses the addresses and MACs of his rules cannot make the tables slow for all. The
 * attacker knows the program, and so a hash with a secret of zeros: of many matches he takes those
 * that collide under it. In the tables they are spread as any others are.
 *
 * Seen to fail without its defence:
 *   make_secret() that does nothing: chains of 1024 rules, MACs, addresses
 *   ids that are their own hash: a chain of 1024
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "match.h"
#include "steer_impl.h"

#define CHAIN 1024u /* rules that collide, and buckets of a table that has them */
#define LONGEST \
	20u /* of CHAIN keys at random in CHAIN buckets: beyond it by chance once in 10^15 */

const struct rn_backend *const rn_backends[] = {NULL};

static const uint8_t port_mac[6] = {2, 0, 0, 0, 0, 1};
static const struct rn_secret known;
static struct rn_steer *table;
static uint64_t ids;

static int setup(void **state)
{
	(void)state;
	return rn_steer_create(NULL, NULL, port_mac, &ids, &table);
}

static int teardown(void **state)
{
	(void)state;
	rn_steer_destroy(table);
	return 0;
}

static struct rawnet_match parsed(const char *text)
{
	struct rawnet_match match;
	char why[200];

	if (rn_match_parse(text, &match, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
	return match;
}

static const struct rn_rule *add(const struct rawnet_match *match)
{
	struct rn_steer_request request = {.match = match, .label = "t", .uid = 1};
	struct rn_err err = {0};
	struct rn_rule *rule;
	uint32_t index;

	if (rn_steer_add(table, &request, &rule, &index, &err))
		fail_msg("%s", err.text);
	return rule;
}

/* The bucket of a hash, in a table of that size. */
static unsigned low_bits(uint64_t hash)
{
	return hash & (CHAIN - 1);
}

static unsigned bucket_of(const struct cds_lfht_node *node)
{
	unsigned bucket = 0;

	for (unsigned bit = 0; bit < 64; bit++)
		if (node->reverse_hash >> (63 - bit) & 1 && bit < 10)
			bucket |= 1u << bit;
	return bucket;
}

static unsigned longest_chain(struct cds_lfht *of, unsigned entries)
{
	unsigned chain[CHAIN] = {0}, n = 0, longest = 0;
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	for (cds_lfht_first(of, &iter); (node = cds_lfht_iter_get_node(&iter));
	     cds_lfht_next(of, &iter)) {
		unsigned length = ++chain[bucket_of(node)];

		longest = length > longest ? length : longest;
		n++;
	}
	assert_int_equal(n, entries);
	return longest;
}

/* ---- matches that collide under the known secret ---- */

/* Adds CHAIN rules, each of a match that make(i) offers and wants to have. */
static void attack(bool (*make)(uint32_t i, struct rawnet_match *match))
{
	struct rawnet_match match;

	for (uint32_t i = 0, n = 0; n < CHAIN; i++)
		if (make(i, &match)) {
			add(&match);
			n++;
		}
}

static bool source(uint32_t i, struct rawnet_match *match)
{
	static struct rawnet_match template;
	struct rn_key key, mask;
	uint64_t words[7];
	size_t n = 0;

	if (!template.size)
		template = parsed("tcp dst fd00::1 src fd00::2 dport 80");
	*match = template;
	memcpy(match->src + 12, &i, sizeof(i));
	rn_match_key(match, port_mac, &key, &mask);
	for (size_t w = 0; w < 7; w++)
		if (((const uint64_t *)(const void *)&mask)[w])
			words[n++] = ((const uint64_t *)(const void *)&key)[w];
	return !low_bits(rn_siphash(&known, words, n));
}

static bool own_mac(uint32_t i, struct rawnet_match *match)
{
	static struct rawnet_match template;
	uint64_t words[2];

	if (!template.size)
		template = parsed("macvlan 02:77:00:00:00:00");
	*match = template;
	memcpy(match->dmac + 2, &i, sizeof(i));
	words[0] = rn_mac_word(match->dmac);
	words[1] = 0xffffffffffffu;
	return !low_bits(rn_siphash(&known, words, 2));
}

static bool address(uint32_t i, struct rawnet_match *match)
{
	static struct rawnet_match template;
	uint64_t words[3] = {0, 0, 6u << 16};

	if (!template.size)
		template = parsed("ipvlan fd00::1");
	*match = template;
	memcpy(match->dst + 12, &i, sizeof(i));
	memcpy(words, match->dst, 16);
	return !low_bits(rn_siphash(&known, words, 3));
}

static void chosen_matches(void **state)
{
	unsigned chain;

	(void)state;
	attack(source);
	chain = longest_chain(table->order->shape[0]->rules, CHAIN);
	print_message("rules of one shape: the longest chain is %u\n", chain);
	assert_true(chain <= LONGEST);
}

static void chosen_macs(void **state)
{
	unsigned chain;

	(void)state;
	attack(own_mac);
	chain = longest_chain(table->named, CHAIN);
	print_message("MACs: the longest chain is %u\n", chain);
	assert_true(chain <= LONGEST);
}

static void chosen_addresses(void **state)
{
	unsigned chain;

	(void)state;
	attack(address);
	chain = longest_chain(table->leases, CHAIN);
	print_message("leases: the longest chain is %u\n", chain);
	assert_true(chain <= LONGEST);
}

/* Whoever adds and deletes has the ids that he wants to keep. */
static void chosen_ids(void **state)
{
	struct rawnet_match match = parsed("ipvlan fd00::1");
	unsigned chain;

	(void)state;
	for (uint32_t i = 0; i < CHAIN; i++) {
		ids = (uint64_t)(i + 1) * CHAIN - 1;
		memcpy(match.dst + 12, &i, sizeof(i));
		assert_int_equal(add(&match)->id % CHAIN, 0);
	}
	chain = longest_chain(table->by_id, CHAIN);
	print_message("ids: the longest chain is %u\n", chain);
	assert_true(chain <= LONGEST);
	assert_non_null(rn_steer_find(table, (uint64_t)7 * CHAIN));
	assert_null(rn_steer_find(table, (uint64_t)7 * CHAIN + 1));
}

/* Of the bytes 0, 1, 2, ...: with a secret of zeros as Python 3.11 hashes them with
 * PYTHONHASHSEED=0, and of none with the secret of the same bytes as in SipHash's own vectors. */
static void is_siphash(void **state)
{
	static const uint64_t want[] = {0xead411e67ebe2eea, 0x8972188433a5c5b7, 0x31185a47af932f3a,
					0x31ef8061c910629b, 0x95bc321ab41d8206, 0xfe1f2445ba50237f,
					0xa4f0cf4ba4adc016};
	uint64_t words[7];
	struct rn_secret secret;

	(void)state;
	for (unsigned i = 0; i < sizeof(words); i++)
		((uint8_t *)words)[i] = (uint8_t)i;
	for (size_t n = 1; n <= 7; n++)
		assert_int_equal(rn_siphash(&known, words, n), want[n - 1]);
	memcpy(&secret, words, sizeof(secret));
	assert_int_equal(rn_siphash(&secret, words, 0), 0xabac0158050fc4dc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_siphash),
		cmocka_unit_test_setup_teardown(chosen_matches, setup, teardown),
		cmocka_unit_test_setup_teardown(chosen_macs, setup, teardown),
		cmocka_unit_test_setup_teardown(chosen_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(chosen_ids, setup, teardown),
	};
	int rc;

	rcu_register_thread();
	rc = cmocka_run_group_tests_name("steer_hash", tests, NULL, NULL);
	rcu_barrier();
	rcu_unregister_thread();
	return rc;
}
