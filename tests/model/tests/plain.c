/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain.h
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"

struct plain plain;

void plain_check(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

void plain_open(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct plain *p = &plain;

	plain_check(list && list[0], "no device (run this under cx-run)");
	p->ctx = ibv_open_device(list[0]);
	plain_check(p->ctx != NULL, "ibv_open_device");
	ibv_free_device_list(list);
	p->pd = ibv_alloc_pd(p->ctx);
	p->mem = aligned_alloc(4096, (size_t)PLAIN_DEPTH * PLAIN_ROOM);
	plain_check(p->pd && p->mem, "memory");
	memset(p->mem, 0x55, (size_t)PLAIN_DEPTH * PLAIN_ROOM);
	p->mr = ibv_reg_mr(p->pd, p->mem, (size_t)PLAIN_DEPTH * PLAIN_ROOM, IBV_ACCESS_LOCAL_WRITE);
	p->cq = ibv_create_cq(p->ctx, 2 * PLAIN_DEPTH - 1, NULL, NULL, 0);
	plain_check(p->mr && p->cq, "ibv_reg_mr, ibv_create_cq");
}

void plain_close(void)
{
	plain_check(!ibv_destroy_cq(plain.cq) && !ibv_dereg_mr(plain.mr) &&
			    !ibv_dealloc_pd(plain.pd) && !ibv_close_device(plain.ctx),
		    "destroying");
	free(plain.mem);
}

uint32_t plain_poll(struct ibv_wc *wc)
{
	int i, n = ibv_poll_cq(plain.cq, PLAIN_BATCH, wc);

	plain_check(n >= 0, "ibv_poll_cq");
	for (i = 0; i < n; i++)
		if (wc[i].status != IBV_WC_SUCCESS) {
			fprintf(stderr, "completion: %s\n", ibv_wc_status_str(wc[i].status));
			exit(1);
		}
	return (uint32_t)n;
}

struct ibv_qp *plain_sender(void)
{
	struct ibv_qp_init_attr attr = {.qp_type = IBV_QPT_RAW_PACKET,
					.send_cq = plain.cq,
					.recv_cq = plain.cq,
					.cap = {.max_send_wr = PLAIN_DEPTH, .max_send_sge = 1}};
	struct ibv_qp *qp = ibv_create_qp(plain.pd, &attr);
	struct ibv_qp_attr to = {.qp_state = IBV_QPS_INIT, .port_num = 1};

	plain_check(qp != NULL, "ibv_create_qp");
	plain_check(!ibv_modify_qp(qp, &to, IBV_QP_STATE | IBV_QP_PORT), "to INIT");
	to.qp_state = IBV_QPS_RTR;
	plain_check(!ibv_modify_qp(qp, &to, IBV_QP_STATE), "to RTR");
	to.qp_state = IBV_QPS_RTS;
	plain_check(!ibv_modify_qp(qp, &to, IBV_QP_STATE), "to RTS");
	return qp;
}

static struct ibv_flow *make_rule(struct ibv_qp *qp, uint16_t port)
{
	struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_eth eth;
		struct ibv_flow_spec_tcp_udp udp;
	} rule = {.attr = {.size = sizeof(rule), .num_of_specs = 2, .port = 1},
		  .eth = {.type = IBV_FLOW_SPEC_ETH, .size = sizeof(rule.eth)},
		  .udp = {.type = IBV_FLOW_SPEC_UDP,
			  .size = sizeof(rule.udp),
			  .val = {.dst_port = htobe16(port)},
			  .mask = {.dst_port = 0xffff}}};

	if (!port) {
		rule.attr.num_of_specs = 1;
		rule.attr.size -= sizeof(rule.udp);
	}
	return ibv_create_flow(qp, &rule.attr);
}

void plain_receiver(struct plain_receiver *r, uint16_t port)
{
	static uint8_t key[40] = {0x6d};
	struct ibv_wq_init_attr wq = {.wq_type = IBV_WQT_RQ,
				      .max_wr = PLAIN_DEPTH,
				      .max_sge = 1,
				      .pd = plain.pd,
				      .cq = plain.cq};
	struct ibv_wq_attr ready = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RDY};
	struct ibv_rwq_ind_table_init_attr ind = {.ind_tbl = &r->wq};
	struct ibv_qp_init_attr_ex qp = {
		.qp_type = IBV_QPT_RAW_PACKET,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_IND_TABLE |
			     IBV_QP_INIT_ATTR_RX_HASH,
		.pd = plain.pd,
		.rx_hash_conf = {.rx_hash_function = IBV_RX_HASH_FUNC_TOEPLITZ,
				 .rx_hash_key_len = sizeof(key),
				 .rx_hash_key = key}};

	r->wq = ibv_create_wq(plain.ctx, &wq);
	plain_check(r->wq && !ibv_modify_wq(r->wq, &ready), "ibv_create_wq");
	r->ind = ibv_create_rwq_ind_table(plain.ctx, &ind);
	plain_check(r->ind != NULL, "ibv_create_rwq_ind_table");
	qp.rwq_ind_tbl = r->ind;
	r->qp = ibv_create_qp_ex(plain.ctx, &qp);
	plain_check(r->qp != NULL, "ibv_create_qp_ex");
	r->flow = make_rule(r->qp, port);
	plain_check(r->flow != NULL, "ibv_create_flow");
}

void plain_receiver_end(struct plain_receiver *r)
{
	plain_check(!ibv_destroy_flow(r->flow) && !ibv_destroy_qp(r->qp) &&
			    !ibv_destroy_rwq_ind_table(r->ind) && !ibv_destroy_wq(r->wq),
		    "destroying the receiver");
}

void plain_post(struct ibv_wq *wq, uint64_t first, uint32_t n)
{
	struct ibv_recv_wr wr[PLAIN_BATCH], *bad;
	struct ibv_sge sge[PLAIN_BATCH];
	uint32_t i;

	for (i = 0; i < n; i++) {
		uint64_t at = (first + i) % PLAIN_DEPTH;

		sge[i] = (struct ibv_sge) {(uintptr_t)plain.mem + at * PLAIN_ROOM, PLAIN_ROOM,
					   plain.mr->lkey};
		wr[i] = (struct ibv_recv_wr) {.wr_id = at,
					      .sg_list = &sge[i],
					      .num_sge = 1,
					      .next = i + 1 < n ? &wr[i + 1] : NULL};
	}
	plain_check(!ibv_post_wq_recv(wq, wr, &bad), "ibv_post_wq_recv");
}
