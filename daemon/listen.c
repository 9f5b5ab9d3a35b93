/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See listen.h. When descriptors run out (EMFILE), a connection cannot even be accepted to be
 * refused, and the socket would stay readable: accepting pauses for a moment instead of spinning.
 */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "client.h"
#include "log.h"
#include "store.h"

#define ACCEPT_BURST 16
#define PAUSE_USEC   200000u
#define PASSED_MAX   64u

struct rn_listener {
	struct rn_daemon *daemon;
	char path[108];
	int fd;
	bool inherited; /* of the service manager: not removed */
	sd_event_source *source, *pause;
};

static int resume(sd_event_source *source, uint64_t usec, void *arg)
{
	struct rn_listener *l = arg;

	(void)source;
	(void)usec;
	sd_event_source_set_enabled(l->source, SD_EVENT_ON);
	return 0;
}

static void pause_accepting(struct rn_listener *l, int error)
{
	rn_error("%s: accept: %s", l->path, strerror(error));
	sd_event_source_set_enabled(l->source, SD_EVENT_OFF);
	l->pause = sd_event_source_unref(l->pause);
	if (sd_event_add_time_relative(l->daemon->event, &l->pause, CLOCK_MONOTONIC, PAUSE_USEC, 0,
				       resume, l) < 0)
		sd_event_source_set_enabled(l->source, SD_EVENT_ON);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct rn_listener *l = arg;

	(void)source;
	(void)revents;
	for (int i = 0; i < ACCEPT_BURST; i++) {
		int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (peer >= 0) {
			rn_client_accept(l->daemon, peer, l->path);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			pause_accepting(l, errno);
		break;
	}
	return 0;
}

/* Does anybody listen there? One who has let too many wait (EAGAIN) does. */
static bool is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool alive = fd >= 0 &&
		     (connect(fd, (const void *)address, sizeof(*address)) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return alive;
}

/* What stands at a path: 0: nothing; 1: a socket that nobody listens on any more; or -errno. */
static int look_at(const struct sockaddr_un *address, struct rn_err *err)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return rn_fail(err, -EEXIST, "socket %s: something else stands there",
			       address->sun_path);
	if (is_alive(address))
		return rn_fail(err, -EADDRINUSE, "socket %s: another daemon listens there",
			       address->sun_path);
	return 1;
}

static int make_folder(const struct sockaddr_un *address, struct rn_err *err)
{
	char folder[108];

	memcpy(folder, address->sun_path, sizeof(folder));
	if (mkdir(dirname(folder), 0755) < 0 && errno != EEXIST && errno != EROFS)
		return rn_fail(err, -errno, "socket %s: its folder: %s", address->sun_path,
			       strerror(errno));
	return 0;
}

/* Listens at `at`, which nobody can connect to before owner and mode are right. */
static int listen_at(int fd, const struct sockaddr_un *at, const struct rn_socket_config *config)
{
	mode_t mask = umask(0777);
	int rc = bind(fd, (const void *)at, sizeof(*at)) < 0 ? -errno : 0;

	umask(mask);
	if (rc)
		return rc;
	if (lchown(at->sun_path, config->owner, config->group) < 0 ||
	    chmod(at->sun_path, config->mode) < 0 || listen(fd, 512) < 0)
		return -errno;
	return 0;
}

/* Who finds the socket at its path can connect: it gets ready beside it, at a path that has another
 * last character, and takes the place of one that was left behind in one step. */
static int bind_socket(int fd, const struct rn_socket_config *config, struct rn_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX}, beside;
	const size_t n = strlen(config->path);
	char *last;
	int rc;

	memcpy(address.sun_path, config->path, sizeof(address.sun_path));
	beside = address;
	last = &beside.sun_path[n ? n - 1 : 0];
	*last = *last == '~' ? '-' : '~';
	rc = make_folder(&address, err);
	if (!rc)
		rc = look_at(&address, err);
	if (rc >= 0)
		rc = look_at(&beside, err);
	if (rc < 0)
		return rc;
	if (rc && unlink(beside.sun_path) < 0)
		return rn_fail(err, -errno, "socket %s: %s", beside.sun_path, strerror(errno));
	rc = listen_at(fd, &beside, config);
	if (!rc && rename(beside.sun_path, config->path) < 0)
		rc = -errno;
	if (rc && rc != -EADDRINUSE)
		unlink(beside.sun_path);
	return rc ? rn_fail(err, rc, "socket %s: %s", config->path, strerror(-rc)) : 0;
}

/* Sockets that the service manager passed; what it kept for us has another use (store.h). */
static int passed[PASSED_MAX];
static unsigned n_passed;

int rn_listen_find_passed(struct rn_err *err)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(0, &names);

	n_passed = 0;
	for (int i = 0; i < n; i++) {
		if (!rn_store_is_name(names[i]) && n_passed < PASSED_MAX)
			passed[n_passed++] = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	return n < 0 ? rn_fail(err, n, "sockets that were passed: %s", strerror(-n)) : 0;
}

/* Those that no setting names stay deaf: somebody made a mistake. */
static void name_unused(const struct rn_daemon *d)
{
	for (unsigned k = 0; k < n_passed; k++) {
		uint32_t i = 0;

		while (i < d->n_listeners && d->listeners[i].fd != passed[k])
			i++;
		if (i == d->n_listeners)
			rn_warn("a socket that was passed (descriptor %d) is not used: no socket "
				"of the configuration has its path and kind",
				passed[k]);
	}
}

/* The one for this path, or -1. */
static int inherited(const char *path)
{
	for (unsigned k = 0; k < n_passed; k++)
		if (sd_is_socket_unix(passed[k], SOCK_SEQPACKET, 1, path, 0) > 0 &&
		    fcntl(passed[k], F_SETFL, O_NONBLOCK) == 0)
			return passed[k];
	return -1;
}

static int open_listener(struct rn_daemon *d, struct rn_listener *l,
			 const struct rn_socket_config *config, struct rn_err *err)
{
	int rc = 0;

	l->daemon = d;
	memcpy(l->path, config->path, sizeof(l->path));
	l->fd = inherited(config->path);
	l->inherited = l->fd >= 0;
	if (!l->inherited) {
		l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		rc = l->fd < 0 ? rn_fail(err, -errno, "socket: %s", strerror(errno))
			       : bind_socket(l->fd, config, err);
	}
	if (!rc && sd_event_add_io(d->event, &l->source, l->fd, EPOLLIN, on_connection, l) < 0)
		rc = rn_fail(err, -ENOMEM, "socket %s: out of memory", config->path);
	if (rc && l->fd >= 0 && !l->inherited) {
		close(l->fd);
		l->fd = -1;
	}
	return rc;
}

int rn_listen_start(struct rn_daemon *d, struct rn_err *err)
{
	d->listeners = calloc(d->config->n_sockets, sizeof(*d->listeners));
	if (!d->listeners)
		return rn_fail(err, -ENOMEM, "sockets: out of memory");
	for (uint32_t i = 0; i < d->config->n_sockets; i++) {
		int rc = open_listener(d, &d->listeners[i], &d->config->sockets[i], err);

		if (rc)
			return rc;
		d->n_listeners++;
	}
	name_unused(d);
	return 0;
}

void rn_listen_stop(struct rn_daemon *d)
{
	for (uint32_t i = 0; i < d->n_listeners; i++) {
		struct rn_listener *l = &d->listeners[i];

		sd_event_source_disable_unref(l->source);
		sd_event_source_disable_unref(l->pause);
		if (l->inherited) {
			close(l->fd);
			continue;
		}
		/* Who comes now is refused. What waits to be accepted may hold descriptors
		 * (closer.h): the end of the process closes that without waiting. */
		unlink(l->path);
		shutdown(l->fd, SHUT_RDWR);
	}
	free(d->listeners);
	d->listeners = NULL;
	d->n_listeners = 0;
}
