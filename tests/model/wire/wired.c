/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cx-wired: the wires of the software ConnectX, and the kernel sides of its ports, in a process of
 * their own that outlives the drivers (README.md). This file is its command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control.h"
#include "loop.h"
#include "room.h"
#include "watch.h"

static const struct option options[] = {
	{"socket", required_argument, NULL, 's'},
	{"end", required_argument, NULL, 'e'},
	{"cable", required_argument, NULL, 'c'},
	{"iface", required_argument, NULL, 'i'},
	{"loop", required_argument, NULL, 'l'},
	{"daemon", no_argument, NULL, 'd'},
	{"until", required_argument, NULL, 'u'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static const char usage[] =
	"usage: cx-wired --socket PATH --end NAME[,OPTION...] ... [WIRE ...] [--daemon]\n"
	"  --end NAME     a port of a NIC; options: netdev=NAME|none (its kernel side, default:\n"
	"                 the end's name), mac=MAC, mtu=N\n"
	"  --cable A,B    joins two ends\n"
	"  --iface A,DEV  the far side of A's wire is the interface DEV\n"
	"  --loop A       A receives what it sends\n"
	"  --until PID    end when that process has ended\n"
	"  --daemon       return when everything stands, serve in the background\n"
	"An end without a wire swallows what it sends.\n";

static void end_it(struct cx_source *s)
{
	(void)s;
	cx_room.stop = true;
}

static struct cx_source signals = {.fd = -1, .ready = end_it};
static struct cx_source master = {.fd = -1, .ready = end_it}; /* of --until */

/* In the process that serves: an epoll set keeps watching the signals of whoever added them. */
static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals.fd < 0 ? -errno : cx_loop_add(&signals);
}

static int watch_master(const char *pid, char *err, size_t size)
{
	master.fd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
	if (master.fd >= 0)
		return cx_loop_add(&master);
	snprintf(err, size, "--until '%s': %s", pid, strerror(errno));
	return -errno;
}

/* Leaves the caller's terminal and pipes alone, in a child; the parent's success is that
 * everything stands. */
static int go_background(void)
{
	pid_t pid = fork();
	int null;

	if (pid < 0)
		return -errno;
	if (pid > 0)
		_exit(0);
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		return -errno;
	return 0;
}

struct plan {
	const char *socket;
	const char *until;
	bool background;
};

static int take_option(struct plan *plan, int opt, char *err, size_t size)
{
	switch (opt) {
	case 's': plan->socket = optarg; return 0;
	case 'u': plan->until = optarg; return 0;
	case 'd': plan->background = true; return 0;
	case 'e': return cx_room_add_end(optarg, err, size);
	case 'c': return cx_room_add_cable(optarg, err, size);
	case 'i': return cx_room_add_iface(optarg, err, size);
	case 'l': return cx_room_add_loop(optarg, err, size);
	case 'h': fputs(usage, stdout); exit(0);
	default: fputs(usage, stderr); exit(2);
	}
}

static int parse(struct plan *plan, int argc, char **argv, char *err, size_t size)
{
	int opt, code = 0;

	while (code == 0 && (opt = getopt_long(argc, argv, "s:e:c:i:l:u:dh", options, NULL)) != -1)
		code = take_option(plan, opt, err, size);
	if (code)
		return code;
	if (!plan->socket || !cx_room.ends || optind < argc) {
		fputs(usage, stderr);
		exit(2);
	}
	return 0;
}

static int set_up(const struct plan *plan, char *err, size_t size)
{
	int code = cx_loop_init();

	if (code == 0)
		code = cx_watch_open();
	if (code) {
		snprintf(err, size, "%s", strerror(-code));
		return code;
	}
	if (plan->until)
		code = watch_master(plan->until, err, size);
	if (code)
		return code;
	/* The socket first: it is what tells two wire processes of one room apart. */
	code = cx_control_open(plan->socket, err, size);
	if (code == 0)
		code = cx_room_open(err, size);
	return code ? code : cx_watch_sync();
}

int main(int argc, char **argv)
{
	struct plan plan = {0};
	char err[512] = "";
	int code = parse(&plan, argc, argv, err, sizeof(err));

	if (code == 0) {
		code = set_up(&plan, err, sizeof(err));
		if (code == 0 && plan.background)
			code = go_background();
		if (code == 0)
			code = watch_signals();
		if (code == 0)
			cx_room_run();
		cx_control_close();
		cx_room_close();
		cx_watch_close();
	}
	if (code)
		fprintf(stderr, "cx-wired: %s\n", err[0] ? err : strerror(-code));
	return code ? 1 : 0;
}
