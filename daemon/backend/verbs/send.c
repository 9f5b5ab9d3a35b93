/* SPDX-License-Identifier: BSD-2-Clause */
/* Send requests to the device, and their completions: send.h. */
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

bool verbs_reap(struct rn_queue *q, struct verbs_queue *v)
{
	struct ibv_wc wc[8];
	int n;

	if (v->posted == v->done)
		return true;
	n = ibv_poll_cq(v->rdma.tx_cq, 8, wc);
	if (n < 0)
		rn_queue_fault(q, RAWNET_BYE_DEVICE);
	if (n > 0)
		rn_poller_touch(q->poller, q);
	for (int i = 0; i < n; i++) {
		const bool failed = wc[i].status != IBV_WC_SUCCESS;

		if (failed)
			rn_count(q, RAWNET_Q_TX_ERRORS, 1);
		if (is_stale(v, wc[i].wr_id))
			continue;
		if (failed) {
			rn_rdma_broke(q, &v->tx_state);
			return false;
		}
		finish(q, v, (uint32_t)wc[i].wr_id);
	}
	return true;
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

/* As a list. The number of those that the device took. */
static uint32_t post_list(struct verbs_queue *v, uint32_t n)
{
	struct ibv_send_wr *bad, *last = &v->wr[n - 1];
	int rc;

	last->next = NULL;
	rc = ibv_post_send(v->rdma.qp, v->wr, &bad);
	last->next = last + 1;
	return rc ? (uint32_t)(bad - v->wr) : n;
}

/* By calls for each, where the provider has them, which cost it less. It takes all or none. */
static uint32_t post_calls(struct ibv_qp_ex *qp, const struct verbs_queue *v, uint32_t n)
{
	ibv_wr_start(qp);
	for (uint32_t i = 0; i < n; i++) {
		const struct ibv_send_wr *wr = &v->wr[i];
		const struct ibv_sge *sge = wr->sg_list;

		qp->wr_id = wr->wr_id;
		qp->wr_flags = wr->send_flags;
		if (__builtin_expect(wr->opcode == IBV_WR_TSO, 0))
			ibv_wr_send_tso(qp, wr->tso.hdr, wr->tso.hdr_sz, wr->tso.mss);
		else
			ibv_wr_send(qp);
		if (wr->num_sge == 1)
			ibv_wr_set_sge(qp, sge->lkey, sge->addr, sge->length);
		else
			ibv_wr_set_sge_list(qp, (size_t)wr->num_sge, sge);
	}
	return ibv_wr_complete(qp) ? 0 : n;
}

void verbs_ring(struct rn_queue *q, struct verbs_queue *v)
{
	const uint32_t n = v->n_wr, first = v->posted - n;
	uint32_t took;

	if (!n)
		return;
	v->wr[n - 1].send_flags |= IBV_SEND_SIGNALED;
	v->fifo[(v->posted - 1) & v->mask] = (struct verbs_sent) {q->tx.next, v->frame_posted};
	v->n_wr = 0;
	q->hwq->kick = true;
	took = v->qp_ex ? post_calls(v->qp_ex, v, n) : post_list(v, n);
	if (took == n)
		return;
	lose_from(q, v, first + took);
	rn_rdma_broke(q, &v->tx_state);
}
