/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frames that rawnet-pktgen makes: Ethernet, IPv4 or IPv6, UDP, and a mark in the first 16
 * bytes of the payload, all else zero.
 *
 *   magic    u32  of this run: says that the frame is ours
 *   number   u32  counts up by one over all flows
 *   time     u64  nanoseconds CLOCK_MONOTONIC when it was made
 *
 * The flow is the number modulo the count of flows; it goes to the destination port that is so far
 * behind the first. Checksums are right; what changes from frame to frame is added to the sum of
 * the rest. Pure functions.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stdint.h>

#define PROBE_MARK  16u
#define PROBE_MAGIC 0x526e0000u /* the upper half of every magic */

struct probe_addresses {
	uint8_t dmac[6], smac[6];
	uint8_t family; /* 4 or 6 */
	uint8_t src[16], dst[16]; /* IPv4 in the first four bytes */
	uint16_t sport, dport; /* dport: of flow 0 */
	uint16_t flows;
	uint32_t magic;
};

/* The headers of all frames of a run, made once. */
struct probe_template {
	uint8_t header[14 + 40 + 8];
	uint32_t l4, payload; /* offsets */
	uint32_t magic;
	uint32_t ip_sum, udp_sum; /* of all that does not change */
	uint16_t dport, flows;
	bool v4;
};

struct probe_mark {
	uint32_t number;
	uint64_t time;
};

void probe_template(struct probe_template *t, const struct probe_addresses *a);

/* The shortest frame that holds the mark: 60 (IPv4), 78 (IPv6). */
uint32_t probe_least(const struct probe_template *t);

/* Writes a frame of `size` bytes but for the zeros behind the mark, which must be there. */
void probe_write(const struct probe_template *t, uint8_t *frame, uint32_t size,
		 const struct probe_mark *mark);

/* The mark of a received frame, tagged or not, with any ports: true if it is one of this magic.
 * Magic 0 takes any, and stores it. */
bool probe_read(const uint8_t *frame, uint32_t len, uint32_t *magic, struct probe_mark *mark);

#endif
