/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of a frame that agrees with the hint of the last allowed one (police.c), inline. Poller
 * only.
 */
#ifndef RN_POLICE_HINT_H
#define RN_POLICE_HINT_H

#include <stdbool.h>

#include "queue.h"
#include "tx.h"

extern uint64_t rn_police_epoch; /* of rules and addresses; police.c */

/* Of the rules and addresses there are, and about frames with this tag. */
static inline bool rn_police_valid(const struct rn_police_hint *h, int tci)
{
	/* acquire: pairs with the release in rn_police_changed(). */
	return h->epoch == __atomic_load_n(&rn_police_epoch, __ATOMIC_ACQUIRE) &&
	       (tci < 0 ? -1 : tci & 0xfff) == h->vlan;
}

/* head: RN_POLICE_HEAD readable bytes, as for rn_head_agrees(). */
static inline bool rn_police_agrees(const struct rn_police_hint *h, const uint8_t *head,
				    uint32_t len, int tci)
{
	return rn_police_valid(h, tci) && rn_head_agrees(&h->head, head, len);
}

static inline bool rn_police_hinted(const struct rn_queue *q, const uint8_t *head, uint32_t len,
				    int tci)
{
	return rn_police_agrees(&q->hint, head, len, tci);
}

/* What a frame without a tag that may go out looks like; NULL: each has to be parsed. Every frame
 * does where nobody polices. Asked once a loop, behind the client's index: who has heard of a
 * change does not meet the old answer. */
static inline const struct rn_head *rn_police_expects(const struct rn_queue *q)
{
	static const struct rn_head any;

	if (!q->police)
		return &any;
	return rn_police_valid(&q->hint, -1) ? &q->hint.head : NULL;
}

#endif
