/* SPDX-License-Identifier: BSD-2-Clause */
/* See sleep.h. */
#include "sleep.h"

#include <errno.h>
#include <poll.h>

#include "tool.h"

int sleep_on(const struct sleeper *s, int fd, uint64_t ns)
{
	const struct timespec timeout = {.tv_sec = (time_t)(ns / 1000000000u),
					 .tv_nsec = (long)(ns % 1000000000u)};
	struct pollfd fds[RAWNET_QUEUES_MAX + 2];
	uint32_t armed = 0;
	int r = 0;

	for (; armed < s->n && !r; armed++) { /* 1: this one has something already */
		fds[armed] =
			(struct pollfd) {.fd = rawnet_queue_fd(s->queue[armed]), .events = POLLIN};
		r = rawnet_arm(s->queue[armed], s->what[armed]);
	}
	fds[armed] = (struct pollfd) {.fd = fd, .events = POLLIN};
	if (!r && ppoll(fds, armed + 1, ns == SLEEP_EVER ? NULL : &timeout, NULL) < 0 &&
	    errno != EINTR)
		r = -errno;
	while (armed--)
		rawnet_disarm(s->queue[armed]);
	return r < 0 ? (tool_fail(), r) : 0;
}
