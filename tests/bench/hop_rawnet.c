/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnet in bench-hop: rawnetd with three loop ports, its poller busy, on the partner's core, which
 * it has to itself while it is measured and leaves to anybody while others are. The caller is the
 * client, once on the rings in place (rawnet/ring.h) and once by librawnet's burst calls.
 *
 *   out   to a port that reads, checks, copies and counts what is sent
 *   in    from a port that has one frame to give, again and again, as fast as the client takes it
 *   trip  over a port that reflects
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "hop.h"
#include "place.h"
#include "ring_bare.h"
#include "serve.h"

static struct serve serve;
static struct rawnet *rn;
static struct rawnet_attachment *sink, *source, *mirror;
static uint8_t frame[FRAME_LEN], mirrored[FRAME_LEN];

/* One frame in the format of libpcap. */
static void write_capture(const char *path, const uint8_t *f)
{
	static const uint32_t head[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
	const uint32_t record[4] = {0, 0, FRAME_LEN, FRAME_LEN};
	FILE *out = fopen(path, "w");

	if (!out)
		bench_die("cannot write %s", path);
	fwrite(head, sizeof(head), 1, out);
	fwrite(record, sizeof(record), 1, out);
	fwrite(f, FRAME_LEN, 1, out);
	fclose(out);
}

/* What daemon/backend/loop/loop.c makes of a name; the benchmark stops if it is another. */
static void loop_mac(const char *dev, uint8_t mac[6])
{
	uint32_t h = 2166136261u;

	for (; *dev; dev++)
		h = (h ^ (uint8_t)*dev) * 16777619u;
	mac[0] = 0x02;
	mac[1] = 0x52;
	for (int i = 0; i < 4; i++)
		mac[2 + i] = (uint8_t)(h >> (24 - 8 * i));
}

static bool open_rawnet(void)
{
	char pollers[64], ports[400], pcap[100];
	uint8_t mac[6];

	serve_prepare(&serve);
	snprintf(pcap, sizeof(pcap), "%s/in.pcap", serve.dir);
	loop_mac("source", mac);
	frame_make(frame, mac);
	write_capture(pcap, frame);
	snprintf(pollers, sizeof(pollers), "{ cpu = %d; mode = \"busy\"; }", place_partner_core());
	snprintf(ports, sizeof(ports),
		 "{ dev = \"sink\"; backend = \"loop\"; sink = true; },\n"
		 "{ dev = \"mirror\"; backend = \"loop\"; reflect = true; },\n"
		 "{ dev = \"source\"; backend = \"loop\"; pcap_in = \"%s\"; pcap_repeat = true; }",
		 pcap);
	serve_start(&serve, pollers, ports);
	rn = serve_connect(&serve, "bench");
	sink = serve_attach(rn, "sink", HOP_RING, 0);
	source = serve_attach(rn, "source", HOP_RING, 0);
	mirror = serve_attach(rn, "mirror", HOP_RING, 0);
	serve_rule(sink, FRAME_MATCH);
	serve_rule(mirror, FRAME_MATCH);
	if (memcmp(rawnet_attachment_info(source)->mac, mac, 6) != 0)
		bench_die("the loop port has another MAC than its capture file");
	frame_make(frame, rawnet_attachment_info(sink)->mac);
	frame_make(mirrored, rawnet_attachment_info(mirror)->mac);
	return true;
}

static void close_rawnet(void)
{
	rawnet_close(rn);
	serve_stop(&serve);
}

static uint64_t counter(const struct rawnet_attachment *at, enum rawnet_queue_counter c)
{
	uint64_t v[RAWNET_COUNTERS_SPACE];

	if (rawnet_counters(at, 0, v))
		bench_die("counters: %s", rawnet_error());
	return v[c];
}

/* ---- in place ---- */

static void send_place(struct rawnet_queue *q)
{
	uint32_t n = rawnet_tx_room(&q->tx, HOP_BURST);

	n = n < HOP_BURST ? n : HOP_BURST;
	for (uint32_t i = 0; i < n; i++) {
		struct rawnet_slot *s = rawnet_tx_slot(&q->tx, i);

		memcpy(rawnet_data(q, s), frame, FRAME_LEN);
		*s = (struct rawnet_slot) {.off = s->off, .len = FRAME_LEN};
	}
	if (!n)
		return;
	rawnet_tx_fill(&q->tx, n);
	rawnet_ring_publish(&q->tx); /* the poller is busy: it needs no waking */
}

static uint32_t receive_place(struct rawnet_queue *q, uint64_t *sum)
{
	uint32_t n = rawnet_rx_avail(&q->rx);

	n = n < HOP_BURST ? n : HOP_BURST;
	for (uint32_t i = 0; i < n; i++) {
		const struct rawnet_slot *s = rawnet_rx_slot(&q->rx, i);

		*sum ^= bench_read(rawnet_data(q, s), s->len);
	}
	if (!n)
		return 0;
	rawnet_rx_release(&q->rx, n);
	rawnet_ring_publish(&q->rx);
	return n;
}

static void trip_place(struct rawnet_queue *q, uint64_t *sum)
{
	struct rawnet_slot *s;

	while (!rawnet_tx_room(&q->tx, 1))
		;
	s = rawnet_tx_slot(&q->tx, 0);
	memcpy(rawnet_data(q, s), mirrored, FRAME_LEN);
	*s = (struct rawnet_slot) {.off = s->off, .len = FRAME_LEN};
	rawnet_tx_fill(&q->tx, 1);
	rawnet_ring_publish(&q->tx);
	rawnet_tx_prefetch(q, 0);
	while (!receive_place(q, sum))
		;
}

/* ---- by burst calls ---- */

static void send_burst(struct rawnet_queue *q)
{
	struct rawnet_packet p[HOP_BURST];
	uint32_t n, sent;

	for (n = 0; n < HOP_BURST; n++) {
		p[n].data = rawnet_buf_get(q);
		if (!p[n].data)
			break;
		memcpy(p[n].data, frame, FRAME_LEN);
		p[n].len = FRAME_LEN;
		p[n].flags = 0;
	}
	for (sent = 0; sent < n;)
		sent += rawnet_tx_burst(q, p + sent, n - sent);
}

static uint32_t receive_burst(struct rawnet_queue *q, uint64_t *sum)
{
	struct rawnet_packet p[HOP_BURST];
	uint32_t n = rawnet_rx_burst(q, p, HOP_BURST);

	for (uint32_t i = 0; i < n; i++)
		*sum ^= bench_read(p[i].data, FRAME_LEN);
	for (uint32_t i = 0; i < n; i++)
		rawnet_buf_put(q, p[i].data);
	return n;
}

static void trip_burst(struct rawnet_queue *q, uint64_t *sum)
{
	struct rawnet_packet p = {.len = FRAME_LEN, .data = rawnet_buf_get(q)};

	memcpy(p.data, mirrored, FRAME_LEN);
	while (!rawnet_tx_burst(q, &p, 1))
		;
	while (!rawnet_rx_burst(q, &p, 1))
		;
	*sum ^= bench_read(p.data, FRAME_LEN);
	rawnet_buf_put(q, p.data);
}

/* ---- windows ---- */

static uint64_t out(uint64_t *ns, void (*send)(struct rawnet_queue *q))
{
	struct rawnet_queue *q = rawnet_queue(sink, 0);
	uint64_t before = counter(sink, RAWNET_Q_TX_PACKETS), start, now;

	bench_first(serve.poller_tid, 1);
	start = bench_ns();
	do {
		for (int i = 0; i < 64; i++)
			send(q);
		now = bench_ns();
	} while (now - start < HOP_WINDOW_NS);
	do
		rawnet_ring_look(&q->tx);
	while (q->tx.daemon != q->tx.client);
	*ns = bench_ns() - start;
	bench_first(serve.poller_tid, 0);
	return counter(sink, RAWNET_Q_TX_PACKETS) - before;
}

static uint64_t in(uint64_t *ns, uint32_t (*receive)(struct rawnet_queue *q, uint64_t *sum))
{
	struct rawnet_queue *q = rawnet_queue(source, 0);
	uint64_t rule = serve_rule(source, FRAME_MATCH), start, now, n = 0, sum = 0;

	bench_first(serve.poller_tid, 1);
	start = bench_ns();
	do {
		for (int i = 0; i < 64; i++)
			n += receive(q, &sum);
		now = bench_ns();
	} while (now - start < HOP_WINDOW_NS);
	*ns = now - start;
	bench_first(serve.poller_tid, 0);
	if (rawnet_flow_del(rn, rule))
		bench_die("deleting the rule: %s", rawnet_error());
	while (receive(q, &sum))
		;
	hop_use(sum);
	return n;
}

static void trip(struct bench_samples *s, void (*go)(struct rawnet_queue *q, uint64_t *sum))
{
	struct rawnet_queue *q = rawnet_queue(mirror, 0);
	uint64_t sum = 0;

	bench_first(serve.poller_tid, 1);
	for (uint32_t i = 0; i < HOP_TRIPS; i++) {
		uint64_t t = bench_ticks();

		go(q, &sum);
		hop_use(sum);
		bench_add(s, (double)(bench_ticks() - t));
	}
	bench_first(serve.poller_tid, 0);
}

#define WAYS(how)                                           \
	static uint64_t out_##how(uint64_t *ns)             \
	{                                                   \
		return out(ns, send_##how);                 \
	}                                                   \
	static uint64_t in_##how(uint64_t *ns)              \
	{                                                   \
		return in(ns, receive_##how);               \
	}                                                   \
	static void the_trip_##how(struct bench_samples *s) \
	{                                                   \
		trip(s, trip_##how);                        \
	}
WAYS(place)
WAYS(burst)

struct hop hop_rawnet = {
	.name = "rawnet",
	.open = open_rawnet,
	.close = close_rawnet,
	.out = out_place,
	.in = in_place,
	.trip = the_trip_place,
};

static bool opened(void)
{
	return true;
}

static void nothing(void)
{
}

struct hop hop_rawnet_burst = {
	.name = "rawnet, burst calls",
	.open = opened,
	.close = nothing,
	.out = out_burst,
	.in = in_burst,
	.trip = the_trip_burst,
};
