/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the configuration: what the policy grants to whom, and the rules that are there from the
 * start. */
#include <errno.h>
#include <libconfig.h>
#include <string.h>

#include "config_sections.h"
#include "policy.h"

/* ---- policy ---- */

static int policy_who(struct rn_reader *r, const config_setting_t *s, struct rn_policy_entry *p,
		      enum rn_who who)
{
	if (p->who != RN_WHO_ANY)
		return rn_read_fail(r, s, "policy: one of user, group, socket is possible");
	p->who = who;
	return 0;
}

static int policy_user(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_policy_entry *p = base;
	int rc = policy_who(r, s, p, RN_WHO_USER);

	return rc ? rc : rn_read_user(r, s, &p->uid);
}

static int policy_group(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_policy_entry *p = base;
	int rc = policy_who(r, s, p, RN_WHO_GROUP);

	return rc ? rc : rn_read_gid(r, s, &p->gid);
}

static int policy_socket(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_policy_entry *p = base;
	const char *path = rn_read_text(r, s);
	int rc = path ? policy_who(r, s, p, RN_WHO_SOCKET) : -EINVAL;

	if (!rc && strlen(path) >= sizeof(p->socket))
		rc = rn_read_fail(r, s, "socket: the path is too long");
	if (!rc)
		memcpy(p->socket, path, strlen(path) + 1);
	return rc;
}

static int policy_allow(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_policy_entry *p = base;

	return rn_read_matches(r, s, &p->allow, &p->n_allow);
}

static int policy_deny(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_policy_entry *p = base;

	return rn_read_matches(r, s, &p->deny, &p->n_deny);
}

const struct rn_setting rn_policy_settings[] = {
	{.name = "user", .kind = RN_OTHER, .read = policy_user},
	{.name = "group", .kind = RN_OTHER, .read = policy_group},
	{.name = "socket", .kind = RN_OTHER, .read = policy_socket},
	{.name = "dev", .kind = RN_TEXT, .offset = AT(rn_policy_entry, dev), .most = RAWNET_DEV},
	{.name = "allow", .kind = RN_OTHER, .read = policy_allow},
	{.name = "deny", .kind = RN_OTHER, .read = policy_deny},
	{.name = "rules",
	 .kind = RN_U32,
	 .offset = AT(rn_policy_entry, limit.rules),
	 .most = 1u << 20},
	{.name = "memory", .kind = RN_U64, .offset = AT(rn_policy_entry, limit.memory)},
	{.name = "queues",
	 .kind = RN_U32,
	 .offset = AT(rn_policy_entry, limit.queues),
	 .most = 65536},
	{.name = "attachments",
	 .kind = RN_U32,
	 .offset = AT(rn_policy_entry, limit.attachments),
	 .most = 65536},
	{.name = "connections",
	 .kind = RN_U32,
	 .offset = AT(rn_policy_entry, limit.connections),
	 .most = 65536},
	{.name = "users",
	 .kind = RN_U32,
	 .offset = AT(rn_policy_entry, limit.users),
	 .least = 1,
	 .most = 65536},
	{.name = "rate", .kind = RN_U64, .offset = AT(rn_policy_entry, packet_rate)},
	{.name = "byte_rate", .kind = RN_U64, .offset = AT(rn_policy_entry, byte_rate)},
	{.name = "weight",
	 .kind = RN_U32,
	 .offset = AT(rn_policy_entry, weight),
	 .least = 1,
	 .most = 64},
	{.name = "spoof", .kind = RN_BOOL, .offset = AT(rn_policy_entry, spoof)},
	{.name = "huge", .kind = RN_BOOL, .offset = AT(rn_policy_entry, huge)},
	{.name = "force", .kind = RN_BOOL, .offset = AT(rn_policy_entry, force)},
	{0},
};

static void policy_init(void *element)
{
	struct rn_policy_entry *p = element;

	p->limit = (struct rawnet_quota) {.memory = 256u << 20,
					  .queues = 64,
					  .rules = 1024,
					  .attachments = 16,
					  .connections = 64,
					  .users = 64};
	p->weight = 1;
}

int rn_read_policy(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_config *c = base;

	return rn_read_list(r, s, rn_policy_settings, sizeof(*c->policy), policy_init,
			    (void **)&c->policy, &c->n_policy);
}

/* ---- rules ---- */

static int rule_match(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return rn_read_match(r, s, &((struct rn_static_rule *)base)->match);
}

static int rule_user(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return rn_read_user(r, s, &((struct rn_static_rule *)base)->uid);
}

static const char *const gaps[] = {"kernel", "drop", NULL};

const struct rn_setting rn_rule_settings[] = {
	{.name = "dev", .kind = RN_TEXT, .offset = AT(rn_static_rule, dev), .most = RAWNET_DEV},
	{.name = "match", .kind = RN_OTHER, .read = rule_match},
	{.name = "to", .kind = RN_TEXT, .offset = AT(rn_static_rule, to), .most = RAWNET_LABEL},
	{.name = "user", .kind = RN_OTHER, .read = rule_user},
	{.name = "gap", .kind = RN_WORD, .offset = AT(rn_static_rule, gap), .words = gaps},
	{0},
};

static void rule_init(void *element)
{
	(void)element;
}

int rn_read_rules(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_config *c = base;
	int rc = rn_read_list(r, s, rn_rule_settings, sizeof(*c->rules), rule_init,
			      (void **)&c->rules, &c->n_rules);

	for (uint32_t i = 0; !rc && i < c->n_rules; i++) {
		const config_setting_t *elem = config_setting_get_elem(s, i);
		const struct rn_static_rule *rule = &c->rules[i];

		if (!rule->dev[0] || !rule->to[0] || !rule->match.size)
			rc = rn_read_fail(r, elem, "rule: dev, match and to are needed");
		else if (!rn_policy_is_label(rule->to))
			rc = rn_read_fail(r, elem,
					  "to: \"%s\" cannot be a label: letters, digits "
					  "and -_.:@ are possible",
					  rule->to);
	}
	return rc;
}
