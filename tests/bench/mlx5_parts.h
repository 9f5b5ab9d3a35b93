/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of bench-mlx5, each a process on devices of its own. See mlx5.c. */
#ifndef BENCH_MLX5_PARTS_H
#define BENCH_MLX5_PARTS_H

#include "bench.h"

/* Ways through the poller, against each other and against DPDK (file of samples, or NULL and why).
 */
void part_paths(unsigned rounds, const char *dpdk, const char *no_dpdk);
/* 256 attachments. */
void part_many(unsigned rounds);
/* From port to port. */
void part_cross(unsigned rounds);
/* One way alone, `rounds` windows, for an instruction count: packets moved. */
unsigned part_count(const char *way, unsigned rounds);

/* A figure in ticks a packet. */
void part_report(const char *what, const struct bench_samples *ours, double bound,
		 const char *note);
/* The fastest quarter: what nobody else on the machine disturbed. */
void part_keep_fast(struct bench_samples *s);

#endif
