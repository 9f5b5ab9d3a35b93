/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue: the daemon's side of one rx ring and one tx ring of a client. Everything here is private
 * to the daemon; what the client can write is behind rx.ctl, tx.ctl, the slots and mem, and is read
 * once and checked (ring.h). One poller owns the queue between joining and leaving its set; the
 * control thread makes it before and frees it after a grace period.
 */
#ifndef RN_QUEUE_H
#define RN_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "rawnet/abi.h"
#include "rawnet/counters.h"
#include "rawnet/proto.h"
#include "bucket.h"
#include "head.h"
#include "probes.h"

struct rn_attachment;
struct rn_hwq;
struct rn_poller;
struct rn_queue_state;
struct rn_rule;

/* One ring as the daemon sees it. */
struct rn_ring {
	struct rawnet_ring_ctl *ctl;
	struct rawnet_slot *slots;
	uint32_t mask;
	uint32_t daemon; /* our index: never read back from shared memory */
	uint32_t client; /* the client's index when last looked, checked */
	uint32_t published; /* what ctl->daemon says */
	uint32_t next; /* owned queues: next slot to give to the device, in [daemon, client] */
};

/* What the last frame that policing allowed has in common with all others of its kind; police.c.
 * A frame that agrees with it in the masked bytes is allowed without parsing it. */
struct rn_police_hint {
	uint64_t epoch; /* of rn_police_changed(); another one: void */
	int32_t vlan; /* id of the slot's tag, or -1 */
	struct rn_head head;
};

/* What the policy grants; rates a second, 0: no bound. */
struct rn_queue_grant {
	uint64_t packet_rate, byte_rate;
	uint32_t weight; /* of the round robin, 1.. */
	bool police;
};

struct rn_queue {
	/* the data path, poller only */
	struct rn_ring rx, tx;
	void *hw; /* the backend's, owned queues; NULL: copied, rn_tx_run and rn_deliver */
	uint8_t *mem;
	uint64_t mem_size;
	uint32_t buf_shift; /* log2 of buf_size */
	uint32_t n_bufs;
	uint32_t headroom;
	uint32_t starts; /* received packets begin at so many different lines of a buffer, less 1 */
	bool touched; /* an index has to be published at the end of the turn */
	bool told; /* one was, and nobody has looked since whether the client sleeps */
	bool hot; /* in the poller's hot set */
	bool heavy; /* had all of its last burst, or has much all the time */
	bool limited; /* a bucket has a rate */
	bool police;
	uint32_t weight;
	uint32_t grants; /* queue_grant.h: how many there were, and those that are taken over */
	uint32_t grants_taken;
	uint32_t load; /* packets of the last looks, an eighth less at each */
	uint32_t served; /* of the burst that the last turn's end cut short */
	uint32_t rest; /* looks without the clock until rest_end is asked for; 0: no rest */
	uint32_t index; /* within the attachment */
	uint32_t idle_turns;
	uint32_t tx_segment; /* of the packet at tx.daemon, segments that are already sent (TSO) */
	uint32_t tx_paid, tx_paid_bytes; /* frames, bytes of it that are paid for and not sent */
	uint32_t wake_index; /* of its socket in the poller's table (poller.c) */
	uint32_t place; /* in the poller's set */
	uint32_t dead; /* a fault was found: not looked at any more */
	uint64_t *stamps; /* NULL: not asked for */
	uint64_t *count; /* v[] of its counter set (RAWNET_Q_*), shared read-only with the client */
	struct rn_queue_state *state; /* daemon-only, for adoption */
	struct rn_hwq *hwq; /* where it sends */
	struct rn_attachment *at;
	struct rn_poller *poller;
	struct rn_police_hint hint;
	uint64_t rest_end; /* ns */
	struct rn_queue_grant granted; /* by the control thread */
	struct rn_bucket packets, bytes;
	struct rn_bucket copies; /* of what it sends to groups, for others of the port (switch.c) */

	/* waking the client: wakes.h, and the waker's slot (waker.h) */
	bool held; /* stands among those whose wake-up is put off */
	uint64_t woken; /* when it was woken last, ns */
	uint64_t fed; /* when something came for it last while it slept, ns */
	uint32_t wake_slot;
	int wake_fd; /* daemon's end of the socketpair; in the poller's epoll set */
	uint32_t fault; /* 0, or 1 + enum rawnet_reason: poller sets it once, control reads it */
	uint32_t sick; /* the control thread is asked to mend it; see rn_queue_sick */
};

/* Adds to one of the queue's counters: one writer, so a load and a store. */
static inline void rn_count(struct rn_queue *q, enum rawnet_queue_counter c, uint64_t n)
{
	__atomic_store_n(&q->count[c], q->count[c] + n, __ATOMIC_RELAXED);
	if (rn_is_queue_drop(c))
		rn_probe_queue_drop(q, c, n);
}

/* Poller: this client broke the contract; stops serving the queue and tells the control thread,
 * which ends the client. Never blocks. */
void rn_queue_fault(struct rn_queue *q, enum rawnet_reason reason);
/* Poller or control thread: the device failed the queue; the backend's queue_mend() is called by
 * the control thread, and ends the client if it cannot mend it. Never blocks. */
void rn_queue_sick(struct rn_queue *q);

#endif
