/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading groups of settings by table: each entry names a setting, says what it is and where it
 * goes. Anything that is not in the table is an error that names the nearest word that is.
 */
#ifndef RN_CONFIG_READ_H
#define RN_CONFIG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "rawnet/flow.h"

struct config_t; /* libconfig.h */
struct config_setting_t;
struct rn_reader;

enum rn_kind {
	RN_U32, /* least..most, to a uint32_t */
	RN_U64, /* a number, or a string with K, M or G; to a uint64_t */
	RN_BOOL, /* to a bool */
	RN_TEXT, /* to a char[most] */
	RN_STRING, /* to a const char *, kept until the configuration is freed */
	RN_WORD, /* one of words, to a uint32_t or enum */
	RN_OTHER, /* read() does it */
};

struct rn_setting {
	const char *name;
	enum rn_kind kind;
	size_t offset;
	uint64_t least, most;
	const char *const *words; /* NULL-terminated */
	int (*read)(struct rn_reader *r, const struct config_setting_t *s, void *base);
};

/* One load: where errors go, what has been allocated. */
struct rn_reader {
	const char *path;
	struct rn_err *err;
	struct rn_config *config;
};

/* Fails with file and line of the setting. */
int rn_read_fail(struct rn_reader *r, const struct config_setting_t *s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Memory that lives as long as the configuration, zeroed; NULL: an error was written. */
void *rn_read_alloc(struct rn_reader *r, size_t size);
/* All settings of the group s, by the table (its end has no name). */
int rn_read_group(struct rn_reader *r, const struct config_setting_t *s,
		  const struct rn_setting *table, void *base);
/* A list of groups, into a new array of n elements of this size; init() fills in defaults. */
int rn_read_list(struct rn_reader *r, const struct config_setting_t *s,
		 const struct rn_setting *table, size_t size, void (*init)(void *element),
		 void **array, uint32_t *n);
/* Are all settings of the table alike in both, but those that are RN_OTHER? */
bool rn_read_same(const struct rn_setting *table, const void *a, const void *b);
/* The setting's text, or NULL with an error. */
const char *rn_read_text(struct rn_reader *r, const struct config_setting_t *s);
/* ---- config_values.c: 0, or -errno with an error ---- */

/* A user or group by name or number. */
int rn_read_user(struct rn_reader *r, const struct config_setting_t *s, uid_t *uid);
int rn_read_gid(struct rn_reader *r, const struct config_setting_t *s, gid_t *gid);
int rn_read_match(struct rn_reader *r, const struct config_setting_t *s, struct rawnet_match *m);
/* A list of matches, into a new array. */
int rn_read_matches(struct rn_reader *r, const struct config_setting_t *s,
		    struct rawnet_match **array, uint32_t *n);

/* Do the sections that were read fit together? (config_check.c) */
int rn_config_check(struct rn_reader *r, const struct config_t *file);

#endif
