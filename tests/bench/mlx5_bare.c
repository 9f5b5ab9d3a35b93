/* SPDX-License-Identifier: BSD-2-Clause */
/* See mlx5_bare.h. */
#include "mlx5_bare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "backend/verbs/verbs.h"
#include "err.h"

#define RING	 256u
#define SENT	 64u /* buffers that are sent from */
#define BUF_SIZE 2048u

struct bare {
	struct ibv_cq_ex *rx_cq, *tx_cq;
	struct ibv_wq *wq;
	struct ibv_qp_ex *qp;
	uint8_t *mem; /* RING buffers for what is received, SENT for what is sent */
	uint32_t sent, sent_lkey;
	/* receive requests; what leads from one to the next, and to its buffer, is set once */
	struct ibv_recv_wr wr[LAB_BURST + 1];
	struct ibv_sge sge[LAB_BURST];
};

/* What a burst is known by between its calls. */
struct packets {
	uint64_t id[LAB_BURST]; /* offset of the buffer */
	uint32_t len[LAB_BURST], tag[LAB_BURST];
	uint32_t n;
};

/* ---- setting up ---- */

/* The interface's device, and what of it may reach the buffers. */
static struct ibv_mr *open_device(const struct bare *b, const char *dev)
{
	struct rn_port_config config = {0};
	struct rn_rdma_caps caps;
	struct ibv_context *ctx;
	struct rn_err err = {0};
	struct ibv_mr *mr;

	snprintf(config.dev, sizeof(config.dev), "%s", dev);
	if (rn_rdma_find(&config, &ctx, &caps, &err))
		bench_die("%s", err.text);
	mr = ibv_reg_mr(ibv_alloc_pd(ctx), b->mem, (RING + SENT) * BUF_SIZE,
			IBV_ACCESS_LOCAL_WRITE);
	if (!mr)
		bench_die("%s: memory: %s", dev, strerror(errno));
	return mr;
}

/* Queues of one thread, which take no locks. */
static struct ibv_pd *own_domain(struct ibv_pd *pd)
{
	struct ibv_td_init_attr td = {0};
	struct ibv_parent_domain_init_attr attr = {.pd = pd, .td = ibv_alloc_td(pd->context, &td)};
	struct ibv_pd *own = attr.td ? ibv_alloc_parent_domain(pd->context, &attr) : NULL;

	if (!own)
		bench_die("thread domain: %s", strerror(errno));
	return own;
}

static struct ibv_cq_ex *make_cq(struct ibv_pd *pd, uint64_t fields)
{
	struct ibv_cq_init_attr_ex attr = {.cqe = RING,
					   .wc_flags = fields,
					   .comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS,
					   .flags = IBV_CREATE_CQ_ATTR_SINGLE_THREADED};
	struct ibv_cq_ex *cq = ibv_create_cq_ex(pd->context, &attr);

	if (!cq)
		bench_die("completion queue: %s", strerror(errno));
	return cq;
}

static void make_rx(struct bare *b, struct ibv_pd *pd)
{
	struct ibv_wq_init_attr wq = {
		.wq_type = IBV_WQT_RQ, .max_wr = RING, .max_sge = 1, .pd = own_domain(pd)};
	struct ibv_wq_attr ready = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RDY};

	b->rx_cq = make_cq(pd, IBV_WC_EX_WITH_BYTE_LEN | IBV_WC_EX_WITH_FLOW_TAG);
	wq.cq = ibv_cq_ex_to_cq(b->rx_cq);
	b->wq = ibv_create_wq(pd->context, &wq);
	if (!b->wq || ibv_modify_wq(b->wq, &ready))
		bench_die("receive queue: %s", strerror(errno));
}

static void make_tx(struct bare *b, struct ibv_pd *pd)
{
	struct ibv_qp_init_attr_ex attr = {
		.cap = {.max_send_wr = RING, .max_send_sge = 1},
		.qp_type = IBV_QPT_RAW_PACKET,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = own_domain(pd),
		.send_ops_flags = IBV_QP_EX_WITH_SEND,
	};
	struct ibv_qp *qp;

	b->tx_cq = make_cq(pd, 0);
	attr.send_cq = attr.recv_cq = ibv_cq_ex_to_cq(b->tx_cq);
	qp = ibv_create_qp_ex(pd->context, &attr);
	if (!qp || rn_rdma_start_qp(qp))
		bench_die("send queue: %s", strerror(errno));
	b->qp = ibv_qp_to_qp_ex(qp);
}

static void steer(struct bare *b, struct ibv_pd *pd)
{
	static uint8_t key[40];
	struct ibv_rwq_ind_table_init_attr table = {.ind_tbl = &b->wq};
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = IBV_QPT_RAW_PACKET,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_IND_TABLE |
			     IBV_QP_INIT_ATTR_RX_HASH,
		.pd = pd,
		.rx_hash_conf = {.rx_hash_function = IBV_RX_HASH_FUNC_TOEPLITZ,
				 .rx_hash_key_len = sizeof(key),
				 .rx_hash_key = key},
	};
	const struct rn_flow flow = {
		.key = {.ethertype = htons(0x0800), .proto = IPPROTO_UDP, .dport = htons(5000)},
		.mask = {.ethertype = 0xffff, .proto = 0xff, .dport = 0xffff},
		.priority = 1,
		.tag = 1,
	};
	struct ibv_qp *qp;

	attr.rwq_ind_tbl = ibv_create_rwq_ind_table(pd->context, &table);
	qp = attr.rwq_ind_tbl ? ibv_create_qp_ex(pd->context, &attr) : NULL;
	if (!qp || !rn_verbs_flow(NULL, &flow, qp))
		bench_die("flow: %s", strerror(errno));
}

static void post(struct bare *b, const uint64_t *id, uint32_t n)
{
	struct ibv_recv_wr *bad;

	for (uint32_t i = 0; i < n; i++) {
		b->wr[i].wr_id = id[i];
		b->sge[i].addr = (uintptr_t)b->mem + id[i];
	}
	b->wr[n - 1].next = NULL;
	if (ibv_post_wq_recv(b->wq, b->wr, &bad))
		bench_die("the receive queue takes no requests");
	b->wr[n - 1].next = &b->wr[n];
}

struct bare *bare_open(const char *in, const char *out)
{
	struct bare *b = calloc(1, sizeof(*b));
	struct ibv_mr *from, *to;

	if (!b)
		bench_die("out of memory");
	b->mem = aligned_alloc(4096, (RING + SENT) * BUF_SIZE);
	if (!b->mem)
		bench_die("out of memory");
	memset(b->mem, 0, (RING + SENT) * BUF_SIZE);
	from = open_device(b, in);
	to = open_device(b, out);
	b->sent_lkey = to->lkey;
	make_rx(b, from->pd);
	make_tx(b, to->pd);
	for (uint32_t i = 0; i < LAB_BURST; i++) {
		b->wr[i] = (struct ibv_recv_wr) {
			.next = &b->wr[i + 1], .sg_list = &b->sge[i], .num_sge = 1};
		b->sge[i] = (struct ibv_sge) {.length = BUF_SIZE, .lkey = from->lkey};
	}
	for (uint64_t i = 0; i < RING; i++)
		post(b, &(uint64_t) {i * BUF_SIZE}, 1);
	steer(b, from->pd);
	return b;
}

/* ---- a turn ---- */

static uint32_t receive(struct bare *b, struct packets *p)
{
	struct ibv_poll_cq_attr attr = {0};
	struct ibv_cq_ex *cq = b->rx_cq;
	uint32_t n = 0;

	if (ibv_start_poll(cq, &attr))
		return 0;
	do {
		if (cq->status != IBV_WC_SUCCESS)
			bench_die("a packet was received with an error");
		p->id[n] = cq->wr_id;
		p->len[n] = ibv_wc_read_byte_len(cq);
		p->tag[n] = ibv_wc_read_flow_tag(cq);
	} while (++n < LAB_BURST && !ibv_next_poll(cq));
	ibv_end_poll(cq);
	return n;
}

static uint8_t *send_buffer(const struct bare *b, uint32_t i)
{
	return b->mem + (size_t)(RING + (b->sent + i) % SENT) * BUF_SIZE;
}

static void copy(const struct bare *b, const struct packets *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		memcpy(send_buffer(b, i), b->mem + p->id[i], 64); /* with the rest of its line */
}

static void reap(struct bare *b)
{
	struct ibv_poll_cq_attr attr = {0};

	if (ibv_start_poll(b->tx_cq, &attr))
		return;
	while (!ibv_next_poll(b->tx_cq))
		;
	ibv_end_poll(b->tx_cq);
}

static void transmit(struct bare *b, const struct packets *p)
{
	struct ibv_qp_ex *qp = b->qp;

	reap(b);
	ibv_wr_start(qp);
	qp->wr_flags = 0;
	for (uint32_t i = 0; i < p->n; i++) {
		qp->wr_id = b->sent + i;
		if (i + 1 == p->n)
			qp->wr_flags = IBV_SEND_SIGNALED;
		ibv_wr_send(qp);
		ibv_wr_set_sge(qp, b->sent_lkey, (uintptr_t)send_buffer(b, i), p->len[i]);
	}
	if (ibv_wr_complete(qp))
		bench_die("the send queue takes no requests");
	b->sent += p->n;
}

unsigned bare_turn(struct bare *b)
{
	struct packets p;

	p.n = receive(b, &p);
	if (!p.n)
		return 0;
	copy(b, &p);
	post(b, p.id, p.n);
	transmit(b, &p);
	return p.n;
}
