/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal of rules (state.h): what the next daemon restores them from. Without a store
 * (store.h) it keeps nothing and costs nothing. Control thread only.
 */
#ifndef RN_JOURNAL_H
#define RN_JOURNAL_H

#include "err.h"
#include "state.h"
#include "steer.h"

struct rn_daemon;

/* Makes a journal, or takes over the one that came back. */
int rn_journal_open(struct rn_err *err);
void rn_journal_close(void);
/* The rule is new, or something about it changed. confirm_end: ns CLOCK_MONOTONIC, 0: for good. A
 * journal that cannot grow is an error in the log, the rule serves all the same. */
void rn_journal_keep(const char *dev, struct rn_rule *rule, uint64_t confirm_end);
void rn_journal_drop(struct rn_rule *rule);
/* Ids that must not be given out again. */
void rn_journal_ids(uint64_t rules, uint32_t clients, uint32_t attachments);
const struct rn_state_journal *rn_journal(void); /* NULL: there is none */
bool rn_journal_goes_on(void); /* the last daemon's was taken over */

/* What came back, oldest rule first, each complete in its newest version. record[0] is the rule,
 * the others its members and table. Begin with a zeroed walk. False: no more. */
struct rn_journal_walk {
	const struct rn_state_record *record[RN_KEPT];
	uint32_t at[RN_KEPT]; /* numbers of these records */
	uint32_t n;
	uint32_t next; /* where the walk goes on */
};
bool rn_journal_next(struct rn_journal_walk *walk);
/* The rule was restored from these records, which are its own from now on. */
void rn_journal_restored(struct rn_rule *rule, const struct rn_journal_walk *walk);
/* Wipes what no restored rule owns: older versions, halves, rules that are gone. */
void rn_journal_sweep(void);

#endif
