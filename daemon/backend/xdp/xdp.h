/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of the xdp backend: one port, one hardware queue. */
#ifndef RN_XDP_H
#define RN_XDP_H

#include "../../netdev.h"
#include "../../tx.h"
#include "../backend.h"
#include "program.h"
#include "socket.h"

struct xdp_queue {
	struct rn_hwq hwq;
	struct rn_xsk *xsk; /* RCU; NULL: the interface is gone, or has not this many queues */
	struct rn_xsk *adopted; /* of the last daemon, until its rules are there again */
	uint32_t cookie;
	bool local; /* senders of this kernel leave checksums unfinished */
	uint8_t *scratch; /* local, frames of several chunks: to complete a checksum in one piece */
};

struct xdp_port {
	struct rn_port *port;
	struct rn_xdp_program *program;
	struct rn_netdev nd;
	bool native, frags;
	bool adopted; /* the link is the last daemon's, and has its program still */
	bool rxvlan_off; /* we switched it off, and switch it on again */
	bool blind_to_vlans; /* the hardware strips tags and cannot be told not to */
	uint64_t gone[RAWNET_COUNTERS_SPACE]; /* counted by sockets that are closed */
};

static inline struct xdp_queue *xdp_queue_of(struct rn_hwq *hwq)
{
	return caa_container_of(hwq, struct xdp_queue, hwq);
}

/* mode.c: which mode for this interface, and why (a few words). */
bool rn_xdp_prefers_native(const struct rn_port_config *config, const struct rn_netdev *nd,
			   const char **why);
int rn_xdp_probe(const struct rn_port_config *config, struct rn_err *why);
void rn_xdp_plan(const struct rn_port_config *config, FILE *out);

/* keep.c: what outlives the daemon, and going on with it. */
void rn_xdp_keep_socket(const struct xdp_port *xp, const struct xdp_queue *xq,
			const struct rn_xsk *x);
void rn_xdp_drop_socket(const struct xdp_port *xp, uint32_t queue);
void rn_xdp_keep_link(const struct xdp_port *xp);
void rn_xdp_drop_link(const struct xdp_port *xp);
/* The last daemon's link and all of its sockets are taken over (xp->adopted, xq->adopted), and its
 * program goes on until xdp_resume; or nothing is, and what was left of it is gone. */
bool rn_xdp_adopt(struct xdp_port *xp);

/* datapath.c: poller. */
unsigned rn_xdp_rx(struct rn_hwq *hwq, unsigned budget);
uint8_t *rn_xdp_tx_reserve(struct rn_hwq *hwq);
void rn_xdp_tx_submit(struct rn_hwq *hwq, uint32_t len);
void rn_xdp_flush(struct rn_hwq *hwq);
void rn_xdp_done(struct rn_hwq *hwq);
int rn_xdp_arm(struct rn_hwq *hwq);

#endif
