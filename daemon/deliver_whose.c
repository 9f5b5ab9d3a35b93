/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose a received frame is: rule to member, member to queue. Frame by frame, and for bursts of
 * frames without anything said about them, of which what is the same is found out and counted once.
 * Poller only; never blocks, never allocates.
 */
#include <urcu-qsbr.h>

#include "attachment.h"
#include "backend/backend.h"
#include "deliver_slot.h"
#include "tap.h"

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
	const struct rawnet_slot *slot = rn_posted(q);
	uint32_t buf, off;
	uint64_t w[2];

	if (!slot || len > (1u << q->buf_shift) - q->headroom)
		return false;
	buf = __atomic_load_n(&slot->off, __ATOMIC_RELAXED) >> q->buf_shift;
	if (buf >= q->n_bufs)
		return false;
	off = (buf << q->buf_shift) + q->headroom + rn_start_in(q, buf, len);
	copy_frame(q->mem + off, data, len);
	w[0] = off | (uint64_t)len << 32 | (uint64_t)RAWNET_RX_RULE << 48;
	w[1] = b->index;
	rn_write_slot(q, w);
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
