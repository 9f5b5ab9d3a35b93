/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow tables, after drivers/net/ethernet/mellanox/mlx5/core/fs_core.c of Linux 6.1.
 *
 * A table holds groups; a group holds entries of one mask, found by hashing the masked match
 * parameters. Groups are looked at in the order in which they were made, so within a table the
 * oldest mask wins. A table has 2^log entries; the first six masks get a group of a seventh of
 * them each, later ones groups of one entry (alloc_auto_flow_group). A full group is followed by
 * another of the same mask while the table has room.
 */
#include <errno.h>
#include <stdlib.h>

#include "steer.h"
#include "wires.h"

#define AUTO_GROUPS 6

struct cx_fte_entry {
	struct cx_fte_entry *next; /* in the bucket */
	struct cx_group *group;
	struct cx_fte value;
	enum cx_flow_action action;
	bool copy, has_tag;
	uint32_t tag;
	uint32_t refs; /* rules that are merged here */
	uint32_t dests;
	struct cx_tir **tir;
};

struct cx_group {
	struct cx_group *next;
	struct cx_table *table;
	struct cx_fte mask;
	uint8_t word[CX_FTE_WORDS / 2], words; /* 64-bit words that the mask touches */
	uint32_t size, used, buckets; /* buckets: power of two */
	struct cx_fte_entry **bucket;
};

struct cx_table {
	struct cx_group *first;
	uint32_t space, autos; /* entries reserved by groups; groups of full size made */
};

struct cx_steer {
	uint32_t size;
	bool multi_path;
	uint32_t rules;
	uint64_t busy; /* bit per table that has a group */
	struct cx_table table[CX_TABLES];
};

struct cx_steer *cx_steer_new(uint32_t log_size, bool multi_path)
{
	struct cx_steer *s = calloc(1, sizeof(*s));

	if (s) {
		s->size = 1u << log_size;
		s->multi_path = multi_path;
	}
	return s;
}

void cx_steer_free(struct cx_steer *s)
{
	free(s);
}

bool cx_steer_idle(const struct cx_steer *s)
{
	return !s->rules;
}

/* ---- groups ---- */

static uint32_t hash_of(const struct cx_group *g, const struct cx_fte *k)
{
	uint64_t h = 0;
	uint32_t i;

	for (i = 0; i < g->words; i++) {
		h = (h ^ (k->q[g->word[i]] & g->mask.q[g->word[i]])) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	return (uint32_t)(h >> 32) & (g->buckets - 1);
}

static struct cx_fte_entry *find_in(const struct cx_group *g, const struct cx_fte *k)
{
	struct cx_fte_entry *e;
	uint32_t i;

	for (e = g->bucket[hash_of(g, k)]; e; e = e->next) {
		for (i = 0; i < g->words; i++) {
			uint32_t w = g->word[i];

			if ((k->q[w] & g->mask.q[w]) != e->value.q[w])
				break;
		}
		if (i == g->words)
			return e;
	}
	return NULL;
}

static struct cx_fte_entry *find(const struct cx_table *t, const struct cx_fte *k)
{
	struct cx_group *g;

	for (g = t->first; g; g = g->next) {
		struct cx_fte_entry *e = find_in(g, k);

		if (e)
			return e;
	}
	return NULL;
}

static struct cx_group *group_new(struct cx_steer *s, struct cx_table *t, const struct cx_fte *mask)
{
	uint32_t size = t->autos < AUTO_GROUPS ? s->size / (AUTO_GROUPS + 1) : 1, i;
	struct cx_group *g, **p;

	if (!size)
		size = 1;
	if (t->space + size > s->size)
		return NULL;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	for (g->buckets = 1; g->buckets < size / 2; g->buckets *= 2)
		;
	g->bucket = calloc(g->buckets, sizeof(g->bucket[0]));
	if (!g->bucket) {
		free(g);
		return NULL;
	}
	g->table = t;
	g->mask = *mask;
	g->size = size;
	for (i = 0; i < CX_FTE_WORDS / 2; i++)
		if (mask->q[i])
			g->word[g->words++] = (uint8_t)i;
	t->space += size;
	t->autos += t->autos < AUTO_GROUPS;
	for (p = &t->first; *p; p = &(*p)->next)
		;
	*p = g;
	s->busy |= 1ull << (t - s->table);
	return g;
}

static void group_put(struct cx_steer *s, struct cx_group *g)
{
	struct cx_table *t = g->table;
	struct cx_group **p;

	if (g->used)
		return;
	for (p = &t->first; *p != g; p = &(*p)->next)
		;
	*p = g->next;
	t->space -= g->size;
	if (g->size > 1)
		t->autos--;
	if (!t->first) {
		t->autos = t->space = 0;
		s->busy &= ~(1ull << (t - s->table));
	}
	free(g->bucket);
	free(g);
}

/* ---- rules ---- */

static int add_dest(struct cx_fte_entry *e, struct cx_tir *tir)
{
	struct cx_tir **more;

	if (!tir)
		return 0;
	more = realloc(e->tir, (e->dests + 1) * sizeof(e->tir[0]));
	if (!more)
		return -ENOMEM;
	e->tir = more;
	e->tir[e->dests++] = tir;
	return 0;
}

/* A second rule with the same match: another destination, if there are any, and if tags and actions
 * agree (check_conflicting_ftes, create_flow_handle). */
static int merge(struct cx_steer *s, struct cx_fte_entry *e, const struct cx_rule *r)
{
	int err;

	if (r->action != e->action || r->copy != e->copy)
		return -EEXIST;
	if (r->has_tag && (!e->has_tag || r->tag != e->tag))
		return -EEXIST;
	if (r->action == CX_FLOW_FORWARD && !s->multi_path)
		return -EOPNOTSUPP;
	err = add_dest(e, r->tir);
	if (!err)
		e->refs++;
	return err;
}

static bool same_mask(const struct cx_group *g, const struct cx_rule *r)
{
	return memcmp(&g->mask, &r->mask, sizeof(g->mask)) == 0;
}

static int insert(struct cx_group *g, const struct cx_rule *r, struct cx_fte_entry **out)
{
	struct cx_fte_entry *e = calloc(1, sizeof(*e));
	uint32_t i, h;

	if (!e || add_dest(e, r->tir) < 0) {
		free(e);
		return -ENOMEM;
	}
	for (i = 0; i < CX_FTE_WORDS / 2; i++)
		e->value.q[i] = r->value.q[i] & r->mask.q[i];
	e->group = g;
	e->action = r->action;
	e->copy = r->copy;
	e->has_tag = r->has_tag;
	e->tag = r->tag;
	e->refs = 1;
	h = hash_of(g, &e->value);
	e->next = g->bucket[h];
	g->bucket[h] = e;
	g->used++;
	*out = e;
	return 0;
}

int cx_steer_add(struct cx_steer *s, const struct cx_rule *r, struct cx_fte_entry **e)
{
	struct cx_table *t = &s->table[r->table];
	struct cx_group *g, *room = NULL;
	int err;

	if (r->copy && !s->multi_path)
		return -EOPNOTSUPP;
	for (g = t->first; g; g = g->next) {
		if (!same_mask(g, r))
			continue;
		*e = find_in(g, &r->value);
		if (*e) {
			err = merge(s, *e, r);
			s->rules += !err;
			return err;
		}
		if (g->used < g->size && !room)
			room = g;
	}
	if (!room)
		room = group_new(s, t, &r->mask);
	if (!room)
		return -ENOSPC;
	err = insert(room, r, e);
	if (err)
		group_put(s, room);
	s->rules += !err;
	return err;
}

void cx_steer_del(struct cx_steer *s, struct cx_fte_entry *e, struct cx_tir *tir)
{
	struct cx_group *g = e->group;
	struct cx_fte_entry **p;
	uint32_t i;

	s->rules--;
	for (i = 0; i < e->dests && e->tir[i] != tir; i++)
		;
	if (i < e->dests)
		e->tir[i] = e->tir[--e->dests];
	if (--e->refs)
		return;
	for (p = &g->bucket[hash_of(g, &e->value)]; *p != e; p = &(*p)->next)
		;
	*p = e->next;
	g->used--;
	free(e->tir);
	free(e);
	group_put(s, g);
}

/* ---- frames ---- */

static struct cx_rq *tir_rq(const struct cx_tir *t, const struct cx_frame *f, uint32_t *hash,
			    uint8_t *type)
{
	*hash = 0;
	*type = 0;
	if (t->rq)
		return t->rq;
	if (!t->ind)
		return NULL;
	*hash = cx_frame_hash(f, t->key, t->fields, type);
	return &t->ind->wq[*hash & (t->ind->num - 1)]->rq;
}

/* A frame of the TIR's own transport domain comes only if it asked for loopback. */
static bool accepts(const struct cx_tir *t, const struct cx_frame *f, const struct cx_ctx *from)
{
	return from != t->ctx || (f->data[0] & 1 ? t->loop_mc : t->loop_uc);
}

static void deliver(const struct cx_fte_entry *e, const struct cx_frame *f,
		    const struct cx_ctx *from)
{
	uint32_t i, hash;
	uint8_t type;

	for (i = 0; i < e->dests; i++) {
		struct cx_rq *rq = tir_rq(e->tir[i], f, &hash, &type);

		if (rq && accepts(e->tir[i], f, from))
			cx_rq_deliver(rq, f, hash, type, e->tag);
	}
}

static bool has_room(const struct cx_fte_entry *e, const struct cx_frame *f)
{
	uint32_t i, hash;
	uint8_t type;

	for (i = 0; i < e->dests; i++) {
		const struct cx_ind *ind = e->tir[i]->ind;
		struct cx_rq *rq = ind && ind->num == 1 ? &ind->wq[0]->rq
							: tir_rq(e->tir[i], f, &hash, &type);

		if (rq && cx_rq_takes(rq))
			return true;
	}
	return false;
}

static bool kernel_takes(struct cx_dev *dev, const struct cx_frame *f)
{
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};

	if (!cx_wire_has_kernel(dev))
		return false;
	if (!(f->data[0] & 1))
		return memcmp(f->data, dev->mac, 6) == 0;
	return memcmp(f->data, all, 6) == 0 || !dev->rx->table[CX_TABLE_MC].first;
}

/* What no rule of the bypass tables took: the kernel's netdev, the default rules, the netdev's
 * promiscuous mode. */
static bool leftovers(struct cx_dev *dev, const struct cx_fte *k, const struct cx_frame *f,
		      const struct cx_ctx *from, bool wait)
{
	struct cx_fte_entry *e = NULL;

	if (!kernel_takes(dev, f)) {
		e = find(&dev->rx->table[CX_TABLE_MC], k);
		e = e ? e : find(&dev->rx->table[CX_TABLE_ALL], k);
	}
	if (wait && !(e && has_room(e, f)))
		return false;
	if (e) {
		deliver(e, f, from);
		return true;
	}
	dev->stats.rx_missed++;
	cx_wire_miss(dev, f->data, f->len);
	return true;
}

bool cx_steer_receive(struct cx_dev *dev, const struct cx_frame *f, struct cx_ctx *from, bool wait)
{
	uint64_t busy = dev->rx->busy & ((1ull << CX_PRIOS) - 1);
	const struct cx_fte *k = f->fte;
	struct cx_fte mine;

	if (!k && dev->rx->busy) {
		cx_frame_fte(f, &mine);
		k = &mine;
	}
	for (; busy; busy &= busy - 1) {
		struct cx_fte_entry *e = find(&dev->rx->table[__builtin_ctzll(busy)], k);

		if (!e)
			continue;
		if (e->action == CX_FLOW_DROP)
			return true;
		if (e->action == CX_FLOW_MISS)
			break;
		if (wait && !has_room(e, f))
			return false;
		deliver(e, f, from);
		if (!e->copy)
			return true;
	}
	return leftovers(dev, k, f, from, wait);
}

bool cx_steer_transmit(struct cx_dev *dev, const struct cx_frame *f, uint32_t sqn,
		       uint32_t metadata)
{
	uint64_t busy = dev->tx->busy;
	struct cx_fte k;

	if (!busy)
		return true;
	cx_frame_fte(f, &k);
	k.w[CX_FTE_SQN] |= htobe32(sqn);
	k.w[CX_FTE_META] = htobe32(metadata);
	for (; busy; busy &= busy - 1) {
		struct cx_fte_entry *e = find(&dev->tx->table[__builtin_ctzll(busy)], &k);

		if (e)
			return e->action != CX_FLOW_DROP;
	}
	return true;
}

void cx_steer_sniff(struct cx_dev *dev, const struct cx_frame *f)
{
	struct cx_group *g = dev->rx->table[CX_TABLE_SNIFFER].first;
	static const struct cx_fte none;
	struct cx_fte_entry *e = g ? find_in(g, &none) : NULL;

	if (e)
		deliver(e, f, NULL);
}
