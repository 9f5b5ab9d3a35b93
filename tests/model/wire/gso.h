/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel hands out of a netdev is not yet what a wire carries: checksums may be missing,
 * and up to 64 KiB may stand in one packet. This finishes such a packet, described by its
 * virtio_net_hdr (linux/virtio_net.h, host byte order), into frames. Pure functions.
 */
#ifndef CX_GSO_H
#define CX_GSO_H

#include <linux/virtio_net.h>
#include <stdint.h>

typedef void (*cx_frame_fn)(void *ctx, const uint8_t *frame, uint32_t len);

/* Calls emit for each finished frame. The packet is used as scratch. Frames longer than
 * CX_FRAME_MAX are refused. 0, or -EINVAL: the header does not fit the packet, -EMSGSIZE,
 * -EOPNOTSUPP: a kind of segmentation other than TCP and UDP over IPv4 and IPv6. */
int cx_gso_finish(const struct virtio_net_hdr *h, uint8_t *packet, uint32_t len, cx_frame_fn emit,
		  void *ctx);

#endif
