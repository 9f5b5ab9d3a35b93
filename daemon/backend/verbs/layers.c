/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of shapes, kept in the NIC by priorities: of two flows that match a packet the one with
 * the smaller number takes it, and within a number the device promises nothing. So two shapes that
 * can meet in a packet need different priorities, in the order of the table; shapes that cannot,
 * because all rules of one have a bit set that all rules of the other have clear (another
 * ethertype, another VLAN), may share. There are 15 priorities for 16 shapes, and a shape whose
 * flows hash differently takes up to three (rules.c).
 *
 * A new shape goes to the middle of the gap that it fits in, so that later ones find gaps too. When
 * there is none, all shapes are packed anew and flows move: those to larger numbers first, last
 * shape first, then the others, first shape first. At every moment the order of any two shapes that
 * can meet is that of the table, since a shape moves only into numbers that its neighbours have
 * left, and for a moment stands at both.
 */
#include <errno.h>
#include <string.h>

#include "rdma.h"

#define FIRST 1u /* 0 is kept for exceptions */

struct plan {
	struct rn_place at[RN_SHAPES]; /* by slot */
};

/* The priority behind the last one. */
static uint32_t end_of(const struct rn_place *p)
{
	return (uint32_t)p->priority + p->levels + p->spare;
}

static void key_words(const struct rn_key *key, uint64_t w[sizeof(struct rn_key) / 8])
{
	memcpy(w, key, sizeof(*key));
}

/* Is there a bit that both masks name, and that parts all rules of one from all of the other? */
static bool disjoint(const struct rn_layer *a, const struct rn_layer *b)
{
	enum {
		N = sizeof(struct rn_key) / 8
	};
	uint64_t a1[N], a0[N], b1[N], b0[N];

	if (!a->rules || !b->rules)
		return true;
	key_words(&a->ones, a1);
	key_words(&a->zeros, a0);
	key_words(&b->ones, b1);
	key_words(&b->zeros, b0);
	for (unsigned i = 0; i < N; i++)
		if ((a1[i] & b0[i]) | (a0[i] & b1[i]))
			return true;
	return false;
}

/* Bits of the mask that the shape's rules agree in, with this one among them. */
static void take_in(struct rn_layer *l, const struct rn_rule *rule)
{
	enum {
		N = sizeof(struct rn_key) / 8
	};
	uint64_t key[N], mask[N], ones[N], zeros[N];

	key_words(&rule->key, key);
	key_words(&l->shape->mask, mask);
	key_words(&l->ones, ones);
	key_words(&l->zeros, zeros);
	for (unsigned i = 0; i < N; i++) {
		ones[i] = (l->rules ? ones[i] : mask[i]) & key[i];
		zeros[i] = (l->rules ? zeros[i] : mask[i]) & mask[i] & ~key[i];
	}
	memcpy(&l->ones, ones, sizeof(l->ones));
	memcpy(&l->zeros, zeros, sizeof(l->zeros));
	l->rules++;
}

static uint16_t levels_of(const struct rn_shape *shape)
{
	if (shape->mask.proto)
		return 1;
	return shape->mask.ethertype ? 2 : 3;
}

static struct rn_layer *nth(struct rn_rdma *rdma, uint32_t i)
{
	return &rdma->layer[rdma->order[i]];
}

/* ---- planning ---- */

static struct plan plan_now(const struct rn_rdma *rdma)
{
	struct plan p;

	for (unsigned s = 0; s < RN_SHAPES; s++)
		p.at[s] = rdma->layer[s].place;
	return p;
}

static bool holds(struct rn_rdma *rdma, const struct plan *p)
{
	for (uint32_t j = 0; j < rdma->n_layers; j++) {
		const struct rn_place *pj = &p->at[rdma->order[j]];

		if (end_of(pj) > RN_RDMA_PRIORITIES)
			return false;
		for (uint32_t i = 0; i < j; i++) {
			const struct rn_place *pi = &p->at[rdma->order[i]];

			if (pi->levels && pj->levels && end_of(pi) > pj->priority &&
			    !disjoint(nth(rdma, i), nth(rdma, j)))
				return false;
		}
	}
	return true;
}

/* The middle of the gap between what comes before and what comes behind. */
static void plan_gap(struct rn_rdma *rdma, struct plan *p, uint8_t slot)
{
	uint32_t low = FIRST, high = RN_RDMA_PRIORITIES, need;
	bool behind = false;

	for (uint32_t i = 0; i < rdma->n_layers; i++) {
		uint8_t s = rdma->order[i];

		if (s == slot) {
			behind = true;
			continue;
		}
		if (!p->at[s].levels || disjoint(&rdma->layer[s], &rdma->layer[slot]))
			continue;
		if (!behind && end_of(&p->at[s]) > low)
			low = end_of(&p->at[s]);
		if (behind && p->at[s].priority < high)
			high = p->at[s].priority;
	}
	need = p->at[slot].levels + p->at[slot].spare;
	p->at[slot].priority =
		(uint16_t)(high >= low + need ? low + (high - low - need) / 2 : RN_RDMA_PRIORITIES);
}

/* As far up as each may go. */
static void plan_pack(struct rn_rdma *rdma, struct plan *p)
{
	for (uint32_t j = 0; j < rdma->n_layers; j++) {
		uint32_t low = FIRST;

		for (uint32_t i = 0; i < j; i++) {
			const struct rn_place *pi = &p->at[rdma->order[i]];

			if (pi->levels && !disjoint(nth(rdma, i), nth(rdma, j)) && end_of(pi) > low)
				low = end_of(pi);
		}
		p->at[rdma->order[j]].priority = (uint16_t)low;
	}
}

/* ---- moving ---- */

static int move(struct rn_rdma *rdma, const struct plan *p, uint8_t slot, struct rn_err *err)
{
	struct rn_layer *l = &rdma->layer[slot];
	int rc = 0;

	if (l->place.levels)
		rc = rn_rdma_move_shape(rdma, l->shape, &p->at[slot], err);
	if (!rc)
		l->place = p->at[slot];
	return rc;
}

/* A shape that gives up its spare stays where it is, or moves, in either pass. */
static int carry_out(struct rn_rdma *rdma, const struct plan *p, struct rn_err *err)
{
	int rc = 0;

	for (uint32_t i = rdma->n_layers; i-- > 0 && !rc;)
		if (p->at[rdma->order[i]].priority > nth(rdma, i)->place.priority)
			rc = move(rdma, p, rdma->order[i], err);
	for (uint32_t i = 0; i < rdma->n_layers && !rc; i++)
		if (p->at[rdma->order[i]].priority < nth(rdma, i)->place.priority ||
		    p->at[rdma->order[i]].spare != nth(rdma, i)->place.spare)
			rc = move(rdma, p, rdma->order[i], err);
	return rc;
}

/* A plan with this many levels for the slot, if it is new, and spares for all or none. */
static bool find_plan(struct rn_rdma *rdma, struct plan *p, uint8_t slot, uint16_t levels,
		      bool spares)
{
	*p = plan_now(rdma);
	if (!p->at[slot].levels) {
		p->at[slot] = (struct rn_place) {.levels = levels, .spare = spares};
		plan_gap(rdma, p, slot);
	}
	if (holds(rdma, p))
		return true;
	for (unsigned s = 0; s < RN_SHAPES && !spares; s++)
		p->at[s].spare = false;
	plan_pack(rdma, p);
	return holds(rdma, p);
}

int rn_layers_admit(struct rn_rdma *rdma, const struct rn_rule *rule, struct rn_err *err)
{
	uint8_t slot = (uint8_t)rule->shape->slot;
	struct rn_layer *l = &rdma->layer[slot], before = *l;
	struct plan p;
	int rc;

	take_in(l, rule);
	if (!find_plan(rdma, &p, slot, levels_of(l->shape), true) &&
	    !find_plan(rdma, &p, slot, 1, true) &&
	    !find_plan(rdma, &p, slot, levels_of(l->shape), false) &&
	    !find_plan(rdma, &p, slot, 1, false)) {
		*l = before;
		return rn_fail(err, -ENOSPC,
			       "%s: the device has %u priorities, not enough for one more kind of "
			       "match beside the port's %u",
			       rdma->port->config.dev, RN_RDMA_PRIORITIES - FIRST,
			       rdma->n_layers - 1);
	}
	rc = carry_out(rdma, &p, err);
	if (rc) {
		/* What moved stays: it is in order without this rule as well. */
		l->rules = before.rules;
		l->ones = before.ones;
		l->zeros = before.zeros;
		return rc;
	}
	l->place = p.at[slot];
	return 0;
}

int rn_layers_set(struct rn_rdma *rdma, const struct rn_shape *const *order, unsigned n)
{
	bool used[RN_SHAPES] = {false};

	for (unsigned i = 0; i < n; i++) {
		struct rn_layer *l = &rdma->layer[order[i]->slot];

		rdma->order[i] = (uint8_t)order[i]->slot;
		used[order[i]->slot] = true;
		if (l->shape != order[i])
			*l = (struct rn_layer) {.shape = order[i]};
	}
	for (unsigned s = 0; s < RN_SHAPES; s++)
		if (!used[s])
			rdma->layer[s] = (struct rn_layer) {0};
	rdma->n_layers = n;
	return 0;
}
