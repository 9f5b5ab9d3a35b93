/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DPDK's ways from one program to another in bench-hop, as its documentation sets them up: rte_ring
 * with single producer and consumer, buffers coming back by a second ring; net_memif (the caller is
 * the client, which is the side that can do without copies) with and without zero copy. Both ends
 * are in this process, whose threads are lcores of one EAL without hugepages, devices or files.
 */
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hop.h"
#include "place.h"
#include "ring_bare.h"

#define BUFFERS 2048u /* of a pool */
#define CACHE	256u

struct memif {
	uint16_t caller, partner; /* numbers of the two ends */
	struct rte_mempool *pool[2]; /* of the caller, of the partner */
};

static struct rte_ring *forth, *back;
static struct memif zero_copy, copy;
static uint8_t frame[FRAME_LEN];
static uint32_t stop;
static uint64_t taken; /* by the partner */

/* ---- set-up ---- */

static bool eal_open(void)
{
	static const uint8_t mac[6] = {2};
	static int state; /* 1: there, -1: not */
	static char words[][24] = {"bench-hop",
				   "--no-pci",
				   "--no-huge",
				   "--no-shconf",
				   "--no-telemetry",
				   "--single-file-segments",
				   "-m",
				   "512",
				   "--log-level",
				   "*:error",
				   "-l",
				   "CORE"};
	char *argv[RTE_DIM(words)];

	if (state)
		return state > 0;
	frame_make(frame, mac);
	snprintf(words[RTE_DIM(words) - 1], sizeof(words[0]), "%d", place_core());
	for (unsigned i = 0; i < RTE_DIM(words); i++)
		argv[i] = words[i];
	state = rte_eal_init(RTE_DIM(words), argv) < 0 ? -1 : 1;
	if (state < 0)
		fprintf(stderr, "DPDK is left out: its EAL does not start here: %s\n",
			rte_strerror(rte_errno));
	return state > 0;
}

/* The partner's thread is one of the EAL's, so that it has caches of its own. */
static void be_lcore(void)
{
	if (rte_lcore_id() == LCORE_ID_ANY && rte_thread_register())
		bench_die("rte_thread_register: %s", rte_strerror(rte_errno));
}

static void fill(struct rte_mbuf *m)
{
	memcpy(rte_pktmbuf_mtod(m, void *), frame, FRAME_LEN);
	m->data_len = FRAME_LEN;
	m->pkt_len = FRAME_LEN;
}

static uint64_t read_all(struct rte_mbuf *const *m, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum ^= bench_read(rte_pktmbuf_mtod(m[i], const uint8_t *), m[i]->data_len);
	return sum;
}

/* ---- rte_ring ---- */

static bool ring_open(void)
{
	struct rte_mempool *pool;
	struct rte_mbuf *m[HOP_BURST];

	if (!eal_open())
		return false;
	pool = rte_pktmbuf_pool_create("ring", BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	forth = rte_ring_create("forth", HOP_RING, 0,
				RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	back = rte_ring_create("back", HOP_RING, 0,
			       RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (!pool || !forth || !back)
		bench_die("rte_ring: %s", rte_strerror(rte_errno));
	for (uint32_t i = 0; i < HOP_RING; i += HOP_BURST) {
		if (rte_pktmbuf_alloc_bulk(pool, m, HOP_BURST))
			bench_die("rte_ring: no buffers");
		rte_ring_sp_enqueue_bulk(back, (void **)m, HOP_BURST, NULL);
	}
	return true;
}

static void ring_close(void)
{
	rte_eal_cleanup();
}

static void ring_put(struct rte_ring *to, struct rte_ring *from, uint32_t n)
{
	struct rte_mbuf *m[HOP_BURST];

	n = rte_ring_sc_dequeue_burst(from, (void **)m, n, NULL);
	for (uint32_t i = 0; i < n; i++)
		fill(m[i]);
	rte_ring_sp_enqueue_bulk(to, (void **)m, n, NULL);
}

static uint32_t ring_take(struct rte_ring *from, struct rte_ring *to, uint32_t n, uint64_t *sum)
{
	struct rte_mbuf *m[HOP_BURST];

	n = rte_ring_sc_dequeue_burst(from, (void **)m, n, NULL);
	if (!n)
		return 0;
	*sum ^= read_all(m, n);
	rte_ring_sp_enqueue_bulk(to, (void **)m, n, NULL);
	return n;
}

static void ring_reader(void *unused)
{
	uint64_t sum = 0, n = 0;
	uint32_t got;
	bool last;

	(void)unused;
	do {
		last = __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
		got = ring_take(forth, back, HOP_BURST, &sum);
		n += got;
	} while (got || !last);
	hop_use(sum);
	taken = n;
}

static void ring_writer(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		ring_put(forth, back, HOP_BURST);
}

static uint64_t ring_out(uint64_t *ns)
{
	uint64_t start = bench_ns();

	__atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
	place_run(ring_reader, NULL);
	do {
		for (int i = 0; i < 64; i++)
			ring_put(forth, back, HOP_BURST);
	} while (bench_ns() - start < HOP_WINDOW_NS);
	while (rte_ring_count(forth))
		;
	*ns = bench_ns() - start;
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	place_wait();
	return taken;
}

static uint64_t ring_in(uint64_t *ns)
{
	uint64_t start = bench_ns(), n = 0, sum = 0;

	__atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
	place_run(ring_writer, NULL);
	do {
		for (int i = 0; i < 64; i++)
			n += ring_take(forth, back, HOP_BURST, &sum);
	} while (bench_ns() - start < HOP_WINDOW_NS);
	*ns = bench_ns() - start;
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	place_wait();
	while (ring_take(forth, back, HOP_BURST, &sum))
		;
	hop_use(sum);
	return n;
}

/* The packet comes back in its buffer, read and written by the partner. */
static void ring_mirror(void *unused)
{
	struct rte_mbuf *m;

	(void)unused;
	for (uint32_t i = 0; i < HOP_TRIPS; i++) {
		while (rte_ring_sc_dequeue(forth, (void **)&m))
			;
		hop_use(read_all(&m, 1));
		fill(m);
		rte_ring_sp_enqueue(back, m);
	}
}

static void ring_trip(struct bench_samples *s)
{
	static struct rte_mbuf *all[HOP_RING];
	uint32_t n = rte_ring_sc_dequeue_burst(back, (void **)all, HOP_RING, NULL);

	place_run(ring_mirror, NULL);
	for (uint32_t i = 0; i < HOP_TRIPS; i++) {
		uint64_t t = bench_ticks();

		fill(all[0]);
		rte_ring_sp_enqueue(forth, all[0]);
		while (rte_ring_sc_dequeue(back, (void **)&all[0]))
			;
		hop_use(read_all(&all[0], 1));
		bench_add(s, (double)(bench_ticks() - t));
	}
	place_wait();
	rte_ring_sp_enqueue_bulk(back, (void **)all, n, NULL);
}

struct hop hop_rte_ring = {
	.name = "DPDK rte_ring",
	.open = ring_open,
	.close = ring_close,
	.out = ring_out,
	.in = ring_in,
	.trip = ring_trip,
};

/* ---- net_memif ---- */

static uint16_t end_open(const char *name, const char *args, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = {0};
	uint16_t port;

	if (rte_eal_hotplug_add("vdev", name, args) || rte_eth_dev_get_port_by_name(name, &port) ||
	    rte_eth_dev_configure(port, 1, 1, &conf) ||
	    rte_eth_rx_queue_setup(port, 0, HOP_RING, 0, NULL, pool) ||
	    rte_eth_tx_queue_setup(port, 0, HOP_RING, 0, NULL) || rte_eth_dev_start(port))
		bench_die("%s %s: %s", name, args, rte_strerror(rte_errno));
	return port;
}

static bool linked(uint16_t port)
{
	struct rte_eth_link link = {0};

	for (int i = 0; i < 300 && !link.link_status; i++) {
		rte_eth_link_get_nowait(port, &link);
		bench_nap_ms(10);
	}
	return link.link_status;
}

static bool memif_open(struct memif *m, const char *name, bool zero)
{
	char args[200], end[32], path[64];

	if (!eal_open())
		return false;
	snprintf(path, sizeof(path), "@bench-hop-%d-%s", (int)getpid(), name);
	for (int i = 0; i < 2; i++) {
		snprintf(end, sizeof(end), "%s%d", name, i);
		m->pool[i] = rte_pktmbuf_pool_create(end, BUFFERS, CACHE, 0,
						     RTE_MBUF_DEFAULT_BUF_SIZE, 0);
		if (!m->pool[i])
			bench_die("net_memif: %s", rte_strerror(rte_errno));
	}
	snprintf(end, sizeof(end), "net_memif_%s_s", name);
	snprintf(args, sizeof(args),
		 "role=server,id=0,rsize=10,bsize=2048,socket=%s,socket-abstract=yes", path + 1);
	m->partner = end_open(end, args, m->pool[1]);
	snprintf(end, sizeof(end), "net_memif_%s_c", name);
	snprintf(args, sizeof(args),
		 "role=client,id=0,rsize=10,bsize=2048,socket=%s,socket-abstract=yes,zero-copy=%s",
		 path + 1, zero ? "yes" : "no");
	m->caller = end_open(end, args, m->pool[0]);
	if (linked(m->caller) && linked(m->partner))
		return true;
	fprintf(stderr, "net_memif (%s) is left out: its two ends do not connect here\n", name);
	return false;
}

static uint32_t memif_put(uint16_t port, struct rte_mempool *pool, uint32_t n)
{
	struct rte_mbuf *m[HOP_BURST];
	uint32_t sent;

	if (rte_pktmbuf_alloc_bulk(pool, m, n)) {
		rte_eth_tx_burst(port, 0, NULL, 0); /* takes back what was sent */
		return 0;
	}
	for (uint32_t i = 0; i < n; i++)
		fill(m[i]);
	sent = rte_eth_tx_burst(port, 0, m, (uint16_t)n);
	rte_pktmbuf_free_bulk(m + sent, n - sent);
	return sent;
}

static uint32_t memif_take(uint16_t port, uint32_t n, uint64_t *sum)
{
	struct rte_mbuf *m[HOP_BURST];

	n = rte_eth_rx_burst(port, 0, m, (uint16_t)n);
	*sum ^= read_all(m, n);
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

static void memif_reader(void *arg)
{
	const struct memif *m = arg;
	uint64_t sum = 0;

	be_lcore();
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		__atomic_store_n(&taken, taken + memif_take(m->partner, HOP_BURST, &sum),
				 __ATOMIC_RELEASE);
	hop_use(sum);
}

static void memif_writer(void *arg)
{
	const struct memif *m = arg;

	be_lcore();
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		memif_put(m->partner, m->pool[1], HOP_BURST);
}

static uint64_t memif_out(struct memif *m, uint64_t *ns)
{
	uint64_t start = bench_ns(), sent = 0;

	taken = 0;
	__atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
	place_run(memif_reader, m);
	do {
		for (int i = 0; i < 64; i++)
			sent += memif_put(m->caller, m->pool[0], HOP_BURST);
	} while (bench_ns() - start < HOP_WINDOW_NS);
	while (__atomic_load_n(&taken, __ATOMIC_ACQUIRE) < sent &&
	       bench_ns() - start < 4ull * HOP_WINDOW_NS)
		;
	*ns = bench_ns() - start;
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	place_wait();
	return taken;
}

static uint64_t memif_in(struct memif *m, uint64_t *ns)
{
	uint64_t start = bench_ns(), n = 0, sum = 0;

	__atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
	place_run(memif_writer, m);
	do {
		for (int i = 0; i < 64; i++)
			n += memif_take(m->caller, HOP_BURST, &sum);
	} while (bench_ns() - start < HOP_WINDOW_NS);
	*ns = bench_ns() - start;
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	place_wait();
	while (memif_take(m->caller, HOP_BURST, &sum))
		;
	hop_use(sum);
	return n;
}

static void memif_mirror(void *arg)
{
	const struct memif *m = arg;
	uint64_t sum = 0;

	be_lcore();
	for (uint32_t i = 0; i < HOP_TRIPS; i++) {
		while (!memif_take(m->partner, 1, &sum))
			;
		while (!memif_put(m->partner, m->pool[1], 1))
			;
	}
	hop_use(sum);
}

static void memif_trip(struct memif *m, struct bench_samples *s)
{
	uint64_t sum = 0;

	place_run(memif_mirror, m);
	for (uint32_t i = 0; i < HOP_TRIPS; i++) {
		uint64_t t = bench_ticks();

		while (!memif_put(m->caller, m->pool[0], 1))
			;
		while (!memif_take(m->caller, 1, &sum))
			;
		bench_add(s, (double)(bench_ticks() - t));
	}
	place_wait();
	hop_use(sum);
}

static void memif_close(void)
{
}

/* The functions of struct hop have no argument: one set for each memif. */
#define MEMIF(m, shown, zero)                         \
	static bool m##_open(void)                    \
	{                                             \
		return memif_open(&(m), #m, zero);    \
	}                                             \
	static uint64_t m##_out(uint64_t *ns)         \
	{                                             \
		return memif_out(&(m), ns);           \
	}                                             \
	static uint64_t m##_in(uint64_t *ns)          \
	{                                             \
		return memif_in(&(m), ns);            \
	}                                             \
	static void m##_trip(struct bench_samples *s) \
	{                                             \
		memif_trip(&(m), s);                  \
	}                                             \
	struct hop hop_memif_##m = {                  \
		.name = "DPDK net_memif, " shown,     \
		.open = m##_open,                     \
		.close = memif_close,                 \
		.out = m##_out,                       \
		.in = m##_in,                         \
		.trip = m##_trip,                     \
	}

MEMIF(zero_copy, "zero copy", true);
MEMIF(copy, "copy", false);
