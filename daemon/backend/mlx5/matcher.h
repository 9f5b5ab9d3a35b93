/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows of the device by matchers. Control thread. */
#ifndef RN_MLX5_MATCHER_H
#define RN_MLX5_MATCHER_H

#include <infiniband/mlx5dv.h>

#include "match.h"

struct rn_mlx5_port;
struct rn_mlx5_flow;

struct rn_mlx5_flow_attr {
	struct rn_match value, mask;
	uint16_t priority;
	bool egress;
};

/* NULL: errno says why not. */
struct rn_mlx5_flow *rn_mlx5_flow_make(struct rn_mlx5_port *m, const struct rn_mlx5_flow_attr *a,
				       struct mlx5dv_flow_action_attr *actions, size_t n);
void rn_mlx5_flow_unmake(struct rn_mlx5_port *m, struct rn_mlx5_flow *flow); /* or NULL */

#endif
