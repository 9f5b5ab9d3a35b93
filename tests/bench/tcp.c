/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-tcp: what the kernel's own traffic pays for rules that are not its: throughput of a TCP
 * connection through an interface that rawnetd serves with 100,000 rules in 16 shapes, none of
 * which takes it, against one with a bare XDP program that passes everything, in the same mode.
 * Each on a veth of its own, by turns.
 *
 *   bench-tcp [ROUNDS]      default 60
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "net.h"
#include "serve.h"
#include "xsk.h"

#define RULES	  100000u
#define SHAPES	  16u
#define BATCH	  10000u
#define WINDOW_NS 40000000u
#define PIECE	  262144u
#define PORT	  5001u

enum lane { /* the number of its pair of veth */
	RAWNET,
	BARE,
	LANES
};

static struct serve serve;
static int sender[LANES];
static uint64_t received; /* of all lanes; only one is at work */

/* ---- the two ends of a connection ---- */

static void *drain(void *arg)
{
	int fd = *(int *)arg;
	char *piece = malloc(PIECE);
	ssize_t n;

	if (!piece)
		bench_die("no memory");
	while ((n = read(fd, piece, PIECE)) > 0)
		__atomic_fetch_add(&received, (uint64_t)n, __ATOMIC_RELAXED);
	free(piece);
	return NULL;
}

/* A listener in the host's namespace, a connection from the peer's, a thread that reads. */
static void connect_lane(unsigned lane)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	static int reader[LANES];
	pthread_t thread;
	char text[32];
	int fd;

	snprintf(text, sizeof(text), "10.%u.0.1", lane);
	inet_pton(AF_INET, text, &to.sin_addr);
	net_enter(NET_HOST);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) || listen(fd, 1))
		bench_die("listening on %s", text);
	net_enter(NET_PEER);
	sender[lane] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sender[lane] < 0 || connect(sender[lane], (struct sockaddr *)&to, sizeof(to)))
		bench_die("no connection through the kernel to %s", text);
	reader[lane] = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	close(fd);
	if (reader[lane] < 0 || pthread_create(&thread, NULL, drain, &reader[lane]))
		bench_die("accepting on %s", text);
	pthread_detach(thread);
}

/* Gbit/s that arrive while the caller sends for about so long. */
static double transfer(enum lane lane, uint64_t window)
{
	static const char zeros[PIECE];
	uint64_t start = bench_ns(), before = __atomic_load_n(&received, __ATOMIC_RELAXED), took;

	do {
		if (send(sender[lane], zeros, PIECE, MSG_NOSIGNAL) < 0)
			bench_die("the connection broke");
		took = bench_ns() - start;
	} while (took < window);
	return (double)(__atomic_load_n(&received, __ATOMIC_RELAXED) - before) * 8 / (double)took;
}

/* What is under way arrives before the other lane's turn. */
static void settle(void)
{
	uint64_t last;

	do {
		last = __atomic_load_n(&received, __ATOMIC_RELAXED);
		bench_nap_ms(5);
	} while (__atomic_load_n(&received, __ATOMIC_RELAXED) != last);
}

/* ---- rules ---- */

/* Shape s is a prefix of 48 + s bits of an IPv6 source. */
static void add_rules(struct rawnet_attachment *at)
{
	static struct rawnet_match match[BATCH];

	for (uint32_t i = 0; i < RULES; i++) {
		uint32_t shape = i % SHAPES, k = i / SHAPES;
		char text[96];

		snprintf(text, sizeof(text), "udp src fd%02x:%x:%x::/%u dport 7000", shape, k >> 16,
			 k & 0xffff, 48 + shape);
		if (rawnet_match_parse(text, &match[i % BATCH]))
			bench_die("%s: %s", text, rawnet_error());
		if (i % BATCH == BATCH - 1 &&
		    rawnet_flow_add_many(at, match, BATCH, NULL, NULL) != (int)BATCH)
			bench_die("rules: %s", rawnet_error());
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 60;
	struct bench_samples rate[LANES] = {{0}};
	struct rawnet *rn;

	net_open(LANES);
	serve_prepare(&serve);
	serve.in_host = true;
	serve_start(&serve, "{ mode = \"adaptive\"; }",
		    "{ dev = \"a0\"; backend = \"xdp\"; xdp_mode = \"generic\"; }");
	rn = serve_connect(&serve, "tcp");
	add_rules(serve_attach(rn, "a0", 512, 2048));
	net_enter(NET_HOST);
	bench_xdp_attach("a1", XDP_PASS, false);
	for (unsigned lane = 0; lane < LANES; lane++)
		connect_lane(lane);
	for (unsigned r = 0; r < 2 * LANES; r++)
		transfer((enum lane)(r % LANES), 10 * WINDOW_NS); /* windows grow */
	for (unsigned r = 0; r < 2 * rounds; r++) {
		/* A B B A: neither is always the first */
		enum lane lane = (enum lane)((r + r / 2) % LANES);

		settle();
		bench_add(&rate[lane], transfer(lane, WINDOW_NS));
	}
	bench_report(&(struct bench_figure) {.bench = "tcp",
					     .what = "TCP of the kernel, 100,000 rules, 16 shapes",
					     .unit = "Gbit/s",
					     .against = "bare XDP_PASS",
					     .ours = &rate[RAWNET],
					     .theirs = &rate[BARE],
					     .sense = BENCH_AT_LEAST,
					     .bound = 0.95,
					     .note = "generic mode on veth"});
	rawnet_close(rn);
	serve_stop(&serve);
	return 0;
}
