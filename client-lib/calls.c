/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Callbacks that wait for delivery: filled with the connection's lock held, run without it by the
 * library's thread or rawnet_process(). Bounded: a program that never processes them loses events,
 * and is told how many with the next one; gone and back are never lost to the bound.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void rn_calls_init(struct rn_calls *calls)
{
	calls->head = NULL;
	calls->tail = &calls->head;
	calls->n = 0;
}

static struct rn_call *take_reserve(struct rawnet *rn, enum rn_call_kind kind)
{
	struct rn_call *call = &rn->calls.reserve[kind == RN_CALL_GONE];

	if (kind == RN_CALL_EVENT || __atomic_exchange_n(&call->reserved, 1, __ATOMIC_ACQUIRE))
		return NULL;
	return call;
}

static void release(struct rn_call *call)
{
	if (__atomic_load_n(&call->reserved, __ATOMIC_RELAXED))
		__atomic_store_n(&call->reserved, 0, __ATOMIC_RELEASE);
	else
		free(call);
}

static struct rn_call *append(struct rawnet *rn, enum rn_call_kind kind)
{
	struct rn_call *call = calloc(1, sizeof(*call));

	if (!call)
		call = take_reserve(rn, kind);
	if (!call)
		return NULL;
	call->next = NULL;
	call->kind = kind;
	*rn->calls.tail = call;
	rn->calls.tail = &call->next;
	rn->calls.n++;
	rn_conn_kick(rn);
	return call;
}

void rn_calls_event(struct rawnet *rn, const struct rawnet_event *event)
{
	struct rn_call *call;

	if (!rn->options.event)
		return;
	call = rn->calls.n < RN_CALLS_MAX ? append(rn, RN_CALL_EVENT) : NULL;
	if (!call) {
		rn->calls.lost += 1 + event->lost;
		return;
	}
	call->event = *event;
	call->event.lost += rn->calls.lost;
	rn->calls.lost = 0;
	call->event.dev[sizeof(event->dev) - 1] = '\0';
	call->event.what[sizeof(event->what) - 1] = '\0';
	call->event.text[sizeof(event->text) - 1] = '\0';
}

static void copy_text(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

/* What the library itself has to tell: a rule or an attachment that a restart did not bring back.
 */
void rn_calls_report(struct rawnet *rn, uint32_t kind, const char *what, uint64_t id,
		     const struct rawnet_attachment *at, const char *text)
{
	struct rawnet_event event = {
		.hdr = {.size = sizeof(event), .type = RAWNET_MSG_EVENT}, .kind = kind, .id = id};

	event.attachment = at->info->attachment;
	copy_text(event.dev, sizeof(event.dev), at->dev);
	copy_text(event.what, sizeof(event.what), what);
	copy_text(event.text, sizeof(event.text), text);
	rn_calls_event(rn, &event);
}

void rn_calls_gone(struct rawnet *rn, const struct rawnet_disconnect *why)
{
	struct rn_call *call = rn->options.gone ? append(rn, RN_CALL_GONE) : NULL;

	if (!call)
		return;
	call->crash = !why;
	if (why)
		call->why = *why;
}

void rn_calls_back(struct rawnet *rn, uint64_t gap_ns)
{
	struct rn_call *call = rn->options.back ? append(rn, RN_CALL_BACK) : NULL;

	if (call)
		call->gap_ns = gap_ns;
}

void rn_calls_run(struct rawnet *rn, struct rn_call *list)
{
	const struct rawnet_options *o = &rn->options;
	struct rn_call *call;

	while ((call = list)) {
		list = call->next;
		switch (call->kind) {
		case RN_CALL_EVENT: o->event(o->arg, &call->event); break;
		case RN_CALL_GONE: o->gone(o->arg, call->crash ? NULL : &call->why); break;
		case RN_CALL_BACK: o->back(o->arg, call->gap_ns); break;
		}
		release(call);
	}
}

void rn_calls_free(struct rn_call *list)
{
	struct rn_call *next;

	for (; list; list = next) {
		next = list->next;
		release(list);
	}
}
