/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest UDP echo over AF_XDP: one thread, one socket, no copy, no rules, no clients. It
 * spins for as long as an adaptive poller does, then sleeps.
 */
#ifndef BENCH_ECHO_BARE_H
#define BENCH_ECHO_BARE_H

#include <stdbool.h>
#include <stdint.h>

struct echo_bare;

/* Serves dev, which is in the calling thread's namespace. */
struct echo_bare *echo_bare_start(const char *dev, bool native);
void echo_bare_stop(struct echo_bare *e);
int echo_bare_tid(const struct echo_bare *e);
uint64_t echo_bare_cpu(const struct echo_bare *e); /* of its thread, ns */

#endif
