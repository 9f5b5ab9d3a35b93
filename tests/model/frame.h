/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame as the device's parser sees it, and the arithmetic of checksums and hashes.
 * Pure functions; every access is within [data, data + len).
 */
#ifndef CX_FRAME_H
#define CX_FRAME_H

#include <stdbool.h>
#include "formats.h"

struct cx_frame {
	const uint8_t *data;
	uint32_t len;
	uint32_t l3, l4, payload; /* offsets; l4 and payload 0 when there is no such header */
	uint32_t l3_len; /* bytes of L3 header and its payload, by the IP length */
	uint16_t type; /* ethertype after the tags */
	uint16_t tci; /* of the outer tag */
	uint8_t tags; /* number of VLAN tags */
	bool cvlan, svlan;
	uint8_t ip; /* 4, 6 or 0 */
	uint8_t proto; /* of the last header that was understood */
	bool fragment;
	bool l3_ok, l4_ok; /* checksums, verified */
	/* Of a frame that is received again and again (generator.c); else NULL, and 0. */
	const struct cx_fte *fte;
	bool summed;
	uint16_t sum; /* what cx_frame_sum says */
};

/* verify: also checks the checksums. */
void cx_frame_parse(struct cx_frame *f, const uint8_t *data, uint32_t len, bool verify);
/* The frame's match parameters (outer headers and misc). */
void cx_frame_fte(const struct cx_frame *f, struct cx_fte *k);

/* The ones' complement sum of what follows the Ethernet header, as the CQE has it. */
uint16_t cx_frame_sum(const struct cx_frame *f);

uint32_t cx_sum(const uint8_t *data, uint32_t len, uint32_t sum);
uint16_t cx_fold(uint32_t sum);
uint32_t cx_crc32(const uint8_t *data, uint32_t len);
/* Computes the checksums that a send asked for; what it cannot parse, it leaves. */
void cx_frame_csum(uint8_t *data, uint32_t len, bool l3, bool l4);

/* Toeplitz over the fields (MLX5_RX_HASH_*); type gets CX_RSS_TYPE_*. */
uint32_t cx_frame_hash(const struct cx_frame *f, const uint8_t key[40], uint64_t fields,
		       uint8_t *type);
uint32_t cx_toeplitz(const uint8_t key[40], const uint8_t *data, uint32_t len);

#endif
