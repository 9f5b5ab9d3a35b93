/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules that go back unless they are confirmed in time. */
#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "daemon.h"
#include "journal.h"
#include "messages.h"
#include "rules_impl.h"

struct tentative {
	struct rn_daemon *daemon;
	struct cds_list_head list;
	sd_event_source *source;
	uint64_t rule;
	uint64_t end_ns;
};

static struct tentative *find_tentative(const struct rn_daemon *d, uint64_t id)
{
	struct tentative *t;

	cds_list_for_each_entry (t, &d->tentative, list)
		if (t->rule == id)
			return t;
	return NULL;
}

static void forget(struct tentative *t)
{
	if (!t)
		return;
	sd_event_source_unref(t->source);
	cds_list_del(&t->list);
	free(t);
}

static int roll_back(sd_event_source *source, uint64_t usec, void *arg)
{
	struct tentative *t = arg;
	struct rn_daemon *d = t->daemon;
	struct rn_served *served;
	struct rn_rule *rule = rn_daemon_rule(d, t->rule, &served);

	(void)source;
	(void)usec;
	if (rule)
		rn_rules_del(d, served, rule, "rolled-back"); /* forgets t */
	else
		forget(t);
	return 0;
}

int rn_tentative_begin(struct rn_daemon *d, struct rn_rule *rule, uint64_t end_ns)
{
	struct tentative *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->daemon = d;
	t->rule = rule->id;
	t->end_ns = end_ns;
	rc = sd_event_add_time(d->event, &t->source, CLOCK_MONOTONIC, end_ns / 1000, 10000,
			       roll_back, t);
	if (rc < 0) {
		free(t);
		return rc;
	}
	rule->flags |= RAWNET_FLOW_TENTATIVE;
	cds_list_add_tail(&t->list, &d->tentative);
	return 0;
}

int rn_rules_confirm(struct rn_daemon *d, uint64_t id)
{
	struct rn_served *served;
	struct rn_rule *rule = rn_daemon_rule(d, id, &served);
	struct tentative *t = find_tentative(d, id);

	if (!rule || !t)
		return -ENOENT;
	forget(t);
	rule->flags &= ~RAWNET_FLOW_TENTATIVE;
	rn_journal_keep(served->port->config.dev, rule, 0);
	rn_event_emit(d, RAWNET_EVENT_FLOW, "confirmed", id, NULL, served->port->config.dev,
		      rule->uid, "rule confirmed");
	return 0;
}

uint32_t rn_rules_left(const struct rn_daemon *d, uint64_t id)
{
	const struct tentative *t = find_tentative(d, id);
	uint64_t now = rn_mono_ns();

	return t && t->end_ns > now ? (uint32_t)((t->end_ns - now + 999999999u) / 1000000000u) : 0;
}

void rn_rules_forget_all(struct rn_daemon *d)
{
	struct tentative *t, *next;

	cds_list_for_each_entry_safe (t, next, &d->tentative, list)
		forget(t);
}

void rn_tentative_forget(struct rn_daemon *d, uint64_t id)
{
	forget(find_tentative(d, id));
}

uint64_t rn_tentative_end(const struct rn_daemon *d, uint64_t id)
{
	const struct tentative *t = find_tentative(d, id);

	return t ? t->end_ns : 0;
}
