/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages on the control socket. Nothing here blocks but rn_wire_wait, and rn_wire_dial up to its
 * deadline. A message that is short, longer than RAWNET_MSG_MAX, lies about its size or had
 * descriptors cut off is -EPROTO, and every descriptor that came with it is closed.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

uint64_t rn_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int dial_once(int fd, const struct sockaddr_un *addr)
{
	return connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? -errno : 0;
}

/* EAGAIN is a full backlog: the daemon is there and busy. */
int rn_wire_dial(const char *path, uint64_t deadline)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, err;

	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	while ((err = dial_once(fd, &addr)) == -EAGAIN || err == -EINTR) {
		if (rn_now_ns() >= deadline) {
			err = -ETIMEDOUT;
			break;
		}
		nanosleep(&pause, NULL);
	}
	if (!err)
		return fd;
	close(fd);
	return err;
}

int rn_wire_send(int fd, const void *msg, size_t size)
{
	ssize_t n;

	do
		n = send(fd, msg, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static void take_fds(struct rn_msg *m, struct msghdr *h)
{
	struct cmsghdr *c;
	size_t n;

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (n > RN_FDS_MAX - m->n_fds)
			n = RN_FDS_MAX - m->n_fds;
		memcpy(m->fds + m->n_fds, CMSG_DATA(c), n * sizeof(int));
		m->n_fds += (uint32_t)n;
	}
}

static int check(struct rn_msg *m, ssize_t n, int flags)
{
	if (flags & MSG_TRUNC)
		return rn_fail(-EPROTO, "message from the daemon is longer than %u bytes",
			       RAWNET_MSG_MAX);
	/* With room left in the buffer, it was the process that had none: whoever needs them says
	 * so. */
	m->cut = (flags & MSG_CTRUNC) && m->n_fds < RN_FDS_MAX;
	if ((flags & MSG_CTRUNC) && !m->cut)
		return rn_fail(-EPROTO, "descriptors from the daemon were cut off");
	if ((size_t)n < sizeof(struct rawnet_hdr))
		return rn_fail(-EPROTO, "message from the daemon has %zd bytes: no header", n);
	if (m->hdr.size != (size_t)n)
		return rn_fail(-EPROTO, "message from the daemon: size says %u of %zd bytes",
			       m->hdr.size, n);
	m->size = (uint32_t)n;
	return 1;
}

int rn_wire_recv(int fd, struct rn_msg *m)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(RN_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = m->bytes, .iov_len = sizeof(m->bytes)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	int err, resets = 0;
	ssize_t n;

	m->n_fds = 0;
	m->size = 0;
	do {
		h.msg_control = &control;
		h.msg_controllen = CMSG_LEN(RN_FDS_MAX * sizeof(int)); /* not the padding */
		n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		/* A reset is told before the messages that were queued: the next call has them. */
	} while (n < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
	if (n < 0)
		return -errno;
	take_fds(m, &h);
	if (n == 0 && m->n_fds == 0 && !(h.msg_flags & MSG_CTRUNC))
		return 0;
	err = check(m, n, h.msg_flags);
	if (err < 0)
		rn_msg_close(m);
	return err;
}

int rn_wire_wait(int fd, short events, uint64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};
	uint64_t now, left;
	int n;

	do {
		now = rn_now_ns();
		left = now < deadline ? (deadline - now + 999999) / 1000000 : 0;
		n = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

void rn_msg_close(struct rn_msg *m)
{
	for (uint32_t i = 0; i < m->n_fds; i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
	m->n_fds = 0;
}

void rn_msg_get(const struct rn_msg *m, void *to, size_t size)
{
	size_t n = m->size < size ? m->size : size;

	memcpy(to, m->bytes, n);
	memset((uint8_t *)to + n, 0, size - n);
}

int rn_msg_refused(const struct rn_msg *m)
{
	struct rawnet_refusal refusal;

	if (m->hdr.error == 0)
		return 0;
	if (m->hdr.error > 0 || m->hdr.error < -4095)
		return rn_fail(-EPROTO, "reply from the daemon: error is %d", m->hdr.error);
	rn_msg_get(m, &refusal, sizeof(refusal));
	refusal.text[sizeof(refusal.text) - 1] = '\0';
	return rn_fail(m->hdr.error, "%s",
		       refusal.text[0] ? refusal.text : strerror(-m->hdr.error));
}
