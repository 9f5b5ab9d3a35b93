/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Times of arrival, by the device's own clock. A completion carries the device's free-running
 * counter of when the packet came. The driver's clock page converts it to nanoseconds of the device
 * (mlx5dv.h, mlx5dv_ts_to_ns()); those run on by themselves, unless somebody disciplines them, so
 * they are set against CLOCK_REALTIME every RN_CLOCK_PERIOD_NS of packets: the counter is read
 * between two looks at the clock, and half of what lies between them is the error, some
 * microseconds at most.
 *
 * One for each poller of a port, which alone touches it. A packet costs a multiplication and a
 * shift; each period three reads of a register of the device, no system call.
 */
#ifndef RN_MLX5_CLOCK_H
#define RN_MLX5_CLOCK_H

#include <infiniband/mlx5dv.h>
#include <stdbool.h>
#include <stdint.h>

#define RN_CLOCK_PERIOD_NS 100000000ull

struct rn_mlx5_clock {
	struct ibv_context *ctx;
	struct mlx5dv_clock_info info;
	uint64_t skew; /* CLOCK_REALTIME less nanoseconds of the device, modulo 2^64 */
	uint64_t read_at; /* the counter, when the two were set against each other */
	uint64_t period; /* ticks in RN_CLOCK_PERIOD_NS */
};

/* False: the device has no counter that can be read and converted, and ctx is NULL. */
bool rn_mlx5_clock_open(struct rn_mlx5_clock *c, struct ibv_context *ctx);

/* Nanoseconds of CLOCK_REALTIME when the counter stood so; 0 if the device does not answer any
 * more. */
uint64_t rn_mlx5_clock_time(struct rn_mlx5_clock *c, uint64_t ticks);

#endif
