/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lab.h: objects.
 */
#include "lab.h"

/* libibverbs lists devices in no order. */
static struct ibv_context *open_device(const char *name)
{
	struct ibv_device **list;
	struct ibv_context *ctx = NULL;
	int n = 0;

	list = ibv_get_device_list(&n);
	assert_non_null(list);
	while (n--)
		if (strcmp(ibv_get_device_name(list[n]), name) == 0) {
			assert_true(mlx5dv_is_supported(list[n]));
			ctx = ibv_open_device(list[n]);
		}
	ibv_free_device_list(list);
	assert_non_null(ctx);
	return ctx;
}

void lab_open(struct lab *l, const char *dev)
{
	assert_non_null(cx_control); /* not under cx-run */
	l->ctx = open_device(dev ? dev : "mlx5_0");
	l->pd = ibv_alloc_pd(l->ctx);
	assert_non_null(l->pd);
	l->mem = aligned_alloc(4096, LAB_MEM);
	assert_non_null(l->mem);
	memset(l->mem, 0, LAB_MEM);
	l->mr = ibv_reg_mr(l->pd, l->mem, LAB_MEM, IBV_ACCESS_LOCAL_WRITE);
	assert_non_null(l->mr);
}

void lab_close(struct lab *l)
{
	assert_int_equal(ibv_dereg_mr(l->mr), 0);
	assert_int_equal(ibv_dealloc_pd(l->pd), 0);
	assert_int_equal(ibv_close_device(l->ctx), 0);
	free(l->mem);
}

void lab_cq_new(struct lab *l, struct lab_cq *cq, uint32_t entries, uint32_t compression)
{
	struct ibv_cq_init_attr_ex attr = {.cqe = entries - 1, .wc_flags = IBV_WC_STANDARD_FLAGS};
	struct mlx5dv_cq_init_attr dv = {.comp_mask = MLX5DV_CQ_INIT_ATTR_MASK_CQE_SIZE,
					 .cqe_size = 64};
	struct mlx5dv_obj obj;
	struct ibv_cq_ex *ex;

	if (compression) {
		dv.comp_mask |= MLX5DV_CQ_INIT_ATTR_MASK_COMPRESSED_CQE;
		dv.cqe_comp_res_format = (uint8_t)compression;
	}
	ex = mlx5dv_create_cq(l->ctx, &attr, &dv);
	assert_non_null(ex);
	cq->cq = ibv_cq_ex_to_cq(ex);
	cq->ci = 0;
	memset(&cq->dv, 0, sizeof(cq->dv));
	obj.cq.in = cq->cq;
	obj.cq.out = &cq->dv;
	assert_int_equal(mlx5dv_init_obj(&obj, MLX5DV_OBJ_CQ), 0);
	assert_int_equal(cq->dv.cqe_size, 64);
	assert_int_equal(cq->dv.cqe_cnt, entries);
}

void lab_qp_state(struct ibv_qp *qp, enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = {.qp_state = state, .port_num = 1};
	int mask = IBV_QP_STATE | (state == IBV_QPS_INIT ? IBV_QP_PORT : 0);

	assert_int_equal(ibv_modify_qp(qp, &attr, mask), 0);
}

static void to_rts(struct ibv_qp *qp)
{
	lab_qp_state(qp, IBV_QPS_INIT);
	lab_qp_state(qp, IBV_QPS_RTR);
	lab_qp_state(qp, IBV_QPS_RTS);
}

void lab_sq_new(struct lab *l, struct lab_sq *sq, uint32_t entries)
{
	struct ibv_qp_init_attr attr = {.qp_type = IBV_QPT_RAW_PACKET,
					.cap = {.max_send_wr = entries, .max_send_sge = 1}};
	struct mlx5dv_obj obj;

	lab_cq_new(l, &sq->cq, 4 * entries, 0);
	attr.send_cq = attr.recv_cq = sq->cq.cq;
	sq->qp = ibv_create_qp(l->pd, &attr);
	assert_non_null(sq->qp);
	to_rts(sq->qp);
	memset(&sq->dv, 0, sizeof(sq->dv));
	sq->dv.comp_mask = MLX5DV_QP_MASK_RAW_QP_HANDLES;
	obj.qp.in = sq->qp;
	obj.qp.out = &sq->dv;
	assert_int_equal(mlx5dv_init_obj(&obj, MLX5DV_OBJ_QP), 0);
	assert_int_equal(sq->dv.sq.stride, 64);
	sq->pi = 0;
}

void lab_sq_reset(struct lab_sq *sq)
{
	lab_qp_state(sq->qp, IBV_QPS_RESET);
	to_rts(sq->qp);
	sq->pi = 0;
}

void lab_sq_free(struct lab_sq *sq)
{
	assert_int_equal(ibv_destroy_qp(sq->qp), 0);
	assert_int_equal(ibv_destroy_cq(sq->cq.cq), 0);
}

/* The key of Microsoft's published RSS vectors. */
static const uint8_t rss_key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
				    0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
				    0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
				    0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

struct ibv_qp *lab_rss(struct lab *l, struct ibv_rwq_ind_table *ind, uint64_t hash, uint32_t loop)
{
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = IBV_QPT_RAW_PACKET,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_IND_TABLE |
			     IBV_QP_INIT_ATTR_RX_HASH,
		.pd = l->pd,
		.rwq_ind_tbl = ind,
		.rx_hash_conf = {.rx_hash_function = IBV_RX_HASH_FUNC_TOEPLITZ,
				 .rx_hash_key_len = sizeof(rss_key),
				 .rx_hash_key = (uint8_t *)(uintptr_t)rss_key,
				 .rx_hash_fields_mask = hash},
	};
	struct mlx5dv_qp_init_attr dv = {.comp_mask = MLX5DV_QP_INIT_ATTR_MASK_QP_CREATE_FLAGS,
					 .create_flags = loop};
	struct ibv_qp *qp = loop ? mlx5dv_create_qp(l->ctx, &attr, &dv)
				 : ibv_create_qp_ex(l->ctx, &attr);

	assert_non_null(qp);
	return qp;
}

static void wq_new(struct lab *l, struct lab_rq *rq, const struct lab_rq_attr *a, uint32_t entries)
{
	struct ibv_wq_init_attr attr = {.wq_type = IBV_WQT_RQ,
					.max_wr = entries,
					.max_sge = a->sges ? a->sges : 1,
					.pd = l->pd,
					.cq = rq->cq.cq,
					.comp_mask = IBV_WQ_INIT_ATTR_FLAGS,
					.create_flags = a->wq_flags};
	struct ibv_wq_attr state = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RDY};
	struct mlx5dv_obj obj;

	rq->wq = ibv_create_wq(l->ctx, &attr);
	assert_non_null(rq->wq);
	assert_int_equal(ibv_modify_wq(rq->wq, &state), 0);
	memset(&rq->dv, 0, sizeof(rq->dv));
	obj.rwq.in = rq->wq;
	obj.rwq.out = &rq->dv;
	assert_int_equal(mlx5dv_init_obj(&obj, MLX5DV_OBJ_RWQ), 0);
	assert_int_equal(rq->dv.wqe_cnt, entries);
	rq->pi = 0;
}

void lab_rq_new(struct lab *l, struct lab_rq *rq, const struct lab_rq_attr *attr)
{
	static const struct lab_rq_attr none;
	const struct lab_rq_attr *a = attr ? attr : &none;
	uint32_t entries = a->entries ? a->entries : 64;
	uint64_t hash = a->hash ? a->hash
				: IBV_RX_HASH_SRC_IPV4 | IBV_RX_HASH_DST_IPV4 |
					  IBV_RX_HASH_SRC_PORT_UDP | IBV_RX_HASH_DST_PORT_UDP;
	struct ibv_rwq_ind_table_init_attr one = {.ind_tbl = &rq->wq};

	lab_cq_new(l, &rq->cq, a->cqes ? a->cqes : 2 * entries, a->compression);
	wq_new(l, rq, a, entries);
	rq->ind = NULL;
	rq->qp = NULL;
	if (a->no_qp)
		return;
	rq->ind = ibv_create_rwq_ind_table(l->ctx, &one);
	assert_non_null(rq->ind);
	rq->qp = lab_rss(l, rq->ind, hash, a->loopback);
}

void lab_rq_free(struct lab_rq *rq)
{
	if (rq->qp)
		assert_int_equal(ibv_destroy_qp(rq->qp), 0);
	if (rq->ind)
		assert_int_equal(ibv_destroy_rwq_ind_table(rq->ind), 0);
	assert_int_equal(ibv_destroy_wq(rq->wq), 0);
	assert_int_equal(ibv_destroy_cq(rq->cq.cq), 0);
}

struct ibv_flow *lab_flow_all(struct ibv_qp *qp)
{
	struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_eth eth;
	} rule = {.attr = {.size = sizeof(rule), .num_of_specs = 1, .port = 1},
		  .eth = {.type = IBV_FLOW_SPEC_ETH, .size = sizeof(rule.eth)}};
	struct ibv_flow *f = ibv_create_flow(qp, &rule.attr);

	assert_non_null(f);
	return f;
}
