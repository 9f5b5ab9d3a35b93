/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wires.h: what the port is plugged into. The generator is in generator.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"
#include "port.h"
#include "sys.h"
#include "wires.h"

#define QUEUE 4096 /* frames that a test's wire holds in each direction */

struct queue {
	uint8_t *frame[QUEUE];
	uint32_t len[QUEUE];
	uint32_t head, tail;
};

struct cx_wire {
	enum cx_wire_kind kind;
	struct cx_port *port;
	bool gone; /* the wire process has ended */
	struct cx_gen *gen;
	struct queue in, out;
};

static struct cx_sys table; /* what port.c calls instead of the interposed symbols */

static void use_libc(void)
{
	table.socket = cx_libc.socket;
	table.mmap = cx_libc.mmap;
	table.munmap = cx_libc.munmap;
	table.close = cx_libc.close;
	cx_port_use_sys(&table);
}

static int attach(struct cx_dev *dev, struct cx_wire *w)
{
	char err[256];
	int ret;

	use_libc();
	ret = cx_port_attach(dev->cfg->wire_path, dev->cfg->wire_end, &w->port, err, sizeof(err));
	if (ret < 0) {
		fprintf(stderr, "cx: %s: %s\n", dev->cfg->name, err);
		return ret;
	}
	memcpy(dev->mac, cx_port_info(w->port)->mac, 6);
	return 0;
}

int cx_wire_open(struct cx_dev *dev)
{
	struct cx_wire *w = calloc(1, sizeof(*w));
	int err = 0;

	if (!w)
		return -ENOMEM;
	w->kind = dev->cfg->wire;
	if (w->kind == CX_WIRE_END)
		err = attach(dev, w);
	else if (w->kind == CX_WIRE_GEN)
		err = cx_gen_new(dev, &w->gen);
	if (err) {
		free(w);
		return err;
	}
	dev->wire = w;
	return 0;
}

static void drain(struct queue *q)
{
	for (; q->tail != q->head; q->tail++)
		free(q->frame[q->tail % QUEUE]);
}

void cx_wire_close(struct cx_dev *dev)
{
	struct cx_wire *w = dev->wire;

	if (!w)
		return;
	dev->wire = NULL;
	drain(&w->in);
	drain(&w->out);
	if (w->port)
		cx_port_detach(w->port);
	cx_gen_free(w->gen);
	free(w);
}

/* ---- a test's wire ---- */

static int put(struct queue *q, const void *data, uint32_t len)
{
	uint8_t *copy;

	if (q->head - q->tail == QUEUE)
		return -ENOBUFS;
	copy = malloc(len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, len);
	q->frame[q->head % QUEUE] = copy;
	q->len[q->head % QUEUE] = len;
	q->head++;
	return 0;
}

int cx_wire_inject(struct cx_dev *dev, const void *data, uint32_t len)
{
	if (dev->wire->kind != CX_WIRE_TEST || len < 14 || len > CX_MAX_FRAME)
		return -EINVAL;
	return put(&dev->wire->in, data, len);
}

int cx_wire_capture(struct cx_dev *dev, void *data, uint32_t size)
{
	struct queue *q = &dev->wire->out;
	uint32_t len;

	if (dev->wire->kind != CX_WIRE_TEST)
		return -EINVAL;
	if (q->head == q->tail)
		return -EAGAIN;
	len = q->len[q->tail % QUEUE];
	memcpy(data, q->frame[q->tail % QUEUE], len < size ? len : size);
	free(q->frame[q->tail % QUEUE]);
	q->tail++;
	return (int)len;
}

/* ---- both directions ---- */

bool cx_wire_ready(struct cx_dev *dev)
{
	struct cx_wire *w = dev->wire;

	if (w->kind == CX_WIRE_END && !w->gone && dev->port_up)
		return cx_port_has_room(w->port, CX_RING_TX, CX_REQUEST_MAX);
	return w->kind != CX_WIRE_TEST || w->out.head - w->out.tail < QUEUE;
}

bool cx_wire_send(struct cx_dev *dev, const uint8_t *data, uint32_t len)
{
	struct cx_wire *w = dev->wire;

	switch (w->kind) {
	case CX_WIRE_LOOP: cx_dev_receive(dev, data, len); return true;
	case CX_WIRE_TEST: return put(&w->out, data, len) == 0;
	case CX_WIRE_END: return cx_port_send(w->port, data, len) == 0;
	default: return true; /* sink; the generator does not listen */
	}
}

int cx_wire_poll(struct cx_dev *dev, int budget)
{
	struct cx_wire *w = dev->wire;
	int n = 0;

	if (w->kind == CX_WIRE_GEN)
		return dev->port_up ? cx_gen_run(w->gen, dev, budget) : 0;
	if (w->kind == CX_WIRE_TEST)
		for (; n < budget && w->in.tail != w->in.head; n++, w->in.tail++) {
			uint32_t i = w->in.tail % QUEUE;

			if (dev->port_up)
				cx_dev_receive(dev, w->in.frame[i], w->in.len[i]);
			free(w->in.frame[i]);
		}
	if (w->kind == CX_WIRE_END)
		for (; n < budget; n++) {
			uint32_t len;
			const uint8_t *frame = cx_port_peek(w->port, &len);

			if (!frame)
				break;
			cx_dev_receive(dev, frame, len);
			cx_port_release(w->port, len);
		}
	return n;
}

void cx_wire_miss(struct cx_dev *dev, const uint8_t *data, uint32_t len)
{
	if (!cx_wire_has_kernel(dev))
		return;
	dev->stats.kernel++;
	cx_port_to_kernel(dev->wire->port, data, len);
}

bool cx_wire_has_kernel(const struct cx_dev *dev)
{
	const struct cx_wire *w = dev->wire;

	return w->kind == CX_WIRE_END && cx_port_info(w->port)->netdev[0];
}

void cx_wire_flush(struct cx_dev *dev)
{
	if (dev->wire->kind == CX_WIRE_END)
		cx_port_flush(dev->wire->port);
}

/* The end of the wire process is a byte that can be read no more; looked at now and then. */
bool cx_wire_link(struct cx_dev *dev)
{
	struct cx_wire *w = dev->wire;
	static uint32_t turns;

	if (dev->pulled)
		return false;
	if (w->kind != CX_WIRE_END)
		return true;
	if (!w->gone && (turns++ & 255) == 0 && cx_port_wake(w->port) < 0)
		w->gone = true;
	return !w->gone && cx_port_link(w->port);
}

uint32_t cx_wire_mtu(const struct cx_dev *dev)
{
	if (dev->wire->kind == CX_WIRE_END)
		return cx_port_mtu(dev->wire->port);
	return dev->cfg->mtu;
}
