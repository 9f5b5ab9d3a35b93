/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command on its way (commands.c, inspect.c). Lock held.
 */
#ifndef CX_COMMANDS_H
#define CX_COMMANDS_H

#include "model.h"

#define CX_MAX_WORDS 8

struct cx_call {
	int argc;
	char *argv[CX_MAX_WORDS];
	char *out;
	size_t size;
};

/* Writes the answer, and returns ret. */
__attribute__((format(printf, 3, 4))) int cx_say(struct cx_call *c, int ret, const char *fmt, ...);
/* Argument i as a number, or none. */
uint32_t cx_arg(const struct cx_call *c, int i, uint32_t none);
/* The open device that argument i names (0 without one), or NULL. */
struct cx_dev *cx_arg_device(const struct cx_call *c, int i);

int cx_show_violations(struct cx_call *c), cx_show_stats(struct cx_call *c),
	cx_show_objects(struct cx_call *c), cx_show_queues(struct cx_call *c);

#endif
