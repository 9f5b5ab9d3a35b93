/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ConnectX in software, for LD_PRELOAD: the interposed symbols of libc.
 *
 * The library answers the kernel's uverbs interface inside the process, so that the unmodified
 * libibverbs and libmlx5 find an mlx5 device, make real queues, and ring real doorbells; the
 * device thread (device.c) executes them. It needs neither root nor RDMA in the kernel.
 *
 * What it cannot show: a missing store barrier (x86 hides it), the order of PCIe writes, quirks of
 * firmware, real timing; memory that the program unmaps while it is registered (hardware keeps the
 * pages, the model faults).
 *
 * What is a guess, because only hardware can tell:
 *  - the reaction to malformed WQEs: wrong index, number, size or opcode gives REQ_ERR with
 *    syndrome 0x2; a bad key, range or domain 0x4; a frame too long 0x1; all stop the queue
 *  - a receive WQE with a bad key stops the queue with 0x4; a frame longer than the buffers costs
 *    one WQE and one CQE with 0x1, and the queue goes on
 *  - which of two overlapping rules of one priority wins: the group that was made first
 *  - a CQ is overrun when its consumer index is a ring behind, judged modulo twice the ring
 *  - a UDP checksum of zero over IPv4 is reported as L4_OK
 *  - broadcast and multicast that no rule took goes to the kernel before ALL_DEFAULT, after
 *    MC_DEFAULT
 *  - what is posted to a receive queue in error comes back at once
 *  - TSO numbers IPv4 ids upwards by one, keeps FIN and PSH for the last segment, CWR for the first
 *
 * Threads: every symbol may be called by any thread at any time; before the constructor ran, or
 * in a forked child, the calls pass through to libc.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cx-test.h"
#include "faults.h"
#include "referee.h"
#include "sys.h"
#include "sysfs.h"
#include "uverbs.h"

#define API __attribute__((visibility("default")))

struct cx_libc cx_libc;
static pid_t owner; /* the process the library was loaded into; a forked child is not it */

/* A descriptor's number is looked at without the lock, to keep close() and write() cheap. */
static _Atomic uint64_t our_fds[CX_MAX_FD / 64];

static bool is_our_fd(int fd)
{
	return fd >= 0 && fd < CX_MAX_FD &&
	       (atomic_load_explicit(&our_fds[fd / 64], memory_order_relaxed) >> (fd % 64) & 1);
}

void cx_fd_mark(int fd, bool ours)
{
	if (fd < 0 || fd >= CX_MAX_FD)
		return;
	if (ours)
		atomic_fetch_or_explicit(&our_fds[fd / 64], 1ull << (fd % 64),
					 memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&our_fds[fd / 64], ~(1ull << (fd % 64)),
					  memory_order_relaxed);
}

void cx_libc_init(void)
{
	static const struct {
		void *slot;
		const char *name;
	} table[] = {
		{&cx_libc.open, "open"},	 {&cx_libc.openat, "openat"},
		{&cx_libc.fopen, "fopen"},	 {&cx_libc.stat, "stat"},
		{&cx_libc.lstat, "lstat"},	 {&cx_libc.access, "access"},
		{&cx_libc.readlink, "readlink"}, {&cx_libc.realpath, "realpath"},
		{&cx_libc.opendir, "opendir"},	 {&cx_libc.write, "write"},
		{&cx_libc.ioctl, "ioctl"},	 {&cx_libc.mmap, "mmap"},
		{&cx_libc.munmap, "munmap"},	 {&cx_libc.close, "close"},
		{&cx_libc.socket, "socket"},
	};
	size_t i;

	if (cx_libc.socket)
		return;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		void *sym = dlsym(RTLD_NEXT, table[i].name);

		memcpy(table[i].slot, &sym, sizeof(sym));
	}
}

__attribute__((constructor)) static void start(void)
{
	char err[256];

	cx_libc_init();
	owner = getpid();
	if (cx_config_env(&cx_settings, err, sizeof(err)) < 0) {
		fprintf(stderr, "cx: %s\n", err);
		_exit(2);
	}
	if (cx_settings.control)
		cx_control_start(cx_settings.control);
	if (cx_settings.faults) {
		char out[256];
		char *copy = strdup(cx_settings.faults), *save = NULL, *line;

		for (line = strtok_r(copy, ";", &save); line; line = strtok_r(NULL, ";", &save))
			if (cx_control_run(line, out, sizeof(out)) < 0) {
				fprintf(stderr, "cx: CX_FAULTS: %s\n", out);
				_exit(2);
			}
		free(copy);
	}
}

__attribute__((destructor)) static void finish(void)
{
	if (owner != getpid())
		return;
	cx_control_stop();
	cx_dev_stop_all();
	cx_referee_finish();
}

/* ---- names ---- */

static int open_node(int index)
{
	int fd;

	if (owner != getpid()) {
		errno = ENODEV;
		return -1;
	}
	cx_lock();
	fd = cx_ctx_open(&cx_devs[index]);
	cx_unlock();
	return fd;
}

static mode_t mode_arg(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

API int open(const char *path, int flags, ...)
{
	char buf[PATH_MAX];
	int node = cx_sysfs_node(path);
	va_list ap;
	mode_t mode;

	cx_libc_init();
	va_start(ap, flags);
	mode = mode_arg(flags, ap);
	va_end(ap);
	if (node >= 0)
		return open_node(node);
	return cx_libc.open(cx_sysfs_map(path, buf), flags, mode);
}

API int open64(const char *path, int flags, ...) __attribute__((alias("open")));

API int openat(int dir, const char *path, int flags, ...)
{
	char buf[PATH_MAX];
	int node = cx_sysfs_node(path);
	va_list ap;
	mode_t mode;

	cx_libc_init();
	va_start(ap, flags);
	mode = mode_arg(flags, ap);
	va_end(ap);
	if (node >= 0)
		return open_node(node);
	return cx_libc.openat(dir, cx_sysfs_map(path, buf), flags, mode);
}

API int openat64(int dir, const char *path, int flags, ...) __attribute__((alias("openat")));

API FILE *fopen(const char *path, const char *mode)
{
	char buf[PATH_MAX];

	cx_libc_init();
	return cx_libc.fopen(cx_sysfs_map(path, buf), mode);
}

API FILE *fopen64(const char *path, const char *mode) __attribute__((alias("fopen")));

/* A node has no file of its own: it is stated as what stands in for it. */
static const char *stat_name(const char *path, char buf[PATH_MAX])
{
	return cx_sysfs_node(path) >= 0 ? "/dev/zero" : cx_sysfs_map(path, buf);
}

API int stat(const char *path, struct stat *st)
{
	char buf[PATH_MAX];

	cx_libc_init();
	return cx_libc.stat(stat_name(path, buf), st);
}

API int lstat(const char *path, struct stat *st)
{
	char buf[PATH_MAX];

	cx_libc_init();
	return cx_libc.lstat(stat_name(path, buf), st);
}

API int access(const char *path, int mode)
{
	char buf[PATH_MAX];

	cx_libc_init();
	return cx_libc.access(stat_name(path, buf), mode);
}

API ssize_t readlink(const char *path, char *out, size_t size)
{
	char buf[PATH_MAX];

	cx_libc_init();
	return cx_libc.readlink(cx_sysfs_map(path, buf), out, size);
}

API char *realpath(const char *path, char *out)
{
	char buf[PATH_MAX];
	char *res;

	cx_libc_init();
	res = cx_libc.realpath(cx_sysfs_map(path, buf), out);
	if (res)
		cx_sysfs_unmap(res);
	return res;
}

API DIR *opendir(const char *path)
{
	char buf[PATH_MAX];

	cx_libc_init();
	return cx_libc.opendir(cx_sysfs_map(path, buf));
}

/* ---- descriptors ---- */

API int socket(int domain, int type, int protocol)
{
	cx_libc_init();
	/* libibverbs asks netlink for devices first; without it, it reads sysfs. */
	if (domain == AF_NETLINK && protocol == NETLINK_RDMA) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	return cx_libc.socket(domain, type, protocol);
}

/* The context that a command (or close) goes to, or NULL. A register write that came before the
 * command on the bus was seen before it: what was rung is looked at first, so that a queue rung and
 * then destroyed was there. */
static struct cx_ctx *command_to(int fd)
{
	struct cx_ctx *ctx = cx_ctx_by_fd(fd);

	if (ctx)
		cx_uar_scan(ctx->dev);
	return ctx;
}

/* A command takes the firmware some time, in which the device goes on. */
static void take_time(void)
{
	if (cx_faults.command_us)
		usleep(cx_faults.command_us);
}

API ssize_t write(int fd, const void *buf, size_t len)
{
	struct cx_ctx *ctx;
	ssize_t ret = -2;

	cx_libc_init();
	if (!is_our_fd(fd) || owner != getpid())
		return cx_libc.write(fd, buf, len);
	take_time();
	cx_lock();
	ctx = command_to(fd);
	if (ctx) {
		int err = cx_uverbs_write(ctx, buf, len);

		ret = err ? -1 : (ssize_t)len;
		errno = err ? -err : errno;
	}
	cx_unlock();
	return ret == -2 ? cx_libc.write(fd, buf, len) : ret;
}

API int ioctl(int fd, unsigned long request, ...)
{
	struct cx_ctx *ctx;
	va_list ap;
	void *arg;
	int ret = -2;

	cx_libc_init();
	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!is_our_fd(fd) || owner != getpid())
		return cx_libc.ioctl(fd, request, arg);
	take_time();
	cx_lock();
	ctx = command_to(fd);
	if (ctx) {
		int err = request == RDMA_VERBS_IOCTL ? cx_uverbs_ioctl(ctx, arg) : -ENOTTY;

		ret = err ? -1 : 0;
		errno = err ? -err : errno;
	}
	cx_unlock();
	return ret == -2 ? cx_libc.ioctl(fd, request, arg) : ret;
}

API void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	void *ret = NULL;

	cx_libc_init();
	if (is_our_fd(fd) && owner == getpid()) {
		struct cx_ctx *ctx;

		cx_lock();
		ctx = cx_ctx_by_fd(fd);
		if (ctx)
			ret = cx_ctx_mmap(ctx, addr, len, prot, flags, off);
		cx_unlock();
		if (ctx)
			return ret;
	}
	return cx_libc.mmap(addr, len, prot, flags, fd, off);
}

API void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off)
	__attribute__((alias("mmap")));

API int close(int fd)
{
	cx_libc_init();
	if (is_our_fd(fd) && owner == getpid()) {
		cx_lock();
		command_to(fd);
		if (!cx_ctx_close(fd))
			cx_channel_close_fd(fd);
		cx_unlock();
		cx_fd_mark(fd, false);
	}
	return cx_libc.close(fd);
}

/* ---- for tests in the same process (cx-test.h) ---- */

API int cx_control(const char *line, char *out, size_t size)
{
	return cx_control_run(line, out, size);
}

API unsigned long long cx_violations(const char *rule)
{
	unsigned long long n;

	cx_lock();
	n = cx_violation_count(rule);
	cx_unlock();
	return n;
}
