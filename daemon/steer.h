/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering: the rule table of one port, above every backend.
 *
 * A rule is a masked key (flow/key.h) with members: the attachments that get its packets. Rules of
 * the same masks form a shape; a port has at most RN_SHAPES of them, in one total order
 * (rawnet/flow.h), and a packet belongs to the rule of the first shape that has a match. The
 * backend is told of shapes and rules through struct rn_steer_ops, so that NIC or XDP program
 * decide alike; the table itself is the reference classifier, and the judge of what overlaps.
 *
 * Ownership. A rule belongs to a uid. The same masked key twice is -EEXIST (unless it joins a group
 * of the same uid). A new rule that would precede and intersect a rule of another uid is -EBUSY;
 * one that comes behind it in the order takes nothing from it and is allowed. Rules of one uid may
 * overlap.
 *
 * Threads. The control thread alone changes the table. Pollers read it as QSBR readers; rules and
 * member sets are freed after a grace period. Nothing here blocks but for memory.
 */
#ifndef RN_STEER_H
#define RN_STEER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <urcu-qsbr.h>
#include <urcu/rculfhash.h>
#include <urcu/list.h>

#include "rawnet/flow.h"
#include "rawnet/proto.h"
#include "key.h"
#include "err.h"

#define RN_SHAPES 16u
#define RN_HANDLE_BITS \
	20u /* rules of one port: a handle is a slot and a 12-bit generation above it */
#define RN_KEPT	     7u /* journal records of one rule, at most: itself, members, table */
#define RN_RSS_TABLE 128u /* entries of a group's indirection table */

struct rn_attachment;
struct rn_steer;

struct order;

struct rn_shape {
	struct rn_key mask;
	uint8_t n_words,
		word[sizeof(struct rn_key) / 8]; /* of the key, that the mask has bits in */
	uint32_t slot; /* 0..RN_SHAPES-1, does not change while the shape lives */
	uint32_t n_rules;
	struct cds_lfht *rules;
	struct order *spare; /* so that it can go without an allocation */
};

struct rn_member {
	struct rn_attachment *at;
	uint32_t index; /* of the rule within that attachment, for rx metadata */
};

/* The members of a rule, replaced as a whole. With one member the table is not used; otherwise
 * entry hash % RN_RSS_TABLE names the member, and a member that leaves gives only its own entries
 * away. */
struct rn_members {
	struct rcu_head rcu;
	uint32_t n; /* 0: the rule waits for its target, packets are dropped and counted */
	uint8_t table[RN_RSS_TABLE];
	struct rn_member m[];
};

struct rn_rule {
	struct cds_lfht_node node; /* in shape->rules, by key */
	struct rn_key key; /* masked */
	struct rn_shape *shape;
	struct rn_members *members; /* RCU */
	uint32_t handle;
	uint32_t uid;
	uint64_t id;
	uint32_t flags; /* RAWNET_FLOW_* */
	uint32_t gap; /* enum rawnet_gap */
	struct rawnet_match match; /* as asked, with defaults filled in */
	char label[RAWNET_LABEL]; /* whom a persistent rule waits for */
	struct cds_list_head list; /* all rules of the port, oldest first */
	struct rcu_head rcu;
	uint64_t entry; /* of the policy, by which the uid has it (rn_policy_key); 0: none */
	void *hw; /* the backend's */
	struct rn_leased *leased; /* neigh.c's; NULL: it leases nothing */
	struct rn_tentative *tentative; /* rules_tentative.c's; NULL: for good */
	/* its records in the journal (journal.h); in the table's list while they are behind */
	struct cds_list_head unkept;
	uint32_t kept_version, n_kept;
	uint32_t kept[RN_KEPT];
};

/* What a backend is told; NULL members are skipped. The control thread calls. */
struct rn_steer_ops {
	/* The set of shapes, in order of preference; before the first rule of a new shape and after
	 * the last rule of an old one. Packets must never see a half-changed order. */
	int (*shapes)(void *ctx, const struct rn_shape *const *order, unsigned n,
		      struct rn_err *err);
	int (*add)(void *ctx, struct rn_rule *rule, struct rn_err *err);
	void (*del)(void *ctx, struct rn_rule *rule);
	/* The members changed (rule->members is already the new set): make before break. */
	int (*members)(void *ctx, struct rn_rule *rule, struct rn_err *err);
};

/* ids: the daemon-wide source of rule ids. */
int rn_steer_create(const struct rn_steer_ops *ops, void *ctx, const uint8_t mac[6], uint64_t *ids,
		    struct rn_steer **steer);
/* Deletes what is left; after the port's pollers are gone or a grace period has passed. */
void rn_steer_destroy(struct rn_steer *steer);

/* Adds a rule for `at` (NULL: it waits for label). match has been checked by rn_match_check.
 * flags: PERSIST, GROUP, CHECK (changes nothing), STATIC, TENTATIVE. force: overlap of other uids
 * is allowed. On success *rule is the rule (also when a group was joined), *index its index in
 * `at`. */
struct rn_steer_request {
	const struct rawnet_match *match;
	struct rn_attachment *at;
	const char *label;
	uint32_t uid;
	uint32_t flags;
	uint32_t gap;
	bool force;
	uint64_t entry; /* as in struct rn_rule */
};
int rn_steer_add(struct rn_steer *steer, const struct rn_steer_request *request,
		 struct rn_rule **rule, uint32_t *index, struct rn_err *err);
void rn_steer_del(struct rn_steer *steer, struct rn_rule *rule);
/* A rule of the last daemon, as it was: id, members with their indexes, table. What it may is not
 * asked again. -ENOMEM, -EEXIST. */
struct rn_steer_restore {
	struct rn_steer_request request; /* at is not used */
	uint64_t id;
	struct rn_members *members; /* taken over, freed on failure */
};
int rn_steer_restore(struct rn_steer *steer, const struct rn_steer_restore *from,
		     struct rn_rule **rule, struct rn_err *err);
struct rn_members *rn_members_alloc(uint32_t n);
/* All packets go to `to` from now on, none is lost to the kernel between. */
int rn_steer_move(struct rn_steer *steer, struct rn_rule *rule, struct rn_attachment *to,
		  struct rn_err *err);
/* An attachment leaves: it is taken out of all members; rules that have none left are deleted, or
 * wait if they persist (label kept). Calls gone() for each rule that is deleted, before it is.
 * Stops behind the rule at which rn_mono_ns() is over `until`; true: it has none any more. */
bool rn_steer_leave(struct rn_steer *steer, struct rn_attachment *at,
		    void (*gone)(void *arg, struct rn_rule *rule), void *arg, uint64_t until);
/* An attachment came: rules that wait for its uid and label get it. Returns how many. */
unsigned rn_steer_arrive(struct rn_steer *steer, struct rn_attachment *at);
/* The port's MAC changed: rules without a dmac of their own are re-keyed; how many failed. */
unsigned rn_steer_set_mac(struct rn_steer *steer, const uint8_t mac[6]);

/* The backend is about to be closed, and to begin anew: it forgets all rules; it is told all of
 * them again, after a set_mac. retell: how many failed. */
void rn_steer_forget(struct rn_steer *steer);
unsigned rn_steer_retell(struct rn_steer *steer, const uint8_t mac[6]);

/* Control thread: look-ups and walks. next(NULL) is the first. */
struct rn_rule *rn_steer_find(const struct rn_steer *steer, uint64_t id);
struct rn_rule *rn_steer_next(const struct rn_steer *steer, const struct rn_rule *rule);
/* The rule that takes exactly the packets of this match. */
struct rn_rule *rn_steer_same(const struct rn_steer *steer, const struct rawnet_match *match);
unsigned rn_steer_count(const struct rn_steer *steer, unsigned *shapes);
/* Rules that are new or have other members since the journal had them, by `unkept`. */
struct cds_list_head *rn_steer_unkept(struct rn_steer *steer);
unsigned rn_steer_shape_place(const struct rn_steer *steer, const struct rn_shape *shape);
/* Whose lease is this address (ipvlan dst, macvlan addr) and under which MAC and VLAN? NULL:
 * nobody's. family 4 or 6. For the ARP and ND responder; pollers too. */
struct rn_rule *rn_steer_lease(const struct rn_steer *steer, int family, const uint8_t *addr,
			       uint16_t vlan, uint8_t mac[6]);

/* Pollers (QSBR readers), and the control thread. */
struct rn_rule *rn_steer_handle(const struct rn_steer *steer, uint32_t handle); /* NULL: stale */
/* The rule whose handle has these low RN_TAG_BITS: what fits into a flow tag of a NIC; NULL: none
 * any more. The same tag can come back after 16 other rules had the rule's place. */
#define RN_TAG_BITS 24u
struct rn_rule *rn_steer_tagged(const struct rn_steer *steer, uint32_t tag);
/* Another value after any change of a rule or of its members; for whoever remembers one. */
uint32_t rn_steer_changes(const struct rn_steer *steer);
struct rn_rule *rn_steer_classify(const struct rn_steer *steer, const struct rn_key *key,
				  unsigned headers_flags);
/* What classifying goes through: every shape in order, each with the rule of it that matches, or
 * NULL; returns how many. Control thread. */
struct rn_tried {
	const struct rn_shape *shape;
	struct rn_rule *rule;
};
unsigned rn_steer_tries(const struct rn_steer *steer, const struct rn_key *key,
			struct rn_tried tried[RN_SHAPES]);
/* The bits that a mask fixes in each field, in the order of weight (enum rawnet_field). */
void rn_shape_bits(const struct rn_key *mask, uint8_t n[RAWNET_FIELD_COUNT]);
/* May `at` send a frame with this key? The rule that it mirrors: the frame with source and
 * destination exchanged would be taken by a rule of which `at` is a member. Rules are tried in
 * order, other users' rules are passed over. NULL: none. */
struct rn_rule *rn_steer_mirror(const struct rn_steer *steer, const struct rn_key *key,
				const struct rn_attachment *at);
/* The same, but only among the shapes that come behind that of `after` in the order: policing has
 * conditions besides the mirror, and a client may send what any one of its rules allows. */
struct rn_rule *rn_steer_mirror_after(const struct rn_steer *steer, const struct rn_key *key,
				      const struct rn_attachment *at, const struct rn_rule *after);
/*
 * Which destination MACs rules name: what a poller looks at of each packet before anything else
 * (switch.h), a comparison and, where rules name others than the port's own, a bit of a filter that
 * stays in the cache. A set bit may be another's: rn_steer_names() says exactly. MACs are words,
 * first byte lowest.
 */
#define RN_MACS_LOG 12u
struct rn_macs {
	uint64_t own; /* the port's */
	uint64_t mask[RN_SHAPES]; /* of the others, [0, n_masks) */
	uint32_t n_masks;
	uint32_t leases; /* addresses that the daemon answers for */
	uint64_t bit[(1u << RN_MACS_LOG) / 64];
};

static inline uint64_t rn_mac_word(const uint8_t mac[6])
{
	uint64_t w = 0;

	memcpy(&w, mac, 6);
	return w;
}

static inline uint32_t rn_macs_at(uint64_t mac)
{
	return (uint32_t)(mac * 0x9e3779b97f4a7c15u >> (64 - RN_MACS_LOG));
}

static inline bool rn_macs_bit(const struct rn_macs *m, uint64_t mac)
{
	uint32_t at = rn_macs_at(mac);

	return __atomic_load_n(&m->bit[at / 64], __ATOMIC_RELAXED) >> at % 64 & 1;
}

const struct rn_macs *rn_steer_macs(const struct rn_steer *steer);
bool rn_steer_names(const struct rn_steer *steer, uint64_t mac);
/* Which member gets a packet with this hash; NULL: the rule waits. */
const struct rn_member *rn_rule_member(const struct rn_rule *rule, uint32_t hash);

#endif
