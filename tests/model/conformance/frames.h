/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for the conformance tests, and an arithmetic of its own to check the device's with.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdbool.h>
#include <stdint.h>

struct frame {
	uint8_t b[2048];
	uint32_t len;
	uint32_t l3, l4, payload; /* offsets */
};

struct frame_attr {
	const uint8_t *dst, *src; /* NULL: the port's address; 02:00:00:00:00:99 */
	int vlan; /* TCI; 0: no tag */
	bool six, tcp;
	uint32_t from, to; /* IPv4 addresses; 0: 10.0.0.1, 10.0.0.2; IPv6: last word of fd00:: */
	uint16_t sport, dport; /* 0: 1000, 2000 */
	uint32_t payload; /* bytes */
	uint8_t tos, flags; /* TCP flags; 0: ACK */
	bool no_sums; /* leave the checksums 0 */
};

extern const uint8_t port_mac[6];

/* A frame with correct checksums; payload byte i is i. */
void frame_make(struct frame *f, const struct frame_attr *a);
/* Ones' complement sum of len bytes, not inverted. */
uint16_t frame_sum(const uint8_t *p, uint32_t len, uint32_t start);
/* Are the checksums of this frame right? Finds the headers by itself. */
bool frame_l3_right(const uint8_t *p);
bool frame_l4_right(const uint8_t *p, uint32_t len);

#endif
