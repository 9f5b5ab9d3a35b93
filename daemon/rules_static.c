/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of the configuration. */
#include <string.h>

#include "client.h"
#include "daemon.h"
#include "log.h"

static bool same_static(const struct rn_served *s, const struct rn_rule *rule,
			const struct rn_static_rule *c)
{
	return !strcmp(s->port->config.dev, c->dev) && rule->uid == c->uid && rule->gap == c->gap &&
	       !strcmp(rule->label, c->to) && !memcmp(&rule->match, &c->match, sizeof(c->match));
}

static bool still_wanted(const struct rn_daemon *d, const struct rn_served *s,
			 const struct rn_rule *rule)
{
	for (uint32_t i = 0; i < d->config->n_rules; i++)
		if (same_static(s, rule, &d->config->rules[i]))
			return true;
	return false;
}

static void delete_unwanted(struct rn_daemon *d, struct rn_served *s)
{
	struct rn_rule *rule = rn_steer_next(s->port->steer, NULL), *next;

	for (; rule; rule = next) {
		next = rn_steer_next(s->port->steer, rule);
		if ((rule->flags & RAWNET_FLOW_STATIC) && !still_wanted(d, s, rule))
			rn_rules_del(d, s, rule, "deleted");
	}
}

static bool is_there(const struct rn_served *s, const struct rn_static_rule *c)
{
	struct rn_rule *rule = NULL;

	while ((rule = rn_steer_next(s->port->steer, rule)))
		if ((rule->flags & RAWNET_FLOW_STATIC) && same_static(s, rule, c))
			return true;
	return false;
}

static int add_static(struct rn_daemon *d, struct rn_served *s, const struct rn_static_rule *c,
		      struct rn_err *err)
{
	struct rn_rule_request q = {
		.served = s,
		.steer = {.match = &c->match,
			  .at = rn_attachment_by_label(d, c->dev, c->to, c->uid, false),
			  .label = c->to,
			  .uid = c->uid,
			  .flags = RAWNET_FLOW_STATIC | RAWNET_FLOW_PERSIST,
			  .gap = c->gap},
	};
	struct rn_rule *rule;
	uint32_t index;

	if (rn_rules_check_gap(s, c->gap, err))
		return err->code;
	return rn_rules_add(d, &q, &rule, &index, err);
}

unsigned rn_rules_static(struct rn_daemon *d)
{
	unsigned failed = 0;

	for (uint32_t i = 0; i < d->n_served; i++)
		delete_unwanted(d, &d->served[i]);
	for (uint32_t i = 0; i < d->config->n_rules; i++) {
		const struct rn_static_rule *c = &d->config->rules[i];
		struct rn_served *s = rn_daemon_port(d, c->dev);
		struct rn_err err = {0};

		if (!s)
			rn_warn_about(RN_ABOUT_DEV(c->dev),
				      "rule to %s: %s is served from the next start on", c->to,
				      c->dev);
		if (!s || is_there(s, c) || !add_static(d, s, c, &err))
			continue;
		rn_error_about(RN_ABOUT_DEV(c->dev), "rule to %s on %s: %s", c->to, c->dev,
			       err.text);
		failed++;
	}
	return failed;
}
