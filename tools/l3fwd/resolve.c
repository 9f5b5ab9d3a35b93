/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The resolver: next hops that packets want are asked for until they are known, then again every
 * few seconds as long as they are in use, which also tells the kernel that they are. When nothing
 * is wanted it wakes once a second.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "l3fwd.h"
#include "pause.h"
#include "tool.h"

#define REFRESH	 (5000 * L3_MS) /* of what is known */
#define RETRY	 (1000 * L3_MS) /* there is no daemon */
#define COMPLAIN 20u /* sentences about next hops, at most */

struct resolver {
	struct l3fwd *l;
	unsigned complaints;
};

static uint64_t pack(const uint8_t mac[6], uint16_t rest)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 6; i++)
		v = v << 8 | mac[i];
	return v << 16 | rest;
}

static void complain(struct resolver *r, const struct l3_host *host)
{
	if (r->complaints++ < COMPLAIN)
		fprintf(stderr, "rawnet-l3fwd: next hop by %s: %s\n", r->l->names.dev[host->port],
			rawnet_error());
}

/* Asks once: when to ask next. */
static uint64_t ask(void *arg, const struct l3_host *host, struct l3_adj *adj, uint8_t *tries)
{
	struct rawnet_nexthop hop = {.size = sizeof(hop)};
	struct resolver *r = arg;
	int rc = rawnet_route(r->l->rn, r->l->names.dev[host->port], host->family, host->addr, 0,
			      &hop);

	switch (rc) {
	case 0:
		adj->from = pack(hop.smac, (uint16_t)(hop.mtu < 65535 ? hop.mtu : 65535));
		adj->to = pack(hop.dmac, hop.vlan);
		*tries = 0;
		return l3_now() + REFRESH;
	case -EINPROGRESS: return l3_now() + l3_pause(tries);
	case -ENOTCONN:
	case -ETIMEDOUT: return l3_now() + RETRY; /* what was known stays */
	default:
		if (adj->to || rc != -EHOSTUNREACH)
			complain(r, host);
		adj->to = 0;
		l3_pause_failed(tries);
		return l3_now() + l3_pause(tries);
	}
}

/* Gateways: when the earliest is due. */
static uint64_t refresh_hops(struct resolver *r, struct l3_fib *f)
{
	uint64_t next = UINT64_MAX, now = l3_now();

	for (size_t i = L3_BLACKHOLE + 1; i < f->hops.n && !tool_stopped(); i++) {
		const struct l3_hop *hop = &f->hops.hop[i];
		struct l3_host host = {.port = hop->port, .family = hop->family};
		struct l3_adj adj = f->adj[i];

		if (hop->kind != L3_GATEWAY || !__atomic_load_n(&f->used[i], __ATOMIC_RELAXED))
			continue;
		if (f->due[i] <= now) {
			__atomic_store_n(&f->used[i], 0, __ATOMIC_RELAXED);
			memcpy(host.addr, hop->addr, sizeof(host.addr));
			f->due[i] = ask(r, &host, &adj, &f->tries[i]);
			__atomic_store_n(&f->adj[i].from, adj.from, __ATOMIC_RELAXED);
			__atomic_store_n(&f->adj[i].to, adj.to, __ATOMIC_RELEASE);
			if (l3_pause_is_eager(f->tries[i]))
				__atomic_store_n(&f->used[i], 1, __ATOMIC_RELAXED);
		}
		if (f->due[i] < next)
			next = f->due[i];
	}
	return next;
}

static int wait_ms(uint64_t due)
{
	uint64_t now = l3_now();

	if (due <= now)
		return 1;
	return due - now > RETRY ? 1000 : (int)((due - now) / L3_MS) + 1;
}

static void *run(void *arg)
{
	struct resolver r = {.l = arg};
	struct pollfd fds[2] = {{.fd = r.l->stop_fd, .events = POLLIN},
				{.fd = r.l->want_fd, .events = POLLIN}};
	uint64_t hops, hosts;
	eventfd_t n;

	while (!tool_stopped()) {
		/* Before looking: what is wanted from now on wakes it again. */
		eventfd_read(r.l->want_fd, &n);
		pthread_mutex_lock(&r.l->resolving);
		hops = refresh_hops(&r, __atomic_load_n(&r.l->fib, __ATOMIC_ACQUIRE));
		pthread_mutex_unlock(&r.l->resolving);
		hosts = l3_hosts_refresh(r.l->hosts, l3_now(), ask, &r);
		poll(fds, 2, wait_ms(hops < hosts ? hops : hosts));
	}
	return NULL;
}

int l3_resolver_start(struct l3fwd *l)
{
	l->want_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->want_fd < 0)
		return -errno;
	pthread_mutex_init(&l->resolving, NULL);
	return -pthread_create(&l->resolver, NULL, run, l);
}
