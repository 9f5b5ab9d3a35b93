/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of local switching, over loop ports: two clients of the left port, and a third on the
 * right one, the other end of the wire, who gets whatever leaves for its MAC.
 */
#ifndef SWITCH_SITE_H
#define SWITCH_SITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "rig.h"
#include "steer.h"
#include "switch.h"
#include "tx.h"

static const uint8_t far_mac[6] = {2, 0, 0, 0, 0, 0x77};
static const uint8_t b_mac[6] = {2, 0, 0, 0, 0, 0x0b};
static const uint8_t ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct site {
	struct rig rig;
	struct rn_port *left, *right;
	struct rig_client a, b, far;
	uint8_t frame[4096];
	uint32_t len;
};

static inline void open_site(struct site *s, bool police, bool local, uint32_t b_rx)
{
	rig_open(&s->rig, 1, false);
	s->left = rig_port(&s->rig, "left", "right", police);
	s->left->config.local_switching = local; /* nobody is attached yet */
	s->right = rig_port(&s->rig, "right", "left", false);
	rig_attach(&s->rig, s->left, 64, 64, &s->a);
	rig_attach(&s->rig, s->left, b_rx, 64, &s->b);
	rig_attach(&s->rig, s->right, 256, 64, &s->far);
	rig_rule(s->right, &s->far, "macvlan 02:00:00:00:00:77");
}

static inline void close_site(struct site *s)
{
	rig_detach(&s->a);
	rig_detach(&s->b);
	rig_detach(&s->far);
	rig_close(&s->rig);
}

static inline uint64_t port_count(struct rn_port *port, enum rawnet_port_counter c)
{
	uint64_t v[RAWNET_COUNTERS_SPACE];

	rn_port_counters(port, v);
	return v[c];
}

/* To dmac, from 10.0.0.1 port 1000 to 10.0.0.2 port 7. */
static inline void frame_to(struct site *s, const uint8_t dmac[6])
{
	s->len = rig_udp(s->frame, dmac, s->left->mac, 1, 2, 1000, 7, 18);
}

static inline void send_times(struct site *s, struct rig_client *c, int n)
{
	for (int i = 0; i < n; i++)
		assert_true(rig_send(c, s->frame, s->len, 0));
	rig_flush(c);
	assert_true(rig_drained(c));
}

/* The frames of one who sleeps in between: each must be this one. */
static inline void came(const struct rig_client *c, uint32_t n, const uint8_t *frame, uint32_t len)
{
	for (uint32_t k = 0; k < n; k++) {
		const struct rawnet_slot *slot = rawnet_rx_slot(&c->rx, k);

		assert_int_equal(slot->len, len);
		assert_memory_equal(c->mem + slot->off, frame, len);
		assert_true(slot->off % c->buf_size >= c->at->headroom);
		assert_true(slot->flags & RAWNET_RX_RULE);
	}
}

static inline void take(struct rig_client *c, uint32_t n)
{
	rawnet_rx_release(&c->rx, n);
	rawnet_ring_publish(&c->rx);
}

static inline void delete_rule(struct site *s, uint64_t id)
{
	rn_steer_del(s->left->steer, rn_steer_find(s->left->steer, id));
	rn_police_changed();
}

#endif
