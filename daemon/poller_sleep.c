/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping. An adaptive poller that had no work for a while (spin.h) sets the sleep flags, looks
 * once more, and blocks on the NIC's and the clients' descriptors.
 *
 * Descriptors of hardware queues. They stand in no epoll set but are given to poll(2) for each
 * sleep: while somebody waits at a socket, and an epoll set always does, the kernel wakes him with
 * each packet that comes (net/core/sock.c, sock_def_readable; fs/eventpoll.c). One may be replaced
 * while the poller blocks, or just before: whoever does that pokes the poller, which then blocks on
 * the new one, and waits for that before the old one is closed (poller_set.c, leave_sleep).
 *
 * Sockets of clients. The epoll set holds the queues' sockets edge-triggered, and names each by its
 * place in `wake`, an array of pointers that the control thread clears before the grace period. The
 * poller looks a place up only when it is online again, so it never touches a queue that is freed;
 * a place that was given to another queue meanwhile costs one useless recv().
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "backend/backend.h"
#include "closer.h"
#include "copies.h"
#include "poller_impl.h"
#include "port.h"
#include "probes.h"

#define EVENTS	    64
#define BRIEF_MS    1 /* RN_ARMED_BRIEFLY */
#define CLOCK_EVERY 8u /* turns without work: the clock takes as long as one */
#define HWQS_MAX    127u /* that are slept on; of more, all are looked at each BRIEF_MS */

/* Is there anything to do after all? A cold queue's flag was set, and it was looked at, when it
 * became cold: its client sends a byte. Those that backends own have to be armed, too. */
static bool something_came(struct rn_poller *p)
{
	struct rn_set *set = p->now_set;
	enum rn_armed armed;

	p->nap_ms = -1;
	for (uint32_t i = 0; i < set->n_hwqs; i++) {
		const struct rn_backend *be = set->hwq[i]->port->backend;

		if (be->arm && be->arm(set->hwq[i]))
			return true;
	}
	for (uint32_t i = 0; i < set->n_ports; i++) {
		struct rn_copies *copies = rcu_dereference(set->port[i]->copies);

		if (copies && rn_copies_ready(copies))
			return true;
	}
	for (uint32_t i = 0; i < (p->owned ? set->n_queues : p->n_hot); i++) {
		struct rn_queue *q = p->owned ? set->queue[i] : set->hot[i];
		const struct rn_backend *be = q->hwq->port->backend;

		if (q->dead)
			continue;
		if (rn_ring_look(&q->tx) != 0)
			return true;
		armed = be->queue_arm ? be->queue_arm(q) : RN_ARMED;
		if (armed == RN_NOT_ARMED)
			return true;
		if (armed == RN_ARMED_BRIEFLY)
			p->nap_ms = BRIEF_MS;
	}
	return rcu_dereference(p->set)->generation != p->now_generation;
}

/* Not to the end: who floods its socket gets room for the next byte, and that will do. */
static void drain_socket(struct rn_queue *q)
{
	char bytes[4096];
	ssize_t n = sizeof(bytes);

	for (int i = 0; i < 8 && n == (ssize_t)sizeof(bytes); i++)
		n = rn_closer_recv(q->wake_fd, bytes, sizeof(bytes));
	if (n == -EBADMSG)
		rn_queue_fault(q, RAWNET_BYE_PROTOCOL);
}

static void handle_event(struct rn_poller *p, uint64_t tag)
{
	uint64_t value;

	if (tag == RN_EVENT_POKE) {
		(void)!read(p->poke, &value, sizeof(value));
	} else if (tag < RN_WAKE_MAX) {
		struct rn_queue *q = rcu_dereference(p->wake[tag]);

		if (!q)
			return;
		drain_socket(q);
		if (!q->hot && !q->dead)
			rn_poller_make_hot(p, q);
	}
}

/* Where the NIC has work, and where that is all, nobody asks the epoll set. */
static int wait_events(struct rn_poller *p, struct epoll_event event[EVENTS])
{
	const struct rn_set *set = p->now_set;
	const bool all = set->n_hwqs <= HWQS_MAX;
	const uint32_t n = all ? set->n_hwqs : HWQS_MAX;
	const int nap_ms = all ? p->nap_ms : BRIEF_MS;
	struct pollfd on[1 + HWQS_MAX];

	on[0] = (struct pollfd) {.fd = p->epoll, .events = POLLIN};
	for (uint32_t i = 0; i < n; i++)
		on[1 + i] = (struct pollfd) {.fd = rn_hwq_fd(set->hwq[i]), .events = POLLIN};
	rcu_thread_offline();
	if (poll(on, 1 + n, nap_ms) <= 0 || !on[0].revents)
		return 0;
	return epoll_wait(p->epoll, event, EVENTS, 0);
}

static void block(struct rn_poller *p)
{
	struct epoll_event event[EVENTS];
	int n;

	rn_store(&p->sleeps, p->sleeps + 1);
	rn_wakes_all(&p->wakes);
	rn_probe_poller_sleep(p->index);
	n = wait_events(p, event);
	rcu_thread_online();
	rn_probe_poller_wake(p->index, n);
	rn_poller_newest_set(p);
	/* What came by the wire may be any queue's; who has something to send has sent a byte. */
	p->looks = p->owned ? p->now_set->n_queues : 0;
	for (int i = 0; i < n; i++)
		handle_event(p, event[i].data.u64);
	p->now = 0;
	rn_spin_slept(&p->spin, rn_poller_now(p) - p->idle_since);
}

void rn_poller_idle(struct rn_poller *p)
{
	struct rn_set *set = p->now_set;
	bool came, told;

	if (p->idle_since && p->quiet % CLOCK_EVERY)
		return;
	if (!p->idle_since) {
		p->idle_since = rn_poller_now(p);
		rn_spin_begin(&p->spin);
	}
	if (!rn_spin_over(&p->spin, rn_poller_now(p) - p->idle_since, p->wakes.n != 0))
		return;
	for (uint32_t i = 0; i < p->n_hot; i++) {
		rn_ring_set_sleep(&set->hot[i]->tx, 1);
		set->hot[i]->idle_turns += RN_COLD_SLEEP;
	}
	/* Pairs with the fence in rawnet_ring_must_wake: flag, fence, look; index, fence, flag. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	came = something_came(p) || p->n_touched;
	told = p->n_told != 0; /* who sleeps of those is not known before the next turn */
	if (p->n_touched)
		rn_poller_publish(
			p); /* what a last look took: the next turn may have another set */
	if (came || told)
		rn_spin_stayed(&p->spin, came);
	else if (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED))
		block(p);
	for (uint32_t i = 0; i < p->n_hot; i++)
		rn_ring_set_sleep(&p->now_set->hot[i]->tx, 0);
	p->idle_since = 0;
}
