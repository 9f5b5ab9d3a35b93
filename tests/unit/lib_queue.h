/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of one queue: a program with an attachment, and the daemon's side of it. */
#ifndef LIB_QUEUE_H
#define LIB_QUEUE_H

#include <unistd.h>

#include "lib_fake.h"

static struct fake fake;
static struct rawnet *rn;
static struct rawnet_attachment *at;
static struct rawnet_queue *q;
static struct fake_attachment *peer;

/* flags: RAWNET_ATTACH_*; busy: RAWNET_RINGS_BUSY or 0. */
static inline int open_queue(uint32_t rx_size, uint32_t tx_size, uint32_t flags, uint32_t busy)
{
	struct rawnet_attach_options o = {.size = sizeof(o),
					  .n_queues = 1,
					  .rx_size = rx_size,
					  .tx_size = tx_size,
					  .flags = flags};
	struct rawnet_options c = {.size = sizeof(c), .socket = fake.path};

	alarm(100);
	fake_init(&fake, NULL);
	fake.busy = busy;
	fake_run(&fake);
	assert_int_equal(rawnet_connect(&rn, &c), 0);
	assert_int_equal(rawnet_attach(rn, "eth0", &o, &at), 0);
	q = rawnet_queue(at, 0);
	peer = fake_at(&fake, 0);
	assert_non_null(q);
	assert_null(rawnet_queue(at, 1));
	return 0;
}

static inline int close_queue(void **state)
{
	(void)state;
	alarm(0);
	fake_sync(&fake);
	rawnet_close(rn);
	fake_end(&fake);
	return 0;
}

static inline void send_one(void)
{
	struct rawnet_packet p = {.len = 60, .data = rawnet_buf_get(q)};

	assert_int_equal(rawnet_tx_burst(q, &p, 1), 1);
}

#endif
