/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects: every kind is made and goes; what the device has not is refused as the kernel refuses
 * it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lab.h"

static struct lab lab;

static int setup(void **state)
{
	(void)state;
	lab_open(&lab, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_close(&lab);
	lab_clean();
	return 0;
}

static uint32_t objects(const char *kind)
{
	char out[512], key[64], *at;

	assert_int_equal(cx_control("objects", out, sizeof(out)), 0);
	snprintf(key, sizeof(key), "%s ", kind);
	at = strstr(out, key);
	return at ? (uint32_t)strtoul(at + strlen(key), NULL, 10) : 0;
}

static void every_object_comes_and_goes(void **state)
{
	static const char *const kinds[] = {"PD", "MR", "CQ", "QP", "WQ", "indirection", "flow"};
	struct lab_sq sq;
	struct lab_rq rq;
	struct ibv_flow *f;
	size_t i;

	(void)state;
	assert_int_equal(objects("PD"), 1);
	assert_int_equal(objects("MR"), 1);
	lab_sq_new(&lab, &sq, 64);
	lab_rq_new(&lab, &rq, NULL);
	f = lab_flow_all(rq.qp);
	assert_int_equal(objects("CQ"), 2);
	assert_int_equal(objects("QP"), 2);
	assert_int_equal(objects("WQ"), 1);
	assert_int_equal(objects("table"), 1);
	assert_int_equal(objects("flow"), 1);
	assert_int_equal(ibv_destroy_flow(f), 0);
	lab_sq_free(&sq);
	lab_rq_free(&rq);
	for (i = 2; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_int_equal(objects(kinds[i]), 0);
}

static void an_object_in_use_is_not_destroyed(void **state)
{
	struct lab_rq rq;
	struct ibv_flow *f;

	(void)state;
	lab_rq_new(&lab, &rq, NULL);
	f = lab_flow_all(rq.qp);
	assert_int_equal(ibv_destroy_qp(rq.qp), EBUSY);
	assert_int_equal(ibv_destroy_rwq_ind_table(rq.ind), EBUSY);
	assert_int_equal(ibv_destroy_wq(rq.wq), EBUSY);
	assert_int_equal(ibv_destroy_cq(rq.cq.cq), EBUSY);
	assert_int_equal(ibv_dealloc_pd(lab.pd), EBUSY);
	assert_int_equal(ibv_destroy_flow(f), 0);
	lab_rq_free(&rq);
}

static void queue_sizes_are_the_drivers(void **state)
{
	struct lab_sq sq;
	struct lab_rq rq;

	(void)state;
	/* One data segment, no inline, no TSO: a WQE is one WQEBB (guide 1.2). */
	lab_sq_new(&lab, &sq, 128);
	assert_int_equal(sq.dv.sq.wqe_cnt, 128);
	assert_int_equal(sq.dv.sqn, sq.qp->qp_num);
	assert_int_not_equal(sq.dv.tisn, 0);
	lab_rq_new(&lab, &rq, &(struct lab_rq_attr) {.entries = 128});
	assert_int_equal(rq.dv.stride, 16);
	lab_rq_free(&rq);
	lab_rq_new(&lab, &rq, &(struct lab_rq_attr) {.entries = 32, .sges = 3});
	assert_int_equal(rq.dv.stride, 64); /* 3 segments, rounded up to a power of two */
	lab_rq_free(&rq);
	lab_sq_free(&sq);
}

static void a_raw_qp_has_both_queues(void **state)
{
	struct ibv_cq *cq = ibv_create_cq(lab.ctx, 63, NULL, NULL, 0);
	struct ibv_qp_init_attr attr = {.qp_type = IBV_QPT_RAW_PACKET,
					.send_cq = cq,
					.recv_cq = cq,
					.cap = {.max_send_wr = 16,
						.max_recv_wr = 16,
						.max_send_sge = 1,
						.max_recv_sge = 1}};
	struct mlx5dv_qp dv = {.comp_mask = MLX5DV_QP_MASK_RAW_QP_HANDLES};
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr now;
	struct mlx5dv_obj obj;
	struct ibv_qp *qp = ibv_create_qp(lab.pd, &attr);

	(void)state;
	assert_non_null(qp);
	obj.qp.in = qp;
	obj.qp.out = &dv;
	assert_int_equal(mlx5dv_init_obj(&obj, MLX5DV_OBJ_QP), 0);
	assert_int_not_equal(dv.tirn, 0);
	assert_int_not_equal(dv.rqn, 0);
	assert_ptr_not_equal(dv.sq.buf, dv.rq.buf);
	lab_qp_state(qp, IBV_QPS_INIT);
	assert_int_equal(ibv_query_qp(qp, &now, IBV_QP_STATE, &init), 0);
	assert_int_equal(now.qp_state, IBV_QPS_INIT);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(ibv_destroy_cq(cq), 0);
}

/* The driver may not go RESET -> INIT without a port (guide 4.8: it is then lost). */
static void a_qp_without_port_is_refused(void **state)
{
	struct ibv_qp_attr attr = {.qp_state = IBV_QPS_RESET};
	struct lab_sq sq;

	(void)state;
	lab_sq_new(&lab, &sq, 16);
	assert_int_equal(ibv_modify_qp(sq.qp, &attr, IBV_QP_STATE), 0);
	attr.qp_state = IBV_QPS_INIT;
	assert_int_not_equal(ibv_modify_qp(sq.qp, &attr, IBV_QP_STATE), 0);
	lab_broke("qp.port");
	attr.qp_state = IBV_QPS_RTS;
	assert_int_equal(ibv_modify_qp(sq.qp, &attr, IBV_QP_STATE), EINVAL);
	lab_sq_free(&sq);
}

static void what_the_device_has_not(void **state)
{
	struct ibv_cq *cq = ibv_create_cq(lab.ctx, 63, NULL, NULL, 0);
	struct ibv_wq_init_attr wq = {
		.wq_type = IBV_WQT_RQ, .max_wr = 16, .max_sge = 1, .pd = lab.pd, .cq = cq};
	struct mlx5dv_wq_init_attr striding = {
		.comp_mask = MLX5DV_WQ_INIT_ATTR_MASK_STRIDING_RQ,
		.striding_rq_attrs = {.single_stride_log_num_of_bytes = 6,
				      .single_wqe_log_num_of_strides = 9}};
	struct ibv_qp_init_attr rc = {
		.qp_type = IBV_QPT_RC,
		.send_cq = cq,
		.recv_cq = cq,
		.cap = {.max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1}};
	struct ibv_srq_init_attr srq = {.attr = {.max_wr = 16, .max_sge = 1}};
	uint8_t in[64] = {0}, out[64] = {0};

	(void)state;
	assert_null(ibv_create_srq(lab.pd, &srq));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_null(mlx5dv_create_wq(lab.ctx, &wq, &striding));
	assert_int_equal(errno, EINVAL); /* libmlx5 refuses by itself: striding_rq_caps is empty */
	wq.comp_mask = IBV_WQ_INIT_ATTR_FLAGS;
	wq.create_flags = IBV_WQ_FLAGS_DELAY_DROP;
	assert_null(ibv_create_wq(lab.ctx, &wq));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_null(ibv_create_qp(lab.pd, &rc));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_null(mlx5dv_devx_obj_create(lab.ctx, in, sizeof(in), out, sizeof(out)));
	assert_int_equal(errno, getenv("CX_UVERBS") && strcmp(getenv("CX_UVERBS"), "write") == 0
					? ENOTTY
					: EPROTONOSUPPORT);
	assert_int_equal(ibv_destroy_cq(cq), 0);
}

static void devx_contexts_are_refused(void **state)
{
	struct mlx5dv_context_attr attr = {.flags = MLX5DV_CONTEXT_FLAGS_DEVX};

	(void)state;
	assert_null(mlx5dv_open_device(lab.ctx->device, &attr));
}

static void the_drivers_view(void **state)
{
	struct mlx5dv_context dv = {.comp_mask = MLX5DV_CONTEXT_MASK_CQE_COMPRESION |
						 MLX5DV_CONTEXT_MASK_STRIDING_RQ |
						 MLX5DV_CONTEXT_MASK_CLOCK_INFO_UPDATE |
						 MLX5DV_CONTEXT_MASK_HCA_CORE_CLOCK};
	struct ibv_device_attr_ex ex;

	(void)state;
	assert_int_equal(mlx5dv_query_device(lab.ctx, &dv), 0);
	assert_true(dv.flags & MLX5DV_CONTEXT_FLAGS_CQE_V1);
	assert_true(dv.flags & MLX5DV_CONTEXT_FLAGS_ENHANCED_MPW);
	assert_int_equal(dv.cqe_comp_caps.max_num, 64);
	assert_int_equal(dv.cqe_comp_caps.supported_format,
			 MLX5DV_CQE_RES_FORMAT_HASH | MLX5DV_CQE_RES_FORMAT_CSUM);
	assert_int_equal(dv.striding_rq_caps.supported_qpts, 0);
	assert_int_not_equal(dv.max_clock_info_update_nsec, 0);
	assert_int_equal(ibv_query_device_ex(lab.ctx, NULL, &ex), 0);
	assert_true(ex.raw_packet_caps & IBV_RAW_PACKET_CAP_CVLAN_STRIPPING);
	assert_true(ex.rss_caps.max_rwq_indirection_table_size >= 128);
	assert_int_equal(ex.completion_timestamp_mask, INT64_MAX);
}

/* A thread domain has a register of its own (guide 1.6). */
static void thread_domains_have_their_registers(void **state)
{
	struct ibv_td_init_attr none = {0};
	struct ibv_cq *cq = ibv_create_cq(lab.ctx, 63, NULL, NULL, 0);
	struct mlx5dv_qp dv[2] = {{0}, {0}};
	struct ibv_qp *qp[2];
	struct ibv_td *td[2];
	struct ibv_pd *pd[2];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct ibv_parent_domain_init_attr p = {.pd = lab.pd};
		struct ibv_qp_init_attr attr = {.qp_type = IBV_QPT_RAW_PACKET,
						.send_cq = cq,
						.recv_cq = cq,
						.cap = {.max_send_wr = 16, .max_send_sge = 1}};
		struct mlx5dv_obj obj;

		td[i] = ibv_alloc_td(lab.ctx, &none);
		assert_non_null(td[i]);
		p.td = td[i];
		pd[i] = ibv_alloc_parent_domain(lab.ctx, &p);
		assert_non_null(pd[i]);
		qp[i] = ibv_create_qp(pd[i], &attr);
		assert_non_null(qp[i]);
		obj.qp.in = qp[i];
		obj.qp.out = &dv[i];
		assert_int_equal(mlx5dv_init_obj(&obj, MLX5DV_OBJ_QP), 0);
		assert_int_equal(dv[i].bf.size, 256); /* write combining */
	}
	assert_ptr_not_equal(dv[0].bf.reg, dv[1].bf.reg);
	for (i = 0; i < 2; i++) {
		assert_int_equal(ibv_destroy_qp(qp[i]), 0);
		assert_int_equal(ibv_dealloc_pd(pd[i]), 0);
		assert_int_equal(ibv_dealloc_td(td[i]), 0);
	}
	assert_int_equal(ibv_destroy_cq(cq), 0);
}

/* Without BlueFlame a QP's register is not for write combining: bf.size 0 (guide 1.6). */
static void the_non_cached_register(void **state)
{
	struct lab second;
	struct lab_sq sq;

	(void)state;
	setenv("MLX5_SHUT_UP_BF", "1", 1);
	lab_open(&second, NULL);
	unsetenv("MLX5_SHUT_UP_BF");
	lab_sq_new(&second, &sq, 16);
	assert_int_equal(sq.dv.bf.size, 0);
	lab_send(&second, &sq, 0, 64);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	lab_sq_free(&sq);
	lab_close(&second);
}

static void memory_must_be_mapped(void **state)
{
	uint8_t *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(munmap(p + 4096, 4096), 0);
	assert_null(ibv_reg_mr(lab.pd, p, 8192, IBV_ACCESS_LOCAL_WRITE));
	assert_int_equal(errno, EFAULT);
	assert_null(ibv_reg_mr(lab.pd, p, 0, IBV_ACCESS_LOCAL_WRITE));
	munmap(p, 4096);
}

/* Unread events do not hold a queue's destruction up. */
static void unread_events_go_with_the_queue(void **state)
{
	struct ibv_comp_channel *ch = ibv_create_comp_channel(lab.ctx);
	struct ibv_cq *cq[2];
	struct pollfd p;

	(void)state;
	assert_non_null(ch);
	cq[0] = ibv_create_cq(lab.ctx, 15, NULL, ch, 0);
	cq[1] = ibv_create_cq(lab.ctx, 15, NULL, ch, 1);
	assert_true(cq[0] && cq[1]);
	assert_int_equal(ibv_destroy_cq(cq[0]), 0);
	p = (struct pollfd) {.fd = ch->fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(ibv_destroy_cq(cq[1]), 0);
	assert_int_equal(ibv_destroy_comp_channel(ch), 0);
}

static void compression_in_an_unknown_format_is_refused(void **state)
{
	struct ibv_cq_init_attr_ex attr = {.cqe = 63, .wc_flags = IBV_WC_STANDARD_FLAGS};
	struct mlx5dv_cq_init_attr dv = {.comp_mask = MLX5DV_CQ_INIT_ATTR_MASK_COMPRESSED_CQE,
					 .cqe_comp_res_format = MLX5DV_CQE_RES_FORMAT_CSUM_STRIDX};

	(void)state;
	assert_null(mlx5dv_create_cq(lab.ctx, &attr, &dv));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_object_comes_and_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(an_object_in_use_is_not_destroyed, setup, teardown),
		cmocka_unit_test_setup_teardown(queue_sizes_are_the_drivers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_raw_qp_has_both_queues, setup, teardown),
		cmocka_unit_test_setup_teardown(a_qp_without_port_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_device_has_not, setup, teardown),
		cmocka_unit_test_setup_teardown(devx_contexts_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_drivers_view, setup, teardown),
		cmocka_unit_test_setup_teardown(thread_domains_have_their_registers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_non_cached_register, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_must_be_mapped, setup, teardown),
		cmocka_unit_test_setup_teardown(unread_events_go_with_the_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(compression_in_an_unknown_format_is_refused, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
