/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules that go back unless they are confirmed in time. */
#include <errno.h>
#include <stdlib.h>

#include "client.h"
#include "clock.h"
#include "daemon.h"
#include "journal.h"
#include "rules_impl.h"

struct rn_tentative {
	struct rn_daemon *daemon;
	struct cds_list_head list;
	sd_event_source *source;
	struct rn_rule *rule;
	uint64_t end_ns;
};

void rn_tentative_forget(struct rn_rule *rule)
{
	struct rn_tentative *t = rule->tentative;

	if (!t)
		return;
	rule->tentative = NULL;
	sd_event_source_unref(t->source);
	cds_list_del(&t->list);
	free(t);
}

static int roll_back(sd_event_source *source, uint64_t usec, void *arg)
{
	struct rn_tentative *t = arg;
	struct rn_daemon *d = t->daemon;
	struct rn_served *served;

	(void)source;
	(void)usec;
	rn_daemon_rule(d, t->rule->id, &served);
	rn_rules_del(d, served, t->rule, "rolled-back"); /* forgets t */
	return 0;
}

int rn_tentative_begin(struct rn_daemon *d, struct rn_rule *rule, uint64_t end_ns)
{
	struct rn_tentative *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->daemon = d;
	t->rule = rule;
	t->end_ns = end_ns;
	rc = sd_event_add_time(d->event, &t->source, CLOCK_MONOTONIC, end_ns / 1000, 10000,
			       roll_back, t);
	if (rc < 0) {
		free(t);
		return rc;
	}
	rule->flags |= RAWNET_FLOW_TENTATIVE;
	rule->tentative = t;
	cds_list_add_tail(&t->list, &d->tentative);
	return 0;
}

uint64_t rn_tentative_end(const struct rn_rule *rule)
{
	return rule->tentative ? rule->tentative->end_ns : 0;
}

int rn_rules_confirm(struct rn_daemon *d, uint64_t id)
{
	struct rn_served *served;
	struct rn_rule *rule = rn_daemon_rule(d, id, &served);

	if (!rule || !rule->tentative)
		return -ENOENT;
	rn_tentative_forget(rule);
	rule->flags &= ~RAWNET_FLOW_TENTATIVE;
	rn_journal_keep(served->port->config.dev, rule, 0);
	rn_event_emit(d, RAWNET_EVENT_FLOW, "confirmed", id, NULL, served->port->config.dev,
		      rule->uid, "rule confirmed");
	return 0;
}

uint32_t rn_rules_left(const struct rn_rule *rule)
{
	uint64_t now = rn_mono_ns(), end = rn_tentative_end(rule);

	return end > now ? (uint32_t)((end - now + 999999999u) / 1000000000u) : 0;
}

void rn_rules_forget_all(struct rn_daemon *d)
{
	struct rn_tentative *t, *next;

	cds_list_for_each_entry_safe (t, next, &d->tentative, list)
		rn_tentative_forget(t->rule);
}
