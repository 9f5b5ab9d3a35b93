/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See hosts.h. A set of WAYS entries for each hash, of which the first is for whoever is asked for;
 * once known he moves to one of the others. An entry has a sequence number that is odd while the
 * resolver writes it: a worker that reads it meanwhile takes it for a miss.
 *
 * What is due stands in a heap, so that a look of the resolver costs what is due and not what is
 * known. Whoever is due and not in use leaves it, and comes back by the list that workers fill.
 *
 * The wire chooses whom the table is asked for. Which hosts share a set follows from a secret of
 * the process: a hash that is linear and universal is enough for that, since a set has no more than
 * WAYS entries to look at, however many want to be in it. But addresses in a row are in a row under
 * it, too, which fills few sets for one secret in eight: its bits are mixed.
 */
#include "due.h"
#include "hosts.h"
#include "pause.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SETS_LOG 13u
#define SETS	 (1u << SETS_LOG)
#define WAYS	 4u
#define LIST	 256u

enum use {
	UNUSED, /* since he was asked for last */
	USED,
	DORMANT, /* was not when he was due: not in the heap */
	WANTED, /* was dormant and is in the list */
	USES
};

struct entry {
	uint32_t seq; /* atomic; 0: free, odd: being written */
	uint32_t use; /* atomic: enum use; above it, of a dormant one, bits of seq: whose it is */
	uint64_t key[3]; /* atomic words of a struct l3_host */
	struct l3_adj adj;
	/* the resolver's */
	struct l3_due due; /* asks next */
	struct entry *asked; /* in the course of a look: the one asked for before it */
	uint64_t last; /* was used last */
	uint8_t tries; /* in vain */
};

struct l3_hosts {
	struct entry entry[SETS][WAYS];
	unsigned __int128 secret[4];
	struct l3_dues dues;
	struct l3_due *heap[SETS * WAYS];
	pthread_mutex_t lock; /* of the list */
	struct l3_host list[LIST];
	uint32_t n;
};

struct l3_hosts *l3_hosts_create(void)
{
	struct l3_hosts *h = calloc(1, sizeof(*h));

	if (!h || getrandom(h->secret, sizeof(h->secret), 0) != sizeof(h->secret)) {
		free(h);
		return NULL;
	}
	h->dues.heap = h->heap;
	pthread_mutex_init(&h->lock, NULL);
	return h;
}

void l3_hosts_destroy(struct l3_hosts *h)
{
	if (h)
		pthread_mutex_destroy(&h->lock);
	free(h);
}

static void make_key(const struct l3_host *host, uint64_t key[3])
{
	memset(key, 0, 3 * sizeof(*key));
	memcpy(key, host, sizeof(*host));
}

/* One to one; the last step of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
 * generators, 2014). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static struct entry *set_of(struct l3_hosts *h, const uint64_t key[3])
{
	unsigned __int128 sum = h->secret[3];

	for (unsigned i = 0; i < 3; i++)
		sum += h->secret[i] * key[i];
	return h->entry[mix((uint64_t)(sum >> 64)) >> (64 - SETS_LOG)];
}

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void store(uint64_t *word, uint64_t v)
{
	__atomic_store_n(word, v, __ATOMIC_RELAXED);
}

/* ---- workers ---- */

/* False: whoever has the list, or filled it, is faster. */
static bool put_in_list(struct l3_hosts *h, const struct l3_host *host, bool *fresh)
{
	uint32_t i = 0;
	bool in;

	*fresh = false;
	if (pthread_mutex_trylock(&h->lock))
		return false;
	while (i < h->n && memcmp(&h->list[i], host, sizeof(*host)) != 0)
		i++;
	if (i == h->n && h->n < LIST) {
		h->list[h->n++] = *host;
		*fresh = true;
	}
	in = i < h->n;
	pthread_mutex_unlock(&h->lock);
	return in;
}

/* He is used. A dormant one is asked for again when the resolver looks next, within a second. */
static void use(struct l3_hosts *h, struct entry *e, const struct l3_host *host)
{
	uint32_t was = __atomic_load_n(&e->use, __ATOMIC_RELAXED);
	bool fresh;

	if (was == UNUSED)
		__atomic_compare_exchange_n(&e->use, &was, USED, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
	else if (was % USES == DORMANT && put_in_list(h, host, &fresh))
		__atomic_compare_exchange_n(&e->use, &was, was - DORMANT + WANTED, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

bool l3_hosts_find(struct l3_hosts *h, const struct l3_host *host, struct l3_adj *adj)
{
	struct entry *e;
	uint64_t key[3];
	uint32_t seq;

	make_key(host, key);
	e = set_of(h, key);
	for (unsigned i = 0; i < WAYS; i++, e++) {
		seq = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);
		if (!seq || (seq & 1) || load(&e->key[0]) != key[0] || load(&e->key[1]) != key[1] ||
		    load(&e->key[2]) != key[2])
			continue;
		adj->to = load(&e->adj.to);
		adj->from = load(&e->adj.from);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&e->seq, __ATOMIC_RELAXED) != seq)
			continue;
		use(h, e, host);
		return true;
	}
	return false;
}

bool l3_hosts_want(struct l3_hosts *h, const struct l3_host *host)
{
	bool fresh;

	/* Who does not get in loses a packet that was lost already. */
	put_in_list(h, host, &fresh);
	return fresh;
}

/* ---- the resolver ---- */

static void write_entry(struct entry *e, const uint64_t key[3], const struct l3_adj *adj)
{
	uint32_t seq = e->seq | 1;

	__atomic_store_n(&e->seq, seq, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (unsigned i = 0; i < 3; i++)
		store(&e->key[i], key[i]);
	store(&e->adj.to, adj->to);
	store(&e->adj.from, adj->from);
	/* Never 0 again, which is free. */
	__atomic_store_n(&e->seq, seq + 1 ? seq + 1 : 2, __ATOMIC_RELEASE);
}

static void set_use(struct entry *e, enum use u)
{
	__atomic_store_n(&e->use, (uint32_t)u, __ATOMIC_RELAXED);
}

/* He is there already, perhaps dormant. */
static void wake(struct l3_hosts *h, struct entry *e)
{
	if (e->due.place)
		return;
	set_use(e, USED);
	l3_due_put(&h->dues, &e->due, e->due.at);
}

static void take_in(struct l3_hosts *h, const struct l3_host *host, uint64_t now)
{
	const struct l3_adj unknown = {0, 0};
	struct entry *set;
	uint64_t key[3];

	make_key(host, key);
	set = set_of(h, key);
	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].seq && !memcmp(set[i].key, key, sizeof(key))) {
			wake(h, &set[i]);
			return;
		}
	write_entry(set, key, &unknown);
	set->last = now;
	set->tries = 0;
	set_use(set, USED);
	l3_due_put(&h->dues, &set->due, 0);
}

/* He is known: from the first place of his set to the one that is free, or whose host is not known
 * any more, or was used least recently. */
static void settle(struct l3_hosts *h, struct entry *set)
{
	static const uint64_t nobody[3];
	const struct l3_adj unknown = {0, 0};
	struct entry *to = &set[1];

	for (unsigned i = 1; i < WAYS && to->seq && to->adj.to; i++)
		if (!set[i].seq || !set[i].adj.to || set[i].last < to->last)
			to = &set[i];
	write_entry(to, set->key, &set->adj);
	to->last = set->last;
	to->tries = set->tries;
	set_use(to, (enum use)__atomic_load_n(&set->use, __ATOMIC_RELAXED));
	l3_due_put(&h->dues, &to->due, set->due.at);
	write_entry(set, nobody, &unknown);
	set_use(set, UNUSED);
	l3_due_drop(&h->dues, &set->due);
}

static void take_list(struct l3_hosts *h, uint64_t now)
{
	struct l3_host list[LIST];
	uint32_t n;

	pthread_mutex_lock(&h->lock);
	n = h->n;
	memcpy(list, h->list, n * sizeof(*list));
	h->n = 0;
	pthread_mutex_unlock(&h->lock);
	for (uint32_t i = 0; i < n; i++)
		take_in(h, &list[i], now);
}

/* He is due: asked for if he is in use, else dormant. */
static bool is_asked(struct entry *e)
{
	uint32_t was = UNUSED;

	return !__atomic_compare_exchange_n(&e->use, &was, e->seq * USES + DORMANT, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

uint64_t l3_hosts_refresh(struct l3_hosts *h, uint64_t now,
			  uint64_t (*ask)(void *arg, const struct l3_host *host, struct l3_adj *adj,
					  uint8_t *tries),
			  void *arg)
{
	struct entry *asked = NULL;
	struct l3_host host;
	struct l3_due *due;

	take_list(h, now);
	while ((due = l3_due_first(&h->dues)) && due->at <= now) {
		struct entry *e = (void *)((char *)due - offsetof(struct entry, due));
		struct l3_adj adj = e->adj;

		l3_due_drop(&h->dues, due);
		if (!is_asked(e))
			continue;
		set_use(e, UNUSED);
		e->last = now;
		memcpy(&host, e->key, sizeof(host));
		e->due.at = ask(arg, &host, &adj, &e->tries);
		write_entry(e, (const uint64_t[3]) {e->key[0], e->key[1], e->key[2]}, &adj);
		if (l3_pause_is_eager(e->tries))
			set_use(e, USED);
		e->asked = asked;
		asked = e;
	}
	/* Once each, though it may be due again by now. */
	for (; asked; asked = asked->asked) {
		l3_due_put(&h->dues, &asked->due, asked->due.at);
		if (asked->adj.to && (size_t)(asked - h->entry[0]) % WAYS == 0)
			settle(h, asked);
	}
	due = l3_due_first(&h->dues);
	return due ? due->at : UINT64_MAX;
}
