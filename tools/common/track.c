/* SPDX-License-Identifier: BSD-2-Clause */
/* See track.h. */
#include "track.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int track_init(struct track *t, uint32_t flows)
{
	memset(t, 0, sizeof(*t));
	t->flows = flows;
	t->flow_next = calloc(flows, sizeof(*t->flow_next));
	t->window = calloc(TRACK_WINDOW / 64, sizeof(*t->window));
	if (t->flow_next && t->window)
		return 0;
	track_free(t);
	return -ENOMEM;
}

void track_free(struct track *t)
{
	free(t->flow_next);
	free(t->window);
	t->flow_next = t->window = NULL;
}

static uint64_t *word(struct track *t, uint64_t number)
{
	return &t->window[number % TRACK_WINDOW / 64];
}

static bool test_and_set(struct track *t, uint64_t number)
{
	const uint64_t bit = 1ull << number % 64;
	bool was = *word(t, number) & bit;

	*word(t, number) |= bit;
	return was;
}

/* The window moves up to `number`: those between are not there yet. */
static void advance(struct track *t, uint64_t number)
{
	uint64_t from = t->next;

	if (number - from >= TRACK_WINDOW) {
		memset(t->window, 0, TRACK_WINDOW / 8);
		from = number;
	}
	for (; from <= number; from++)
		*word(t, from) &= ~(1ull << from % 64);
	t->next = number + 1;
}

/* The count whose lower half this is: the one nearest to what is expected. Counting starts at
 * 2^32, so that there is room below for what comes before the first. */
static uint64_t whole(const struct track *t, uint32_t number)
{
	const uint64_t expected = t->next ? t->next : (1ull << 32) + number;

	return expected + (uint64_t)(int64_t)(int32_t)(number - (uint32_t)expected);
}

void track_add(struct track *t, uint32_t number, uint64_t ns)
{
	const uint64_t n = whole(t, number);
	uint64_t *flow_next = &t->flow_next[number % t->flows];

	if (!t->next)
		t->first = t->next = n;
	if (n >= t->next)
		advance(t, n);
	if (t->next - n <= TRACK_WINDOW && test_and_set(t, n)) {
		t->duplicates++;
		return;
	}
	if (n < t->first)
		t->first = n;
	t->marked++;
	if (n < *flow_next)
		t->reordered++;
	else
		*flow_next = n + 1;
	latency_add(&t->latency, ns);
}
