/* SPDX-License-Identifier: BSD-2-Clause */
/* See bench.h. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t bench_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void bench_nap_ms(unsigned ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

/* Both clocks at one moment: of some tries the one that nothing came between. */
static void both_clocks(uint64_t *ticks, uint64_t *ns)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 200; i++) {
		uint64_t from = bench_ticks(), at = bench_ns(), to = bench_ticks();

		if (to - from >= least)
			continue;
		least = to - from;
		*ticks = from + least / 2;
		*ns = at;
	}
}

double bench_tick_ns(void)
{
	static double tick_ns;
	uint64_t t[2], ns[2];

	if (tick_ns == 0) {
		both_clocks(&t[0], &ns[0]);
		bench_nap_ms(50);
		both_clocks(&t[1], &ns[1]);
		tick_ns = (double)(ns[1] - ns[0]) / (double)(t[1] - t[0]);
	}
	return tick_ns;
}

__attribute__((format(printf, 2, 0))) static void say(const char *kind, const char *fmt, va_list ap)
{
	fprintf(stderr, "%s%s: ", program_invocation_short_name, kind);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void bench_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
	exit(1);
}

void bench_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(": SKIP", fmt, ap);
	va_end(ap);
	exit(77);
}

/* ---- samples ---- */

void bench_add(struct bench_samples *s, double v)
{
	if (s->n < BENCH_SAMPLES)
		s->v[s->n++] = v;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_quantile(struct bench_samples *s, double q)
{
	if (!s->n)
		return 0;
	qsort(s->v, s->n, sizeof(s->v[0]), compare);
	return s->v[(uint32_t)(q * (s->n - 1) + 0.5)];
}

double bench_median(const struct bench_samples *s)
{
	struct bench_samples copy = *s;

	return bench_quantile(&copy, 0.5);
}

/* ---- figures ---- */

static void put_samples(const char *name, const struct bench_samples *s)
{
	struct bench_samples copy = *s;

	printf(", \"%s\": {\"median\": %.6g, \"p10\": %.6g, \"p90\": %.6g, \"n\": %u}", name,
	       bench_quantile(&copy, 0.5), bench_quantile(&copy, 0.1), bench_quantile(&copy, 0.9),
	       copy.n);
}

static const char *verdict(const struct bench_figure *f, double judged)
{
	if (f->sense == BENCH_INFO)
		return "info";
	if (f->invalid || !f->ours->n || (!f->of_value && (!f->theirs || !f->theirs->n)))
		return "invalid";
	return (f->sense == BENCH_AT_LEAST ? judged >= f->bound : judged <= f->bound) ? "ok"
										      : "missed";
}

/* Names and notes are ours: nothing in them needs an escape. */
void bench_report(const struct bench_figure *f)
{
	double ours = bench_median(f->ours), ratio = 0;

	if (f->theirs && f->theirs->n)
		ratio = ours / bench_median(f->theirs);
	printf("{\"bench\": \"%s\", \"what\": \"%s\", \"subject\": \"%s\", \"unit\": \"%s\"",
	       f->bench, f->what, f->subject ? f->subject : "rawnet", f->unit);
	put_samples("ours", f->ours);
	if (f->theirs && f->theirs->n) {
		printf(", \"against\": \"%s\"", f->against);
		put_samples("theirs", f->theirs);
		printf(", \"ratio\": %.4f", ratio);
	}
	if (f->sense != BENCH_INFO)
		printf(", \"bound\": %g, \"sense\": \"%s\", \"of\": \"%s\"", f->bound,
		       f->sense == BENCH_AT_LEAST ? "at least" : "at most",
		       f->of_value ? "value" : "ratio");
	if (f->invalid)
		printf(", \"invalid\": \"%s\"", f->invalid);
	if (f->note)
		printf(", \"note\": \"%s\"", f->note);
	printf(", \"verdict\": \"%s\"}\n", verdict(f, f->of_value ? ours : ratio));
	fflush(stdout);
}

/* ---- the scheduler's account of a thread ---- */

static void schedstat(int pid, int tid, uint64_t v[2])
{
	char path[64];
	FILE *f;

	if (tid)
		snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	else
		snprintf(path, sizeof(path), "/proc/thread-self/schedstat");
	f = fopen(path, "r");
	v[0] = v[1] = 0;
	if (!f)
		return;
	if (fscanf(f, "%lu %lu", &v[0], &v[1]) != 2)
		v[0] = v[1] = 0;
	fclose(f);
}

uint64_t bench_ran(int pid, int tid)
{
	uint64_t v[2];

	schedstat(pid, tid, v);
	return v[0];
}

uint64_t bench_waited(int pid, int tid)
{
	uint64_t v[2];

	schedstat(pid, tid, v);
	return v[1];
}

void bench_first(int tid, int priority)
{
	const struct sched_param first = {.sched_priority = priority};

	sched_setscheduler(tid, priority ? SCHED_FIFO : SCHED_OTHER, &first);
}
