/* SPDX-License-Identifier: BSD-2-Clause */
/* See steps.h. */
#include "steps.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_S 60

static bool *again; /* shared with the child */

/* A traced thread stops at any signal, and its parent hears of it. */
void steps_begin(void)
{
	raise(SIGSTOP);
}

bool steps_end(void)
{
	raise(SIGSTOP);
	return __atomic_load_n(again, __ATOMIC_RELAXED);
}

static pid_t start(void (*scene)(unsigned), unsigned size)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child)
		return child;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(77);
	scene(size);
	_exit(0);
}

/* Lets it go on, or one step; false: it has ended. */
static bool let_go(pid_t child, bool step, int signal, int *status)
{
	assert_int_equal(ptrace(step ? PTRACE_SINGLESTEP : PTRACE_CONT, child, NULL, signal), 0);
	assert_int_equal(waitpid(child, status, 0), child);
	return WIFSTOPPED(*status);
}

/* Until the next mark: how many steps; 0: it has ended. */
static uint64_t until_mark(pid_t child, bool step)
{
	uint64_t n = 1;
	int status, signal = 0;

	for (; let_go(child, step, signal, &status); n++) {
		signal = WSTOPSIG(status);
		if (signal == SIGSTOP)
			return n;
		if (signal == SIGTRAP)
			signal = 0;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("the scene failed: 0x%x", status);
	return 0;
}

/* The first count that is `enough` or less, or, if there is none in time, the least. */
static uint64_t steps_of(void (*scene)(unsigned size), unsigned size, uint64_t enough)
{
	uint64_t least = UINT64_MAX, n;
	time_t since = time(NULL);
	pid_t child = start(scene, size);
	int status;

	assert_int_equal(waitpid(child, &status, 0), child); /* at the first mark */
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	__atomic_store_n(again, true, __ATOMIC_RELAXED);
	do {
		n = until_mark(child, true);
		assert_int_not_equal(n, 0);
		if (n < least)
			least = n;
		__atomic_store_n(again, least > enough && time(NULL) - since < PATIENCE_S,
				 __ATOMIC_RELAXED);
	} while (until_mark(child, false));
	return least;
}

static void nothing(unsigned size)
{
	(void)size;
	steps_begin();
}

/* May this process trace its children? */
static bool works(void)
{
	pid_t child = start(nothing, 0);
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSTOPPED(status))
		return false;
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return true;
}

void steps_do_not_grow(void (*scene)(unsigned size), unsigned few, unsigned many, unsigned each)
{
	uint64_t least, most, n;

	if (!works())
		skip();
	again = mmap(NULL, sizeof(*again), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	assert_ptr_not_equal(again, MAP_FAILED);
	least = steps_of(scene, few, UINT64_MAX);
	most = least + (uint64_t)each * (many - few);
	n = steps_of(scene, many, most);
	munmap(again, sizeof(*again));
	printf("%" PRIu64 " instructions among %u, %" PRIu64 " among %u\n", least, few, n, many);
	assert_in_range(n, 1, most);
}
