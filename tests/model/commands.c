/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands: a line of words in, a text out. They come from the control socket (control.c), from
 * CX_FAULTS, or from a test in the process (cx-test.h).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "faults.h"
#include "uverbs.h"
#include "wires.h"

int cx_say(struct cx_call *c, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->out, c->size, fmt, ap);
	va_end(ap);
	return ret;
}

static bool number(const char *s, uint64_t *v)
{
	char *end;

	*v = strtoull(s, &end, 0);
	return end != s && !*end && *s != '-';
}

uint32_t cx_arg(const struct cx_call *c, int i, uint32_t none)
{
	uint64_t v;

	return i < c->argc && number(c->argv[i], &v) ? (uint32_t)v : none;
}

struct cx_dev *cx_arg_device(const struct cx_call *c, int i)
{
	uint32_t n = cx_arg(c, i, 0);

	return n < (uint32_t)cx_settings.devs && cx_devs[n].attached ? &cx_devs[n] : NULL;
}

/* ---- faults ---- */

static int parse_errno(const char *s)
{
	static const struct {
		const char *name;
		int value;
	} names[] = {{"ENOMEM", ENOMEM},	 {"EINVAL", EINVAL}, {"EIO", EIO},
		     {"EPERM", EPERM},		 {"EBUSY", EBUSY},   {"ENOSPC", ENOSPC},
		     {"EOPNOTSUPP", EOPNOTSUPP}, {"ENODEV", ENODEV}, {"EFAULT", EFAULT},
		     {"EAGAIN", EAGAIN},	 {"EEXIST", EEXIST}, {"ETIMEDOUT", ETIMEDOUT}};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, s) == 0)
			return names[i].value;
	return atoi(s);
}

/* What is still to fail. */
static int list_fails(struct cx_call *c)
{
	size_t n = 0;
	int i;

	for (i = 0; i < cx_command_count() && n < c->size; i++)
		if (cx_fault_left(i))
			n += (size_t)snprintf(c->out + n, c->size - n, "%s %u\n",
					      cx_command_name(i), cx_fault_left(i));
	return 0;
}

/* fail [COMMAND ERRNO [COUNT [SKIP]]] */
static int do_fail(struct cx_call *c)
{
	int index, err;

	if (c->argc == 1)
		return list_fails(c);
	if (c->argc < 3)
		return cx_say(c, -EINVAL, "fail COMMAND ERRNO [COUNT [SKIP]]");
	index = cx_command_index(c->argv[1]);
	if (index < 0)
		return cx_say(c, -ENOENT, "there is no command '%s'", c->argv[1]);
	err = parse_errno(c->argv[2]);
	if (err <= 0)
		return cx_say(c, -EINVAL, "'%s' is no errno", c->argv[2]);
	return cx_fault_set(index, err, cx_arg(c, 4, 0), cx_arg(c, 3, 1));
}

/* sq-error SYNDROME [SQN [COUNT]] */
static int do_sq_error(struct cx_call *c)
{
	cx_faults.sq_error = cx_arg(c, 1, 0);
	cx_faults.sq_error_num = cx_arg(c, 2, 0);
	cx_faults.sq_error_count = cx_arg(c, 3, 1);
	return cx_faults.sq_error ? 0 : cx_say(c, -EINVAL, "sq-error SYNDROME [SQN [COUNT]]");
}

static int do_rq_error(struct cx_call *c)
{
	cx_faults.rq_error = cx_arg(c, 1, 0);
	cx_faults.rq_error_num = cx_arg(c, 2, 0);
	cx_faults.rq_error_count = cx_arg(c, 3, 1);
	return cx_faults.rq_error ? 0 : cx_say(c, -EINVAL, "rq-error SYNDROME [RQN [COUNT]]");
}

/* port up|down [DEV] */
static int do_port(struct cx_call *c)
{
	struct cx_dev *dev = cx_arg_device(c, 2);

	if (!dev || c->argc < 2 || (strcmp(c->argv[1], "up") && strcmp(c->argv[1], "down")))
		return cx_say(c, -EINVAL, "port up|down [DEVICE]");
	dev->pulled = strcmp(c->argv[1], "down") == 0;
	return 0;
}

static struct cx_obj *queue_object(struct cx_dev *dev, uint32_t num)
{
	struct cx_number *n = cx_number_find(dev, num);
	struct cx_ctx *ctx;
	struct cx_obj *o;

	for (ctx = dev->ctxs; n && ctx; ctx = ctx->next)
		for (o = ctx->objs; o; o = o->next)
			if ((o->type == CX_CQ && n->queue == o) ||
			    (o->type == CX_WQ && n->queue == &((struct cx_wq *)o)->rq) ||
			    (o->type == CX_QP && (n->queue == &((struct cx_qp *)o)->rq ||
						  n->queue == &((struct cx_qp *)o)->sq)))
				return o;
	return NULL;
}

/* A fatal event comes with the state that it reports. */
static void fatal(struct cx_obj *o)
{
	if (o->type == CX_CQ) {
		((struct cx_cq *)o)->broken = true;
		cx_event_cq((struct cx_cq *)o, IBV_EVENT_CQ_ERR);
	} else if (o->type == CX_WQ) {
		cx_rq_state(&((struct cx_wq *)o)->rq, CX_ERROR);
		cx_event_wq((struct cx_wq *)o, IBV_EVENT_WQ_FATAL);
	} else {
		struct cx_qp *qp = (struct cx_qp *)o;

		if (qp->has_sq)
			cx_sq_state(&qp->sq, CX_ERROR);
		if (qp->has_rq)
			cx_rq_state(&qp->rq, CX_ERROR);
		qp->state = IBV_QPS_ERR;
		cx_event_qp(qp, IBV_EVENT_QP_FATAL);
	}
}

/* fatal device [DEV] | fatal NUMBER [DEV] */
static int do_fatal(struct cx_call *c)
{
	struct cx_dev *dev = cx_arg_device(c, 2);
	struct cx_obj *o;

	if (!dev || c->argc < 2)
		return cx_say(c, -EINVAL, "fatal device|NUMBER [DEVICE]");
	if (strcmp(c->argv[1], "device") == 0) {
		cx_event_device(dev, 0, IBV_EVENT_DEVICE_FATAL);
		return 0;
	}
	o = queue_object(dev, cx_arg(c, 1, 0));
	if (!o)
		return cx_say(c, -ENOENT, "no queue has the number %s", c->argv[1]);
	fatal(o);
	return 0;
}

static int do_slow(struct cx_call *c)
{
	cx_faults.slow_us = cx_arg(c, 1, 0);
	return 0;
}

static int do_slow_commands(struct cx_call *c)
{
	cx_faults.command_us = cx_arg(c, 1, 0);
	return 0;
}

static int do_delay(struct cx_call *c)
{
	cx_faults.delay_us = cx_arg(c, 1, 0);
	return 0;
}

static int do_drop(struct cx_call *c)
{
	if (c->argc < 3)
		return cx_say(c, -EINVAL, "drop tx|rx EVERY");
	if (strcmp(c->argv[1], "tx") == 0)
		cx_faults.drop_tx = cx_arg(c, 2, 0);
	else
		cx_faults.drop_rx = cx_arg(c, 2, 0);
	return 0;
}

/* freeze|thaw tx|rx|all: completions gather, and come as a storm. */
static int do_freeze(struct cx_call *c)
{
	const char *what = c->argc > 1 ? c->argv[1] : "all";
	bool on = strcmp(c->argv[0], "freeze") == 0;

	if (strcmp(what, "rx"))
		cx_faults.frozen_tx = on;
	if (strcmp(what, "tx"))
		cx_faults.frozen_rx = on;
	return 0;
}

/* sync: returns when the device has nothing left to do, so that a test need not wait. */
static int do_sync(struct cx_call *c)
{
	int turns;

	for (turns = 0; cx_dev_turn() && turns < 1000000; turns++)
		;
	return cx_say(c, 0, "%d", turns);
}

/* ---- paused mode ---- */

static int do_pause(struct cx_call *c)
{
	struct cx_sq *sq;
	int i;

	cx_faults.paused = strcmp(c->argv[0], "pause") == 0;
	for (i = 0; !cx_faults.paused && i < cx_settings.devs; i++)
		for (sq = cx_devs[i].sqs; sq; sq = sq->next)
			cx_sq_skip(sq);
	return 0;
}

/* prewrite rx COUNT [DEV]: the wire delivers now, the device thread stays asleep. */
static int prewrite_rx(struct cx_call *c, struct cx_dev *dev)
{
	uint32_t want = cx_arg(c, 2, 1), n = 0;
	struct cx_cq *cq;

	while (n < want) {
		int got = cx_wire_poll(dev, (int)(want - n));

		if (got <= 0)
			break;
		n += (uint32_t)got;
	}
	for (cq = dev->cqs; cq; cq = cq->next)
		cx_comp_flush(cq);
	return cx_say(c, 0, "%u", n);
}

/* prewrite tx COUNT EVERY [DEV]: completions as if COUNT * EVERY WQEs of one WQEBB had been sent;
 * what the driver then posts is not executed. */
static int prewrite_tx(struct cx_call *c, struct cx_dev *dev)
{
	uint32_t count = cx_arg(c, 2, 1), every = cx_arg(c, 3, 1), i;
	struct cx_sq *sq;

	for (sq = dev->sqs; sq; sq = sq->next) {
		if (sq->state != CX_READY)
			continue;
		for (i = 0; i < count && cx_cq_room(sq->cq, 1); i++) {
			sq->ci = (uint16_t)(sq->ci + every);
			cx_cq_req(sq, (uint16_t)(sq->ci - 1), MLX5_OPCODE_SEND, 0);
		}
		sq->reported = sq->ci;
		sq->prewritten = true;
	}
	return 0;
}

static int do_prewrite(struct cx_call *c)
{
	bool tx = c->argc > 1 && strcmp(c->argv[1], "tx") == 0;
	struct cx_dev *dev = cx_arg_device(c, tx ? 4 : 3);

	if (!cx_faults.paused || !dev || c->argc < 3)
		return cx_say(c, -EINVAL,
			      "while paused: prewrite rx COUNT [DEVICE] | tx COUNT EVERY [DEVICE]");
	return tx ? prewrite_tx(c, dev) : prewrite_rx(c, dev);
}

static int do_help(struct cx_call *c);

static const struct {
	const char *name, *usage;
	int (*run)(struct cx_call *c);
} table[] = {
	{"help", "", do_help},
	{"fail", "[COMMAND ERRNO [COUNT [SKIP]]]", do_fail},
	{"sq-error", "SYNDROME [SQN [COUNT]]", do_sq_error},
	{"rq-error", "SYNDROME [RQN [COUNT]]", do_rq_error},
	{"port", "up|down [DEVICE]", do_port},
	{"fatal", "device|NUMBER [DEVICE]", do_fatal},
	{"slow", "MICROSECONDS", do_slow},
	{"slow-commands", "MICROSECONDS", do_slow_commands},
	{"delay", "MICROSECONDS", do_delay},
	{"drop", "tx|rx EVERY", do_drop},
	{"freeze", "[tx|rx|all]", do_freeze},
	{"thaw", "[tx|rx|all]", do_freeze},
	{"sync", "", do_sync},
	{"pause", "", do_pause},
	{"resume", "", do_pause},
	{"prewrite", "rx COUNT [DEVICE] | tx COUNT EVERY [DEVICE]", do_prewrite},
	{"violations", "[clear]", cx_show_violations},
	{"stats", "[DEVICE]", cx_show_stats},
	{"objects", "[DEVICE]", cx_show_objects},
	{"queues", "[DEVICE]", cx_show_queues},
};
#define COMMANDS (sizeof(table) / sizeof(table[0]))

static int do_help(struct cx_call *c)
{
	size_t i, n = 0;

	for (i = 0; i < COMMANDS && n < c->size; i++)
		n += (size_t)snprintf(c->out + n, c->size - n, "%s %s\n", table[i].name,
				      table[i].usage);
	for (i = 0; i < (size_t)cx_command_count() && n < c->size; i++)
		n += (size_t)snprintf(c->out + n, c->size - n, "%s%s",
				      i ? " " : "commands: ", cx_command_name((int)i));
	return 0;
}

int cx_control_run(const char *line, char *out, size_t size)
{
	struct cx_call c = {.out = out, .size = size};
	char copy[256], *save = NULL, *word;
	size_t i;
	int ret;

	out[0] = '\0';
	if (strlen(line) >= sizeof(copy))
		return cx_say(&c, -EINVAL, "the line is too long");
	strcpy(copy, line);
	for (word = strtok_r(copy, " \n", &save); word && c.argc < CX_MAX_WORDS;
	     word = strtok_r(NULL, " \n", &save))
		c.argv[c.argc++] = word;
	for (i = 0; c.argc && i < COMMANDS; i++) {
		if (strcmp(c.argv[0], table[i].name) != 0)
			continue;
		cx_lock();
		ret = table[i].run(&c);
		cx_unlock();
		return ret;
	}
	return cx_say(&c, -ENOENT, "there is no command '%s'; 'help' lists them",
		      c.argc ? c.argv[0] : "");
}
