/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules and frames at random, made of few values so that rules hit often; also what is broken, cut
 * short or stacked too deep. The same ones in every run.
 */
#ifndef XDP_RANDOM_H
#define XDP_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 513 /* random ones are shorter */

struct bytes {
	uint8_t b[FRAME_MAX];
	uint32_t n;
};

uint32_t roll(uint32_t n); /* 0 to n - 1 */
void random_match(char *text, size_t size); /* of the grammar */
void random_frame(struct bytes *f);

#endif
