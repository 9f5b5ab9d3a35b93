/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the rule table, shared by the steer_*.c files only. Control thread, unless it says
 * reader.
 */
#ifndef RN_STEER_IMPL_H
#define RN_STEER_IMPL_H

#include <urcu/hlist.h>

#include "siphash.h"
#include "steer.h"

#define HANDLES	   (1u << RN_HANDLE_BITS)
#define BLOCK_BITS 10u
#define BLOCK	   (1u << BLOCK_BITS)
#define WAITING	   1024u

/* The shapes in order of preference; replaced as a whole. */
struct order {
	struct rcu_head rcu;
	unsigned n;
	struct rn_shape *shape[RN_SHAPES];
};

/* A rule with what only the table needs. */
struct rule {
	struct rn_rule pub;
	struct cds_lfht_node by_id;
	struct lease *lease[2]; /* addresses that the daemon answers for */
	struct rn_named *named; /* its destination MAC (steer_macs.c), unless it is the port's */
	struct cds_hlist_node waiting; /* without members (steer_owner.c) */
};

/* An address leased by a rule; RCU. */
struct lease {
	struct cds_lfht_node node;
	struct rcu_head rcu;
	uint8_t addr[16];
	uint16_t vlan;
	uint8_t family;
	struct rn_rule *rule;
};

struct pair_index; /* steer_overlap.c */

struct rn_steer {
	const struct rn_steer_ops *ops;
	void *ctx;
	uint8_t mac[6];
	uint64_t *ids;
	struct order *order; /* RCU */
	struct rn_shape *by_slot[RN_SHAPES];
	struct rn_rule **block[HANDLES / BLOCK]; /* RCU: handle to rule, blocks are never freed
						    before the end */
	uint16_t *generation[HANDLES / BLOCK];
	uint32_t *free_handle; /* stack of slots that were used before */
	uint32_t n_free, max_free, n_handles;
	struct cds_lfht *by_id;
	struct cds_lfht *leases;
	struct cds_list_head rules, unkept;
	struct cds_hlist_head waiting[WAITING]; /* steer_owner.c */
	uint32_t n_rules;
	uint32_t changes; /* read by pollers */
	struct pair_index *pair[RN_SHAPES][RN_SHAPES]; /* [new rule's slot][other's slot] */
	/* steer_macs.c */
	struct rn_macs macs; /* read by pollers */
	struct cds_lfht *named; /* RCU */
	uint32_t mask_users[RN_SHAPES];
	uint32_t bit_users[1u << RN_MACS_LOG];
};

static inline struct rule *rule_of(struct rn_rule *rule)
{
	return caa_container_of(rule, struct rule, pub);
}

static inline void key_mask(struct rn_key *out, const struct rn_key *key, const struct rn_key *mask)
{
	const uint64_t *k = (const void *)key, *m = (const void *)mask;
	uint64_t *o = (void *)out;

	for (size_t i = 0; i < sizeof(*key) / 8; i++)
		o[i] = k[i] & m[i];
}

/*
 * Clients choose what stands in the tables: they are hashed with the process's secret, which is
 * made before the first of them and does not change, and hold no more than a port has rules for
 * (leases and MACs: as many addresses as quotas allow). Readers.
 */
extern struct rn_secret rn_steer_secret;

static inline unsigned long key_hash(const struct rn_key *key)
{
	return rn_siphash(&rn_steer_secret, (const void *)key, sizeof(*key) / 8);
}

/* Of a key that is masked; only words in which two of the shape can differ. */
static inline unsigned long shape_hash(const struct rn_shape *shape, const struct rn_key *key)
{
	const uint64_t *words = (const void *)key;
	struct rn_sip s = rn_sip_begin(&rn_steer_secret);

	for (uint8_t i = 0; i < shape->n_words; i++)
		rn_sip_word(&s, words[shape->word[i]]);
	return rn_sip_end(&s, shape->n_words);
}

/* Who deletes all rules but every 4096th chooses ids, too. */
static inline unsigned long id_hash(uint64_t id)
{
	return rn_siphash(&rn_steer_secret, &id, 1);
}

static inline struct cds_lfht *make_table(void)
{
	return cds_lfht_new(64, 64, HANDLES, CDS_LFHT_AUTO_RESIZE, NULL);
}

/* release: who sees the new number sees what changed. */
static inline void note_change(struct rn_steer *s)
{
	__atomic_store_n(&s->changes, s->changes + 1, __ATOMIC_RELEASE);
}

/* steer_handle.c */
int rn_handle_take(struct rn_steer *s, uint32_t *handle, struct rn_err *err);
/* The slot's next rule has another generation. */
void rn_handle_give(struct rn_steer *s, uint32_t handle);
void rn_handle_set(struct rn_steer *s, uint32_t handle, struct rn_rule *rule);
void rn_handles_free(struct rn_steer *s);

/* steer_lease.c */
/* -EEXIST: a rule of another user, or with another MAC, has an address of this match. */
int rn_leases_check(const struct rn_steer *s, const struct rawnet_match *m, uint32_t uid,
		    struct rn_err *err);
/* -ENOMEM: del takes back what was added. */
int rn_leases_add(struct rn_steer *s, struct rule *r);
void rn_leases_del(struct rn_steer *s, struct rule *r);

/* steer_shape.c */
/* The rule with exactly this masked key; reader. */
struct rn_rule *rn_shape_find(const struct rn_shape *shape, const struct rn_key *key);
/* < 0: a is preferred; never 0 for different masks. */
int rn_shape_compare(const struct rn_key *a, const struct rn_key *b);
struct rn_shape *rn_shape_of_mask(const struct rn_steer *s, const struct rn_key *mask);
/* Makes the shape and publishes the order with it. */
int rn_shape_add(struct rn_steer *s, const struct rn_key *mask, struct rn_shape **shape,
		 struct rn_err *err);
/* Shapes that have no rules left go: waits for a grace period. */
void rn_shape_drop_empty(struct rn_steer *s);
/* All, with the table: nobody reads it any more. */
void rn_shape_destroy_all(struct rn_steer *s);

/* steer_members.c: new sets; NULL is out of memory. The old set is the caller's to free. */
struct rn_members *rn_members_make(struct rn_attachment *at, uint32_t index);
struct rn_members *rn_members_with(const struct rn_members *old, struct rn_attachment *at,
				   uint32_t index);
struct rn_members *rn_members_without(const struct rn_members *old, const struct rn_attachment *at);
/* Replaces the members; the backend is told, and nothing has happened if it refuses. */
int rn_members_set(struct rn_steer *s, struct rn_rule *rule, struct rn_members *m,
		   struct rn_err *err);
/* The request has the match of this rule. */
int rn_members_join(struct rn_steer *s, struct rn_rule *rule, const struct rn_steer_request *q,
		    uint32_t *index, struct rn_err *err);
/* The rule is gone: its members' indexes, and the set after a grace period. */
void rn_members_release(struct rn_rule *rule);

/* steer_owner.c */
int rn_index_take(struct rn_attachment *at, struct rn_rule *rule, uint32_t *index);
/* Of a restored rule's members: room for the indexes that they had, -ENOMEM; the rule has them. */
int rn_index_reserve(const struct rn_members *m);
void rn_index_keep(struct rn_rule *rule);
void rn_index_give(struct rn_attachment *at, uint32_t index);
/* The rule has no members any more, and its label; it has some again, or goes. */
void rn_waiting_add(struct rn_steer *s, struct rule *r);
void rn_waiting_del(struct rule *r);

/* steer_macs.c. The rule has its key and shape. -ENOMEM. */
int rn_macs_add(struct rn_steer *s, struct rule *r);
void rn_macs_del(struct rn_steer *s, struct rule *r);
void rn_macs_own(struct rn_steer *s, const uint8_t mac[6]);

/* steer_overlap.c */
/* A rule of another uid that a new rule with this key in this shape would take packets from. */
struct rn_rule *rn_overlap_find(struct rn_steer *s, const struct rn_shape *shape,
				const struct rn_key *mask, const struct rn_key *key, uint32_t uid);
void rn_overlap_add(struct rn_steer *s, const struct rn_rule *rule);
void rn_overlap_del(struct rn_steer *s, const struct rn_rule *rule);
void rn_overlap_drop_shape(struct rn_steer *s, const struct rn_shape *shape);

#endif
