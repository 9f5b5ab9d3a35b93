/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the busy queues of a poller share its time: weighted round robin, in turns of bounded length.
 *
 * A light client has less to send than its burst, and may wait for an answer; a heavy one always
 * has more. In a plain round robin the light one's packet waits for half a burst of each heavy one
 * before it is seen, and for a whole one before it is published, which costs as much as all the
 * rest of its way. So, while somebody light is served,
 *   - heavy queues let light ones pass: they have a burst behind every eighth turn that served
 *     light ones, or when none came for some turns, in which the poller looks for them;
 *   - what a light one sent is published before that burst begins;
 *   - the burst is as many packets as light ones had meanwhile, RN_POLLER_SMALL for each turn of
 *     theirs at least. The longer no light one comes, the larger it is; soon it is a whole one, and
 *     after LIGHT_TURNS nobody waits any more.
 * So the median of light ones does not notice a heavy one, and one packet in eight waits for a
 * burst. A heavy one sends as much as a light one does, if it is not one of so many that the turn's
 * budget ends before, and waits for PASS_MOST times HOLD_LEAST turns at most.
 *
 * Where turns are long, for what comes by the wire or for system calls, a burst is little of what a
 * light one waits for, and light ones are served in each turn: nobody is put off, and bursts beside
 * them are small.
 */
#include "backend/backend.h"
#include "poller_impl.h"
#include "port.h"
#include "queue_grant.h"
#include "tx.h"
#include "tx_state.h"

#define TURN_BUDGET  256u /* packets of all light ones in a turn, or of all others */
#define HEAVY_BUDGET 128u /* of heavy ones beside light ones */
#define AHEAD_LEAST  8u /* hot queues; fewer stay in the cache */
#define LIGHT_TURNS  128u /* after it was served, that a light client counts as one, */
#define LIGHT_LONG   16u /* if turns are long: */
#define LONG_NS	     4000u
#define PASS_MOST    8u /* turns with light ones that heavy ones let pass, */
#define CALM_MOST    3u /* RN_POLLER_SMALL doubled so often is RN_POLLER_BURST */
#define HOLD_LEAST   8u /* turns without a light one that heavy ones wait, */
#define HOLD_MORE    4u /* and so many more after each larger burst */
#define HOLD_WORK    8u /* packets that are worth a turn without one */
#define LOAD_DECAY   8u /* the load of a queue loses so much of it at each look */
#define LOAD_HEAVY   (16 * LOAD_DECAY) /* 16 packets at each look, not in one burst */

/* A queue that asked for more than its rate is left alone for a moment: most of what it has would
 * be dropped, and dropping takes time from the others too. */
static bool rests(struct rn_queue *q)
{
	if (!q->rest)
		return false;
	if (--q->rest)
		return true;
	if (rn_poller_now(q->poller) >= q->rest_end)
		return false;
	q->rest = RN_TX_REST_TURNS;
	return true;
}

static inline unsigned serve_rx(struct rn_queue *q, unsigned budget)
{
	const struct rn_backend *be = q->hwq->port->backend;

	if (q->dead)
		return 0;
	rn_queue_follow(q);
	return be->queue_rx ? be->queue_rx(q, budget) : 0;
}

static inline unsigned serve_tx(struct rn_queue *q, unsigned budget)
{
	const struct rn_backend *be = q->hwq->port->backend;

	if (q->dead || rests(q))
		return 0;
	return be->queue_tx ? be->queue_tx(q, budget) : rn_tx_run(q, budget);
}

unsigned rn_poller_serve(struct rn_queue *q, unsigned budget)
{
	unsigned n = serve_rx(q, budget);

	return n + serve_tx(q, budget);
}

/* ---- light and heavy ---- */

/* Packets that it is known to have. A backend that owns the queue counts them from `next`. */
static uint32_t waiting(const struct rn_queue *q)
{
	return q->tx.client - (q->hw ? q->tx.next : q->tx.daemon);
}

/* Was somebody served a moment ago who has less than his burst? */
static bool beside_light(const struct rn_poller *p)
{
	return p->n_hot > 1 && p->turns < p->light_until;
}

/* A burst is what light ones would wait for. */
static bool turns_are_short(const struct rn_poller *p)
{
	return p->turn_ns < LONG_NS;
}

/* What light ones left of the time, or more when none comes. */
static unsigned burst_beside_light(const struct rn_poller *p)
{
	const unsigned least = RN_POLLER_SMALL << p->calm;

	if (!turns_are_short(p))
		return 2 * RN_POLLER_SMALL;
	return p->owed > least ? p->owed : least;
}

/* The burst of a queue. Who is alone keeps nobody waiting, and where each turn's packets cost a
 * system call, has twice as many to share it. */
static unsigned burst_of(const struct rn_queue *q)
{
	const struct rn_poller *p = q->poller;
	unsigned least = RN_POLLER_BURST;

	if (p->n_hot == 1 && !p->owned && !q->limited)
		least = 2 * RN_POLLER_BURST;
	else if (q->heavy && beside_light(p))
		least = burst_beside_light(p);
	return least * q->weight;
}

static inline void set_heavy(struct rn_queue *q, bool heavy)
{
	if (q->heavy == heavy)
		return;
	q->heavy = heavy;
	q->poller->n_heavy += heavy ? 1 : -1u;
}

/* It was asked for so many packets to send, its burst or what was left of the budget, and had
 * `did`. A device that is full makes nobody a light one. */
static void weigh(struct rn_queue *q, unsigned burst, unsigned asked, unsigned did)
{
	struct rn_poller *p = q->poller;
	const bool was_heavy = q->heavy;

	q->load += did - q->load / LOAD_DECAY;
	if (did < asked && waiting(q)) {
		p->full |= !q->rest;
		if (!q->rest && waiting(q) >= RN_POLLER_BURST)
			set_heavy(q, true);
		return;
	}
	if (did == asked && asked < burst)
		return;
	set_heavy(q, did && (did >= asked || q->load >= LOAD_HEAVY));
	p->burst |= q->heavy && was_heavy;
	if (!did || q->heavy)
		return;
	if (p->light_had < did)
		p->light_had = did;
	p->light_until = p->turns + (turns_are_short(p) ? LIGHT_TURNS : LIGHT_LONG);
	p->lit = true;
}

/* As most looks end: one load, of a line that did not change. */
static inline bool has_nothing(const struct rn_queue *q)
{
	return !q->hw && q->tx.client == q->tx.daemon &&
	       __atomic_load_n(&q->tx.ctl->client, __ATOMIC_RELAXED) == q->tx.client;
}

static bool look_in_vain(struct rn_queue *q)
{
	q->idle_turns++;
	q->load -= q->load / LOAD_DECAY;
	q->served = 0;
	set_heavy(q, false);
	return false;
}

/* Most looks at a queue that rests: a count. */
static bool look_at_rest(struct rn_queue *q)
{
	q->rest--;
	q->idle_turns++;
	q->load -= q->load / LOAD_DECAY;
	q->served = 0;
	return false;
}

/* What is left of a queue's burst, at most so much. False: it has had all of it, or wants no more.
 */
static inline bool serve_burst(struct rn_queue *q, unsigned most, unsigned *work)
{
	unsigned full, burst, asked, got, sent;

	if (has_nothing(q))
		return look_in_vain(q);
	if (q->rest > 1 && !q->hw)
		return look_at_rest(q);
	full = burst_of(q); /* may be less than the last: a reload, or a light client */
	burst = q->served < full ? full - q->served : full;
	asked = burst < most ? burst : most;
	got = serve_rx(q, asked);
	sent = serve_tx(q, asked);
	q->idle_turns = got + sent ? 0 : q->idle_turns + 1;
	*work += got + sent;
	q->served = got + sent < burst && got + sent >= asked ? full - burst + got + sent : 0;
	if (q->poller->n_hot > 1)
		weigh(q, burst, asked, sent);
	return q->served != 0;
}

/* ---- a round ---- */

/* Of many queues nothing is in the cache when their turn comes: the structs of the one after the
 * next two are asked for, then what they point to. */
static __attribute__((noinline)) void ask_ahead(const struct rn_set *set, uint32_t n, uint32_t at)
{
	const struct rn_queue *far = set->hot[at + 3 < n ? at + 3 : at + 3 - n];
	const struct rn_queue *middle = set->hot[at + 2 < n ? at + 2 : at + 2 - n];
	const struct rn_queue *near = set->hot[at + 1 < n ? at + 1 : at + 1 - n];

	for (unsigned i = 0; i < 4; i++)
		__builtin_prefetch((const uint8_t *)far + i * 64);
	for (unsigned i = 0; i < 6 && middle->hw; i++)
		__builtin_prefetch((const uint8_t *)middle->hw + i * 64);
	__builtin_prefetch(&near->rx.ctl->client);
	__builtin_prefetch(&near->rx.ctl->daemon, 1);
	__builtin_prefetch(&near->rx.ctl->sleep);
	__builtin_prefetch(&near->tx.ctl->client);
	__builtin_prefetch(&near->tx.ctl->sleep);
	__builtin_prefetch(&near->count[RAWNET_Q_RX_PACKETS], 1);
	__builtin_prefetch(near->state, 1);
	if (near->hwq->port->backend->queue_ahead)
		near->hwq->port->backend->queue_ahead(near);
}

/*
 * Each hot queue that is heavy, or each that is not, gets a burst in proportion to its weight; the
 * round ends when its budget is spent, and the next one begins behind the queue that was served
 * last. A burst that the end of a round cut short goes on first, so that weights hold whatever the
 * budget is.
 */
static unsigned serve_round(struct rn_poller *p, bool heavy, unsigned budget)
{
	struct rn_set *set = p->now_set;
	unsigned work = 0;
	uint32_t i, n = p->n_hot, at = p->rr[heavy] < n ? p->rr[heavy] : 0;
	bool more = false, stale = false;

	p->full = false;
	for (i = 0; i < n && work < budget && !more; i++) {
		struct rn_queue *q = set->hot[at];

		if (q->heavy == heavy) {
			if (n >= AHEAD_LEAST)
				ask_ahead(set, n, at);
			more = serve_burst(q, budget - work, &work);
			stale |= q->idle_turns > RN_COLD_AFTER || q->dead;
		}
		if (!more)
			at = at + 1 < n ? at + 1 : 0;
	}
	if (p->full && !more) /* what the device takes next is another one's */
		at = at + 1 < n ? at + 1 : 0;
	p->cut = i < n || more;
	p->rr[heavy] = at;
	for (i = stale ? n : 0; i-- > 0;)
		if (set->hot[i]->idle_turns > RN_COLD_AFTER || set->hot[i]->dead)
			rn_poller_make_cold(p, i);
	return work;
}

/* What comes by the wire waits for nobody: a small ring would run over. */
static unsigned serve_put_off(struct rn_poller *p)
{
	unsigned work = 0;

	for (uint32_t i = 0; p->owned && i < p->n_hot; i++)
		if (p->now_set->hot[i]->heavy)
			work += serve_rx(p->now_set->hot[i], RN_POLLER_BURST);
	return work;
}

/* Who is alone keeps nobody waiting: neither light nor heavy. */
static unsigned serve_only(struct rn_poller *p)
{
	struct rn_queue *q = p->now_set->hot[0];
	unsigned work = 0;

	serve_burst(q, TURN_BUDGET, &work);
	if (q->idle_turns > RN_COLD_AFTER || q->dead)
		rn_poller_make_cold(p, 0);
	return work;
}

/* Light ones were served in this turn, and there are heavy ones. */
static void let_pass(struct rn_poller *p)
{
	p->calm = 0;
	p->hold = HOLD_LEAST;
	if (p->passed >= PASS_MOST)
		return;
	p->passed++;
	p->owed += p->light_had > RN_POLLER_SMALL ? p->light_had : RN_POLLER_SMALL;
}

/* Do heavy ones wait in this turn? */
static bool puts_off(const struct rn_poller *p)
{
	return turns_are_short(p) && (p->hold || p->lit) && p->passed < PASS_MOST;
}

/* Heavy ones had their bursts; if not all, the others have theirs in the next turn. */
static void had_bursts(struct rn_poller *p)
{
	if (p->cut && p->passed >= PASS_MOST)
		return;
	p->passed = p->owed = 0;
	if (!beside_light(p))
		return;
	p->hold = HOLD_LEAST + HOLD_MORE * p->calm;
	p->calm += p->calm < CALM_MOST;
}

static unsigned serve_heavy(struct rn_poller *p)
{
	unsigned work;

	if (p->lit)
		let_pass(p);
	if (puts_off(p))
		return serve_put_off(p);
	if (p->lit && turns_are_short(p))
		rn_poller_finish(p);
	work = serve_round(p, true, p->lit ? HEAVY_BUDGET : TURN_BUDGET);
	if (p->burst)
		had_bursts(p);
	return work;
}

unsigned rn_poller_serve_hot(struct rn_poller *p, unsigned before)
{
	unsigned work, turns;

	if (p->n_hot == 1)
		return serve_only(p);
	p->burst = p->lit = false;
	p->light_had = 0;
	work = serve_round(p, false, TURN_BUDGET);
	turns = 1 + (work + before) / HOLD_WORK;
	p->hold -= turns < p->hold ? turns : p->hold;
	return p->n_heavy ? work + serve_heavy(p) : work;
}
