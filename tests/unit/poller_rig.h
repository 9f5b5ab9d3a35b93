/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of a poller's turns by themselves: a driven poller, one port whose backend is the
 * test's, and queues of it without memory. The caller is a QSBR reader.
 */
#ifndef POLLER_RIG_H
#define POLLER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attachment.h"
#include "backend/backend.h"
#include "poller.h"
#include "state.h"
#include "waker.h"

/* One queue with all that it leads to. */
struct one {
	struct rn_queue q;
	struct rn_queue_state state;
	struct rawnet_ring_ctl rx, tx;
	uint64_t count[RAWNET_COUNTERS_SPACE];
	int sockets[2];
};

extern struct rn_port port;
extern struct rn_poller *poller;
extern struct rn_waker *waker;

/* 0, or -errno. */
int poller_rig_open(const struct rn_backend *backend);
void poller_rig_close(void);
/* A queue of the port, hot, in the poller's set. */
void one_open(struct one *o, uint32_t index, uint32_t weight);
void one_close(struct one *o);
void turns(int n);

#endif
