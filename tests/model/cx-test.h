/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a test that runs on the device can ask of it. The symbols are weak: they are there only
 * under the launcher (cx-run); compare with NULL. Any thread.
 */
#ifndef CX_TEST_H
#define CX_TEST_H

#include <stddef.h>

/* One command line of the control socket (README.md); the answer, a text, in out. 0 or -errno. */
__attribute__((weak)) int cx_control(const char *line, char *out, size_t size);

/* How often a rule of the referee was broken; NULL: any rule. */
__attribute__((weak)) unsigned long long cx_violations(const char *rule);

/* wire=test: puts a frame on the wire to device dev (0..). 0, -ENOBUFS, -EINVAL. */
__attribute__((weak)) int cx_inject(int dev, const void *frame, unsigned int len);

/* wire=test: takes the oldest frame that the device sent; its length, or -EAGAIN. */
__attribute__((weak)) int cx_capture(int dev, void *frame, unsigned int size);

#endif
