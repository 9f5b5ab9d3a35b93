/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An L2 cross-connect by calls of libibverbs and nothing else: no client, no rings, no checks, one
 * copy of each packet. What the verbs backend cannot be below: the provider's library takes it for
 * the same requests and completions, of packets in the same numbers. The calls are the cheapest
 * that there are: completion queues and domains of one thread, fields read one by one, calls for
 * each request (ibv_poll_cq() and its like take as long for a completion and do not tell of flow
 * tags; ibv_post_send() takes a quarter longer for a request).
 */
#ifndef BENCH_MLX5_BARE_H
#define BENCH_MLX5_BARE_H

#include "mlx5_lab.h"

struct bare;

/* Receives on one interface's device UDP to port 5000, and sends on the other's. */
struct bare *bare_open(const char *in, const char *out);
/* Receives up to LAB_BURST packets, sends a copy of each, posts the buffers again: how many. */
unsigned bare_turn(struct bare *b);

#endif
