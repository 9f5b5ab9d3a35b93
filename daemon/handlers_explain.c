/* SPDX-License-Identifier: BSD-2-Clause */
/* The request EXPLAIN: a frame goes through the rule table, and who asks hears what happened. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "client.h"
#include "daemon.h"
#include "key.h"

static_assert(sizeof(((struct rawnet_rep_explain *)0)->tried) / sizeof(struct rawnet_tried) ==
		      RN_SHAPES,
	      "the reply has room for all shapes");

static bool may_see(const struct rn_client *c, const struct rn_rule *rule)
{
	return c->admin || rule->uid == c->peer.uid;
}

static void describe_key(const struct rn_key *key, const struct rn_headers *headers,
			 struct rawnet_seen *seen)
{
	memcpy(seen->dmac, key->dmac, sizeof(seen->dmac));
	memcpy(seen->smac, key->smac, sizeof(seen->smac));
	memcpy(seen->dst, key->dst, sizeof(seen->dst));
	memcpy(seen->src, key->src, sizeof(seen->src));
	seen->vlan = ntohs(key->vlan);
	seen->ethertype = ntohs(key->ethertype);
	seen->sport = ntohs(key->sport);
	seen->dport = ntohs(key->dport);
	seen->proto = key->proto;
	seen->whole = key->l4;
	seen->fragment = headers->fragment;
}

/* Another user's rule is not shown, and neither is its shape unless the asker has a rule that
 * matches there. */
static void describe_tries(const struct rn_client *c, const struct rn_steer *steer,
			   const struct rn_key *key, struct rawnet_rep_explain *rep)
{
	struct rn_tried tried[RN_SHAPES];

	rep->n_tried = rn_steer_tries(steer, key, tried);
	for (unsigned i = 0; i < rep->n_tried; i++) {
		struct rawnet_tried *t = &rep->tried[i];
		const struct rn_rule *rule = tried[i].rule;

		t->matches = rule != NULL;
		t->hidden = rule ? !may_see(c, rule) : !c->admin;
		if (t->hidden)
			continue;
		t->rule = rule ? rule->id : 0;
		t->n_rules = c->admin ? tried[i].shape->n_rules : 0;
		rn_shape_bits(&tried[i].shape->mask, t->bits);
	}
}

static void describe_winner(const struct rn_client *c, const struct rn_rule *rule,
			    struct rawnet_rep_explain *rep)
{
	const struct rn_member *m = rn_rule_member(rule, rep->hash);

	rep->hidden = !may_see(c, rule);
	rep->verdict = m || rep->hidden ? RAWNET_VERDICT_RULE : RAWNET_VERDICT_WAITS;
	if (rep->hidden)
		return;
	rep->rule = rule->id;
	rep->n_members = rule->members->n;
	if (m) {
		rep->attachment = m->at->id;
		rep->client = ((const struct rn_client *)m->at->client)->id;
	}
}

int rn_handle_EXPLAIN(struct rn_request *r)
{
	const struct rawnet_req_explain *req = r->req;
	struct rawnet_rep_explain *rep = r->rep;
	static uint8_t frame[RAWNET_EXPLAIN_MAX]; /* the control thread's only */
	const struct rn_daemon *d = r->client->daemon;
	const struct rn_rule *rule;
	struct rn_headers headers;
	struct rn_served *s;
	struct rn_key key;

	s = rn_daemon_find_port(d, req->dev, r->err);
	if (!s)
		return -ENODEV;
	if (req->len > sizeof(frame) || req->kept > req->len || req->kept > sizeof(req->frame))
		return rn_fail(r->err, -EINVAL, "len %u, kept %u: not a frame", req->len,
			       req->kept);
	memset(frame, 0, req->len);
	memcpy(frame, req->frame, req->kept);
	rn_key_parse(frame, req->len, -1, &key, &headers);
	describe_key(&key, &headers, &rep->seen);
	memcpy(rep->mac, s->port->mac, sizeof(rep->mac));
	rep->hash = rn_key_hash(&key);
	rule = rn_steer_classify(s->port->steer, &key, headers.flags);
	if (rule)
		describe_winner(r->client, rule, rep);
	else if (headers.flags & RN_KEY_GROUP)
		rep->verdict = RAWNET_VERDICT_GROUP;
	else if ((headers.flags & RN_KEY_NEIGH) && !memcmp(key.dmac, rep->mac, sizeof(rep->mac)))
		rep->verdict = RAWNET_VERDICT_NEIGH;
	else
		rep->verdict = RAWNET_VERDICT_NONE;
	if (rule || rep->verdict == RAWNET_VERDICT_NONE)
		describe_tries(r->client, s->port->steer, &key, rep);
	return 0;
}
