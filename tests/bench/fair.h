/* SPDX-License-Identifier: BSD-2-Clause */
/* What bench-fair and bench-many share: a client that measures round trips over a port that
 * reflects, and neighbours of its on the same poller. The caller works the rings of all of them. */
#ifndef BENCH_FAIR_H
#define BENCH_FAIR_H

#include "bench.h"
#include "frame.h"
#include "serve.h"

/* An attachment whose tx slots all hold the frame, in `bufs` different buffers. */
struct rawnet_queue *fair_sender(struct rawnet_attachment *at, uint32_t bufs);
/* Every tx slot that the daemon is done with is published again, at most `most`. */
void fair_refill(struct rawnet_queue *q, uint32_t most);
/* One packet there and back: ticks. sleep: waits for it in poll(2), else it looks. */
uint64_t fair_trip(struct rawnet_queue *q, bool sleep);
/* Buffers of what came are posted again. */
void fair_read(struct rawnet_queue *q);

#endif
