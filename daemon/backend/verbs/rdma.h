/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the verbs and the mlx5 backend share: the device of a port, a client's memory as the device
 * sees it, receive queues as targets of rules, and the rule table in the NIC.
 *
 * Objects, each made on those before it and destroyed in the reverse order:
 *
 *   device      rn_rdma        of a port: one ibv_context
 *   memory      rn_rdma_mem    of an attachment: a protection domain of its own with one region,
 * its packet memory. The NIC itself confines the client's queues to it. queue       rn_rdma_queue
 * of a client's queue: completion queues, receive WQ, send QP target      rn_target      of a set
 * of attachments: an indirection table over their receive WQs and a QP for each way of hashing;
 * where rules send packets rule        rn_rdma_rule   flows in the NIC, each to a QP of a target
 *
 * Threads: control, unless a function says poller.
 */
#ifndef RN_RDMA_H
#define RN_RDMA_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdint.h>

#include "../backend.h"
#include "../../ring.h"

#define RN_RDMA_PRIORITIES 16u /* that a user's flows may have; 0 is kept for exceptions */
#define RN_RDMA_TAG	   0xffffffu /* bits of a flow tag: the low ones of a rule's handle */

struct rn_rdma;

/* ---- device.c ---- */

struct rn_rdma_caps { /* what was asked of the device, for the report and for decisions */
	uint32_t part; /* number of the chip, vendor_part_id */
	char fw[64];
	uint32_t max_wr; /* of one queue */
	uint32_t max_cqe;
	uint32_t max_indirection; /* entries of an indirection table */
	uint32_t max_sge;
	bool csum; /* raw packets: checksums verified and filled in */
	uint32_t max_tso; /* bytes of one packet to be segmented; 0: none */
	bool stamps;
};

/* Finds the RDMA device of an interface and checks what both backends need; 0, or why not. The
 * caller closes *ctx. */
int rn_rdma_find(const struct rn_port_config *config, struct ibv_context **ctx,
		 struct rn_rdma_caps *caps, struct rn_err *err);
/* What keeps a process from using the device well: descriptors, locked memory, privileges. */
int rn_rdma_rights(const struct rn_port_config *config, struct rn_err *err);
void rn_rdma_close_device(struct ibv_context *ctx);
/* For the log: the device, its numbers, what kind of function it is. */
void rn_rdma_report(const struct rn_port *port, FILE *out);
/* One line of it. */
static inline void rn_rdma_say(FILE *out, const char *what, bool used, const char *how,
			       const char *why_not)
{
	fprintf(out, "%s: %s%s\n", what, used ? "" : "not used: ", used ? how : why_not);
}

/* ---- memory.c ---- */

struct rn_rdma_mem {
	uint32_t refs; /* queues of the attachment */
	struct ibv_pd *pd;
	struct ibv_mr *packets;
	uint8_t *trash; /* where packets go whose slot named no buffer; buf_size bytes */
	struct ibv_mr *trash_mr;
	struct rn_target *target; /* to this attachment alone; made by the first rule */
	uint32_t rules; /* that have it as a member and are mirrored, or should be: mlx5/egress.c */
	uint32_t unmirrored; /* of them, those that the daemon polices */
	bool awaited; /* its pollers have had time to give its first buffers to the device */
};

int rn_rdma_mem_get(struct rn_rdma *rdma, struct rn_attachment *at, struct rn_err *err);
void rn_rdma_mem_put(struct rn_attachment *at);
/* -errno of a verbs call, with a sentence that knows what usually causes it. */
int rn_rdma_fail(struct rn_err *err, const struct rn_rdma *rdma, const char *what, int error);

/* pd for queues that one thread uses, without locks and with registers of their own. NULL: there is
 * no thread domain, or errno. */
struct ibv_pd *rn_rdma_parent(struct ibv_pd *pd, struct ibv_td *td);

/* ---- what a client's queue has; the first member of each backend's own ---- */

struct rn_rdma_queue {
	struct rn_rdma_mem *mem;
	struct ibv_cq *rx_cq, *tx_cq;
	struct ibv_wq *wq;
	struct ibv_qp *qp; /* sends */
	uint32_t spare; /* rn_rdma_spare() */
	bool asleep; /* the sleep flag of the rx ring is set; poller */
	bool fed; /* the device has had a buffer of the client; poller, read by control */
	/* control thread */
	uint32_t hurt; /* RN_HURT_*: what the device said, and nobody has looked after yet */
	uint64_t rx_mended_ns;
};

/* Posted buffers that the device does not get. What it has cannot be taken back from it, and two
 * kinds of packets need some: copies of broadcasts, which come to the attachment's first queue
 * whenever it subscribes, and what other clients of the port send (switch.h), to any. */
static inline uint32_t rn_rdma_spare(const struct rn_queue *q)
{
	const bool local = q->hwq->port->config.local_switching;
	const uint32_t eighth = (q->rx.mask + 1) / 8, most = local ? 256 : 64;

	if (q->index && !local)
		return 0;
	return eighth < most ? eighth : most;
}

/* What a queue has sent to the wire. */
struct rn_rdma_sent {
	uint64_t packets, bytes;
};

static inline struct rn_rdma_sent rn_rdma_sent(const struct rn_queue *q)
{
	const uint64_t *port = q->hwq->counters->v;

	return (struct rn_rdma_sent) {
		q->count[RAWNET_Q_TX_PACKETS] - port[RAWNET_P_LOCAL_PACKETS],
		q->count[RAWNET_Q_TX_BYTES] - port[RAWNET_P_LOCAL_BYTES],
	};
}

/* Poller: adds to the port's counters what was sent since. */
static inline void rn_rdma_count_sent(struct rn_queue *q, const struct rn_rdma_sent *before)
{
	const struct rn_rdma_sent now = rn_rdma_sent(q);

	rn_count_port(q->hwq, RAWNET_P_TX_PACKETS, now.packets - before->packets);
	rn_count_port(q->hwq, RAWNET_P_TX_BYTES, now.bytes - before->bytes);
}

static inline struct rn_rdma_queue *rn_rdma_queue_of(const struct rn_queue *q)
{
	return q->hw;
}

/* Poller: buffers were posted. */
static inline void rn_rdma_fed(const struct rn_queue *q)
{
	__atomic_store_n(&rn_rdma_queue_of(q)->fed, true, __ATOMIC_RELAXED);
}

/* Poller, before it sleeps: `held` buffers are with the device. If those are few the client is
 * asked to wake the poller when it posts more; the flag is not fenced on its side, hence "briefly".
 */
static inline enum rn_armed rn_rdma_armed(struct rn_queue *q, uint32_t held)
{
	if (held >= (q->rx.mask + 1) / 2)
		return RN_ARMED;
	rn_rdma_queue_of(q)->asleep = true;
	rn_ring_set_sleep(&q->rx, 1);
	return RN_ARMED_BRIEFLY;
}

/* Awake again: once a burst, where posted slots are looked at. */
static inline void rn_rdma_awake(struct rn_queue *q)
{
	if (!rn_rdma_queue_of(q)->asleep)
		return;
	rn_rdma_queue_of(q)->asleep = false;
	rn_ring_set_sleep(&q->rx, 0);
}

/* ---- events.c, mend.c ---- */

enum {
	RN_HURT_RX = 1,
	RN_HURT_TX = 2,
	RN_HURT_CQ = 4
};

/* Who a direction of a queue belongs to. Its poller marks it as broken when the device reports an
 * error, leaves it alone, and calls rn_queue_sick(); or the control thread marks it when the device
 * has said so, and waits for a grace period. The control thread sets the device's objects up again
 * and marks it as mended, with release; the poller makes its own memory agree with that, and goes
 * on. */
enum rn_rdma_state {
	RN_RDMA_WORKS, /* the poller's */
	RN_RDMA_BROKEN, /* the control thread's */
	RN_RDMA_MENDED, /* the poller's: it has to begin anew */
};

/* Poller, once a burst. False: nothing can be done with it now. *anew: it was mended. */
static inline bool rn_rdma_usable(uint32_t *state, bool *anew)
{
	uint32_t now = __atomic_load_n(state, __ATOMIC_ACQUIRE);

	*anew = false;
	if (__builtin_expect(now == RN_RDMA_WORKS, 1))
		return true;
	/* Taken back before the work on it: the control thread's next mark is not overwritten. */
	*anew = now == RN_RDMA_MENDED &&
		__atomic_compare_exchange_n(state, &now, RN_RDMA_WORKS, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED);
	return *anew;
}

static inline void rn_rdma_broke(struct rn_queue *q, uint32_t *state)
{
	__atomic_store_n(state, RN_RDMA_BROKEN, __ATOMIC_RELEASE);
	rn_queue_sick(q);
}

/* A look that takes nothing back: is there something for rn_rdma_usable() to begin? */
static inline bool rn_rdma_is_mended(const uint32_t *state)
{
	return __atomic_load_n(state, __ATOMIC_RELAXED) == RN_RDMA_MENDED;
}

/* port->event_fd is readable: what the device says of its objects and of itself. */
void rn_rdma_events(struct rn_port *port);

/* The directions of a queue, for rn_rdma_mend(), which is queue_mend of
 * struct rn_backend. */
struct rn_rdma_sides {
	uint32_t *rx_state, *tx_state;
};
int rn_rdma_mend(struct rn_port *port, struct rn_queue *q, const struct rn_rdma_sides *sides,
		 bool may, struct rn_err *err);
/* From RESET to sending: 0 or an errno. */
int rn_rdma_start_qp(struct ibv_qp *qp);

/* ---- target.c ---- */

/* Ways of hashing: one QP hashes one kind of packet (kernel: create_rss_raw_qp_tir). */
enum rn_hash_kind {
	RN_HASH_NONE,
	RN_HASH_IP4,
	RN_HASH_IP6,
	RN_HASH_TCP4,
	RN_HASH_UDP4,
	RN_HASH_TCP6,
	RN_HASH_UDP6,
	RN_HASH_KINDS
};

struct rn_target {
	struct rn_rdma *rdma;
	struct rn_rdma_mem *of; /* the memory whose target it is; NULL: of a group or of nobody */
	uint32_t refs;
	uint32_t queues; /* receive queues behind it */
	struct ibv_rwq_ind_table *table,
		*first; /* first: of one entry, for packets without a hash */
	struct ibv_qp *qp[RN_HASH_KINDS]; /* made when a rule needs it */
};

/* The target of a rule's members; with none of them one that drops. */
int rn_target_get(struct rn_rdma *rdma, const struct rn_members *members, struct rn_target **target,
		  struct rn_err *err);
void rn_target_put(struct rn_target *target);
int rn_target_qp(struct rn_target *target, enum rn_hash_kind kind, struct ibv_qp **qp,
		 struct rn_err *err);

/* ---- rules.c, layers.c ---- */

/* One flow: what it matches, more closely than the rule if several flows make it up. */
struct rn_flow {
	struct rn_key key, mask; /* of the rule; ethertype and proto may be added */
	bool whole; /* no fragments */
	uint32_t tag;
	uint16_t priority;
};

/* What differs between backends. */
struct rn_flow_ops {
	/* Can the NIC tell these packets from others? -EOPNOTSUPP with a sentence if not. */
	int (*check)(const struct rn_rdma *rdma, const struct rn_flow *flow, struct rn_err *err);
	/* The backend's own, for destroy; NULL: errno says why not. */
	void *(*create)(struct rn_rdma *rdma, const struct rn_flow *flow, struct ibv_qp *qp);
	void (*destroy)(struct rn_rdma *rdma, void *flow);
	/* What the NIC lets the rule's members send agrees with them from now on; without a rule
	 * nobody is let anything by it. *mirror: the backend's own, NULL at first. NULL: the daemon
	 * polices. */
	void (*mirror)(struct rn_rdma *rdma, const struct rn_rule *rule, void **mirror);
};

/* Where a shape stands: consecutive priorities. With `spare` there is one more than its levels, so
 * that a rule's flows can be made anew one priority above or below the old ones: of the two the
 * device takes one, and no packet comes twice or not at all while members change. */
struct rn_place {
	uint16_t priority; /* the first */
	uint16_t levels; /* 0: none yet */
	bool spare;
};

/* A shape in the NIC: layers.c keeps their order by priorities. */
struct rn_layer {
	const struct rn_shape *shape; /* NULL: free */
	struct rn_place place;
	struct rn_key ones, zeros; /* bits that all its rules have set, have clear */
	uint32_t rules;
};

#define RN_RULE_FLOWS 7u

struct rn_rdma_rule {
	struct rn_target *target;
	uint16_t priority; /* of its first level */
	uint16_t n;
	void *flow[RN_RULE_FLOWS]; /* as flow_ops made them */
	void *mirror; /* likewise */
};

/* The device of a port; the first member of each backend's own. */
struct rn_rdma {
	struct rn_port *port;
	struct ibv_context *ctx;
	struct rn_rdma_caps caps;
	const struct rn_flow_ops *flow_ops;
	struct rn_target *nobody; /* drops: a receive queue without buffers */
	struct ibv_pd *pd; /* the daemon's own */
	struct ibv_cq *drop_cq;
	struct ibv_wq *drop_wq;
	struct rn_layer layer[RN_SHAPES]; /* by the shape's slot */
	uint8_t order[RN_SHAPES]; /* slots, most specific first */
	uint32_t n_layers;
	uint32_t n_flows;
};

static inline struct rn_rdma *rn_rdma_of(const struct rn_port *port)
{
	return port->backend_data;
}

/* Fills port and rdma from the interface and the device; what it made rn_rdma_close unmakes, after
 * a failure too. */
int rn_rdma_open(struct rn_rdma *rdma, struct rn_port *port, const struct rn_flow_ops *ops,
		 struct rn_err *err);
void rn_rdma_close(struct rn_rdma *rdma);
extern const struct rn_steer_ops rn_rdma_steer;

/* Which packets of the rule this is about: makes room for the rule's shape among the priorities.
 * layers.c */
int rn_layers_set(struct rn_rdma *rdma, const struct rn_shape *const *order, unsigned n);
int rn_layers_admit(struct rn_rdma *rdma, const struct rn_rule *rule, struct rn_err *err);
/* rules.c, for layers.c: moves the shape's flows; they are at both priorities for a moment. */
int rn_rdma_move_shape(struct rn_rdma *rdma, const struct rn_shape *shape,
		       const struct rn_place *to, struct rn_err *err);

/* Where a rule's flows normally stand. */
static inline uint16_t rn_place_normal(const struct rn_place *place)
{
	return (uint16_t)(place->priority + place->spare);
}

#endif
