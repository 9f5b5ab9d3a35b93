/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of the neighbour responder: who asks, and what a question looks like on the wire. */
#ifndef NEIGH_FRAMES_H
#define NEIGH_FRAMES_H

#include <arpa/inet.h>

#include "net_frames.h"

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 0x77};
static const uint8_t asker_mac[6] = {2, 0, 0, 0, 0, 0x20};

static inline uint32_t arp_request(uint8_t *f, const char *from, const char *who)
{
	static const uint8_t head[22] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,
					 0x20, 8,    6,	   0,	 1,    8,    0, 6, 4, 0, 1};

	memset(f, 0, 60);
	memcpy(f, head, sizeof(head));
	memcpy(f + 22, asker_mac, 6);
	inet_pton(AF_INET, from, f + 28);
	inet_pton(AF_INET, who, f + 38);
	return 60;
}

#endif
