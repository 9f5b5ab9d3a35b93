/* SPDX-License-Identifier: BSD-2-Clause */
/* See hops.h. Open addressing; the struct has no padding, so its bytes are compared. */
#include "hops.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lpm4.h"

#define FIRST 1024u

static_assert(sizeof(struct l3_hop) == 19, "no padding");

static size_t hash(const struct l3_hop *hop)
{
	const uint8_t *bytes = (const void *)hop;
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < sizeof(*hop); i++)
		h = (h ^ bytes[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

/* Where its number stands, or is to stand. */
static uint32_t *place(const struct l3_hops *t, const struct l3_hop *hop)
{
	size_t at = hash(hop) & (t->index_size - 1);

	while (t->index[at] && memcmp(&t->hop[t->index[at]], hop, sizeof(*hop)) != 0)
		at = (at + 1) & (t->index_size - 1);
	return &t->index[at];
}

static int grow(struct l3_hops *t)
{
	size_t room = t->room ? t->room * 2 : FIRST;
	struct l3_hop *hop = realloc(t->hop, room * sizeof(*hop));
	uint32_t *index = calloc(room * 2, sizeof(*index));

	if (hop)
		t->hop = hop;
	if (!hop || !index) {
		free(index);
		return -ENOMEM;
	}
	free(t->index);
	t->index = index;
	t->index_size = room * 2;
	t->room = room;
	for (uint32_t i = L3_BLACKHOLE + 1; i < t->n; i++)
		*place(t, &t->hop[i]) = i;
	return 0;
}

int l3_hops_init(struct l3_hops *t)
{
	memset(t, 0, sizeof(*t));
	if (grow(t)) {
		l3_hops_free(t);
		return -ENOMEM;
	}
	t->hop[L3_NO_ROUTE] = (struct l3_hop) {.kind = L3_NO_ROUTE};
	t->hop[L3_BLACKHOLE] = (struct l3_hop) {.kind = L3_BLACKHOLE};
	t->n = L3_BLACKHOLE + 1;
	return 0;
}

void l3_hops_free(struct l3_hops *t)
{
	free(t->hop);
	free(t->index);
	memset(t, 0, sizeof(*t));
}

uint32_t l3_hops_find(const struct l3_hops *t, const struct l3_hop *hop)
{
	return hop->kind <= L3_BLACKHOLE ? hop->kind : *place(t, hop);
}

uint32_t l3_hops_add(struct l3_hops *t, const struct l3_hop *hop)
{
	uint32_t number = l3_hops_find(t, hop);

	if (number || t->n >= LPM_VALUES || (t->n == t->room && grow(t)))
		return number;
	t->hop[t->n] = *hop;
	*place(t, hop) = (uint32_t)t->n;
	return (uint32_t)t->n++;
}
