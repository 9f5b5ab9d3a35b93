/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-rules: what the XDP program takes for a packet of a random flow with 10 rules and with
 * 100,000, in 1, 4 and 16 shapes, measured by the kernel (BPF_PROG_TEST_RUN,
 * Documentation/bpf/bpf_prog_run.rst) with another frame at each run. Every frame is taken by a
 * rule of a random shape.
 *
 *   bench-rules [FRAMES]      for each figure; default 4000
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "bench.h"
#include "match.h"
#include "steer.h"
#include "../unit/xdp_table.h"

#define FEW	10u
#define MANY	100000u
#define MOST_NS 500

const struct rn_backend *const rn_backends[] = {NULL};

struct table {
	struct rn_xdp_program *program;
	struct rn_steer *steer;
	uint64_t ids;
	unsigned n, shapes;
};

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

/* Rule i is of shape i % shapes, which is a prefix length of the source from 48 on; the network is
 * its own, so that no two rules take the same frame. */
static void source_of(unsigned i, unsigned shapes, uint8_t address[16])
{
	unsigned k = i / shapes;

	memset(address, 0, 16);
	address[0] = 0xfd;
	address[1] = (uint8_t)(i % shapes);
	for (int b = 0; b < 4; b++)
		address[2 + b] = (uint8_t)(k >> (24 - 8 * b));
}

static void add(struct table *t, unsigned i)
{
	struct rn_steer_request request = {.label = "b", .flags = RAWNET_FLOW_PERSIST};
	char text[128], net[INET6_ADDRSTRLEN], why[200];
	struct rawnet_match match;
	struct rn_err err = {0};
	struct rn_rule *rule;
	uint8_t address[16];
	uint32_t index;

	source_of(i, t->shapes, address);
	inet_ntop(AF_INET6, address, net, sizeof(net));
	snprintf(text, sizeof(text), "udp src %s/%u dport 7000", net, 48 + i % t->shapes);
	if (rn_match_parse(text, &match, why, sizeof(why)))
		bench_die("%s: %s", text, why);
	request.match = &match;
	if (rn_steer_add(t->steer, &request, &rule, &index, &err))
		bench_die("%s: %s", text, err.text);
}

static void table_open(struct table *t, unsigned n, unsigned shapes)
{
	struct rn_err err = {0};
	int rc = rn_xdp_program_load("bench", false, 1518, mac, &t->program, &err);

	if (rc == -EPERM)
		bench_skip("%s", err.text);
	if (rc || rn_steer_create(&xdp_table, t->program, mac, &t->ids, &t->steer))
		bench_die("%s", err.text);
	t->n = n;
	t->shapes = shapes;
	for (unsigned i = 0; i < n; i++)
		add(t, i);
}

static void table_close(struct table *t)
{
	rn_steer_destroy(t->steer);
	rn_xdp_program_free(t->program);
	rcu_barrier();
}

/* ---- packets ---- */

static uint64_t state = 88172645463325252u; /* xorshift64 */

static uint32_t roll(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) % n);
}

static void make_frame(const struct table *t, uint8_t frame[62])
{
	memset(frame, 0, 62);
	memcpy(frame, mac, 6);
	frame[6] = 2;
	frame[12] = 0x86;
	frame[13] = 0xdd;
	frame[14] = 0x60;
	frame[19] = 8; /* payload: a UDP header */
	frame[20] = 17;
	frame[21] = 64;
	source_of(roll(t->n), t->shapes, frame + 22);
	frame[38] = 0xfd;
	frame[56] = 7000 >> 8;
	frame[57] = 7000 & 255;
}

/* Nanoseconds of one run, as the kernel measured it; without a socket the program drops what it
 * takes. */
static double run_one(const struct table *t)
{
	uint8_t frame[62];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame));

	make_frame(t, frame);
	if (bpf_prog_test_run_opts(rn_xdp_program_fd(t->program), &run))
		bench_die("BPF_PROG_TEST_RUN: %s", strerror(errno));
	if (run.retval != 1) /* XDP_DROP */
		bench_die("a frame was not taken by its rule");
	return run.duration;
}

static void compare(unsigned shapes, unsigned frames)
{
	struct bench_samples few = {0}, many = {0}, more = {0};
	struct table a = {0}, b = {0};
	char what[80];

	table_open(&a, FEW < shapes ? shapes : FEW, shapes);
	table_open(&b, MANY, shapes);
	for (unsigned i = 0; i < frames; i++) { /* by turns, so that both see the same machine */
		bench_add(&few, run_one(&a));
		bench_add(&many, run_one(&b));
	}
	bench_add(&more, bench_median(&many) - bench_median(&few));
	snprintf(what, sizeof(what), "100,000 rules instead of 10, %u shape%s", shapes,
		 shapes == 1 ? "" : "s");
	bench_report(&(struct bench_figure) {.bench = "rules",
					     .what = what,
					     .unit = "ns a packet more",
					     .ours = &more,
					     .sense = BENCH_AT_MOST,
					     .bound = MOST_NS,
					     .of_value = true});
	bench_report(&(struct bench_figure) {.bench = "rules",
					     .what = "a packet of a random flow",
					     .unit = "ns",
					     .subject = "100,000 rules",
					     .against = "10 rules",
					     .ours = &many,
					     .theirs = &few,
					     .sense = BENCH_INFO,
					     .note = shapes == 1   ? "1 shape"
						     : shapes == 4 ? "4 shapes"
								   : "16 shapes"});
	table_close(&a);
	table_close(&b);
}

int main(int argc, char **argv)
{
	static const unsigned shapes[] = {1, 4, 16};
	unsigned frames = argc > 1 ? (unsigned)atoi(argv[1]) : 4000;

	rcu_register_thread();
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		compare(shapes[i], frames);
	rcu_unregister_thread();
	return 0;
}
