/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers requests on listening sockets, in one thread. Bounds: SERVE_PEERS connections, of which
 * the oldest makes room for a new one among those that have not asked yet, else among those that
 * took nothing of their answer for SERVE_STALL_MS, else the new one waits; SERVE_MS for each, from
 * its first byte to the last of the answer; HTTP_MOST bytes of a request; and the page is made anew
 * at most once in SERVE_FRESH_MS, however often it is asked for, so that who may ask cannot keep
 * the daemon busy.
 *
 * Who comes by a loopback address must not call it by a name: a page of the web can lead its name
 * there, and a browser of this host would read it the metrics (DNS rebinding).
 */
#ifndef EXPORTER_SERVE_H
#define EXPORTER_SERVE_H

#include "page.h"

#define SERVE_LISTENERS 8u
#define SERVE_PEERS	16u
#ifndef SERVE_MS /* a test has more patience */
#define SERVE_MS 10000u
#endif
#define SERVE_STALL_MS 1000u
#define SERVE_FRESH_MS 1000u

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
