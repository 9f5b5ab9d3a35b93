/* SPDX-License-Identifier: BSD-2-Clause */
/* See tap.h. Filters are classic BPF, run by libpcap, which also checks them (bpf_validate: no jump
 * backwards or out, no access beyond the packet). */
#include "tap.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "attachment.h"
#include "backend/backend.h"
#include "key.h"
#include "steer.h"

struct rn_tap {
	struct rn_attachment *sink;
	uint32_t direction, of, snap, n_insns;
	uint64_t rule;
	struct bpf_insn insn[];
};

struct rn_taps {
	struct rcu_head rcu;
	uint32_t n;
	struct rn_tap *tap[RN_TAPS];
};

/* ---- control thread ---- */

static struct rn_tap *make(struct rn_attachment *sink, const struct rawnet_req_capture *req,
			   struct rn_err *err)
{
	struct rn_tap *t;

	if (req->n_insns > RAWNET_CAPTURE_INSNS) {
		rn_fail(err, -EINVAL, "n_insns %u: at most %u", req->n_insns, RAWNET_CAPTURE_INSNS);
		return NULL;
	}
	t = calloc(1, sizeof(*t) + req->n_insns * sizeof(t->insn[0]));
	if (!t) {
		rn_fail(err, -ENOMEM, "capture: out of memory");
		return NULL;
	}
	t->sink = sink;
	t->direction = req->direction;
	t->of = req->of;
	t->rule = req->rule;
	t->snap = req->snap ? req->snap : UINT32_MAX;
	t->n_insns = req->n_insns;
	for (uint32_t i = 0; i < req->n_insns; i++)
		t->insn[i] = (struct bpf_insn) {.code = req->insn[i].code,
						.jt = req->insn[i].jt,
						.jf = req->insn[i].jf,
						.k = req->insn[i].k};
	if (t->n_insns && !bpf_validate(t->insn, (int)t->n_insns)) {
		rn_fail(err, -EINVAL, "filter: not a valid program");
		free(t);
		return NULL;
	}
	return t;
}

static struct rn_taps *copy_without(const struct rn_taps *old, const struct rn_attachment *sink,
				    struct rn_tap **left)
{
	struct rn_taps *set = calloc(1, sizeof(*set));

	*left = NULL;
	if (!set)
		return NULL;
	for (uint32_t i = 0; old && i < old->n; i++) {
		if (old->tap[i]->sink == sink)
			*left = old->tap[i];
		else
			set->tap[set->n++] = old->tap[i];
	}
	return set;
}

static void publish(struct rn_port *port, struct rn_taps *set, struct rn_tap *left)
{
	struct rn_taps *old = port->taps;

	if (!set->n) {
		free(set);
		set = NULL;
	}
	rcu_assign_pointer(port->taps, set);
	synchronize_rcu();
	free(old);
	free(left);
}

int rn_tap_set(struct rn_attachment *sink, const struct rawnet_req_capture *req, struct rn_err *err)
{
	struct rn_tap *t = make(sink, req, err), *left;
	struct rn_taps *set;

	if (!t)
		return err->code;
	set = copy_without(sink->port->taps, sink, &left);
	if (!set || set->n == RN_TAPS) {
		free(t);
		free(set);
		return set ? rn_fail(err, -ENOSPC, "capture: %s has %u captures already",
				     sink->port->config.dev, RN_TAPS)
			   : rn_fail(err, -ENOMEM, "capture: out of memory");
	}
	set->tap[set->n++] = t;
	publish(sink->port, set, left);
	return 0;
}

static bool has_tap(const struct rn_taps *taps, const struct rn_attachment *sink)
{
	for (uint32_t i = 0; taps && i < taps->n; i++)
		if (taps->tap[i]->sink == sink)
			return true;
	return false;
}

void rn_tap_drop(struct rn_attachment *sink)
{
	struct rn_port *port = sink->port;
	struct rn_taps *set;
	struct rn_tap *left;

	if (!has_tap(port->taps, sink))
		return;
	set = copy_without(port->taps, sink, &left);
	if (!set) { /* the tap stays in the set, and copies nothing */
		for (uint32_t i = 0; i < port->taps->n; i++)
			if (port->taps->tap[i]->sink == sink)
				__atomic_store_n(&port->taps->tap[i]->direction, 0,
						 __ATOMIC_RELAXED);
		synchronize_rcu();
		return;
	}
	publish(port, set, left);
}

void rn_taps_free(struct rn_port *port)
{
	for (uint32_t i = 0; port->taps && i < port->taps->n; i++)
		free(port->taps->tap[i]);
	free(port->taps);
	port->taps = NULL;
}

/* ---- poller ---- */

static bool wants(const struct rn_tap *t, uint32_t direction, uint32_t attachment, uint64_t rule,
		  const struct rn_frame *f)
{
	if (!(__atomic_load_n(&t->direction, __ATOMIC_RELAXED) & direction))
		return false;
	if ((t->of && t->of != attachment) || (t->rule && t->rule != rule) ||
	    t->sink->id == attachment)
		return false;
	return !t->n_insns || bpf_filter(t->insn, f->piece[0].data, f->len, f->piece[0].len);
}

static void offer(const struct rn_taps *taps, uint32_t poller, struct rawnet_capture *c,
		  const struct rn_frame *f)
{
	for (uint32_t i = 0; i < taps->n; i++) {
		const struct rn_tap *t = taps->tap[i];

		if (!wants(t, c->direction, c->attachment, c->rule, f))
			continue;
		if (!c->stamp)
			c->stamp = f->stamp ? f->stamp : rn_wall_ns();
		rn_deliver_captured(&t->sink->queue[t->sink->first[poller]], f, t->snap, c);
	}
}

void rn_tap_rx(struct rn_hwq *hwq, const struct rn_rule *rule, const struct rn_attachment *at,
	       const struct rn_frame *f)
{
	const struct rn_taps *taps = rcu_dereference(hwq->port->taps);
	struct rawnet_capture c = {.rule = rule ? rule->id : 0,
				   .attachment = at->id,
				   .len = f->len,
				   .direction = RAWNET_CAPTURE_RX};

	if (taps)
		offer(taps, hwq->poller_index, &c, f);
}

static bool any_rule(const struct rn_taps *taps)
{
	for (uint32_t i = 0; i < taps->n; i++)
		if (taps->tap[i]->rule)
			return true;
	return false;
}

void rn_tap_tx(struct rn_queue *q, const uint8_t *frame, uint32_t len)
{
	const struct rn_port *port = q->hwq->port;
	const struct rn_taps *taps = rcu_dereference(port->taps);
	const struct rn_frame f = {.piece[0] = {frame, len}, .n_pieces = 1, .len = len, .tci = -1};
	struct rawnet_capture c = {
		.attachment = q->at->id, .len = len, .direction = RAWNET_CAPTURE_TX};

	if (!taps)
		return;
	if (any_rule(taps)) {
		struct rn_headers headers;
		const struct rn_rule *rule;
		struct rn_key key;

		rn_key_parse(frame, len, -1, &key, &headers);
		rule = rn_steer_mirror(port->steer, &key, q->at);
		c.rule = rule ? rule->id : 0;
	}
	offer(taps, q->hwq->poller_index, &c, &f);
}
