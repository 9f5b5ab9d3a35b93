/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queues of an attachment: what each stands for in shared memory, its wake-up socket, what the
 * policy grants it, and joining the pollers.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "attachment_impl.h"
#include "backend/backend.h"
#include "closer.h"
#include "poller.h"
#include "queue_grant.h"
#include "state.h"
#include "waker.h"

static void grant_queue(struct rn_queue *q, const struct rn_grant *grant, uint32_t n_queues)
{
	const struct rn_queue_grant share = {
		.packet_rate = rn_bucket_share(grant->packet_rate, n_queues),
		.byte_rate = rn_bucket_share(grant->byte_rate, n_queues),
		.weight = grant->weight ? grant->weight : 1,
		.police = q->at->port->config.police && !grant->spoof,
	};

	rn_queue_grant(q, &share);
}

static void point_ring(struct rn_ring *r, uint8_t *base, uint32_t ctl, uint32_t slots,
		       uint32_t size)
{
	r->ctl = (void *)(base + ctl);
	r->slots = (void *)(base + slots);
	r->mask = size - 1;
}

/* How many lines of a buffer received packets may begin at, less 1: 0, 1 or 3 (deliver_slot.h). */
static uint32_t starts(const struct rn_attachment *at)
{
	const uint32_t used = at->headroom + at->port->max_frame;
	const uint32_t room = used < at->buf_size ? (at->buf_size - used) / 64 : 0;

	return room >= 3 ? 3 : room >= 1 ? 1 : 0;
}

static void init_queue(struct rn_attachment *at, uint32_t i, uint32_t poller,
		       const struct rawnet_queue_desc *d)
{
	struct rawnet_counters *counters = (void *)at->shm.counters.addr;
	struct rn_state *state = (void *)at->shm.state.addr;
	struct rn_queue *q = &at->queue[i];

	point_ring(&q->rx, at->shm.rings.addr, d->rx_ctl, d->rx_slots, at->rx_size);
	point_ring(&q->tx, at->shm.rings.addr, d->tx_ctl, d->tx_slots, at->tx_size);
	q->stamps = d->rx_stamp ? (void *)(at->shm.rings.addr + d->rx_stamp) : NULL;
	q->mem = at->shm.packets.addr;
	q->mem_size = (uint64_t)at->n_bufs * at->buf_size;
	q->buf_shift = (uint32_t)__builtin_ctz(at->buf_size);
	q->n_bufs = at->n_bufs;
	q->headroom = at->headroom;
	q->starts = starts(at);
	q->count = counters->queue[i].v;
	q->state = &state->queue[i];
	q->at = at;
	q->index = i;
	q->hwq = at->port->tx_hwq[poller];
	q->poller = at->port->poller[poller];
}

void rn_attachment_spread(struct rn_attachment *at, const struct rawnet_queue_desc *desc)
{
	struct rawnet_rings *rings = (void *)at->shm.rings.addr;
	uint32_t k, i, n = at->port->n_pollers;

	for (k = 0; k <= n; k++)
		at->first[k] = (uint16_t)(at->n_queues * k / n);
	for (; k <= RN_PORT_POLLERS; k++)
		at->first[k] = (uint16_t)at->n_queues;
	for (k = 0; k < n; k++)
		for (i = at->first[k]; i < at->first[k + 1]; i++) {
			rings->queue[i].poller = k;
			init_queue(at, i, k, &desc[i]);
		}
}

/* The socket that wakes: a byte from either side. STREAM, so that one recv() drains many. */
static int open_wake(struct rn_attachment *at, uint32_t i, struct rn_err *err)
{
	struct rn_queue *q = &at->queue[i];
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return rn_fail(err, -errno, "wake-up socket: %s", strerror(errno));
	q->wake_fd = pair[0];
	at->peer_fd[i] = pair[1];
	rc = rn_waker_open(rn_poller_waker(q->poller), q, err);
	if (rc) {
		close(pair[0]);
		q->wake_fd = -1;
	}
	return rc;
}

/* How many sockets are not closed yet (closer.h): 0 or 1. */
static uint32_t close_wake(struct rn_queue *q)
{
	int fd = q->wake_fd;

	if (fd < 0)
		return 0;
	rn_waker_close(rn_poller_waker(q->poller), q);
	q->wake_fd = -1;
	return !rn_closer_close(fd, q->at->uid,
				q->at->charged ? RN_CLOSER_QUEUE : RN_CLOSER_NOTHING);
}

int rn_attachment_open_queues(struct rn_attachment *at, struct rn_err *err)
{
	const struct rn_backend *be = at->port->backend;
	int rc = 0;

	for (uint32_t i = 0; i < at->n_queues && !rc; i++) {
		rc = open_wake(at, i, err);
		if (!rc && be->queue_create)
			rc = be->queue_create(at->port, &at->queue[i], err);
	}
	return rc;
}

int rn_attachment_join(struct rn_attachment *at, struct rn_err *err)
{
	struct rn_queue *queues[RAWNET_QUEUES_MAX];

	for (uint32_t k = 0; k < at->port->n_pollers; k++) {
		uint32_t n = 0;
		int rc;

		for (uint32_t i = at->first[k]; i < at->first[k + 1]; i++) {
			rn_queue_follow(&at->queue[i]);
			queues[n++] = &at->queue[i];
		}
		rc = rn_poller_add_queues(at->port->poller[k], queues, n);
		if (rc) {
			while (k-- > 0)
				rn_poller_remove_attachment(at->port->poller[k], at);
			synchronize_rcu();
			return rn_fail(err, rc, "poller: %s", strerror(-rc));
		}
	}
	/* A poller in the middle of a turn has the set from before. It must not meet these queues,
	 * by a rule, a copy or a tap, until its next turn. */
	synchronize_rcu();
	return 0;
}

void rn_attachment_regrant(struct rn_attachment *at, const struct rn_grant *grant)
{
	for (uint32_t i = 0; i < at->n_queues; i++)
		grant_queue(&at->queue[i], grant, at->n_queues);
}

uint32_t rn_attachment_close_queues(struct rn_attachment *at)
{
	const struct rn_backend *be = at->port->backend;
	uint32_t open = 0;

	for (uint32_t i = 0; i < at->n_queues; i++) {
		if (be->queue_destroy && at->queue[i].hw)
			be->queue_destroy(at->port, &at->queue[i]);
		open += close_wake(&at->queue[i]);
	}
	return open;
}
