/* SPDX-License-Identifier: BSD-2-Clause */
/* Two loop ports with a cable between them, and a client on each. */
#ifndef RIG_PAIR_H
#define RIG_PAIR_H

#include "backend/backend.h"
#include "rig.h"

/* "auto" is not what this tests. */
const struct rn_backend *const rn_backends[] = {NULL};

static const uint8_t from[6] = {2, 0, 0, 0, 0, 1};

struct pair {
	struct rig rig;
	struct rn_port *left, *right;
	struct rig_client a, b;
	uint8_t frame[2048];
	uint32_t len;
};

/* a sends to b: `udp dport 7` on the right port. */
static inline void open_pair(struct pair *p, bool busy, uint32_t rx_size)
{
	rig_open(&p->rig, 1, busy);
	p->left = rig_port(&p->rig, "left", "right", false);
	p->right = rig_port(&p->rig, "right", "left", false);
	rig_attach(&p->rig, p->left, 64, 64, &p->a);
	rig_attach(&p->rig, p->right, rx_size, 64, &p->b);
	rig_rule(p->right, &p->b, "udp dport 7");
	p->len = rig_udp(p->frame, p->right->mac, from, 1, 2, 1000, 7, 18);
}

static inline void close_pair(struct pair *p)
{
	if (p->a.at)
		rig_detach(&p->a);
	if (p->b.at)
		rig_detach(&p->b);
	rig_close(&p->rig);
}

#endif
