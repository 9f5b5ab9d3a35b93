/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bad wire, in one direction of an end: frames are dropped, damaged, sent twice or delayed, each
 * with a probability of its own, from a seeded generator, so that a run can be repeated.
 */
#ifndef CX_FAULT_H
#define CX_FAULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gso.h"

enum cx_fault_kind {
	CX_FAULT_DROP,
	CX_FAULT_CORRUPT,
	CX_FAULT_DUPLICATE,
	CX_FAULT_DELAY,
	CX_FAULTS
};

struct cx_late; /* a delayed frame */

struct cx_fault {
	double percent[CX_FAULTS]; /* 0..100 */
	uint32_t delay_us; /* of delayed frames */
	uint64_t seed, state;
	uint64_t count[CX_FAULTS]; /* frames that it happened to */
	uint64_t overflow; /* delayed frames dropped, because too many were under way */
	struct cx_late *first, *last;
	uint32_t late;
};

/* Takes "drop=1.5", "corrupt=", "duplicate=", "delay=" (percent), "delay-us=", "seed=".
 * 0, or -EINVAL with a sentence. */
int cx_fault_set(struct cx_fault *f, const char *setting, char *err, size_t size);

/* Switches everything off and forgets the delayed frames. */
void cx_fault_clear(struct cx_fault *f);

/* A frame passes: emit is called for what is left of it, now or from cx_fault_tick. */
void cx_fault_pass(struct cx_fault *f, const uint8_t *frame, uint32_t len, cx_frame_fn emit,
		   void *ctx);

/* Emits the delayed frames that are due at now (CLOCK_MONOTONIC, ns); their number. */
int cx_fault_tick(struct cx_fault *f, uint64_t now, cx_frame_fn emit, void *ctx);

/* When the next delayed frame is due, or UINT64_MAX. */
uint64_t cx_fault_due(const struct cx_fault *f);

/* NULL when everything is off and nothing happened. */
json_t *cx_fault_json(const struct cx_fault *f);

#endif
