/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests that link no poller: what is told to it of a queue. A fault ends the test.
 */
#ifndef POLLER_PARTS_H
#define POLLER_PARTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "poller.h"
#include "queue.h"

void rn_poller_touch(struct rn_poller *poller, struct rn_queue *queue)
{
	(void)poller;
	(void)queue;
}

void rn_queue_fault(struct rn_queue *queue, enum rawnet_reason reason)
{
	(void)queue;
	fail_msg("fault %u", reason);
}

#endif
