/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of cx-wirectl, as the wire process executes them. */
#ifndef CX_COMMAND_H
#define CX_COMMAND_H

#include <stddef.h>

/* Runs a command line (cut into words in place). Fills out with what to print, or on -errno with a
 * sentence. */
int cx_command_run(char *line, char *out, size_t size);

#endif
