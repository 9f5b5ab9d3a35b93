/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handles: a slot of a two-level array and a generation. Readers load the pointer and compare the
 * rule's own handle, so a packet that was classified before its rule went finds nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "steer_impl.h"

#define SLOT_OF(handle) ((handle) & (HANDLES - 1))

/* ---- readers ---- */

struct rn_rule *rn_steer_handle(const struct rn_steer *s, uint32_t handle)
{
	uint32_t slot = SLOT_OF(handle);
	struct rn_rule **block = rcu_dereference(s->block[slot / BLOCK]);
	struct rn_rule *rule = block ? rcu_dereference(block[slot % BLOCK]) : NULL;

	return rule && rule->handle == handle ? rule : NULL;
}

struct rn_rule *rn_steer_tagged(const struct rn_steer *s, uint32_t tag)
{
	uint32_t slot = SLOT_OF(tag);
	struct rn_rule **block = rcu_dereference(s->block[slot / BLOCK]);
	struct rn_rule *rule = block ? rcu_dereference(block[slot % BLOCK]) : NULL;

	return rule && !((rule->handle ^ tag) & ((1u << RN_TAG_BITS) - 1)) ? rule : NULL;
}

/* ---- control thread ---- */

static int grow_handles(struct rn_steer *s)
{
	unsigned b = s->n_handles / BLOCK;
	struct rn_rule **block;

	if (s->block[b])
		return 0;
	block = calloc(BLOCK, sizeof(*block));
	s->generation[b] = calloc(BLOCK, sizeof(*s->generation[b]));
	if (!block || !s->generation[b]) {
		free(block);
		free(s->generation[b]);
		s->generation[b] = NULL;
		return -ENOMEM;
	}
	rcu_assign_pointer(s->block[b], block);
	return 0;
}

static int reserve_free(struct rn_steer *s)
{
	uint32_t more = s->max_free ? 2 * s->max_free : 1024;
	uint32_t *p;

	if (s->max_free > s->n_handles)
		return 0;
	p = realloc(s->free_handle, more * sizeof(*p));
	if (!p)
		return -ENOMEM;
	s->free_handle = p;
	s->max_free = more;
	return 0;
}

int rn_handle_take(struct rn_steer *s, uint32_t *handle, struct rn_err *err)
{
	uint32_t slot;

	if (s->n_free) {
		slot = s->free_handle[--s->n_free];
	} else if (s->n_handles == HANDLES) {
		return rn_fail(err, -ENOSPC, "the port has %u rules, its table is full",
			       s->n_rules);
	} else if (reserve_free(s) || grow_handles(s)) {
		return rn_fail(err, -ENOMEM, "rule: out of memory");
	} else {
		slot = s->n_handles++;
	}
	*handle = slot | (uint32_t)s->generation[slot / BLOCK][slot % BLOCK] << RN_HANDLE_BITS;
	return 0;
}

/* The slot's next rule has another generation. Room on the stack was reserved when it was taken. */
void rn_handle_give(struct rn_steer *s, uint32_t handle)
{
	uint32_t slot = SLOT_OF(handle);
	uint16_t *generation = &s->generation[slot / BLOCK][slot % BLOCK];

	*generation = (uint16_t)((*generation + 1) & 0xfff);
	s->free_handle[s->n_free++] = slot;
}

void rn_handle_set(struct rn_steer *s, uint32_t handle, struct rn_rule *rule)
{
	uint32_t slot = SLOT_OF(handle);

	rcu_assign_pointer(s->block[slot / BLOCK][slot % BLOCK], rule);
	note_change(s);
}

void rn_handles_free(struct rn_steer *s)
{
	for (unsigned i = 0; i < HANDLES / BLOCK; i++) {
		free(s->block[i]);
		free(s->generation[i]);
	}
	free(s->free_handle);
}
