/* SPDX-License-Identifier: BSD-2-Clause */
/* A pcap file of what is on the wire at one end, both directions, nanosecond stamps. */
#ifndef CX_CAPTURE_H
#define CX_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

struct cx_capture;

int cx_capture_open(const char *path, struct cx_capture **capture, char *err, size_t size);
void cx_capture_frame(struct cx_capture *capture, const uint8_t *frame, uint32_t len);
void cx_capture_flush(struct cx_capture *capture);
void cx_capture_close(struct cx_capture *capture);

#endif
