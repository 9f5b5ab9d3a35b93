/* SPDX-License-Identifier: BSD-2-Clause */
/* Levels, prefixes and the bound of lines that repeat. Time is the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

static time_t now = 1000;
static int out = -1, real_stderr;
static char text[65536];

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	*ts = (struct timespec) {.tv_sec = now};
	return 0;
}

/* What was logged since the last call. */
static const char *said(void)
{
	ssize_t n;

	lseek(out, 0, SEEK_SET);
	n = read(out, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	assert_int_equal(ftruncate(out, 0), 0);
	lseek(out, 0, SEEK_SET);
	return text;
}

static unsigned lines(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static int setup(void **state)
{
	char path[] = "/tmp/rawnet-log-XXXXXX";

	(void)state;
	out = mkstemp(path);
	unlink(path);
	real_stderr = dup(STDERR_FILENO);
	dup2(out, STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	rn_log_set_level(RN_LOG_INFO);
	now += 1000;
	return out < 0;
}

static int teardown(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(out);
	return 0;
}

static void all_levels(void)
{
	rn_error("e");
	rn_warn("w");
	rn_info("i");
	rn_debug("d");
}

static void levels(void **state)
{
	static const char *const want[RN_LOG_LEVELS] = {
		"rawnetd: error: e\n",
		"rawnetd: error: e\nrawnetd: warning: w\n",
		"rawnetd: error: e\nrawnetd: warning: w\nrawnetd: info: i\n",
		"rawnetd: error: e\nrawnetd: warning: w\nrawnetd: info: i\nrawnetd: debug: d\n",
	};

	(void)state;
	for (int level = 0; level < RN_LOG_LEVELS; level++) {
		now += RN_LOG_WINDOW_S;
		rn_log_set_level((enum rn_log_level)level);
		all_levels();
		assert_string_equal(said(), want[level]);
	}
	assert_int_equal(rn_log_level_named("error"), RN_LOG_ERROR);
	assert_int_equal(rn_log_level_named("debug"), RN_LOG_DEBUG);
	assert_int_equal(rn_log_level_named("loud"), -1);
}

static void repeat(unsigned n)
{
	while (n--)
		rn_info("again %u", n);
}

static void a_line_that_repeats_is_bounded(void **state)
{
	(void)state;
	repeat(RN_LOG_BURST + 100);
	assert_int_equal(lines(said()), RN_LOG_BURST);
	now += RN_LOG_WINDOW_S - 1;
	repeat(7);
	assert_string_equal(said(), "");
	now++;
	repeat(1);
	assert_string_equal(said(), "rawnetd: info: again 0 (and 107 more like it)\n");
	repeat(1);
	assert_string_equal(said(), "rawnetd: info: again 0\n");
}

/* A flood of one line does not hide another, not even of the same function. */
static void each_line_has_its_own_bound(void **state)
{
	(void)state;
	repeat(RN_LOG_BURST + 1);
	said();
	rn_info("something else");
	assert_string_equal(said(), "rawnetd: info: something else\n");
}

/* Lines that the level leaves out do not count. */
static void left_out_by_level(void **state)
{
	(void)state;
	repeat(1); /* with what others left out */
	said();
	rn_log_set_level(RN_LOG_WARN);
	repeat(RN_LOG_BURST + 50);
	assert_string_equal(said(), "");
	rn_log_set_level(RN_LOG_INFO);
	repeat(1);
	assert_string_equal(said(), "rawnetd: info: again 0\n");
}

static void use_journal(void)
{
	struct stat st;
	char stream[64];

	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
}

static void priorities_for_the_journal(void **state)
{
	struct stat st;
	char stream[64];

	(void)state;
	use_journal();
	all_levels();
	assert_string_equal(said(), "<3>e\n<4>w\n<6>i\n");
	fstat(STDERR_FILENO, &st);
	/* Inherited from somebody whose stderr was the journal, ours is not. */
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", stream, 1);
	all_levels();
	assert_non_null(strstr(said(), "rawnetd: warning: w\n"));
}

/* What the journal gets of a line about something, each field on a line of its own; `journal_takes`
 * is what it answers. */
static char entry[4096];
static int journal_takes;

int __wrap_access(const char *path, int mode);

int __wrap_access(const char *path, int mode)
{
	(void)mode;
	assert_string_equal(path, "/run/systemd/journal/socket");
	return journal_takes == -ENOENT ? -1 : 0;
}

int __wrap_sd_journal_sendv(const struct iovec *iov, int n);

int __wrap_sd_journal_sendv(const struct iovec *iov, int n)
{
	entry[0] = 0;
	for (int i = 0; i < n; i++) {
		strncat(entry, iov[i].iov_base, iov[i].iov_len);
		strcat(entry, "\n");
	}
	return journal_takes;
}

static void fields_for_the_journal(void **state)
{
	const struct rn_log_about client = {.client = 7, .label = "web", .uid = 1000, .pid = 42};

	(void)state;
	rn_info_about(RN_ABOUT_DEV("v0"), "v0: up");
	assert_string_equal(said(), "rawnetd: info: v0: up\n");
	use_journal();
	rn_info_about(RN_ABOUT_DEV("v0"), "v0: %s", "up");
	assert_string_equal(said(), "");
	assert_string_equal(entry, "PRIORITY=6\nSYSLOG_IDENTIFIER=rawnetd\nRAWNET_DEV=v0\n"
				   "MESSAGE=v0: up\n");
	rn_warn_about(&client, "ended\nRAWNET_UID=0");
	assert_string_equal(entry, "PRIORITY=4\nSYSLOG_IDENTIFIER=rawnetd\nRAWNET_CLIENT=7\n"
				   "RAWNET_UID=1000\nRAWNET_PID=42\nRAWNET_LABEL=web\n"
				   "MESSAGE=ended\nRAWNET_UID=0\n"); /* one field: by length */
	journal_takes = -ECONNREFUSED;
	rn_info_about(RN_ABOUT_DEV("v0"), "v0: down");
	assert_string_equal(said(), "<6>v0: down\n");
	journal_takes = -ENOENT;
	rn_info_about(RN_ABOUT_DEV("v0"), "v0: gone");
	assert_string_equal(said(), "<6>v0: gone\n");
	journal_takes = 0;
}

static void long_lines(void **state)
{
	char much[4000];

	(void)state;
	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = 0;
	for (unsigned i = 0; i < RN_LOG_BURST + 2; i++)
		rn_log_at(&(struct rn_log_site) {0}, RN_LOG_INFO, NULL, "%s", much);
	assert_int_equal(lines(said()), RN_LOG_BURST + 2);
	assert_true(strlen(text) < (RN_LOG_BURST + 2) * 1024);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static void everything(void **state)
{
	(void)state;
	rn_log_everything();
	rn_log_set_level(RN_LOG_ERROR); /* a reload */
	all_levels();
	assert_int_equal(lines(said()), 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(levels),
		TEST(a_line_that_repeats_is_bounded),
		TEST(each_line_has_its_own_bound),
		TEST(left_out_by_level),
		TEST(priorities_for_the_journal),
		TEST(fields_for_the_journal),
		TEST(long_lines),
		TEST(everything), /* the last one: it cannot be taken back */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
