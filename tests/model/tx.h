/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A send request, copied out of the ring, and its execution (tx.c, tso.c). Lock held.
 */
#ifndef CX_TX_H
#define CX_TX_H

#include "model.h"

struct cx_wqe {
	uint8_t opcode, opmod, ce;
	uint16_t index;
	uint32_t ds, bbs, len;
	uint8_t b[CX_MAX_SQ_DESC];
};

/* 0 with the bytes sent, -EAGAIN if the wire has no room; *syndrome is set if it is malformed, and
 * then the referee has heard of it; packets before the faulty one may have gone. */
int cx_tx_execute(struct cx_sq *sq, const struct cx_wqe *w, uint32_t *bytes, uint8_t *syndrome);

/* The data segments from at on, gathered behind what is in out already. 0 or a syndrome. */
uint8_t cx_tx_gather(struct cx_sq *sq, const struct cx_wqe *w, uint32_t at, uint8_t *out,
		     uint32_t max, uint32_t *len);

/* Does a data segment of the WQE name the key? */
bool cx_tx_names(const struct cx_wqe *w, uint32_t lkey);
/* The same of what was rung and is not executed; then the WQE is in *w (sq.c). */
bool cx_sq_names(const struct cx_sq *sq, uint32_t lkey, struct cx_wqe *w);

/* Cuts headers + payload into segments and sends them. 0 or a syndrome. */
uint8_t cx_tso_send(struct cx_sq *sq, const struct cx_wqe *w, const uint8_t *head,
		    uint32_t head_len, const uint8_t *payload, uint32_t len);

#endif
