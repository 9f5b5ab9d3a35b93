/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qualify-device: asks a ConnectX what documentation leaves open and rawnet depends on, with queues
 * of its own, by requests written by hand. rawnetd is not involved.
 *
 * Frames leave by the port `from` and arrive at the port `to`, by a cable, or both are one port
 * that gets back what it sends. They are UDP to PORT at addresses of RFC 2544 (198.18.0.0/15),
 * taken by rules for exactly those, so that nobody's traffic is disturbed.
 *
 * Nothing can be taken for granted here, so every wait has an end: when a frame that was sent after
 * the one that is waited for, from queue to queue like it, is there, and GRACE_MS have passed. So
 * "it does not come" is as certain on a slow machine as on a fast one. A question that cannot be
 * asked says why.
 */
#ifndef ASK_H
#define ASK_H

#include <infiniband/mlx5dv.h>
#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../model/conformance/frames.h"
#include "cqe.h"
#include "wqe.h"

#define PORT	  4791u + 1u /* of the datagrams: one that no RDMA protocol uses */
#define GRACE_MS  50u
#define DEAD_MS	  10000u /* without a frame: the wire is dead */
#define ETHERTYPE 0x88b5u /* of other frames: for experiments (IEEE 802) */
#define ENTRIES	  256u /* of each queue */
#define MEM	  (1u << 20)
#define SLOT	  2048u /* of the memory, for one frame */

struct ask_port {
	const char *device, *netdev;
	uint8_t mac[6];
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	uint8_t *mem;
	struct ibv_device_attr_ex attr;
	struct mlx5dv_context dv;
};

struct ask_cq {
	struct ibv_cq *cq;
	struct rn_cqe *ring;
	uint32_t log, ci;
};

struct ask_tx {
	struct ibv_qp *qp;
	struct ask_cq cq;
	struct mlx5dv_qp dv;
	uint16_t pi;
};

struct ask_rx {
	struct ibv_wq *wq;
	struct ibv_rwq_ind_table *table;
	struct ibv_qp *qp;
	struct ask_cq cq;
	struct mlx5dv_rwq dv;
	uint16_t pi;
};

struct ask {
	struct ask_port port[2];
	struct ask_port *from, *to; /* the same for a port that gets back what it sends */
	uint32_t rules; /* for the rate of insertion */
	bool fill; /* the table of rules, up to its end */
	struct frame frame; /* what is sent, made by ask_frame */
	struct ask_tx marker_tx;
	struct ask_rx marker_rx;
	struct ibv_flow *marker_rule;
};

/* An answer. `assumed`: what rawnet takes for granted; empty: nothing. */
struct answer {
	char text[512], assumed[128];
	bool as_assumed;
	bool asked; /* false: text says why not */
};

/* ---- bench.c: 0 or -errno ---- */
int ask_port_open(struct ask_port *port);
void ask_port_close(struct ask_port *port);
int ask_tx_open(struct ask_port *port, struct ask_tx *tx);
void ask_tx_close(struct ask_tx *tx);
int ask_rx_open(struct ask_port *port, struct ask_rx *rx, bool compressed);
void ask_rx_close(struct ask_rx *rx);

/* A request at the queue's next place, zeroed; then it is finished and rung, with n basic blocks.
 */
uint8_t *ask_request(struct ask_tx *tx);
void ask_ring(struct ask_tx *tx, uint8_t *request, uint8_t opcode, uint32_t ds);
/* The doorbell alone, of what stands there. */
void ask_doorbell(struct ask_tx *tx, const uint8_t *request, uint32_t blocks);
/* A plain request for the frame that lies at mem + off. */
void ask_send(struct ask *a, struct ask_tx *tx, uint32_t off, uint32_t len);
/* A buffer, as it is posted by a good driver, or with another key, address and length. */
void ask_post(struct ask_port *port, struct ask_rx *rx);
void ask_post_odd(struct ask_rx *rx, uint32_t len, uint32_t lkey, uint64_t addr);

/* A datagram with this address as its source, with or without checksums, at from->mem. */
void ask_frame(struct ask *a, uint32_t source, bool six, bool tcp, bool sums);

/* A rule for the datagrams of ask_frame: all of them, or of one source only. NULL: errno. */
struct rule_wish {
	uint32_t source; /* 0: any */
	uint32_t priority, flags;
	bool any_port, six, tcp;
};
struct ibv_flow *ask_rule(struct ask *a, struct ask_rx *rx, const struct rule_wish *wish);
/* For this MAC and ETHERTYPE. */
struct ibv_flow *ask_ether_rule(struct ask_rx *rx, const uint8_t mac[6]);

/* ---- wait.c ---- */

/* Opens what completions are waited for with, and waits for a first frame: 0; or -errno, -ETIMEDOUT
 * if none arrives. */
int ask_marker_open(struct ask *a);
void ask_marker_close(struct ask *a);

/* Waits for the next completion: false if there is none. */
bool ask_completion(struct ask *a, struct ask_cq *cq, struct rn_cqe *e);
/* The syndrome of an error completion; 0 of a good one. */
uint8_t ask_syndrome(const struct rn_cqe *e);
/* What became of a request, in words. */
const char *ask_outcome(bool came, const struct rn_cqe *e);
/* The frame that the completion is of. */
uint8_t *ask_received(struct ask_port *port, const struct rn_cqe *e);

/* ---- answers ---- */
__attribute__((format(printf, 2, 3))) void say(struct answer *r, const char *fmt, ...);
/* What rawnet assumes, and whether it is so. */
__attribute__((format(printf, 3, 4))) void assume(struct answer *r, bool holds, const char *fmt,
						  ...);
/* It could not be asked. */
__attribute__((format(printf, 2, 3))) void cannot(struct answer *r, const char *fmt, ...);

/* ---- questions ---- */
void ask_min_inline(struct ask *a, struct answer *r);
void ask_checksum_preset(struct ask *a, struct answer *r);
void ask_zero_length(struct ask *a, struct answer *r);
void ask_multi_packet(struct ask *a, struct answer *r);
void ask_malformed(struct ask *a, struct answer *r);
void ask_egress(struct ask *a, struct answer *r);
void ask_foreign_key(struct ask *a, struct answer *r);
void ask_receive_errors(struct ask *a, struct answer *r);
void ask_compression(struct ask *a, struct answer *r);
void ask_dont_trap(struct ask *a, struct answer *r);
void ask_rule_rate(struct ask *a, struct answer *r);
void ask_rule_order(struct ask *a, struct answer *r);
void ask_loopback(struct ask *a, struct answer *r);

#endif
