/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon gives up before it serves anybody, in numbered stages (isolate.c):
 *
 *   1  full start-up privileges     configuration, ports, listening sockets
 *   2  capabilities dropped         but those that serving needs
 *   3  seccomp allow-list           system calls that serving needs
 *   4  serving
 *
 * Pollers and the waker begin with less: no capability, and the system calls of their loops alone.
 * The asker has rtnetlink besides, and the capability that it takes to have a neighbour resolved.
 * Refused calls return EPERM. All of it is per thread, so each thread calls for itself.
 */
#ifndef RN_ISOLATE_H
#define RN_ISOLATE_H

#include <stdbool.h>

#include "err.h"

/* Stage 1, before the first other thread: nothing that is executed gains privileges, and threads of
 * libraries are made with as little as a poller's. enabled: `sandbox` of the configuration. */
int rn_isolate_begin(bool enabled, struct rn_err *err);
/* Called by each poller and by the waker when it starts; a failure ends the process. */
void rn_isolate_worker(void);
/* Called by the asker (asker.h). */
void rn_isolate_asker(void);
/* Stages 2 and 3, for the control thread, when everything is open. */
int rn_isolate_control(struct rn_err *err);

#endif
