/* SPDX-License-Identifier: BSD-2-Clause */
/* See net.h. */
#include "net.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static char names[2][32];
static int owner;

const char *net_name(enum net_side side)
{
	return names[side];
}

__attribute__((format(printf, 2, 0))) static int command(const char *prefix, const char *fmt,
							 va_list ap)
{
	char text[600];
	int n = snprintf(text, sizeof(text), "%s", prefix), status;

	n += vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	snprintf(text + n, sizeof(text) - (size_t)n, " >/dev/null 2>&1");
	status = system(text);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int net_run(enum net_side side, const char *fmt, ...)
{
	char prefix[64];
	va_list ap;
	int status;

	snprintf(prefix, sizeof(prefix), "ip netns exec %s ", names[side]);
	va_start(ap, fmt);
	status = command(prefix, fmt, ap);
	va_end(ap);
	return status;
}

static __attribute__((format(printf, 1, 2))) int ip(const char *fmt, ...)
{
	va_list ap;
	int status;

	va_start(ap, fmt);
	status = command("ip ", fmt, ap);
	va_end(ap);
	return status;
}

static void net_close(void)
{
	if (getpid() != owner)
		return;
	ip("netns del %s", names[NET_HOST]);
	ip("netns del %s", names[NET_PEER]);
}

static void on_signal(int sig)
{
	exit(128 + sig);
}

static void make_pair(unsigned i)
{
	static const char side_name[2] = {'a', 'b'};
	uint8_t mac[6];
	int bad;

	bad = ip("link add a%u netns %s type veth peer name b%u netns %s", i, names[NET_HOST], i,
		 names[NET_PEER]);
	for (unsigned side = 0; side < 2 && !bad; side++) {
		const char *ns = names[side];

		bad = ip("-n %s addr add 10.%u.0.%u/24 dev %c%u", ns, i, side + 1, side_name[side],
			 i) ||
		      ip("-n %s link set %c%u up", ns, side_name[side], i);
	}
	for (unsigned side = 0; side < 2 && !bad; side++) {
		net_enter((enum net_side)side);
		net_mac((enum net_side)side, i, mac);
		bad = ip("-n %s neigh replace 10.%u.0.%u lladdr %02x:%02x:%02x:%02x:%02x:%02x nud "
			 "permanent dev %c%u",
			 names[!side], i, side + 1, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
			 side_name[!side], i);
	}
	if (bad)
		bench_skip("cannot make a pair of veth interfaces");
}

void net_open(unsigned n_pairs)
{
	if (geteuid())
		bench_skip("network namespaces need root");
	owner = getpid();
	for (unsigned side = 0; side < 2; side++)
		snprintf(names[side], sizeof(names[side]), "rnbench%d-%s", owner,
			 side ? "peer" : "host");
	atexit(net_close);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (ip("netns add %s", names[NET_HOST]) || ip("netns add %s", names[NET_PEER]))
		bench_skip("cannot make network namespaces");
	ip("-n %s link set lo up", names[NET_HOST]);
	ip("-n %s link set lo up", names[NET_PEER]);
	for (unsigned i = 0; i < n_pairs; i++)
		make_pair(i);
}

void net_enter(enum net_side side)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", names[side]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		bench_die("cannot enter %s", path);
	close(fd);
}

void net_mac(enum net_side side, unsigned pair, uint8_t mac[6])
{
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%c%u", side == NET_HOST ? 'a' : 'b', pair);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &req))
		bench_die("no interface %s", req.ifr_name);
	memcpy(mac, req.ifr_hwaddr.sa_data, 6);
	close(fd);
}
