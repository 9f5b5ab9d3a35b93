/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plain verbs program's parts: one device, one completion queue, a sender, a receiver. What fails
 * ends the program with a sentence.
 */
#ifndef PLAIN_H
#define PLAIN_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdint.h>

#define PLAIN_DEPTH 4096
#define PLAIN_BATCH 64
#define PLAIN_ROOM  2048 /* bytes of one of PLAIN_DEPTH buffers in mem */

struct plain {
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	struct ibv_cq *cq;
	uint8_t *mem;
};
extern struct plain plain;

struct plain_receiver {
	struct ibv_wq *wq;
	struct ibv_rwq_ind_table *ind;
	struct ibv_qp *qp;
	struct ibv_flow *flow;
};

void plain_check(bool ok, const char *what);
void plain_open(void);
void plain_close(void);
uint32_t plain_poll(struct ibv_wc *wc); /* up to PLAIN_BATCH completions, all good; how many */
struct ibv_qp *plain_sender(void); /* ready to send */
/* With a rule for UDP to this port; 0: for everything. */
void plain_receiver(struct plain_receiver *r, uint16_t port);
void plain_receiver_end(struct plain_receiver *r);
/* Posts n <= PLAIN_BATCH buffers, from number first (modulo PLAIN_DEPTH) on. */
void plain_post(struct ibv_wq *wq, uint64_t first, uint32_t n);

#endif
