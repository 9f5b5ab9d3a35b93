/* SPDX-License-Identifier: BSD-2-Clause */
/* A rawnetd of the benchmark's own: the real program, in a directory of its own. */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "rawnet/client.h"

struct serve {
	int pid;
	int poller_tid; /* thread of poller 0 */
	int waker_tid;
	bool in_host; /* start it in the namespace of net.h */
	const char *policy; /* entries before the one of root; set it before the start, or NULL */
	char dir[64];
	char socket[80];
};

/* Starts $RAWNET_BIN/rawnetd (or the one beside this program) with these pollers and ports; `%s` of
 * a capture file is made in serve.dir by the caller before. Returns when it answers. */
void serve_prepare(struct serve *s); /* makes the directory */
void serve_start(struct serve *s, const char *pollers, const char *ports);
/* SIGTERM, wait, remove the directory. Also done when the benchmark ends by itself. */
void serve_stop(struct serve *s);
/* CPU time of a whole process, ns. */
uint64_t serve_cpu(int pid);
/* Another program from the same place, killed with the benchmark: its pid. */
int serve_spawn(const struct serve *s, const char *name, const char *const argv[]);

struct rawnet *serve_connect(const struct serve *s, const char *label);
struct rawnet_attachment *serve_attach(struct rawnet *rn, const char *dev, uint32_t ring,
				       uint32_t n_bufs);
/* The id of the attachment to a port; waits for it. */
uint32_t serve_find(struct rawnet *rn, const char *dev);
/* A counter of any attachment, asked for over the control socket. */
uint64_t serve_counter(struct rawnet *rn, uint32_t attachment, enum rawnet_queue_counter c);
/* Of poller 0. */
struct rawnet_poller_info serve_poller(struct rawnet *rn);
uint64_t serve_rule(struct rawnet_attachment *at, const char *match);

#endif
