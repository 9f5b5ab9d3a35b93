/* SPDX-License-Identifier: BSD-2-Clause */
/* See tag.h. */
#include "tag.h"

#include <urcu-qsbr.h>

#include "../../attachment.h"

uint32_t rn_tag_find(const struct rn_queue *q, uint32_t tag)
{
	const struct rn_rule *rule = rn_steer_tagged(q->hwq->port->steer, tag);
	const struct rn_members *m = rule ? rcu_dereference(rule->members) : NULL;

	for (uint32_t i = 0; m && i < m->n; i++)
		if (m->m[i].at == q->at)
			return m->m[i].index;
	return RN_NO_INDEX;
}
