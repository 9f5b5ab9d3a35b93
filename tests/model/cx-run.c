/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cx-run: runs a program on software devices.
 *
 *	cx-run [options] [--] program [argument...]
 *
 * It leaves a janitor behind (litter.h), which removes the private sysfs tree and the control
 *socket when the program has ended, however it ended; writes the tree, sets the environment and
 *becomes the program.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"
#include "litter.h"
#include "port.h"
#include "sysfs.h"

static const char usage[] =
	"usage: cx-run [options] [--] program [argument...]\n"
	"  -d, --device SPEC     a device: key=value,... (up to 4; default wire=loop); keys:\n"
	"                        wire=loop|sink|gen|test|SOCKET:END, personality=NAME, "
	"name=mlx5_N,\n"
	"                        mac=, netdev=, mtu=, log_ft_size=, and for wire=gen\n"
	"                        flows= len= proto=udp|tcp|udp6|tcp6 vlan= rate= count=\n"
	"  -u, --uverbs ioctl|write   how libibverbs talks to the device (default ioctl)\n"
	"  -s, --static-uar      doorbell registers as kernels without dynamic UARs give them\n"
	"  -r, --referee report|abort|count   what a broken rule does (default report: exit 86)\n"
	"  -l, --leaks           objects left at the end break a rule\n"
	"  -c, --control PATH    listen there for commands (cx-ctl)\n"
	"  -f, --fault 'COMMAND; ...'   commands to run before the program\n"
	"  -o, --report FILE     append what the referee says to FILE\n";

static void die(const char *what)
{
	fprintf(stderr, "cx-run: %s\n", what);
	exit(2);
}

/* An end's address and netdev are the wire process's to say: attach for a moment. */
static void ask_end(struct cx_config *c)
{
	const struct cx_port_info *info;
	struct cx_port *port;
	char err[256];

	if (c->wire != CX_WIRE_END)
		return;
	if (cx_port_attach(c->wire_path, c->wire_end, &port, err, sizeof(err)) < 0)
		die(err);
	info = cx_port_info(port);
	memcpy(c->mac, info->mac, 6);
	memcpy(c->netdev, info->netdev, sizeof(c->netdev));
	cx_port_detach(port);
}

/* The environment's form of the devices: as given, with what the wire process said. */
static void set_devices(char *const specs[], int count, struct cx_config *devs)
{
	char env[4096] = "", err[256];
	size_t n = 0;
	int i;

	for (i = 0; i < count; i++) {
		struct cx_config *c = &devs[i];

		if (cx_config_device(c, i, specs[i], err, sizeof(err)) < 0)
			die(err);
		ask_end(c);
		n += (size_t)snprintf(env + n, sizeof(env) - n,
				      "%s%s,mac=%02x:%02x:%02x:%02x:%02x:%02x", i ? ";" : "",
				      specs[i], c->mac[0], c->mac[1], c->mac[2], c->mac[3],
				      c->mac[4], c->mac[5]);
		if (c->netdev[0] && n < sizeof(env))
			n += (size_t)snprintf(env + n, sizeof(env) - n, ",netdev=%s", c->netdev);
		if (n >= sizeof(env))
			die("the device descriptions are too long");
	}
	setenv("CX_DEVICES", env, 1);
}

static void write_tree(const struct cx_config *devs, int count, const char *control)
{
	const char *tmp = getenv("TMPDIR");
	struct cx_litter litter = {0};
	int err, alive = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (snprintf(litter.dir, sizeof(litter.dir), "%s/cx-XXXXXX", tmp && *tmp ? tmp : "/tmp") >=
	    (int)sizeof(litter.dir))
		die("TMPDIR is too long");
	if (control && strlen(control) < sizeof(litter.socket))
		strcpy(litter.socket, control);
	err = alive < 0 ? -errno : cx_janitor_leave(alive, &litter);
	if (err)
		die("cannot make a directory for the device tree");
	close(alive);
	err = cx_tree_write(litter.dir, devs, count);
	if (err)
		die(strerror(-err));
	setenv("SYSFS_PATH", litter.dir, 1);
}

static void set_preload(void)
{
	const char *have = getenv("LD_PRELOAD");
	char list[2048];

	snprintf(list, sizeof(list), "%s%s%s%s", CX_SANITIZER, CX_LIBRARY, have ? ":" : "",
		 have ? have : "");
	setenv("LD_PRELOAD", list, 1);
	/* A program that is not ours may leak; the device is to find bad accesses. */
	if (CX_SANITIZER[0]) {
		setenv("ASAN_OPTIONS", "detect_leaks=0:verify_asan_link_order=0", 0);
		setenv("TSAN_OPTIONS", "suppressions=" CX_TSAN_SUPPRESSIONS, 0);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"device", 1, NULL, 'd'},  {"uverbs", 1, NULL, 'u'}, {"static-uar", 0, NULL, 's'},
		{"referee", 1, NULL, 'r'}, {"leaks", 0, NULL, 'l'},  {"control", 1, NULL, 'c'},
		{"fault", 1, NULL, 'f'},   {"report", 1, NULL, 'o'}, {"help", 0, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	static char loop[] = "wire=loop";
	char *specs[CX_MAX_DEVS] = {loop}, err[256];
	struct cx_config devs[CX_MAX_DEVS];
	struct cx_settings settings = {0};
	int opt, count = 0;

	while ((opt = getopt_long(argc, argv, "+d:u:sr:lc:f:o:h", options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			if (count == CX_MAX_DEVS)
				die("at most 4 devices");
			specs[count++] = optarg;
			break;
		case 'u': setenv("CX_UVERBS", optarg, 1); break;
		case 's': setenv("CX_UAR", "static", 1); break;
		case 'r': setenv("CX_REFEREE", optarg, 1); break;
		case 'l': setenv("CX_LEAKS", "1", 1); break;
		case 'c': setenv("CX_CONTROL", optarg, 1); break;
		case 'f': setenv("CX_FAULTS", optarg, 1); break;
		case 'o': setenv("CX_REPORT", optarg, 1); break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (optind == argc) {
		fputs(usage, stderr);
		return 2;
	}
	set_devices(specs, count ? count : 1, devs);
	if (cx_config_env(&settings, err, sizeof(err)) < 0)
		die(err);
	write_tree(devs, settings.devs, settings.control);
	set_preload();
	execvp(argv[optind], argv + optind);
	fprintf(stderr, "cx-run: %s: %s\n", argv[optind], strerror(errno));
	return 127;
}
