/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which destination MACs rules name besides the port's own; see struct rn_macs. The filter has a
 * bit for the hash of each, the table behind it says exactly. The control thread changes both in
 * place: a reader that sees a MAC too early or too late takes the frame for one that comes a moment
 * earlier or later.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "steer_impl.h"

/* A masked MAC that rules name. */
struct rn_named {
	struct cds_lfht_node node;
	struct rcu_head rcu;
	uint64_t mac, mask;
	uint32_t rules;
};

static int match_named(struct cds_lfht_node *node, const void *key)
{
	const struct rn_named *have = caa_container_of(node, struct rn_named, node), *want = key;

	return have->mac == want->mac && have->mask == want->mask;
}

static unsigned long named_hash(const struct rn_named *n)
{
	const uint64_t words[2] = {n->mac, n->mask};

	return rn_siphash(&rn_steer_secret, words, 2);
}

static struct rn_named *find(const struct rn_steer *s, const struct rn_named *key)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	cds_lfht_lookup(s->named, named_hash(key), match_named, key, &iter);
	node = cds_lfht_iter_get_node(&iter);
	return node ? caa_container_of(node, struct rn_named, node) : NULL;
}

static void set_word(uint64_t *word, uint64_t v)
{
	__atomic_store_n(word, v, __ATOMIC_RELAXED);
}

/* ---- readers ---- */

const struct rn_macs *rn_steer_macs(const struct rn_steer *s)
{
	return &s->macs;
}

bool rn_steer_names(const struct rn_steer *s, uint64_t mac)
{
	const struct rn_macs *m = &s->macs;

	for (uint32_t i = 0; i < __atomic_load_n(&m->n_masks, __ATOMIC_RELAXED); i++) {
		uint64_t mask = __atomic_load_n(&m->mask[i], __ATOMIC_RELAXED);
		const struct rn_named key = {.mac = mac & mask, .mask = mask};

		if (rn_macs_bit(m, key.mac) && find(s, &key))
			return true;
	}
	return false;
}

/* ---- control thread ---- */

/* The mask's place; of a new one a free place. There are as many as shapes. */
static uint32_t place_of(struct rn_steer *s, uint64_t mask)
{
	uint32_t free = RN_SHAPES;

	for (uint32_t i = 0; i < RN_SHAPES; i++) {
		if (s->mask_users[i] && s->macs.mask[i] == mask)
			return i;
		if (!s->mask_users[i] && free == RN_SHAPES)
			free = i;
	}
	return free;
}

static void count_masks(struct rn_steer *s)
{
	uint32_t n = RN_SHAPES;

	while (n && !s->mask_users[n - 1])
		n--;
	__atomic_store_n(&s->macs.n_masks, n, __ATOMIC_RELAXED);
}

static void show(struct rn_steer *s, const struct rn_named *n)
{
	uint32_t at = rn_macs_at(n->mac), place = place_of(s, n->mask);
	uint64_t *word = &s->macs.bit[at / 64];

	set_word(&s->macs.mask[place], n->mask);
	s->mask_users[place]++;
	count_masks(s);
	s->bit_users[at]++;
	set_word(word, *word | 1ull << at % 64);
}

static void hide(struct rn_steer *s, const struct rn_named *n)
{
	uint32_t at = rn_macs_at(n->mac);
	uint64_t *word = &s->macs.bit[at / 64];

	if (!--s->bit_users[at])
		set_word(word, *word & ~(1ull << at % 64));
	s->mask_users[place_of(s, n->mask)]--;
	count_masks(s);
}

static void free_named(struct rcu_head *head)
{
	free(caa_container_of(head, struct rn_named, rcu));
}

int rn_macs_add(struct rn_steer *s, struct rule *r)
{
	const struct rn_named key = {.mac = rn_mac_word(r->pub.key.dmac),
				     .mask = rn_mac_word(r->pub.shape->mask.dmac)};
	struct rn_named *n;

	if (!(r->pub.match.fields & RAWNET_M_DMAC))
		return 0; /* the port's own */
	n = find(s, &key);
	if (!n) {
		n = calloc(1, sizeof(*n));
		if (!n)
			return -ENOMEM;
		n->mac = key.mac;
		n->mask = key.mask;
		cds_lfht_add(s->named, named_hash(n), &n->node);
		show(s, n);
	}
	n->rules++;
	r->named = n;
	return 0;
}

void rn_macs_del(struct rn_steer *s, struct rule *r)
{
	struct rn_named *n = r->named;

	r->named = NULL;
	if (!n || --n->rules)
		return;
	hide(s, n);
	cds_lfht_del(s->named, &n->node);
	call_rcu(&n->rcu, free_named);
}

void rn_macs_own(struct rn_steer *s, const uint8_t mac[6])
{
	set_word(&s->macs.own, rn_mac_word(mac));
}
