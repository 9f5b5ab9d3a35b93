/* SPDX-License-Identifier: BSD-2-Clause */
/* See clock.h. */
#include "clock.h"

#include "../backend.h"

#define READINGS 3 /* the one that took the shortest counts */

/* libmlx5 gives the counter as nanoseconds of raw_clock. */
static bool read_counter(struct ibv_context *ctx, uint64_t *ticks)
{
	struct ibv_values_ex v = {.comp_mask = IBV_VALUES_MASK_RAW_CLOCK};

	if (ibv_query_rt_values_ex(ctx, &v) || !(v.comp_mask & IBV_VALUES_MASK_RAW_CLOCK))
		return false;
	*ticks = (uint64_t)v.raw_clock.tv_nsec;
	return true;
}

static bool set(struct rn_mlx5_clock *c)
{
	uint64_t best = UINT64_MAX, wall = 0;

	for (int i = 0; i < READINGS; i++) {
		uint64_t before = rn_wall_ns(), ticks, took;

		if (!read_counter(c->ctx, &ticks))
			return false;
		took = rn_wall_ns() - before;
		if (took >= best)
			continue;
		best = took;
		wall = before + took / 2;
		c->read_at = ticks;
	}
	if (mlx5dv_get_clock_info(c->ctx, &c->info) || !c->info.mult)
		return false;
	c->skew = wall - mlx5dv_ts_to_ns(&c->info, c->read_at);
	c->period = (RN_CLOCK_PERIOD_NS << c->info.shift) / c->info.mult;
	return true;
}

bool rn_mlx5_clock_open(struct rn_mlx5_clock *c, struct ibv_context *ctx)
{
	c->ctx = ctx;
	if (set(c))
		return true;
	c->ctx = NULL;
	return false;
}

/* Of before the counter was read, or soon after it. A packet waits no longer in its ring than the
 * driver's conversion reaches back, which is seconds. */
static bool is_covered(const struct rn_mlx5_clock *c, uint64_t ticks)
{
	uint64_t since = (ticks - c->read_at) & c->info.mask;

	return since <= c->period || since > c->info.mask / 2;
}

uint64_t rn_mlx5_clock_time(struct rn_mlx5_clock *c, uint64_t ticks)
{
	if (__builtin_expect(!is_covered(c, ticks), 0) && !set(c))
		return 0;
	return mlx5dv_ts_to_ns(&c->info, ticks) + c->skew;
}
