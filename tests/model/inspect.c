/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands that only look: rules broken, counters, objects, queues.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "referee.h"

int cx_show_violations(struct cx_call *c)
{
	if (c->argc > 1 && strcmp(c->argv[1], "clear") == 0)
		cx_violation_clear();
	else
		cx_violation_list(c->out, c->size);
	return 0;
}

int cx_show_stats(struct cx_call *c)
{
	struct cx_dev *dev = cx_arg_device(c, 1);
	const struct cx_stats *s;

	if (!dev)
		return cx_say(c, -ENODEV, "no such device is open");
	s = &dev->stats;
	return cx_say(c, 0,
		      "tx_packets %llu\ntx_bytes %llu\ntx_denied %llu\nrx_packets %llu\n"
		      "rx_bytes %llu\nlink %d\nrx_missed %llu\nout_of_buffer %llu\nloopback "
		      "%llu\nkernel %llu\n",
		      (unsigned long long)s->tx_packets, (unsigned long long)s->tx_bytes,
		      (unsigned long long)s->tx_denied, (unsigned long long)s->rx_packets,
		      (unsigned long long)s->rx_bytes, dev->port_up,
		      (unsigned long long)s->rx_missed, (unsigned long long)s->out_of_buffer,
		      (unsigned long long)s->loopback, (unsigned long long)s->kernel);
}

int cx_show_objects(struct cx_call *c)
{
	struct cx_dev *dev = cx_arg_device(c, 1);
	uint32_t count[CX_TYPES] = {0}, i;
	size_t n = 0;
	struct cx_ctx *ctx;
	struct cx_obj *o;

	c->out[0] = '\0';
	for (ctx = dev ? dev->ctxs : NULL; ctx; ctx = ctx->next)
		for (o = ctx->objs; o; o = o->next)
			count[o->type]++;
	for (i = 1; i < CX_TYPES && n < c->size; i++)
		if (count[i])
			n += (size_t)snprintf(c->out + n, c->size - n, "%s %u\n",
					      cx_type_name((enum cx_type)i), count[i]);
	return 0;
}

int cx_show_queues(struct cx_call *c)
{
	struct cx_dev *dev = cx_arg_device(c, 1);
	static const char *const states[] = {"RESET", "READY", "ERROR"};
	size_t n = 0;
	struct cx_sq *sq;
	struct cx_rq *rq;
	struct cx_cq *cq;

	c->out[0] = '\0';
	if (!dev)
		return cx_say(c, -ENODEV, "no such device is open");
	for (sq = dev->sqs; sq && n < c->size; sq = sq->next)
		n += (size_t)snprintf(c->out + n, c->size - n, "sq %u %s pi %u ci %u cq %u\n",
				      sq->sqn, states[sq->state], sq->pi, sq->ci, sq->cq->cqn);
	for (rq = dev->rqs; rq && n < c->size; rq = rq->next)
		n += (size_t)snprintf(c->out + n, c->size - n,
				      "rq %u %s ci %u posted %u oob %llu cq %u\n", rq->rqn,
				      states[rq->state], rq->ci, cx_rq_posted(rq),
				      (unsigned long long)rq->out_of_buffer, rq->cq->cqn);
	for (cq = dev->cqs; cq && n < c->size; cq = cq->next)
		n += (size_t)snprintf(c->out + n, c->size - n, "cq %u%s pi %u armed %d\n", cq->cqn,
				      cq->broken ? " BROKEN" : "", cq->pi, cq->armed);
	return 0;
}
