/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnet-pktgen: one thread that sends on one queue and receives on all queues of an attachment, so
 * that frames and what comes of them have one clock.
 */
#ifndef GEN_H
#define GEN_H

#include "options.h"

struct gen {
	struct gen_options options;
	struct rawnet *rn;
	struct stream *stream; /* of the options */
	int stop_fd;
	struct gen_replay *replay;
};

/* One run: what was sent, and what came of it. */
struct gen_result {
	uint64_t sent, sent_bytes;
	uint64_t began_ns, ended_ns; /* sending; of a receiver: first and last frame */
	struct track track;
};

/* port.c: attaches and adds the rule that the mode needs; 0, or -errno and said why. */
int gen_open(struct gen *g);

/* run.c: sends at this rate (0: as fast as possible) and receives, until count, seconds or a
 * signal, and then what is still under way. 0, or -errno and said why. */
int gen_run(struct gen *g, double frames_per_second, struct gen_result *result);

/* search.c, report.c: exit codes. */
int gen_search(struct gen *g);
int gen_report(const struct gen *g, const struct gen_result *r);
/* A line on the way, on stderr: what happened since `before`. */
void gen_report_line(const struct gen_result *r, const struct gen_result *before, double seconds);

/* replay.c */
int gen_replay_load(const char *path, uint32_t max_frame, struct gen_replay **replay);
void gen_replay_free(struct gen_replay *replay);
/* Frame k of the capture, counted on over its repetitions. */
const uint8_t *gen_replay_frame(const struct gen_replay *replay, uint64_t k, uint32_t *len);
/* When frame k is due: nanoseconds after the first, at this speed. */
uint64_t gen_replay_due(const struct gen_replay *replay, uint64_t k, double speed);
uint64_t gen_replay_count(const struct gen_replay *replay);

#endif
