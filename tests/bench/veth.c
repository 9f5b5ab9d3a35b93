/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-veth: a UDP echo through rawnetd against a bare AF_XDP program that does the same, each on
 * a veth of its own in generic mode, by turns, under the same closed-loop load.
 *
 * The cost of a packet is CPU time, since the threads of a subject and of the load do not fit two
 * cores. A subject has one core for everything: its threads (rawnetd and client, or the one of the
 * bare program), what the kernel does for it when it sends, and, by receive packet steering, what
 * the kernel does when it receives. The load comes from the other core and is lighter, so that the
 * subject never waits for it.
 *
 *   bench-veth [ROUNDS]
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asker.h"
#include "bench.h"
#include "echo_bare.h"
#include "net.h"
#include "serve.h"

#define LEN	  64u
#define WINDOW	  512u
#define WINDOW_NS 25000000u
#define LOST_PART 0.4 /* of a window: more waiting for a core than this disturbs it */
#define LOAD_CPU  0
#define CPU	  1 /* the subjects' */

enum lane { /* the number of its pair of veth */
	RAWNET,
	BARE,
	LANES
};

static struct serve serve;
static struct rawnet *monitor;
static uint32_t attachment;
static int echo_pid, softirqd;
static struct echo_bare *bare;
static struct asker asker[LANES];
static struct bench_samples cost[LANES], rate[LANES];
static bool verbose;

static void start_rawnet(void)
{
	const char *argv[] = {"rawnet-echo", "-S", serve.socket, "a0", "udp", "dport", "7", NULL};

	serve_prepare(&serve);
	serve.in_host = true;
	serve_start(&serve, "{ cpu = 1; mode = \"adaptive\"; }",
		    "{ dev = \"a0\"; backend = \"xdp\"; xdp_mode = \"generic\"; }");
	echo_pid = serve_spawn(&serve, "rawnet-echo", argv);
	monitor = serve_connect(&serve, "bench");
	attachment = serve_find(monitor, "a0");
}

static void start_all(void)
{
	net_open(LANES);
	for (int i = 0; i < LANES; i++)
		if (net_run(NET_HOST, "sh -c 'echo %x >/sys/class/net/a%d/queues/rx-0/rps_cpus'",
			    1u << CPU, i) ||
		    net_run(NET_PEER, "sh -c 'echo %x >/sys/class/net/b%d/queues/rx-0/rps_cpus'",
			    1u << LOAD_CPU, i))
			bench_skip("no receive packet steering");
	start_rawnet();
	net_enter(NET_HOST);
	bare = echo_bare_start("a1", false);
	net_enter(NET_PEER);
	for (unsigned lane = 0; lane < LANES; lane++)
		asker_open(&asker[lane], lane, LEN);
}

/* Both must answer before anything is measured; the first packets also wake everybody. */
static void warm_up(void)
{
	for (int lane = 0; lane < LANES; lane++) {
		struct asker *a = &asker[lane];

		for (int i = 0; i < 50 && !a->back; i++)
			asker_run(a, 10000000, WINDOW);
		if (!a->back)
			bench_die("no answer from %s",
				  lane == BARE ? "the bare program" : "rawnet");
	}
}

static void place(int tid, int cpu, int priority)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(tid, sizeof(set), &set))
		bench_die("cannot use core %d", cpu);
	bench_first(tid, priority);
}

/* Everything that is measured comes before all other work on the machine, and a client before a
 * poller that spins. */
static void place_all(void)
{
	FILE *f;

	place(0, LOAD_CPU, 1);
	place(serve.poller_tid, CPU, 1);
	place(serve.waker_tid, CPU, 2);
	place(echo_pid, CPU, 2);
	place(echo_bare_tid(bare), CPU, 1);
	f = popen("pgrep -x ksoftirqd/1", "r");
	if (!f || fscanf(f, "%d", &softirqd) != 1)
		bench_die("no ksoftirqd/%d", CPU);
	pclose(f);
}

static uint64_t cpu_of(enum lane lane)
{
	uint64_t ns = bench_ran(softirqd, softirqd);

	if (lane == BARE)
		return ns + echo_bare_cpu(bare);
	return ns + serve_cpu(serve.pid) + serve_cpu(echo_pid);
}

/* Time that the load or a subject's busy thread was ready to run and had no core. */
static uint64_t waited(enum lane lane)
{
	return bench_waited(0, 0) +
	       (lane == BARE ? bench_waited(getpid(), echo_bare_tid(bare)) : 0);
}

static void measure(enum lane lane)
{
	struct asker *a = &asker[lane];
	struct asker old = *a;
	uint64_t sleeps = serve_poller(monitor).sleeps,
		 wakes = serve_counter(monitor, attachment, RAWNET_Q_WAKEUPS);
	uint64_t cpu = cpu_of(lane), lost = waited(lane), start = bench_ns(), took;
	double back;

	asker_run(a, WINDOW_NS, WINDOW);
	took = bench_ns() - start;
	cpu = cpu_of(lane) - cpu;
	lost = waited(lane) - lost;
	back = (double)(a->back - old.back);
	if (verbose)
		fprintf(stderr,
			"%-6s %5.0f back %lu lost, %5.0f ns a packet, %3.0f %% busy, %lu sleeps "
			"%lu "
			"wake-ups, load %5.0f ns, waited %.0f %%\n",
			lane == BARE ? "bare" : "rawnet", back, a->lost - old.lost,
			(double)cpu / back, (double)cpu * 100 / (double)took,
			serve_poller(monitor).sleeps - sleeps,
			serve_counter(monitor, attachment, RAWNET_Q_WAKEUPS) - wakes,
			(double)(a->send_cpu - old.send_cpu) / (double)(a->sent - old.sent),
			(double)lost * 100 / (double)took);
	if (back < 0.98 * (double)(a->sent - old.sent) || (double)lost > LOST_PART * (double)took)
		return;
	bench_add(&cost[lane], (double)cpu / back);
	bench_add(&rate[lane], back * 1e3 / (double)took);
}

static void report(void)
{
	struct bench_figure f = {
		.bench = "veth",
		.what = "CPU time of an echoed packet, 64 B",
		.unit = "ns",
		.against = "bare AF_XDP",
		.ours = &cost[RAWNET],
		.theirs = &cost[BARE],
		.sense = BENCH_AT_MOST,
		.bound = 1.2,
		.invalid = cost[RAWNET].n < 5 || cost[BARE].n < 5 ? "too few undisturbed windows"
								  : NULL,
	};

	bench_report(&f);
	f.what = "echoed packets, all of a subject on one core";
	f.unit = "Mpps";
	f.ours = &rate[RAWNET];
	f.theirs = &rate[BARE];
	f.sense = BENCH_INFO;
	bench_report(&f);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		bench_skip("needs two cores");
	verbose = getenv("BENCH_VERBOSE") != NULL;
	start_all();
	warm_up();
	place_all();
	for (int r = 0; r < rounds; r++) {
		measure(RAWNET);
		measure(BARE);
		bench_nap_ms(10); /* others have the cores too */
	}
	report();
	kill(echo_pid, SIGTERM);
	waitpid(echo_pid, NULL, 0);
	for (int lane = 0; lane < LANES; lane++)
		asker_close(&asker[lane]);
	echo_bare_stop(bare);
	rawnet_close(monitor);
	serve_stop(&serve);
	return 0;
}
