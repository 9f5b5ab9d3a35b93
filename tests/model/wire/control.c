/* SPDX-License-Identifier: BSD-2-Clause */
/* control.h: contract. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "command.h"
#include "control.h"
#include "driver.h"
#include "litter.h"
#include "room.h"
#include "wire.h"

#define CONNS_MAX 32

static struct cx_source listener = {.fd = -1};
/* Commands, and drivers that have not attached yet. */
static struct cx_source conns[CONNS_MAX] = {[0 ... CONNS_MAX - 1] = {.fd = -1}};
static struct sockaddr_un here;

/* ---- messages ---- */

static void answer(int sock, int code, const char *text)
{
	struct cx_msg m = {.magic = CX_WIRE_MAGIC,
			   .version = CX_WIRE_VERSION,
			   .type = CX_MSG_ANSWER,
			   .err = code,
			   .len = (uint32_t)strnlen(text, CX_TEXT_MAX)};
	struct iovec iov[2] = {{&m, sizeof(m)}, {(void *)(uintptr_t)text, m.len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int check(const struct cx_msg *m, ssize_t n, char *err, size_t size)
{
	if (n < (ssize_t)sizeof(*m) || m->magic != CX_WIRE_MAGIC ||
	    m->len != (size_t)n - sizeof(*m))
		snprintf(err, size, "this is no message for a wire process");
	else if (m->version != CX_WIRE_VERSION)
		snprintf(err, size, "wire version %u is asked for, %u is spoken here", m->version,
			 CX_WIRE_VERSION);
	else if (m->type != CX_MSG_ATTACH && m->type != CX_MSG_COMMAND)
		snprintf(err, size, "message type %u is unknown", m->type);
	else
		return 0;
	return -EPROTO;
}

static int attach(int sock, const char *name, char *err, size_t size)
{
	struct cx_end *e = cx_room_find(name);

	if (e)
		return cx_driver_attach(e, sock, err, size);
	snprintf(err, size, "there is no end '%.32s'", name);
	return -ENOENT;
}

static void conn_ready(struct cx_source *s)
{
	static char text[CX_TEXT_MAX + 1];
	struct {
		struct cx_msg m;
		char text[1024];
	} in;
	ssize_t n = recv(s->fd, &in, sizeof(in) - 1, MSG_DONTWAIT | MSG_TRUNC);
	int code;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	text[0] = '\0';
	if (n > 0 && n < (ssize_t)sizeof(in)) {
		((char *)&in)[n] = '\0';
		code = check(&in.m, n, text, sizeof(text));
		if (code == 0 && in.m.type == CX_MSG_ATTACH)
			code = attach(s->fd, in.text, text, sizeof(text));
		else if (code == 0)
			code = cx_command_run(in.text, text, sizeof(text));
		if (code || in.m.type == CX_MSG_COMMAND)
			answer(s->fd, code, text);
	}
	cx_loop_remove(s);
}

static void listener_ready(struct cx_source *s)
{
	int i, fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (i = 0; fd >= 0 && i < CONNS_MAX; i++) {
		if (conns[i].fd >= 0)
			continue;
		conns[i] = (struct cx_source) {.fd = fd, .ready = conn_ready};
		if (cx_loop_add(&conns[i]))
			cx_loop_remove(&conns[i]);
		return;
	}
	if (fd >= 0) {
		answer(fd, -EBUSY, "too many connections wait");
		close(fd);
	}
}

/* ---- listening ---- */

/* For the socket's name, if this process is killed. The pipe is open as long as it lives; in the
 * background it is a child that lives on, with the same pipe. */
static int leave_janitor(void)
{
	struct cx_litter litter = {0};
	int alive[2], code;

	if (pipe2(alive, O_CLOEXEC) < 0)
		return -errno;
	memcpy(litter.socket, here.sun_path, sizeof(litter.socket));
	code = cx_janitor_leave(alive[0], &litter);
	close(alive[0]);
	return code;
}

int cx_control_open(const char *path, char *err, size_t size)
{
	int fd, code = -ENAMETOOLONG;

	here.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(here.sun_path))
		goto fail;
	memcpy(here.sun_path, path, strlen(path) + 1);
	code = leave_janitor();
	if (code)
		goto fail;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	code = fd < 0 ? -errno : cx_socket_listen(fd, &here, false);
	if (code == 0) {
		listener = (struct cx_source) {.fd = fd, .ready = listener_ready};
		code = cx_loop_add(&listener);
	} else if (fd >= 0) {
		close(fd);
	}
	if (code == 0)
		return 0;
fail:
	snprintf(err, size, "socket '%s': %s", path,
		 code == -EADDRINUSE ? "another wire process listens there" : strerror(-code));
	return code;
}

void cx_control_close(void)
{
	int i;

	if (listener.fd >= 0)
		unlink(here.sun_path);
	cx_loop_remove(&listener);
	for (i = 0; i < CONNS_MAX; i++)
		cx_loop_remove(&conns[i]);
}
