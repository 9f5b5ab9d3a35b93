/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the verbs backend: raw packet queues with libibverbs alone, on any device that has
 * them. The portable reference that mlx5 is compared with.
 *
 * Receive. One WQ and one CQ for each client queue. Each slot that the client posts becomes one
 * receive request into the client's own buffer; its completion becomes the slot.
 *
 * Transmit. One QP and one CQ for each client queue. A frame leaves from the client's memory but
 * for its first 64 bytes, which are copied and checked, and sent from the copy (a request with
 * several pieces). What has to be looked at or changed as a whole (short frames, frames that
 * policing wants to see all of) is copied whole, by the daemon's common code.
 *
 * The requests of a call are given to the device at its end (send.c): by calls for each where the
 * provider has them (struct ibv_qp_ex), which cost it less, else as a list. The last of them asks
 * for a completion, which is that of all before it. While a client sends, completions are looked
 * for when half of the queue or of the client's ring is under way, or a frame that was copied
 * whole; when it does not, in each turn.
 *
 * Of offloads libibverbs knows segmentation, and both checksums together: an IPv4 frame with one of
 * them is done in software, as are all tags.
 *
 * Errors. At the first one the poller leaves the direction to the control thread (rdma.h). What the
 * device had then is known from the daemon's own books, not from flushed completions: a request
 * that was posted to a queue in error may never complete. Completions of before, should a provider
 * keep any over RESET, are told by the epoch in their wr_id: the numbers of requests that were lost
 * are given out again.
 *
 * Indexes. Requests are numbered from 0, freely running, modulo 2^32: `posted` is the next number,
 * `done` the oldest that has not completed. Request n uses head[n & mask], and the last of
 * a call fifo[n & mask], so at most mask + 1 are under way. Whole copies come from a ring of frames
 * of their own.
 */
#ifndef RN_VERBS_H
#define RN_VERBS_H

#include "rdma.h"
#include "tag.h"

#define RN_VERBS_BURST	32u /* requests in one call */
#define RN_VERBS_HEAD	64u /* bytes of a frame that are always copied: RN_POLICE_HEAD */
#define RN_VERBS_ROOM	128u /* for the head of a frame with checksums to fill in, and a tag */
#define RN_VERBS_TSO	144u /* for the headers of a packet to be segmented, and a tag */
#define RN_VERBS_SENDS	512u /* requests of a send queue under way */
#define RN_VERBS_FRAMES 32u /* whole copies under way */

struct verbs_sent { /* what is free when this request, and so all before it, has completed */
	uint32_t slot_end; /* slots of the tx ring up to here */
	uint32_t frame_end; /* whole copies up to here */
};

struct verbs_queue {
	struct rn_rdma_queue rdma;
	struct ibv_cq_ex *rx_cq, *tx_cq;
	struct ibv_pd *parent; /* of its queues: mem->pd and the poller's thread domain, or NULL */
	struct ibv_qp_ex *qp_ex; /* rdma.qp; NULL: the provider takes lists of requests only */
	struct ibv_mr *copies; /* heads, frames, the sentinel's packet */
	uint8_t *memory;
	uint32_t rx_state, tx_state; /* enum rn_rdma_state */
	/* receive */
	struct rn_tag tag;
	bool sentinel; /* it is posted: rx.c */
	bool sums; /* the provider has told of good checksums */
	uint64_t *
		ids; /* wr_id of the requests [rx_done, rx_posted), one for each slot of the ring */
	uint32_t rx_posted, rx_done;
	uint32_t rx_epoch; /* how often it was mended */
	uint8_t *sentinel_mem;
	/* transmit */
	uint32_t tx_epoch;
	uint32_t posted, done, mask;
	uint32_t frame_posted, frame_done;
	uint32_t frame_size;
	struct verbs_sent *fifo;
	/* Requests of one call, RN_VERBS_BURST: a plain one is its only piece, `odd` has a bit for
	 * each of the others, which are in the list. */
	struct ibv_sge *plain;
	struct ibv_send_wr *wr;
	struct ibv_sge *sge; /* of wr, RAWNET_TX_SEGS + 1 for each */
	uint32_t odd;
	uint8_t *tso; /* RN_VERBS_TSO for each: read when they are posted */
	uint32_t max_tso; /* bytes of a packet; 0: the device does not segment */
	bool csum;
	uint32_t n_wr;
	uint32_t n_local; /* frames that may still go to other clients of the port in this call */
};

/* Receive requests of one call. What leads from one to the next, and to its buffer, is set once. */
struct verbs_requests {
	struct ibv_recv_wr wr[RN_VERBS_BURST + 1]; /* the last: what stands behind a full list */
	struct ibv_sge sge[RN_VERBS_BURST];
};

struct verbs_hwq {
	struct rn_hwq hwq;
	struct verbs_requests requests;
	struct ibv_comp_channel *channel;
	struct ibv_td *td; /* NULL: the provider locks queues as if many threads used them */
	bool armed; /* a queue was: events may come */
};

struct verbs_port {
	struct rn_rdma rdma;
};

static inline struct verbs_queue *verbs_queue_of(const struct rn_queue *q)
{
	return q->hw;
}

static inline struct verbs_hwq *verbs_hwq_of(struct rn_hwq *hwq)
{
	return (struct verbs_hwq *)(void *)hwq;
}

static inline void verbs_requests_link(struct verbs_requests *list)
{
	for (uint32_t i = 0; i < RN_VERBS_BURST; i++)
		list->wr[i] = (struct ibv_recv_wr) {
			.next = &list->wr[i + 1], .sg_list = &list->sge[i], .num_sge = 1};
}

/* queue.c; control thread */
int verbs_queue_create(struct rn_port *port, struct rn_queue *q, struct rn_err *err);
void verbs_queue_destroy(struct rn_port *port, struct rn_queue *q);
void verbs_queue_recall(struct rn_queue *q);
int verbs_queue_mend(struct rn_port *port, struct rn_queue *q, bool may, struct rn_err *err);

/* rx.c, tx.c; poller */
unsigned verbs_queue_rx(struct rn_queue *q, unsigned budget);
unsigned verbs_queue_tx(struct rn_queue *q, unsigned budget);
enum rn_armed verbs_queue_arm(struct rn_queue *q);
void verbs_refill(struct rn_queue *q);

/* flow.c */
int rn_verbs_flow_check(const struct rn_rdma *rdma, const struct rn_flow *f, struct rn_err *err);
void *rn_verbs_flow(struct rn_rdma *rdma, const struct rn_flow *f, struct ibv_qp *qp);
void rn_verbs_flow_destroy(struct rn_rdma *rdma, void *flow);

#endif
