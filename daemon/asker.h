/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that asks the kernel what may take long. rtnetlink answers while it is asked, so whoever
 * holds the kernel's rtnl lock (a driver that resets its device, a script that makes a thousand
 * interfaces) keeps every asker in send(): the control thread lets this one wait, and serves other
 * clients. Questions are asked one after the other, in the order in which they came; there is one
 * of each client at most.
 */
#ifndef RN_ASKER_H
#define RN_ASKER_H

#include <stdbool.h>
#include <systemd/sd-event.h>
#include <urcu/list.h>

#include "err.h"

struct rn_asker;
struct rn_client;

struct rn_question {
	/* The asker's thread: a QSBR reader that is offline. */
	void (*ask)(struct rn_question *question);
	/* The control thread, once, when it was asked or is not going to be: the last that is seen
	 * of the question. */
	void (*done)(struct rn_question *question);
	struct rn_client *client; /* who waits for the answer, control thread; NULL: nobody now */
	struct cds_list_head list;
	bool begun;
};

int rn_asker_create(sd_event *event, void (*started)(void), struct rn_asker **asker,
		    struct rn_err *err);
/*
 * Waits for the question that is being asked; all that are left are done. That is for two answers
 * that got lost, 4 s (netdev.c), or until the rtnl lock is free. Nothing would be won without it: a
 * thread in that lock does not hear SIGKILL, its process ends when the lock is free, and an
 * interface is given back under the same lock. A daemon that hands over (daemon.h) does not come
 * here.
 */
void rn_asker_destroy(struct rn_asker *asker);
void rn_asker_put(struct rn_asker *asker, struct rn_question *question);
/* Nobody waits for the answer any more. A question that is not begun is done at once. */
void rn_asker_leave(struct rn_asker *asker, struct rn_question *question);

#endif
