/* SPDX-License-Identifier: BSD-2-Clause */
/* See due.h. */
#include "due.h"

static void place(struct l3_dues *d, uint32_t at, struct l3_due *due)
{
	d->heap[at] = due;
	due->place = at + 1;
}

/* The place is free; what stands there comes before what is below it, and behind what is above. */
static void settle(struct l3_dues *d, uint32_t at, struct l3_due *due)
{
	uint32_t child;

	for (; at && due->at < d->heap[(at - 1) / 2]->at; at = (at - 1) / 2)
		place(d, at, d->heap[(at - 1) / 2]);
	for (; (child = 2 * at + 1) < d->n; at = child) {
		if (child + 1 < d->n && d->heap[child + 1]->at < d->heap[child]->at)
			child++;
		if (due->at <= d->heap[child]->at)
			break;
		place(d, at, d->heap[child]);
	}
	place(d, at, due);
}

void l3_due_put(struct l3_dues *d, struct l3_due *due, uint64_t at)
{
	due->at = at;
	settle(d, due->place ? due->place - 1 : d->n++, due);
}

void l3_due_drop(struct l3_dues *d, struct l3_due *due)
{
	const uint32_t at = due->place - 1;
	struct l3_due *last;

	if (!due->place)
		return;
	due->place = 0;
	last = d->heap[--d->n];
	if (last != due)
		settle(d, at, last);
}
