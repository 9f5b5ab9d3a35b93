/* SPDX-License-Identifier: BSD-2-Clause */
/* See listen.h. */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_PASSED 3
#define BACKLOG	     64

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static const char *made[SERVE_LISTENERS];
static unsigned n_made;

static int complain(const char *address, int err, const char *why)
{
	fprintf(stderr, "rawnet-exporter: %s: %s\n", address, why ? why : strerror(-err));
	return err;
}

/* ---- words ---- */

static int parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || !v || v > 65535)
		return -EINVAL;
	*port = htons((uint16_t)v);
	return 0;
}

static int parse_inet(const char *text, union address *a, socklen_t *len)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	uint16_t port;

	if (!colon || (size_t)(colon - text) >= sizeof(host) || parse_port(colon + 1, &port))
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	memset(a, 0, sizeof(*a));
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = 0;
		a->v6 = (struct sockaddr_in6) {.sin6_family = AF_INET6, .sin6_port = port};
		*len = sizeof(a->v6);
		return inet_pton(AF_INET6, host + 1, &a->v6.sin6_addr) == 1 ? 0 : -EINVAL;
	}
	a->v4 = (struct sockaddr_in) {.sin_family = AF_INET, .sin_port = port};
	*len = sizeof(a->v4);
	return inet_pton(AF_INET, host[0] ? host : "127.0.0.1", &a->v4.sin_addr) == 1 ? 0 : -EINVAL;
}

static bool is_loopback(const union address *a)
{
	if (a->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
	return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
}

/* ---- sockets ---- */

static int open_socket(const union address *a, socklen_t len)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &a->any, len) < 0 || listen(fd, BACKLOG) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* Nothing stands there, or a socket that nobody listens on any more; anything else is somebody's.
 */
static bool is_free(const union address *a)
{
	struct stat st;
	bool is;
	int fd;

	if (lstat(a->un.sun_path, &st) < 0)
		return true;
	if (!S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	is = fd >= 0 && connect(fd, &a->any, sizeof(a->un)) < 0 && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return is;
}

/* Who finds the socket at its path can connect: it gets ready beside it, at a path that has another
 * last character, and takes the place of one that was left behind in one step. */
static int open_unix(const union address *a)
{
	union address beside = *a;
	char *last = &beside.un.sun_path[strlen(a->un.sun_path) - 1];
	int fd;

	*last = *last == '~' ? '-' : '~';
	if (!is_free(a) || !is_free(&beside))
		return -EADDRINUSE;
	unlink(beside.un.sun_path);
	fd = open_socket(&beside, sizeof(beside.un));
	if (fd >= 0 && rename(beside.un.sun_path, a->un.sun_path) < 0) {
		int err = -errno;

		unlink(beside.un.sun_path);
		close(fd);
		return err;
	}
	return fd;
}

int listen_on(struct serve *s, const char *address)
{
	union address a = {0};
	socklen_t len = sizeof(a.un);
	int fd;

	if (s->n_listeners == SERVE_LISTENERS)
		return complain(address, -E2BIG, "more than 8 addresses");
	if (address[0] == '/') {
		a.un.sun_family = AF_UNIX;
		if (strlen(address) >= sizeof(a.un.sun_path))
			return complain(address, -ENAMETOOLONG, NULL);
		memcpy(a.un.sun_path, address, strlen(address));
	} else if (parse_inet(address, &a, &len)) {
		return complain(address, -EINVAL,
				"not one of /path, 127.0.0.1:port, [::1]:port, :port");
	} else if (!is_loopback(&a)) {
		return complain(address, -EPERM,
				"others could reach it: listen on 127.0.0.1 or [::1], and let a "
				"proxy ask who it is");
	}
	fd = address[0] == '/' ? open_unix(&a) : open_socket(&a, len);
	if (fd < 0)
		return complain(address, fd, NULL);
	if (address[0] == '/')
		made[n_made++] = address;
	s->listener[s->n_listeners++] = fd;
	return 0;
}

int listen_passed(struct serve *s)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	unsigned long n = fds ? strtoul(fds, NULL, 10) : 0;

	if (!pid || strtoul(pid, NULL, 10) != (unsigned long)getpid() || !n)
		return 0;
	if (n > SERVE_LISTENERS)
		return complain("LISTEN_FDS", -E2BIG, "more than 8 sockets were passed");
	for (unsigned i = 0; i < n; i++) {
		const int fd = FIRST_PASSED + (int)i;
		int yes = 0, flags = fcntl(fd, F_GETFL);
		socklen_t len = sizeof(yes);

		if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) < 0 || !yes)
			return complain("LISTEN_FDS", -EINVAL, "not a listening stream socket");
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		s->listener[s->n_listeners++] = fd;
	}
	return (int)n;
}

void listen_end(void)
{
	while (n_made > 0)
		unlink(made[--n_made]);
}
