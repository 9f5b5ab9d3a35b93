/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Delivery of received frames to clients, for backends that demultiplex in the daemon: rule to
 * member, member to queue, one copy into the buffer that the client posted, one slot. The slot is
 * published by the poller at the end of its turn. Poller only; never blocks, never allocates.
 */
#include <urcu-qsbr.h>

#include "attachment.h"
#include "backend/backend.h"
#include "poller.h"
#include "rawnet/prefetch.h"
#include "ring.h"
#include "state.h"
#include "tap.h"

/* Index of the posted slot whose buffer is taken next. What a device that owns the queue has, in
 * [daemon, next), cannot be taken back; packets come to the slot at `daemon` in either case, since
 * slots are handed back in order and with whatever buffer. */
static uint32_t *source(struct rn_queue *q)
{
	return q->hw ? &q->rx.next : &q->rx.daemon;
}

#define BUFS_AHEAD  16u
#define SLOTS_AHEAD 32u

/* Asks for what will be written a few packets from now: the lines belong to the client's core, and
 * a packet makes so many other stores that the store buffer alone would wait for one line at a
 * time. Only of what the client has posted: it may be at work on the rest. */
static inline void fetch_ahead(const struct rn_queue *q, uint32_t at)
{
	const struct rn_ring *r = &q->rx;
	uint32_t buf;

	if (r->client - at <= SLOTS_AHEAD)
		return;
	if (at % 4 == 0) /* slots of a line */
		rawnet_prefetch_write(&r->slots[(at + SLOTS_AHEAD) & r->mask]);
	buf = __atomic_load_n(&r->slots[(at + BUFS_AHEAD) & r->mask].off, __ATOMIC_RELAXED) >>
	      q->buf_shift;
	if (buf < q->n_bufs)
		rawnet_prefetch_write(q->mem + (buf << q->buf_shift) + q->headroom +
				      (buf & q->starts) * 64);
}

/* The next posted slot, or NULL: nothing is posted, or the client lies. */
static inline struct rawnet_slot *posted(struct rn_queue *q)
{
	struct rn_ring *r = &q->rx;
	uint32_t at = *source(q);

	if (r->client == at) {
		if (q->dead)
			return NULL;
		if (rn_ring_look(r) < 0)
			rn_queue_fault(q, RAWNET_BYE_RING);
		if (q->dead || r->client == at)
			return NULL;
	}
	fetch_ahead(q, at);
	return &r->slots[at & r->mask];
}

/* Writes the slot in place: it is the client's at the next publication, for which the queue has to
 * be touched. The order of stores is for who finds them after this process was killed. */
static inline void write_slot(struct rn_queue *q, const uint64_t w[2])
{
	uint64_t *slot = (void *)&q->rx.slots[q->rx.daemon & q->rx.mask];

	if (q->hw) {
		q->state->rx_true = ++q->rx.next;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	}
	__atomic_store_n(slot, w[0], __ATOMIC_RELAXED);
	__atomic_store_n(slot + 1, w[1], __ATOMIC_RELAXED);
	q->rx.daemon++;
}

static void hand_back(struct rn_queue *q, struct rawnet_slot done)
{
	uint64_t w[2];

	memcpy(w, &done, sizeof(w));
	write_slot(q, w);
	rn_poller_touch(q->poller, q);
}

static void copy_pieces(uint8_t *to, const struct rn_frame *f)
{
	for (uint32_t i = 0; i < f->n_pieces; i++) {
		memcpy(to, f->piece[i].data, f->piece[i].len);
		to += f->piece[i].len;
	}
}

/* Buffers begin at multiples of a large power of two. Packets that did so too would share a few
 * sets of the caches; where there is room, they begin at different lines. */
static uint32_t start(const struct rn_queue *q, uint32_t buf, uint32_t len)
{
	const uint32_t at = (buf & q->starts) * 64;

	return q->headroom + at + len <= 1u << q->buf_shift ? at : 0;
}

static struct rawnet_slot describe(const struct rn_frame *f, uint32_t off, uint32_t index)
{
	struct rawnet_slot s = {.off = off, .len = (uint16_t)f->len, .flags = f->flags};

	if (index < 0xffff) {
		s.flags |= RAWNET_RX_RULE;
		s.u.rx.rule = (uint16_t)index;
	}
	if (f->tci >= 0) {
		s.flags |= RAWNET_RX_VLAN;
		s.u.rx.vlan_tci = (uint16_t)f->tci;
	}
	if (f->flags & RAWNET_RX_HASH)
		s.u.rx.hash = f->hash;
	return s;
}

static void count_delivered(struct rn_queue *q, const struct rn_frame *f)
{
	rn_count(q, RAWNET_Q_RX_PACKETS, 1);
	rn_count(q, RAWNET_Q_RX_BYTES, f->len);
	if (f->flags & RAWNET_RX_COPY)
		rn_count(q, RAWNET_Q_RX_COPIES, 1);
	if (f->completed)
		rn_count(q, RAWNET_Q_RX_SW_CSUM, 1);
}

bool rn_deliver_to(struct rn_queue *q, const struct rn_frame *f, uint32_t index)
{
	struct rawnet_slot *slot = posted(q);
	uint32_t off, buf;
	struct rawnet_slot done;

	if (!slot) {
		rn_count(q,
			 (f->flags & RAWNET_RX_COPY) ? RAWNET_Q_RX_DROP_COPY
						     : RAWNET_Q_RX_DROP_FULL,
			 1);
		return false;
	}
	if (f->len > (1u << q->buf_shift) - q->headroom) {
		rn_count(q, RAWNET_Q_RX_DROP_LONG, 1);
		return false;
	}
	off = __atomic_load_n(&slot->off, __ATOMIC_RELAXED);
	buf = off >> q->buf_shift;
	if (buf >= q->n_bufs) {
		hand_back(q, (struct rawnet_slot) {.off = off, .flags = RAWNET_RX_ERROR});
		rn_count(q, RAWNET_Q_RX_DROP_SLOT, 1);
		return false;
	}
	off = (buf << q->buf_shift) + q->headroom + start(q, buf, f->len);
	copy_pieces(q->mem + off, f);
	done = describe(f, off, index);
	if (q->stamps) {
		q->stamps[q->rx.daemon & q->rx.mask] = f->stamp ? f->stamp : rn_wall_ns();
		done.flags |= RAWNET_RX_STAMP;
	}
	hand_back(q, done);
	count_delivered(q, f);
	return true;
}

bool rn_deliver_first(struct rn_queue *q, const struct rn_frame *f, uint32_t index)
{
	struct rawnet_slot *slots = q->rx.slots;
	const uint32_t at = q->rx.daemon, mask = q->rx.mask, was = q->state->rx_true;
	const uint32_t oldest = __atomic_load_n(&slots[at & mask].off, __ATOMIC_RELAXED);
	const bool taken = rn_deliver_to(q, f, index);
	uint32_t i = q->rx.next - 1, off;

	if (q->rx.daemon == at)
		return taken;
	for (; i - at > 1; i--) {
		off = __atomic_load_n(&slots[(i - 1) & mask].off, __ATOMIC_RELAXED);
		__atomic_store_n(&slots[i & mask].off, off, __ATOMIC_RELAXED);
	}
	if (i != at)
		__atomic_store_n(&slots[i & mask].off, oldest, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	q->state->rx_true = was;
	return taken;
}

/* The first `most` bytes of a frame. */
static void copy_start(uint8_t *to, const struct rn_frame *f, uint32_t most)
{
	for (uint32_t i = 0; i < f->n_pieces && most; i++) {
		uint32_t n = f->piece[i].len < most ? f->piece[i].len : most;

		memcpy(to, f->piece[i].data, n);
		to += n;
		most -= n;
	}
}

void rn_deliver_captured(struct rn_queue *q, const struct rn_frame *f, uint32_t snap,
			 const struct rawnet_capture *c)
{
	struct rawnet_slot *slot = posted(q), done = {.flags = RAWNET_RX_CAPTURE};
	uint32_t off, room = (1u << q->buf_shift) - q->headroom;

	if (!slot) {
		rn_count(q, RAWNET_Q_RX_DROP_FULL, 1);
		return;
	}
	off = __atomic_load_n(&slot->off, __ATOMIC_RELAXED);
	if (off >> q->buf_shift >= q->n_bufs) {
		hand_back(q, (struct rawnet_slot) {.off = off, .flags = RAWNET_RX_ERROR});
		rn_count(q, RAWNET_Q_RX_DROP_SLOT, 1);
		return;
	}
	snap = snap < room ? snap : room;
	done.off = (off >> q->buf_shift << q->buf_shift) + q->headroom;
	done.len = (uint16_t)(f->len < snap ? f->len : snap);
	memcpy(q->mem + done.off - sizeof(*c), c, sizeof(*c));
	copy_start(q->mem + done.off, f, done.len);
	if (f->tci >= 0) {
		done.flags |= RAWNET_RX_VLAN;
		done.u.rx.vlan_tci = (uint16_t)f->tci;
	}
	hand_back(q, done);
	rn_count(q, RAWNET_Q_RX_PACKETS, 1);
	rn_count(q, RAWNET_Q_RX_BYTES, done.len);
}

/* ---- whose it is ---- */

/* The changes are read before the rules are, so what is remembered is never newer than they say. A
 * rule that is gone was counted as a change before the grace period that it waits for began: while
 * the number is the same, it is there. */
static __attribute__((noinline)) const struct rn_rule *
look_up(struct rn_hwq *hwq, const uint8_t *data, uint32_t len, int32_t tci)
{
	const struct rn_steer *steer = hwq->port->steer;
	struct rn_last *last = &hwq->last;
	const struct rn_rule *rule;
	struct rn_headers headers;
	struct rn_key all;

	last->changes = rn_steer_changes(steer);
	last->tci = tci;
	rn_key_parse(data, len, tci, &last->key, &headers);
	last->l3 = headers.l3 != 0;
	rule = rn_steer_classify(steer, &last->key, headers.flags);
	memset(&all, 0xff, sizeof(all));
	last->rule = rn_head_make(&last->head, data, len, &headers, &last->key, &all) ? rule : NULL;
	return rule;
}

/* Is it a frame of the flow that is remembered? */
static inline bool is_known(const struct rn_last *last, const uint8_t *data, uint32_t len,
			    int32_t tci)
{
	return last->rule && last->tci == tci && rn_head_agrees_frame(&last->head, data, len);
}

/* The rule that takes a frame, or NULL. Its key is hwq->last.key until the next one is classified.
 */
static inline const struct rn_rule *classify(struct rn_hwq *hwq, const uint8_t *data, uint32_t len,
					     int32_t tci)
{
	const struct rn_last *last = &hwq->last;

	if (last->changes == rn_steer_changes(hwq->port->steer) && is_known(last, data, len, tci))
		return last->rule;
	return look_up(hwq, data, len, tci);
}

/* The flow's hash, computed only where something hangs on it. */
static uint32_t flow_hash(const struct rn_frame *f, const struct rn_key *key)
{
	struct rn_headers headers;
	struct rn_key parsed;

	if (f->flags & RAWNET_RX_HASH)
		return f->hash;
	if (!key) {
		rn_key_parse(f->piece[0].data, f->piece[0].len, f->tci, &parsed, &headers);
		key = &parsed;
	}
	return rn_key_hash(key);
}

/* Whose a frame of the rule is. */
struct choice {
	const struct rn_rule *rule;
	const struct rn_member *member; /* NULL: the rule waits for its target */
	uint32_t hash; /* 0: not needed yet */
};

static inline struct choice choose(const struct rn_rule *rule, const struct rn_frame *f,
				   const struct rn_key *key)
{
	const struct rn_members *members = rcu_dereference(rule->members);
	struct choice c = {rule, members->n ? members->m : NULL, 0};

	if (members->n > 1) {
		c.hash = flow_hash(f, key);
		c.member = &members->m[members->table[c.hash % RN_RSS_TABLE]];
	}
	return c;
}

static inline void give(struct rn_hwq *hwq, struct choice c, const struct rn_frame *f,
			const struct rn_key *key)
{
	const struct rn_attachment *at;
	uint32_t first, n;

	if (!c.member) {
		rn_count_port(hwq, RAWNET_P_RX_DROP_STALE, 1);
		return;
	}
	at = c.member->at;
	if (__builtin_expect(rcu_dereference(hwq->port->taps) != NULL, 0))
		rn_tap_rx(hwq, c.rule, at, f);
	first = at->first[hwq->poller_index];
	n = at->first[hwq->poller_index + 1] - first;
	if (n > 1) {
		if (!c.hash)
			c.hash = flow_hash(f, key);
		first += (c.hash / RN_RSS_TABLE) % n; /* other bits than the group's */
	}
	rn_deliver_to(&at->queue[first], f, c.member->index);
}

static void deliver_keyed(struct rn_hwq *hwq, const struct rn_rule *rule, const struct rn_frame *f,
			  const struct rn_key *key)
{
	rn_count_port(hwq, RAWNET_P_RX_PACKETS, 1);
	rn_count_port(hwq, RAWNET_P_RX_BYTES, f->len);
	give(hwq, choose(rule, f, key), f, key);
}

void rn_deliver(struct rn_hwq *hwq, const struct rn_rule *rule, const struct rn_frame *frame)
{
	deliver_keyed(hwq, rule, frame, NULL);
}

bool rn_deliver_classified(struct rn_hwq *hwq, const struct rn_frame *f)
{
	const struct rn_rule *rule = classify(hwq, f->piece[0].data, f->piece[0].len, f->tci);

	if (!rule) {
		rn_count_port(hwq, RAWNET_P_RX_UNMATCHED, 1);
		return false;
	}
	deliver_keyed(hwq, rule, f, &hwq->last.key);
	return true;
}

bool rn_deliver_local(struct rn_hwq *hwq, const struct rn_attachment *from, struct rn_frame *f)
{
	const struct rn_rule *rule = classify(hwq, f->piece[0].data, f->piece[0].len, f->tci);
	struct choice c;

	if (!rule)
		return false;
	if ((hwq->port->rx_offloads & RAWNET_RX_HASH) && hwq->last.l3) {
		f->hash = rn_key_hash(&hwq->last.key);
		f->flags |= RAWNET_RX_HASH;
	}
	c = choose(rule, f, &hwq->last.key);
	if (c.member && c.member->at == from)
		return false;
	give(hwq, c, f, &hwq->last.key);
	return true;
}

/* ---- bursts ---- */

static void forget(struct rn_burst *b)
{
	b->rule = NULL;
	b->q = NULL;
	b->frames = b->taken = 0;
	b->bytes = b->bytes_taken = 0;
}

/* What is remembered holds for the whole burst if it does now: a rule that goes meanwhile is there
 * until the turn's end. */
void rn_burst_begin(struct rn_burst *b, struct rn_hwq *hwq)
{
	struct rn_last *last = &hwq->last;

	b->hwq = hwq;
	if (last->changes != rn_steer_changes(hwq->port->steer))
		last->rule = NULL;
	forget(b);
}

void rn_burst_end(struct rn_burst *b)
{
	if (!b->q)
		return;
	rn_count_port(b->hwq, RAWNET_P_RX_PACKETS, b->frames);
	rn_count_port(b->hwq, RAWNET_P_RX_BYTES, b->bytes);
	rn_count(b->q, RAWNET_Q_RX_PACKETS, b->taken);
	rn_count(b->q, RAWNET_Q_RX_BYTES, b->bytes_taken);
	if (b->taken)
		rn_poller_touch(b->q->poller, b->q);
	forget(b);
}

/* The queue that gets every frame of the rule, if there is one, and nobody asks for more than the
 * frame. */
static struct rn_queue *only_queue(const struct rn_hwq *hwq, const struct rn_rule *rule,
				   uint32_t *index)
{
	const struct rn_members *members = rcu_dereference(rule->members);
	const struct rn_attachment *at;
	uint32_t first;

	if (members->n != 1 || members->m->index >= 0xffff || rcu_dereference(hwq->port->taps))
		return NULL;
	at = members->m->at;
	first = at->first[hwq->poller_index];
	if (at->first[hwq->poller_index + 1] - first != 1 || at->queue[first].stamps)
		return NULL;
	*index = members->m->index;
	return &at->queue[first];
}

/* A frame of another rule than the one before: who gets it, and those of its rule that follow. */
static void turn_to(struct rn_burst *b, const struct rn_rule *rule, const struct rn_frame *f,
		    const struct rn_key *key)
{
	rn_burst_end(b);
	deliver_keyed(b->hwq, rule, f, key);
	b->q = only_queue(b->hwq, rule, &b->index);
	b->rule = b->q ? rule : NULL;
}

#define WORD 16u

/* Short frames come by the million: without a call. */
static inline void copy_frame(uint8_t *to, const uint8_t *from, uint32_t len)
{
	uint32_t i;

	if (len < WORD || len > 8 * WORD) {
		memcpy(to, from, len);
		return;
	}
	for (i = 0; i + WORD < len; i += WORD)
		memcpy(to + i, from + i, WORD);
	memcpy(to + len - WORD, from + len - WORD, WORD);
}

/* As rn_deliver_to, of which it is the common case. False: it is not. */
static inline bool put(struct rn_burst *b, const uint8_t *data, uint32_t len)
{
	struct rn_queue *q = b->q;
	const struct rawnet_slot *slot = posted(q);
	uint32_t buf, off;
	uint64_t w[2];

	if (!slot || len > (1u << q->buf_shift) - q->headroom)
		return false;
	buf = __atomic_load_n(&slot->off, __ATOMIC_RELAXED) >> q->buf_shift;
	if (buf >= q->n_bufs)
		return false;
	off = (buf << q->buf_shift) + q->headroom + start(q, buf, len);
	copy_frame(q->mem + off, data, len);
	w[0] = off | (uint64_t)len << 32 | (uint64_t)RAWNET_RX_RULE << 48;
	w[1] = b->index;
	write_slot(q, w);
	b->taken++;
	b->bytes_taken += len;
	return true;
}

static inline void give_next(struct rn_burst *b, const struct rn_rule *rule, const uint8_t *data,
			     uint32_t len, const struct rn_key *key)
{
	struct rn_frame f;

	if (rule == b->rule) {
		b->frames++;
		b->bytes += len;
		if (put(b, data, len))
			return;
		rn_frame_init(&f, data, len);
		rn_deliver_to(b->q, &f, b->index);
		return;
	}
	rn_frame_init(&f, data, len);
	turn_to(b, rule, &f, key);
}

void rn_burst_frame(struct rn_burst *b, const uint8_t *data, uint32_t len)
{
	const struct rn_last *last = &b->hwq->last;
	const struct rn_rule *rule;

	rule = is_known(last, data, len, -1) ? last->rule : look_up(b->hwq, data, len, -1);
	if (rule)
		give_next(b, rule, data, len, &last->key);
	else
		rn_count_port(b->hwq, RAWNET_P_RX_UNMATCHED, 1);
}

void rn_burst_ruled(struct rn_burst *b, const struct rn_rule *rule, const uint8_t *data,
		    uint32_t len)
{
	give_next(b, rule, data, len, NULL);
}
