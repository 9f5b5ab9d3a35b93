/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the mlx5 backend: queues made with libibverbs and libmlx5, and then driven by the
 * daemon itself, which writes requests and doorbells and reads completions (wqe.h, cqe.h,
 * doorbell.h). The NIC reads and writes the clients' own memory.
 *
 * Receive. A client's rx ring has as many slots as the receive queue has requests. Of the ring,
 * [daemon, next) is with the device. Requests are numbered from 0, freely running: [done, posted)
 * are with the device, and posted - done == next - daemon, not counting the sentinel. A request's
 * number is not its slot's index, since a copy of a broadcast takes a slot without a request
 * (deliver.c). The device completes requests in order, so the packet of the oldest goes into the
 * slot at `daemon`.
 *
 * The sentinel. When the device has no buffer left, because the client posts none, one request
 * without a slot is posted, into memory of the daemon. Its packet is copied to the client if there
 * is a slot by then, and dropped if not. So the device goes on telling of the packets that it drops
 * (a completion counts those since the last one, up to 255), and a poller that sleeps is woken by
 * them and sees when the client posts again.
 *
 * Room in the completion queue. A request makes one completion at most, and is posted again only
 * after its completion was read. A session of compressed completions that was read in part has
 * some of its requests posted again while its entries are not released yet; so entries in use are
 * never more than twice the requests, and the ring has that many: it cannot overrun, and its
 * consumer index is never told to the device (IGNORE_OVERRUN).
 *
 * Transmit. [ci, pi) are the basic blocks of the send queue that the device has, running freely. A
 * request whose completion was asked for has an entry in `sent`, in order. The completion queue has
 * as many entries as the send queue has blocks, so it cannot overrun even if each request fails
 * with a completion of its own.
 *
 * A packet that was copied into its request needs its slots no longer. One that was sent by
 * reference does until its completion: `by_reference` is the block behind the last of those, and as
 * long as ci has not passed it, `daemon` waits for completions.
 *
 * Who touches a queue: its poller, unless a direction is broken (../verbs/rdma.h). A mended one has
 * no request with the device, and its indexes there are 0: the poller reads what completions there
 * are, gives the buffers of requests that were lost back to the client (rx: as unused ones), and
 * begins at 0 as well. The index of the completion queue goes on.
 */
#ifndef RN_MLX5_H
#define RN_MLX5_H

#include <infiniband/mlx5dv.h>

#include "../../tx.h"
#include "../verbs/rdma.h"
#include "../verbs/tag.h"
#include "clock.h"
#include "cqe.h"
#include "doorbell.h"
#include "mirror.h"
#include "wqe.h"

#define RN_MLX5_GROUP  8u /* receive requests written together: two cache lines */
#define RN_MLX5_BLOCKS 1024u /* of a send queue at most */
#define RN_MLX5_FRAMES 8u /* whole copies under way */
#define RN_MLX5_INLINE 204u /* frames up to this go out whole within a request, if checked */
#define RN_MLX5_HEAD   66u /* bytes of longer ones that are copied and checked */
#define RN_MLX5_HEAD_MAX \
	138u /* of those with checksums or segments to make: a tag, IP and TCP options */
_Static_assert(RN_MLX5_HEAD >= RN_POLICE_HEAD, "what policing rests on is copied");

/* What the device can do and what of it is used; decided at the start. */
struct rn_mlx5_features {
	bool empw; /* several packets in a request */
	bool compress; /* completions; format HASH */
	bool insert_tag;
	bool thread_domains; /* a doorbell register for each poller */
	bool clock; /* its time can be converted */
	uint32_t min_inline; /* bytes of each frame that must stand in the request */
};

/* What a completion said of its packet besides length and hash: that of the next one mostly. */
struct rn_mlx5_alike {
	uint32_t tag;
	uint16_t parsed;
	uint32_t hashing;
	uint32_t changes; /* of the rule table then: another number, and it is void */
	bool valid;
	uint64_t flags; /* as they stand in the first word of a slot */
	uint64_t rule; /* by this rn_cqe_hashed() differs from the second word */
};

struct rn_mlx5_rx {
	/* read for each packet */
	struct rn_cqe *cqe;
	struct rn_data *wqe;
	uint32_t cq_log, wq_mask;
	uint32_t ci; /* next completion; of a session: its title */
	uint32_t posted, done;
	uint32_t seen; /* client's index of the rx ring when buffers were posted last */
	uint64_t base; /* address of packet memory */
	/* session of compressed completions at ci: packets [session_at, session_n) are unread */
	uint32_t session_at, session_n;
	uint32_t session_index; /* of the rule */
	uint16_t session_flags;
	uint16_t unused;
	struct rn_sessions sessions;
	struct rn_tag tag;
	struct rn_mlx5_alike alike;
	/* read for each burst */
	uint32_t *record;
	uint32_t state; /* enum rn_rdma_state */
	uint32_t lkey_be, trash_lkey_be, length;
	uint64_t trash;
	uint32_t elsewhere; /* requests under way that do not lead into the client's memory */
	bool sentinel; /* request number sentinel_at is one */
	bool draining; /* completions of before it was mended are read */
	uint32_t sentinel_at;
	uint32_t sentinel_lkey_be;
	uint8_t *sentinel_mem;
	/* arming */
	uint32_t *cq_record;
	void *page;
	uint32_t cqn, sequence;
};

/* A request that asked for its completion. */
struct rn_mlx5_sent {
	uint32_t end; /* block behind it */
	uint32_t slot_end; /* tx ring index behind what it and all before it need */
	uint32_t packets; /* since the one before */
	uint16_t index; /* of its first block, as the completion names it */
	uint16_t frames; /* whole copies since the one before */
};

struct rn_mlx5_tx {
	/* all that a call with nothing to do looks at */
	uint32_t state;
	uint32_t mask; /* of blocks */
	uint32_t pi, ci;
	uint32_t by_reference;
	uint32_t quiet_blocks, quiet_packets, quiet_frames; /* since the last request that asked
							       for its completion */
	uint32_t sent_head, sent_tail; /* [head, tail) of `sent` are under way */
	/* requests */
	uint8_t *sq;
	uint32_t sqn;
	uint32_t lkey_be; /* of packet memory */
	uint32_t vouched_be; /* metadata of what the NIC lets pass unchecked (egress.c); 0: it
				checks nothing */
	bool nic_polices; /* and what is sent by reference is checked by the NIC; written by control
			   */
	bool empw, csum, insert_tag; /* what the device does */
	uint32_t min_inline;
	uint32_t max_tso; /* bytes of one packet to be segmented; 0: none */
	uint32_t *record;
	uint64_t *reg;
	/* completions */
	struct rn_cqe *cqe;
	uint32_t cq_log, cq_ci;
	struct rn_mlx5_sent *sent; /* as many as blocks */
	/* whole copies */
	uint8_t *frames; /* and the sentinel's memory behind them */
	uint32_t frame_size, frame_lkey_be;
	uint32_t frame_posted, frame_done;
};

struct rn_mlx5_queue {
	struct rn_rdma_queue rdma;
	_Alignas(64) struct rn_mlx5_rx rx;
	struct rn_mlx5_tx tx;
	/* control thread */
	struct ibv_pd
		*parent; /* protection domain of the attachment, thread domain of the poller */
	struct ibv_mr *frames_mr;
	struct rn_mlx5_flow *guard[RN_GUARDS];
};

struct rn_mlx5_hwq {
	struct rn_hwq hwq;
	struct ibv_comp_channel *channel;
	struct ibv_td *td; /* NULL: registers are shared */
	bool armed; /* a queue was: events may come */
	struct rn_mlx5_clock clock; /* without a context: there is none; the poller's */
};

struct rn_mlx5_port {
	struct rn_rdma rdma;
	struct rn_mlx5_features has;
	struct rn_mlx5_matcher *matchers; /* matcher.c */
	struct rn_mlx5_exceptions *exceptions; /* flow.c */
	const char *no_nic_policing; /* why not; NULL: where rules allow it */
};

static inline struct rn_mlx5_port *rn_mlx5_port_of(const struct rn_port *port)
{
	return port->backend_data;
}

static inline struct rn_mlx5_queue *rn_mlx5_queue_of(const struct rn_queue *q)
{
	return q->hw;
}

static inline struct rn_mlx5_hwq *rn_mlx5_hwq_of(struct rn_hwq *hwq)
{
	return (struct rn_mlx5_hwq *)(void *)hwq;
}

static inline uint32_t rn_least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* From index `at` of a ring to its end. */
static inline uint32_t rn_to_end(uint32_t at, uint32_t mask)
{
	return mask + 1 - (at & mask);
}

/* device.c */
/* Settings in the environment that would change what libmlx5 makes: before its first call. */
void rn_mlx5_environment(void);
int rn_mlx5_features(struct ibv_context *ctx, const struct rn_rdma_caps *caps,
		     struct rn_mlx5_features *has, const char *dev, struct rn_err *err);

/* queue.c; control thread */
int rn_mlx5_queue_create(struct rn_port *port, struct rn_queue *q, struct rn_err *err);
void rn_mlx5_queue_destroy(struct rn_port *port, struct rn_queue *q);
void rn_mlx5_queue_recall(struct rn_queue *q);
int rn_mlx5_queue_mend(struct rn_port *port, struct rn_queue *q, bool may, struct rn_err *err);

/* rx.c (single.c, session.c), refill.c, tx.c; poller */
unsigned rn_mlx5_queue_rx(struct rn_queue *q, unsigned budget);
enum rn_armed rn_mlx5_queue_arm(struct rn_queue *q);
bool rn_mlx5_queue_waits(const struct rn_queue *q);
void rn_mlx5_queue_ahead(const struct rn_queue *q);
/* Buffers that the client posted since go to the device, in groups unless it is about to run dry.
 */
void rn_mlx5_refill(struct rn_queue *q);
unsigned rn_mlx5_queue_tx(struct rn_queue *q, unsigned budget);

/* flow.c; control thread */
extern const struct rn_flow_ops rn_mlx5_flow_ops;
int rn_mlx5_flows_open(struct rn_mlx5_port *m);
void rn_mlx5_flows_close(struct rn_mlx5_port *m);

/* egress.c; control thread */
void rn_mlx5_egress_open(struct rn_mlx5_port *m);
void rn_mlx5_guard(struct rn_mlx5_port *m, struct rn_queue *q);
void rn_mlx5_unguard(struct rn_mlx5_port *m, struct rn_mlx5_queue *queue);
void rn_mlx5_mirror(struct rn_rdma *rdma, const struct rn_rule *rule, void **mirror);
void rn_mlx5_addresses(struct rn_port *port);

#endif
