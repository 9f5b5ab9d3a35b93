/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of rules, shared by the rules*.c files only. Control thread. */
#ifndef RN_RULES_IMPL_H
#define RN_RULES_IMPL_H

#include "daemon.h"

static const struct rawnet_quota rn_one_rule = {.rules = 1};

/* rules_tentative.c */
/* Deletes the rule at end_ns unless it is confirmed before. */
int rn_tentative_begin(struct rn_daemon *daemon, struct rn_rule *rule, uint64_t end_ns);
/* The rule is for good, or gone. */
void rn_tentative_forget(struct rn_rule *rule);
/* 0: for good. */
uint64_t rn_tentative_end(const struct rn_rule *rule);

/* rules_neigh.c */
int rn_rules_add_neigh(struct rn_daemon *daemon, struct rn_served *served, struct rn_rule *rule,
		       struct rn_err *err);
void rn_rules_del_neigh(struct rn_daemon *daemon, struct rn_served *served, struct rn_rule *rule);

#endif
