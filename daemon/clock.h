/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's clocks, in nanoseconds; no system call (vdso(7)). Any thread. */
#ifndef RN_CLOCK_H
#define RN_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t rn_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t rn_mono_ns(void) /* for spans */
{
	return rn_clock_ns(CLOCK_MONOTONIC);
}

static inline uint64_t rn_wall_ns(void) /* for what people read */
{
	return rn_clock_ns(CLOCK_REALTIME);
}

#endif
