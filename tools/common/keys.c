/* SPDX-License-Identifier: BSD-2-Clause */
/* See keys.h. */
#include "keys.h"

#include <errno.h>
#include <rawnet/client.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MOST 32u /* in all tables of a program */

int keys_wrong(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return -EINVAL;
}

/* ---- keys ---- */

static int unknown_key(const struct key_table *tables, size_t n, const char *word)
{
	const char *names[KEYS_MOST + 1], *near;
	size_t n_names = 0;

	for (size_t t = 0; t < n; t++)
		for (size_t i = 0; i < tables[t].n && n_names < KEYS_MOST; i++)
			names[n_names++] = tables[t].keys[i].name;
	names[n_names] = NULL;
	near = rawnet_nearest_word(word, names);
	return near ? keys_wrong("\"%s\": did you mean \"%s\"?", word, near)
		    : keys_wrong("\"%s\": not expected here", word);
}

static const struct key *find(const struct key_table *table, const char *word)
{
	for (size_t i = 0; i < table->n; i++)
		if (!strcmp(table->keys[i].name, word))
			return &table->keys[i];
	return NULL;
}

static int read_key(const struct key_table *tables, size_t n, char *const *words)
{
	const struct key *key = NULL;
	size_t t = 0;

	for (; t < n && !key; t++)
		key = find(&tables[t], words[0]);
	if (!key)
		return unknown_key(tables, n, words[0]);
	if (!words[1])
		return keys_wrong("\"%s\": %s is needed behind it", key->name, key->what);
	if (!key->read(tables[t - 1].object, words[1]))
		return keys_wrong("\"%s\": %s: %s is needed", words[1], key->name, key->what);
	return 0;
}

int keys_read(const struct key_table *tables, size_t n, char *const *words)
{
	int rc = 0;

	for (; !rc && *words; words += 2)
		rc = read_key(tables, n, words);
	return rc;
}

/* ---- values ---- */

bool value_number(const char *word, uint64_t least, uint64_t most, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(word, &end, 10);
	return word[0] >= '0' && word[0] <= '9' && !*end && !errno && *v >= least && *v <= most;
}

bool value_positive(const char *word, double most, double *v)
{
	char *end;

	*v = strtod(word, &end);
	return end != word && !*end && *v > 0 && *v <= most;
}

int value_seconds(int option, const char *word, double *seconds)
{
	return value_positive(word, 1e9, seconds)
		       ? 0
		       : keys_wrong("\"%s\": -%c: seconds are needed", word, option);
}

bool value_mac(const char *word, uint8_t bytes[6])
{
	int used = 0;

	return sscanf(word, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &bytes[0], &bytes[1],
		      &bytes[2], &bytes[3], &bytes[4], &bytes[5], &used) == 6 &&
	       !word[used];
}

bool value_rate(const char *word, struct value_rate *rate)
{
	static const char letters[] = "kMG";
	const char *letter;
	char *end;

	rate->per_second = strtod(word, &end);
	if (end == word || !(rate->per_second > 0))
		return false;
	letter = *end ? strchr(letters, *end) : NULL;
	if (letter) {
		end++;
		for (ptrdiff_t power = letter - letters; power >= 0; power--)
			rate->per_second *= 1000;
	}
	rate->bits = !strcmp(end, "bit");
	return (rate->bits || !*end) && rate->per_second <= 1e12;
}
