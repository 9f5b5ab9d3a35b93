/* SPDX-License-Identifier: BSD-2-Clause */
/* loop.h: contract. */
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define BATCH 16

static int epfd = -1;
/* The batch being handled, so that a source removed by a handler is not called afterwards. */
static struct epoll_event events[BATCH];
static int pending;

int cx_loop_init(void)
{
	epfd = epoll_create1(EPOLL_CLOEXEC);
	return epfd < 0 ? -errno : 0;
}

int cx_loop_add(struct cx_source *s)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};

	return epoll_ctl(epfd, EPOLL_CTL_ADD, s->fd, &ev) ? -errno : 0;
}

void cx_loop_remove(struct cx_source *s)
{
	int i;

	if (s->fd < 0)
		return;
	epoll_ctl(epfd, EPOLL_CTL_DEL, s->fd, NULL);
	close(s->fd);
	s->fd = -1;
	for (i = 0; i < pending; i++) {
		if (events[i].data.ptr == s)
			events[i].data.ptr = NULL;
	}
}

int cx_loop_turn(int64_t timeout_ns)
{
	struct timespec ts = {timeout_ns / 1000000000, timeout_ns % 1000000000};
	int i, n;

	n = epoll_pwait2(epfd, events, BATCH, timeout_ns < 0 ? NULL : &ts, NULL);
	pending = n > 0 ? n : 0;
	for (i = 0; i < pending; i++) {
		struct cx_source *s = events[i].data.ptr;

		if (s)
			s->ready(s);
	}
	pending = 0;
	return n > 0 ? n : 0;
}

uint64_t cx_loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
