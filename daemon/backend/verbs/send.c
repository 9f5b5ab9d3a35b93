/* SPDX-License-Identifier: BSD-2-Clause */
/* Send requests to the device, and their completions: send.h. */
#include <errno.h>

#include "../../attachment.h"
#include "../../poller.h"
#include "send.h"

/* ---- completions ---- */

/* Of before the queue was mended: its request counts as lost already. */
static bool is_stale(const struct verbs_queue *v, uint64_t id)
{
	return id >> 32 != v->tx_epoch || (uint32_t)id - v->done >= v->posted - v->done;
}

/* All requests up to this one are done. */
static void finish(struct rn_queue *q, struct verbs_queue *v, uint32_t request)
{
	const struct verbs_sent *last = &v->fifo[request & v->mask];

	v->done = request + 1;
	v->frame_done = last->frame_end;
	q->tx.daemon = last->slot_end;
}

/* The completion that the CQ is at. False: the device reports an error. */
static bool take(struct rn_queue *q, struct verbs_queue *v, const struct ibv_cq_ex *cq)
{
	const bool failed = cq->status != IBV_WC_SUCCESS;

	if (failed)
		rn_count(q, RAWNET_Q_TX_ERRORS, 1);
	if (is_stale(v, cq->wr_id))
		return true;
	if (!failed)
		finish(q, v, (uint32_t)cq->wr_id);
	return !failed;
}

#define REAP_MOST 32u /* completions; the others of the poller wait */

bool verbs_reap(struct rn_queue *q, struct verbs_queue *v)
{
	struct ibv_poll_cq_attr attr = {0};
	struct ibv_cq_ex *cq = v->tx_cq;
	bool good = true;
	unsigned n = 0;
	int rc;

	if (v->posted == v->done)
		return true;
	rc = ibv_start_poll(cq, &attr);
	if (!rc) {
		do
			good = take(q, v, cq);
		while (good && ++n < REAP_MOST && !(rc = ibv_next_poll(cq)));
		ibv_end_poll(cq);
		rn_poller_touch(q->poller, q);
	}
	if (!good)
		rn_rdma_broke(q, &v->tx_state);
	else if (rc && rc != ENOENT)
		rn_queue_fault(q, RAWNET_BYE_DEVICE);
	return good;
}

/* ---- requests ---- */

/* They go back with the request that needs them last, or at once. */
void verbs_pass(struct rn_queue *q, struct verbs_queue *v, uint32_t slots)
{
	q->tx.next += slots;
	if (v->posted == v->done)
		q->tx.daemon = q->tx.next;
	else
		v->fifo[(v->posted - 1) & v->mask].slot_end = q->tx.next;
}

/* Requests that never complete, from this number on: their packets are lost. What whole copies of
 * theirs are not used again before nothing is with the device. */
static void lose_from(struct rn_queue *q, struct verbs_queue *v, uint32_t first)
{
	rn_count(q, RAWNET_Q_TX_DROP_DEVICE, v->posted - first);
	v->posted = first;
	if (first == v->done)
		v->frame_posted = v->frame_done;
	verbs_pass(q, v, 0);
}

void verbs_send_anew(struct rn_queue *q, struct verbs_queue *v)
{
	lose_from(q, v, v->done);
	v->tx_epoch++;
	rn_count(q, RAWNET_Q_MENDED, 1);
	rn_poller_touch(q->poller, q);
}

static bool is_odd(const struct verbs_queue *v, uint32_t i)
{
	return v->odd >> i & 1;
}

/* As a list. The number of those that the device took. */
static uint32_t post_list(struct verbs_queue *v, uint32_t first, uint32_t n)
{
	struct ibv_send_wr *bad, *last = &v->wr[n - 1];
	int rc;

	for (uint32_t i = 0; i < n; i++) {
		struct ibv_send_wr *wr = &v->wr[i];

		wr->wr_id = verbs_request_id(v, first + i);
		if (is_odd(v, i))
			continue;
		wr->num_sge = 1;
		wr->opcode = IBV_WR_SEND;
		wr->send_flags = 0;
		wr->sg_list[0] = v->plain[i];
	}
	last->send_flags |= IBV_SEND_SIGNALED;
	last->next = NULL;
	rc = ibv_post_send(v->rdma.qp, v->wr, &bad);
	last->next = last + 1;
	return rc ? (uint32_t)(bad - v->wr) : n;
}

static void call_odd(struct ibv_qp_ex *qp, const struct ibv_send_wr *wr)
{
	const unsigned flags = qp->wr_flags;

	qp->wr_flags = flags | wr->send_flags;
	if (wr->opcode == IBV_WR_TSO)
		ibv_wr_send_tso(qp, wr->tso.hdr, wr->tso.hdr_sz, wr->tso.mss);
	else
		ibv_wr_send(qp);
	ibv_wr_set_sge_list(qp, (size_t)wr->num_sge, wr->sg_list);
	qp->wr_flags = flags;
}

static inline void call(struct ibv_qp_ex *qp, const struct verbs_queue *v, uint32_t i, uint64_t id)
{
	const struct ibv_sge *piece = &v->plain[i];

	qp->wr_id = id;
	if (__builtin_expect(is_odd(v, i), 0)) {
		call_odd(qp, &v->wr[i]);
		return;
	}
	ibv_wr_send(qp);
	ibv_wr_set_sge(qp, piece->lkey, piece->addr, piece->length);
}

/* By calls for each. The device takes all or none. */
static uint32_t post_calls(const struct verbs_queue *v, uint32_t first, uint32_t n)
{
	const uint64_t epoch = verbs_request_id(v, 0);
	struct ibv_qp_ex *qp = v->qp_ex;
	uint32_t i;

	ibv_wr_start(qp);
	qp->wr_flags = 0;
	for (i = 0; i < n - 1; i++)
		call(qp, v, i, epoch | (first + i));
	qp->wr_flags = IBV_SEND_SIGNALED;
	call(qp, v, i, epoch | (first + i));
	return ibv_wr_complete(qp) ? 0 : n;
}

void verbs_ring(struct rn_queue *q, struct verbs_queue *v)
{
	const uint32_t n = v->n_wr, first = v->posted - n;
	uint32_t took;

	if (!n)
		return;
	v->fifo[(v->posted - 1) & v->mask] = (struct verbs_sent) {q->tx.next, v->frame_posted};
	q->hwq->kick = true;
	took = v->qp_ex ? post_calls(v, first, n) : post_list(v, first, n);
	v->n_wr = v->odd = 0;
	if (took == n)
		return;
	lose_from(q, v, first + took);
	rn_rdma_broke(q, &v->tx_state);
}
