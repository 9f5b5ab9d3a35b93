/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's rule table in the NIC. A rule is one flow, or several where packets of different
 * kinds have to be spread over several queues, since a QP hashes one kind:
 *
 *   with a protocol           one flow
 *   IPv4 or IPv6              TCP and UDP on the first level; the rest, by address, on the second
 *   no ethertype              both families so on levels one and two; what is not IP on the third
 *
 * The levels of a shape are consecutive priorities (layers.c). A rule with a single queue behind it
 * is one flow on the last level.
 *
 * Flow tags name the rule, not the client: the low 24 bits of its handle. The rule of the same
 * match may then have several destinations, which the device allows only if their tags agree, and a
 * rule's new members get packets before its old ones stop getting them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rdma.h"
#include "wire.h"

/* ---- which flows ---- */

struct part {
	enum rn_hash_kind kind;
	uint16_t ethertype; /* 0: as the rule says */
	uint8_t proto; /* likewise */
	uint8_t level;
};

static enum rn_hash_kind kind_of(const struct rn_key *key, const struct rn_key *mask)
{
	bool six = key->ethertype == htons(TYPE_IP6);

	if (!mask->ethertype || (!six && key->ethertype != htons(TYPE_IP4)))
		return RN_HASH_NONE;
	if (mask->proto && key->proto == IPPROTO_TCP)
		return six ? RN_HASH_TCP6 : RN_HASH_TCP4;
	if (mask->proto && key->proto == IPPROTO_UDP)
		return six ? RN_HASH_UDP6 : RN_HASH_UDP4;
	return six ? RN_HASH_IP6 : RN_HASH_IP4;
}

static const struct part spread4[] = {
	{RN_HASH_TCP4, TYPE_IP4, IPPROTO_TCP, 0},
	{RN_HASH_UDP4, TYPE_IP4, IPPROTO_UDP, 0},
	{RN_HASH_IP4, TYPE_IP4, 0, 1},
};
static const struct part spread6[] = {
	{RN_HASH_TCP6, TYPE_IP6, IPPROTO_TCP, 0},
	{RN_HASH_UDP6, TYPE_IP6, IPPROTO_UDP, 0},
	{RN_HASH_IP6, TYPE_IP6, 0, 1},
};

static unsigned split(const struct rn_rule *rule, uint16_t levels, uint32_t queues,
		      struct part out[RN_RULE_FLOWS])
{
	enum rn_hash_kind kind = kind_of(&rule->key, &rule->shape->mask);

	if (queues > 1 && levels == 2 && kind == RN_HASH_IP4) {
		memcpy(out, spread4, sizeof(spread4));
		return 3;
	}
	if (queues > 1 && levels == 2 && kind == RN_HASH_IP6) {
		memcpy(out, spread6, sizeof(spread6));
		return 3;
	}
	if (queues > 1 && levels == 3) {
		memcpy(out, spread4, sizeof(spread4));
		memcpy(out + 3, spread6, sizeof(spread6));
		out[6] = (struct part) {RN_HASH_NONE, 0, 0, 2};
		return 7;
	}
	out[0] = (struct part) {kind, 0, 0, (uint8_t)(levels - 1)};
	return 1;
}

static struct rn_flow flow_of(const struct rn_rule *rule, const struct part *part,
			      uint16_t priority)
{
	struct rn_flow f = {
		.key = rule->key,
		.mask = rule->shape->mask,
		.whole = rule->shape->mask.l4 || part->proto,
		.tag = rule->handle & RN_RDMA_TAG,
		.priority = (uint16_t)(priority + part->level),
	};

	if (part->ethertype) {
		f.key.ethertype = htons(part->ethertype);
		f.mask.ethertype = 0xffff;
	}
	if (part->proto) {
		f.key.proto = part->proto;
		f.mask.proto = 0xff;
	}
	/* No rule takes a group address, whatever its mask. */
	f.key.dmac[0] &= 0xfe;
	f.mask.dmac[0] |= 1;
	return f;
}

/* ARP to the port's own MAC is never taken: such a rule exists, and gets nothing. */
static bool never_matches(const struct rn_rdma *rdma, const struct rn_rule *rule)
{
	static const uint8_t whole[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	return rule->key.ethertype == htons(TYPE_ARP) &&
	       !memcmp(rule->key.dmac, rdma->port->mac, 6) &&
	       !memcmp(rule->shape->mask.dmac, whole, 6);
}

/* ---- making and unmaking ---- */

static void drop_flows(struct rn_rdma *rdma, struct rn_rdma_rule *r)
{
	rdma->n_flows -= r->n;
	while (r->n)
		rdma->flow_ops->destroy(rdma, r->flow[--r->n]);
}

static int refused(const struct rn_rdma *rdma, int error, struct rn_err *err)
{
	return rn_fail(err, -error, "%s: the device refused the rule: %s (it has %u flows)",
		       rdma->port->config.dev, strerror(error), rdma->n_flows);
}

/* Makes the rule's flows at this priority, all or none. */
static int make_flows(struct rn_rdma *rdma, const struct rn_rule *rule, struct rn_rdma_rule *r,
		      uint16_t priority, struct rn_err *err)
{
	uint16_t levels = rdma->layer[rule->shape->slot].place.levels;
	struct part part[RN_RULE_FLOWS];
	unsigned n = split(rule, levels, r->target->queues, part);

	r->priority = priority;
	if (never_matches(rdma, rule))
		return 0;
	for (unsigned i = 0; i < n; i++) {
		struct rn_flow flow = flow_of(rule, &part[i], priority);
		struct ibv_qp *qp;
		int rc = rn_target_qp(r->target, part[i].kind, &qp, err);

		if (!rc) {
			r->flow[r->n] = rdma->flow_ops->create(rdma, &flow, qp);
			if (!r->flow[r->n])
				rc = refused(rdma, errno, err);
		}
		if (rc) {
			drop_flows(rdma, r);
			return rc;
		}
		r->n++;
		rdma->n_flows++;
	}
	return 0;
}

static int check(const struct rn_rdma *rdma, const struct rn_rule *rule, struct rn_err *err)
{
	const struct part all = {RN_HASH_NONE, 0, 0, 0};
	struct rn_flow flow = flow_of(rule, &all, 0);

	return never_matches(rdma, rule) ? 0 : rdma->flow_ops->check(rdma, &flow, err);
}

static void mirror(struct rn_rdma *rdma, const struct rn_rule *rule, struct rn_rdma_rule *r)
{
	if (rdma->flow_ops->mirror)
		rdma->flow_ops->mirror(rdma, rule, &r->mirror);
}

static int rdma_add(void *ctx, struct rn_rule *rule, struct rn_err *err)
{
	struct rn_rdma *rdma = rn_rdma_of(ctx);
	struct rn_rdma_rule *r;
	int rc;

	if (!rdma)
		return rn_fail(err, -ENODEV, "its device failed, and is waited for");
	rc = check(rdma, rule, err);
	if (rc)
		return rc;
	r = calloc(1, sizeof(*r));
	if (!r)
		return rn_fail(err, -ENOMEM, "rule: out of memory");
	rc = rn_layers_admit(rdma, rule, err);
	if (rc)
		goto free_it;
	rc = rn_target_get(rdma, rule->members, &r->target, err);
	if (!rc)
		rc = make_flows(rdma, rule, r,
				rn_place_normal(&rdma->layer[rule->shape->slot].place), err);
	if (rc) {
		rdma->layer[rule->shape->slot].rules--;
		rn_target_put(r->target);
		goto free_it;
	}
	rule->hw = r;
	mirror(rdma, rule, r);
	return 0;

free_it:
	free(r);
	return rc;
}

static void rdma_del(void *ctx, struct rn_rule *rule)
{
	struct rn_rdma *rdma = rn_rdma_of(ctx);
	struct rn_rdma_rule *r = rule->hw;

	if (!r)
		return; /* it could not be made again after a change of MAC */
	mirror(rdma, NULL, r);
	drop_flows(rdma, r);
	rn_target_put(r->target);
	rdma->layer[rule->shape->slot].rules--;
	free(r);
	rule->hw = NULL;
}

/* ---- changing ---- */

static bool is_taken(int rc)
{
	return rc == -EOPNOTSUPP || rc == -EEXIST;
}

/* The other one of the two places that a shape with a spare has; else where the rule is. */
static uint16_t other_place(const struct rn_place *place, uint16_t now)
{
	if (!place->spare)
		return now;
	return now == place->priority ? rn_place_normal(place) : place->priority;
}

/*
 * From `old` to `new`. With a spare priority each packet goes to one of them at any time. Without,
 * a flow has two destinations for a moment, and packets come twice; and where the device cannot do
 * that, the old one goes first, and packets in between are the kernel's.
 */
static int replace(struct rn_rdma *rdma, const struct rn_rule *rule, struct rn_rdma_rule *old,
		   struct rn_rdma_rule *new, struct rn_err *err)
{
	const struct rn_place *place = &rdma->layer[rule->shape->slot].place;
	uint16_t priority = other_place(place, old->priority);
	int rc = make_flows(rdma, rule, new, priority, err);

	if (is_taken(rc) && priority == old->priority) {
		drop_flows(rdma, old);
		rc = make_flows(rdma, rule, new, priority, err);
		if (rc && make_flows(rdma, rule, old, priority, NULL))
			rn_fail(err, rc,
				"%s: the device took the rule away and did not give it back",
				rdma->port->config.dev);
	}
	if (!rc)
		drop_flows(rdma, old);
	return rc;
}

static int rdma_members(void *ctx, struct rn_rule *rule, struct rn_err *err)
{
	struct rn_rdma *rdma = rn_rdma_of(ctx);
	struct rn_rdma_rule *old = rule->hw, new = {0};
	int rc;

	if (!old)
		return 0;
	rc = rn_target_get(rdma, rule->members, &new.target, err);
	if (rc)
		return rc;
	rc = replace(rdma, rule, old, &new, err);
	if (rc) {
		rn_target_put(new.target);
		return rc;
	}
	rn_target_put(old->target);
	new.mirror = old->mirror;
	*old = new;
	mirror(rdma, rule, old);
	return 0;
}

/* The rule's flows to another priority: they are at both for a moment. */
static int shift(struct rn_rdma *rdma, const struct rn_rule *rule, uint16_t priority,
		 struct rn_err *err)
{
	struct rn_rdma_rule *r = rule->hw, moved;
	int rc;

	if (!r || r->priority == priority)
		return 0;
	moved = (struct rn_rdma_rule) {.target = r->target, .mirror = r->mirror};
	rc = make_flows(rdma, rule, &moved, priority, err);
	if (rc)
		return rc;
	drop_flows(rdma, r);
	*r = moved;
	return 0;
}

/* One rule after the other: as good as all at once, since rules of one shape never meet in a
 * packet. What moved before one was refused has room to go back to. */
int rn_rdma_move_shape(struct rn_rdma *rdma, const struct rn_shape *shape,
		       const struct rn_place *to, struct rn_err *err)
{
	const struct rn_steer *table = rdma->port->steer;
	uint16_t before = rn_place_normal(&rdma->layer[shape->slot].place);
	struct rn_rule *rule, *undo;

	for (rule = rn_steer_next(table, NULL); rule; rule = rn_steer_next(table, rule))
		if (rule->shape == shape && shift(rdma, rule, rn_place_normal(to), err))
			break;
	if (!rule)
		return 0;
	for (undo = rn_steer_next(table, NULL); undo != rule; undo = rn_steer_next(table, undo))
		if (undo->shape == shape)
			shift(rdma, undo, before, NULL);
	return err ? err->code : -ENOSPC;
}

static int rdma_shapes(void *ctx, const struct rn_shape *const *order, unsigned n,
		       struct rn_err *err)
{
	struct rn_rdma *rdma = rn_rdma_of(ctx);

	(void)err;
	return rdma ? rn_layers_set(rdma, order, n) : 0; /* all of it is told to the next device */
}

const struct rn_steer_ops rn_rdma_steer = {
	.shapes = rdma_shapes,
	.add = rdma_add,
	.del = rdma_del,
	.members = rdma_members,
};
