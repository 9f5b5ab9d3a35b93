/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-control: what a request costs a program, over a veth with the xdp backend: attaching with 4
 * MiB of packet memory, detaching, and rules of one shape a second through one connection.
 *
 *   bench-control [ROUNDS]      default 100
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "net.h"
#include "serve.h"

#define RULES	10000u
#define MEMORY	(4u << 20)
#define BUFFER	2048u
#define BATCHES 3u

static struct serve serve;

static void report(const char *what, const char *unit, const struct bench_samples *s,
		   enum bench_sense sense, double bound)
{
	bench_report(&(struct bench_figure) {.bench = "control",
					     .what = what,
					     .unit = unit,
					     .ours = s,
					     .sense = sense,
					     .bound = bound,
					     .of_value = true,
					     .note = "xdp on veth"});
}

static void attach_and_detach(struct rawnet *rn, unsigned rounds)
{
	struct bench_samples attach = {0}, detach = {0};

	for (unsigned i = 0; i < rounds; i++) {
		uint64_t t0 = bench_ns(), t1;
		struct rawnet_attachment *at = serve_attach(rn, "a0", 512, MEMORY / BUFFER);

		t1 = bench_ns();
		bench_add(&attach, (double)(t1 - t0) / 1e6);
		if (rawnet_detach(at))
			bench_die("detach: %s", rawnet_error());
		bench_add(&detach, (double)(bench_ns() - t1) / 1e6);
	}
	report("attach, 4 MiB of packet memory", "ms", &attach, BENCH_AT_MOST, 5);
	report("detach", "ms", &detach, BENCH_AT_MOST, 5);
}

static double add_and_delete(struct rawnet *rn, struct rawnet_attachment *at, unsigned batch)
{
	static struct rawnet_match match[RULES];
	static uint64_t id[RULES];
	uint64_t began;
	double took;

	for (uint32_t i = 0; i < RULES; i++) {
		char text[96];

		snprintf(text, sizeof(text), "udp src 10.%u.%u.%u dport 7000", 1 + batch,
			 i >> 8 & 255, i & 255);
		if (rawnet_match_parse(text, &match[i]))
			bench_die("%s: %s", text, rawnet_error());
	}
	began = bench_ns();
	if (rawnet_flow_add_many(at, match, RULES, NULL, id) != (int)RULES)
		bench_die("rules: %s", rawnet_error());
	took = (double)(bench_ns() - began) / 1e9;
	for (uint32_t i = 0; i < RULES; i++)
		if (rawnet_flow_del(rn, id[i]))
			bench_die("deleting a rule: %s", rawnet_error());
	return RULES / took;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 100;
	struct bench_samples rules = {0};
	struct rawnet_attachment *at;
	struct rawnet *rn;

	net_open(1);
	serve_prepare(&serve);
	serve.in_host = true;
	serve_start(&serve, "{ mode = \"adaptive\"; }", "{ dev = \"a0\"; backend = \"xdp\"; }");
	rn = serve_connect(&serve, "control");
	attach_and_detach(rn, rounds);
	at = serve_attach(rn, "a0", 512, 2048);
	for (unsigned i = 0; i < BATCHES; i++)
		bench_add(&rules, add_and_delete(rn, at, i));
	report("rules added through one connection", "1/s", &rules, BENCH_AT_LEAST, 10000);
	rawnet_close(rn);
	serve_stop(&serve);
	return 0;
}
