/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rule table: adding, deleting, moving rules, and the readers' look-ups. See steer.h; shapes,
 * members and overlap have files of their own (steer_impl.h).
 *
 * A handle is a slot of a two-level array and a generation. Readers load the pointer and compare
 * the rule's own handle, so a packet that was classified before its rule went finds nothing.
 */
#include "steer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attachment.h"
#include "match.h"
#include "steer_impl.h"

#define SLOT_OF(handle) ((handle) & (HANDLES - 1))

/* Who is left when memory is out while members leave: the rule drops, and is deleted next. */
static struct rn_members nobody;

/* ---- readers ---- */

struct rn_rule *rn_steer_handle(const struct rn_steer *s, uint32_t handle)
{
	uint32_t slot = SLOT_OF(handle);
	struct rn_rule **block = rcu_dereference(s->block[slot / BLOCK]);
	struct rn_rule *rule = block ? rcu_dereference(block[slot % BLOCK]) : NULL;

	return rule && rule->handle == handle ? rule : NULL;
}

struct rn_rule *rn_steer_tagged(const struct rn_steer *s, uint32_t tag)
{
	uint32_t slot = SLOT_OF(tag);
	struct rn_rule **block = rcu_dereference(s->block[slot / BLOCK]);
	struct rn_rule *rule = block ? rcu_dereference(block[slot % BLOCK]) : NULL;

	return rule && !((rule->handle ^ tag) & ((1u << RN_TAG_BITS) - 1)) ? rule : NULL;
}

uint32_t rn_steer_changes(const struct rn_steer *s)
{
	return __atomic_load_n(&s->changes, __ATOMIC_ACQUIRE);
}

/* release: who sees the new number sees what changed. */
static void note_change(struct rn_steer *s)
{
	__atomic_store_n(&s->changes, s->changes + 1, __ATOMIC_RELEASE);
}

struct rn_rule *rn_steer_classify(const struct rn_steer *s, const struct rn_key *key,
				  unsigned flags)
{
	const struct order *order = rcu_dereference(s->order);

	if (flags & RN_KEY_GROUP)
		return NULL;
	if ((flags & RN_KEY_NEIGH) && !memcmp(key->dmac, s->mac, 6))
		return NULL;
	for (unsigned i = 0; i < order->n; i++) {
		struct rn_key masked;
		struct rn_rule *rule;

		key_mask(&masked, key, &order->shape[i]->mask);
		rule = rn_shape_find(order->shape[i], &masked);
		if (rule)
			return rule;
	}
	return NULL;
}

static bool is_member(const struct rn_rule *rule, const struct rn_attachment *at)
{
	const struct rn_members *m = rcu_dereference(rule->members);

	for (uint32_t i = 0; i < m->n; i++)
		if (m->m[i].at == at)
			return true;
	return false;
}

struct rn_rule *rn_steer_mirror(const struct rn_steer *s, const struct rn_key *key,
				const struct rn_attachment *at)
{
	return rn_steer_mirror_after(s, key, at, NULL);
}

struct rn_rule *rn_steer_mirror_after(const struct rn_steer *s, const struct rn_key *key,
				      const struct rn_attachment *at, const struct rn_rule *after)
{
	const struct order *order = rcu_dereference(s->order);
	struct rn_key turned = *key;
	const struct rn_shape *skip_to = after ? after->shape : NULL;

	memcpy(turned.dmac, key->smac, sizeof(turned.dmac));
	memcpy(turned.smac, key->dmac, sizeof(turned.smac));
	memcpy(turned.dst, key->src, sizeof(turned.dst));
	memcpy(turned.src, key->dst, sizeof(turned.src));
	turned.sport = key->dport;
	turned.dport = key->sport;
	for (unsigned i = 0; i < order->n; i++) {
		struct rn_key masked;
		struct rn_rule *rule;

		if (skip_to) {
			if (order->shape[i] == skip_to)
				skip_to = NULL;
			continue;
		}
		key_mask(&masked, &turned, &order->shape[i]->mask);
		rule = rn_shape_find(order->shape[i], &masked);
		if (rule && is_member(rule, at))
			return rule;
	}
	return NULL;
}

/* ---- life of the table ---- */

int rn_steer_create(const struct rn_steer_ops *ops, void *ctx, const uint8_t mac[6], uint64_t *ids,
		    struct rn_steer **out)
{
	struct rn_steer *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->ops = ops;
	s->ctx = ctx;
	s->ids = ids;
	memcpy(s->mac, mac, sizeof(s->mac));
	rn_macs_own(s, mac);
	CDS_INIT_LIST_HEAD(&s->rules);
	s->order = calloc(1, sizeof(*s->order));
	s->by_id = cds_lfht_new(64, 64, 0, CDS_LFHT_AUTO_RESIZE, NULL);
	s->leases = cds_lfht_new(64, 64, 0, CDS_LFHT_AUTO_RESIZE, NULL);
	/* Bounded, whatever MACs a client chooses. */
	s->named = cds_lfht_new(64, 64, HANDLES, CDS_LFHT_AUTO_RESIZE, NULL);
	if (!s->order || !s->by_id || !s->leases || !s->named) {
		rn_steer_destroy(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void rn_steer_destroy(struct rn_steer *s)
{
	struct rn_rule *rule;

	if (!s)
		return;
	while ((rule = rn_steer_next(s, NULL)))
		rn_steer_del(s, rule);
	if (s->by_id)
		cds_lfht_destroy(s->by_id, NULL);
	if (s->leases)
		cds_lfht_destroy(s->leases, NULL);
	if (s->named)
		cds_lfht_destroy(s->named, NULL);
	for (unsigned i = 0; i < HANDLES / BLOCK; i++) {
		free(s->block[i]);
		free(s->generation[i]);
	}
	free(s->free_handle);
	rn_shape_destroy_all(s);
	free(s->order);
	free(s);
}

/* ---- handles ---- */

static int grow_handles(struct rn_steer *s)
{
	unsigned b = s->n_handles / BLOCK;
	struct rn_rule **block;

	if (s->block[b])
		return 0;
	block = calloc(BLOCK, sizeof(*block));
	s->generation[b] = calloc(BLOCK, sizeof(*s->generation[b]));
	if (!block || !s->generation[b]) {
		free(block);
		free(s->generation[b]);
		s->generation[b] = NULL;
		return -ENOMEM;
	}
	rcu_assign_pointer(s->block[b], block);
	return 0;
}

static int reserve_free(struct rn_steer *s)
{
	uint32_t more = s->max_free ? 2 * s->max_free : 1024;
	uint32_t *p;

	if (s->max_free > s->n_handles)
		return 0;
	p = realloc(s->free_handle, more * sizeof(*p));
	if (!p)
		return -ENOMEM;
	s->free_handle = p;
	s->max_free = more;
	return 0;
}

static int take_handle(struct rn_steer *s, uint32_t *handle, struct rn_err *err)
{
	uint32_t slot;

	if (s->n_free) {
		slot = s->free_handle[--s->n_free];
	} else if (s->n_handles == HANDLES) {
		return rn_fail(err, -ENOSPC, "the port has %u rules, its table is full",
			       s->n_rules);
	} else if (reserve_free(s) || grow_handles(s)) {
		return rn_fail(err, -ENOMEM, "rule: out of memory");
	} else {
		slot = s->n_handles++;
	}
	*handle = slot | (uint32_t)s->generation[slot / BLOCK][slot % BLOCK] << RN_HANDLE_BITS;
	return 0;
}

/* The slot's next rule has another generation. Room on the stack was reserved when it was taken. */
static void give_handle(struct rn_steer *s, uint32_t handle)
{
	uint32_t slot = SLOT_OF(handle);
	uint16_t *generation = &s->generation[slot / BLOCK][slot % BLOCK];

	*generation = (uint16_t)((*generation + 1) & 0xfff);
	s->free_handle[s->n_free++] = slot;
}

static void set_handle(struct rn_steer *s, uint32_t handle, struct rn_rule *rule)
{
	uint32_t slot = SLOT_OF(handle);

	rcu_assign_pointer(s->block[slot / BLOCK][slot % BLOCK], rule);
	note_change(s);
}

/* ---- leases ---- */

struct lease_key {
	uint8_t addr[16];
	uint16_t vlan;
	uint8_t family;
};

static int match_lease(struct cds_lfht_node *node, const void *key)
{
	const struct lease *l = caa_container_of(node, struct lease, node);
	const struct lease_key *k = key;

	return l->family == k->family && l->vlan == k->vlan &&
	       !memcmp(l->addr, k->addr, sizeof(l->addr));
}

static unsigned long lease_hash(const struct lease_key *k)
{
	struct rn_key key = {.vlan = k->vlan, .proto = k->family};

	memcpy(key.dst, k->addr, sizeof(key.dst));
	return key_hash(&key);
}

static struct lease *find_lease(const struct rn_steer *s, const struct lease_key *k)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	cds_lfht_lookup(s->leases, lease_hash(k), match_lease, k, &iter);
	node = cds_lfht_iter_get_node(&iter);
	return node ? caa_container_of(node, struct lease, node) : NULL;
}

/* The addresses that a match leases: how many of the two. */
static unsigned lease_keys(const struct rawnet_match *m, struct lease_key k[2])
{
	unsigned n = 0;

	memset(k, 0, 2 * sizeof(*k));
	if (m->model == RAWNET_MODEL_IPVLAN) {
		k[0].family = m->family;
		memcpy(k[0].addr, m->dst, 16);
		n = 1;
	}
	if (m->model == RAWNET_MODEL_MACVLAN && (m->fields & RAWNET_M_ADDR4)) {
		k[n].family = 4;
		memcpy(k[n++].addr, m->addr4, 4);
	}
	if (m->model == RAWNET_MODEL_MACVLAN && (m->fields & RAWNET_M_ADDR6)) {
		k[n].family = 6;
		memcpy(k[n++].addr, m->addr6, 16);
	}
	for (unsigned i = 0; i < n; i++)
		k[i].vlan = (m->fields & RAWNET_M_VLAN) ? m->vlan : 0;
	return n;
}

static int check_leases(const struct rn_steer *s, const struct rawnet_match *m, uint32_t uid,
			struct rn_err *err)
{
	struct lease_key k[2];
	unsigned n = lease_keys(m, k);

	if (m->model == RAWNET_MODEL_MACVLAN && !memcmp(m->dmac, s->mac, 6))
		return rn_fail(err, -EINVAL, "macvlan: this is the port's own MAC");
	for (unsigned i = 0; i < n; i++) {
		const struct lease *l = find_lease(s, &k[i]);

		if (l && (l->rule->uid != uid || memcmp(l->rule->match.dmac, m->dmac, 6) != 0))
			return rn_fail(err, -EEXIST, "%s: rule %llu has this address already",
				       m->model == RAWNET_MODEL_IPVLAN ? "ipvlan" : "addr",
				       (unsigned long long)l->rule->id);
	}
	return 0;
}

static int add_leases(struct rn_steer *s, struct rule *r)
{
	struct lease_key k[2];
	unsigned n = lease_keys(&r->pub.match, k);

	for (unsigned i = 0; i < n; i++) {
		r->lease[i] = calloc(1, sizeof(*r->lease[i]));
		if (!r->lease[i])
			return -ENOMEM;
		memcpy(r->lease[i]->addr, k[i].addr, 16);
		r->lease[i]->vlan = k[i].vlan;
		r->lease[i]->family = k[i].family;
		r->lease[i]->rule = &r->pub;
		cds_lfht_add(s->leases, lease_hash(&k[i]), &r->lease[i]->node);
		__atomic_store_n(&s->macs.leases, s->macs.leases + 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static void free_lease(struct rcu_head *head)
{
	free(caa_container_of(head, struct lease, rcu));
}

static void del_leases(struct rn_steer *s, struct rule *r)
{
	for (unsigned i = 0; i < 2; i++) {
		if (!r->lease[i])
			continue;
		cds_lfht_del(s->leases, &r->lease[i]->node);
		__atomic_store_n(&s->macs.leases, s->macs.leases - 1, __ATOMIC_RELAXED);
		call_rcu(&r->lease[i]->rcu, free_lease);
		r->lease[i] = NULL;
	}
}

struct rn_rule *rn_steer_lease(const struct rn_steer *s, int family, const uint8_t *addr,
			       uint16_t vlan, uint8_t mac[6])
{
	struct lease_key k = {.vlan = vlan, .family = (uint8_t)family};
	const struct lease *l;

	memcpy(k.addr, addr, family == 4 ? 4 : 16);
	l = find_lease(s, &k);
	if (!l)
		return NULL;
	memcpy(mac, (l->rule->match.fields & RAWNET_M_DMAC) ? l->rule->match.dmac : s->mac, 6);
	return l->rule;
}

/* ---- members ---- */

static void free_members(struct rcu_head *head)
{
	free(caa_container_of(head, struct rn_members, rcu));
}

/* Replaces the members; the backend is told, and nothing has happened if it refuses. */
static int set_members(struct rn_steer *s, struct rn_rule *rule, struct rn_members *m,
		       struct rn_err *err)
{
	struct rn_members *old = rule->members;
	int rc = 0;

	rcu_assign_pointer(rule->members, m);
	note_change(s);
	if (s->ops && s->ops->members)
		rc = s->ops->members(s->ctx, rule, err);
	if (rc) {
		rcu_assign_pointer(rule->members, old);
		note_change(s);
		synchronize_rcu();
		free(m);
		return rc;
	}
	s->n_waiting += (m->n == 0) - (old->n == 0);
	rule->changed = true;
	rule->flags = m->n ? rule->flags & ~RAWNET_FLOW_WAITING : rule->flags | RAWNET_FLOW_WAITING;
	if (old != &nobody)
		call_rcu(&old->rcu, free_members);
	return 0;
}

static int join(struct rn_steer *s, struct rn_rule *rule, const struct rn_steer_request *q,
		uint32_t *index, struct rn_err *err)
{
	struct rn_members *m;
	int rc;

	if (!(q->flags & rule->flags & RAWNET_FLOW_GROUP) || rule->uid != q->uid || !q->at)
		return rn_fail(err, -EEXIST, "rule %llu has the same match already%s",
			       (unsigned long long)rule->id,
			       rule->uid == q->uid ? " (group would share it)" : "");
	for (uint32_t i = 0; i < rule->members->n; i++)
		if (rule->members->m[i].at == q->at)
			return rn_fail(err, -EEXIST, "rule %llu has this attachment already",
				       (unsigned long long)rule->id);
	if (rule->members->n >= RN_RSS_TABLE)
		return rn_fail(err, -ENOSPC, "the group has %u members, and no room for more",
			       rule->members->n);
	if (q->flags & RAWNET_FLOW_CHECK)
		return 0;
	*index = rn_index_take(q->at);
	m = rn_members_with(rule->members, q->at, *index);
	rc = m ? set_members(s, rule, m, err) : rn_fail(err, -ENOMEM, "group: out of memory");
	if (rc)
		rn_index_give(q->at, *index);
	return rc;
}

/* ---- rules ---- */

static int match_id(struct cds_lfht_node *node, const void *id)
{
	return caa_container_of(node, struct rule, by_id)->pub.id == *(const uint64_t *)id;
}

static struct rule *make_rule(struct rn_steer *s, const struct rn_steer_request *q,
			      const struct rn_key *key, struct rn_shape *shape)
{
	struct rule *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->pub.key = *key;
	r->pub.shape = shape;
	r->pub.uid = q->uid;
	r->pub.flags = q->flags & ~(uint32_t)RAWNET_FLOW_FORCE;
	r->pub.gap = q->gap;
	r->pub.match = *q->match;
	r->pub.id = ++*s->ids;
	r->pub.changed = true;
	if (q->label)
		strncpy(r->pub.label, q->label, sizeof(r->pub.label) - 1);
	CDS_INIT_LIST_HEAD(&r->pub.list);
	return r;
}

static void free_rule(struct rcu_head *head)
{
	free(caa_container_of(head, struct rule, pub.rcu));
}

/* Makes the rule complete and tells the backend, in an order that unwinds completely. */
static int install(struct rn_steer *s, struct rule *r, struct rn_attachment *at, uint32_t *index,
		   struct rn_err *err)
{
	struct rn_rule *rule = &r->pub;
	int rc = take_handle(s, &rule->handle, err);

	if (rc)
		return rc;
	*index = at ? rn_index_take(at) : 0;
	rule->members = rn_members_make(at, *index);
	if (!rule->members || add_leases(s, r) || rn_macs_add(s, r)) {
		rc = rn_fail(err, -ENOMEM, "rule: out of memory");
		goto undo;
	}
	if (!at)
		rule->flags |= RAWNET_FLOW_WAITING;
	set_handle(s, rule->handle, rule);
	cds_lfht_add(rule->shape->rules, key_hash(&rule->key), &rule->node);
	if (s->ops && s->ops->add)
		rc = s->ops->add(s->ctx, rule, err);
	if (!rc)
		return 0;
	cds_lfht_del(rule->shape->rules, &rule->node);
	set_handle(s, rule->handle, NULL);
	rn_macs_del(s, r);
	synchronize_rcu();
undo:
	del_leases(s, r);
	free(rule->members);
	if (at)
		rn_index_give(at, *index);
	give_handle(s, rule->handle);
	return rc;
}

static int add_rule(struct rn_steer *s, const struct rn_steer_request *q, const struct rn_key *key,
		    const struct rn_key *mask, struct rn_shape *shape, struct rn_rule **rule,
		    uint32_t *index, struct rn_err *err)
{
	struct rule *r;
	int rc = shape ? 0 : rn_shape_add(s, mask, &shape, err);

	if (rc)
		return rc;
	r = make_rule(s, q, key, shape);
	rc = r ? install(s, r, q->at, index, err) : rn_fail(err, -ENOMEM, "rule: out of memory");
	if (rc) {
		free(r);
		rn_shape_drop_empty(s);
		return rc;
	}
	shape->n_rules++;
	s->n_rules++;
	s->n_waiting += !q->at;
	cds_list_add_tail(&r->pub.list, &s->rules);
	cds_lfht_add(s->by_id, r->pub.id, &r->by_id);
	rn_overlap_add(s, &r->pub);
	*rule = &r->pub;
	return 0;
}

int rn_steer_add(struct rn_steer *s, const struct rn_steer_request *q, struct rn_rule **rule,
		 uint32_t *index, struct rn_err *err)
{
	struct rn_key key, mask;
	struct rn_shape *shape;
	struct rn_rule *other;
	int rc;

	rn_match_key(q->match, s->mac, &key, &mask);
	shape = rn_shape_of_mask(s, &mask);
	other = shape ? rn_shape_find(shape, &key) : NULL;
	*rule = other;
	*index = 0;
	if (other)
		return join(s, other, q, index, err);
	rc = check_leases(s, q->match, q->uid, err);
	if (rc)
		return rc;
	other = q->force ? NULL : rn_overlap_find(s, shape, &mask, &key, q->uid);
	if (other)
		return rn_fail(err, -EBUSY,
			       "would take packets of rule %llu, which is another user's",
			       (unsigned long long)other->id);
	if (!shape && s->order->n == RN_SHAPES)
		return rn_fail(
			err, -ENOSPC,
			"the port has rules of %u shapes, and no room for another kind of match",
			RN_SHAPES);
	if (q->flags & RAWNET_FLOW_CHECK)
		return 0;
	return add_rule(s, q, &key, &mask, shape, rule, index, err);
}

int rn_steer_restore(struct rn_steer *s, const struct rn_steer_restore *from, struct rn_rule **rule,
		     struct rn_err *err)
{
	struct rn_steer_request q = from->request;
	struct rn_members *m = from->members;
	struct rn_key key, mask;
	struct rn_shape *shape;
	uint64_t ids = *s->ids;
	uint32_t index;
	int rc;

	q.at = NULL;
	rn_match_key(q.match, s->mac, &key, &mask);
	shape = rn_shape_of_mask(s, &mask);
	*s->ids = from->id - 1;
	rc = shape && rn_shape_find(shape, &key)
		     ? rn_fail(err, -EEXIST, "rule %llu is there already",
			       (unsigned long long)from->id)
		     : add_rule(s, &q, &key, &mask, shape, rule, &index, err);
	if (*s->ids < ids)
		*s->ids = ids;
	if (rc || !m->n) {
		free(m);
		return rc;
	}
	rc = set_members(s, *rule, m, err);
	if (rc) {
		rn_steer_del(s, *rule);
		return rc;
	}
	for (uint32_t i = 0; i < m->n; i++)
		rn_index_keep(m->m[i].at, m->m[i].index);
	return 0;
}

void rn_steer_del(struct rn_steer *s, struct rn_rule *rule)
{
	struct rn_shape *shape = rule->shape;
	struct rule *r = rule_of(rule);

	if (s->ops && s->ops->del)
		s->ops->del(s->ctx, rule);
	cds_lfht_del(shape->rules, &rule->node);
	set_handle(s, rule->handle, NULL);
	cds_lfht_del(s->by_id, &r->by_id);
	rn_overlap_del(s, rule);
	rn_macs_del(s, r);
	del_leases(s, r);
	cds_list_del(&rule->list);
	give_handle(s, rule->handle);
	s->n_rules--;
	s->n_waiting -= rule->members->n == 0;
	for (uint32_t i = 0; i < rule->members->n; i++)
		rn_index_give(rule->members->m[i].at, rule->members->m[i].index);
	if (rule->members != &nobody)
		call_rcu(&rule->members->rcu, free_members);
	call_rcu(&rule->rcu, free_rule);
	if (!--shape->n_rules)
		rn_shape_drop_empty(s);
}

int rn_steer_move(struct rn_steer *s, struct rn_rule *rule, struct rn_attachment *to,
		  struct rn_err *err)
{
	const struct rn_members *old = rule->members;
	struct rn_member *before = NULL;
	struct rn_members *m;
	uint32_t index, n = old->n;
	int rc;

	index = rn_index_take(to);
	m = rn_members_make(to, index);
	if (n)
		before = malloc(n * sizeof(*before));
	if (!m || (n && !before)) {
		rc = rn_fail(err, -ENOMEM, "move: out of memory");
		free(m);
		goto undo;
	}
	if (n)
		memcpy(before, old->m, n * sizeof(*before));
	rc = set_members(s, rule, m, err);
	if (rc)
		goto undo;
	for (uint32_t i = 0; i < n; i++)
		rn_index_give(before[i].at, before[i].index);
	free(before);
	return 0;

undo:
	free(before);
	rn_index_give(to, index);
	return rc;
}

/* ---- attachments come and go ---- */

static const struct rn_member *member_of(const struct rn_rule *rule, const struct rn_attachment *at)
{
	for (uint32_t i = 0; i < rule->members->n; i++)
		if (rule->members->m[i].at == at)
			return &rule->members->m[i];
	return NULL;
}

/* Takes `at` out of the rule; false: the rule has nobody left and does not wait. */
static bool part(struct rn_steer *s, struct rn_rule *rule, struct rn_attachment *at)
{
	const struct rn_member *member = member_of(rule, at);
	uint32_t index = member->index, n = rule->members->n;
	struct rn_members *m;

	if (n == 1 && !(rule->flags & (RAWNET_FLOW_PERSIST | RAWNET_FLOW_STATIC)))
		return false;
	if (n == 1 && (rule->flags & RAWNET_FLOW_PERSIST))
		memcpy(rule->label, at->label, sizeof(rule->label));
	m = rn_members_without(rule->members, at);
	if (!m || set_members(s, rule, m, NULL))
		return false;
	rn_index_give(at, index);
	return true;
}

void rn_steer_leave(struct rn_steer *s, struct rn_attachment *at,
		    void (*gone)(void *arg, struct rn_rule *rule), void *arg)
{
	struct rn_rule *rule, *next;

	if (!at->n_rules)
		return;
	cds_list_for_each_entry_safe (rule, next, &s->rules, list) {
		if (!member_of(rule, at) || part(s, rule, at))
			continue;
		if (gone)
			gone(arg, rule);
		rn_steer_del(s, rule);
	}
}

unsigned rn_steer_arrive(struct rn_steer *s, struct rn_attachment *at, uint32_t uid,
			 const char *label)
{
	struct rn_rule *rule;
	unsigned n = 0;

	if (!s->n_waiting || !label[0])
		return 0;
	cds_list_for_each_entry (rule, &s->rules, list) {
		uint32_t index;
		struct rn_members *m;

		if (rule->members->n || rule->uid != uid || strcmp(rule->label, label))
			continue;
		index = rn_index_take(at);
		m = rn_members_make(at, index);
		if (m && !set_members(s, rule, m, NULL))
			n++;
		else
			rn_index_give(at, index);
	}
	return n;
}

/* Each rule that means the port's own MAC leaves its table, and comes back under the new key when
 * no reader can see the old one. */
unsigned rn_steer_set_mac(struct rn_steer *s, const uint8_t mac[6])
{
	struct rn_rule *rule;
	unsigned failed = 0;

	memcpy(s->mac, mac, sizeof(s->mac));
	rn_macs_own(s, mac);
	cds_list_for_each_entry (rule, &s->rules, list) {
		if (rule->match.fields & RAWNET_M_DMAC)
			continue;
		if (s->ops && s->ops->del)
			s->ops->del(s->ctx, rule);
		cds_lfht_del(rule->shape->rules, &rule->node);
		rn_overlap_del(s, rule);
	}
	synchronize_rcu();
	cds_list_for_each_entry (rule, &s->rules, list) {
		if (rule->match.fields & RAWNET_M_DMAC)
			continue;
		memcpy(rule->key.dmac, mac, 6);
		cds_lfht_add(rule->shape->rules, key_hash(&rule->key), &rule->node);
		rn_overlap_add(s, rule);
		if (s->ops && s->ops->add && s->ops->add(s->ctx, rule, NULL))
			failed++;
	}
	return failed;
}

void rn_steer_forget(struct rn_steer *s)
{
	struct rn_rule *rule;

	if (s->ops && s->ops->del)
		cds_list_for_each_entry (rule, &s->rules, list)
			s->ops->del(s->ctx, rule);
}

unsigned rn_steer_retell(struct rn_steer *s, const uint8_t mac[6])
{
	struct rn_rule *rule;
	unsigned failed = 0;

	if (!s->ops)
		return 0;
	if (s->ops->shapes)
		s->ops->shapes(s->ctx, (const struct rn_shape *const *)s->order->shape, s->order->n,
			       NULL);
	if (s->ops->add)
		cds_list_for_each_entry (rule, &s->rules, list)
			failed += s->ops->add(s->ctx, rule, NULL) != 0;
	if (memcmp(s->mac, mac, sizeof(s->mac)) != 0)
		failed = rn_steer_set_mac(s, mac);
	return failed;
}

/* ---- looking ---- */

struct rn_rule *rn_steer_find(const struct rn_steer *s, uint64_t id)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	cds_lfht_lookup(s->by_id, id, match_id, &id, &iter);
	node = cds_lfht_iter_get_node(&iter);
	return node ? &caa_container_of(node, struct rule, by_id)->pub : NULL;
}

struct rn_rule *rn_steer_next(const struct rn_steer *s, const struct rn_rule *rule)
{
	const struct cds_list_head *next = rule ? rule->list.next : s->rules.next;

	return next == &s->rules ? NULL : caa_container_of(next, struct rn_rule, list);
}

struct rn_rule *rn_steer_same(const struct rn_steer *s, const struct rawnet_match *match)
{
	struct rn_key key, mask;
	const struct rn_shape *shape;

	rn_match_key(match, s->mac, &key, &mask);
	shape = rn_shape_of_mask(s, &mask);
	return shape ? rn_shape_find(shape, &key) : NULL;
}

unsigned rn_steer_count(const struct rn_steer *s, unsigned *shapes)
{
	if (shapes)
		*shapes = s->order->n;
	return s->n_rules;
}

unsigned rn_steer_shape_place(const struct rn_steer *s, const struct rn_shape *shape)
{
	unsigned i = 0;

	while (i < s->order->n && s->order->shape[i] != shape)
		i++;
	return i;
}
