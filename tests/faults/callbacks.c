/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts what waits for a grace period: what call_rcu was given and has not run is memory that
 * nobody can see any more, and no leak to a sanitizer.
 */
#include <stdlib.h>
#include <urcu-qsbr.h>

#include "points.h"

void *__real_malloc(size_t size);
void __real_urcu_qsbr_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
void __wrap_urcu_qsbr_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));

struct counted {
	struct rcu_head rcu; /* the one that waits */
	struct rcu_head *head;
	void (*func)(struct rcu_head *head);
};

static void run_counted(struct rcu_head *rcu)
{
	struct counted *c = caa_container_of(rcu, struct counted, rcu);

	c->func(c->head);
	free(c);
	__atomic_sub_fetch(&points->callbacks, 1, __ATOMIC_SEQ_CST);
}

void __wrap_urcu_qsbr_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	struct counted *c = points ? __real_malloc(sizeof(*c)) : NULL;

	if (!c) {
		__real_urcu_qsbr_call_rcu(head, func);
		return;
	}
	c->head = head;
	c->func = func;
	__atomic_add_fetch(&points->callbacks, 1, __ATOMIC_SEQ_CST);
	__real_urcu_qsbr_call_rcu(&c->rcu, run_counted);
}
