/* SPDX-License-Identifier: BSD-2-Clause */
/* Matches as text, by the grammar that the daemon uses too. Pure, any thread. */
#include "internal.h"
#include "match.h"
#include "nearest.h"

int rawnet_match_parse(const char *text, struct rawnet_match *match)
{
	char why[256] = "";
	int err = rn_match_parse(text, match, why, sizeof(why));

	return err ? rn_fail(err, "%s", why) : 0;
}

int rawnet_match_format(const struct rawnet_match *match, char *text, size_t size)
{
	return rn_match_format(match, text, size);
}

const char *rawnet_nearest_word(const char *word, const char *const *words)
{
	struct rn_nearest n = {.word = word};

	for (; *words; words++)
		rn_nearest_offer(&n, *words);
	return n.best;
}
