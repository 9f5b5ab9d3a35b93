/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Capture files of the loop backend: a whole file in memory as a source, or a file that frames are
 * appended to. libpcap reads and writes the format; Ethernet link type only.
 */
#ifndef RN_CAPTURE_H
#define RN_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#include "../../err.h"

struct rn_capture;

/* Control thread. Frames longer than max_frame or cut short in the file are an error. */
int rn_capture_load(const char *path, uint32_t max_frame, struct rn_capture **c,
		    struct rn_err *err);
int rn_capture_create(const char *path, struct rn_capture **c, struct rn_err *err);
void rn_capture_close(struct rn_capture *c);

/* Pollers. Writing takes a lock and may wait for the disk: this backend is for tests. */
uint32_t rn_capture_count(const struct rn_capture *c);
/* All frames, one behind the other: frame i is the bytes from start[i] to start[i + 1]. */
struct rn_capture_frames {
	const uint8_t *bytes;
	const size_t *start;
};
struct rn_capture_frames rn_capture_frames(const struct rn_capture *c);
void rn_capture_write(struct rn_capture *c, const uint8_t *frame, uint32_t len);

#endif
