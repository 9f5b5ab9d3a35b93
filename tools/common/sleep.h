/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleeping on several queues at once. */
#ifndef SLEEP_H
#define SLEEP_H

#include <rawnet/client.h>

#define SLEEP_EVER UINT64_MAX

struct sleeper {
	struct rawnet_queue *queue[RAWNET_QUEUES_MAX + 1];
	uint32_t what[RAWNET_QUEUES_MAX + 1]; /* RAWNET_WAIT_* */
	uint32_t n;
};

/* Until one of the queues has news, ns have passed, fd is readable or a signal came: 0; or -errno
 * and said why, once an attachment has ended. */
int sleep_on(const struct sleeper *s, int fd, uint64_t ns);

#endif
