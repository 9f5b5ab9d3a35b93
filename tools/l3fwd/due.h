/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Things that are due at some time, the earliest first: a heap of as many as there is room for.
 * What is put in, moved or taken out costs the logarithm of how many there are. One thread.
 */
#ifndef L3_DUE_H
#define L3_DUE_H

#include <stddef.h>
#include <stdint.h>

/* Part of what is due; zeroed: not in. */
struct l3_due {
	uint64_t at; /* ns */
	uint32_t place; /* in the heap, from 1; 0: not in */
};

struct l3_dues {
	struct l3_due **heap; /* room for all that may be in */
	uint32_t n;
};

/* It is due at that time, whether it was in or not. */
void l3_due_put(struct l3_dues *dues, struct l3_due *due, uint64_t at);
/* It is in no more, whether it was or not. */
void l3_due_drop(struct l3_dues *dues, struct l3_due *due);

/* The earliest; NULL: nothing is due ever. */
static inline struct l3_due *l3_due_first(const struct l3_dues *dues)
{
	return dues->n ? dues->heap[0] : NULL;
}

#endif
