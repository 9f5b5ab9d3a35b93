/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See isolate.h. Lists are of what the threads do while they serve; what is done once, at the
 * start, is not in them. A sanitizer's runtime does more than that, so sanitized builds keep their
 * privileges (RAWNET_SANITIZED).
 *
 * Memory that can be executed is refused in all threads from stage 3 on. Libraries that are loaded
 * on demand (name services, providers of libibverbs) have been loaded in stage 1.
 */
#include "isolate.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/fs.h>
#include <pthread.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <urcu-qsbr.h>
#include <urcu/rculfhash.h>

static bool enabled;

/* What serving needs: interfaces and rules that come and go (NET_ADMIN, NET_RAW, BPF), packet
 * memory (LINUX_IMMUTABLE, IPC_LOCK). */
static const unsigned kept[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_LINUX_IMMUTABLE,
				CAP_IPC_LOCK};

/* Rings and packet memory are there; a worker waits, wakes, sends and ends. */
static const int worker_calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(close),
	SCMP_SYS(futex),
	SCMP_SYS(membarrier),
	SCMP_SYS(sched_yield),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(getsockopt), /* copies.c: an interface that went down, losses */
	SCMP_SYS(munmap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(tgkill),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(getcpu),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
};

/* Besides: a netlink socket, the names of interfaces. */
static const int asker_calls[] = {
	SCMP_SYS(bind),	      SCMP_SYS(getsockname), SCMP_SYS(ioctl),
	SCMP_SYS(setsockopt), SCMP_SYS(socket),
};

/* Besides: sockets, netlink, BPF maps, packet memory, timers, the configuration's files. */
static const int control_calls[] = {
	SCMP_SYS(accept4),
	SCMP_SYS(bind),
	SCMP_SYS(bpf),
	SCMP_SYS(connect),
	SCMP_SYS(dup),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(eventfd2),
	SCMP_SYS(fchmod),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(ftruncate),
	SCMP_SYS(getdents64),
	SCMP_SYS(getegid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getsockname),
	SCMP_SYS(getuid),
	SCMP_SYS(lseek),
	SCMP_SYS(memfd_create),
	SCMP_SYS(mlock),
	SCMP_SYS(mremap),
	SCMP_SYS(munlock),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(pread64),
	SCMP_SYS(prlimit64),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	SCMP_SYS(signalfd4),
	SCMP_SYS(socket),
	SCMP_SYS(socketpair),
	SCMP_SYS(sysinfo),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(uname),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(writev),
	SCMP_SYS(access),
	SCMP_SYS(faccessat2),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(pwrite64),
	SCMP_SYS(kcmp),
};

/* ---- stage 2 ---- */

static int drop_capabilities(const unsigned *keep, size_t n)
{
	if (capng_get_caps_process())
		return -EIO;
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool wanted = false;

		for (size_t i = 0; i < n; i++)
			wanted |= keep[i] == cap;
		if (!wanted || !capng_have_capability(CAPNG_PERMITTED, cap))
			capng_update(CAPNG_DROP,
				     (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED |
						    CAPNG_INHERITABLE),
				     cap);
	}
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

/* ---- stage 3 ---- */

static int allow(scmp_filter_ctx filter, const int *calls, size_t n)
{
	int rc = 0;

	/* A call that this architecture does not have (__NR_SCMP_ERROR or pseudo) is passed over.
	 */
	for (size_t i = 0; i < n && !rc; i++)
		if (calls[i] >= 0)
			rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return rc;
}

static int allow_memory(scmp_filter_ctx filter)
{
	int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (!rc)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return rc;
}

static int allow_clone(scmp_filter_ctx filter)
{
	int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 0);

	/* glibc falls back to clone, whose flags can be looked at, where clone3 does not exist. */
	if (!rc)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc;
}

/* What is allowed besides a worker's calls. */
enum allowed {
	NOTHING,
	CONTROL,
	ASKER,
	THREADS
};

static int load_filter(enum allowed what)
{
	const bool control = what == CONTROL;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (!filter)
		return -ENOMEM;
	rc = allow(filter, worker_calls, sizeof(worker_calls) / sizeof(worker_calls[0]));
	if (!rc && control)
		rc = allow(filter, control_calls, sizeof(control_calls) / sizeof(control_calls[0]));
	if (!rc && control) /* FS_IOC_*, ethtool, what backends' kernel drivers have */
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 0);
	if (!rc && what == ASKER)
		rc = allow(filter, asker_calls, sizeof(asker_calls) / sizeof(asker_calls[0]));
	if (!rc)
		rc = allow_memory(filter);
	if (!rc && what == THREADS)
		rc = allow_clone(filter);
	if (!rc)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}

/* ---- who is confined when ---- */

static void confine(const unsigned *keep, size_t n, enum allowed what)
{
	if (!enabled)
		return;
	if (drop_capabilities(keep, n) || load_filter(what)) {
		fprintf(stderr, "rawnetd: a thread cannot give up its privileges\n");
		abort();
	}
}

void rn_isolate_worker(void)
{
	confine(NULL, 0, NOTHING);
}

void rn_isolate_asker(void)
{
	static const unsigned keep[] = {CAP_NET_ADMIN};

	confine(keep, 1, ASKER);
}

/* liburcu makes a thread for callbacks and one for growing tables on first use: that is here, by a
 * thread which is confined already, so that they are confined as well. The table stays, since
 * liburcu ends its thread with the last one. */
static void *make_library_threads(void *arg)
{
	int *rc = arg;

	*rc = drop_capabilities(NULL, 0);
	if (!*rc)
		*rc = load_filter(THREADS);
	rcu_register_thread();
	if (!*rc &&
	    (!get_default_call_rcu_data() || !cds_lfht_new(1, 1, 0, CDS_LFHT_AUTO_RESIZE, NULL)))
		*rc = -ENOMEM;
	rcu_unregister_thread();
	return NULL;
}

int rn_isolate_begin(bool wanted, struct rn_err *err)
{
	pthread_t thread;
	int rc, made = 0;

#ifdef RAWNET_SANITIZED
	wanted = false;
#endif
	enabled = wanted;
	if (!enabled)
		return 0;
	/* Names that nobody has are asked of every name service: all of them are loaded now. */
	getpwnam("rawnet.nobody.has.this.name");
	getgrnam("rawnet.nobody.has.this.name");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return rn_fail(err, -errno, "sandbox: no_new_privs: %s", strerror(errno));
	rc = -pthread_create(&thread, NULL, make_library_threads, &made);
	if (!rc) {
		pthread_join(thread, NULL);
		rc = made;
	}
	return rc ? rn_fail(err, rc, "sandbox: %s (\"sandbox = false\" does without)",
			    strerror(-rc))
		  : 0;
}

int rn_isolate_control(struct rn_err *err)
{
	int rc;

	if (!enabled)
		return 0;
	rc = drop_capabilities(kept, sizeof(kept) / sizeof(kept[0]));
	if (rc)
		return rn_fail(err, rc, "sandbox: dropping capabilities: %s", strerror(-rc));
	rc = load_filter(CONTROL);
	if (rc)
		return rn_fail(err, rc, "sandbox: seccomp: %s (\"sandbox = false\" does without)",
			       strerror(-rc));
	return 0;
}
