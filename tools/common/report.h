/* SPDX-License-Identifier: BSD-2-Clause */
/* Results, for people and for programs. */
#ifndef REPORT_H
#define REPORT_H

#include <jansson.h>

#include "track.h"

/* "latency   min 3.1 us, 50% 3.4, ..., max 20.0, mean 3.5": of at least one. */
void report_latency(const struct latency *l);
/* The same in nanoseconds; null if there are none. */
json_t *report_latency_json(const struct latency *l);

/* "lost      0 (0.0000 %), reordered 0, duplicates 0": of `expected` frames. */
void report_loss(const struct track *t, uint64_t expected);
/* Adds all of a track's members but what was received. */
void report_loss_json(json_t *json, const struct track *t, uint64_t expected);

/* Prints and frees one object on one line; an exit code. */
int report_emit(json_t *json);

#endif
