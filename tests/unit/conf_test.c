/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf/rawnetd.conf and rawnetd.conf(5) against the tables of the daemon: each has exactly the
 * settings that there are, the defaults that the file shows are the daemon's, and its examples are
 * possible. Lines of the file that begin with "#" and no blank are settings; the variants below are
 * the file with some of them made real.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "config_read.h"

#define CONF RAWNET_SOURCE "/conf/rawnetd.conf"
#define PAGE RAWNET_SOURCE "/docs/man/rawnetd.conf.5"
#define MOST 128

/* Users and groups of the file exist, whatever the machine has. */
const struct passwd *__wrap_getpwnam(const char *name);
const struct group *__wrap_getgrnam(const char *name);

const struct passwd *__wrap_getpwnam(const char *name)
{
	static struct passwd pw;

	pw.pw_uid = strcmp(name, "root") ? 4711 : 0;
	return &pw;
}

const struct group *__wrap_getgrnam(const char *name)
{
	static struct group gr = {.gr_gid = 4712};

	(void)name;
	return &gr;
}

/* ---- settings by section ---- */

struct names {
	char name[MOST][64]; /* "section.setting" */
	unsigned n;
};

static void add(struct names *names, const char *section, const char *name, size_t len)
{
	assert_true(names->n < MOST);
	snprintf(names->name[names->n++], sizeof(names->name[0]), "%s.%.*s", section, (int)len,
		 name);
}

static bool has(const struct names *names, const char *name)
{
	for (unsigned i = 0; i < names->n; i++)
		if (!strcmp(names->name[i], name))
			return true;
	return false;
}

static void of_tables(struct names *names)
{
	names->n = 0;
	for (const struct rn_section *s = rn_config_sections; s->name; s++)
		for (const struct rn_setting *t = s->settings; t->name; t++)
			add(names, s->name, t->name, strlen(t->name));
	assert_true(names->n > 40);
}

static void compare(const struct names *have, const char *where)
{
	struct names want;
	bool same = true;

	of_tables(&want);
	for (unsigned i = 0; i < want.n; i++)
		if (!has(have, want.name[i])) {
			print_error("%s lacks %s\n", where, want.name[i]);
			same = false;
		}
	for (unsigned i = 0; i < have->n; i++)
		if (!has(&want, have->name[i])) {
			print_error("%s has %s, which is no setting\n", where, have->name[i]);
			same = false;
		}
	assert_true(same);
}

/* ---- the file ---- */

static FILE *must_open(const char *path)
{
	FILE *f = fopen(path, "r");

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	return f;
}

/* The setting in this line, real or behind a "#" without blank; its length, 0: none. */
static size_t setting_in(const char *line, const char **at)
{
	size_t n;

	line += strspn(line, " ");
	line += *line == '#';
	n = strspn(line, "abcdefghijklmnopqrstuvwxyz_0123456789");
	*at = line;
	return n && strchr("=:", line[n + strspn(line + n, " ")]) && line[n] ? n : 0;
}

/* Reads section after section: a setting whose value begins a list of groups opens one, ")" or "};"
 * at a line's start ends it. */
static void of_file(struct names *names)
{
	char section[8][32] = {"top"}, line[256];
	FILE *f = must_open(CONF);
	unsigned depth = 0;

	names->n = 0;
	while (fgets(line, sizeof(line), f)) {
		const char *at, *start = line + strspn(line, " ");
		size_t n = setting_in(line, &at), len = strcspn(line, "\n");

		if (depth && (*start == ')' || !strncmp(start, "};", 2)))
			depth--;
		if (!n)
			continue;
		if (depth)
			add(names, section[depth], at, n);
		if (len && strchr("({", line[len - 1])) {
			assert_true(depth < 7);
			snprintf(section[++depth], sizeof(section[0]), "%.*s", (int)n, at);
		}
	}
	assert_int_equal(depth, 0);
	fclose(f);
}

static void file_has_every_setting(void **state)
{
	struct names names;

	(void)state;
	of_file(&names);
	compare(&names, CONF);
}

/* The page: ".Ss SECTION", then ".It Cm SETTING ...". */
static void page_has_every_setting(void **state)
{
	struct names names = {.n = 0};
	char section[64] = "", line[256];
	FILE *f = must_open(PAGE);

	(void)state;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, ".Ss ", 4))
			snprintf(section, sizeof(section), "%.63s", line + 4);
		if (!strncmp(line, ".It Cm ", 7))
			add(&names, section, line + 7, strcspn(line + 7, " "));
	}
	fclose(f);
	compare(&names, PAGE);
}

/* ---- variants of the file ---- */

enum what {
	ENTRIES, /* with its entries of lists, and what these cannot do without */
	DEFAULTS, /* and everything that is there as a default */
	EXAMPLE, /* and one example */
};

static bool is_example(const char *line)
{
	return strstr(line, "# example") != NULL;
}

/* An entry of rules needs these. */
static bool is_needed(const char *at, size_t n, bool rules)
{
	return rules && ((n == 3 && !strncmp(at, "dev", n)) ||
			 (n == 5 && !strncmp(at, "match", n)) || (n == 2 && !strncmp(at, "to", n)));
}

/* Writes the variant; false: there is no example of this number. */
static bool make_variant(FILE *out, enum what what, unsigned number)
{
	char line[256];
	FILE *f = must_open(CONF);
	bool rules = false, found = what != EXAMPLE;
	unsigned examples = 0;

	while (fgets(line, sizeof(line), f)) {
		char *hash = line + strspn(line, " ");
		const char *at;
		size_t n = setting_in(line, &at);
		bool real = false;

		rules |= !strncmp(line, "rules", 5);
		if (*hash == '#' && strchr("{}", hash[1]))
			real = true;
		else if (*hash == '#' && n && is_needed(at, n, rules))
			real = true;
		else if (*hash == '#' && n && is_example(line))
			real = what == EXAMPLE && examples++ == number;
		else if (*hash == '#' && n)
			real = what == DEFAULTS;
		if (real)
			*hash = ' ';
		found |= real && is_example(line) && !is_needed(at, n, rules);
		fputs(line, out);
	}
	fclose(f);
	return found;
}

/* NULL: there is no such variant. */
static struct rn_config *load(enum what what, unsigned number)
{
	char path[] = "/tmp/rawnet-conf-XXXXXX";
	struct rn_config *config = NULL;
	struct rn_err err = {0};
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");
	bool there;

	assert_non_null(out);
	there = make_variant(out, what, number);
	fclose(out);
	if (there)
		rn_config_load(path, &config, &err);
	unlink(path);
	if (err.code)
		fail_msg("variant %d, example %u: %s", what, number, err.text);
	return config;
}

static void is_valid_as_installed(void **state)
{
	struct rn_config *config;
	struct rn_err err = {0};

	(void)state;
	if (rn_config_load(CONF, &config, &err))
		fail_msg("%s", err.text);
	assert_int_equal(config->n_ports, 1);
	assert_int_equal(config->n_policy, 0); /* nobody but root */
	assert_int_equal(config->n_rules, 0);
	rn_config_free(config);
}

/* Some defaults are stored as 0 and mean what the file says. */
static void fill_in(struct rn_config *c)
{
	for (uint32_t i = 0; i < c->n_ports; i++) {
		if (!c->ports[i].copy_rate)
			c->ports[i].copy_rate = 10000;
		if (!c->ports[i].mtu)
			c->ports[i].mtu = 1500;
	}
}

static void shows_the_defaults(void **state)
{
	struct rn_config *a = load(ENTRIES, 0), *b = load(DEFAULTS, 0);

	(void)state;
	assert_int_equal(a->n_policy, 1);
	assert_int_equal(a->n_rules, 1);
	fill_in(a);
	fill_in(b);
	assert_int_equal(a->log_level, b->log_level);
	assert_int_equal(a->admin_group, b->admin_group);
	assert_int_equal(a->monitor_group, b->monitor_group);
#define SAME(array, n)                                                             \
	do {                                                                       \
		assert_int_equal(a->n, b->n);                                      \
		assert_memory_equal(a->array, b->array, a->n * sizeof(*a->array)); \
	} while (0)
	SAME(sockets, n_sockets);
	SAME(pollers, n_pollers);
	SAME(ports, n_ports);
	SAME(policy, n_policy);
	SAME(rules, n_rules);
	SAME(protect, n_protect);
#undef SAME
	rn_config_free(a);
	rn_config_free(b);
}

static void has_possible_examples(void **state)
{
	struct rn_config *config;
	unsigned n = 0;

	(void)state;
	while ((config = load(EXAMPLE, n))) {
		rn_config_free(config);
		n++;
	}
	assert_true(n >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_has_every_setting), cmocka_unit_test(page_has_every_setting),
		cmocka_unit_test(is_valid_as_installed),  cmocka_unit_test(shows_the_defaults),
		cmocka_unit_test(has_possible_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
