/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules that the program has, in the order of adding, so that they can be added again after a
 * restart. The program keeps the ids that it was given first; the daemon's own may change with each
 * restart. A later id of the daemon that the program already knows for another rule is replaced by
 * one made up here (its highest bit set, which no daemon reaches by counting). Under the
 * connection's lock.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

#define MADE_UP (1ull << 63)

static void link_last(struct rn_rules *rules, struct rn_rule *rule)
{
	rule->prev = rules->tail;
	rule->next = NULL;
	*(rules->tail ? &rules->tail->next : &rules->head) = rule;
	rules->tail = rule;
}

static void unlink_rule(struct rn_rules *rules, struct rn_rule *rule)
{
	*(rule->prev ? &rule->prev->next : &rules->head) = rule->next;
	*(rule->next ? &rule->next->prev : &rules->tail) = rule->prev;
}

/* A group's rule that a second attachment of this connection joins comes back with the same id: the
 * maps lead to one record, the others hang on its chain. */
static void join(struct rn_rule *first, struct rn_rule *rule)
{
	rule->id = first->id;
	rule->more = first->more;
	first->more = rule;
}

int rn_rule_keep(struct rn_rules *rules, struct rn_rule *rule)
{
	struct rn_rule *first = rn_idmap_get(&rules->by_daemon, rule->daemon_id);
	int err;

	if (first) {
		join(first, rule);
		link_last(rules, rule);
		return 0;
	}
	rule->id = rule->daemon_id;
	if (rn_idmap_get(&rules->by_id, rule->id))
		rule->id = MADE_UP | ++rules->made_up;
	err = rn_idmap_put(&rules->by_id, rule->id, rule);
	if (!err)
		err = rn_idmap_put(&rules->by_daemon, rule->daemon_id, rule);
	if (err) {
		rn_idmap_del(&rules->by_id, rule->id);
		return err;
	}
	link_last(rules, rule);
	return 0;
}

/* Takes the record out of one map, where the next of its chain takes its place. Cannot fail: the
 * map just lost an entry. */
static void unmap(struct rn_idmap *map, uint64_t id, struct rn_rule *rule)
{
	if (rn_idmap_get(map, id) != rule)
		return;
	rn_idmap_del(map, id);
	if (rule->more)
		rn_idmap_put(map, id, rule->more);
}

void rn_rule_drop(struct rn_rules *rules, struct rn_rule *rule)
{
	struct rn_rule *before = rn_idmap_get(&rules->by_id, rule->id);

	unmap(&rules->by_id, rule->id, rule);
	unmap(&rules->by_daemon, rule->daemon_id, rule);
	for (; before && before != rule; before = before->more) {
		if (before->more == rule) {
			before->more = rule->more;
			break;
		}
	}
	unlink_rule(rules, rule);
	free(rule);
}

struct rn_rule *rn_rule_find(const struct rn_rules *rules, uint64_t id)
{
	return rn_idmap_get(&rules->by_id, id);
}

void rn_rule_drop_id(struct rn_rules *rules, uint64_t id)
{
	struct rn_rule *rule;

	while ((rule = rn_rule_find(rules, id)))
		rn_rule_drop(rules, rule);
}

/* After a loss no rule is at the daemon. */
void rn_rules_lost(struct rn_rules *rules)
{
	for (struct rn_rule *rule = rules->head; rule; rule = rule->next) {
		rn_idmap_del(&rules->by_daemon, rule->daemon_id);
		rule->daemon_id = 0;
		rule->error = 1;
	}
}

/* A restored rule has a new id at the daemon; the members of a group share one. */
int rn_rule_restored(struct rn_rules *rules, struct rn_rule *rule, uint64_t daemon_id)
{
	int err;

	rule->daemon_id = daemon_id;
	err = rn_idmap_put(&rules->by_daemon, daemon_id, rn_rule_find(rules, rule->id));
	return err == -EEXIST ? 0 : err;
}

void rn_rules_drop_of(struct rn_rules *rules, const struct rawnet_attachment *at)
{
	struct rn_rule *rule, *next;

	for (rule = rules->head; rule; rule = next) {
		next = rule->next;
		if (rule->at == at)
			rn_rule_drop(rules, rule);
	}
}

void rn_rules_free(struct rn_rules *rules)
{
	struct rn_rule *rule, *next;

	for (rule = rules->head; rule; rule = next) {
		next = rule->next;
		free(rule);
	}
	rn_idmap_free(&rules->by_id);
	rn_idmap_free(&rules->by_daemon);
}

/* An unknown id is one of somebody else's rule, unless the daemon has given that number to a rule
 * that the program knows by another. */
uint64_t rn_rule_to_daemon(const struct rn_rules *rules, uint64_t id)
{
	const struct rn_rule *rule = rn_idmap_get(&rules->by_id, id);

	if (rule)
		return rule->daemon_id;
	return rn_idmap_get(&rules->by_daemon, id) ? 0 : id;
}

uint64_t rn_rule_to_program(const struct rn_rules *rules, uint64_t daemon_id)
{
	const struct rn_rule *rule = rn_idmap_get(&rules->by_daemon, daemon_id);

	return rule ? rule->id : daemon_id;
}
