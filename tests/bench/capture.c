/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-capture: what `rawnetctl capture` costs those who are not captured, and those who are.
 * Three ports of one poller read what clients send, as fast as it comes, window by window in turn:
 *
 *   "never"   was never captured
 *   "off"     was, until the measurement began
 *   "on"      is: first 96 bytes of every packet to a file that keeps nothing
 *
 *   bench-capture [ROUNDS]      default 60
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "fair.h"
#include "place.h"

#define WINDOW_NS 8000000u
#define ENOUGH	  8u

enum port {
	NEVER,
	OFF,
	ON,
	PORTS
};

static const char *const names[PORTS] = {"never", "off", "on"};
static struct serve serve;
static struct rawnet_queue *queue[PORTS];
static struct bench_samples rate[PORTS][PLACE_CLASSES];
static struct {
	enum port port;
	double value;
} now;

static void window(void *arg)
{
	struct rawnet_queue *q = queue[now.port];
	uint32_t first = q->tx.client;
	uint64_t start;

	(void)arg;
	bench_first(serve.poller_tid, 1);
	start = bench_ns();
	do {
		for (int i = 0; i < 64; i++)
			fair_refill(q, 32);
	} while (bench_ns() - start < WINDOW_NS);
	do
		rawnet_ring_look(&q->tx);
	while (q->tx.daemon != q->tx.client);
	now.value = (double)(q->tx.client - first) * 1e3 / (double)(bench_ns() - start);
	bench_first(serve.poller_tid, 0);
}

/* rawnetctl, writing to nowhere; what it prints goes to stderr. */
static int start_capture(const char *dev)
{
	const char *argv[] = {"rawnetctl", "-S", serve.socket, "capture",   "dev", dev,
			      "snap",	   "96", "write",      "/dev/null", NULL};
	int pid = serve_spawn(&serve, "rawnetctl", argv);

	bench_nap_ms(500);
	if (kill(pid, 0) || waitpid(pid, NULL, WNOHANG) == pid)
		bench_die("the capture of \"%s\" does not run", dev);
	return pid;
}

static void stop_capture(int pid)
{
	kill(pid, SIGINT);
	waitpid(pid, NULL, 0);
}

static enum place_class most(void)
{
	int best = 0;

	for (int c = 1; c < PLACE_CLASSES; c++)
		if (rate[OFF][c].n > rate[OFF][best].n)
			best = c;
	return (enum place_class)best;
}

static void report(enum port port, enum place_class class, bool bound)
{
	bench_report(&(struct bench_figure) {
		.bench = "capture",
		.what = port == OFF ? "client to poller, no capture any more"
				    : "client to poller, captured",
		.unit = "Mpps",
		.against = "never captured",
		.ours = &rate[port][class],
		.theirs = &rate[NEVER][class],
		.sense = bound ? BENCH_AT_LEAST : BENCH_INFO,
		.bound = 0.98,
		.invalid = rate[OFF][class].n < ENOUGH ? "too few undisturbed windows" : NULL,
		.note = place_names[class],
	});
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 60, on;
	char pollers[64], ports[300];
	struct rawnet *rn;
	size_t n = 0;

	place_open();
	serve_prepare(&serve);
	snprintf(pollers, sizeof(pollers), "{ cpu = %d; mode = \"busy\"; }", place_partner_core());
	for (int p = 0; p < PORTS; p++)
		n += (size_t)snprintf(ports + n, sizeof(ports) - n,
				      "%s{ dev = \"%s\"; backend = \"loop\"; sink = true; }",
				      p ? ", " : "", names[p]);
	serve_start(&serve, pollers, ports);
	rn = serve_connect(&serve, "bench");
	for (int p = 0; p < PORTS; p++) {
		struct rawnet_attachment *at = serve_attach(rn, names[p], 1024, 0);

		serve_rule(at, FRAME_MATCH);
		queue[p] = fair_sender(at, 1024);
	}
	stop_capture(start_capture(names[OFF]));
	on = start_capture(names[ON]);
	for (int r = 0; r < rounds * PORTS; r++) {
		enum place_class class;

		now.port = (enum port)(r % PORTS);
		class = place_window(window, NULL);
		if (class < PLACE_CLASSES)
			bench_add(&rate[now.port][class], now.value);
		bench_nap_ms(4); /* others have the cores too */
	}
	report(OFF, most(), true);
	report(ON, most(), false);
	stop_capture(on);
	rawnet_close(rn);
	serve_stop(&serve);
	place_close();
	return 0;
}
