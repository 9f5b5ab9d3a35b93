/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers requests on listening sockets, in one thread. Bounds: SERVE_PEERS connections, of which
 * the oldest makes room for a new one; SERVE_MS for each, from its first byte to the last of the
 * answer; HTTP_MOST bytes of a request; and the page is made anew at most once in SERVE_FRESH_MS,
 * however often it is asked for, so that who may ask cannot keep the daemon busy.
 */
#ifndef EXPORTER_SERVE_H
#define EXPORTER_SERVE_H

#include "page.h"

#define SERVE_LISTENERS 8u
#define SERVE_PEERS	16u
#define SERVE_MS	10000u
#define SERVE_FRESH_MS	1000u

struct serve {
	int listener[SERVE_LISTENERS];
	unsigned n_listeners;
	/* Writes the page; 0 or -errno. */
	int (*make)(void *arg, struct page *page);
	void *arg;
};

/* Until stop_fd is readable: 0, or -errno. Closes no listener. */
int serve_run(struct serve *s, int stop_fd);

#endif
