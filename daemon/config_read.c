/* SPDX-License-Identifier: BSD-2-Clause */
/* See config_read.h. */
#include "config_read.h"

#include <ctype.h>
#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "nearest.h"

/* Allocations are chained from config->memory. */
struct chunk {
	struct chunk *next;
	_Alignas(16) uint8_t bytes[];
};

int rn_read_fail(struct rn_reader *r, const config_setting_t *s, const char *fmt, ...)
{
	const char *file = config_setting_source_file(s); /* another one if it was included */
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return rn_fail(r->err, -EINVAL, "%s:%d: %s", file ? file : r->path,
		       (int)config_setting_source_line(s), text);
}

void *rn_read_alloc(struct rn_reader *r, size_t size)
{
	struct chunk *c = calloc(1, sizeof(*c) + size);

	if (!c) {
		rn_fail(r->err, -ENOMEM, "%s: out of memory", r->path);
		return NULL;
	}
	c->next = r->config->memory;
	r->config->memory = c;
	return c->bytes;
}

void rn_config_free(struct rn_config *config)
{
	struct chunk *c, *next;

	if (!config)
		return;
	for (c = config->memory; c; c = next) {
		next = c->next;
		free(c);
	}
	free(config);
}

/* ---- the nearest known word ---- */

static int unknown(struct rn_reader *r, const config_setting_t *s, const struct rn_setting *table)
{
	struct rn_nearest near = {.word = config_setting_name(s)};

	for (; table->name; table++)
		rn_nearest_offer(&near, table->name);
	if (near.best)
		return rn_read_fail(r, s, "\"%.32s\" is not a setting here, did you mean \"%s\"?",
				    near.word, near.best);
	return rn_read_fail(r, s, "\"%.32s\" is not a setting here", near.word);
}

/* ---- values ---- */

const char *rn_read_text(struct rn_reader *r, const config_setting_t *s)
{
	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		return config_setting_get_string(s);
	rn_read_fail(r, s, "%s: a string in quotes is needed",
		     config_setting_name(s) ? config_setting_name(s) : "element");
	return NULL;
}

static bool whole(const config_setting_t *s, long long *v)
{
	int type = config_setting_type(s);

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
		return false;
	*v = type == CONFIG_TYPE_INT ? config_setting_get_int(s) : config_setting_get_int64(s);
	return true;
}

static int read_u32(struct rn_reader *r, const config_setting_t *s, const struct rn_setting *t,
		    void *to)
{
	long long v;

	if (!whole(s, &v) || v < (long long)t->least || v > (long long)t->most)
		return rn_read_fail(r, s, "%s: a number from %llu to %llu is needed", t->name,
				    (unsigned long long)t->least, (unsigned long long)t->most);
	*(uint32_t *)to = (uint32_t)v;
	return 0;
}

static bool with_unit(const char *text, unsigned long long *v)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*v = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (!*end)
		return true;
	unit = strchr(units, *end);
	if (!unit || end[1] || *v >> (63 - 10 * (unit - units + 1)))
		return false;
	*v <<= 10 * (unit - units + 1);
	return true;
}

static int read_u64(struct rn_reader *r, const config_setting_t *s, const struct rn_setting *t,
		    void *to)
{
	unsigned long long v = 0;
	long long number = -1;
	bool ok = whole(s, &number) ? number >= 0
				    : config_setting_type(s) == CONFIG_TYPE_STRING &&
					      with_unit(config_setting_get_string(s), &v);

	if (!ok)
		return rn_read_fail(
			r, s, "%s: a number, or one with K, M or G in quotes, is needed", t->name);
	*(uint64_t *)to = number >= 0 ? (uint64_t)number : v;
	return 0;
}

static int read_text(struct rn_reader *r, const config_setting_t *s, const struct rn_setting *t,
		     char *to)
{
	const char *text = rn_read_text(r, s);

	if (!text)
		return -EINVAL;
	if (strlen(text) >= t->most || !*text)
		return rn_read_fail(r, s, "%s: 1 to %llu characters are possible", t->name,
				    (unsigned long long)t->most - 1);
	memcpy(to, text, strlen(text) + 1);
	return 0;
}

static int read_string(struct rn_reader *r, const config_setting_t *s, const char **to)
{
	const char *text = rn_read_text(r, s);
	char *copy = text ? rn_read_alloc(r, strlen(text) + 1) : NULL;

	if (!copy)
		return -EINVAL;
	memcpy(copy, text, strlen(text) + 1);
	*to = copy;
	return 0;
}

static int read_word(struct rn_reader *r, const config_setting_t *s, const struct rn_setting *t,
		     void *to)
{
	const char *text = rn_read_text(r, s);
	char known[128] = "";
	size_t n = 0;

	if (!text)
		return -EINVAL;
	for (uint32_t i = 0; t->words[i]; i++) {
		if (!strcmp(t->words[i], text)) {
			*(uint32_t *)to = i;
			return 0;
		}
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s\"%s\"", i ? ", " : "",
				      t->words[i]);
	}
	return rn_read_fail(r, s, "%s: \"%.32s\" is not one of %s", t->name, text, known);
}

static int read_value(struct rn_reader *r, const config_setting_t *s, const struct rn_setting *t,
		      void *base)
{
	void *to = (uint8_t *)base + t->offset;

	switch (t->kind) {
	case RN_U32: return read_u32(r, s, t, to);
	case RN_U64: return read_u64(r, s, t, to);
	case RN_BOOL:
		if (config_setting_type(s) != CONFIG_TYPE_BOOL)
			return rn_read_fail(r, s, "%s: true or false is needed", t->name);
		*(bool *)to = config_setting_get_bool(s) != 0;
		return 0;
	case RN_TEXT: return read_text(r, s, t, to);
	case RN_STRING: return read_string(r, s, to);
	case RN_WORD: return read_word(r, s, t, to);
	case RN_OTHER: return t->read(r, s, base);
	}
	return -EINVAL;
}

int rn_read_group(struct rn_reader *r, const config_setting_t *s, const struct rn_setting *table,
		  void *base)
{
	if (!config_setting_is_group(s))
		return rn_read_fail(r, s, "%s: a group { ... } is needed",
				    config_setting_name(s) ? config_setting_name(s) : "element");
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *child = config_setting_get_elem(s, (unsigned)i);
		const struct rn_setting *t = table;
		int rc;

		while (t->name && strcmp(t->name, config_setting_name(child)))
			t++;
		rc = t->name ? read_value(r, child, t, base) : unknown(r, child, table);
		if (rc)
			return rc;
	}
	return 0;
}

int rn_read_list(struct rn_reader *r, const config_setting_t *s, const struct rn_setting *table,
		 size_t size, void (*init)(void *element), void **array, uint32_t *n)
{
	uint32_t count = (uint32_t)config_setting_length(s);
	uint8_t *elements;

	if (!config_setting_is_list(s))
		return rn_read_fail(r, s, "%s: a list ( { ... }, ... ) is needed",
				    config_setting_name(s));
	elements = rn_read_alloc(r, count * size);
	if (!elements)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		int rc;

		init(elements + i * size);
		rc = rn_read_group(r, config_setting_get_elem(s, i), table, elements + i * size);
		if (rc)
			return rc;
	}
	*array = elements;
	*n = count;
	return 0;
}

/* ---- comparing ---- */

static bool same_value(const struct rn_setting *t, const void *a, const void *b)
{
	const char *const *text_a = a, *const *text_b = b;

	switch (t->kind) {
	case RN_U32:
	case RN_WORD: return *(const uint32_t *)a == *(const uint32_t *)b;
	case RN_U64: return *(const uint64_t *)a == *(const uint64_t *)b;
	case RN_BOOL: return *(const bool *)a == *(const bool *)b;
	case RN_TEXT: return !strcmp(a, b);
	case RN_STRING:
		return *text_a == *text_b || (*text_a && *text_b && !strcmp(*text_a, *text_b));
	case RN_OTHER: return true;
	}
	return false;
}

bool rn_read_same(const struct rn_setting *table, const void *a, const void *b)
{
	for (; table->name; table++)
		if (!same_value(table, (const uint8_t *)a + table->offset,
				(const uint8_t *)b + table->offset))
			return false;
	return true;
}
