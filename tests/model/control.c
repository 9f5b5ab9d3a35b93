/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket (CX_CONTROL): one SEQPACKET message each way, a command (commands.c) and its
 * answer. It is served by a thread of its own, which takes the lock like a thread of the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "faults.h"
#include "litter.h"
#include "sys.h"

static struct {
	int fd, stop[2];
	pthread_t thread;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	bool running;
} server = {.fd = -1};

#define PATIENCE_MS 5000 /* with a client that connects and says nothing */

/* Whether fd has something, and the program is not about to end. */
static bool readable(int fd, int timeout)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
			      {.fd = server.stop[0], .events = POLLIN}};

	while (poll(p, 2, timeout) < 0 && errno == EINTR)
		;
	return p[0].revents && !p[1].revents;
}

static void serve(int fd)
{
	char line[256], out[16384];
	ssize_t n = readable(fd, PATIENCE_MS) ? recv(fd, line, sizeof(line) - 1, 0) : 0;
	int ret;

	if (n > 0) {
		line[n] = '\0';
		ret = cx_control_run(line, out + 16, sizeof(out) - 16);
		memcpy(out, ret ? "error\n" : "ok\n", ret ? 7 : 4);
		n = (ssize_t)strlen(out);
		memmove(out + n, out + 16, strlen(out + 16) + 1);
		(void)!send(fd, out, strlen(out), MSG_NOSIGNAL);
	}
	cx_libc.close(fd);
}

static void *server_main(void *none)
{
	while (readable(server.fd, -1)) {
		int fd = accept4(server.fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			serve(fd);
	}
	return none;
}

void cx_control_start(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	sigset_t all, old;
	int err;

	if (strlen(path) >= sizeof(at.sun_path)) {
		fprintf(stderr, "cx: CX_CONTROL: the path '%s' is too long\n", path);
		_exit(2);
	}
	strcpy(at.sun_path, path);
	strcpy(server.path, path);
	server.fd = cx_libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	err = server.fd < 0 ? -errno : cx_socket_listen(server.fd, &at, true);
	if (!err && pipe2(server.stop, O_CLOEXEC) < 0)
		err = -errno;
	if (err) {
		fprintf(stderr, "cx: CX_CONTROL: '%s': %s\n", path, strerror(-err));
		_exit(2);
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	server.running = pthread_create(&server.thread, NULL, server_main, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void cx_control_stop(void)
{
	if (!server.running)
		return;
	(void)!cx_libc.write(server.stop[1], "", 1);
	pthread_join(server.thread, NULL);
	cx_libc.close(server.fd);
	unlink(server.path);
}
