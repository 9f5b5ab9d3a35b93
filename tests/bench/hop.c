/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-hop: what a packet costs between a client and its poller, against a bare ring of the same
 * slots and against DPDK's ways from one program to another. All take turns, window by window, on
 * the same two cores; only windows of one placement are compared (place.h).
 *
 *   bench-hop [ROUNDS [out|in|trip]]      one way alone: to profile it
 */
#include <stdlib.h>
#include <string.h>

#include "hop.h"
#include "place.h"

#define VALID_MPPS 85.0 /* a bare ring does less: something else was measured */
#define ENOUGH	   5u /* windows */

enum way {
	OUT,
	IN,
	TRIP,
	WAYS
};

static struct hop *const hops[] = {
	&hop_bare,     &hop_rawnet,	     &hop_rawnet_burst,
#ifdef BENCH_DPDK
	&hop_rte_ring, &hop_memif_zero_copy, &hop_memif_copy,
#endif
};
#define HOPS (sizeof(hops) / sizeof(hops[0]))

static bool there[HOPS];
static struct bench_samples rate[HOPS][WAYS][PLACE_CLASSES];

static struct {
	struct hop *hop;
	enum way way;
	double value; /* Mpps, or ns */
} now;

static void window(void *arg)
{
	static struct bench_samples trips;
	uint64_t n, ns;

	(void)arg;
	if (now.way == TRIP) {
		trips.n = 0;
		now.hop->trip(&trips);
		now.value = bench_quantile(&trips, 0.5) * bench_tick_ns();
		return;
	}
	n = now.way == OUT ? now.hop->out(&ns) : now.hop->in(&ns);
	now.value = (double)n * 1e3 / (double)ns;
}

static void turn(unsigned h, enum way way)
{
	enum place_class class;

	if (!there[h] || (way == OUT && !hops[h]->out) || (way == IN && !hops[h]->in) ||
	    (way == TRIP && !hops[h]->trip))
		return;
	now.hop = hops[h];
	now.way = way;
	class = place_window(window, NULL);
	if (getenv("BENCH_VERBOSE"))
		fprintf(stderr, "%-20s %d %-12s %.1f\n", hops[h]->name, way, place_names[class],
			now.value);
	if (class < PLACE_CLASSES)
		bench_add(&rate[h][way][class], now.value);
	bench_nap_ms(4); /* others have the cores too */
}

static const char *invalid(enum place_class class, char *text, size_t size)
{
	double bare = bench_median(&rate[0][OUT][class]);

	if (rate[0][OUT][class].n < ENOUGH)
		return "too few undisturbed windows";
	if (class != PLACE_COMPLEX || bare >= VALID_MPPS)
		return place_shared(text, size);
	snprintf(text, size, "the bare ring does %.1f Mpps, below %.0f", bare, VALID_MPPS);
	return text;
}

static void report(enum place_class class, bool judge)
{
	static const char *const what[WAYS] = {"client to poller, 64 B, burst 32",
					       "poller to client, 64 B, burst 32",
					       "round trip of one packet, p50"};
	char text[100];

	for (unsigned h = 1; h < HOPS; h++) {
		for (int w = 0; w < WAYS; w++) {
			bool bound = judge && hops[h] == &hop_rawnet;
			struct bench_figure f = {
				.bench = "hop",
				.what = what[w],
				.unit = w == TRIP ? "ns" : "Mpps",
				.against = "bare ring",
				.ours = &rate[h][w][class],
				.theirs = &rate[0][w][class],
				.sense = !bound	     ? BENCH_INFO
					 : w == TRIP ? BENCH_AT_MOST
						     : BENCH_AT_LEAST,
				.bound = w == TRIP ? 1.25 : 0.85,
				.subject = hops[h]->name,
				.note = place_names[class],
			};

			f.invalid = bound ? invalid(class, text, sizeof(text)) : NULL;
			if (f.ours->n)
				bench_report(&f);
		}
	}
}

/* The class with most windows of the pair that matters; class C if it has enough. */
static enum place_class best_class(enum way way)
{
	enum place_class best = PLACE_COMPLEX;

	if (rate[1][way][PLACE_COMPLEX].n >= ENOUGH && rate[0][way][PLACE_COMPLEX].n >= ENOUGH)
		return best;
	for (int c = 0; c < PLACE_CLASSES; c++)
		if (rate[1][way][c].n > rate[1][way][best].n)
			best = (enum place_class)c;
	return best;
}

/* The way of that name, or all. */
static enum way way_named(const char *name)
{
	static const char *const names[WAYS] = {"out", "in", "trip"};
	int w = 0;

	while (w < WAYS && strcmp(name, names[w]) != 0)
		w++;
	return (enum way)w;
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 40;
	const enum way only = argc > 2 ? way_named(argv[2]) : WAYS, looked_at = only % WAYS;
	enum place_class judged;

	place_open();
	for (unsigned h = 0; h < HOPS; h++)
		there[h] = hops[h]->open();
	for (int r = 0; r < rounds; r++)
		for (int w = 0; w < WAYS; w++)
			for (unsigned h = 0; h < HOPS; h++)
				if (only == WAYS || w == (int)only)
					turn(h, (enum way)w);
	judged = best_class(looked_at);
	for (int c = 0; c < PLACE_CLASSES; c++)
		if (c == (int)judged || rate[1][looked_at][c].n >= ENOUGH)
			report((enum place_class)c, c == (int)judged);
	for (unsigned h = HOPS; h-- > 0;)
		if (there[h])
			hops[h]->close();
	place_close();
	return 0;
}
