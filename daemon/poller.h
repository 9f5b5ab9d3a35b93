/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A poller: a thread pinned to a core that serves the hardware queues and client queues given to
 * it.
 *
 * busy      never sleeps.
 * adaptive  spins for up to RN_SPIN_NS after the last work (spin.h), then sets its sleep flags,
 *           executes a sequentially consistent fence, looks once more, and blocks in poll on the
 *           hardware queues and an epoll set of the clients' wake-up sockets and the control
 *           thread's eventfd.
 *
 * Sets. The control thread publishes with RCU which queues a poller serves (struct rn_set); the
 * poller is a QSBR reader, quiescent once a turn, offline while it blocks. Hot queues are looked at
 * every turn, cold ones in rotation, one a turn with work and one more for each RN_POLLER_COLD_NS
 * of a turn that is longer, so that an idle queue costs next to nothing. A cold queue of an
 * adaptive poller keeps its sleep flag set: its client's first packet comes with a byte on the
 * socket, which is only read when the poller is about to sleep.
 */
#ifndef RN_POLLER_H
#define RN_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "rawnet/proto.h"
#include "err.h"

#define RN_POLLER_COLD_NS 1000u
#define RN_POLLER_BURST	  32u /* packets of one queue in one go; poller_share.c says when more */
#define RN_POLLER_SMALL	  4u /* the least of a heavy one's beside a light one */

/* Called by each poller when it starts, to give up privileges; NULL: nothing. Set it before the
 * first poller is made. */
extern void (*rn_poller_started)(void);

struct rn_attachment;
struct rn_copies;
struct rn_hwq;
struct rn_poller;
struct rn_port;
struct rn_queue;
struct rn_waker;

struct rn_poller_config {
	int32_t cpu; /* -1: not pinned */
	bool busy;
	bool driven; /* has no thread: its maker, a QSBR reader, calls rn_poller_turn() */
};

/* fault_fd: an eventfd of the control thread, written when a queue faults. */
int rn_poller_create(uint32_t index, const struct rn_poller_config *config, struct rn_waker *waker,
		     int fault_fd, struct rn_poller **poller, struct rn_err *err);
/* One turn: how many packets were moved. The poller's own thread, or the maker of a driven one. */
unsigned rn_poller_turn(struct rn_poller *poller);
/* Ends the thread behind its turn, and leaves all it serves as it is. Destroying comes instead of
 * this, not after it. */
void rn_poller_stop(struct rn_poller *poller);
/* Stops and joins the thread; it must serve nothing any more. */
void rn_poller_destroy(struct rn_poller *poller);

/* Control thread: changes what the poller serves, by publishing a new set. Adding takes effect at
 * the poller's next turn; after removing, a grace period must pass before anything is freed.
 * -ENOMEM leaves the old set. Removing cannot fail: the entry is cleared in place if memory is out.
 */
int rn_poller_add_queues(struct rn_poller *poller, struct rn_queue *const *q, unsigned n);
void rn_poller_remove_attachment(struct rn_poller *poller, const struct rn_attachment *at);
int rn_poller_add_port(struct rn_poller *poller, struct rn_port *port);
void rn_poller_remove_port(struct rn_poller *poller, const struct rn_port *port);
/* Another descriptor that becomes readable when the poller has work (copies). */
int rn_poller_watch(struct rn_poller *poller, int fd);
void rn_poller_unwatch(struct rn_poller *poller, int fd);
/* Makes a sleeping poller take a turn. */
void rn_poller_poke(struct rn_poller *poller);

/* Has it made a turn since the last call? Wakes a sleeping one, so that it can. ran: CPU time that
 * it had since then, ns. */
bool rn_poller_alive(struct rn_poller *poller, uint64_t *ran);
void rn_poller_info(const struct rn_poller *poller, struct rawnet_poller_info *info);
bool rn_poller_is_busy(const struct rn_poller *poller);
uint32_t rn_poller_index(const struct rn_poller *poller);
struct rn_waker *rn_poller_waker(const struct rn_poller *poller);
/* Clock of the current turn: ns CLOCK_MONOTONIC, read at most once a turn. Poller only. */
uint64_t rn_poller_now(struct rn_poller *poller);
/* rn_deliver and friends: this queue has something to publish at the end of the turn. */
void rn_poller_touch(struct rn_poller *poller, struct rn_queue *q);

#endif
