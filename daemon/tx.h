/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transmit for backends that copy: takes packets from a client's tx ring, copies each once into
 * memory that the client cannot write, checks the copy (slots, policing), does in software what the
 * client asked for (VLAN tag, checksums, segments), and hands frames to the backend. Poller only.
 */
#ifndef RN_TX_H
#define RN_TX_H

#include <stdbool.h>
#include <stdint.h>

#include "rawnet/abi.h"
#include "head.h"

struct rn_chain;
struct rn_hwq;
struct rn_queue;

/* Up to budget frames of q out of its hardware queue (packets that are dropped count as one); how
 * many. A packet in segments may need several calls. */
unsigned rn_tx_run(struct rn_queue *q, unsigned budget);

/* The same for one packet, taken from the ring by the caller (tx_chain.h), to wherever `way` leads:
 * for backends that own the client's queue and copy now and then. */
struct rn_tx_way {
	/* Room for one frame, at least port->max_frame + 4 bytes; NULL: full. The same room is
	 * returned until submit. */
	uint8_t *(*reserve)(void *ctx);
	void (*submit)(void *ctx, uint32_t len);
	/* The frame went to another client of the port (switch.h), the room is still free. */
	void (*skip)(void *ctx);
};
#define RN_VLAN_TAG 4u /* bytes that a tag adds to a frame */

enum rn_tx_verdict {
	RN_TX_SENT,
	RN_TX_DROPPED, /* and counted */
	RN_TX_FULL /* call again with the same chain; q->tx_segment remembers how far it got */
};
enum rn_tx_verdict rn_tx_copy(struct rn_queue *q, const struct rn_chain *c,
			      const struct rn_tx_way *way, void *ctx);
/* Polices the whole packet, in a copy that is not sent: 0, or the counter that says why not. If it
 * may go and is a plain one, rn_police_by_hint() knows its kind from now on. */
int rn_tx_judge(struct rn_queue *q, const struct rn_chain *c);
/* Within the rates that the policy grants, and paid. Only for queues that are `limited`. One that
 * asks for more is not served for a moment (rest, rest_end): for so long, and this many turns. */
#define RN_TX_REST_NS	 50000u
#define RN_TX_REST_TURNS 32u
bool rn_tx_pay(struct rn_queue *q, uint32_t packets, uint32_t bytes);

/* ---- police.c: is this frame one that the client may send? ---- */

/* frame: len bytes of daemon memory holding at least all headers; tci: tag to be inserted, or -1.
 * 0, or the RAWNET_Q_TX_DROP_* counter that says why not. */
int rn_police(struct rn_queue *q, const uint8_t *frame, uint32_t len, int tci);
/* Would the memory of earlier frames alone allow this one? Reads the first RN_POLICE_HEAD bytes of
 * head and no more (of a shorter frame: len). False says nothing: rn_police decides on the whole
 * frame. True: the frame may go out, whatever stands behind those bytes. */
#define RN_POLICE_HEAD RN_HEAD_SPAN
bool rn_police_by_hint(const struct rn_queue *q, const uint8_t *head, uint32_t len, int tci);
/* Called by control after somebody lost a rule, or addresses or MAC of the port changed: hints are
 * void. */
void rn_police_changed(void);
/* Called by control before somebody gets a rule: waits until no poller goes by what was so before
 * the last change, if it has not since. */
void rn_police_settle(void);

/* ---- offload.c: pure functions on frames in daemon memory ---- */

/* Do the header lengths of the slot agree with the frame's own headers? Then they may be used. */
bool rn_offload_check(const uint8_t *frame, uint32_t len, const struct rawnet_slot *first);
/* The same for who has copied only the first `have` bytes: false also if they are too few to say.
 */
bool rn_offload_check_head(const uint8_t *frame, uint32_t have, uint32_t len,
			   const struct rawnet_slot *first);
/* Fills in the checksums that flags ask for; how many. Header lengths have been checked. */
unsigned rn_offload_csum(uint8_t *frame, uint32_t len, const struct rawnet_slot *first);
/* Inserts the tag after the MACs: frame has 4 bytes of room behind len. New length. */
uint32_t rn_offload_vlan(uint8_t *frame, uint32_t len, uint16_t tci);
/* TSO: how many segments the packet makes (0: malformed), and the k-th of them, complete with
 * headers, lengths, ids, sequence numbers, flags and checksums, written to out: its length. */
unsigned rn_offload_segments(const uint8_t *packet, uint32_t len, const struct rawnet_slot *first);
unsigned rn_offload_segments_head(const uint8_t *packet, uint32_t have, uint32_t len,
				  const struct rawnet_slot *first);
uint32_t rn_offload_segment(const uint8_t *packet, uint32_t len, const struct rawnet_slot *first,
			    unsigned k, uint8_t *out);
/* A local sender (veth, TAP, virtio) may leave TCP and UDP checksums holding only the sum of the
 * pseudo-header; completes such a frame in place: true if it was one. */
bool rn_offload_complete(uint8_t *frame, uint32_t len);

#endif
