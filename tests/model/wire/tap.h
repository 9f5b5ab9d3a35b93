/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel side of an end: a TAP netdev that lives exactly as long as its descriptor.
 *
 * No virtio header and no offload is switched on (linux/if_tun.h), so the kernel computes every
 * checksum and segments before we read, and verifies every checksum after we write: what passes
 * here is what a wire would carry. VLAN tags are in place in both directions.
 */
#ifndef CX_TAP_H
#define CX_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Creates the netdev in the current network namespace: the descriptor, non-blocking, or -errno with
 * a sentence. The netdev is down, as any new interface. */
int cx_tap_open(const char *name, const uint8_t mac[6], uint32_t mtu, char *err, size_t size);

/* One frame out of the netdev into buf: its length, 0 if there is none, -errno if it is gone. */
int cx_tap_read(int fd, void *buf, uint32_t size);

/* One frame into the netdev: 0, or -errno, e.g. -EIO while it is down. */
int cx_tap_write(int fd, const void *frame, uint32_t len);

void cx_tap_set_carrier(int fd, bool on);

#endif
