/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rule table: adding, deleting, re-keying rules. See steer.h; look-ups, handles, leases,
 * members, owners, shapes, MACs and overlap have files of their own (steer_impl.h).
 */
#include "steer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "match.h"
#include "steer_impl.h"

struct rn_secret rn_steer_secret;

/* ---- life of the table ---- */

static int make_secret(void)
{
	static bool made;

	if (made)
		return 0;
	if (getrandom(&rn_steer_secret, sizeof(rn_steer_secret), 0) < 0)
		return -errno;
	made = true;
	return 0;
}

int rn_steer_create(const struct rn_steer_ops *ops, void *ctx, const uint8_t mac[6], uint64_t *ids,
		    struct rn_steer **out)
{
	struct rn_steer *s;
	int rc = make_secret();

	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->ops = ops;
	s->ctx = ctx;
	s->ids = ids;
	memcpy(s->mac, mac, sizeof(s->mac));
	rn_macs_own(s, mac);
	CDS_INIT_LIST_HEAD(&s->rules);
	CDS_INIT_LIST_HEAD(&s->unkept);
	s->order = calloc(1, sizeof(*s->order));
	s->by_id = make_table();
	s->leases = make_table();
	s->named = make_table();
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
	rn_handles_free(s);
	rn_shape_destroy_all(s);
	free(s->order);
	free(s);
}

/* ---- rules ---- */

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
	r->pub.entry = q->entry;
	r->pub.match = *q->match;
	r->pub.id = ++*s->ids;
	if (q->label)
		strncpy(r->pub.label, q->label, sizeof(r->pub.label) - 1);
	CDS_INIT_LIST_HEAD(&r->pub.list);
	return r;
}

static void free_rule(struct rcu_head *head)
{
	free(caa_container_of(head, struct rule, pub.rcu));
}

/* In the table, and out of it: what somebody remembers of it is void. The number changes behind the
 * table, so that who reads it first and looks up then remembers nothing that is older. */
static void show(struct rn_steer *s, struct rn_rule *rule)
{
	cds_lfht_add(rule->shape->rules, shape_hash(rule->shape, &rule->key), &rule->node);
	note_change(s);
}

static void hide(struct rn_steer *s, struct rn_rule *rule)
{
	cds_lfht_del(rule->shape->rules, &rule->node);
	note_change(s);
}

/* Makes the rule complete and tells the backend, in an order that unwinds completely. */
static int install(struct rn_steer *s, struct rule *r, struct rn_attachment *at, uint32_t *index,
		   struct rn_err *err)
{
	struct rn_rule *rule = &r->pub;
	int rc = rn_handle_take(s, &rule->handle, err);

	if (rc)
		return rc;
	*index = 0;
	if (at && rn_index_take(at, rule, index)) {
		rc = rn_fail(err, -ENOMEM, "rule: out of memory");
		goto give_handle;
	}
	rule->members = rn_members_make(at, *index);
	if (!rule->members || rn_leases_add(s, r) || rn_macs_add(s, r)) {
		rc = rn_fail(err, -ENOMEM, "rule: out of memory");
		goto undo;
	}
	if (!at)
		rule->flags |= RAWNET_FLOW_WAITING;
	rn_handle_set(s, rule->handle, rule);
	show(s, rule);
	if (s->ops && s->ops->add)
		rc = s->ops->add(s->ctx, rule, err);
	if (!rc)
		return 0;
	hide(s, rule);
	rn_handle_set(s, rule->handle, NULL);
	rn_macs_del(s, r);
	synchronize_rcu();
undo:
	rn_leases_del(s, r);
	free(rule->members);
	if (at)
		rn_index_give(at, *index);
give_handle:
	rn_handle_give(s, rule->handle);
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
	if (!q->at)
		rn_waiting_add(s, r);
	cds_list_add_tail(&r->pub.list, &s->rules);
	cds_list_add_tail(&r->pub.unkept, &s->unkept);
	cds_lfht_add(s->by_id, id_hash(r->pub.id), &r->by_id);
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
		return rn_members_join(s, other, q, index, err);
	rc = rn_leases_check(s, q->match, q->uid, err);
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
	rc = rn_index_reserve(m);
	if (rc) {
		free(m);
		rn_fail(err, rc, "rule: %s",
			rc == -EEXIST ? "its index is that of another one" : strerror(-rc));
	} else {
		rc = rn_members_set(s, *rule, m, err);
	}
	if (rc)
		rn_steer_del(s, *rule);
	else
		rn_index_keep(*rule);
	return rc;
}

void rn_steer_del(struct rn_steer *s, struct rn_rule *rule)
{
	struct rn_shape *shape = rule->shape;
	struct rule *r = rule_of(rule);

	if (s->ops && s->ops->del)
		s->ops->del(s->ctx, rule);
	hide(s, rule);
	rn_handle_set(s, rule->handle, NULL);
	cds_lfht_del(s->by_id, &r->by_id);
	rn_overlap_del(s, rule);
	rn_macs_del(s, r);
	rn_leases_del(s, r);
	cds_list_del(&rule->list);
	cds_list_del(&rule->unkept);
	if (!rule->members->n)
		rn_waiting_del(r);
	rn_handle_give(s, rule->handle);
	s->n_rules--;
	rn_members_release(rule);
	call_rcu(&rule->rcu, free_rule);
	if (!--shape->n_rules)
		rn_shape_drop_empty(s);
}

/* Each rule that means the port's own MAC leaves its table, and comes back under the new key when
 * no reader can see the old one. */
unsigned rn_steer_set_mac(struct rn_steer *s, const uint8_t mac[6])
{
	struct rn_rule *rule;
	unsigned failed = 0;

	memcpy(s->mac, mac, sizeof(s->mac));
	rn_macs_own(s, mac);
	note_change(s);
	cds_list_for_each_entry (rule, &s->rules, list) {
		if (rule->match.fields & RAWNET_M_DMAC)
			continue;
		if (s->ops && s->ops->del)
			s->ops->del(s->ctx, rule);
		hide(s, rule);
		rn_overlap_del(s, rule);
	}
	synchronize_rcu();
	cds_list_for_each_entry (rule, &s->rules, list) {
		if (rule->match.fields & RAWNET_M_DMAC)
			continue;
		memcpy(rule->key.dmac, mac, 6);
		show(s, rule);
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
