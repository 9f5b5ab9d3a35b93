/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines of keys with values in any order ("src 10.0.0.1 rate 20k"), by tables, and the
 * values that stand in them. */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key {
	const char *name;
	bool (*read)(void *object, const char *word); /* false: not this */
	const char *what; /* is needed behind it */
};

/* Keys that write into one object. */
struct key_table {
	const struct key *keys;
	size_t n;
	void *object;
};

/* All words, by n tables: 0, or -EINVAL and said what is wrong. */
int keys_read(const struct key_table *tables, size_t n, char *const *words);

/* "PROGRAM: sentence" on stderr; -EINVAL. */
__attribute__((format(printf, 1, 2))) int keys_wrong(const char *fmt, ...);

/* ---- values; false: it is none ---- */

bool value_number(const char *word, uint64_t least, uint64_t most, uint64_t *v);
bool value_positive(const char *word, double most, double *v); /* above 0 */
/* Of an option: 0, or -EINVAL and said. */
int value_seconds(int option, const char *word, double *seconds);
bool value_mac(const char *word, uint8_t bytes[6]);

struct value_rate {
	double per_second; /* 0: as fast as possible */
	bool bits; /* of frames without FCS; otherwise frames */
};
/* "1.5M", "10Gbit": frames or bits in a second. */
bool value_rate(const char *word, struct value_rate *rate);

#endif
