/* SPDX-License-Identifier: BSD-2-Clause */
/* For what runs the XDP program without a port: a rule table that leads to the program alone. */
#ifndef XDP_TABLE_H
#define XDP_TABLE_H

#include "backend/xdp/program.h"
#include "steer.h"

static inline int xdp_table_shapes(void *ctx, const struct rn_shape *const *order, unsigned n,
				   struct rn_err *err)
{
	return rn_xdp_program_shapes(ctx, order, n, err);
}

static inline int xdp_table_add(void *ctx, struct rn_rule *rule, struct rn_err *err)
{
	return rn_xdp_program_add(ctx, rule, err);
}

static inline void xdp_table_del(void *ctx, struct rn_rule *rule)
{
	rn_xdp_program_del(ctx, rule);
}

static const struct rn_steer_ops xdp_table = {
	.shapes = xdp_table_shapes, .add = xdp_table_add, .del = xdp_table_del};

#endif
