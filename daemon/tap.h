/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taps: copies of what the clients of a port get and send, for those who capture (CAPTURE in
 * proto.h). A tap has a sink, an attachment that the copies go to, each from the poller that saw
 * the packet to the sink's queue at that poller. Without a tap a packet costs one load and one
 * branch.
 *
 * The set of a port is replaced as a whole by the control thread and read by pollers under RCU.
 */
#ifndef RN_TAP_H
#define RN_TAP_H

#include "port.h"

#define RN_TAPS 16u /* of one port */

struct rn_attachment;
struct rn_frame;
struct rn_hwq;
struct rn_queue;
struct rn_rule;
struct rn_taps;

/* Starts or replaces the tap of req->attachment, which is `sink`; -EINVAL (filter), -ENOSPC,
 * -ENOMEM.
 */
int rn_tap_set(struct rn_attachment *sink, const struct rawnet_req_capture *req,
	       struct rn_err *err);
/* The sink leaves, or captures no more; returns after a grace period if there was a tap. */
void rn_tap_drop(struct rn_attachment *sink);
void rn_taps_free(struct rn_port *port);

/* Poller; only if port->taps is not NULL. */
void rn_tap_rx(struct rn_hwq *hwq, const struct rn_rule *rule, const struct rn_attachment *at,
	       const struct rn_frame *frame);
void rn_tap_tx(struct rn_queue *q, const uint8_t *frame, uint32_t len);

#endif
