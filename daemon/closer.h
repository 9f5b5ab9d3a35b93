/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets that clients can write to are read and closed with care. A client can send descriptors
 * (SCM_RIGHTS) to any of them, and who drops the last reference to a file waits for whatever its
 * release waits for: a TCP socket with SO_LINGER keeps its closer as long as the client wants. So:
 *
 *   - what waits in a socket is looked at first (MSG_PEEK takes no descriptor out); a client that
 *     sent some is ended, and nothing of it is read;
 *   - a socket with descriptors inside is closed by a thread that does nothing else. Until that is
 *     done its uid stays charged for it, so that those who keep the thread waiting run into their
 *     own quota and into nobody else's.
 *
 * Linux 6.16 can refuse descriptors (SO_PASSRIGHTS); older kernels cannot, and this serves both.
 */
#ifndef RN_CLOSER_H
#define RN_CLOSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* What a uid is charged for. */
enum rn_closer_what {
	RN_CLOSER_NOTHING,
	RN_CLOSER_CONNECTION,
	RN_CLOSER_QUEUE,
};

struct rn_closed {
	uint32_t uid;
	uint32_t what; /* enum rn_closer_what */
};

/* Starts the thread; without it every socket is closed at once, whatever is inside. */
int rn_closer_start(void (*started)(void), struct rn_err *err);
/* Ends the thread, unless it waits for a client's descriptor: the end of the process ends it. */
void rn_closer_stop(void);
/* Readable when something was closed; then until it returns false: */
int rn_closer_fd(void);
bool rn_closer_next(struct rn_closed *closed);

/* Closes the daemon's end of a socket. True: it is done. False: rn_closer_next will say so. */
bool rn_closer_close(int fd, uint32_t uid, enum rn_closer_what what);

/* Like recv() with MSG_DONTWAIT into n bytes, but -EBADMSG if descriptors came with the data, which
 * then stay where they are. Any thread. */
ssize_t rn_closer_recv(int fd, void *data, size_t n);

#endif
