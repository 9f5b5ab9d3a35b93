/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * docs/flows.md against the code: each match that stands there is one, its table of rules is in the
 * order of shapes, and each word of the grammar stands there.
 *
 * Seen to fail without what it says: shapes with fewer bits first (rn_shape_compare()): the first
 * row of the table "does not come before" the second.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "match.h"
#include "steer_impl.h"

#define PAGE RAWNET_SOURCE "/docs/flows.md"
#define ROWS 12

static const uint8_t port_mac[6] = {2, 0, 0, 0, 0, 1};

static FILE *open_page(void)
{
	FILE *f = fopen(PAGE, "r");

	if (!f)
		fail_msg("%s: %s", PAGE, strerror(errno));
	return f;
}

static void mask_of(const char *text, struct rn_key *mask)
{
	struct rawnet_match m;
	struct rn_key key;
	char err[160];

	if (rn_match_parse(text, &m, err, sizeof(err)))
		fail_msg("%s: \"%s\": %s", PAGE, text, err);
	rn_match_key(&m, port_mac, &key, mask);
}

/* Rows "| NUMBER | `MATCH` | ..." */
static void the_table_is_in_order(void **state)
{
	struct rn_key before, mask;
	char line[512], match[256], last[256] = "";
	FILE *f = open_page();
	int row = 0, number;

	(void)state;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "| %d | `%255[^`]` |", &number, match) != 2)
			continue;
		assert_int_equal(number, ++row);
		mask_of(match, &mask);
		if (row > 1 && rn_shape_compare(&before, &mask) >= 0)
			fail_msg("\"%s\" does not come before \"%s\"", last, match);
		before = mask;
		memcpy(last, match, sizeof(last));
	}
	fclose(f);
	assert_int_equal(row, ROWS);
}

static const char *const words[] = {"dmac",  "smac",  "vlan", "ethertype", "dst",    "src",
				    "proto", "tcp",   "udp",  "sctp",	   "icmp",   "icmpv6",
				    "sport", "dport", "addr", "macvlan",   "ipvlan", "tuple"};
#define WORDS (sizeof(words) / sizeof(words[0]))

static unsigned word_of(const char *text)
{
	unsigned i = 0;

	while (i < WORDS && (strncmp(text, words[i], strlen(words[i])) != 0 ||
			     strchr(" `", text[strlen(words[i])]) == NULL))
		i++;
	return i;
}

/* Calls each(text) for everything between backticks, as a string of its own. */
static void quoted(void (*each)(char *text))
{
	char line[512];
	FILE *f = open_page();

	while (fgets(line, sizeof(line), f))
		for (char *at = strchr(line, '`'); at; at = strchr(at, '`')) {
			char *end = strchr(++at, '`');

			if (!end)
				break;
			*end = 0;
			each(at);
			at = end + 1;
		}
	fclose(f);
}

static bool seen[WORDS];
static unsigned matches;

static void note_word(char *text)
{
	unsigned i = word_of(text);

	if (i < WORDS)
		seen[i] = true;
}

/* A match begins with a word of the grammar and has values, not CAPITALS or dots in their place. */
static void try_match(char *text)
{
	struct rn_key mask;

	if (word_of(text) == WORDS || !strchr(text, ' ') || strstr(text, "...") ||
	    strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		return;
	mask_of(text, &mask);
	matches++;
}

static void every_match_is_one(void **state)
{
	(void)state;
	quoted(try_match);
	assert_true(matches > 2 * ROWS);
}

static void every_word_is_there(void **state)
{
	(void)state;
	quoted(note_word);
	for (unsigned i = 0; i < WORDS; i++)
		if (!seen[i])
			fail_msg("%s does not explain \"%s\"", PAGE, words[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_in_order),
		cmocka_unit_test(every_match_is_one),
		cmocka_unit_test(every_word_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
