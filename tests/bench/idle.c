/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-idle: what a rawnetd with nothing to do takes of a core, all its threads together: two
 * adaptive pollers and two loop ports, with nobody attached, with one program, with many. What it
 * does at all is to look after its pollers once a second.
 *
 *   bench-idle [WINDOWS]      of a second each, for each figure; default 10
 */
#include <stdlib.h>

#include "bench.h"
#include "serve.h"

#define MANY	  64u
#define WINDOW_MS 1000u
#define PERCENT	  0.5 /* of a core */

static struct serve serve;

static void measure(const char *what, unsigned windows)
{
	struct bench_samples taken = {0};
	struct bench_figure f = {.bench = "idle",
				 .what = what,
				 .unit = "% of a core",
				 .ours = &taken,
				 .sense = BENCH_AT_MOST,
				 .bound = PERCENT,
				 .of_value = true};

	bench_nap_ms(500); /* what was just set up has gone to sleep */
	for (unsigned i = 0; i < windows; i++) {
		uint64_t cpu = serve_cpu(serve.pid), began = bench_ns();

		bench_nap_ms(WINDOW_MS);
		cpu = serve_cpu(serve.pid) - cpu;
		bench_add(&taken, 100.0 * (double)cpu / (double)(bench_ns() - began));
	}
	bench_report(&f);
}

static void attach_until(struct rawnet *rn, unsigned n)
{
	static unsigned i;

	for (; i < n; i++) {
		char match[64];

		snprintf(match, sizeof(match), "dst 10.0.0.1 udp dport %u", 7000 + i);
		serve_rule(serve_attach(rn, i % 2 ? "left" : "right", 64, 256), match);
	}
}

int main(int argc, char **argv)
{
	unsigned windows = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
	struct rawnet *rn;

	serve_prepare(&serve);
	serve_start(
		&serve, "{ mode = \"adaptive\"; }, { mode = \"adaptive\"; }",
		"{ dev = \"left\"; backend = \"loop\"; peer = \"right\"; pollers = [ 0, 1 ]; },"
		"{ dev = \"right\"; backend = \"loop\"; peer = \"left\"; pollers = [ 0, 1 ]; }");
	measure("idle, nobody attached", windows);
	rn = serve_connect(&serve, "idle");
	attach_until(rn, 1);
	measure("idle, one program attached", windows);
	attach_until(rn, MANY);
	measure("idle, 64 attachments", windows);
	rawnet_close(rn);
	serve_stop(&serve);
	return 0;
}
