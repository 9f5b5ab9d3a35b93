/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the poller share: poller_turn.c is the data path, poller_share.c how busy
 * queues share it, poller_sleep.c how an adaptive poller goes to sleep, poller_set.c how the
 * control thread changes what is served, poller.c the thread and its life.
 */
#ifndef RN_POLLER_IMPL_H
#define RN_POLLER_IMPL_H

#include <pthread.h>
#include <stdbool.h>

#include "poller.h"
#include "queue.h"
#include "ring.h"
#include "spin.h"
#include "turns.h"
#include "wakes.h"

#define RN_WAKE_MAX   65536u /* queues of one poller */
#define RN_COLD_AFTER 2048u /* turns without work before a queue is cold */
#define RN_COLD_SLEEP 256u /* turns that a sleep of the poller is worth */

/* Tags of the epoll set, above every place in `wake`. */
#define RN_EVENT_POKE UINT64_MAX
#define RN_EVENT_HW   (UINT64_MAX - 1)

struct rn_watch;

/* What the poller serves; published with RCU, then immutable but for the lists that are the
 * poller's. */
struct rn_set {
	uint64_t generation; /* tells sets apart even if one is allocated where another was */
	uint32_t n_queues, n_hwqs, n_ports, n_rx, n_flush, n_done;
	struct rn_queue **queue;
	struct rn_watch *cold; /* of queue[], side by side: of many, their structs are in no cache;
				  the poller's */
	struct rn_hwq **hwq;
	struct rn_hwq **rx, **flush, **done; /* those whose backend does that */
	struct rn_port **port; /* whose copies this poller reads */
	struct rn_queue **hot;
	struct rn_queue **touched; /* queues to publish at the end of the turn */
	struct rn_queue **told; /* what was published, before the sleep flags are looked at */
	struct rn_queue **held; /* queues whose clients are to be woken later */
};

struct rn_poller {
	/* control thread writes before the start, or reads */
	uint32_t index;
	struct rn_poller_config config;
	struct rn_waker *waker;
	int fault_fd;
	int epoll, poke;
	pthread_t thread;
	uint32_t stop;
	struct rn_set *set; /* RCU */
	struct rn_set *spare; /* as large as set: see begin_remove */
	struct rn_queue **wake;
	uint32_t wake_hint;
	uint64_t seen_turns, seen_cpu; /* by rn_poller_alive */
	uint64_t generation; /* of the newest set */

	/* the poller's */
	_Alignas(128) struct rn_set *now_set; /* the set that hot[] belongs to */
	uint64_t now_generation;
	uint32_t n_hot, n_heavy; /* n_heavy of n_hot: poller_share.c */
	uint32_t cold_next, cold_round; /* of the rotation through cold queues */
	uint32_t rr[2]; /* where the next round begins, of light ones and of heavy ones */
	uint64_t light_until; /* the turn from which on nobody is a light one any more */
	uint32_t light_had; /* packets of one of them in this turn */
	uint32_t passed; /* turns with light ones since heavy ones had bursts */
	uint32_t owed; /* packets of a heavy one's next burst, for these */
	uint32_t hold; /* turns that heavy queues still wait */
	uint32_t calm; /* bursts of heavy ones since then; not more than matter */
	bool lit, burst, finished; /* in this turn: light ones, heavy ones served; part published */
	bool cut; /* the last round: not all had their turn */
	bool full; /* a device took less than a client had, in this round */
	uint32_t quiet; /* turns without work since the last with work */
	uint32_t n_touched, n_told;
	int nap_ms; /* how long it may sleep; -1: until it is woken */
	struct rn_wakes wakes;
	bool owned; /* backends own queues: those get packets from the wire without our doing */
	uint32_t looks; /* at cold queues that are due */
	uint64_t turn_ns; /* a turn with work, as measured, smoothed */
	uint64_t now, idle_since;
	struct rn_spin spin;
	uint64_t turns, busy_turns, sleeps;
	struct rn_turns lengths; /* of turns with work, one in TURN_SAMPLE measured */
};

static inline void rn_store(uint64_t *where, uint64_t v)
{
	__atomic_store_n(where, v, __ATOMIC_RELAXED);
}

static inline bool rn_poller_adaptive(const struct rn_poller *p)
{
	return !p->config.busy;
}

/* Poller: poller_turn.c */
void rn_poller_make_hot(struct rn_poller *p, struct rn_queue *q);
/* Takes hot[i] out. False: something came meanwhile. */
bool rn_poller_make_cold(struct rn_poller *p, uint32_t i);
/* The newest set, which is the poller's from now on. */
struct rn_set *rn_poller_newest_set(struct rn_poller *p);
/* Publishes each touched queue; before that, who sleeps of those that were published last. */
void rn_poller_publish(struct rn_poller *p);
/* What this turn did so far goes out: doorbells and system calls of backends, then indexes. */
void rn_poller_finish(struct rn_poller *p);

/* Poller: poller_share.c */
/* Moves packets of one queue; how many. */
unsigned rn_poller_serve(struct rn_queue *q, unsigned budget);
/* The turn's share of the hot queues; `before`: packets that this turn moved already. */
unsigned rn_poller_serve_hot(struct rn_poller *p, unsigned before);

/* Poller: poller_sleep.c. After a turn without work; blocks when there were none for long enough.
 */
void rn_poller_idle(struct rn_poller *p);

/* Control thread: poller_set.c */
struct rn_set *rn_set_alloc(uint32_t queues, uint32_t hwqs, uint32_t ports); /* NULL: no memory */
int rn_poller_watch_fd(struct rn_poller *p, int fd, uint64_t tag);

#endif
