/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What threads may still do once they have given up their privileges: each is tried by a thread of
 * its kind, in a process of its own.
 *
 * Promise: a bug in the daemon can do little, and in a poller less. Seen to fail without its
 * defence:
 *   control    without its filter (rn_isolate_control()): execve, ptrace and memory that can be
 *              executed worked
 *   worker     with the list of the control thread (rn_isolate_worker()): open and socket worked
 *   libraries  not confined (make_library_threads()): all worked
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

#include "isolate.h"

/* ---- what is tried: 0 or -errno ---- */

static long said(long rc)
{
	return rc < 0 ? -errno : 0;
}

static long by_mmap(int prot)
{
	return said((long)mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static long map(void)
{
	return by_mmap(PROT_READ | PROT_WRITE);
}

static long map_code(void)
{
	return by_mmap(PROT_READ | PROT_EXEC);
}

static long protect_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return said(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static long open_file(void)
{
	return said(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static long make_socket(void)
{
	return said(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static long run_program(void)
{
	return said(syscall(SYS_execve, "/nowhere", NULL, NULL)); /* free: -ENOENT */
}

static long trace(void)
{
	return said(ptrace(PTRACE_CONT, 0, NULL, NULL)); /* free: -ESRCH */
}

static long make_process(void)
{
	const long rc = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (!rc)
		_exit(0);
	return said(rc);
}

/* library: a thread that liburcu made, and that may make threads. */
enum who {
	CONTROL,
	WORKER,
	LIBRARY
};

static const struct {
	const char *name;
	long (*try)(void);
	long ends[3]; /* with 0 or -errno, by who tries */
} trials[] = {
	{"mmap", map, {0, 0, 0}},
	{"open", open_file, {0, -EPERM, -EPERM}},
	{"socket", make_socket, {0, -EPERM, -EPERM}},
	{"mmap of code", map_code, {-EPERM, -EPERM, -EPERM}},
	{"mprotect of code", protect_code, {-EPERM, -EPERM, -EPERM}},
	{"execve", run_program, {-EPERM, -EPERM, -EPERM}},
	{"ptrace", trace, {-EPERM, -EPERM, -EPERM}},
	{"clone", make_process, {-EPERM, -EPERM, 0}},
};
#define TRIALS (sizeof(trials) / sizeof(trials[0]))

/* A bit for each that ended otherwise. */
static unsigned try_all(enum who who)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < TRIALS; i++)
		if (trials[i].try() != trials[i].ends[who])
			wrong |= 1u << i;
	return wrong;
}

/* ---- who tries ---- */

static void *worker_main(void *wrong)
{
	rn_isolate_worker();
	*(unsigned *)wrong = try_all(WORKER);
	return NULL;
}

static unsigned as_worker(void)
{
	pthread_t thread;
	unsigned wrong = ~0u;

	if (!pthread_create(&thread, NULL, worker_main, &wrong))
		pthread_join(thread, NULL);
	return wrong;
}

static unsigned as_control(void)
{
	struct rn_err err;

	return rn_isolate_control(&err) ? ~0u : try_all(CONTROL);
}

static unsigned library_wrong = ~0u;
static int library_done;

static void in_library(struct rcu_head *head)
{
	(void)head;
	library_wrong = try_all(LIBRARY);
	__atomic_store_n(&library_done, 1, __ATOMIC_RELEASE);
}

/* The thread of liburcu that runs callbacks. */
static unsigned as_library(void)
{
	static struct rcu_head head;

	rcu_register_thread();
	call_rcu(&head, in_library);
	rcu_thread_offline();
	while (!__atomic_load_n(&library_done, __ATOMIC_ACQUIRE))
		usleep(1000);
	return library_wrong;
}

static void check(unsigned (*who)(void))
{
	unsigned wrong = ~0u;
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct rn_err err;

		if (!rn_isolate_begin(true, &err))
			wrong = who();
		(void)!write(ends[1], &wrong, sizeof(wrong));
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &wrong, sizeof(wrong)), sizeof(wrong));
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (unsigned i = 0; i < TRIALS; i++)
		if (wrong & 1u << i)
			print_message("%s ended otherwise\n", trials[i].name);
	assert_int_equal(wrong, 0);
}

static void control(void **state)
{
	(void)state;
	check(as_control);
}

static void worker(void **state)
{
	(void)state;
	check(as_worker);
}

static void libraries(void **state)
{
	(void)state;
	check(as_library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control),
		cmocka_unit_test(worker),
		cmocka_unit_test(libraries),
	};

#ifdef RAWNET_SANITIZED
	puts("SKIP: a sanitizer's runtime does more than a filter allows");
	return 77;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
