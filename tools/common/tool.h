/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs of this folder have in common. */
#ifndef TOOL_H
#define TOOL_H

#include <signal.h>
#include <stddef.h>

/* From here on SIGINT and SIGTERM set tool_stop instead of ending the program. Returns a descriptor
 * that is readable from then on, so that a signal just before a poll() is not lost; or -errno. */
extern volatile sig_atomic_t tool_stop;
int tool_catch_signals(void);
/* The same for programs with several threads. */
static inline int tool_stopped(void)
{
	return __atomic_load_n(&tool_stop, __ATOMIC_RELAXED);
}

/* The words of a command line as one text, cut at `size`. */
void tool_join(char *text, size_t size, char *const *words);

/* Prints "PROGRAM: sentence of the library's last error"; returns 1. */
int tool_fail(void);

#endif
