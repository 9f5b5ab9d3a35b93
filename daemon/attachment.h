/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An attachment: a client's share of one port: three shared memfds and a private one, queues,
 * rules.
 *
 * Its life, all in the control thread: create (memory, queues, in the pollers' sets) → serves →
 * retire (its rules leave the table, its queues the pollers' sets) → a grace period
 * (synchronize_rcu(), one for many attachments) → free (hardware queues destroyed, memory unmapped,
 * quota given back by the caller). This order is what keeps a device from writing to memory that
 * somebody else got.
 */
#ifndef RN_ATTACHMENT_H
#define RN_ATTACHMENT_H

#include <stdint.h>
#include <urcu/list.h>

#include "rawnet/proto.h"
#include "err.h"
#include "port.h"
#include "queue.h"
#include "shm.h"

struct rn_rule;
struct rn_state;

/* A rule with its index, or an index that is free. */
struct rn_indexed {
	struct rn_rule *rule;
	uint32_t next_free; /* as rn_attachment's free_index */
};

struct rn_attachment {
	uint32_t id; /* daemon-wide, never 0, not used again */
	uint32_t uid;
	char label[RAWNET_LABEL];
	struct rn_port *port;
	void *client; /* struct rn_client of control, opaque to the data path */
	struct cds_list_head list; /* of the port */

	uint32_t n_queues;
	struct rn_queue *queue; /* n_queues */
	/* Queues of each poller of the port: poller k has first[k] .. first[k + 1] - 1. Pollers
	 * read. */
	uint16_t first[RN_PORT_POLLERS + 1];
	uint32_t n_rules;
	/* Its rules by their indexes; all of this is steer's (steer_owner.c). */
	struct rn_indexed *rule;
	uint32_t n_indexes, max_indexes;
	uint32_t free_index; /* + 1: the first that was given back; 0: none */
	uint32_t copies; /* RAWNET_COPY_* */
	uint32_t rx_size, tx_size, buf_size, n_bufs, headroom;
	struct rn_shm shm;
	uint64_t memory; /* bytes that count against the quota */
	int *peer_fd; /* client's ends of the wake-up sockets until they are sent; then -1 */
	bool retired;
	bool charged; /* counts against the quota of its uid */
	void *hw; /* the backend's, owned queues: from the first queue_create to the last
		   * queue_destroy
		   */
};

/* What the policy grants beyond the request. */
struct rn_grant {
	uint32_t uid;
	const char *label;
	void *client;
	bool huge; /* huge pages may be used */
	bool spoof; /* transmit is not policed */
	uint32_t weight; /* 0: 1 */
	uint64_t packet_rate, byte_rate; /* a second; 0: no bound */
};

/* Fills in the defaults of a request for this port and checks it: -EINVAL or -EMSGSIZE with a
 * sentence that names the field. *memory: bytes that the attachment will count. Changes nothing. */
int rn_attachment_plan(const struct rn_port *port, struct rawnet_req_attach *req, uint64_t *memory,
		       struct rn_err *err);
/* req must have passed rn_attachment_plan. On success the attachment serves; rules that waited for
 * uid and label are its own. */
int rn_attachment_create(struct rn_port *port, const struct rawnet_req_attach *req,
			 const struct rn_grant *grant, struct rn_attachment **at,
			 struct rn_err *err);
/* An attachment of the last daemon goes on: its memory, its rings and what is in them. Descriptors
 * are taken over, those of fds also on failure. The state has been checked (magic, version). */
struct rn_adopted {
	const struct rn_state *state;
	const int *fds; /* rings, packets, counters, state */
	int *wake; /* one for each queue; -1 when taken */
};
int rn_attachment_adopt(struct rn_port *port, const struct rn_adopted *from,
			const struct rn_grant *grant, struct rn_attachment **at,
			struct rn_err *err);
/* Ids up to `least` are not given out (again): the last one that was. */
uint32_t rn_attachment_ids(uint32_t least);
struct rn_state *rn_attachment_state(const struct rn_attachment *at);
/* The reply and the descriptors to send with it (fds: room for 3 + RAWNET_QUEUES_MAX): how many.
 * After the send call rn_attachment_sent, which closes what only the client needs. */
unsigned rn_attachment_reply(struct rn_attachment *at, struct rawnet_rep_attach *rep, int *fds);
void rn_attachment_sent(struct rn_attachment *at);
/* gone() is called for each rule that is deleted with it. */
bool rn_attachment_retire(struct rn_attachment *at, void (*gone)(void *arg, struct rn_rule *rule),
			  void *arg, uint64_t until);
/* After a grace period. How many of its queues stay charged until their sockets are closed
 * (closer.h). */
uint32_t rn_attachment_free(struct rn_attachment *at);
int rn_attachment_set_copies(struct rn_attachment *at, uint32_t copies, struct rn_err *err);
void rn_attachment_info(const struct rn_attachment *at, struct rawnet_attachment_info *info);
/* queue: index or RAWNET_ALL_QUEUES. */
int rn_attachment_counters(const struct rn_attachment *at, uint32_t queue,
			   uint64_t v[RAWNET_COUNTERS_SPACE]);
/* The fault of one of its queues: 0, or 1 + enum rawnet_reason. */
uint32_t rn_attachment_fault(const struct rn_attachment *at);
/* A new policy's rates and rights for a living attachment. */
void rn_attachment_regrant(struct rn_attachment *at, const struct rn_grant *grant);

#endif
