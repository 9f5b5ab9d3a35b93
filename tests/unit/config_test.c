/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration: each setting with values that are possible and values that are not, where the
 * value goes, what an error says (file, line, the nearest word), and what must fit together across
 * sections. The table of cases has to name every setting that the daemon knows.
 *
 * Promise: a wrong configuration is refused. Seen to fail without its defence: check_rules() left
 * out (config_check.c): a rule for a port that is not there was taken.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "config.h"
#include "config_cases.h"
#include "config_read.h"
#include "log.h"

const struct rn_backend *const rn_backends[] = {NULL};

static char path[64], included[64];

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* NULL and the error, or the configuration. */
static struct rn_config *load(const char *text, struct rn_err *err)
{
	struct rn_config *config = NULL;

	memset(err, 0, sizeof(*err));
	write_file(path, text);
	if (rn_config_load(path, &config, err)) {
		assert_null(config);
		assert_true(err->code < 0);
	}
	return config;
}

static struct rn_config *must_load(const char *text)
{
	struct rn_err err;
	struct rn_config *config = load(text, &err);

	if (!config)
		fail_msg("%s\nof\n%s", err.text, text);
	return config;
}

/* Refused, at this line (0: no line), with a sentence that has these words. */
static void refused(const char *text, unsigned line, const char *words)
{
	struct rn_err err;
	struct rn_config *config = load(text, &err);
	char place[96];

	if (config)
		fail_msg("taken, but \"%s\" was expected of\n%s", words, text);
	if (line)
		snprintf(place, sizeof(place), "%s:%u: ", path, line);
	else
		snprintf(place, sizeof(place), "%s: ", path);
	if (strncmp(err.text, place, strlen(place)) || !strstr(err.text, words))
		fail_msg("\"%s\" instead of \"%s...%s\" of\n%s", err.text, place, words, text);
}

/* ---- each setting ---- */

/* The setting stands in line 2. */
static void frame(const char *section, const char *setting, char text[1024])
{
	static const struct {
		const char *section, *before, *behind;
	} frames[] = {
		{"daemon", "daemon = {\n", "\n}; ports = ( { dev = \"a\"; } );\n"},
		{"sockets", "daemon = { sockets = ( {\n",
		 "\n} ); }; ports = ( { dev = \"a\"; } );\n"},
		{"pollers", "pollers = ( {\n", "\n} ); ports = ( { dev = \"a\"; } );\n"},
		{"ports", "pollers = ( {}, {} ); ports = ( {\n", "\n} );\n"},
		{"policy", "ports = ( { dev = \"a\"; } ); policy = ( {\n", "\n} );\n"},
		{"rules", "ports = ( { dev = \"a\"; } ); rules = ( {\n", "\n} );\n"},
	};

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		if (!strcmp(frames[i].section, section)) {
			snprintf(text, 1024, "%s%s%s", frames[i].before, setting, frames[i].behind);
			return;
		}
	fail_msg("no section %s", section);
}

static const void *base_of(const struct rn_config *c, const char *section)
{
	return !strcmp(section, "daemon")    ? (const void *)c
	       : !strcmp(section, "sockets") ? (const void *)c->sockets
	       : !strcmp(section, "pollers") ? (const void *)c->pollers
	       : !strcmp(section, "ports")   ? (const void *)c->ports
	       : !strcmp(section, "policy")  ? (const void *)c->policy
					     : (const void *)c->rules;
}

static const struct rn_setting *setting_of(const struct config_case *c)
{
	for (const struct rn_section *s = rn_config_sections; s->name; s++)
		for (const struct rn_setting *t = s->settings; t->name; t++)
			if (!strcmp(s->name, c->section) && !strcmp(t->name, c->setting))
				return t;
	fail_msg("%s.%s is not a setting", c->section, c->setting);
	return NULL;
}

static void check_value(const struct config_case *c, const struct rn_config *config)
{
	const struct rn_setting *t = setting_of(c);
	const uint8_t *at = (const uint8_t *)base_of(config, c->section) + t->offset;

	switch (t->kind) {
	case RN_U32:
	case RN_WORD: assert_int_equal(*(const uint32_t *)(const void *)at, c->number); break;
	case RN_U64: assert_int_equal(*(const uint64_t *)(const void *)at, c->number); break;
	case RN_BOOL: assert_int_equal(*(const bool *)at, c->number); break;
	case RN_TEXT: assert_string_equal((const char *)at, c->text); break;
	case RN_STRING: assert_string_equal(*(const char *const *)(const void *)at, c->text); break;
	case RN_OTHER: break; /* below, one by one */
	}
}

static void takes_what_is_possible(void **state)
{
	char text[1024];

	(void)state;
	for (const struct config_case *c = config_cases; c->section; c++) {
		struct rn_config *config;

		if (c->error)
			continue;
		frame(c->section, c->line, text);
		config = must_load(text);
		check_value(c, config);
		rn_config_free(config);
	}
}

static void refuses_what_is_not(void **state)
{
	char text[1024];

	(void)state;
	for (const struct config_case *c = config_cases; c->section; c++)
		if (c->error) {
			setting_of(c);
			frame(c->section, c->line, text);
			refused(text, 2, c->error);
		}
}

/* A setting that comes to the daemon must come to the cases: one good, one bad. */
static void knows_every_setting(void **state)
{
	(void)state;
	for (const struct rn_section *s = rn_config_sections; s->name; s++)
		for (const struct rn_setting *t = s->settings; t->name; t++) {
			unsigned good = 0, bad = 0;

			for (const struct config_case *c = config_cases; c->section; c++)
				if (!strcmp(c->section, s->name) && !strcmp(c->setting, t->name))
					*(c->error ? &bad : &good) += 1;
			if (!good || !bad)
				fail_msg("%s.%s has %u good cases and %u bad ones", s->name,
					 t->name, good, bad);
		}
}

/* ---- values that settings read themselves ---- */

static void reads_sockets(void **state)
{
	struct rn_config *c = must_load(
		"daemon = { sockets = (\n"
		"{ path = \"/a\"; owner = \"root\"; group = \"0\"; mode = 0600; },\n"
		"{ path = \"/b\"; owner = \"77\"; group = \"4294967294\"; mode = \"0666\"; },\n"
		"{ } ); };\n"
		"ports = ( { dev = \"a\"; } );\n");

	(void)state;
	assert_int_equal(c->n_sockets, 3);
	assert_int_equal(c->sockets[0].owner, 0);
	assert_int_equal(c->sockets[0].group, 0);
	assert_int_equal(c->sockets[0].mode, 0600);
	assert_int_equal(c->sockets[1].owner, 77);
	assert_int_equal(c->sockets[1].group, 4294967294u);
	assert_int_equal(c->sockets[1].mode, 0666);
	assert_string_equal(c->sockets[2].path, RAWNET_DEFAULT_SOCKET);
	assert_int_equal(c->sockets[2].owner, (uid_t)-1);
	assert_int_equal(c->sockets[2].mode, 0660);
	rn_config_free(c);
}

static void reads_daemon(void **state)
{
	struct rn_config *c = must_load("daemon = { admin_group = \"0\"; log_level = \"debug\";\n"
					"protect = ( \"udp dport 9\" ); sandbox = false; };\n"
					"ports = ( { dev = \"a\"; } );\n");

	(void)state;
	assert_int_equal(c->admin_group, 0);
	assert_int_equal(c->log_level, RN_LOG_DEBUG);
	assert_int_equal(c->n_protect, 1);
	assert_int_equal(c->protect[0].dport, 9);
	assert_false(c->sandbox);
	rn_config_free(c);
	c = must_load("daemon = { protect = (); }; ports = ( { dev = \"a\"; } );");
	assert_int_equal(c->n_protect, 0);
	rn_config_free(c);
}

static void reads_policy_and_rules(void **state)
{
	struct rn_config *c = must_load(
		"ports = ( { dev = \"a\"; } );\n"
		"policy = ( { user = \"7\"; allow = (); deny = [ \"udp\", \"tcp dport 5\" ]; },\n"
		"{ group = \"8\"; allow = ( \"udp dport 7\" ); }, { socket = "
		"\"" RAWNET_DEFAULT_SOCKET "\"; }, { } );\n"
		"rules = ( { dev = \"a\"; match = \"udp dport 7\"; to = \"me\"; user = \"9\"; gap "
		"= "
		"\"drop\"; } );\n");

	(void)state;
	assert_int_equal(c->n_policy, 4);
	assert_int_equal(c->policy[0].who, RN_WHO_USER);
	assert_int_equal(c->policy[0].uid, 7);
	assert_non_null(c->policy[0].allow); /* none is not any */
	assert_int_equal(c->policy[0].n_allow, 0);
	assert_int_equal(c->policy[0].n_deny, 2);
	assert_int_equal(c->policy[0].deny[1].dport, 5);
	assert_int_equal(c->policy[1].who, RN_WHO_GROUP);
	assert_int_equal(c->policy[1].gid, 8);
	assert_null(c->policy[1].deny);
	assert_int_equal(c->policy[2].who, RN_WHO_SOCKET);
	assert_string_equal(c->policy[2].socket, RAWNET_DEFAULT_SOCKET);
	assert_int_equal(c->policy[3].who, RN_WHO_ANY);
	assert_int_equal(c->rules[0].uid, 9);
	assert_int_equal(c->rules[0].gap, RAWNET_GAP_DROP);
	assert_int_equal(c->rules[0].match.dport, 7);
	rn_config_free(c);
}

static void reads_pollers_of_ports(void **state)
{
	struct rn_config *c =
		must_load("pollers = ( { mode = \"busy\"; }, { }, { cpu = 0; } );\n"
			  "ports = ( { dev = \"a\"; pollers = [ 2, 0 ]; }, { dev = \"b\"; } );\n");

	(void)state;
	assert_true(c->pollers[0].busy);
	assert_false(c->pollers[1].busy);
	assert_int_equal(c->pollers[1].cpu, -1);
	assert_int_equal(c->pollers[2].cpu, 0);
	assert_int_equal(c->ports[0].n_pollers, 2);
	assert_int_equal(c->ports[0].pollers[0], 2);
	assert_int_equal(c->ports[0].pollers[1], 0);
	assert_int_equal(c->ports[1].n_pollers, 1);
	assert_int_equal(c->ports[1].pollers[0], 0);
	rn_config_free(c);
}

/* ---- across sections ---- */

static void refuses_what_does_not_fit_together(void **state)
{
	(void)state;
	refused("", 0, "no ports");
	refused("ports = ();", 0, "no ports");
	refused("ports = (\n{ dev = \"a\"; },\n{ } );", 3, "dev is missing");
	refused("ports = (\n{ dev = \"a\"; },\n{ dev = \"a\"; } );", 3, "twice");
	refused("ports = (\n{ dev = \"a\"; pollers = [ 0, 1 ]; } );", 2, "no poller 1");
	refused("ports = (\n{ dev = \"a\"; reflect = true; sink = true; } );", 2, "exclude");
	refused("ports = (\n{ dev = \"a\"; reflect = true; peer = \"b\"; } );", 2, "exclude");
	refused("ports = ( { dev = \"a\"; } );\nrules = ( { dev = \"b\"; match = \"udp\"; to = "
		"\"x\"; } );",
		2, "\"b\" is not a port");
	refused("ports = ( { dev = \"a\"; } );\nrules = (\n{ match = \"udp\"; to = \"x\"; } );", 3,
		"dev, match and to");
	refused("ports = ( { dev = \"a\"; } );\nrules = (\n{ dev = \"a\"; to = \"x\"; } );", 3,
		"dev, match and to");
	refused("ports = ( { dev = \"a\"; } );\nrules = (\n{ dev = \"a\"; match = \"udp\"; } );", 3,
		"dev, match and to");
	refused("ports = ( { dev = \"a\"; } );\npolicy = ( { },\n{ dev = \"b\"; } );", 3,
		"\"b\" is not a port");
	refused("ports = ( { dev = \"a\"; } );\npolicy = ( { socket = \"/nowhere\"; } );", 2,
		"not one of the sockets");
	refused("ports = ( { dev = \"a\"; } );\npolicy = (\n{ user = \"0\"; group = \"0\"; } );", 3,
		"one of user, group, socket");
	refused("ports = ( { dev = \"a\"; } );\ndaemon = { sockets = ( { },\n{ } ); };", 3,
		"twice");
}

/* ---- errors of the file itself ---- */

static void names_the_nearest_word(void **state)
{
	(void)state;
	refused("\nprots = ( { dev = \"a\"; } );", 2, "did you mean \"ports\"?");
	refused("ports = ( {\ndve = \"a\"; } );", 2, "did you mean \"dev\"?");
	refused("ports = ( { dev = \"a\"; } );\npolicy = ( {\n\nquota = 1; } );", 4,
		"\"quota\" is not a setting here");
	refused("daemon = { admingroup = \"0\"; };", 1, "did you mean \"admin_group\"?");
	refused("ports = ( { dev = \"a\"; q = 1; } );", 1, "\"q\" is not a setting here");
	/* Nothing is near a word like this; "dev" is as far from "q" as from anything. */
	for (int i = 0; i < 2; i++) {
		const char *const text[] = {"ports = ( { q = 1; } );",
					    "a_very_long_word_that_is_not_a_setting_at_all = 1;"};
		struct rn_err err;

		assert_null(load(text[i], &err));
		assert_null(strstr(err.text, "did you mean"));
	}
}

static void refuses_wrong_shapes(void **state)
{
	(void)state;
	refused("ports = { dev = \"a\"; };", 1, "a list ( { ... }, ... ) is needed");
	refused("ports = ( \"a\" );", 1, "a group { ... } is needed");
	refused("\ndaemon = ( );", 2, "a group { ... } is needed");
	refused("ports = ( { dev = \"a\"; } );\npolicy = ( { allow = \"udp\"; } );", 2,
		"a list of matches");
	refused("ports = ( { dev = \"a\"; } );\npolicy = ( { allow = ( 5 ); } );", 2,
		"a string in quotes");
	refused("ports = ( { dev = \"a\"; }\n\npolicy = 3", 3, "syntax error");
	refused("ports = ( { dev = \"a\"; dev = \"b\"; } );", 1, "duplicate");
}

static void names_an_included_file(void **state)
{
	struct rn_err err;
	char text[256], place[96];

	(void)state;
	snprintf(text, sizeof(text), "ports = ( { dev = \"a\"; } );\n@include \"%s\"\n", included);
	snprintf(place, sizeof(place), "%s:3: ", included);
	write_file(included, "\n\npolicy = ( { rules = -1; } );\n");
	assert_null(load(text, &err));
	assert_ptr_equal(strstr(err.text, place), err.text);
	write_file(included, "\n\npolicy = ( { rules == 1; } );\n");
	assert_null(load(text, &err));
	assert_ptr_equal(strstr(err.text, place), err.text);
	write_file(included, "policy = ( { rules = 1; } );\n");
	rn_config_free(must_load(text));
	unlink(included);
}

static void refuses_files_that_are_not(void **state)
{
	struct rn_config *config;
	struct rn_err err = {0};
	char name[400];

	(void)state;
	assert_int_equal(rn_config_load("/nowhere/rawnetd.conf", &config, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/rawnetd.conf: cannot be read"));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	assert_int_equal(rn_config_load(name, &config, &err), -ENAMETOOLONG);
	assert_true(rn_config_load("/tmp", &config, &err) < 0);
}

static void has_defaults(void **state)
{
	struct rn_config *c = must_load("ports = ( { dev = \"a\"; } );\npolicy = ( { } );");

	(void)state;
	assert_int_equal(c->n_sockets, 1);
	assert_string_equal(c->sockets[0].path, RAWNET_DEFAULT_SOCKET);
	assert_int_equal(c->n_pollers, 1);
	assert_int_equal(c->n_protect, 2);
	assert_int_equal(c->protect[0].dport, 22);
	assert_int_equal(c->protect[1].dport, 22);
	assert_true(c->sandbox);
	assert_true(c->store);
	assert_int_equal(c->admin_group, (gid_t)-1);
	assert_int_equal(c->log_level, RN_LOG_INFO);
	assert_string_equal(c->ports[0].backend, "auto");
	assert_true(c->ports[0].police);
	assert_false(c->ports[0].nic_policing);
	assert_true(c->ports[0].local_switching);
	assert_false(c->ports[0].allow_mutable_memory);
	assert_null(c->policy[0].allow);
	assert_int_equal(c->policy[0].limit.memory, 256u << 20);
	assert_int_equal(c->policy[0].limit.queues, 64);
	assert_int_equal(c->policy[0].limit.rules, 1024);
	assert_int_equal(c->policy[0].limit.attachments, 16);
	assert_int_equal(c->policy[0].limit.connections, 64);
	assert_int_equal(c->policy[0].weight, 1);
	rn_config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_is_possible),
		cmocka_unit_test(refuses_what_is_not),
		cmocka_unit_test(knows_every_setting),
		cmocka_unit_test(reads_sockets),
		cmocka_unit_test(reads_daemon),
		cmocka_unit_test(reads_policy_and_rules),
		cmocka_unit_test(reads_pollers_of_ports),
		cmocka_unit_test(refuses_what_does_not_fit_together),
		cmocka_unit_test(names_the_nearest_word),
		cmocka_unit_test(refuses_wrong_shapes),
		cmocka_unit_test(names_an_included_file),
		cmocka_unit_test(refuses_files_that_are_not),
		cmocka_unit_test(has_defaults),
	};
	int failed;

	snprintf(path, sizeof(path), "/tmp/rawnet-config-%d", (int)getpid());
	snprintf(included, sizeof(included), "/tmp/rawnet-config-%d.inc", (int)getpid());
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
