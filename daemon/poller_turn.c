/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data path: what a poller does in a turn, and which queues it looks at.
 *
 * What a turn costs with nothing to do: a load for each hardware queue, one for each hot queue,
 * three prefetches for the next cold one and now and then a look at it, and the QSBR quiescent
 * state, which is a comparison when no grace period waits.
 */
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "backend/backend.h"
#include "copies.h"
#include "poller_impl.h"
#include "port.h"
#include "state.h"
#include "tx_state.h"

#define RX_BUDGET    256u /* packets of one hardware queue in a turn */
#define COLD_BUDGET  64u /* packets of queues that were cold, in a turn */
#define COLD_EVERY   4u /* of so many turns without work one looks at a cold queue, */
#define COLD_AHEAD   3u /* looks: as long as what a look reads takes to come */
#define COLD_QUIET   16u /* if so many before it had no work either */
#define COLD_BEYOND  8u /* rounds */
#define COPY_BUDGET  32u
#define TURN_SAMPLE  64u
#define TURN_STEP_NS 1000u /* and four times as much: one that the host stretched is no measure */

/* ---- the clock ---- */

/* Not inline: what a turn without it does needs no frame on the stack. */
static __attribute__((noinline)) uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t rn_poller_now(struct rn_poller *p)
{
	if (!p->now)
		p->now = clock_ns();
	return p->now;
}

/* ---- hot and cold ---- */

/* The poller alone changes it; the control thread tells it. */
static void hot_count(struct rn_poller *p, uint32_t n)
{
	__atomic_store_n(&p->n_hot, n, __ATOMIC_RELAXED);
}

void rn_poller_make_hot(struct rn_poller *p, struct rn_queue *q)
{
	q->hot = true;
	q->idle_turns = 0;
	rn_ring_set_sleep(&q->tx, 0);
	p->now_set->hot[p->n_hot] = q;
	hot_count(p, p->n_hot + 1);
}

/* Its tx ring alone; if a backend owns the queue, the next look has to ask that. */
static void watch_ring(const struct rn_queue *q, struct rn_watch *w)
{
	static const uint8_t no_device;

	*w = (struct rn_watch) {.tx = &q->tx.ctl->client,
				.rx = &q->tx.ctl->client,
				.device = &no_device,
				.tx_seen = q->tx.daemon,
				.rx_seen = q->tx.daemon,
				.device_seen = q->hw != NULL};
}

static void watch(const struct rn_queue *q, struct rn_watch *w)
{
	const struct rn_backend *be = q->hwq->port->backend;

	watch_ring(q, w);
	if (be->queue_watch)
		be->queue_watch(q, w);
}

/* Its sleep flag is set before the last look, so that a client that publishes after that look sees
 * the flag and sends a byte. */
bool rn_poller_make_cold(struct rn_poller *p, uint32_t i)
{
	struct rn_queue *q = p->now_set->hot[i];

	if (rn_poller_adaptive(p)) {
		rn_ring_set_sleep(&q->tx, 1);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!q->dead && rn_ring_look(&q->tx) != 0) {
			rn_ring_set_sleep(&q->tx, 0);
			q->idle_turns = 0;
			return false;
		}
	}
	q->hot = false;
	p->n_heavy -= q->heavy;
	q->heavy = false;
	q->rest = q->rest != 0; /* the next look asks the clock */
	watch(q, &p->now_set->cold[q->place]); /* its index may have come round by 2^32 since */
	hot_count(p, p->n_hot - 1);
	p->now_set->hot[i] = p->now_set->hot[p->n_hot];
	return true;
}

/* A new set was published: its lists are made from what its queues know of themselves. Rotations go
 * on where they were: whoever changes sets all the time does not keep them at their beginning. */
static __attribute__((noinline, cold)) void take_set(struct rn_poller *p, struct rn_set *set)
{
	uint32_t n = 0;

	p->now_set = set;
	p->now_generation = set->generation;
	p->owned = false;
	p->n_told = p->n_heavy = 0;
	for (uint32_t i = 0; i < set->n_queues; i++) {
		struct rn_queue *q = set->queue[i];

		q->place = i;
		watch_ring(q, &set->cold[i]);
		p->owned |= q->hwq->port->backend->queue_rx != NULL;
		if (q->told)
			set->told[p->n_told++] = q;
		p->n_heavy += q->heavy;
		if (q->hot)
			set->hot[n++] = q;
	}
	hot_count(p, n);
	rn_wakes_move(&p->wakes, set->held, set->queue, set->n_queues);
}

static inline struct rn_set *newest_set(struct rn_poller *p)
{
	struct rn_set *set = rcu_dereference(p->set);

	if (__builtin_expect(set->generation != p->now_generation, 0))
		take_set(p, set);
	return set;
}

struct rn_set *rn_poller_newest_set(struct rn_poller *p)
{
	return newest_set(p);
}

/* ---- one turn ---- */

void rn_poller_touch(struct rn_poller *p, struct rn_queue *q)
{
	if (q->touched)
		return;
	q->touched = true;
	p->now_set->touched[p->n_touched++] = q;
}

void rn_queue_fault(struct rn_queue *q, enum rawnet_reason reason)
{
	uint64_t one = 1;

	if (q->dead)
		return;
	q->dead = 1;
	__atomic_store_n(&q->fault, 1u + (uint32_t)reason, __ATOMIC_RELEASE);
	(void)!write(q->poller->fault_fd, &one, sizeof(one));
}

void rn_queue_sick(struct rn_queue *q)
{
	uint64_t one = 1;

	if (!__atomic_exchange_n(&q->sick, 1, __ATOMIC_RELEASE))
		(void)!write(q->poller->fault_fd, &one, sizeof(one));
}

static unsigned serve_hwqs(struct rn_set *set)
{
	unsigned work = 0;

	for (uint32_t i = 0; i < set->n_rx; i++)
		work += set->rx[i]->port->backend->rx(set->rx[i], RX_BUDGET);
	return work;
}

static unsigned serve_copies(struct rn_set *set)
{
	unsigned work = 0;

	for (uint32_t i = 0; i < set->n_ports; i++) {
		struct rn_copies *copies = rcu_dereference(set->port[i]->copies);

		if (copies)
			work += rn_copies_run(copies, set->port[i]->tx_hwq[0], COPY_BUDGET);
	}
	return work;
}

static inline bool is_as_it_was(const struct rn_watch *w)
{
	return __atomic_load_n(w->tx, __ATOMIC_RELAXED) == w->tx_seen &&
	       __atomic_load_n(w->rx, __ATOMIC_RELAXED) == w->rx_seen &&
	       __atomic_load_n(w->device, __ATOMIC_RELAXED) == w->device_seen;
}

static inline void ask_for_cold(const struct rn_set *set, uint32_t i)
{
	const struct rn_watch *w = &set->cold[i < set->n_queues ? i : 0];

	__builtin_prefetch(w->tx);
	__builtin_prefetch(w->rx);
	__builtin_prefetch(w->device);
}

static __attribute__((noinline)) unsigned look_closely(struct rn_poller *p, struct rn_set *set,
						       uint32_t i)
{
	struct rn_queue *q = set->queue[i];
	const struct rn_backend *be = q->hwq->port->backend;
	unsigned did = 0;

	if (q->hot || q->dead)
		return 0;
	if (!be->queue_waits || be->queue_waits(q))
		did = rn_poller_serve(q, RN_POLLER_BURST);
	watch(q, &set->cold[i]);
	if (did)
		rn_poller_make_hot(p, q);
	return did;
}

/* A look at a cold queue is three loads, if its backend copies or can be watched; what else
 * queue_waits() sees, one round in COLD_BEYOND asks it for, and the first looks behind a sleep
 * (due). */
static inline unsigned look_at_cold(struct rn_poller *p, struct rn_set *set, bool due)
{
	const struct rn_watch *w;
	uint32_t i;

	if (p->cold_next >= set->n_queues) {
		p->cold_next = 0;
		p->cold_round++;
	}
	i = p->cold_next++;
	w = &set->cold[i];
	if (is_as_it_was(w) && !(w->beyond && (due || (i + p->cold_round) % COLD_BEYOND == 0)))
		return 0;
	return look_closely(p, set, i);
}

static __attribute__((noinline)) unsigned look_at_some(struct rn_poller *p, bool worked)
{
	struct rn_set *set = p->now_set;
	const bool due = p->looks != 0;
	unsigned work = 0;
	uint32_t i, looks = worked ? 1 + (uint32_t)(p->turn_ns / RN_POLLER_COLD_NS) : 1;

	if (looks < p->looks)
		looks = p->looks;
	else if (!worked && (p->quiet < COLD_QUIET || p->quiet % COLD_EVERY))
		looks = 0; /* a packet that comes now would wait for the look */
	if (looks > set->n_queues)
		looks = set->n_queues;
	for (i = 0; i < looks && work < COLD_BUDGET; i++) {
		if (looks > 1)
			ask_for_cold(set, p->cold_next + COLD_AHEAD);
		work += look_at_cold(p, set, due);
	}
	p->looks -= i < p->looks ? i : p->looks;
	return work;
}

/* One look in each turn with work, whose packets are out by then, and where turns are long, more of
 * them, so that all have been looked at soon and it is still little of the time. Without work few,
 * and none where the answer to the last packet may be about to come. What is found is hot from now
 * on, and has its share with the others: a wave of clients that wake at once does not make a long
 * turn. */
static inline unsigned serve_cold(struct rn_poller *p, bool worked)
{
	if (worked && !p->looks && p->turn_ns < RN_POLLER_COLD_NS)
		return look_at_cold(p, p->now_set, false);
	return look_at_some(p, worked);
}

static bool sleeps(const struct rn_queue *q)
{
	return rn_ring_client_sleeps(&q->rx) || rn_ring_client_sleeps(&q->tx);
}

/* One fence for all: what was published, then the flags (rawnet/ring.h has the argument). Who is
 * published again in this turn is looked at again behind that, and behind the fence of the first
 * turn in which he is not: until then each look sees what his flag has become meanwhile. */
static void wake_told(struct rn_poller *p, struct rn_queue **told)
{
	struct rn_queue **const end = told + p->n_told;
	bool fenced = false;

	for (; told < end; told++) {
		struct rn_queue *q = *told;

		q->told = false;
		if (q->touched)
			continue;
		if (!fenced)
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
		fenced = true;
		if (sleeps(q))
			rn_wakes_add(&p->wakes, q, rn_poller_now(p));
	}
}

static void publish_queue(struct rn_queue *q)
{
	struct rn_queue_state *s = q->state;
	const uint32_t rx = q->rx.daemon, tx = q->tx.daemon;

	s->rx_client = q->rx.client;
	s->tx_client = q->tx.client;
	rn_tx_keep(q, s);
	if ((int32_t)(rx - s->rx_true) > 0)
		s->rx_true = rx;
	__atomic_store_n(&s->rx_daemon, rx, __ATOMIC_RELAXED);
	__atomic_store_n(&s->tx_daemon, tx, __ATOMIC_RELAXED);
	if (rx != q->rx.published)
		rn_ring_publish(&q->rx);
	if (tx != q->tx.published)
		rn_ring_publish(&q->tx);
	q->touched = false;
}

/*
 * Indexes, then flags. Whoever has slept for a while is seen to sleep at once; who goes to sleep
 * just now is seen at the end of the next turn: again at once if something is published for him,
 * behind a fence if not. By then the indexes have left the store buffer, and the fence does not
 * wait for lines that clients have.
 */
static void publish_touched(struct rn_poller *p)
{
	struct rn_queue **touched = p->now_set->touched, **told = p->now_set->told;
	struct rn_queue **const end = touched + p->n_touched;

	p->n_touched = 0;
	for (; touched < end; touched++) {
		struct rn_queue *q = *touched;

		publish_queue(q);
		if (sleeps(q)) {
			rn_wakes_add(&p->wakes, q, rn_poller_now(p));
		} else if (!q->told) {
			q->told = true;
			told[p->n_told++] = q;
		}
	}
}

void rn_poller_publish(struct rn_poller *p)
{
	wake_told(p, p->now_set->told);
	p->n_told = 0;
	publish_touched(p);
}

static void flush_hwqs(struct rn_set *set)
{
	for (uint32_t i = 0; i < set->n_flush; i++)
		set->flush[i]->port->backend->flush(set->flush[i]);
}

static void done_hwqs(struct rn_set *set)
{
	for (uint32_t i = 0; i < set->n_done; i++)
		set->done[i]->port->backend->done(set->done[i]);
}

void rn_poller_finish(struct rn_poller *p)
{
	flush_hwqs(p->now_set); /* doorbells, refills, system calls of the backend */
	if (p->finished) /* the turn's one fence was at its first publication */
		publish_touched(p);
	else /* who fell asleep in the last turn, one fence, indexes, who sleeps */
		rn_poller_publish(p);
	done_hwqs(p->now_set); /* what was given to clients is not the backend's any more */
	p->finished = true;
}

static unsigned poller_turn(struct rn_poller *p)
{
	struct rn_set *set = newest_set(p);
	unsigned work, cold;

	p->now = 0;
	p->finished = false;
	if (p->n_hot < set->n_queues)
		ask_for_cold(set, p->cold_next);
	work = serve_hwqs(set); /* wire to clients */
	work += serve_copies(set); /* broadcast and multicast to those who asked */
	work += rn_poller_serve_hot(p, work); /* busy clients to the wire */
	rn_poller_finish(p);
	p->quiet = work ? 0 : p->quiet + 1;
	cold = p->n_hot < set->n_queues ? serve_cold(p, work != 0) : 0; /* a few, in rotation */
	if (cold || p->n_touched) /* slots come back without a packet moved: none is left touched */
		rn_poller_finish(p);
	work += cold;
	if (p->wakes.n)
		rn_wakes_run(&p->wakes, rn_poller_now(p), work == 0);
	return work;
}

static void account(struct rn_poller *p, unsigned work, uint64_t began)
{
	rn_store(&p->turns, p->turns + 1);
	if (!work)
		return;
	rn_store(&p->busy_turns, p->busy_turns + 1);
	if (began) {
		const uint64_t ns = clock_ns() - began, most = 4 * p->turn_ns + TURN_STEP_NS;

		rn_turns_add(&p->lengths, ns);
		p->turn_ns = (3 * p->turn_ns + (ns < most ? ns : most)) / 4;
	}
}

unsigned rn_poller_turn(struct rn_poller *p)
{
	uint64_t began = p->turns % TURN_SAMPLE ? 0 : clock_ns();
	unsigned work = poller_turn(p);

	account(p, work, began);
	return work;
}
