/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnet-pktgen: its command line. */
#ifndef GEN_OPTIONS_H
#define GEN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys.h"
#include "stream.h"

enum gen_mode {
	GEN_SEND, /* and receive what comes back, or arrives at another port */
	GEN_SEARCH, /* the same again and again, for the highest rate without loss */
	GEN_RECEIVE,
	GEN_REPLAY
};

struct gen_options {
	const char *socket, *label; /* NULL: the library's default, none */
	bool json;
	double interval; /* seconds between lines on the way; 0: none */
	double seconds; /* 0: without end */
	double wait; /* seconds without a frame, until nothing is expected any more */
	uint64_t count; /* frames; 0: without end */
	enum gen_mode mode;
	const char *dev;
	struct stream stream;
	uint32_t size_min, size_max; /* of the frame without FCS; 0: the shortest */
	bool imix;
	struct value_rate rate;
	double low, high; /* search: frames in a second */
	const char *file; /* replay */
	uint64_t times; /* replay: how often */
	double speed; /* replay: of the capture's own, 1 is as it was */
	char match[RAWNET_MATCH_TEXT]; /* receive */
};

/* options.c: 0; 1 for -h or -V, which were printed; or -EINVAL, having said what is wrong. */
int gen_options(struct gen_options *o, int argc, char **argv);

/* ---- keys.c ---- */

/* Keys with values, as the mode takes them, to the end of the words: 0 or -EINVAL. */
int gen_keys(struct gen_options *o, char *const *words);

/* A rate in frames a second for frames of the mean size. */
double gen_frames_per_second(const struct gen_options *o, const struct value_rate *rate);

/* The size of a frame by its number; the least that is possible is known by now. */
uint32_t gen_size(const struct gen_options *o, uint32_t number);

#endif
