/* SPDX-License-Identifier: BSD-2-Clause */
/* See place.h. */
#include "place.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "bench.h"

#define ROUNDS	   2000u
#define ADDS_ALONE 3.2 /* additions a cycle: a core that nobody else uses does more */

#if defined(__x86_64__)
#define ADD(r) "add $1, %" r "\n"
#else
#define ADD(r) "add %" r ", %" r ", #1\n"
#endif
#define ADD_4(x)  x x x x
#define ADD_16(x) ADD_4(ADD_4(x))

const char *const place_names[] = {"same core", "same complex", "apart", "unknown"};

/* Round trips, ns. Seen on the test machines: 70-80; 100-130; 240-480. */
static const struct {
	double from, to;
} class_range[PLACE_CLASSES] = {{0, 92}, {92, 180}, {180, 1000}};

static struct {
	int core, partner_core;
	pthread_t thread;
	sem_t go, done;
	void (*job)(void *arg);
	void *arg;
	bool stop;
	int partner_tid;
	struct bench_samples adds; /* before each window */
} place;

static _Alignas(128) uint32_t ball[32];

static void pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)core, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bench_die("cannot use core %d", core);
	bench_first(0, 1);
}

static void *partner(void *arg)
{
	(void)arg;
	pin(place.partner_core);
	place.partner_tid = gettid();
	sem_post(&place.done);
	for (;;) {
		sem_wait(&place.go);
		if (place.stop)
			return NULL;
		place.job(place.arg);
		sem_post(&place.done);
	}
}

void place_open(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		bench_die("which cores may be used is unknown");
	place.core = place.partner_core = -1;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET((size_t)i, &set))
			continue;
		if (place.core < 0)
			place.core = i;
		else if (place.partner_core < 0)
			place.partner_core = i;
	}
	if (place.partner_core < 0)
		bench_skip("needs two cores");
	sem_init(&place.go, 0, 0);
	sem_init(&place.done, 0, 0);
	if (pthread_create(&place.thread, NULL, partner, NULL))
		bench_die("cannot start a thread");
	sem_wait(&place.done);
	pin(place.core);
}

void place_close(void)
{
	place.stop = true;
	sem_post(&place.go);
	pthread_join(place.thread, NULL);
}

int place_core(void)
{
	return place.core;
}

int place_partner_core(void)
{
	return place.partner_core;
}

void place_run(void (*job)(void *arg), void *arg)
{
	place.job = job;
	place.arg = arg;
	sem_post(&place.go);
}

void place_wait(void)
{
	sem_wait(&place.done);
}

/* ---- the class ---- */

static void ping_back(void *arg)
{
	(void)arg;
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		while (__atomic_load_n(&ball[0], __ATOMIC_ACQUIRE) != 2 * i - 1)
			;
		__atomic_store_n(&ball[0], 2 * i, __ATOMIC_RELEASE);
	}
}

double place_ping(void)
{
	static struct bench_samples s;

	s.n = 0;
	__atomic_store_n(&ball[0], 0, __ATOMIC_RELEASE);
	place_run(ping_back, NULL);
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		uint64_t t = bench_ticks();

		__atomic_store_n(&ball[0], 2 * i - 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&ball[0], __ATOMIC_ACQUIRE) != 2 * i)
			;
		bench_add(&s, (double)(bench_ticks() - t));
	}
	place_wait();
	return bench_quantile(&s, 0.5) * bench_tick_ns();
}

static enum place_class classify(void)
{
	double ns = place_ping();

	for (int c = 0; c < PLACE_CLASSES; c++)
		if (ns >= class_range[c].from && ns < class_range[c].to)
			return (enum place_class)c;
	return PLACE_UNKNOWN;
}

/* ---- who else is on the core ---- */

#define ADDS 4096u /* in a chain; four times as many side by side */

/* Independent additions in the time of one that waits for the one before: a core does about four,
 * of which a thread of another machine on the same core takes its part. */
static double adds(void)
{
	uint64_t a = 1, b = 1, c = 1, d = 1, start = bench_ticks(), chain;

	for (unsigned i = 0; i < ADDS / 16; i++)
		__asm__ volatile(ADD_16(ADD("0")) : "+r"(a));
	chain = bench_ticks() - start;
	start = bench_ticks();
	for (unsigned i = 0; i < ADDS / 16; i++)
		__asm__ volatile(ADD_16(ADD("0") ADD("1") ADD("2") ADD("3"))
				 : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
	return 4.0 * (double)chain / (double)(bench_ticks() - start);
}

static void partner_adds(void *result)
{
	*(double *)result = adds();
}

/* Of the worse of the two cores, one after the other: they may be threads of one. */
static void look_at_adds(void)
{
	double theirs, ours = adds();

	place_run(partner_adds, &theirs);
	place_wait();
	bench_add(&place.adds, ours < theirs ? ours : theirs);
}

const char *place_shared(char *text, size_t size)
{
	double median = bench_median(&place.adds);

	if (median >= ADDS_ALONE)
		return NULL;
	snprintf(text, size, "the cores do %.1f additions a cycle, not 4: somebody else is on them",
		 median);
	return text;
}

static uint64_t waited(void)
{
	return bench_waited(0, 0) + bench_waited(getpid(), place.partner_tid);
}

enum place_class place_window(void (*window)(void *arg), void *arg)
{
	enum place_class before = classify();
	uint64_t lost, start, took;

	look_at_adds();
	lost = waited();
	start = bench_ns();
	window(arg);
	took = bench_ns() - start;
	lost = waited() - lost;
	if (lost > took / 50 || classify() != before)
		return PLACE_UNKNOWN;
	return before;
}
