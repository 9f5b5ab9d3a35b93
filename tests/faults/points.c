/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linked into a program with a --wrap of each line of calls.def: every such call of the program's
 * own code comes here first. Each place in the code that calls is a site, known by its return
 * address; the file that RAWNET_FAULTS names, mapped and shared with the test, lists the sites that
 * were reached and how often, and says which of them fails next, and at which of its turns. Without
 * that file nothing fails. Counting by site makes it the same in every run although threads take
 * turns.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "points.h"

struct points *points;
extern const char __executable_start[], etext[];

__attribute__((constructor)) static void map_points(void)
{
	const char *path = getenv("RAWNET_FAULTS");
	long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
	long map;

	if (fd < 0)
		return;
	map = syscall(SYS_mmap, NULL, sizeof(*points), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (map == -1)
		return;
	points = (struct points *)map;
	points->callbacks = 0; /* of a process that was killed */
}

static struct site *find(const char *name, uint64_t at)
{
	for (uint32_t i = 0; i < SITES; i++) {
		struct site *s = &points->site[(at * 0x9e3779b97f4a7c15u + i) % SITES];
		uint64_t is = 0;

		if (__atomic_compare_exchange_n(&s->at, &is, at, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			strncpy(s->name, name, sizeof(s->name) - 1);
		else if (is != at)
			continue;
		return s;
	}
	abort(); /* more sites than there is room for */
}

bool point_fails(const char *name, const void *from)
{
	uint64_t at = (uint64_t)((const char *)from - __executable_start);

	/* A library's calls of itself, through a table that device.c changed, are its own business.
	 */
	if (!points || at >= (uint64_t)(etext - __executable_start))
		return false;
	__atomic_fetch_add(&find(name, at)->hits, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&points->armed, __ATOMIC_SEQ_CST) != at ||
	    __atomic_sub_fetch(&points->left, 1, __ATOMIC_SEQ_CST) != 0)
		return false;
	__atomic_store_n(&points->fired, 1, __ATOMIC_SEQ_CST);
	return true;
}

#define CALL(name, failure, error)                                    \
	long __real_##name(WORDS);                                    \
	long __wrap_##name(WORDS);                                    \
	long __wrap_##name(WORDS)                                     \
	{                                                             \
		if (!point_fails(#name, __builtin_return_address(0))) \
			return __real_##name(THE_WORDS);              \
		errno = error;                                        \
		return failure;                                       \
	}
#include "calls.def"

/* To change or take out what is in a set needs no memory: only adding can fail. */
int __real_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (op != EPOLL_CTL_ADD || !point_fails("epoll_ctl", __builtin_return_address(0)))
		return __real_epoll_ctl(epfd, op, fd, event);
	errno = ENOMEM;
	return -1;
}

#ifdef FAULTS_OF_LIBRARIES
#include "libraries.def"
#endif
