/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy: who may have what. The first entry of the configuration that fits the peer (user, any of
 * its groups, the socket it came in by) and the port decides. Without one, root may do everything
 * and others nothing. Quotas count for each uid over all its connections, and an entry bounds how
 * many uids it serves at once: one person may have thousands of them (subuid(5)). Control thread
 * only.
 */
#ifndef RN_POLICY_H
#define RN_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <urcu/list.h>

#include "bucket.h"
#include "config.h"
#include "err.h"
#include "port.h"

#define RN_PEER_GROUPS	 64u /* of one peer that are looked at */
#define RN_USAGE_ENTRIES 64u /* that one uid has a place in at once */

/* Who the kernel says the peer is. */
struct rn_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	gid_t groups[RN_PEER_GROUPS];
	uint32_t n_groups;
	const char *socket; /* path of the listening socket */
};

/* What a uid has, and what it may cause. */
struct rn_usage {
	uid_t uid;
	bool gone; /* nothing is used: kept until its buckets are full, so that who leaves and comes
		      again finds them as they were */
	struct rawnet_quota used;
	/* the entries that served it since it had nothing, hashed */
	uint64_t by[RN_USAGE_ENTRIES];
	uint32_t n_by;
	struct rn_bucket resolve; /* neighbours that it may make the kernel ask for */
	struct rn_bucket mend; /* queues of its that the device failed and that are set up again */
	struct cds_list_head list;
};

bool rn_policy_is_admin(const struct rn_config *config, const struct rn_peer *peer);
/* May it see others' clients, attachments and counters? Administrators and the monitor group. */
bool rn_policy_may_watch(const struct rn_config *config, const struct rn_peer *peer);
/* May this be a client's label? Letters, digits and -_.:@ are safe to print anywhere. */
bool rn_policy_is_label(const char *label);
/* The entry that decides; NULL: none, so only root may. dev NULL: any port's (connections). */
const struct rn_policy_entry *rn_policy_entry(const struct rn_config *config,
					      const struct rn_peer *peer, const char *dev);
/* May the peer attach to this port at all? -EACCES with a sentence. */
int rn_policy_attach(const struct rn_config *config, const struct rn_peer *peer, const char *dev,
		     struct rn_err *err);
/* May the peer have this match on the port? -EACCES (not granted) or -EPERM (protected). force: the
 * peer asks to override what is protected. */
int rn_policy_match(const struct rn_config *config, const struct rn_peer *peer,
		    const struct rn_port *port, const struct rawnet_match *match, bool force,
		    struct rn_err *err);
/* Is there room for `more`? -EDQUOT with a sentence that names the quota. */
int rn_policy_room(const struct rn_policy_entry *entry, const struct rn_usage *usage,
		   const struct rawnet_quota *more, struct rn_err *err);
/* Is there room for `more`, which this entry grants, and has it a place for the uid? Root needs no
 * place. -EDQUOT with a sentence. NULL: root, without an entry of its own. */
int rn_policy_admit(const struct rn_policy_entry *entry, const struct cds_list_head *usages,
		    struct rn_usage *usage, const struct rawnet_quota *more, struct rn_err *err);
/* It got that: the place is taken, until the uid has nothing any more. */
void rn_policy_admitted(const struct rn_policy_entry *entry, struct rn_usage *usage);
/* The same of an entry that is known by its key alone: the last daemon admitted it. */
void rn_policy_was_admitted(uint64_t key, struct rn_usage *usage);
/* The same entry, also after a reload and of the next daemon; 0 for NULL. */
uint64_t rn_policy_key(const struct rn_policy_entry *entry);
/* How many uids the entry serves. */
uint32_t rn_policy_users(const struct cds_list_head *usages, const struct rn_policy_entry *entry);
/* The usage of a uid; made when it is asked for first. NULL: out of memory. */
struct rn_usage *rn_usage_of(struct cds_list_head *usages, uid_t uid);
void rn_usage_add(struct rn_usage *usage, const struct rawnet_quota *more);
/* Gives back; an empty usage is freed, now or when others are made later. */
void rn_usage_sub(struct rn_usage *usage, const struct rawnet_quota *less);

#endif
