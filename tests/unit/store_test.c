/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service manager's store, with a manager that is played here.
 *
 * Promise: however many clients there are, the next daemon can be started: all names fit one string
 * of its environment, and what is not kept for that is said. Seen to fail without its defence:
 *   fit    NAMES_MOST not looked at: the string had 300,015 bytes, where execve(2) takes 131,072
 *   churn  count_out() that takes off what was never counted: 170,015 bytes
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <systemd/sd-daemon.h>

#include "log.h"
#include "store.h"

#define CAME 1000u
#define MOST (128u * 1024u) /* MAX_ARG_STRLEN, include/uapi/linux/binfmts.h */

#define NAMES (128u * 1024u)

static bool kept[NAMES]; /* by the manager; under which number */
static size_t environment; /* length of LISTEN_FDNAMES= with the names that are kept */
static unsigned puts_seen, warnings;
static char warned[256];

/* ---- the parts that others play ---- */

void rn_log_at(struct rn_log_site *site, enum rn_log_level level, const struct rn_log_about *about,
	       const char *fmt, ...)
{
	va_list args;

	(void)site;
	(void)about;
	assert_int_equal(level, RN_LOG_WARN);
	va_start(args, fmt);
	vsnprintf(warned, sizeof(warned), fmt, args);
	va_end(args);
	warnings++;
}

static char *name_of(unsigned n)
{
	char text[RN_STORE_NAME];

	snprintf(text, sizeof(text), "rn.%06x", n);
	return strdup(text);
}

/* The manager has this name from now on, or no longer. */
static void keep(const char *name, bool now)
{
	unsigned n;

	assert_int_equal(sscanf(name, "rn.%6x", &n), 1);
	assert_in_range(n, 0, NAMES - 1);
	if (kept[n] != now)
		environment += now ? strlen(name) + 1 : -(strlen(name) + 1);
	kept[n] = now;
}

int sd_listen_fds_with_names(int unset, char ***names)
{
	(void)unset;
	*names = calloc(CAME + 1, sizeof(**names));
	for (unsigned i = 0; i < CAME; i++) {
		(*names)[i] = name_of(i);
		keep((*names)[i], true);
	}
	return CAME;
}

int sd_pid_notify_with_fds(pid_t pid, int unset, const char *state, const int *fds, unsigned n)
{
	const char *name = strstr(state, "FDNAME=");

	(void)pid;
	(void)unset;
	assert_true(strstr(state, "FDSTORE=1\n") == state && fds[0] == 0 && n == 1 && name);
	keep(name + strlen("FDNAME="), true);
	puts_seen++;
	return 1;
}

int sd_notifyf(int unset, const char *fmt, ...)
{
	va_list args;

	(void)unset;
	assert_string_equal(fmt, "FDSTOREREMOVE=1\nFDNAME=%s");
	va_start(args, fmt);
	keep(va_arg(args, const char *), false);
	va_end(args);
	return 1;
}

/* ---- tests ---- */

static void put(unsigned n)
{
	char *name = name_of(n);

	rn_store_put(name, 0);
	free(name);
}

static void all_names_fit_an_environment(void **state)
{
	struct rn_err err = {0};
	unsigned first = CAME, before;

	(void)state;
	environment = strlen("LISTEN_FDNAMES=");
	setenv("NOTIFY_SOCKET", "@played", 1);
	assert_int_equal(rn_store_open(true, &err), 0);
	/* What came from the last daemon counts. */
	for (unsigned n = first; n < 30000; n++)
		put(n);
	assert_in_range(environment, MOST / 2, MOST - 1);
	assert_int_equal(puts_seen + warnings, 30000 - first);
	assert_string_equal(warned, "store: rn.00752f is not kept over a restart: there are too "
				    "many names");
	/* What is let go of makes room for as much. */
	before = puts_seen;
	for (unsigned n = 0; n < 10; n++) {
		char *name = name_of(first + n);

		rn_store_drop(name);
		free(name);
	}
	for (unsigned n = 0; n < 30; n++)
		put(40000 + n);
	assert_int_equal(puts_seen, before + 10);
	assert_in_range(environment, MOST / 2, MOST - 1);
}

/* Clients that come while there is no room, and go: nothing of theirs is kept, so letting go of it
 * makes no room. */
static void churn_makes_no_room(void **state)
{
	(void)state;
	for (unsigned n = 60000; n < 65000; n++)
		put(n);
	for (unsigned n = 60000; n < 65000; n++) {
		char *name = name_of(n);

		rn_store_drop(name);
		free(name);
	}
	for (unsigned n = 60000; n < 65000; n++)
		put(n);
	assert_in_range(environment, MOST / 2, MOST - 1);
}

/* Names that came and that nobody takes are let go of, and no longer in the way. */
static void what_nobody_takes_makes_room(void **state)
{
	unsigned before = puts_seen;

	(void)state;
	for (unsigned i = 0; i < CAME; i++) { /* not a descriptor of ours to close */
		char *name = name_of(i);

		if (i >= 5)
			assert_int_equal(rn_store_take(name), SD_LISTEN_FDS_START + i);
		free(name);
	}
	rn_store_end_taking();
	for (unsigned n = 0; n < 30; n++)
		put(50000 + n);
	assert_int_equal(puts_seen, before + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_names_fit_an_environment),
		cmocka_unit_test(churn_makes_no_room),
		cmocka_unit_test(what_nobody_takes_makes_room),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
