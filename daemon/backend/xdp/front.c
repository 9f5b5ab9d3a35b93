/* SPDX-License-Identifier: BSD-2-Clause */
/* See front.h. */
#include "front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FREE,
	USED,
	RESTS
};

void rn_front_init(struct rn_front *front, struct rn_xdp_front *shared)
{
	*front = (struct rn_front) {.shared = shared, .n_free = RN_XDP_CACHED - 1};
	front->room[0] = USED; /* stands for none */
}

void rn_front_free(struct rn_front *front)
{
	for (uint32_t slot = 0; slot < RN_XDP_SHAPES; slot++)
		free(front->keys[slot]);
}

static uint32_t hash_of(const struct rn_key *key)
{
	unsigned long long words[sizeof(*key) / sizeof(unsigned long long)];

	memcpy(words, key, sizeof(words));
	return rn_xdp_hash(words);
}

/* ---- filters: a bit is set while there are keys for it ---- */

static void filter_add(struct rn_front *front, uint32_t slot, uint32_t bit)
{
	uint16_t *keys = &front->keys[slot][bit];

	if (*keys < UINT16_MAX)
		++*keys;
	__atomic_fetch_or(&front->shared->filter[slot][bit / 64], 1ull << bit % 64,
			  __ATOMIC_RELAXED);
}

static void filter_del(struct rn_front *front, uint32_t slot, uint32_t bit)
{
	uint16_t *keys = &front->keys[slot][bit];

	if (*keys < UINT16_MAX && !--*keys)
		__atomic_fetch_and(&front->shared->filter[slot][bit / 64], ~(1ull << bit % 64),
				   __ATOMIC_RELAXED);
}

/* ---- cache: a place for each hash, first come, first served ---- */

/* Release: who finds the place finds the rule whole. */
static void point(struct rn_front *front, uint32_t place, uint32_t room)
{
	__atomic_store_n(&front->shared->place[place], (uint8_t)room, __ATOMIC_RELEASE);
}

static void cache_add(struct rn_front *front, const struct rn_rule *rule, uint32_t hash)
{
	const uint32_t slot = rule->shape->slot, place = rn_xdp_place(slot, hash);
	uint32_t room = 1;

	if (front->shared->place[place] || !front->n_free)
		return;
	while (front->room[room] != FREE)
		room++;
	front->room[room] = USED;
	front->n_free--;
	front->shared->cached[room] =
		(struct rn_xdp_cached) {.key = rule->key, .slot = slot, .handle = rule->handle};
	point(front, place, room);
}

static void cache_leave(struct rn_front *front, uint32_t place)
{
	front->room[front->shared->place[place]] = RESTS;
	front->n_rest++;
	point(front, place, 0);
}

void rn_front_hide(struct rn_front *front, const struct rn_rule *rule)
{
	const uint32_t slot = rule->shape->slot, place = rn_xdp_place(slot, hash_of(&rule->key));
	const uint32_t room = front->shared->place[place];
	const struct rn_xdp_cached *c = &front->shared->cached[room];

	if (room && c->slot == slot && rn_key_equal(&c->key, &rule->key))
		cache_leave(front, place);
}

void rn_front_waited(struct rn_front *front)
{
	if (!front->n_rest)
		return;
	for (uint32_t room = 1; room < RN_XDP_CACHED; room++)
		if (front->room[room] == RESTS)
			front->room[room] = FREE;
	front->n_free += front->n_rest;
	front->n_rest = 0;
}

bool rn_front_wants_wait(const struct rn_front *front)
{
	return !front->n_free && front->n_rest;
}

/* ---- both ---- */

int rn_front_open(struct rn_front *front, uint32_t slot)
{
	front->keys[slot] = calloc(1u << RN_XDP_FILTER_BITS, sizeof(*front->keys[slot]));
	return front->keys[slot] ? 0 : -ENOMEM;
}

void rn_front_close(struct rn_front *front, uint32_t slot)
{
	for (uint32_t place = 0; place < RN_XDP_PLACES; place++)
		if (front->shared->place[place] &&
		    front->shared->cached[front->shared->place[place]].slot == slot)
			cache_leave(front, place);
	memset(front->shared->filter[slot], 0, sizeof(front->shared->filter[slot]));
	free(front->keys[slot]);
	front->keys[slot] = NULL;
}

void rn_front_add(struct rn_front *front, const struct rn_rule *rule)
{
	const uint32_t hash = hash_of(&rule->key);

	filter_add(front, rule->shape->slot, hash);
	cache_add(front, rule, hash);
}

void rn_front_del(struct rn_front *front, const struct rn_rule *rule)
{
	filter_del(front, rule->shape->slot, hash_of(&rule->key));
}
