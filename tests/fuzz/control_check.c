/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon keeps twice must be the same: quotas and what was handed out, lists and counts.
 */
#include <string.h>

#include "client.h"
#include "control_fuzz.h"
#include "fuzz.h"

static struct rawnet_quota used_by(const struct rn_daemon *d, uid_t uid)
{
	struct rawnet_quota q = {0};
	const struct rn_client *c;

	cds_list_for_each_entry (c, &d->clients, list) {
		if (c->peer.uid != uid)
			continue;
		q.connections++;
		for (uint32_t i = 0; i < c->n_attachments; i++) {
			q.attachments++;
			q.queues += c->attachments[i]->n_queues;
			q.memory += c->attachments[i]->memory;
		}
	}
	for (uint32_t i = 0; i < d->n_served; i++) {
		struct rn_rule *rule = NULL;

		while ((rule = rn_steer_next(d->served[i].port->steer, rule)))
			q.rules += rule->uid == uid;
	}
	return q;
}

static void check_usages(const struct rn_daemon *d)
{
	const struct rn_usage *u;
	uint32_t connections = 0, rules = 0, all = 0;

	cds_list_for_each_entry (u, &d->usages, list) {
		struct rawnet_quota q = used_by(d, u->uid);

		must(q.memory == u->used.memory && q.queues == u->used.queues);
		must(q.rules == u->used.rules && q.attachments == u->used.attachments);
		must(q.connections == u->used.connections);
		connections += q.connections;
		rules += q.rules;
	}
	must(connections == d->n_clients); /* nobody is without a usage */
	for (uint32_t i = 0; i < d->n_served; i++)
		all += rn_steer_count(d->served[i].port->steer, NULL);
	must(rules == all);
}

static bool is_there(const struct rn_port *port, const struct rn_attachment *wanted)
{
	const struct rn_attachment *at;

	cds_list_for_each_entry (at, &port->attachments, list)
		if (at == wanted)
			return true;
	return false;
}

static void check_rule(const struct rn_port *port, const struct rn_rule *rule)
{
	const struct rn_members *m = rule->members;

	must(!(rule->flags & RAWNET_FLOW_WAITING) == (m->n > 0));
	must(m->n || (rule->flags & (RAWNET_FLOW_PERSIST | RAWNET_FLOW_STATIC)));
	must(m->n || rule->label[0]); /* one without a label would never return */
	must(m->n < 2 || (rule->flags & RAWNET_FLOW_GROUP));
	must(rn_steer_handle(port->steer, rule->handle) == rule);
	must(rn_steer_find(port->steer, rule->id) == rule);
	must(rn_steer_same(port->steer, &rule->match) == rule);
	for (uint32_t i = 0; i < m->n; i++) {
		must(is_there(port, m->m[i].at) && m->m[i].at->uid == rule->uid);
		must(m->m[i].at->rule[m->m[i].index].rule == rule);
		for (uint32_t k = 0; k < i; k++)
			must(m->m[k].at != m->m[i].at);
	}
}

static uint32_t rules_of(const struct rn_port *port, const struct rn_attachment *at)
{
	struct rn_rule *rule = NULL;
	uint32_t n = 0;

	while ((rule = rn_steer_next(port->steer, rule)))
		for (uint32_t i = 0; i < rule->members->n; i++)
			n += rule->members->m[i].at == at;
	return n;
}

static void check_port(const struct rn_port *port)
{
	const struct rn_attachment *at;
	struct rn_rule *rule = NULL;
	uint32_t n = 0;

	while ((rule = rn_steer_next(port->steer, rule)))
		check_rule(port, rule);
	cds_list_for_each_entry (at, &port->attachments, list) {
		must(rules_of(port, at) == at->n_rules && at->client && !at->retired);
		n++;
	}
	must(n == port->n_attachments);
}

void control_check(const struct rn_daemon *d)
{
	const struct rn_client *c;
	uint32_t n = 0;

	cds_list_for_each_entry (c, &d->clients, list) {
		must(!c->dead); /* the reaper has been there */
		must(c->greeted || !c->n_attachments);
		must(memchr(c->label, 0, sizeof(c->label)));
		for (uint32_t i = 0; i < c->n_attachments; i++)
			must(c->attachments[i]->client == c &&
			     is_there(c->attachments[i]->port, c->attachments[i]));
		n++;
	}
	must(n == d->n_clients);
	check_usages(d);
	for (uint32_t i = 0; i < d->n_served; i++)
		check_port(d->served[i].port);
}
