/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policing in the device's terms: what the egress tables are told of a send queue. Pure functions.
 *
 *   priority 0      pass  what the daemon vouches for: the request carries RN_VOUCHED as metadata
 *   priority 1      drop  addresses of link control (police.c), of any other request
 *   priorities 2..  pass  the mirror of each rule, as rn_police() has it, but narrower: what only
 *                         the daemon's parser understands is not said
 *   priority 15     drop  the rest
 *
 * All of them name the send queue, since the tables see what the kernel sends as well. What passes
 * is named and the rest is dropped, so a flow that is missing can lose packets and never lets one
 * through; the order in which mirrors come and go does not matter.
 *
 * Linux puts matches of a group address into a table of their own behind all others
 * (raw_fs_is_multicast, drivers/infiniband/hw/mlx5/fs.c), so no match here looks at the group bit:
 * link control's 01:80:c2:00:00:0x is dropped together with 00:80:c2:00:00:0x, an address that no
 * station has.
 */
#ifndef RN_MLX5_MIRROR_H
#define RN_MLX5_MIRROR_H

#include "../../port.h"
#include "../../steer.h"
#include "match.h"

#define RN_VOUCHED 0x52617721u /* not 0, which requests of other programs carry */

enum rn_guard {
	RN_GUARD_VOUCHED,
	RN_GUARD_BRIDGES,
	RN_GUARD_CISCO,
	RN_GUARD_REST,
	RN_GUARDS
};

#define RN_MIRROR_PRIORITIES 13u /* rules of one shape share one: a table takes few masks well */

static inline uint16_t rn_guard_priority(enum rn_guard guard)
{
	return guard == RN_GUARD_VOUCHED ? 0 : guard == RN_GUARD_REST ? 15 : 1;
}

static inline uint16_t rn_mirror_priority(uint32_t shape_slot)
{
	return (uint16_t)(2 + shape_slot % RN_MIRROR_PRIORITIES);
}

/* What every send queue has. */
void rn_guard_fill(struct rn_match *value, struct rn_match *mask, enum rn_guard guard,
		   uint32_t sqn);
/* NULL: the tables can say what the rule's owner may send; otherwise why they cannot. */
const char *rn_mirror_beyond(const struct rn_rule *rule);
/* Does the mirror depend on the port's addresses? */
bool rn_mirror_of_port(const struct rn_rule *rule);
/* In how many flows the tables say it. */
uint32_t rn_mirror_flows(const struct rn_rule *rule, const struct rn_addresses *own);
/* The i-th of them. False: it would match nothing. */
bool rn_mirror_fill(struct rn_match *value, struct rn_match *mask, const struct rn_rule *rule,
		    const struct rn_addresses *own, uint32_t i, uint32_t sqn);

#endif
