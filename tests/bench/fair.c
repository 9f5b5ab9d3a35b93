/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-fair: what a client's round trip costs beside a neighbour on the same poller that behaves
 * badly, against the same without that. One busy poller on the partner's core, all clients on the
 * caller's:
 *
 *   "echo"     reflects: the client that is measured
 *   "free"     reads what is sent: a neighbour whose 32,768 slots are always full
 *   "limited"  1,024 slots, as full, by a policy of 10,000 packets a second
 *   "left" --- "right"   32 packets for each round trip to a neighbour that reads them, or was
 *              stopped with a full ring
 *
 * A client that polls has answers in less time than a burst of a neighbour takes, and asks again at
 * once: that is what the poller has to be there for (daemon/poller_share.c). What that leaves the
 * flood is told. One that thinks for some microseconds between two packets meets a burst now and
 * then, which is told too.
 *
 *   bench-fair [ROUNDS]      default 40 windows of each kind
 */
#include <stdlib.h>

#include "fair.h"
#include "place.h"

#define TRIPS_POLLING  1000u
#define TRIPS_SLEEPING 60u
#define PAUSE_US       210u /* as long ago that it is woken at once, not by the bound of wake-ups */
#define THINK_NS       6000u
#define ENOUGH	       8u
#define TURN_US	       20.0 /* p99 of the poller's turns, all of this under way */

enum kind {
	ALONE,
	FLOOD,
	THINKING, /* alone, and beside a flood: up to THINK_NS before each packet */
	THINKING_FLOOD,
	LIMITED,
	READING,
	STOPPED,
	KINDS
};

static struct serve serve;
static struct rawnet *rn;
static struct rawnet_queue *echo, *flood, *limited, *left, *right;
static struct bench_samples p50[2][KINDS][PLACE_CLASSES]; /* polling, sleeping */
static struct bench_samples flood_rate[PLACE_CLASSES]; /* beside one that polls */

static struct {
	enum kind kind;
	bool sleep;
	double value, flood; /* ns; Mpps */
} now;

/* What the neighbours do before each round trip. */
static void misbehave(enum kind kind)
{
	switch (kind) {
	case FLOOD:
	case THINKING_FLOOD: fair_refill(flood, UINT32_MAX); break;
	case LIMITED: fair_refill(limited, UINT32_MAX); break;
	case READING:
		fair_read(right);
		fair_refill(left, 32);
		break;
	case STOPPED: fair_refill(left, 32); break;
	default: break;
	}
}

/* Nothing of the window before is under way. */
static void settle(void)
{
	struct rawnet_queue *q[] = {flood, limited, left};

	for (unsigned i = 0; i < 3; i++)
		do
			rawnet_ring_look(&q[i]->tx);
		while (q[i]->tx.daemon != q[i]->tx.client);
}

/* Awake: what a core does to sleep deeper is not what is measured. */
static void pause_ns(unsigned ns)
{
	uint64_t start = bench_ns();

	while (bench_ns() - start < ns)
		bench_relax();
}

static void pause_before(void)
{
	if (now.sleep)
		pause_ns(PAUSE_US * 1000u);
	else if (now.kind == THINKING || now.kind == THINKING_FLOOD)
		pause_ns((unsigned)rand() % THINK_NS);
}

static uint32_t flood_sent(void)
{
	rawnet_ring_look(&flood->tx);
	return flood->tx.daemon;
}

static void window(void *arg)
{
	static struct bench_samples trips;
	unsigned n = now.sleep ? TRIPS_SLEEPING : TRIPS_POLLING;
	uint64_t began;
	uint32_t sent;

	(void)arg;
	trips.n = 0;
	bench_first(serve.poller_tid, 1);
	bench_first(serve.waker_tid, 1);
	bench_first(0, 2); /* does not wait for the one that wakes it */
	if (now.kind == STOPPED) /* full already when it begins */
		for (int i = 0; i < 64; i++) {
			fair_refill(left, 32);
			settle();
		}
	else
		fair_read(right);
	began = bench_ns();
	sent = flood_sent();
	for (unsigned i = 0; i < n; i++) {
		pause_before();
		misbehave(now.kind);
		/* A neighbour's stores are another core's: none of them is in front of ours. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		bench_add(&trips, (double)fair_trip(echo, now.sleep));
	}
	now.flood = (double)(flood_sent() - sent) * 1e3 / (double)(bench_ns() - began);
	settle();
	bench_first(0, 1);
	bench_first(serve.waker_tid, 0);
	bench_first(serve.poller_tid, 0);
	now.value = bench_median(&trips) * bench_tick_ns();
}

static void measure(enum kind kind, bool sleep)
{
	enum place_class class;

	now.kind = kind;
	now.sleep = sleep;
	class = place_window(window, NULL);
	if (getenv("BENCH_VERBOSE"))
		fprintf(stderr, "%d %s %-12s %.0f ns\n", kind, sleep ? "sleeping" : "polling ",
			place_names[class], now.value);
	if (class < PLACE_CLASSES)
		bench_add(&p50[sleep][kind][class], now.value);
	if (class < PLACE_CLASSES && kind == FLOOD && !sleep)
		bench_add(&flood_rate[class], now.flood);
	bench_nap_ms(4);
}

static void open_all(void)
{
	char pollers[64];

	serve_prepare(&serve);
	serve.policy = "{ user = \"root\"; dev = \"limited\"; rate = 10000; memory = \"1G\"; },";
	snprintf(pollers, sizeof(pollers), "{ cpu = %d; mode = \"busy\"; }", place_partner_core());
	serve_start(&serve, pollers,
		    "{ dev = \"echo\"; backend = \"loop\"; reflect = true; },\n"
		    "{ dev = \"free\"; backend = \"loop\"; sink = true; },\n"
		    "{ dev = \"limited\"; backend = \"loop\"; sink = true; },\n"
		    "{ dev = \"left\"; backend = \"loop\"; peer = \"right\"; police = false; },\n"
		    "{ dev = \"right\"; backend = \"loop\"; peer = \"left\"; }");
	rn = serve_connect(&serve, "fair");
	echo = fair_sender(serve_attach(rn, "echo", 64, 0), 64);
	flood = fair_sender(serve_attach(rn, "free", 32768, 0), 1024);
	limited = fair_sender(serve_attach(rn, "limited", 1024, 0), 1024);
	left = fair_sender(serve_attach(rn, "left", 1024, 0), 1024);
	right = rawnet_queue(serve_attach(rn, "right", 1024, 0), 0);
	serve_rule(echo->at, FRAME_MATCH);
	serve_rule(flood->at, FRAME_MATCH);
	serve_rule(limited->at, FRAME_MATCH);
}

static const struct {
	enum kind ours, theirs;
	bool sleep;
	enum bench_sense sense;
	const char *what, *against;
} figures[] = {
	{FLOOD, ALONE, true, BENCH_AT_MOST, "round trip of a client that sleeps, beside a flood",
	 "alone"},
	{LIMITED, ALONE, true, BENCH_AT_MOST,
	 "round trip of a client that sleeps, beside a flood above its rate", "alone"},
	{STOPPED, READING, true, BENCH_AT_MOST,
	 "round trip of a client that sleeps, beside one that is stopped", "beside one that reads"},
	{LIMITED, ALONE, false, BENCH_AT_MOST,
	 "round trip of a client that polls, beside a flood above its rate", "alone"},
	{STOPPED, READING, false, BENCH_AT_MOST,
	 "round trip of a client that polls, beside one that is stopped", "beside one that reads"},
	{FLOOD, ALONE, false, BENCH_AT_MOST, "round trip of a client that polls, beside a flood",
	 "alone"},
	{THINKING_FLOOD, THINKING, false, BENCH_INFO,
	 "round trip of a client that polls, 0-6 us after the last, beside a flood", "alone"},
};
#define FIGURES (sizeof(figures) / sizeof(figures[0]))

static void report(enum place_class class)
{
	for (unsigned i = 0; i < FIGURES; i++) {
		const struct bench_samples *ours = &p50[figures[i].sleep][figures[i].ours][class];
		const struct bench_samples *theirs =
			&p50[figures[i].sleep][figures[i].theirs][class];
		struct bench_figure f = {.bench = "fair",
					 .what = figures[i].what,
					 .unit = "ns",
					 .against = figures[i].against,
					 .ours = ours,
					 .theirs = theirs,
					 .sense = figures[i].sense,
					 .bound = 1.05,
					 .note = place_names[class]};

		if (ours->n < ENOUGH || theirs->n < ENOUGH)
			f.invalid = "too few undisturbed windows";
		bench_report(&f);
	}
}

static void report_flood(enum place_class class)
{
	struct bench_figure f = {.bench = "fair",
				 .what = "packets of the flood beside a client that polls",
				 .unit = "Mpps",
				 .ours = &flood_rate[class],
				 .sense = BENCH_INFO,
				 .note = place_names[class]};

	bench_report(&f);
}

static void report_turns(void)
{
	const struct rawnet_poller_info info = serve_poller(rn);
	struct bench_samples p99 = {0}, longest = {0};
	struct bench_figure f = {.bench = "fair",
				 .what = "a turn of the poller, p99",
				 .unit = "us",
				 .ours = &p99,
				 .sense = BENCH_AT_MOST,
				 .bound = TURN_US,
				 .of_value = true};

	bench_add(&p99, (double)info.turn_p99_ns / 1e3);
	bench_add(&longest, (double)info.turn_max_ns / 1e3);
	bench_report(&f);
	f.what = "a turn of the poller, the longest (the host's pauses are in it)";
	f.ours = &longest;
	f.sense = BENCH_INFO;
	bench_report(&f);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 40, best = PLACE_COMPLEX;

	place_open();
	open_all();
	for (int r = 0; r < rounds; r++)
		for (int kind = 0; kind < KINDS; kind++)
			for (int sleep = 0; sleep < 2; sleep++)
				if (!sleep || (kind != THINKING && kind != THINKING_FLOOD))
					measure((enum kind)kind, sleep);
	for (int c = 0; c < PLACE_CLASSES; c++)
		if (p50[0][ALONE][c].n > p50[0][ALONE][best].n)
			best = c;
	report((enum place_class)best);
	report_flood((enum place_class)best);
	report_turns();
	rawnet_close(rn);
	serve_stop(&serve);
	place_close();
	return 0;
}
