/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the flow tag of a received packet to the index of its rule within the attachment. A queue
 * remembers the last tag, since packets of a flow come together; what it remembers is void when the
 * rule table has changed. Poller only.
 */
#ifndef RN_TAG_H
#define RN_TAG_H

#include "../backend.h"

struct rn_tag {
	uint32_t tag, index;
	uint32_t changes; /* of the rule table when `tag` was looked up */
	bool valid;
};

/* Once a burst, before the first rn_tag_index. */
static inline void rn_tag_begin(struct rn_tag *t, const struct rn_steer *table)
{
	uint32_t now = rn_steer_changes(table);

	if (now != t->changes) {
		t->changes = now;
		t->valid = false;
	}
}

/* The table's way; tag.c. */
uint32_t rn_tag_find(const struct rn_queue *q, uint32_t tag);

/* RN_NO_INDEX: a rule that is gone, or is not this attachment's any more. */
static inline uint32_t rn_tag_index(struct rn_tag *t, const struct rn_queue *q, uint32_t tag)
{
	if (tag != t->tag || !t->valid) {
		t->index = rn_tag_find(q, tag);
		t->tag = tag;
		t->valid = true;
	}
	return t->index;
}

#endif
