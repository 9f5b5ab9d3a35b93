/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The waker: one thread that wakes sleeping clients, so that no poller ever spends the microseconds
 * of a send() to a sleeper. Pollers feed it slots through private rings, no more often than wakes.h
 * says; it sends one byte without blocking (MSG_DONTWAIT) on the queue's socketpair.
 */
#ifndef RN_WAKER_H
#define RN_WAKER_H

#include <stdint.h>

#include "err.h"

/* Called by the waker when it starts, to give up privileges; NULL: nothing. */
extern void (*rn_waker_started)(void);

struct rn_waker;
struct rn_queue;

int rn_waker_create(uint32_t n_pollers, struct rn_waker **waker, struct rn_err *err);
void rn_waker_destroy(struct rn_waker *waker);

/* Control thread: a slot for this queue's socket; released before the descriptor is closed. */
int rn_waker_open(struct rn_waker *waker, struct rn_queue *q, struct rn_err *err);
void rn_waker_close(struct rn_waker *waker, struct rn_queue *q);

/* Poller `index`: wake this queue's client. No system call unless the waker sleeps. */
void rn_waker_wake(struct rn_waker *waker, uint32_t index, struct rn_queue *q);

#endif
