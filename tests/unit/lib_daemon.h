/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of the control channel: a daemon whose replies a hook may change. */
#ifndef LIB_DAEMON_H
#define LIB_DAEMON_H

#include <stddef.h>

#include "lib_fake.h"

/* The index of a member among the 32-bit words of a struct. */
#define WORD(type, member) ((int)(offsetof(struct type, member) / 4))

static struct fake fake;
static unsigned fds_before;

static inline int setup(void **state)
{
	(void)state;
	fds_before = open_fds();
	fake_init(&fake, NULL);
	fake_run(&fake);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	fake_end(&fake);
	assert_int_equal(open_fds(), fds_before);
	return 0;
}

static inline int dial_for(struct rawnet **rn, uint32_t flags, uint32_t timeout_ms)
{
	struct rawnet_options c = {
		.size = sizeof(c), .socket = fake.path, .flags = flags, .timeout_ms = timeout_ms};

	return rawnet_connect(rn, &c);
}

/* For answers that come, however late on a busy machine. */
static inline int dial(struct rawnet **rn, uint32_t flags)
{
	return dial_for(rn, flags, 60000);
}

#endif
