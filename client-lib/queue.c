/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues: making them, and the switch to new memory after a restart (the protocol stands in
 * internal.h). The rn_ functions run with the connection's lock, rawnet_queue_switch() in the
 * queue's thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "internal.h"

/* What the old rings still held. The daemon is gone, so nothing moves any more; the counts are
 * bounded by the rings in case it left nonsense. */
static void count_losses(const struct rawnet_queue *q)
{
	const struct rawnet_ring *tx = &q->tx, *rx = &q->rx;
	uint32_t from = rawnet_ring_load(&tx->ctl->daemon);
	uint32_t to = __atomic_load_n(&tx->ctl->client, __ATOMIC_RELAXED);
	uint32_t unread = rawnet_ring_load(&rx->ctl->daemon) - rx->taken;
	uint64_t packets = 0;

	if (to - from <= tx->mask + 1)
		for (; from != to; from++)
			packets += !(tx->slots[from & tx->mask].flags & RAWNET_TX_MORE);
	__atomic_add_fetch(&q->at->rn->tx_lost, packets, __ATOMIC_RELAXED);
	if (unread <= rx->mask + 1)
		__atomic_add_fetch(&q->at->rn->rx_lost, unread, __ATOMIC_RELAXED);
}

/* The queue's thread, or its maker: everything in the public struct from the mapping. */
static void use(struct rn_queue *rq, struct rn_mem *mem)
{
	struct rn_start *s = &mem->start[rq->q.index];
	struct rawnet_queue *q = &rq->q;

	q->rx = s->rx;
	q->tx = s->tx;
	q->mem = mem->packets;
	q->mem_size = (uint64_t)mem->head.n_bufs * mem->head.buf_size;
	q->buf_size = mem->head.buf_size;
	q->headroom = mem->head.headroom;
	q->max_frame = mem->head.max_frame;
	q->busy = (mem->head.flags & RAWNET_RINGS_BUSY) != 0;
	q->n_free = s->n_free;
	q->free_bufs = s->free_bufs;
	q->wake_fd = s->wake_fd;
	rq->bufs_max = mem->head.n_bufs;
	rq->buf_shift = (uint32_t)__builtin_ctz(mem->head.buf_size);
	rq->starts = mem->starts;
	rq->mem = mem;
	rq->deaf = true;
}

static int watch(struct rn_queue *rq, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.fd = fd};

	if (!epoll_ctl(rq->poll_fd, EPOLL_CTL_ADD, fd, &ev))
		return 0;
	return rn_fail(-errno, "cannot watch the descriptors of a queue: %s", strerror(errno));
}

int rn_queue_hear(struct rn_queue *rq)
{
	int err = watch(rq, rq->q.wake_fd, EPOLLIN);

	rq->deaf = err != 0;
	return err;
}

static void forget_wake_fd(struct rn_queue *rq)
{
	epoll_ctl(rq->poll_fd, EPOLL_CTL_DEL, rq->q.wake_fd, NULL);
}

/* Takes what is pending: true if there was something. */
static bool adopt(struct rn_queue *rq)
{
	struct rn_mem *mem = __atomic_exchange_n(&rq->pending, NULL, __ATOMIC_ACQ_REL), *old;

	if (!mem)
		return false;
	count_losses(&rq->q);
	forget_wake_fd(rq);
	old = rq->mem;
	use(rq, mem);
	rn_queue_hear(rq); /* else before it sleeps */
	rn_mem_unref(old);
	return true;
}

/* Clears `changed` if the memory in use is the newest. */
static void settle(struct rn_queue *rq)
{
	struct rawnet_attachment *at = rq->q.at;

	__atomic_exchange_n(&rq->q.changed, 0, __ATOMIC_ACQ_REL);
	if (__atomic_load_n(&at->generation, __ATOMIC_ACQUIRE) != rq->mem->generation)
		__atomic_store_n(&rq->q.changed, 1, __ATOMIC_RELEASE);
}

int rawnet_queue_switch(struct rawnet_queue *q)
{
	struct rn_queue *rq = (struct rn_queue *)q;
	bool did = adopt(rq);

	if (did || rq->unreported)
		settle(rq);
	did |= rq->unreported;
	rq->unreported = false;
	return did;
}

/* From rawnet_wait: the program hears of it at its next rawnet_queue_sync(). */
int rn_queue_switch_in_wait(struct rn_queue *rq)
{
	if (!adopt(rq))
		return 0;
	rq->unreported = true;
	return 1;
}

int rn_queue_new(struct rawnet_attachment *at, struct rn_mem *mem, uint32_t index,
		 struct rn_queue **queue)
{
	struct rn_queue *rq = aligned_alloc(RAWNET_LINE, (sizeof(*rq) + RAWNET_LINE - 1) /
								 RAWNET_LINE * RAWNET_LINE);
	int err;

	if (!rq)
		return rn_fail(-ENOMEM, "no memory for a queue");
	memset(rq, 0, sizeof(*rq));
	rq->q.at = at;
	rq->q.index = index;
	rq->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (rq->poll_fd < 0) {
		free(rq);
		return rn_fail(-errno, "cannot make a descriptor for a queue: %s", strerror(errno));
	}
	use(rq, rn_mem_ref(mem));
	err = rn_queue_hear(rq);
	if (!err)
		err = watch(rq, at->rn->ready_fd, EPOLLONESHOT); /* not yet */
	if (err) {
		rn_queue_free(rq);
		return err;
	}
	*queue = rq;
	return 0;
}

void rn_queue_free(struct rn_queue *rq)
{
	close(rq->poll_fd);
	rn_mem_unref(rq->pending);
	rn_mem_unref(rq->mem);
	free(rq);
}

void rn_queue_rouse(struct rn_queue *rq)
{
	int fd = rq->q.at->rn->ready_fd;
	struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};

	/* Needs no memory, so it does not fail. */
	epoll_ctl(rq->poll_fd, EPOLL_CTL_MOD, fd, &ev);
}

void rn_queue_publish(struct rn_queue *rq, struct rn_mem *mem)
{
	rn_mem_unref(__atomic_exchange_n(&rq->pending, rn_mem_ref(mem), __ATOMIC_ACQ_REL));
	__atomic_store_n(&rq->q.changed, 1, __ATOMIC_RELEASE);
	rn_queue_rouse(rq);
}

void rn_queue_stop(struct rn_queue *rq)
{
	__atomic_store_n(&rq->q.changed, 1, __ATOMIC_RELEASE);
}

int rawnet_queue_fd(const struct rawnet_queue *q)
{
	return ((const struct rn_queue *)q)->poll_fd;
}
