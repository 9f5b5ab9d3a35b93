/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of an attachment, shared by the attachment*.c files only. Control thread. */
#ifndef RN_ATTACHMENT_IMPL_H
#define RN_ATTACHMENT_IMPL_H

#include "attachment.h"

/* attachment.c */
struct rn_attachment *rn_attachment_allocate(struct rn_port *port,
					     const struct rawnet_req_attach *req,
					     const struct rn_grant *grant);
void rn_attachment_count(struct rn_port *port, int more);

/* attachment_plan.c: of a request that is planned. */
size_t rn_attachment_rings_size(const struct rawnet_req_attach *req);
size_t rn_attachment_packets_size(const struct rawnet_req_attach *req);
/* Where each queue's parts stand; follows from sizes and flags alone. */
void rn_attachment_layout(const struct rn_attachment *at, uint32_t flags,
			  struct rawnet_queue_desc *desc);
/* Fills in the headers of new memory. */
void rn_attachment_lay_out(struct rn_attachment *at, const struct rawnet_req_attach *req,
			   const struct rawnet_queue_desc *desc);

/* attachment_queues.c */
/* Spreads the queues over the pollers: queues of one poller stand together. desc is the daemon's
 * own: what stands in shared memory may have been written by the client. */
void rn_attachment_spread(struct rn_attachment *at, const struct rawnet_queue_desc *desc);
int rn_attachment_open_queues(struct rn_attachment *at, struct rn_err *err);
int rn_attachment_join(struct rn_attachment *at, struct rn_err *err);
/* How many of their sockets are not closed yet (closer.h). */
uint32_t rn_attachment_close_queues(struct rn_attachment *at);

/* attachment_copies.c */
void rn_attachment_drop_copies(struct rn_attachment *at);

#endif
