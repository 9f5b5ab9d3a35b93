/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects by handle, queues by number, and the lock.
 *
 * Fairness of the lock: the device thread takes it again right after it let go, and would starve
 * commands; so whoever waits announces it, and the device thread steps back until as many have had
 * it as were waiting. Not until nobody waits: many threads would starve the device.
 */
#include <stdlib.h>
#include <time.h>

#include "model.h"

struct cx_dev cx_devs[CX_MAX_DEVS];
pthread_mutex_t cx_mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint32_t waiting,
	served; /* threads of the program that want the lock; have had it */

static struct cx_obj *table[CX_MAX_OBJS];
static uint32_t next_handle;

void cx_lock(void)
{
	atomic_fetch_add_explicit(&waiting, 1, memory_order_relaxed);
	pthread_mutex_lock(&cx_mutex);
	atomic_fetch_sub_explicit(&waiting, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&served, 1, memory_order_relaxed);
}

void cx_step_back(void)
{
	const struct timespec moment = {.tv_nsec = 1000};
	uint32_t before = atomic_load_explicit(&served, memory_order_relaxed);
	uint32_t n = atomic_load_explicit(&waiting, memory_order_relaxed);

	while (atomic_load_explicit(&waiting, memory_order_relaxed) &&
	       atomic_load_explicit(&served, memory_order_relaxed) - before < n)
		nanosleep(&moment, NULL);
}

void cx_unlock(void)
{
	pthread_mutex_unlock(&cx_mutex);
}

const char *cx_type_name(enum cx_type type)
{
	static const char *const names[CX_TYPES] = {
		[CX_PD] = "PD",	    [CX_MR] = "MR",	      [CX_CQ] = "CQ",
		[CX_QP] = "QP",	    [CX_WQ] = "WQ",	      [CX_IND] = "indirection table",
		[CX_FLOW] = "flow", [CX_MATCHER] = "matcher", [CX_UAR] = "UAR",
	};

	return names[type];
}

void *cx_obj_new(struct cx_ctx *ctx, enum cx_type type, size_t size)
{
	struct cx_obj *o = calloc(1, size);
	uint32_t i;

	if (!o)
		return NULL;
	for (i = 0; i < CX_MAX_OBJS; i++) {
		uint32_t h = (next_handle + i) % CX_MAX_OBJS;

		if (table[h])
			continue;
		table[h] = o;
		next_handle = h + 1;
		o->handle = h;
		o->type = type;
		o->ctx = ctx;
		o->next = ctx->objs;
		if (o->next)
			o->next->prev = o;
		ctx->objs = o;
		return o;
	}
	free(o);
	return NULL;
}

void *cx_obj_find(struct cx_ctx *ctx, uint32_t handle, enum cx_type type)
{
	struct cx_obj *o = handle < CX_MAX_OBJS ? table[handle] : NULL;

	return o && o->ctx == ctx && o->type == type ? o : NULL;
}

void cx_obj_free(struct cx_obj *o)
{
	if (o->prev)
		o->prev->next = o->next;
	else
		o->ctx->objs = o->next;
	if (o->next)
		o->next->prev = o->prev;
	table[o->handle] = NULL;
	free(o);
}

uint32_t cx_number_new(struct cx_dev *dev, int kind, void *queue)
{
	uint32_t i;

	for (i = 0; i < CX_MAX_QUEUES - 64; i++) {
		uint32_t n = 64 + (dev->next_num + i) % (CX_MAX_QUEUES - 64);

		if (dev->num[n].kind != CX_NONE)
			continue;
		dev->num[n].kind = kind;
		dev->num[n].queue = queue;
		dev->next_num = n - 64 + 1;
		return n;
	}
	return 0;
}

void cx_number_free(struct cx_dev *dev, uint32_t number)
{
	if (number && number < CX_MAX_QUEUES)
		dev->num[number] = (struct cx_number) {CX_NONE, NULL};
}

struct cx_number *cx_number_find(struct cx_dev *dev, uint32_t number)
{
	if (number >= CX_MAX_QUEUES || dev->num[number].kind == CX_NONE)
		return NULL;
	return &dev->num[number];
}
