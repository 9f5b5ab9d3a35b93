/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-many: what 1,000 attached clients that do nothing cost one that is busy, against the same
 * client alone: packets a second to a port that reads what is sent, and round trips over one that
 * reflects. They come and go between the windows, so that both are measured in the same minute. One
 * poller on the partner's core, first busy, then adaptive.
 *
 * The busy ones have ports of their own. A round trip on the port of the idle ones is told beside
 * that: what goes to the port's own address is looked up as a frame from the wire is, to find whose
 * it is (daemon/switch.h), from the second client of a port on; a thousand do not make that dearer.
 *
 *   bench-many [ROUNDS]      default 6, of 8 windows with and 8 without
 */
#include <stdlib.h>
#include <string.h>

#include "fair.h"
#include "place.h"

#define IDLE	  1000u
#define WINDOWS	  8
#define WINDOW_NS 8000000u
#define TRIPS	  1000u
#define ENOUGH	  8u

static struct serve serve;
static struct rawnet *rn;
static struct rawnet_queue *mirror, *echo, *sink;
static struct rawnet_attachment *idle[IDLE];

enum way {
	RATE,
	TRIP,
	TRIP_BESIDE, /* on their port */
	WAYS
};

static struct bench_samples figure[WAYS][2][PLACE_CLASSES]; /* alone, among many */
static struct {
	enum way way;
	double value;
} now;

static uint64_t sent(void)
{
	uint64_t v[RAWNET_COUNTERS_SPACE];

	if (rawnet_counters(sink->at, 0, v))
		bench_die("counters: %s", rawnet_error());
	return v[RAWNET_Q_TX_PACKETS];
}

/* Written by the client, all of it, in bursts of 32. */
static double rate(void)
{
	uint64_t before = sent(), start = bench_ns(), took;

	do {
		for (int i = 0; i < 64; i++) {
			uint32_t n = rawnet_tx_room(&sink->tx, 32);

			for (uint32_t k = 0; k < n && k < 32; k++) {
				uint8_t *data = rawnet_data(sink, rawnet_tx_slot(&sink->tx, k));

				memset(data + 42, (int)k, FRAME_LEN - 42); /* behind the headers */
			}
			fair_refill(sink, 32);
		}
		took = bench_ns() - start;
	} while (took < WINDOW_NS);
	return (double)(sent() - before) * 1e3 / (double)took;
}

static double trip(struct rawnet_queue *q)
{
	static struct bench_samples trips;

	trips.n = 0;
	for (unsigned i = 0; i < TRIPS; i++)
		bench_add(&trips, (double)fair_trip(q, false));
	return bench_median(&trips) * bench_tick_ns();
}

static void window(void *arg)
{
	(void)arg;
	bench_first(serve.poller_tid, 1);
	now.value = now.way == RATE ? rate() : trip(now.way == TRIP ? mirror : echo);
	bench_first(serve.poller_tid, 0);
}

static void measure(bool many)
{
	for (int w = 0; w < WINDOWS; w++)
		for (int way = 0; way < WAYS; way++) {
			enum place_class class;

			now.way = (enum way)way;
			class = place_window(window, NULL);
			if (getenv("BENCH_VERBOSE"))
				fprintf(stderr, "%d %d %-12s %.1f\n", many, way, place_names[class],
					now.value);
			if (class < PLACE_CLASSES)
				bench_add(&figure[way][many][class], now.value);
			bench_nap_ms(4);
		}
}

static void all_idle(bool come)
{
	for (unsigned i = 0; i < IDLE; i++) {
		if (come)
			idle[i] = serve_attach(rn, "echo", 8, 16);
		else if (rawnet_detach(idle[i]))
			bench_die("detach: %s", rawnet_error());
	}
	bench_nap_ms(200); /* hot when they came, cold by now */
}

static void report(const char *mode)
{
	int best = PLACE_COMPLEX;

	for (int c = 0; c < PLACE_CLASSES; c++)
		if (figure[TRIP][1][c].n > figure[TRIP][1][best].n)
			best = c;
	for (int way = 0; way < WAYS; way++) {
		static const char *const what[WAYS] = {
			"a busy client among 1,000 idle ones, 64 B, burst 32",
			"round trip among 1,000 idle clients, p50",
			"the same, on the port of the idle ones"};
		static const enum bench_sense sense[WAYS] = {BENCH_AT_LEAST, BENCH_AT_MOST,
							     BENCH_INFO};
		char note[64];
		struct bench_figure f = {.bench = "many",
					 .what = what[way],
					 .unit = way == RATE ? "Mpps" : "ns",
					 .against = "alone",
					 .ours = &figure[way][1][best],
					 .theirs = &figure[way][0][best],
					 .sense = sense[way],
					 .bound = way == RATE ? 0.95 : 1.05,
					 .note = note};

		snprintf(note, sizeof(note), "%s, %s", mode, place_names[best]);
		if (f.ours->n < ENOUGH || f.theirs->n < ENOUGH)
			f.invalid = "too few undisturbed windows";
		bench_report(&f);
		for (int c = 0; c < PLACE_CLASSES; c++)
			figure[way][0][c].n = figure[way][1][c].n = 0;
	}
}

static void run(const char *mode, int rounds)
{
	char pollers[64];

	serve_prepare(&serve);
	snprintf(pollers, sizeof(pollers), "{ cpu = %d; mode = \"%s\"; }", place_partner_core(),
		 mode);
	serve_start(&serve, pollers,
		    "{ dev = \"mirror\"; backend = \"loop\"; reflect = true; },\n"
		    "{ dev = \"echo\"; backend = \"loop\"; reflect = true; },\n"
		    "{ dev = \"sink\"; backend = \"loop\"; sink = true; }");
	rn = serve_connect(&serve, "busy");
	mirror = fair_sender(serve_attach(rn, "mirror", 64, 0), 64);
	echo = fair_sender(serve_attach(rn, "echo", 64, 0), 64);
	sink = fair_sender(serve_attach(rn, "sink", 1024, 0), 1024);
	serve_rule(mirror->at, FRAME_MATCH);
	serve_rule(echo->at, FRAME_MATCH);
	serve_rule(sink->at, FRAME_MATCH);
	for (int r = 0; r < rounds; r++) {
		measure(false);
		all_idle(true);
		measure(true);
		all_idle(false);
	}
	report(mode);
	rawnet_close(rn);
	serve_stop(&serve);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 6;

	place_open();
	run("busy", rounds);
	run("adaptive", rounds);
	place_close();
	return 0;
}
