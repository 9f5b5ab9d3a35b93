/* SPDX-License-Identifier: BSD-2-Clause */
/* See switch.h. */
#include "switch.h"

#include <urcu-qsbr.h>

#include "attachment.h"
#include "backend/backend.h"
#include "copies.h"
#include "neigh_msg.h"
#include "poller.h"

#define MACS	    12u
#define TAG	    4u
#define TYPE_TAG    0x8100u
#define QUESTION    128u /* longest question that is read */
#define COPIES_ONCE 32u /* frames to groups, of one queue */

/* ---- what may be local ---- */

static bool is_broadcast(uint64_t mac)
{
	return mac == 0xffffffffffffu;
}

/* Solicited-node groups (RFC 4291): 33:33:ff:xx:xx:xx. */
static bool is_solicited(uint64_t mac)
{
	return (mac & 0xffffffu) == 0xff3333u;
}

static bool somebody_wants(const struct rn_queue *from, uint32_t kind)
{
	const struct rn_subscribers *subs = rcu_dereference(from->hwq->port->subscribers);

	for (uint32_t i = 0; subs && i < subs->n; i++)
		if (subs->at[i] != from->at &&
		    (__atomic_load_n(&subs->at[i]->copies, __ATOMIC_RELAXED) & kind))
			return true;
	return false;
}

static bool may_ask(const struct rn_queue *from)
{
	const struct rn_macs *m = rn_steer_macs(from->hwq->port->steer);

	return __atomic_load_n(&m->leases, __ATOMIC_RELAXED) != 0;
}

bool rn_switch_look(const struct rn_queue *from, uint64_t mac)
{
	const struct rn_steer *steer = from->hwq->port->steer;

	if (!(mac & 1))
		return mac == __atomic_load_n(&rn_steer_macs(steer)->own, __ATOMIC_RELAXED) ||
		       rn_steer_names(steer, mac);
	if ((is_broadcast(mac) || is_solicited(mac)) && may_ask(from))
		return true;
	return somebody_wants(from,
			      is_broadcast(mac) ? RAWNET_COPY_BROADCAST : RAWNET_COPY_MULTICAST);
}

/* ---- questions ---- */

/* Id of the frame's tag and the frame without it, as far as a question goes; -1: it is none. */
static int untag(const uint8_t *frame, uint32_t len, uint8_t *out, uint32_t *n)
{
	const uint32_t type = (uint32_t)frame[MACS] << 8 | frame[MACS + 1];
	uint32_t skip = type == TYPE_TAG ? TAG : 0;

	if (len < MACS + 2 + skip || len - skip > QUESTION)
		return -1;
	*n = len - skip;
	memcpy(out, frame, MACS);
	memcpy(out + MACS, frame + MACS + skip, *n - MACS);
	return skip ? (frame[MACS + 2] & 0x0f) << 8 | frame[MACS + 3] : 0;
}

/* To the asker by its rules; what goes to a group, if it subscribed. */
static void tell(struct rn_queue *from, const uint8_t *answer, uint32_t len)
{
	struct rn_frame f;

	rn_frame_init(&f, answer, len);
	if (!(answer[0] & 1)) {
		rn_deliver_local(from->hwq, NULL, &f);
	} else if (__atomic_load_n(&from->at->copies, __ATOMIC_RELAXED) & RAWNET_COPY_MULTICAST) {
		f.flags = RAWNET_RX_COPY;
		rn_deliver_to(&from->at->queue[from->at->first[from->hwq->poller_index]], &f,
			      RN_NO_INDEX);
	}
}

/* As neigh.c does for the wire. False: it is no question about an address of somebody else here. */
static bool answer(struct rn_queue *from, const uint8_t *frame, uint32_t len)
{
	const struct rn_port *port = from->hwq->port;
	uint8_t question[QUESTION], out[RN_NEIGH_FRAME], mac[6];
	struct rn_question q;
	uint32_t n;
	int vlan;

	if (!may_ask(from) || (vlan = untag(frame, len, question, &n)) < 0 ||
	    !rn_question_parse(question, n, &q) ||
	    rn_addresses_have(rcu_dereference(port->addresses), q.family, q.target) ||
	    !rn_steer_lease(port->steer, q.family, q.target, (uint16_t)vlan, mac) ||
	    !memcmp(q.mac, mac, 6))
		return false;
	tell(from, out, rn_question_answer(&q, mac, (uint16_t)vlan, out));
	/* The control thread counts what it answers to the wire. */
	__atomic_fetch_add(&port->counters[0].v[RAWNET_P_NEIGH_REPLIES], 1, __ATOMIC_RELAXED);
	return true;
}

/* ---- copies ---- */

/* The port's rate in equal shares, so that nobody uses up that of the others. */
static bool pay_copies(struct rn_queue *from)
{
	const struct rn_port *port = from->hwq->port;
	uint32_t n = __atomic_load_n(&port->n_attachments, __ATOMIC_RELAXED);
	struct rn_bucket *b = &from->copies;

	rn_bucket_set(b, rn_bucket_share(rn_copies_rate(port), (n ? n : 1) * from->at->n_queues),
		      COPIES_ONCE);
	if (b->burst > COPIES_ONCE)
		b->burst = COPIES_ONCE;
	rn_bucket_refill(b, rn_poller_now(from->poller));
	if (!rn_bucket_has(b, 1))
		return false;
	rn_bucket_take(b, 1);
	return true;
}

/* Copies come with their tag as metadata, as those of the wire do. */
static void copy(struct rn_queue *from, const uint8_t *frame, uint32_t len, uint16_t flags)
{
	struct rn_hwq *hwq = from->hwq;
	struct rn_frame f;

	if (!somebody_wants(from, rn_copies_kind(frame)))
		return;
	rn_count_port(hwq, RAWNET_P_COPY_PACKETS, 1);
	if (!pay_copies(from)) {
		rn_count_port(hwq, RAWNET_P_COPY_DROP, 1);
		return;
	}
	rn_frame_init(&f, frame, len);
	f.flags = flags | RAWNET_RX_COPY;
	if (len >= MACS + TAG + 2 && frame[MACS] == TYPE_TAG >> 8 &&
	    frame[MACS + 1] == (TYPE_TAG & 0xff)) {
		f.tci = frame[MACS + 2] << 8 | frame[MACS + 3];
		f.piece[0].len = MACS;
		f.piece[1] = (struct rn_piece) {frame + MACS + TAG, len - MACS - TAG};
		f.n_pieces = 2;
		f.len -= TAG;
	}
	rn_copies_give(hwq, &f, from->at);
}

/* ---- frames ---- */

bool rn_switch_frame(struct rn_queue *from, const uint8_t *frame, uint32_t len, uint16_t flags)
{
	struct rn_frame f;

	if (frame[0] & 1) {
		copy(from, frame, len, flags);
		answer(from, frame, len);
		return false;
	}
	rn_frame_init(&f, frame, len);
	f.flags = flags;
	if (!rn_deliver_local(from->hwq, from->at, &f) && !answer(from, frame, len))
		return false;
	rn_count_port(from->hwq, RAWNET_P_LOCAL_PACKETS, 1);
	rn_count_port(from->hwq, RAWNET_P_LOCAL_BYTES, len);
	return true;
}
