/* SPDX-License-Identifier: BSD-2-Clause */
/* See ask.h: objects, requests, frames and rules. */
#include "ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "doorbell.h"

#define SOURCE 0xc6120001u /* 198.18.0.1 */
#define TARGET 0xc6130001u /* 198.19.0.1 */

/* ---- a port ---- */

static struct ibv_context *open_device(const char *name)
{
	struct ibv_context *ctx = NULL;
	int n = 0;
	struct ibv_device **list = ibv_get_device_list(&n);

	for (int i = 0; list && i < n && !ctx; i++)
		if (!strcmp(ibv_get_device_name(list[i]), name))
			ctx = ibv_open_device(list[i]);
	if (list)
		ibv_free_device_list(list);
	return ctx;
}

int ask_port_open(struct ask_port *port)
{
	port->ctx = open_device(port->device);
	if (!port->ctx || !mlx5dv_is_supported(port->ctx->device))
		return -ENODEV;
	port->dv.comp_mask = MLX5DV_CONTEXT_MASK_CQE_COMPRESION;
	if (mlx5dv_query_device(port->ctx, &port->dv) ||
	    ibv_query_device_ex(port->ctx, NULL, &port->attr))
		return -EIO;
	port->mem = aligned_alloc(4096, MEM);
	port->pd = ibv_alloc_pd(port->ctx);
	if (!port->mem || !port->pd)
		return -ENOMEM;
	memset(port->mem, 0, MEM);
	port->mr = ibv_reg_mr(port->pd, port->mem, MEM, IBV_ACCESS_LOCAL_WRITE);
	return port->mr ? 0 : -errno;
}

void ask_port_close(struct ask_port *port)
{
	if (port->mr)
		ibv_dereg_mr(port->mr);
	if (port->pd)
		ibv_dealloc_pd(port->pd);
	if (port->ctx)
		ibv_close_device(port->ctx);
	free(port->mem);
}

/* ---- queues ---- */

static int cq_open(struct ask_port *port, struct ask_cq *cq, bool compressed)
{
	struct ibv_cq_init_attr_ex attr = {.cqe = 2 * ENTRIES,
					   .comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS,
					   .flags = IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN};
	struct mlx5dv_cq_init_attr dv = {.comp_mask = MLX5DV_CQ_INIT_ATTR_MASK_CQE_SIZE,
					 .cqe_size = sizeof(struct rn_cqe)};
	struct mlx5dv_cq view = {0};
	struct mlx5dv_obj obj = {.cq = {.out = &view}};
	struct ibv_cq_ex *ex;

	if (compressed) {
		dv.comp_mask |= MLX5DV_CQ_INIT_ATTR_MASK_COMPRESSED_CQE;
		dv.cqe_comp_res_format = MLX5DV_CQE_RES_FORMAT_HASH;
	}
	ex = mlx5dv_create_cq(port->ctx, &attr, &dv);
	if (!ex)
		return -errno;
	cq->cq = obj.cq.in = ibv_cq_ex_to_cq(ex);
	if (mlx5dv_init_obj(&obj, MLX5DV_OBJ_CQ))
		return -EIO;
	cq->ring = view.buf;
	cq->log = (uint32_t)__builtin_ctz(view.cqe_cnt);
	cq->ci = 0;
	rn_cqe_prepare(cq->ring, cq->log);
	return 0;
}

static int to_send(struct ibv_qp *qp)
{
	struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT, .port_num = 1};
	int rc = ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PORT);

	attr.qp_state = IBV_QPS_RTR;
	rc = rc ? rc : ibv_modify_qp(qp, &attr, IBV_QP_STATE);
	attr.qp_state = IBV_QPS_RTS;
	return rc ? rc : ibv_modify_qp(qp, &attr, IBV_QP_STATE);
}

int ask_tx_open(struct ask_port *port, struct ask_tx *tx)
{
	struct ibv_qp_init_attr attr = {
		.qp_type = IBV_QPT_RAW_PACKET,
		.cap = {.max_send_wr = ENTRIES, .max_send_sge = 1},
	};
	struct mlx5dv_obj obj = {.qp = {.out = &tx->dv}};
	int rc;

	memset(tx, 0, sizeof(*tx));
	rc = cq_open(port, &tx->cq, false);
	if (rc)
		return rc;
	attr.send_cq = attr.recv_cq = tx->cq.cq;
	tx->qp = obj.qp.in = ibv_create_qp(port->pd, &attr);
	if (!tx->qp)
		return -errno;
	tx->dv.comp_mask = MLX5DV_QP_MASK_RAW_QP_HANDLES;
	rc = to_send(tx->qp);
	return rc ? -rc : -mlx5dv_init_obj(&obj, MLX5DV_OBJ_QP);
}

void ask_tx_close(struct ask_tx *tx)
{
	if (tx->qp)
		ibv_destroy_qp(tx->qp);
	if (tx->cq.cq)
		ibv_destroy_cq(tx->cq.cq);
}

static int wq_open(struct ask_port *port, struct ask_rx *rx)
{
	struct ibv_wq_init_attr attr = {.wq_type = IBV_WQT_RQ,
					.max_wr = ENTRIES,
					.max_sge = 1,
					.pd = port->pd,
					.cq = rx->cq.cq};
	struct ibv_wq_attr ready = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RDY};
	struct mlx5dv_obj obj = {.rwq = {.out = &rx->dv}};

	rx->wq = obj.rwq.in = ibv_create_wq(port->ctx, &attr);
	if (!rx->wq)
		return -errno;
	if (ibv_modify_wq(rx->wq, &ready) || mlx5dv_init_obj(&obj, MLX5DV_OBJ_RWQ))
		return -EIO;
	return 0;
}

int ask_rx_open(struct ask_port *port, struct ask_rx *rx, bool compressed)
{
	static uint8_t key[40] = {0x6d, 0x5a};
	struct ibv_rwq_ind_table_init_attr one = {.ind_tbl = &rx->wq};
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = IBV_QPT_RAW_PACKET,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_IND_TABLE |
			     IBV_QP_INIT_ATTR_RX_HASH,
		.pd = port->pd,
		.rx_hash_conf = {.rx_hash_function = IBV_RX_HASH_FUNC_TOEPLITZ,
				 .rx_hash_key_len = sizeof(key),
				 .rx_hash_key = key,
				 .rx_hash_fields_mask = IBV_RX_HASH_SRC_IPV4 |
							IBV_RX_HASH_DST_IPV4},
	};
	int rc;

	memset(rx, 0, sizeof(*rx));
	rc = cq_open(port, &rx->cq, compressed);
	if (!rc)
		rc = wq_open(port, rx);
	if (rc)
		return rc;
	rx->table = attr.rwq_ind_tbl = ibv_create_rwq_ind_table(port->ctx, &one);
	if (!rx->table)
		return -errno;
	rx->qp = ibv_create_qp_ex(port->ctx, &attr);
	return rx->qp ? 0 : -errno;
}

void ask_rx_close(struct ask_rx *rx)
{
	if (rx->qp)
		ibv_destroy_qp(rx->qp);
	if (rx->table)
		ibv_destroy_rwq_ind_table(rx->table);
	if (rx->wq)
		ibv_destroy_wq(rx->wq);
	if (rx->cq.cq)
		ibv_destroy_cq(rx->cq.cq);
}

/* ---- requests ---- */

uint8_t *ask_request(struct ask_tx *tx)
{
	uint8_t *at =
		(uint8_t *)tx->dv.sq.buf + (size_t)(tx->pi & (tx->dv.sq.wqe_cnt - 1)) * RN_WQE_BB;

	memset(at, 0, RN_WQE_BB);
	return at;
}

void ask_doorbell(struct ask_tx *tx, const uint8_t *request, uint32_t blocks)
{
	tx->pi = (uint16_t)(tx->pi + blocks);
	rn_ring_tx((uint32_t *)tx->dv.dbrec, tx->dv.bf.reg, tx->pi, request);
}

void ask_ring(struct ask_tx *tx, uint8_t *request, uint8_t opcode, uint32_t ds)
{
	rn_ctrl_put(request, opcode, tx->pi, tx->dv.sqn, ds, RN_CE_ALWAYS);
	ask_doorbell(tx, request, rn_wqe_blocks(ds));
}

void ask_send(struct ask *a, struct ask_tx *tx, uint32_t off, uint32_t len)
{
	uint8_t *w = ask_request(tx);
	const uint32_t inlined = a->from->attr.orig_attr.vendor_part_id <= 0x1016 ? 18 : 0;
	const uint8_t *frame = a->from->mem + off;

	/* As rawnet sends: ConnectX-4 want 18 bytes in the request. */
	memcpy(w + RN_INLINE_AT, frame, inlined);
	rn_eth_put_behind(w + RN_SEG, 0, 0, (uint16_t)inlined);
	rn_data_put(w + rn_header_segs(inlined) * RN_SEG, len - inlined, htobe32(a->from->mr->lkey),
		    (uintptr_t)frame + inlined);
	ask_ring(tx, w, RN_OP_SEND, rn_header_segs(inlined) + 1);
}

void ask_post_odd(struct ask_rx *rx, uint32_t len, uint32_t lkey, uint64_t addr)
{
	void *at = (uint8_t *)rx->dv.buf + (rx->pi & (rx->dv.wqe_cnt - 1)) * rx->dv.stride;

	rn_data_put(at, len, htobe32(lkey), addr);
	rn_ring_rx((uint32_t *)rx->dv.dbrec, ++rx->pi);
}

void ask_post(struct ask_port *port, struct ask_rx *rx)
{
	ask_post_odd(rx, SLOT, port->mr->lkey,
		     (uintptr_t)port->mem + MEM / 2 + (rx->pi % (MEM / 2 / SLOT)) * SLOT);
}

/* ---- frames and rules ---- */

void ask_frame(struct ask *a, uint32_t source, bool six, bool tcp, bool sums)
{
	frame_make(&a->frame, &(struct frame_attr) {.dst = a->to->mac,
						    .src = a->from->mac,
						    .six = six,
						    .tcp = tcp,
						    .from = SOURCE + source,
						    .to = TARGET,
						    .sport = PORT,
						    .dport = PORT,
						    .payload = 101,
						    .no_sums = !sums});
	memcpy(a->from->mem, a->frame.b, a->frame.len);
}

struct rule {
	struct ibv_flow_attr attr;
	struct ibv_flow_spec_eth eth;
	union {
		struct {
			struct ibv_flow_spec_ipv4_ext ip;
			struct ibv_flow_spec_tcp_udp l4;
		} four;
		struct {
			struct ibv_flow_spec_ipv6 ip;
			struct ibv_flow_spec_tcp_udp l4;
		} six;
	} u;
} __attribute__((packed, aligned(8)));

static void put_l4(struct ibv_flow_spec_tcp_udp *l4, const struct rule_wish *wish)
{
	l4->type = wish->tcp ? IBV_FLOW_SPEC_TCP : IBV_FLOW_SPEC_UDP;
	l4->size = sizeof(*l4);
	l4->val.dst_port = htobe16(PORT);
	l4->mask.dst_port = 0xffff;
}

static size_t put_four(struct rule *rule, const struct rule_wish *wish)
{
	struct ibv_flow_spec_ipv4_ext *ip = &rule->u.four.ip;

	ip->type = IBV_FLOW_SPEC_IPV4_EXT;
	ip->size = sizeof(*ip);
	ip->val.dst_ip = htobe32(TARGET);
	ip->mask.dst_ip = UINT32_MAX;
	if (wish->source) {
		ip->val.src_ip = htobe32(SOURCE + wish->source);
		ip->mask.src_ip = UINT32_MAX;
	}
	if (wish->any_port)
		return sizeof(*ip);
	rule->attr.num_of_specs++;
	put_l4(&rule->u.four.l4, wish);
	return sizeof(rule->u.four);
}

static size_t put_six(struct rule *rule, const struct rule_wish *wish)
{
	struct ibv_flow_spec_ipv6 *ip = &rule->u.six.ip;

	ip->type = IBV_FLOW_SPEC_IPV6;
	ip->size = sizeof(*ip);
	ip->val.next_hdr = wish->tcp ? 6 : 17;
	ip->mask.next_hdr = 0xff;
	rule->attr.num_of_specs++;
	put_l4(&rule->u.six.l4, wish);
	return sizeof(rule->u.six);
}

struct ibv_flow *ask_rule(struct ask *a, struct ask_rx *rx, const struct rule_wish *wish)
{
	struct rule rule = {.attr = {.priority = (uint16_t)wish->priority,
				     .num_of_specs = 2,
				     .port = 1,
				     .flags = wish->flags},
			    .eth = {.type = IBV_FLOW_SPEC_ETH, .size = sizeof(rule.eth)}};

	memcpy(rule.eth.val.dst_mac, a->to->mac, 6);
	memset(rule.eth.mask.dst_mac, 0xff, 6);
	rule.attr.size = (uint16_t)(offsetof(struct rule, u) +
				    (wish->six ? put_six(&rule, wish) : put_four(&rule, wish)));
	return ibv_create_flow(rx->qp, &rule.attr);
}

struct ibv_flow *ask_ether_rule(struct ask_rx *rx, const uint8_t mac[6])
{
	struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_eth eth;
	} rule = {.attr = {.size = sizeof(rule), .num_of_specs = 1, .port = 1},
		  .eth = {.type = IBV_FLOW_SPEC_ETH, .size = sizeof(rule.eth)}};

	memcpy(rule.eth.val.dst_mac, mac, 6);
	memset(rule.eth.mask.dst_mac, 0xff, 6);
	rule.eth.val.ether_type = htobe16(ETHERTYPE);
	rule.eth.mask.ether_type = 0xffff;
	return ibv_create_flow(rx->qp, &rule.attr);
}
