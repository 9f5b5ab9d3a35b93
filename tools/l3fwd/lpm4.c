/* SPDX-License-Identifier: BSD-2-Clause */
/* See lpm4.h. Shorter prefixes are written first, longer ones over them. */
#include "lpm4.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ENTRIES (1u << 24)

int lpm4_compare(const void *a, const void *b)
{
	const struct lpm4_route *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

static void fill(uint32_t *entry, size_t n, uint32_t value)
{
	for (size_t i = 0; i < n; i++)
		entry[i] = value;
}

/* The group behind an entry of dir; made, with what the entry said so far, if there is none. */
static uint32_t *group_of(struct lpm4 *t, uint32_t *entry)
{
	uint32_t *group;

	if (*entry & LPM4_GROUP)
		return t->groups + ((size_t)(*entry & ~LPM4_GROUP) << 8);
	if (t->n_groups == t->room) {
		uint32_t room = t->room ? t->room * 2 : 64;
		uint32_t *more = realloc(t->groups, (size_t)room * 256 * sizeof(*more));

		if (!more)
			return NULL;
		t->groups = more;
		t->room = room;
	}
	group = t->groups + ((size_t)t->n_groups << 8);
	fill(group, 256, *entry);
	*entry = LPM4_GROUP | t->n_groups++;
	return group;
}

static int add(struct lpm4 *t, const struct lpm4_route *r)
{
	uint32_t *group;

	if (r->len <= 24) {
		fill(t->dir + (r->addr >> 8), (size_t)1 << (24 - r->len), r->value);
		return 0;
	}
	group = group_of(t, &t->dir[r->addr >> 8]);
	if (!group)
		return -ENOMEM;
	fill(group + (r->addr & 0xff), (size_t)1 << (32 - r->len), r->value);
	return 0;
}

int lpm4_build(struct lpm4 *t, const struct lpm4_route *routes, size_t n)
{
	int rc = 0;

	memset(t, 0, sizeof(*t));
	t->bytes = (size_t)ENTRIES * sizeof(*t->dir);
	t->dir = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->dir == MAP_FAILED) {
		t->dir = NULL;
		return -ENOMEM;
	}
	/* Addresses come from all over it: with small pages each would miss in the TLB too. */
	madvise(t->dir, t->bytes, MADV_HUGEPAGE);
	for (size_t i = 0; i < n && !rc; i++)
		rc = add(t, &routes[i]);
	if (rc)
		lpm4_free(t);
	return rc;
}

void lpm4_free(struct lpm4 *t)
{
	if (t->dir)
		munmap(t->dir, t->bytes);
	free(t->groups);
	memset(t, 0, sizeof(*t));
}

size_t lpm4_memory(const struct lpm4 *t)
{
	return t->bytes + (size_t)t->n_groups * 256 * sizeof(*t->groups);
}
