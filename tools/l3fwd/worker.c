/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker: queue i of each port belongs to worker i modulo their number, and it sends on its own
 * first queue of the port that a packet leaves by. A burst goes through three steps, each over all
 * of its packets, so that the cache misses of the tables overlap: read the headers, find the
 * routes, rewrite and send. Within a port buffers change places; between two ports, whose packet
 * memories are apart, the frame is copied once.
 *
 * What cannot be sent is dropped and counted: a full port must not hold up the others.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "l3fwd.h"
#include "move.h"
#include "tool.h"

#define BURST 64u
#define SPINS 200u /* turns without a packet before it sleeps */

struct queue {
	struct rawnet_queue *q;
	unsigned port;
};

struct burst {
	uint32_t n;
	struct rawnet_slot *slot[BURST];
	struct l3_packet packet[BURST];
	uint32_t hop[BURST];
};

struct work {
	struct l3_worker *w;
	const struct l3_fib *fib;
	struct queue in[L3_PORTS * RAWNET_QUEUES_MAX];
	uint32_t n_in;
	struct rawnet_queue *out[L3_PORTS];
	uint32_t filled[L3_PORTS]; /* slots of out, in this burst */
	struct burst burst;
};

void l3_wake_resolver(struct l3fwd *l)
{
	eventfd_write(l->want_fd, 1);
}

/* ---- which tables ---- */

/* Says what it reads, and looks again: main, which looks the other way round, sees one of the two.
 */
static void use_fib(struct work *k)
{
	struct l3fwd *l = k->w->all;
	struct l3_fib *f = __atomic_load_n(&l->fib, __ATOMIC_ACQUIRE);

	while (k->fib != f) {
		__atomic_store_n(&k->w->reading, f, __ATOMIC_SEQ_CST);
		k->fib = f;
		f = __atomic_load_n(&l->fib, __ATOMIC_SEQ_CST);
	}
}

static void use_none(struct work *k)
{
	k->fib = NULL;
	__atomic_store_n(&k->w->reading, NULL, __ATOMIC_RELEASE);
}

/* ---- the steps ---- */

static void read_burst(struct work *k, const struct queue *in)
{
	struct l3_count *count = &k->w->count;
	struct burst *b = &k->burst;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		b->slot[i] = rawnet_rx_slot(&in->q->rx, i);
		__builtin_prefetch(rawnet_data(in->q, b->slot[i]));
	}
	for (uint32_t i = 0; i < b->n; i++) {
		const struct rawnet_slot *rx = b->slot[i];
		struct l3_packet *p = &b->packet[i];

		bytes += rx->len;
		if (rx->flags & RAWNET_RX_L3_BAD)
			p->drop = L3_DROP_bad_checksum;
		else
			l3_packet_read(rawnet_data(in->q, rx), rx->len, rx->flags & RAWNET_RX_L3_OK,
				       p);
		if (p->drop == L3_FORWARD && p->family == 4)
			lpm4_prefetch(&k->fib->v4, p->dst4);
	}
	l3_add(&count->in[in->port], b->n);
	l3_add(&count->in_bytes[in->port], bytes);
}

static void find_routes(struct work *k)
{
	struct lpm6_key key[BURST];
	uint32_t value[BURST], at[BURST], n6 = 0;
	struct burst *b = &k->burst;

	for (uint32_t i = 0; i < b->n; i++) {
		const struct l3_packet *p = &b->packet[i];

		if (p->drop != L3_FORWARD)
			continue;
		if (p->family == 4) {
			b->hop[i] = lpm4_find(&k->fib->v4, p->dst4);
			continue;
		}
		key[n6] = p->dst6;
		at[n6++] = i;
	}
	if (!n6)
		return;
	lpm6_find_many(&k->fib->v6, key, n6, value);
	for (uint32_t j = 0; j < n6; j++)
		b->hop[at[j]] = value[j];
}

/* The next hop of a gateway. */
static bool reach_gateway(const struct work *k, uint32_t hop, struct l3_adj *adj)
{
	const struct l3_fib *f = k->fib;
	bool used = __atomic_load_n(&f->used[hop], __ATOMIC_RELAXED);

	adj->to = __atomic_load_n(&f->adj[hop].to, __ATOMIC_ACQUIRE);
	adj->from = __atomic_load_n(&f->adj[hop].from, __ATOMIC_RELAXED);
	if (!used)
		__atomic_store_n(&f->used[hop], 1, __ATOMIC_RELAXED);
	if (!used && !adj->to)
		l3_wake_resolver(k->w->all);
	return adj->to;
}

/* The destination itself. */
static bool reach_host(const struct work *k, const struct l3_hop *hop, const struct l3_packet *p,
		       const uint8_t *frame, struct l3_adj *adj)
{
	struct l3_host host = {.port = hop->port, .family = p->family};

	memcpy(host.addr, frame + p->l2 + (p->family == 4 ? 16 : 24), p->family == 4 ? 4 : 16);
	if (l3_hosts_find(k->w->all->hosts, &host, adj))
		return adj->to;
	if (l3_hosts_want(k->w->all->hosts, &host))
		l3_wake_resolver(k->w->all);
	return false;
}

static void write_macs(uint8_t *frame, const struct l3_adj *adj)
{
	for (unsigned i = 0; i < 6; i++) {
		frame[i] = (uint8_t)(adj->to >> (56 - 8 * i));
		frame[6 + i] = (uint8_t)(adj->from >> (56 - 8 * i));
	}
}

/* Rewrites the frame and puts it into a slot of the port that it leaves by. */
static void put(struct work *k, const struct queue *in, uint32_t i, unsigned port,
		const struct l3_adj *adj)
{
	struct rawnet_queue *out = k->out[port];
	const struct l3_packet *p = &k->burst.packet[i];
	struct rawnet_slot *rx = k->burst.slot[i];
	struct rawnet_slot *tx = rawnet_tx_slot(&out->tx, k->filled[port]++);
	uint8_t *frame = rawnet_data(in->q, rx);
	const uint16_t tag = adj->to & 0xfff;

	l3_packet_age(frame, p);
	/* A tag in the frame goes: the header moves up to the packet. */
	rx->off += p->l2 - 14u;
	rx->len = (uint16_t)(rx->len - (p->l2 - 14u));
	rx->flags = 0;
	frame += p->l2 - 14u;
	write_macs(frame, adj);
	frame[12] = p->family == 4 ? 0x08 : 0x86;
	frame[13] = p->family == 4 ? 0x00 : 0xdd;
	tool_move(in->q, rx, out, tx);
	if (tag) {
		tx->flags = RAWNET_TX_VLAN;
		tx->u.tx.vlan_tci = tag;
	}
	l3_add(&k->w->count.out[port], 1);
	l3_add(&k->w->count.out_bytes[port], tx->len);
}

static enum l3_drop forward(struct work *k, const struct queue *in, uint32_t i)
{
	const struct l3_packet *p = &k->burst.packet[i];
	const struct l3_hop *hop = &k->fib->hops.hop[k->burst.hop[i]];
	struct rawnet_queue *out = k->out[hop->port];
	struct l3_adj adj;

	if (hop->kind == L3_NO_ROUTE)
		return L3_DROP_no_route;
	if (hop->kind == L3_BLACKHOLE)
		return L3_DROP_blackhole;
	if (hop->kind == L3_GATEWAY
		    ? !reach_gateway(k, k->burst.hop[i], &adj)
		    : !reach_host(k, hop, p, rawnet_data(in->q, k->burst.slot[i]), &adj))
		return L3_DROP_no_neighbour;
	if (p->len > (adj.from & 0xffff) ||
	    k->burst.slot[i]->len - (p->l2 - 14u) + ((adj.to & 0xfff) ? 4 : 0) > out->max_frame)
		return L3_DROP_too_big;
	if (rawnet_tx_room(&out->tx, k->filled[hop->port] + 1) <= k->filled[hop->port])
		return L3_DROP_tx_full;
	put(k, in, i, hop->port, &adj);
	return L3_FORWARD;
}

/* One burst of one queue: how many packets it had. */
static uint32_t serve(struct work *k, const struct queue *in)
{
	struct burst *b = &k->burst;

	b->n = rawnet_rx_avail(&in->q->rx);
	if (!b->n)
		return 0;
	b->n = b->n < BURST ? b->n : BURST;
	read_burst(k, in);
	find_routes(k);
	for (uint32_t i = 0; i < b->n; i++) {
		enum l3_drop drop = (enum l3_drop)b->packet[i].drop;

		if (b->slot[i]->flags & RAWNET_RX_ERROR)
			continue;
		if (drop == L3_FORWARD)
			drop = forward(k, in, i);
		if (drop != L3_FORWARD)
			l3_add(&k->w->count.drop[drop], 1);
	}
	rawnet_rx_release(&in->q->rx, b->n);
	for (unsigned p = 0; p < k->w->all->names.n; p++) {
		if (!k->filled[p])
			continue;
		rawnet_tx_fill(&k->out[p]->tx, k->filled[p]);
		k->filled[p] = 0;
		if (k->out[p] != in->q)
			rawnet_flush(k->out[p]);
	}
	rawnet_flush(in->q);
	return b->n;
}

/* ---- the loop ---- */

static int sleep_until_packets(struct work *k)
{
	struct pollfd fds[L3_PORTS * RAWNET_QUEUES_MAX + 1];
	uint32_t armed = 0;
	int r = 0;

	use_none(k);
	while (armed < k->n_in && !r) {
		struct rawnet_queue *q = k->in[armed].q;

		fds[armed++] = (struct pollfd) {.fd = rawnet_queue_fd(q), .events = POLLIN};
		r = rawnet_arm(q, RAWNET_WAIT_RX);
	}
	fds[armed] = (struct pollfd) {.fd = k->w->all->stop_fd, .events = POLLIN};
	if (!r && poll(fds, armed + 1, -1) < 0 && errno != EINTR)
		r = -errno;
	while (armed--)
		rawnet_disarm(k->in[armed].q);
	return r < 0 ? r : 0;
}

/* After a restart of the daemon the memory is another one: before any slot is looked at. */
static void sync_queues(struct work *k)
{
	for (uint32_t i = 0; i < k->n_in; i++)
		rawnet_queue_sync(k->in[i].q);
}

static void *run(void *arg)
{
	struct l3_worker *w = arg;
	static _Thread_local struct work k;
	unsigned idle = 0;

	k.w = w;
	for (unsigned p = 0; p < w->all->names.n; p++) {
		k.out[p] = rawnet_queue(w->all->port[p].at, w->index);
		for (uint32_t i = w->index; i < w->all->port[p].n_queues; i += w->all->n_workers)
			k.in[k.n_in++] = (struct queue) {rawnet_queue(w->all->port[p].at, i), p};
	}
	while (!tool_stopped() && !w->rc) {
		uint32_t did = 0;

		sync_queues(&k);
		use_fib(&k);
		for (uint32_t i = 0; i < k.n_in; i++)
			did += serve(&k, &k.in[i]);
		idle = did ? 0 : idle + 1;
		if (idle > SPINS && !w->all->busy) {
			idle = 0;
			w->rc = sleep_until_packets(&k);
		}
	}
	use_none(&k);
	if (w->rc) {
		snprintf(w->why, sizeof(w->why), "%s", rawnet_error());
		raise(SIGTERM); /* the others end too */
	}
	return NULL;
}

int l3_worker_start(struct l3_worker *w)
{
	return -pthread_create(&w->thread, NULL, run, w);
}
