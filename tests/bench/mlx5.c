/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-mlx5: the daemon's poller over mlx5 and verbs on the device model (tests/model), whose
 * thread is paused while something is measured: TSC cycles, and instructions by callgrind, a
 * packet.
 *
 * In a network namespace of its own it makes an interface for each device and starts itself under
 * cx-run, once for each part (mlx5_parts.h), then under callgrind, and bench-mlx5-dpdk if it was
 * built.
 *
 * What the figures mean: a budget with warm caches. They hold what a poller does for a packet,
 * turn, publication and fence included; they do not hold what a real device adds: lines that it
 * wrote and that have to come from memory or another cache, stores to its registers over PCIe, and
 * lines that move between the client's core and the poller's. No hardware has verified them.
 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mlx5_parts.h"

#define ROUNDS	     400
#define COUNT_ROUNDS 100

static char bin[300], dir[] = "/tmp/rawnet-mlx5.XXXXXX";

static const char *const paths[] = {"personality=cx5,wire=gen", "personality=cx5-nocomp,wire=gen",
				    "personality=cx5,wire=gen", "personality=cx5,wire=sink"};
static const char *const many[] = {"personality=cx5,wire=gen", "personality=cx5,wire=gen",
				   "personality=cx5,wire=gen",
				   "personality=cx5,wire=gen,flows=256"};
static const char *const cross[] = {"personality=cx5,wire=gen", "personality=cx5,wire=gen",
				    "personality=cx5,wire=gen", "personality=cx5,wire=sink"};

/* ---- the stage ---- */

static __attribute__((format(printf, 1, 2))) void run(const char *fmt, ...)
{
	char command[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command))
		bench_die("failed: %s", command);
}

static void clean_up(void)
{
	run("rm -rf %s", dir);
}

static void make_stage(void)
{
	ssize_t n = readlink("/proc/self/exe", bin, sizeof(bin) - 1);
	char cx[320];

	if (geteuid())
		bench_skip("network namespaces need root");
	if (n <= 0)
		bench_die("where the programs are");
	bin[n] = 0;
	*strrchr(bin, '/') = 0;
	snprintf(cx, sizeof(cx), "%s/cx-run", bin);
	if (access(cx, X_OK))
		bench_skip("the device model is not built");
	if (unshare(CLONE_NEWNET))
		bench_skip("no network namespaces here: %s", strerror(errno));
	if (!mkdtemp(dir))
		bench_die("cannot make a directory in /tmp");
	atexit(clean_up);
	run("ip link set lo up");
	for (int i = 0; i < 4; i++) {
		run("ip link add cx%d address 02:c5:00:00:00:1%d type veth peer name px%d", i, i,
		    i);
		run("ip link set cx%d up && ip link set px%d up", i, i);
	}
}

/* Starts a program on devices; its output goes to `out`, or where ours goes. Exit status. */
static int on_devices(const char *const *spec, unsigned n, const char *out,
		      const char *const *program)
{
	char cx[320], text[4][120];
	const char *argv[40] = {cx};
	unsigned a = 1;
	int status;
	pid_t pid;

	snprintf(cx, sizeof(cx), "%s/cx-run", bin);
	for (unsigned i = 0; i < n; i++) {
		snprintf(text[i], sizeof(text[i]), "%s,mac=02:c5:00:00:00:1%u,netdev=cx%u", spec[i],
			 i, i);
		argv[a++] = "-d";
		argv[a++] = text[i];
	}
	argv[a++] = "--";
	while (*program && a + 1 < sizeof(argv) / sizeof(argv[0]))
		argv[a++] = *program++;
	pid = fork();
	if (!pid) {
		if (out && !freopen(out, "a", stdout))
			_exit(126);
		execv(cx, (char **)(uintptr_t)argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- DPDK ---- */

/* What its PCI bus looks at (SYSFS_PCI_DEVICES): the function of device 0. */
static void write_pci(const char *tree)
{
	static const char *const files[][2] = {{"vendor", "0x15b3"},
					       {"device", "0x1017"},
					       {"subsystem_vendor", "0x15b3"},
					       {"subsystem_device", "0x16"},
					       {"class", "0x020000"},
					       {"numa_node", "-1"},
					       {"max_vfs", "0"},
					       {"resource", ""}};
	char path[200], to[200];
	FILE *f;

	run("mkdir -p %s/0000:c0:00.0 %s/mlx5_core", tree, dir);
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/0000:c0:00.0/%s", tree, files[i][0]);
		f = fopen(path, "w");
		if (!f)
			bench_die("cannot write %s", path);
		if (files[i][1][0])
			fprintf(f, "%s\n", files[i][1]);
		for (int k = 0; k < 7 && !files[i][1][0]; k++)
			fprintf(f, "0x%016x 0x%016x 0x%016x\n", 0, 0, 0);
		fclose(f);
	}
	snprintf(path, sizeof(path), "%s/0000:c0:00.0/driver", tree);
	snprintf(to, sizeof(to), "%s/mlx5_core", dir);
	if (symlink(to, path))
		bench_die("cannot make %s", path);
}

/* The driver's modes: compressed completions, vector instructions. NULL, or why there is nothing.
 */
static const char *measure_dpdk(const char *out)
{
	static const char *const modes[][2] = {{"1", "1"}, {"1", "0"}, {"0", "1"}, {"0", "0"}};
	static char why[200];
	char program[320], tree[64];
	unsigned good = 0;
	FILE *f;

	snprintf(program, sizeof(program), "%s/bench-mlx5-dpdk", bin);
	snprintf(tree, sizeof(tree), "%s/pci", dir);
	if (access(program, X_OK))
		return "bench-mlx5-dpdk is not built: libdpdk is not installed";
	write_pci(tree);
	setenv("SYSFS_PCI_DEVICES", tree, 1);
	for (unsigned i = 0; i < 4; i++) {
		const char *const argv[] = {program, modes[i][0], modes[i][1], "400", NULL};
		int status;

		f = fopen(out, "a");
		if (f) {
			fputs("run\n", f);
			fclose(f);
		}
		status = on_devices(paths, 1, out, argv);
		/* 86: the model found fault with it, which does not make it slower. */
		good += !status || status == 86;
		if (!status || status == 86)
			continue;
		fprintf(stderr, "   DPDK's driver with rxq_cqe_comp_en=%s,rx_vec_en=%s: %s %d\n",
			modes[i][0], modes[i][1], status > 128 ? "ended by signal" : "exit status",
			status > 128 ? status - 128 : status);
		snprintf(why, sizeof(why), "its last run ended with status %d", status);
	}
	return good ? NULL : why;
}

/* ---- instructions ---- */

/* Instructions within the functions `what` (callgrind's --toggle-collect), a packet. */
static double count(const char *way, const char *const *what)
{
	char self[320], rounds[16], out[80], log[80], line[300], toggle[3][80] = {""};
	const char *argv[16] = {
		"valgrind", "--tool=callgrind", "--fair-sched=yes", "--collect-atstart=no", out,
		log};
	unsigned a = 6, packets = (COUNT_ROUNDS + 8) * 6 * 32;
	unsigned long long collected = 0;
	FILE *f;

	snprintf(self, sizeof(self), "%s/bench-mlx5", bin);
	snprintf(rounds, sizeof(rounds), "%d", COUNT_ROUNDS);
	snprintf(out, sizeof(out), "--callgrind-out-file=%s/cg", dir);
	snprintf(log, sizeof(log), "--log-file=%s/log", dir);
	for (unsigned i = 0; i < 3 && what[i]; i++) {
		snprintf(toggle[i], sizeof(toggle[i]), "--toggle-collect=%s", what[i]);
		argv[a++] = toggle[i];
	}
	argv[a++] = self;
	argv[a++] = "count";
	argv[a++] = way;
	argv[a] = rounds;
	if (on_devices(paths, 4, "/dev/null", argv))
		return 0;
	f = fopen(strchr(log, '=') + 1, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "Collected :"))
			collected = strtoull(strstr(line, "Collected :") + 11, NULL, 10);
	if (f)
		fclose(f);
	return (double)collected / packets;
}

static void report_count(const char *what, const char *way, const char *const *functions,
			 double bound, const char *note)
{
	struct bench_samples s = {0};
	double instructions = count(way, functions);

	if (instructions > 0)
		bench_add(&s, instructions);
	bench_report(&(struct bench_figure) {.bench = "mlx5",
					     .what = what,
					     .unit = "instructions a packet",
					     .ours = &s,
					     .sense = bound > 0 ? BENCH_AT_MOST : BENCH_INFO,
					     .bound = bound,
					     .of_value = true,
					     .note = note});
}

static void count_all(void)
{
	static const char *const turn[] = {"rn_poller_turn", NULL};
	static const char *const receive[] = {"rn_mlx5_queue_rx", "rn_poller_publish", NULL};

	if (system("command -v valgrind >/dev/null")) {
		fprintf(stderr, "   instructions: valgrind is not installed\n");
		return;
	}
	report_count("receive, compressed completions", "rx-compressed", receive, 40,
		     "completion to published slot, refill included");
	report_count("receive, not compressed", "rx-plain", receive, 45,
		     "completion to published slot, refill included");
	report_count("receive, compressed completions", "rx-compressed", turn, 0, "a whole turn");
	report_count("receive, not compressed", "rx-plain", turn, 0, "a whole turn");
	report_count("transmit 64 B by reference", "tx-reference", turn, 0, "a whole turn");
	report_count("transmit 64 B by reference, policed by the NIC", "tx-nic", turn, 0,
		     "a whole turn");
	report_count("transmit 64 B copied, checked, inline", "tx-inline", turn, 0, "a whole turn");
	report_count("receive, verbs", "rx-verbs", turn, 0, "a whole turn");
}

/* ---- all of it ---- */

static void part(const char *name, const char *const *spec, unsigned n, const char *a,
		 const char *b)
{
	char self[320];
	const char *const argv[] = {self, name, a, a ? b : NULL, NULL};
	int status;

	snprintf(self, sizeof(self), "%s/bench-mlx5", bin);
	fflush(stdout);
	status = on_devices(spec, n, NULL, argv);
	if (status)
		bench_die("%s ended with status %d", name, status);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *why;
	char dpdk[64];

	if (!strcmp(what, "count") && argc == 4)
		return !part_count(argv[2], (unsigned)atoi(argv[3]));
	bench_first(0, what[0] ? 2 : 0);
	if (!strcmp(what, "paths"))
		part_paths(ROUNDS, argc > 2 && argv[2][0] ? argv[2] : NULL,
			   argc > 3 ? argv[3] : NULL);
	else if (!strcmp(what, "many"))
		part_many(ROUNDS / 4);
	else if (!strcmp(what, "cross"))
		part_cross(ROUNDS);
	if (what[0])
		return 0;
	make_stage();
	snprintf(dpdk, sizeof(dpdk), "%s/dpdk", dir);
	why = measure_dpdk(dpdk);
	part("paths", paths, 4, why ? "" : dpdk, why);
	part("many", many, 4, NULL, NULL);
	part("cross", cross, 4, NULL, NULL);
	count_all();
	fprintf(stderr,
		"   Not included: lines that a device wrote (DMA, cache misses), registers over "
		"PCIe, the client's core.\n   Hardware has not verified any of it.\n");
	return 0;
}
