/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See hosts.h. A set of WAYS entries for each hash, of which the first is for whoever is asked for;
 * once known he moves to one of the others. An entry has a sequence number that is odd while the
 * resolver writes it: a worker that reads it meanwhile takes it for a miss.
 */
#include "hosts.h"
#include "pause.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SETS 8192u
#define WAYS 4u
#define LIST 256u

struct entry {
	uint32_t seq; /* atomic; 0: free, odd: being written */
	uint32_t used; /* atomic: since the resolver looked last */
	uint64_t key[3]; /* atomic words of a struct l3_host */
	struct l3_adj adj;
	/* the resolver's */
	uint64_t due, last; /* asks next, was used last */
	uint8_t tries; /* in vain */
};

struct l3_hosts {
	struct entry entry[SETS][WAYS];
	pthread_mutex_t lock; /* of the list */
	struct l3_host list[LIST];
	uint32_t n;
};

struct l3_hosts *l3_hosts_create(void)
{
	struct l3_hosts *h = calloc(1, sizeof(*h));

	if (h)
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

static struct entry *set_of(struct l3_hosts *h, const uint64_t key[3])
{
	uint64_t x = key[0] * 0x9e3779b97f4a7c15u ^ key[1] * 0xc2b2ae3d27d4eb4fu ^
		     key[2] * 0x165667b19e3779f9u;

	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15u;
	return h->entry[x >> 32 & (SETS - 1)];
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
		if (!__atomic_load_n(&e->used, __ATOMIC_RELAXED))
			__atomic_store_n(&e->used, 1, __ATOMIC_RELAXED);
		return true;
	}
	return false;
}

bool l3_hosts_want(struct l3_hosts *h, const struct l3_host *host)
{
	bool fresh = false;
	uint32_t i = 0;

	/* Whoever finds it locked loses a packet that was lost already. */
	if (pthread_mutex_trylock(&h->lock))
		return false;
	while (i < h->n && memcmp(&h->list[i], host, sizeof(*host)) != 0)
		i++;
	if (i == h->n && h->n < LIST) {
		h->list[h->n++] = *host;
		fresh = true;
	}
	pthread_mutex_unlock(&h->lock);
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

static void take_in(struct l3_hosts *h, const struct l3_host *host, uint64_t now)
{
	const struct l3_adj unknown = {0, 0};
	struct entry *set;
	uint64_t key[3];

	make_key(host, key);
	set = set_of(h, key);
	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].seq && !memcmp(set[i].key, key, sizeof(key)))
			return;
	write_entry(set, key, &unknown);
	set->due = 0;
	set->last = now;
	set->tries = 0;
	__atomic_store_n(&set->used, 1, __ATOMIC_RELAXED);
}

/* He is known: from the first place of his set to the one that is free, or whose host is not known
 * any more, or was used least recently. */
static void settle(struct entry *set)
{
	static const uint64_t nobody[3];
	const struct l3_adj unknown = {0, 0};
	struct entry *to = &set[1];

	for (unsigned i = 1; i < WAYS && to->seq && to->adj.to; i++)
		if (!set[i].seq || !set[i].adj.to || set[i].last < to->last)
			to = &set[i];
	write_entry(to, set->key, &set->adj);
	to->due = set->due;
	to->last = set->last;
	to->tries = set->tries;
	__atomic_store_n(&to->used, __atomic_load_n(&set->used, __ATOMIC_RELAXED),
			 __ATOMIC_RELAXED);
	write_entry(set, nobody, &unknown);
	__atomic_store_n(&set->used, 0, __ATOMIC_RELAXED);
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

uint64_t l3_hosts_refresh(struct l3_hosts *h, uint64_t now,
			  uint64_t (*ask)(void *arg, const struct l3_host *host, struct l3_adj *adj,
					  uint8_t *tries),
			  void *arg)
{
	uint64_t next = UINT64_MAX;
	struct l3_host host;

	take_list(h, now);
	for (struct entry *e = h->entry[0]; e < h->entry[0] + SETS * WAYS; e++) {
		struct l3_adj adj = e->adj;

		if (!e->seq || !__atomic_load_n(&e->used, __ATOMIC_RELAXED))
			continue;
		if (e->due <= now) {
			__atomic_store_n(&e->used, 0, __ATOMIC_RELAXED);
			e->last = now;
			memcpy(&host, e->key, sizeof(host));
			e->due = ask(arg, &host, &adj, &e->tries);
			write_entry(e, (const uint64_t[3]) {e->key[0], e->key[1], e->key[2]}, &adj);
			if (l3_pause_is_eager(e->tries))
				__atomic_store_n(&e->used, 1, __ATOMIC_RELAXED);
		}
		if (e->due < next)
			next = e->due;
		if (adj.to && (size_t)(e - h->entry[0]) % WAYS == 0)
			settle(e);
	}
	return next;
}
