/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Linux interface as the far side of a wire: what it receives comes out of the wire, and what
 * goes into the wire it transmits. A packet socket (packet(7)) that sees every frame, with virtio
 * headers, so that packets which the kernel has not finished are finished here (gso.h), and with
 * auxiliary data, so that stripped VLAN tags are put back.
 *
 * The kernel keeps receiving on the interface too: it should carry no address.
 */
#ifndef CX_IFACE_H
#define CX_IFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gso.h"

struct cx_iface;

/* 0, or -errno with a sentence. */
int cx_iface_open(const char *name, struct cx_iface **iface, char *err, size_t size);
void cx_iface_close(struct cx_iface *iface);

int cx_iface_fd(const struct cx_iface *iface);
int cx_iface_index(const struct cx_iface *iface);
const char *cx_iface_name(const struct cx_iface *iface);

/* Hands some `budget` of what was received to emit: packets read, 0 if there are none. *lost counts
 * those that could not be made into frames, and those that the socket had no room for. */
int cx_iface_receive(struct cx_iface *iface, int budget, cx_frame_fn emit, void *ctx,
		     uint64_t *lost);

/* Queues a frame; a full batch is sent at once. Returns the number of frames that the kernel
 * refused, as cx_iface_flush does, which sends what is queued. */
unsigned int cx_iface_send(struct cx_iface *iface, const uint8_t *frame, uint32_t len);
unsigned int cx_iface_flush(struct cx_iface *iface);

#endif
