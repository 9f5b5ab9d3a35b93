/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all benchmarks share: clocks, samples, and the lines that scripts/bench reads. One line of
 * JSON for each figure goes to stdout, everything else to stderr.
 *
 * A figure is ours against something measured in the same run, so that it means the same on another
 * machine; its bound comes from the issue that asked for it.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define BENCH_SAMPLES 4096u

struct bench_samples {
	uint32_t n;
	double v[BENCH_SAMPLES];
};

enum bench_sense {
	BENCH_AT_LEAST, /* the ratio, or the value where there is none, is at least the bound */
	BENCH_AT_MOST,
	BENCH_INFO /* no bound */
};

struct bench_figure {
	const char *bench; /* name of the program without "bench-" */
	const char *what;
	const char *unit;
	const char *subject; /* who is measured; NULL: rawnet */
	const char *against; /* what it is compared with; NULL: nothing */
	const struct bench_samples *ours, *theirs; /* medians are compared */
	enum bench_sense sense;
	double bound;
	bool of_value; /* the bound is one of the value, not of the ratio */
	const char *invalid; /* why the run cannot be judged, or NULL */
	const char *note; /* placement, mode, ...; NULL: none */
};

static inline uint64_t bench_ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#else
#error "no cycle counter for this machine"
#endif
}

static inline void bench_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("yield");
#endif
}

uint64_t bench_ns(void); /* CLOCK_MONOTONIC */
double bench_tick_ns(void); /* nanoseconds of a tick; measured once, 20 ms */
void bench_nap_ms(unsigned ms);

/* The sentence goes to stderr, exit status 1: the benchmark cannot run. */
_Noreturn void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The benchmark cannot run here (no root, no kernel support): exit status 77. */
_Noreturn void bench_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void bench_add(struct bench_samples *s, double v);
/* q in 0..1; sorts. 0 if there are none. */
double bench_quantile(struct bench_samples *s, double q);
double bench_median(const struct bench_samples *s);

void bench_report(const struct bench_figure *f);

/* How long a thread (0: the caller) waited for a core that others had, ns; and its time on one. */
uint64_t bench_waited(int pid, int tid);
uint64_t bench_ran(int pid, int tid);

/* Puts a thread before all ordinary work on its core, so that others on the machine do not disturb
 * what is measured; does nothing without the right to. Windows are short and have pauses between.
 */
void bench_first(int tid, int priority);

#endif
