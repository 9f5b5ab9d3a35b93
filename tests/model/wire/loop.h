/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop of cx-wired: one thread, one epoll set of sources. A turn waits for descriptors,
 * runs their handlers, then the caller's work. Everything in this process runs in that thread.
 */
#ifndef CX_LOOP_H
#define CX_LOOP_H

#include <stdint.h>

struct cx_source {
	int fd; /* -1: not in the loop */
	void (*ready)(struct cx_source *source); /* may remove any source, itself included */
};

int cx_loop_init(void);
int cx_loop_add(struct cx_source *source); /* 0 or -errno */
void cx_loop_remove(struct cx_source *source); /* also closes its descriptor */

/* Waits at most timeout_ns (-1: for ever, 0: only looks); the number of handlers run. */
int cx_loop_turn(int64_t timeout_ns);

uint64_t cx_loop_now(void); /* CLOCK_MONOTONIC, ns */

#endif
