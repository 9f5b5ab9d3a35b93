/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the port is plugged into (wire.c): a loop, a sink, a generator, a test's hands, or an end of
 * the wire process. Lock held; called by the device thread unless a call says otherwise.
 */
#ifndef CX_WIRES_H
#define CX_WIRES_H

#include "model.h"

/* 0, or -errno with a sentence printed. Any thread. */
int cx_wire_open(struct cx_dev *dev);
void cx_wire_close(struct cx_dev *dev);
/* Sends to the wire; false: no room, try again later. */
bool cx_wire_send(struct cx_dev *dev, const uint8_t *data, uint32_t len);
/* Is there room for what one WQE may send? */
bool cx_wire_ready(struct cx_dev *dev);
/* Receives up to budget frames (cx_dev_receive); returns how many. */
int cx_wire_poll(struct cx_dev *dev, int budget);
/* A frame that no rule took. */
void cx_wire_miss(struct cx_dev *dev, const uint8_t *data, uint32_t len);
bool cx_wire_has_kernel(const struct cx_dev *dev);
bool cx_wire_link(struct cx_dev *dev);
uint32_t cx_wire_mtu(const struct cx_dev *dev);
void cx_wire_flush(struct cx_dev *dev);
/* For the test wire; any thread. */
int cx_wire_inject(struct cx_dev *dev, const void *data, uint32_t len);
int cx_wire_capture(struct cx_dev *dev, void *data, uint32_t size);

#endif
