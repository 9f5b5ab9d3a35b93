/* SPDX-License-Identifier: BSD-2-Clause */
/* See log.h. One write() for each line, so that lines of threads do not mix. */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION /* that would be this file, always */
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

static const char *const names[RN_LOG_LEVELS] = {"error", "warning", "info", "debug"};
static const char priority[RN_LOG_LEVELS] = {'3', '4', '6', '7'}; /* sd-daemon(3) */
static enum rn_log_level most = RN_LOG_INFO;
static bool everything; /* whatever the configuration says */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the sites */

void rn_log_set_level(enum rn_log_level level)
{
	if (!everything)
		most = level;
}

void rn_log_everything(void)
{
	most = RN_LOG_DEBUG;
	everything = true;
}

int rn_log_level_named(const char *name)
{
	for (int i = 0; i < RN_LOG_LEVELS; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -1;
}

/* Is stderr the journal? The variable alone may come from whoever started us. */
static bool to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

/* How many lines of this site were left out, or -1: leave this one out too. */
static int admit(struct rn_log_site *site)
{
	struct timespec now;
	int left_out = 0;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	if ((uint64_t)now.tv_sec - site->window >= RN_LOG_WINDOW_S) {
		left_out = (int)site->left_out;
		site->window = (uint64_t)now.tv_sec;
		site->lines = site->left_out = 0;
	}
	if (site->lines++ >= RN_LOG_BURST) {
		site->left_out++;
		left_out = -1;
	}
	pthread_mutex_unlock(&lock);
	return left_out;
}

/* ---- fields ---- */

#define FIELDS 8u
#define FIELD  96u

struct entry {
	char text[FIELDS][FIELD];
	struct iovec iov[FIELDS + 1];
	unsigned n;
};

__attribute__((format(printf, 2, 3))) static void field(struct entry *e, const char *fmt, ...)
{
	char *text = e->text[e->n];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, FIELD, fmt, args);
	va_end(args);
	e->iov[e->n++] = (struct iovec) {.iov_base = text, .iov_len = strlen(text)};
}

/* An entry with fields, by the journal's own protocol. `message` begins with "MESSAGE=". The
 * library calls it a success if there is no journal, as in a chroot whose stderr leads to one. */
static bool send_entry(enum rn_log_level level, const struct rn_log_about *about, char *message)
{
	struct entry e = {0};

	if (access("/run/systemd/journal/socket", F_OK) < 0)
		return false;
	field(&e, "PRIORITY=%c", priority[level]);
	field(&e, "SYSLOG_IDENTIFIER=rawnetd");
	if (about->dev)
		field(&e, "RAWNET_DEV=%s", about->dev);
	if (about->client) {
		field(&e, "RAWNET_CLIENT=%u", about->client);
		field(&e, "RAWNET_UID=%u", about->uid);
		field(&e, "RAWNET_PID=%d", (int)about->pid);
	}
	if (about->label && about->label[0])
		field(&e, "RAWNET_LABEL=%s", about->label);
	e.iov[e.n] = (struct iovec) {.iov_base = message, .iov_len = strlen(message)};
	return sd_journal_sendv(e.iov, (int)e.n + 1) == 0;
}

/* ---- lines ---- */

#define LINE 1024u
#define END  64u /* of a line, for "(and 107 more like it)" */

/* The text behind what it begins with, cut off; its end. */
__attribute__((format(printf, 3, 0))) static size_t
write_text(char *line, size_t n, const char *fmt, va_list args, int left_out)
{
	int more = vsnprintf(line + n, LINE - n - END, fmt, args);

	if (more > 0)
		n += (size_t)more;
	if (n > LINE - END - 1) /* cut off, with a NUL at the end */
		n = LINE - END - 1;
	if (left_out > 0)
		n += (size_t)snprintf(line + n, LINE - n, " (and %d more like it)", left_out);
	return n;
}

void rn_log_at(struct rn_log_site *site, enum rn_log_level level, const struct rn_log_about *about,
	       const char *fmt, ...)
{
	static const char message[] = "MESSAGE=";
	char line[LINE], *start = line;
	const bool journal = to_journal();
	va_list args;
	int left_out;
	size_t n;

	if (level > most)
		return;
	left_out = admit(site);
	if (left_out < 0)
		return;
	if (journal)
		n = (size_t)snprintf(line, LINE, "%s", message);
	else
		n = (size_t)snprintf(line, LINE, "rawnetd: %s: ", names[level]);
	va_start(args, fmt);
	n = write_text(line, n, fmt, args, left_out);
	va_end(args);
	if (journal && about && send_entry(level, about, line))
		return;
	if (journal) { /* by the stream, with the priority where "MESSAGE=" ends */
		start += sizeof(message) - 1 - 3;
		start[0] = '<';
		start[1] = priority[level];
		start[2] = '>';
	}
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, start, n - (size_t)(start - line));
}
