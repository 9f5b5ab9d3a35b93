/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See closer.h. Orders go to the thread through a pipe and come back through another, in order.
 *
 * Peeking. A receive without room for control messages sets MSG_CTRUNC if there would have been
 * some, and drops what it did not deliver: with MSG_PEEK only a duplicate, so that nothing is
 * released.
 */
#include "closer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20)
#define MESSAGES   4096 /* of one socket that are looked at; none holds as many */
#define LEAVE_S	   2 /* how long the end of the daemon waits for the thread */

struct order {
	int fd; /* -1: end */
	struct rn_closed closed;
};

static struct {
	pthread_t thread;
	bool runs;
	int orders[2], done[2];
	void (*started)(void);
} closer = {.orders = {-1, -1}, .done = {-1, -1}};

/* ---- receiving ---- */

static ssize_t peek(int fd, void *data, size_t n, bool *control)
{
	struct iovec iov = {.iov_base = data, .iov_len = n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t got = recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT);

	*control = got >= 0 && (msg.msg_flags & MSG_CTRUNC);
	return got;
}

ssize_t rn_closer_recv(int fd, void *data, size_t n)
{
	bool control;
	ssize_t got = peek(fd, data, n, &control);

	if (control)
		return -EBADMSG;
	/* Of a stream no more than was seen: what came meanwhile may have descriptors. */
	return got <= 0 ? got : recv(fd, data, (size_t)got, MSG_DONTWAIT);
}

/* A message of no bytes and the end of the connection look the same but for this: with SO_PASSCRED
 * on our end every message has a control message (unix(7)). */
static bool has_empty_message(int fd)
{
	int on = 1, off = 0, type = 0;
	socklen_t size = sizeof(type);
	bool control;
	char byte;

	/* A stream has no messages, and says so at its end too. */
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type == SOCK_STREAM)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	peek(fd, &byte, 1, &control);
	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
	return control;
}

/* Takes out what may be taken out, until the socket is empty. False: descriptors are inside. The
 * peer cannot send any more. */
static bool empty(int fd)
{
	char bytes[4096];

	for (int i = 0; i < MESSAGES; i++) {
		ssize_t n = rn_closer_recv(fd, bytes, sizeof(bytes));

		if (n == -EBADMSG)
			return false;
		if (n == 0 && !has_empty_message(fd))
			return true;
		if (n == 0)
			recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		/* Other errors are those of the connection and told once, data or not. */
		if (n < 0 && errno == EAGAIN)
			return true;
	}
	return false;
}

/* ---- closing ---- */

bool rn_closer_close(int fd, uint32_t uid, enum rn_closer_what what)
{
	const struct order o = {.fd = fd, .closed = {.uid = uid, .what = what}};

	/* From here on nothing gets in (af_unix.c: checked under the lock that queues). */
	shutdown(fd, SHUT_RD);
	if (!closer.runs || empty(fd)) {
		close(fd);
		return true;
	}
	/* The pipe has room for more sockets than the daemon has descriptors. */
	(void)!write(closer.orders[1], &o, sizeof(o));
	return false;
}

static void *closer_main(void *unused)
{
	struct order o;

	(void)unused;
	pthread_setname_np(pthread_self(), "rn-closer");
	if (closer.started)
		closer.started();
	while (read(closer.orders[0], &o, sizeof(o)) == sizeof(o) && o.fd >= 0) {
		close(o.fd);
		if (write(closer.done[1], &o.closed, sizeof(o.closed)) < 0)
			break;
	}
	return NULL;
}

int rn_closer_fd(void)
{
	return closer.done[0];
}

bool rn_closer_next(struct rn_closed *closed)
{
	return read(closer.done[0], closed, sizeof(*closed)) == sizeof(*closed);
}

/* ---- life ---- */

static void close_pipes(void)
{
	for (int i = 0; i < 2; i++) {
		if (closer.orders[i] >= 0)
			close(closer.orders[i]);
		if (closer.done[i] >= 0)
			close(closer.done[i]);
		closer.orders[i] = closer.done[i] = -1;
	}
}

int rn_closer_start(void (*started)(void), struct rn_err *err)
{
	int rc = 0;

	closer.started = started;
	if (pipe2(closer.orders, O_CLOEXEC) < 0 || pipe2(closer.done, O_CLOEXEC) < 0)
		rc = -errno;
	/* The control thread never waits; the thread may. */
	if (!rc && (fcntl(closer.orders[1], F_SETFL, O_NONBLOCK) < 0 ||
		    fcntl(closer.done[0], F_SETFL, O_NONBLOCK) < 0))
		rc = -errno;
	if (!rc) {
		/* Only more room: without it the pipes have that of a thousand sockets. */
		fcntl(closer.orders[1], F_SETPIPE_SZ, PIPE_BYTES);
		fcntl(closer.done[1], F_SETPIPE_SZ, PIPE_BYTES);
		rc = -pthread_create(&closer.thread, NULL, closer_main, NULL);
	}
	if (rc) {
		close_pipes();
		return rn_fail(err, rc, "closer: %s", strerror(-rc));
	}
	closer.runs = true;
	return 0;
}

void rn_closer_stop(void)
{
	const struct order end = {.fd = -1};
	struct timespec until;

	if (!closer.runs)
		return;
	closer.runs = false;
	if (write(closer.orders[1], &end, sizeof(end)) != sizeof(end))
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LEAVE_S;
	if (!pthread_timedjoin_np(closer.thread, NULL, &until))
		close_pipes();
}
