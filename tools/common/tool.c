/* SPDX-License-Identifier: BSD-2-Clause */
/* See tool.h. */
#include "tool.h"

#include <errno.h>
#include <rawnet/client.h>
#include <stdio.h>
#include <sys/eventfd.h>

volatile sig_atomic_t tool_stop;
static int stop_fd;

static void on_signal(int sig)
{
	const int before = errno;

	__atomic_store_n(&tool_stop, sig, __ATOMIC_RELAXED);
	eventfd_write(stop_fd, 1);
	errno = before;
}

int tool_catch_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		return -errno;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return stop_fd;
}

void tool_join(char *text, size_t size, char *const *words)
{
	size_t len = 0;

	for (text[0] = '\0'; *words && len < size; words++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", len ? " " : "", *words);
}

int tool_fail(void)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, rawnet_error());
	return 1;
}
