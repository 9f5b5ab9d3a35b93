/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device without compression, and the part numbers of the others. Four devices:
 * cx5-nocomp, cx5, cx6dx, cx4lx.
 */
#include "lab.h"

static void compression_is_refused(void **state)
{
	struct mlx5dv_context dv = {.comp_mask = MLX5DV_CONTEXT_MASK_CQE_COMPRESION};
	struct ibv_cq_init_attr_ex attr = {.cqe = 63, .wc_flags = IBV_WC_STANDARD_FLAGS};
	struct mlx5dv_cq_init_attr cq = {.comp_mask = MLX5DV_CQ_INIT_ATTR_MASK_COMPRESSED_CQE,
					 .cqe_comp_res_format = MLX5DV_CQE_RES_FORMAT_HASH};
	struct lab lab;

	(void)state;
	lab_open(&lab, NULL);
	assert_int_equal(mlx5dv_query_device(lab.ctx, &dv), 0);
	assert_int_equal(dv.cqe_comp_caps.supported_format, 0);
	assert_null(mlx5dv_create_cq(lab.ctx, &attr, &cq));
	lab_close(&lab);
	lab_clean();
}

static void four_devices(void **state)
{
	static const struct {
		const char *name;
		uint32_t part, formats;
		bool empw;
	} want[] = {{"mlx5_0", 0x1017, 0, true},
		    {"mlx5_1", 0x1017, 3, true},
		    {"mlx5_two", 0x101d, 3, true},
		    {"mlx5_3", 0x1015, 3, false}};
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct mlx5dv_context dv = {.comp_mask = MLX5DV_CONTEXT_MASK_CQE_COMPRESION};
		struct ibv_device_attr attr;
		struct lab lab;

		lab_open(&lab, want[i].name);
		assert_int_equal(ibv_query_device(lab.ctx, &attr), 0);
		assert_int_equal(attr.vendor_part_id, want[i].part);
		assert_int_equal(mlx5dv_query_device(lab.ctx, &dv), 0);
		assert_int_equal(dv.cqe_comp_caps.supported_format, want[i].formats);
		assert_int_equal((dv.flags & MLX5DV_CONTEXT_FLAGS_ENHANCED_MPW) != 0, want[i].empw);
		lab_close(&lab);
	}
	lab_clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compression_is_refused),
		cmocka_unit_test(four_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
