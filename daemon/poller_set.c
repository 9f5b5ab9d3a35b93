/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which queues, hardware queues and ports a poller serves. Control thread only.
 *
 * Every change publishes a new set and waits for a grace period. Adding allocates and may fail.
 * Removing must not: it uses `spare`, a set that is always as large as the published one, and keeps
 * the set that was replaced as the next spare.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "attachment.h"
#include "backend/backend.h"
#include "poller_impl.h"
#include "port.h"

struct rn_set *rn_set_alloc(uint32_t queues, uint32_t hwqs, uint32_t ports)
{
	size_t pointers = 5u * queues + 4u * hwqs + ports;
	struct rn_set *set = calloc(1, sizeof(*set) + pointers * sizeof(void *) +
					       queues * sizeof(struct rn_watch));

	if (!set)
		return NULL;
	set->queue = (struct rn_queue **)(void *)(set + 1);
	set->hot = set->queue + queues;
	set->touched = set->hot + queues;
	set->told = set->touched + queues;
	set->held = set->told + queues;
	set->hwq = (struct rn_hwq **)(void *)(set->held + queues);
	set->rx = set->hwq + hwqs;
	set->flush = set->rx + hwqs;
	set->done = set->flush + hwqs;
	set->port = (struct rn_port **)(void *)(set->done + hwqs);
	set->cold = (struct rn_watch *)(void *)(set->port + ports);
	return set;
}

static void set_fill(struct rn_set *to, const struct rn_set *from)
{
	to->n_queues = from->n_queues;
	to->n_hwqs = from->n_hwqs;
	to->n_ports = from->n_ports;
	memcpy(to->queue, from->queue, from->n_queues * sizeof(void *));
	memcpy(to->hwq, from->hwq, from->n_hwqs * sizeof(void *));
	memcpy(to->port, from->port, from->n_ports * sizeof(void *));
}

/* What a turn calls, so that it asks nobody who has nothing to do. */
static void set_calls(struct rn_set *set)
{
	set->n_rx = set->n_flush = set->n_done = 0;
	for (uint32_t i = 0; i < set->n_hwqs; i++) {
		struct rn_hwq *hwq = set->hwq[i];
		const struct rn_backend *be = hwq->port->backend;

		if (be->rx && !hwq->silent)
			set->rx[set->n_rx++] = hwq;
		if (be->flush)
			set->flush[set->n_flush++] = hwq;
		if (be->done)
			set->done[set->n_done++] = hwq;
	}
}

static struct rn_set *swap_set(struct rn_poller *p, struct rn_set *set)
{
	struct rn_set *old = p->set;

	set_calls(set);
	set->generation = ++p->generation;
	rcu_assign_pointer(p->set, set);
	rn_poller_poke(p);
	return old;
}

/* A copy of the current set with room for more, and a new spare as large. */
static struct rn_set *begin_add(struct rn_poller *p, uint32_t queues, uint32_t hwqs, uint32_t ports)
{
	const struct rn_set *old = p->set;

	queues += old->n_queues;
	hwqs += old->n_hwqs;
	ports += old->n_ports;
	struct rn_set *set = rn_set_alloc(queues, hwqs, ports);
	struct rn_set *spare = rn_set_alloc(queues, hwqs, ports);

	if (!set || !spare) {
		free(set);
		free(spare);
		return NULL;
	}
	set_fill(set, old);
	free(p->spare);
	p->spare = spare;
	return set;
}

/* Waits until the poller uses the new set: a rule that is added next may give packets to a queue
 * only in a turn whose set has room for it (rn_poller_touch). */
static void end_add(struct rn_poller *p, struct rn_set *set)
{
	struct rn_set *old = swap_set(p, set);

	synchronize_rcu();
	free(old);
}

static struct rn_set *begin_remove(struct rn_poller *p)
{
	set_fill(p->spare, p->set);
	return p->spare;
}

static void end_remove(struct rn_poller *p, struct rn_set *set)
{
	struct rn_set *old = swap_set(p, set);

	synchronize_rcu();
	p->spare = old;
}

/* A place in the wake table and the epoll set for the queue's socket. */
static int watch_queue(struct rn_poller *p, struct rn_queue *q)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	for (uint32_t i = 0; i < RN_WAKE_MAX; i++) {
		uint32_t place = (p->wake_hint + i) % RN_WAKE_MAX;

		if (p->wake[place])
			continue;
		event.data.u64 = place;
		if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, q->wake_fd, &event) < 0)
			return -errno;
		q->wake_index = place;
		p->wake_hint = place + 1;
		rcu_assign_pointer(p->wake[place], q);
		return 0;
	}
	return -ENOSPC;
}

static void unwatch_queue(struct rn_poller *p, const struct rn_queue *q)
{
	epoll_ctl(p->epoll, EPOLL_CTL_DEL, q->wake_fd, NULL);
	rcu_assign_pointer(p->wake[q->wake_index], NULL);
}

/*
 * Waits until the poller has left the poll(2) that it may be in: that call holds the files of all
 * descriptors that it was given, and the last to let go of a file is the one who closes it, which
 * of an AF_XDP socket takes a grace period of the kernel's (net/xdp/xsk.c, xsk_release).
 *
 * A turn that ends behind the fence is followed by a sleep on what stands there now: the poller
 * stores how many turns there were, executes its fence, and then reads the descriptors.
 */
static void leave_sleep(struct rn_poller *p)
{
	const struct timespec pause = {.tv_nsec = 20000};
	uint64_t turns;

	if (!rn_poller_adaptive(p) || p->config.driven || p->stop)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	turns = __atomic_load_n(&p->turns, __ATOMIC_RELAXED);
	rn_poller_poke(p);
	while (__atomic_load_n(&p->turns, __ATOMIC_RELAXED) == turns)
		nanosleep(&pause, NULL);
}

int rn_poller_add_queues(struct rn_poller *p, struct rn_queue *const *q, unsigned n)
{
	struct rn_set *set = begin_add(p, n, 0, 0);
	int rc;

	if (!set)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		q[i]->poller = p;
		q[i]->hot = true; /* until the poller finds it idle */
		rc = watch_queue(p, q[i]);
		if (rc < 0) {
			while (i-- > 0)
				unwatch_queue(p, q[i]);
			free(set);
			return rc;
		}
		set->queue[set->n_queues++] = q[i];
	}
	end_add(p, set);
	return 0;
}

void rn_poller_remove_attachment(struct rn_poller *p, const struct rn_attachment *at)
{
	struct rn_set *set = begin_remove(p);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < set->n_queues; i++) {
		if (set->queue[i]->at == at)
			unwatch_queue(p, set->queue[i]);
		else
			set->queue[kept++] = set->queue[i];
	}
	if (kept == set->n_queues)
		return;
	set->n_queues = kept;
	end_remove(p, set);
}

int rn_poller_watch_fd(struct rn_poller *p, int fd, uint64_t tag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};

	if (fd < 0)
		return 0;
	return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int rn_poller_watch(struct rn_poller *p, int fd)
{
	return rn_poller_watch_fd(p, fd, RN_EVENT_HW);
}

void rn_poller_unwatch(struct rn_poller *p, int fd)
{
	if (fd >= 0)
		epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, NULL);
}

int rn_poller_add_port(struct rn_poller *p, struct rn_port *port)
{
	struct rn_set *set = begin_add(p, 0, port->n_hwq, 1);

	if (!set)
		return -ENOMEM;
	for (uint32_t i = 0; i < port->n_hwq; i++)
		if (port->hwq[i]->poller == p)
			set->hwq[set->n_hwqs++] = port->hwq[i];
	if (port->poller[0] == p)
		set->port[set->n_ports++] = port;
	end_add(p, set);
	return 0;
}

void rn_poller_remove_port(struct rn_poller *p, const struct rn_port *port)
{
	struct rn_set *set = begin_remove(p);
	uint32_t hwqs = 0, ports = 0;

	for (uint32_t i = 0; i < set->n_hwqs; i++)
		if (set->hwq[i]->port != port)
			set->hwq[hwqs++] = set->hwq[i];
	for (uint32_t i = 0; i < set->n_ports; i++)
		if (set->port[i] != port)
			set->port[ports++] = set->port[i];
	set->n_hwqs = hwqs;
	set->n_ports = ports;
	end_remove(p, set);
	leave_sleep(p);
}

void rn_poller_poke(struct rn_poller *p)
{
	uint64_t one = 1;

	(void)!write(p->poke, &one, sizeof(one));
}

void rn_hwq_set_fd(struct rn_hwq *hwq, int fd)
{
	const int old = hwq->fd;

	__atomic_store_n(&hwq->fd, fd, __ATOMIC_RELAXED);
	if (!hwq->poller)
		return;
	if (old >= 0)
		leave_sleep(hwq->poller);
	else
		rn_poller_poke(hwq->poller);
}
