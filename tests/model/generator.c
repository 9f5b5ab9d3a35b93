/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generator: `flows` frames, made once, sent in turn to the port's own address.
 *
 * Flow i comes from 10.0.0.1 (fd00::1), port 1024 + i, and goes to 10.0.0.2 (fd00::2), port 5000,
 * with valid checksums. Without a rate it sends as fast as receive buffers are posted and loses
 * nothing; with one it sends on time, and what finds no buffer is lost, as on a real wire.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "faults.h"
#include "frame.h"
#include "generator.h"
#include "steer.h"

struct cx_gen {
	uint32_t flows, len, next;
	uint64_t rate, left;
	uint64_t start, sent; /* ns; frames that the rate has paid for */
	bool endless;
	uint8_t *frames;
	struct cx_frame *parsed;
	struct cx_fte *ftes;
};

static uint32_t put_ip(const struct cx_config *c, uint8_t *p, uint32_t len)
{
	uint8_t proto = c->gen_tcp ? IPPROTO_TCP : IPPROTO_UDP;

	if (c->gen_ip6) {
		cx_put16(p - 2, 0x86dd);
		p[0] = 0x60;
		cx_put16(p + 4, (uint16_t)(len - 40));
		p[6] = proto;
		p[7] = 64;
		p[8] = p[24] = 0xfd;
		p[23] = 1;
		p[39] = 2;
		return 40;
	}
	cx_put16(p - 2, 0x0800);
	p[0] = 0x45;
	cx_put16(p + 2, (uint16_t)len);
	p[8] = 64;
	p[9] = proto;
	cx_put32(p + 12, 0x0a000001);
	cx_put32(p + 16, 0x0a000002);
	return 20;
}

static void make(const struct cx_dev *dev, uint8_t *p, uint32_t len, uint32_t flow)
{
	static const uint8_t from[6] = {0x02, 0xc5, 0x00, 0x00, 0x01, 0x00};
	const struct cx_config *c = dev->cfg;
	uint32_t at = 14, l4;

	memset(p, 0, len);
	memcpy(p, dev->mac, 6);
	memcpy(p + 6, from, 6);
	if (c->gen_vlan) {
		cx_put16(p + 12, 0x8100);
		cx_put16(p + 14, (uint16_t)c->gen_vlan);
		at = 18;
	}
	l4 = at + put_ip(c, p + at, len - at);
	cx_put16(p + l4, (uint16_t)(1024 + flow));
	cx_put16(p + l4 + 2, 5000);
	if (c->gen_tcp) {
		p[l4 + 12] = 5 << 4;
		p[l4 + 13] = 0x10; /* ACK */
	} else {
		cx_put16(p + l4 + 4, (uint16_t)(len - l4));
	}
	cx_frame_csum(p, len, true, true);
}

int cx_gen_new(struct cx_dev *dev, struct cx_gen **out)
{
	const struct cx_config *c = dev->cfg;
	uint32_t least =
		14 + (c->gen_vlan ? 4u : 0) + (c->gen_ip6 ? 40u : 20u) + (c->gen_tcp ? 20u : 8u);
	struct cx_gen *g = calloc(1, sizeof(*g));
	uint32_t i;

	if (!g)
		return -ENOMEM;
	g->flows = c->gen_flows;
	g->len = c->gen_len < least ? least : c->gen_len;
	g->rate = c->gen_rate;
	g->endless = !c->gen_count;
	g->left = c->gen_count;
	g->frames = malloc((size_t)g->flows * g->len);
	g->parsed = calloc(g->flows, sizeof(g->parsed[0]));
	g->ftes = calloc(g->flows, sizeof(g->ftes[0]));
	if (!g->frames || !g->parsed || !g->ftes) {
		cx_gen_free(g);
		return -ENOMEM;
	}
	for (i = 0; i < g->flows; i++) {
		struct cx_frame *f = &g->parsed[i];

		make(dev, g->frames + (size_t)i * g->len, g->len, i);
		cx_frame_parse(f, g->frames + (size_t)i * g->len, g->len, true);
		cx_frame_fte(f, &g->ftes[i]);
		f->fte = &g->ftes[i];
		f->sum = cx_frame_sum(f);
		f->summed = true;
	}
	*out = g;
	return 0;
}

void cx_gen_free(struct cx_gen *g)
{
	if (!g)
		return;
	free(g->frames);
	free(g->parsed);
	free(g->ftes);
	free(g);
}

/* How many frames are due by now. */
static int due(struct cx_gen *g, int budget)
{
	uint64_t now, owed;

	if (!g->endless && g->left < (uint64_t)budget)
		budget = (int)g->left;
	if (!g->rate)
		return budget;
	now = cx_now_ns();
	if (!g->start)
		g->start = now;
	owed = (uint64_t)((double)(now - g->start) * 1e-9 * (double)g->rate) - g->sent;
	return owed < (uint64_t)budget ? (int)owed : budget;
}

int cx_gen_run(struct cx_gen *g, struct cx_dev *dev, int budget)
{
	int n, want;

	/* Nothing is owed for the time before the first rule. */
	if (cx_steer_idle(dev->rx))
		return 0;
	want = due(g, budget);
	for (n = 0; n < want; n++) {
		const struct cx_frame *f = &g->parsed[g->next];

		if (cx_fault_drop(cx_faults.drop_rx, &cx_faults.rx_seen))
			continue;
		cx_steer_sniff(dev, f);
		if (!cx_steer_receive(dev, f, NULL, !g->rate))
			break;
		g->next = g->next + 1 == g->flows ? 0 : g->next + 1;
	}
	g->sent += (uint64_t)n;
	if (!g->endless)
		g->left -= (uint64_t)n;
	return n;
}
