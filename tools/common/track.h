/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What came of what was sent: loss, order, duplicates, latency. Frames are known by their numbers,
 * 32 bits of a count that is followed over its wraps.
 *
 * A frame is reordered if one of its flow with a higher number came before it (RFC 4737). A
 * duplicate is one whose number is among the last TRACK_WINDOW that came already; what comes later
 * than that counts as reordered only.
 */
#ifndef TRACK_H
#define TRACK_H

#include <stdint.h>

#include "latency.h"

#define TRACK_WINDOW (1u << 20)

struct track {
	uint64_t received, bytes; /* all frames, marked or not */
	uint64_t marked; /* without duplicates */
	uint64_t reordered, duplicates;
	uint64_t first, next; /* numbers: the lowest, and above the highest */
	uint32_t flows;
	uint64_t *flow_next; /* of each flow: above its highest number */
	uint64_t *window; /* a bit for each of the last numbers */
	struct latency latency;
};

/* 0 or -ENOMEM. */
int track_init(struct track *t, uint32_t flows);
void track_free(struct track *t);
/* A marked frame that took so many ns. */
void track_add(struct track *t, uint32_t number, uint64_t ns);

#endif
