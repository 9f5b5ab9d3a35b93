/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An L2 cross-connect by calls of libibverbs and nothing else: no client, no rings, no checks, one
 * copy of each packet. What the verbs backend cannot be below: the provider's library takes it for
 * the same requests and completions, of packets in the same numbers.
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
