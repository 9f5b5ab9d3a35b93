/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnet-l3fwd: what its files share.
 *
 *   main       options, the ports, the tables and their exchange on SIGHUP, rates, the summary
 *   workers    one thread or more: receive, find the route, rewrite, send
 *   resolver   one thread: asks the kernel, through the daemon, for the MACs of next hops in use
 *
 * The tables in use are one pointer. A worker says which one it reads before it reads it, and none
 * while it sleeps; main publishes a new one, waits until no worker reads the old one, and frees it.
 * The resolver works under a lock of its own, which main holds while it exchanges.
 */
#ifndef L3FWD_H
#define L3FWD_H

#include <pthread.h>

#include <rawnet/client.h>

#include "fib.h"
#include "hosts.h"
#include "packet.h"

#define L3_WORKERS 16u

struct l3_port {
	struct rawnet_attachment *at;
	uint32_t n_queues;
};

/* Each is written by one worker and read by main, all relaxed. */
struct l3_count {
	uint64_t in[L3_PORTS], in_bytes[L3_PORTS];
	uint64_t out[L3_PORTS], out_bytes[L3_PORTS];
	uint64_t drop[L3_DROP_COUNT];
};

struct l3_worker {
	struct l3fwd *all;
	pthread_t thread;
	unsigned index;
	int rc; /* why it ended: 0, or -errno with `why` */
	char why[256];
	const struct l3_fib *reading; /* atomic; NULL: none */
	struct l3_count count;
};

struct l3fwd {
	struct rawnet *rn;
	struct l3_names names;
	struct l3_port port[L3_PORTS]; /* as names has them */
	struct l3_fib *fib; /* atomic */
	struct l3_hosts *hosts;
	struct l3_worker worker[L3_WORKERS];
	unsigned n_workers;
	bool busy; /* workers never sleep */
	int stop_fd; /* readable: end */
	pthread_t resolver;
	pthread_mutex_t resolving; /* held while the resolver uses the tables */
	int want_fd; /* readable: a worker waits for a MAC */
};

static inline void l3_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* ---- worker.c ---- */

int l3_worker_start(struct l3_worker *w);
/* A packet wants a next hop that is not known. */
void l3_wake_resolver(struct l3fwd *l);

/* ---- resolve.c ---- */

int l3_resolver_start(struct l3fwd *l);

/* ---- report.c ---- */

void l3_count_sum(const struct l3fwd *l, struct l3_count *sum);
/* A line of rates since `before`. */
void l3_report_rates(const struct l3fwd *l, const struct l3_count *before, double seconds);
void l3_report_summary(const struct l3fwd *l);

#endif
