/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Send requests of one call: written here, in a list, and given to the device by verbs_ring(). See
 * verbs.h for the indexes. Poller only.
 */
#ifndef RN_VERBS_SEND_H
#define RN_VERBS_SEND_H

#include "verbs.h"

static inline uint64_t verbs_request_id(const struct verbs_queue *v, uint32_t request)
{
	return (uint64_t)v->tx_epoch << 32 | request;
}

static inline uint8_t *verbs_head(const struct verbs_queue *v, uint32_t request)
{
	return v->memory + (size_t)(request & v->mask) * RN_VERBS_ROOM;
}

/* How many more requests this call may make. */
static inline uint32_t verbs_room(const struct verbs_queue *v)
{
	const uint32_t queue = v->mask + 1 - (v->posted - v->done), call = RN_VERBS_BURST - v->n_wr;

	return queue < call ? queue : call;
}

/* The i-th of a call, which is not plain. Of its many fields those that a request of ours uses;
 * what leads from it to the next, and to its pieces, was set when the queue was made. */
static inline struct ibv_send_wr *verbs_odd(struct verbs_queue *v, uint32_t i)
{
	struct ibv_send_wr *wr = &v->wr[i];

	v->odd |= 1u << i;
	wr->num_sge = 0;
	wr->opcode = IBV_WR_SEND;
	wr->send_flags = 0;
	return wr;
}
_Static_assert(RN_VERBS_BURST <= 32, "a bit for each");

/* As the next one. */
static inline struct ibv_send_wr *verbs_add(struct verbs_queue *v)
{
	v->posted++;
	return verbs_odd(v, v->n_wr++);
}

/* One of a single piece that asks for nothing. */
static inline void verbs_add_plain(struct verbs_queue *v, struct ibv_sge piece)
{
	v->plain[v->n_wr++] = piece;
	v->posted++;
}

static inline struct ibv_sge verbs_piece(const void *data, uint32_t len, uint32_t lkey)
{
	return (struct ibv_sge) {(uintptr_t)data, len, lkey};
}

/* Slots are done with: they go back with the request that needs them last. */
void verbs_pass(struct rn_queue *q, struct verbs_queue *v, uint32_t slots);
/* To the device, with one completion for all of them. What it does not take is lost. */
void verbs_ring(struct rn_queue *q, struct verbs_queue *v);
/* Looks for completions. False: the device reports an error. */
bool verbs_reap(struct rn_queue *q, struct verbs_queue *v);
/* It was mended: what was with the device is lost. */
void verbs_send_anew(struct rn_queue *q, struct verbs_queue *v);

/* runs.c: requests of the plain packets at the front of the ring, at most `most`: how many. */
unsigned verbs_run(struct rn_queue *q, struct verbs_queue *v, uint32_t most);

#endif
