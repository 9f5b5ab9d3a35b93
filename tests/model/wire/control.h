/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: drivers attach here, and cx-wirectl sends its command lines. Whoever may open
 * the socket may do everything.
 */
#ifndef CX_CONTROL_H
#define CX_CONTROL_H

#include <stddef.h>

/* Listens on path; what a killed wire process left there is replaced, a living one is not.
 * 0, or -errno with a sentence. */
int cx_control_open(const char *path, char *err, size_t size);

/* Also removes the socket file. */
void cx_control_close(void);

#endif
