/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef XC_FORWARD_H
#define XC_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include <rawnet/client.h>

struct xc_count {
	uint64_t frames, bytes;
	uint64_t too_long; /* for the port that they should leave by */
};

/* Moves up to a burst of frames from the rx ring of one queue to the tx ring of another, which may
 * be the same: how many left the rx ring. Within an attachment buffers change places, between two
 * the frames are copied. */
uint32_t xc_forward(struct rawnet_queue *from, struct rawnet_queue *to, bool exchange,
		    struct xc_count *count);

#endif
