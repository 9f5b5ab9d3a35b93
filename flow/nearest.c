/* SPDX-License-Identifier: BSD-2-Clause */
/* See nearest.h. The distance is that of optimal string alignment. */
#include "nearest.h"

#include <ctype.h>
#include <string.h>

#define LETTERS 32u

static int same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(const char *a, unsigned m, const char *b, unsigned n)
{
	unsigned rows[3][LETTERS + 1]; /* i mod 3: what a's first i letters cost */

	for (unsigned i = 0; i <= m; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			row[j] = row[j - 1] + 1;
			if (i == 0)
				continue;
			row[j] = least(row[j], above[j] + 1);
			row[j] = least(row[j], above[j - 1] + !same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return rows[m % 3][n];
}

void rn_nearest_offer(struct rn_nearest *n, const char *known)
{
	const unsigned len = (unsigned)strnlen(n->word, LETTERS);
	const unsigned d = distance(n->word, len, known, (unsigned)strnlen(known, LETTERS));
	const unsigned most = len <= 3 ? 1 : len <= 6 ? 2 : 3;

	if (d > most || (n->best && d >= n->distance))
		return;
	n->best = known;
	n->distance = d;
}
