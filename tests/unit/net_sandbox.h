/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network namespace of its own for a test program: it is left behind by nothing, since it goes
 * with the process. sandbox() ends the program as skipped where that is not allowed.
 */
#ifndef NET_SANDBOX_H
#define NET_SANDBOX_H

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline int __attribute__((format(printf, 1, 2))) sh(const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return system(command);
}

static inline void sandbox(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
		puts("SKIP: needs root and network namespaces");
		exit(77);
	}
	if (sh("ip link set lo up") != 0) {
		puts("SKIP: needs iproute2");
		exit(77);
	}
}
#endif
