/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a ConnectX offers beyond verbs, and what of it is used.
 *
 * How many bytes of a frame must stand in the request is in no public query: the kernel tells
 * libmlx5, which keeps it to itself. ConnectX-4 and 4 Lx need 18 (VLAN header included), later
 * chips none (their default; a hypervisor can ask for more of a virtual function's, which the first
 * frame then shows as an error). Part numbers: drivers/net/ethernet/mellanox/mlx5/core/main.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "mlx5.h"

void rn_mlx5_environment(void)
{
	/* Size and form of completions, queues and registers are ours to decide. */
	static const char *const names[] = {
		"MLX5_CQE_SIZE",	"MLX5_SCATTER_TO_CQE",
		"MLX5_SHUT_UP_BF",	"MLX5_POST_SEND_PREFER_BF",
		"MLX5_SINGLE_THREADED", "MLX5_QP_SIGNATURE",
		"MLX5_SRQ_SIGNATURE",	"MLX5_STALL_CQ_POLL",
		"MLX5_STALL_NUM_LOOP",	"MLX_CQ_ALLOC_TYPE",
		"MLX_QP_ALLOC_TYPE",	"MLX_RWQ_ALLOC_TYPE",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

static uint32_t min_inline(uint32_t part)
{
	return part >= 0x1013 && part <= 0x1016 ? 18 : 0;
}

static bool has_clock(struct ibv_context *ctx)
{
	struct rn_mlx5_clock clock;

	return rn_mlx5_clock_open(&clock, ctx);
}

int rn_mlx5_features(struct ibv_context *ctx, const struct rn_rdma_caps *caps,
		     struct rn_mlx5_features *has, const char *dev, struct rn_err *err)
{
	struct mlx5dv_context dv = {.comp_mask = MLX5DV_CONTEXT_MASK_CQE_COMPRESION |
						 MLX5DV_CONTEXT_MASK_CLOCK_INFO_UPDATE};
	int rc;

	if (!mlx5dv_is_supported(ctx->device))
		return rn_fail(err, -ENODEV,
			       "%s: %s is not driven by mlx5: backend = \"verbs\" may serve it",
			       dev, ibv_get_device_name(ctx->device));
	rc = mlx5dv_query_device(ctx, &dv);
	if (rc)
		return rn_fail(err, -rc, "%s: its device cannot be queried: error %d", dev, rc);
	if (!(dv.flags & MLX5DV_CONTEXT_FLAGS_CQE_V1))
		return rn_fail(err, -EOPNOTSUPP,
			       "%s: the device writes completions of version 0: too old", dev);
	*has = (struct rn_mlx5_features) {
		.min_inline = min_inline(caps->part),
		.compress = dv.cqe_comp_caps.max_num > 1 &&
			    (dv.cqe_comp_caps.supported_format & MLX5DV_CQE_RES_FORMAT_HASH),
		.clock = caps->stamps && has_clock(ctx),
	};
	has->insert_tag = !has->min_inline;
	has->empw = (dv.flags & MLX5DV_CONTEXT_FLAGS_ENHANCED_MPW) && !has->min_inline;
	return 0;
}
