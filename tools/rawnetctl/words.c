/* SPDX-License-Identifier: BSD-2-Clause */
/* From words to a verb and its arguments, by the tables of the objects; and complaints about them.
 */
#include "ctl.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct ctl_object ctl_objects[] = {
	{"status", ctl_status_verbs},
	{"port", ctl_port_verbs},
	{"client", ctl_client_verbs},
	{"flow", ctl_flow_verbs},
	{"poller", ctl_poller_verbs},
	{"quota", ctl_quota_verbs},
	{"counters", ctl_counters_verbs},
	{"monitor", ctl_monitor_verbs},
	{"capture", ctl_capture_verbs},
	{"top", ctl_top_verbs},
	{"explain", ctl_explain_verbs},
	{"route", ctl_route_verbs},
	{NULL, NULL},
};

__attribute__((format(printf, 2, 0))) static void complain(const struct ctl *c, const char *fmt,
							   va_list args)
{
	fflush(stdout); /* what worked before stands in front of what did not */
	fprintf(stderr, "rawnetctl: %s%s", c->where, c->what);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

int ctl_usage(const struct ctl *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(c, fmt, args);
	va_end(args);
	return CTL_USAGE;
}

int ctl_refuse(const struct ctl *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(c, fmt, args);
	va_end(args);
	return CTL_REFUSED;
}

bool ctl_is_number(const char *word)
{
	const char *p = word;

	while (isdigit((unsigned char)*p))
		p++;
	return p > word && !*p;
}

int ctl_number(const struct ctl *c, const char *word, uint64_t most, uint64_t *v)
{
	errno = 0;
	*v = strtoull(word, NULL, 10);
	if (!ctl_is_number(word) || errno || *v > most)
		return ctl_usage(c, "\"%s\": a number from 0 to %" PRIu64 " is needed", word, most);
	return CTL_OK;
}

const char *ctl_word(const struct ctl_args *args, const char *name)
{
	for (unsigned i = 0; args->table[i].name; i++)
		if (!strcmp(args->table[i].name, name))
			return args->value[i];
	return NULL;
}

/* ---- arguments ---- */

struct parser {
	const struct ctl *c;
	struct ctl_args *args;
	bool closed; /* a key word stood behind the match: it does not go on */
};

static bool is_key(const struct ctl_arg *arg)
{
	return arg->kind == CTL_VALUE || arg->kind == CTL_FLAG;
}

static int unknown(const struct parser *p, const char *word)
{
	const char *keys[CTL_ARGS + 1], *near;
	unsigned n = 0;

	for (const struct ctl_arg *arg = p->args->table; arg->name; arg++)
		if (is_key(arg))
			keys[n++] = arg->name;
	keys[n] = NULL;
	near = rawnet_nearest_word(word, keys);
	if (near)
		return ctl_usage(p->c, "\"%s\": did you mean \"%s\"?", word, near);
	return ctl_usage(p->c, "\"%s\": not expected here", word);
}

/* The argument that a key word names, or that a word without one can be. */
static int find(const struct parser *p, const char *word, unsigned *i)
{
	const struct ctl_arg *table = p->args->table;

	for (*i = 0; table[*i].name; ++*i)
		if (is_key(&table[*i]) && !strcmp(table[*i].name, word))
			return p->args->value[*i] ? ctl_usage(p->c, "\"%s\": was said before", word)
						  : CTL_OK;
	for (*i = 0; table[*i].name; ++*i) {
		if (table[*i].kind == CTL_PLAIN && !p->args->value[*i])
			return CTL_OK;
		if (table[*i].kind == CTL_MATCH && !p->closed)
			return CTL_OK;
	}
	return unknown(p, word);
}

static int append(const struct ctl *c, struct ctl_args *args, const char *word)
{
	size_t len = strlen(args->match), more = strlen(word);

	if (len + 1 + more >= sizeof(args->match))
		return ctl_usage(c, "\"%s\": the match is too long", word);
	if (len)
		args->match[len++] = ' ';
	memcpy(args->match + len, word, more + 1);
	return CTL_OK;
}

/* Takes the argument that starts at words[0]; how many words it is, 0 for an error. */
static unsigned take(struct parser *p, char *const *words, unsigned n)
{
	const struct ctl_arg *arg;
	unsigned i;

	if (find(p, words[0], &i))
		return 0;
	arg = &p->args->table[i];
	p->args->value[i] = words[0];
	if (arg->kind == CTL_MATCH) {
		p->args->value[i] = p->args->match;
		return append(p->c, p->args, words[0]) ? 0 : 1;
	}
	if (p->args->match[0])
		p->closed = true;
	if (arg->kind != CTL_VALUE)
		return 1;
	if (n < 2) {
		ctl_usage(p->c, "\"%s\": %s is missing behind it", arg->name, arg->value);
		return 0;
	}
	p->args->value[i] = words[1];
	return 2;
}

static int parse(const struct ctl *c, const struct ctl_verb *verb, char *const *words, unsigned n,
		 struct ctl_args *args)
{
	struct parser p = {.c = c, .args = args};
	unsigned took;

	memset(args, 0, sizeof(*args));
	args->table = verb->args;
	for (; n; words += took, n -= took) {
		took = take(&p, words, n);
		if (!took)
			return CTL_USAGE;
	}
	for (unsigned i = 0; verb->args[i].name; i++)
		if (verb->args[i].needed && !args->value[i])
			return ctl_usage(c, "%s is missing", verb->args[i].name);
	return CTL_OK;
}

/* ---- object and verb ---- */

static int no_object(const struct ctl *c, const char *word)
{
	const char *names[16], *near;
	unsigned n = 0;

	for (; ctl_objects[n].name; n++)
		names[n] = ctl_objects[n].name;
	names[n] = NULL;
	near = rawnet_nearest_word(word, names);
	if (near)
		return ctl_usage(c, "\"%s\": did you mean \"%s\"?", word, near);
	return ctl_usage(c, "\"%s\": not an object, see rawnetctl -h", word);
}

static int no_verb(const struct ctl *c, const struct ctl_object *object, const char *word)
{
	const char *names[16], *near;
	unsigned n = 0;

	for (; object->verbs[n].run; n++)
		names[n] = object->verbs[n].name;
	names[n] = NULL;
	near = rawnet_nearest_word(word, names);
	if (near)
		return ctl_usage(c, "\"%s\": did you mean \"%s\"?", word, near);
	return ctl_usage(c, "\"%s\": not a verb of %s, see rawnetctl -h", word, object->name);
}

static const struct ctl_verb *find_verb(const struct ctl_object *object, const char *word)
{
	const struct ctl_verb *verb = object->verbs;

	while (verb->run && strcmp(verb->name, word) != 0)
		verb++;
	return verb->run ? verb : NULL;
}

int ctl_run(struct ctl *c, char *const *words, unsigned n)
{
	const struct ctl_object *object = ctl_objects;
	const struct ctl_verb *verb;
	struct ctl_args args;
	int rc;

	c->what[0] = '\0';
	while (object->name && strcmp(object->name, words[0]) != 0)
		object++;
	if (!object->name)
		return no_object(c, words[0]);
	snprintf(c->what, sizeof(c->what), "%s: ", object->name);
	words++, n--;
	verb = object->verbs;
	if (verb->name && n) {
		verb = find_verb(object, words[0]);
		if (!verb)
			return no_verb(c, object, words[0]);
		words++, n--;
	}
	if (verb->name)
		snprintf(c->what, sizeof(c->what), "%s %s: ", object->name, verb->name);
	rc = parse(c, verb, words, n, &args);
	return rc ? rc : verb->run(c, &args);
}
