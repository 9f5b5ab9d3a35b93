/* SPDX-License-Identifier: BSD-2-Clause */
/* See fib.h. */
#include "fib.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EAGER 1024u /* gateways that are asked for before a packet needs them */

uint64_t l3_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int read_file(const char *path, struct l3_names *names, struct l3_routes *r)
{
	char why[200];
	FILE *in = fopen(path, "re");
	int rc;

	if (!in) {
		fprintf(stderr, "rawnet-l3fwd: %s: %s\n", path, strerror(errno));
		return -errno;
	}
	rc = l3_routes_read(r, in, names, why, sizeof(why));
	fclose(in);
	if (rc)
		fprintf(stderr, "rawnet-l3fwd: %s:%s\n", path, why);
	return rc;
}

static int build(struct l3_fib *f, struct l3_routes *r)
{
	if (lpm4_build(&f->v4, r->v4, r->n4) || lpm6_build(&f->v6, r->v6, r->n6))
		return -ENOMEM;
	f->adj = calloc(r->hops.n + 1, sizeof(*f->adj));
	f->used = calloc(r->hops.n + 1, sizeof(*f->used));
	f->due = calloc(r->hops.n + 1, sizeof(*f->due));
	f->tries = calloc(r->hops.n + 1, sizeof(*f->tries));
	if (!f->adj || !f->used || !f->due || !f->tries)
		return -ENOMEM;
	memset(f->used, 1, r->hops.n < EAGER ? r->hops.n : EAGER);
	f->hops = r->hops;
	memset(&r->hops, 0, sizeof(r->hops));
	f->n4 = r->n4;
	f->n6 = r->n6;
	return 0;
}

struct l3_fib *l3_fib_load(const char *path, struct l3_names *names)
{
	struct l3_fib *f = calloc(1, sizeof(*f));
	struct l3_routes r = {0};
	uint64_t t0 = l3_now(), t1;
	int rc;

	if (!f) {
		fputs("rawnet-l3fwd: out of memory\n", stderr);
		return NULL;
	}
	rc = read_file(path, names, &r);
	t1 = l3_now();
	if (!rc) {
		rc = build(f, &r);
		if (rc)
			fprintf(stderr, "rawnet-l3fwd: %s: out of memory\n", path);
	}
	l3_routes_free(&r);
	f->read_s = (double)(t1 - t0) / 1e9;
	f->build_s = (double)(l3_now() - t1) / 1e9;
	if (!rc)
		return f;
	l3_fib_free(f);
	return NULL;
}

void l3_fib_inherit(struct l3_fib *f, const struct l3_fib *old)
{
	for (size_t i = L3_BLACKHOLE + 1; i < f->hops.n; i++)
		f->adj[i] = old->adj[l3_hops_find(&old->hops, &f->hops.hop[i])];
}

void l3_fib_free(struct l3_fib *f)
{
	if (!f)
		return;
	lpm4_free(&f->v4);
	lpm6_free(&f->v6);
	l3_hops_free(&f->hops);
	free(f->adj);
	free(f->used);
	free(f->due);
	free(f->tries);
	free(f);
}

void l3_fib_describe(const struct l3_fib *f)
{
	const double mib = 1024 * 1024;

	printf("routes: %zu IPv4, %zu IPv6 over %zu next hops, read in %.3f s, built in %.3f s; "
	       "tables %.1f MiB and %.1f MiB\n",
	       f->n4, f->n6, f->hops.n - L3_BLACKHOLE - 1, f->read_s, f->build_s,
	       (double)lpm4_memory(&f->v4) / mib, (double)lpm6_memory(&f->v6) / mib);
}
