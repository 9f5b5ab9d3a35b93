/* SPDX-License-Identifier: BSD-2-Clause */
/* The listening sockets: made, or taken over from the service manager. Control thread only. */
#ifndef RN_LISTEN_H
#define RN_LISTEN_H

#include "daemon.h"

/* Which descriptors the service manager passed as sockets. Called once, before any of what it kept
 * is taken (store.h): a closed one hides all others. */
int rn_listen_find_passed(struct rn_err *err);
/* Opens all sockets of the configuration and accepts on them. A path that is in use by a living
 * listener is refused; one that nobody listens on is replaced. */
int rn_listen_start(struct rn_daemon *daemon, struct rn_err *err);
/* Closes them and removes what was made. */
void rn_listen_stop(struct rn_daemon *daemon);

#endif
