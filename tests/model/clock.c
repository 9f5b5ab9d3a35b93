/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's clock: a free-running counter of 156.25 MHz, which is 5 ticks in 32 ns.
 *
 * Page 0 of the clock pages holds the counter as two big-endian words (libmlx5: mlx5_read_clock),
 * renewed each turn; page 1 holds struct mlx5_ib_clock_info, renewed ten times a second under its
 * sequence number, as the kernel's timer does.
 */
#include <rdma/mlx5-abi.h>
#include <time.h>

#include "model.h"

#define SHIFT  20
#define MULT   6710886u /* 6.4 ns in units of 2^-20 */
#define MASK   0x7fffffffffffffffull
#define PERIOD 100000000ull

static struct mlx5_ib_clock_info *info(struct cx_dev *dev)
{
	return (void *)(dev->clock.map + CX_UAR_PAGE);
}

static void publish(struct cx_dev *dev)
{
	struct mlx5_ib_clock_info *i = info(dev);
	_Atomic uint32_t *sign = (_Atomic uint32_t *)&i->sign;
	uint32_t s = atomic_load_explicit(sign, memory_order_relaxed);
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	atomic_store_explicit(sign, s | MLX5_IB_CLOCK_INFO_KERNEL_UPDATING, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	i->nsec = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	i->cycles = dev->now;
	i->frac = 0;
	i->mult = MULT;
	i->shift = SHIFT;
	i->mask = MASK;
	i->overflow_period = 10 * PERIOD;
	atomic_store_explicit(sign, (s | MLX5_IB_CLOCK_INFO_KERNEL_UPDATING) + 1,
			      memory_order_release);
}

void cx_clock_tick(struct cx_dev *dev, uint64_t ns)
{
	uint32_t words[2];

	dev->now = (ns / 32 * 5 + ns % 32 * 5 / 32) & MASK;
	cx_put32(&words[0], (uint32_t)(dev->now >> 32));
	cx_put32(&words[1], (uint32_t)dev->now);
	memcpy(dev->clock.map, words, sizeof(words));
	if (dev->now - info(dev)->cycles > PERIOD / 32 * 5)
		publish(dev);
}

void cx_clock_init(struct cx_dev *dev)
{
	cx_clock_tick(dev, cx_now_ns());
	publish(dev);
}
