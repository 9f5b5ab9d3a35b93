/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver attached to an end: the wire process's side of the shared memory (wire.h).
 *
 * It ends when the driver detaches, when its process dies (the connection's end of file, or the
 * process itself, when a child keeps the connection open), or when it writes nonsense into the
 * rings. At that moment whatever lies in the rings is delivered by the default path: what it sent
 * to the wire, the rest to the netdev. A frame that the driver had in hand may so reach the netdev
 * twice; none is lost, except from a ring that is broken.
 */
#ifndef CX_DRIVER_H
#define CX_DRIVER_H

#include "end.h"

/* Makes the shared memory, answers with it on sock (keeping a duplicate), puts the end into the
 * driver's hands. 0, or -errno with a sentence. */
int cx_driver_attach(struct cx_end *end, int sock, char *err, size_t size);
void cx_driver_detach(struct cx_driver *driver);

int cx_driver_pid(const struct cx_driver *driver);

/* A frame from the wire; false if its ring is full. */
bool cx_driver_deliver(struct cx_driver *driver, const uint8_t *frame, uint32_t len);

/* Moves what the driver sent, within a budget; the number of frames. May end the attachment. */
int cx_driver_poll(struct cx_driver *driver);

/* Wakes the driver if it sleeps and there is something for it: once a turn. */
void cx_driver_flush(struct cx_driver *driver);

/* Publishes the port's link and MTU, and wakes the driver. */
void cx_driver_tell(struct cx_driver *driver);

/* Announces that the loop will block; false if there is something to do already. */
bool cx_driver_sleep(struct cx_driver *driver);
void cx_driver_wake(struct cx_driver *driver);

#endif
