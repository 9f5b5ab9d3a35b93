/* SPDX-License-Identifier: BSD-2-Clause */
/* See store.h. */
#include "store.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "log.h"

struct kept {
	char name[RN_STORE_NAME];
	int fd; /* -1: taken */
};

/* All names, with what is between them, stand in one string of the next process's environment:
 * above 128 KiB it could not be started (execve(2), MAX_ARG_STRLEN). */
#define NAMES_MOST 120000u

/* What the manager keeps under one name. What is not kept must not be counted when it is let go of:
 * whoever is refused again and again would make room that is not there. */
struct name {
	char text[RN_STORE_NAME];
	size_t size; /* of the text with what is behind it, for each descriptor */
};

static bool works;
static void *names; /* struct name, tsearch(3) */
static size_t names_size;
static struct kept *kept;
static unsigned n_kept;

static bool remember(const char *name, int fd)
{
	struct kept *more = realloc(kept, (n_kept + 1) * sizeof(*kept));

	if (!more)
		return false;
	kept = more;
	strncpy(kept[n_kept].name, name, sizeof(kept[0].name) - 1);
	kept[n_kept].name[sizeof(kept[0].name) - 1] = 0;
	kept[n_kept++].fd = fd;
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static struct name name_of(const char *text)
{
	struct name n = {.size = strlen(text) + 1};

	snprintf(n.text, sizeof(n.text), "%s", text);
	return n;
}

static bool count_in(const char *text)
{
	const struct name key = name_of(text);
	struct name **at = tfind(&key, &names, by_text), *n;

	if (!at) {
		n = malloc(sizeof(*n));
		if (!n)
			return false;
		*n = key;
		if (!tsearch(n, &names, by_text)) {
			free(n);
			return false;
		}
	} else {
		(*at)->size += key.size;
	}
	names_size += key.size;
	return true;
}

static bool count_out(const char *text)
{
	const struct name key = name_of(text);
	struct name **at = tfind(&key, &names, by_text), *n = at ? *at : NULL;

	if (!n)
		return false;
	names_size -= n->size;
	tdelete(&key, &names, by_text);
	free(n);
	return true;
}

bool rn_store_is_name(const char *name)
{
	return !strncmp(name, "rn.", 3);
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct kept *)a)->name, ((const struct kept *)b)->name);
}

int rn_store_open(bool enabled, struct rn_err *err)
{
	char **came = NULL;
	int n = sd_listen_fds_with_names(0, &came);
	bool all = true;

	works = enabled && getenv("NOTIFY_SOCKET") != NULL;
	for (int i = 0; i < n; i++) {
		all &= count_in(came[i]);
		if (rn_store_is_name(came[i]))
			all &= remember(came[i], SD_LISTEN_FDS_START + i);
		free(came[i]);
	}
	free(came);
	/* In order, so that thousands of them are found soon: clients wait for that. */
	if (n_kept)
		qsort(kept, n_kept, sizeof(*kept), compare);
	/* What is not known can neither go on nor be let go of. */
	if (n < 0 || !all)
		return rn_fail(err, n < 0 ? n : -ENOMEM, "store: what was kept: %s",
			       strerror(n < 0 ? -n : ENOMEM));
	return 0;
}

bool rn_store_works(void)
{
	return works;
}

void rn_store_put(const char *name, int fd)
{
	char text[RN_STORE_NAME + 64];

	if (!works)
		return;
	if (names_size + strlen(name) + 1 > NAMES_MOST || !count_in(name)) {
		rn_warn("store: %s is not kept over a restart: there are too many names", name);
		return;
	}
	/* FDPOLL=0: the manager keeps it although its other end hangs up, we find that out. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	if (sd_pid_notify_with_fds(0, 0, text, &fd, 1) < 0)
		rn_warn("store: %s is not kept over a restart", name);
}

void rn_store_drop(const char *name)
{
	if (works && count_out(name))
		sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

int rn_store_take(const char *name)
{
	struct kept key = {.fd = -1}, *found;

	snprintf(key.name, sizeof(key.name), "%s", name);
	found = n_kept ? bsearch(&key, kept, n_kept, sizeof(*kept), compare) : NULL;
	while (found && found > kept && !compare(found - 1, &key))
		found--;
	for (; found && found < kept + n_kept && !compare(found, &key); found++)
		if (found->fd >= 0) {
			int fd = found->fd;

			found->fd = -1;
			return fd;
		}
	return -1;
}

const char *rn_store_next(unsigned *at)
{
	while (*at < n_kept)
		if (kept[(*at)++].fd >= 0)
			return kept[*at - 1].name;
	return NULL;
}

void rn_store_end_taking(void)
{
	for (unsigned i = 0; i < n_kept; i++) {
		if (kept[i].fd < 0)
			continue;
		rn_store_drop(kept[i].name);
		close(kept[i].fd);
	}
	free(kept);
	kept = NULL;
	n_kept = 0;
}
