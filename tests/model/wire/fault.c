/* SPDX-License-Identifier: BSD-2-Clause */
/* fault.h: contract. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "loop.h"
#include "wire.h"

#define LATE_MAX     4096
#define DELAY_MAX_US 10000000

struct cx_late {
	struct cx_late *next;
	uint64_t due;
	uint32_t len;
	uint8_t data[];
};

static const char *const kinds[] = {"drop", "corrupt", "duplicate", "delay"};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == CX_FAULTS, "a name for each kind");

/* splitmix64 */
static uint64_t draw(struct cx_fault *f)
{
	uint64_t z = f->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* One draw of the sequence. */
static bool happens(struct cx_fault *f, enum cx_fault_kind kind)
{
	bool yes = (double)(draw(f) >> 11) * 0x1p-53 * 100 < f->percent[kind];

	f->count[kind] += yes;
	return yes;
}

static int set_number(struct cx_fault *f, const char *key, size_t n, double value)
{
	int i;

	for (i = 0; i < CX_FAULTS; i++) {
		if (strlen(kinds[i]) == n && memcmp(key, kinds[i], n) == 0 && value <= 100) {
			f->percent[i] = value;
			return 0;
		}
	}
	if (n == 8 && memcmp(key, "delay-us", n) == 0 && value <= DELAY_MAX_US)
		f->delay_us = (uint32_t)value;
	else if (n == 4 && memcmp(key, "seed", n) == 0 && value <= 0x1p53)
		f->seed = f->state = (uint64_t)value;
	else
		return -EINVAL;
	return 0;
}

int cx_fault_set(struct cx_fault *f, const char *setting, char *err, size_t size)
{
	const char *eq = strchr(setting, '=');
	char *end = NULL;
	double value = eq ? strtod(eq + 1, &end) : -1;

	if (eq && eq[1] && *end == '\0' && value >= 0 &&
	    set_number(f, setting, (size_t)(eq - setting), value) == 0)
		return 0;
	snprintf(err, size,
		 "fault '%s': expected drop=, corrupt=, duplicate= or delay= with 0..100 percent, "
		 "delay-us=0..%d, or seed=NUMBER",
		 setting, DELAY_MAX_US);
	return -EINVAL;
}

static struct cx_late *take_first(struct cx_fault *f)
{
	struct cx_late *l = f->first;

	f->first = l->next;
	if (!f->first)
		f->last = NULL;
	f->late--;
	return l;
}

void cx_fault_clear(struct cx_fault *f)
{
	while (f->first)
		free(take_first(f));
	*f = (struct cx_fault) {0};
}

static void put_off(struct cx_fault *f, const uint8_t *frame, uint32_t len)
{
	struct cx_late *l = f->late < LATE_MAX ? malloc(sizeof(*l) + len) : NULL;

	if (!l) {
		f->overflow++;
		return;
	}
	l->next = NULL;
	l->due = cx_loop_now() + f->delay_us * (uint64_t)1000;
	l->len = len;
	memcpy(l->data, frame, len);
	if (f->last)
		f->last->next = l;
	else
		f->first = l;
	f->last = l;
	f->late++;
}

static bool is_off(const struct cx_fault *f)
{
	int i;

	for (i = 0; i < CX_FAULTS; i++) {
		if (f->percent[i] > 0)
			return false;
	}
	return true;
}

void cx_fault_pass(struct cx_fault *f, const uint8_t *frame, uint32_t len, cx_frame_fn emit,
		   void *ctx)
{
	uint8_t damaged[CX_FRAME_MAX];
	int copies = 1;

	if (is_off(f)) {
		emit(ctx, frame, len);
		return;
	}
	if (happens(f, CX_FAULT_DROP))
		return;
	if (happens(f, CX_FAULT_CORRUPT)) {
		uint64_t bit = draw(f) % (len * 8);

		memcpy(damaged, frame, len);
		damaged[bit / 8] ^= (uint8_t)(1u << bit % 8);
		frame = damaged;
	}
	copies += happens(f, CX_FAULT_DUPLICATE);
	while (copies-- > 0) {
		if (happens(f, CX_FAULT_DELAY))
			put_off(f, frame, len);
		else
			emit(ctx, frame, len);
	}
}

int cx_fault_tick(struct cx_fault *f, uint64_t now, cx_frame_fn emit, void *ctx)
{
	int n = 0;

	for (; f->first && f->first->due <= now; n++) {
		struct cx_late *l = take_first(f);

		emit(ctx, l->data, l->len);
		free(l);
	}
	return n;
}

uint64_t cx_fault_due(const struct cx_fault *f)
{
	return f->first ? f->first->due : UINT64_MAX;
}

json_t *cx_fault_json(const struct cx_fault *f)
{
	json_t *o;
	uint64_t any = f->overflow;
	int i;

	for (i = 0; i < CX_FAULTS; i++)
		any |= f->count[i];
	if (is_off(f) && !any)
		return NULL;
	o = json_pack("{s:I,s:I,s:I,s:I}", "seed", (json_int_t)f->seed, "delay-us",
		      (json_int_t)f->delay_us, "under-way", (json_int_t)f->late, "overflow",
		      (json_int_t)f->overflow);
	for (i = 0; i < CX_FAULTS; i++)
		json_object_set_new(o, kinds[i],
				    json_pack("{s:f,s:I}", "percent", f->percent[i], "frames",
					      (json_int_t)f->count[i]));
	return o;
}
