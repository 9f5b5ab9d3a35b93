/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two threads on two cores, and how far apart these are. A virtual machine's cores wander between
 * placements on the host, which change the cost of shared memory by 4 to 20 times: so every window
 * of measurement stands between two ping-pongs of one cache line, and counts for the class that
 * both of them show. A window during which a thread lost its core counts for none.
 */
#ifndef BENCH_PLACE_H
#define BENCH_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum place_class {
	PLACE_SAME, /* two threads of one core */
	PLACE_COMPLEX, /* two cores of one cache complex */
	PLACE_APART, /* two complexes */
	PLACE_CLASSES,
	PLACE_UNKNOWN = PLACE_CLASSES /* between classes, or it changed under way */
};

/* Pins the caller to one core and a partner thread to another. Dies if there is one core only. */
void place_open(void);
void place_close(void);
int place_core(void); /* the caller's */
int place_partner_core(void);

/* The partner calls job(arg), in parallel with the caller; place_wait returns when it is done. It
 * sleeps between jobs, so that its core is free for a daemon's poller. */
void place_run(void (*job)(void *arg), void *arg);
void place_wait(void);

/* Round trip of a line between the two cores now, ns, the median of 2,000. */
double place_ping(void);

/* Runs window(arg) between two pings, and says which class it counts for. */
enum place_class place_window(void (*window)(void *arg), void *arg);
/* NULL, or why the cores are not what a figure should be taken on: another machine's threads are on
 * them too, and a window that waits for memory is slowed down less than one that computes. */
const char *place_shared(char *text, size_t size);
extern const char *const place_names[PLACE_CLASSES + 1];

#endif
