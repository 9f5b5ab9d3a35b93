/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules.h
 */
#include <errno.h>

#include "rules.h"

struct lab rules_lab;
struct lab_rq rules_rq[RULES_QUEUES];
struct frame goes_frame;
struct mlx5_cqe64 goes_cqe;

int rules_setup(void **state)
{
	uint32_t i, k;

	(void)state;
	lab_open(&rules_lab, NULL);
	for (i = 0; i < RULES_QUEUES; i++) {
		lab_rq_new(&rules_lab, &rules_rq[i], NULL);
		for (k = 0; k < 64; k++)
			lab_post(&rules_lab, &rules_rq[i], (i * 32 + k % 32) * 2048, 2048);
	}
	return 0;
}

int rules_teardown(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < RULES_QUEUES; i++)
		lab_rq_free(&rules_rq[i]);
	lab_close(&rules_lab);
	lab_clean();
	return 0;
}

/* ---- rules ---- */

void rule_start(struct rule *r, uint32_t prio)
{
	memset(r, 0, sizeof(*r));
	r->attr.size = sizeof(r->attr);
	r->attr.priority = (uint16_t)prio;
	r->attr.port = 1;
}

void *rule_add(struct rule *r, uint32_t type, size_t size)
{
	/* Every spec begins like this one, which needs less alignment than their union. */
	struct ibv_flow_spec_eth *s = (void *)((uint8_t *)&r->attr + r->attr.size);

	s->type = type;
	s->size = (uint16_t)size;
	r->attr.size = (uint16_t)(r->attr.size + size);
	r->attr.num_of_specs++;
	return s;
}

struct ibv_flow_spec_eth *rule_eth(struct rule *r)
{
	return rule_add(r, IBV_FLOW_SPEC_ETH, sizeof(struct ibv_flow_spec_eth));
}

struct ibv_flow_spec_ipv4_ext *rule_ip4(struct rule *r)
{
	return rule_add(r, IBV_FLOW_SPEC_IPV4_EXT, sizeof(struct ibv_flow_spec_ipv4_ext));
}

struct ibv_flow_spec_ipv6 *rule_ip6(struct rule *r)
{
	return rule_add(r, IBV_FLOW_SPEC_IPV6, sizeof(struct ibv_flow_spec_ipv6));
}

struct ibv_flow_spec_tcp_udp *rule_udp(struct rule *r)
{
	return rule_add(r, IBV_FLOW_SPEC_UDP, sizeof(struct ibv_flow_spec_tcp_udp));
}

void rule_tag(struct rule *r, uint32_t tag)
{
	struct ibv_flow_spec_action_tag *s = rule_add(r, IBV_FLOW_SPEC_ACTION_TAG, sizeof(*s));

	s->tag_id = tag;
}

struct ibv_flow *rule_create(struct rule *r, uint32_t queue)
{
	struct ibv_flow *flow = ibv_create_flow(rules_rq[queue].qp, &r->attr);

	assert_non_null(flow);
	return flow;
}

void rule_refused(struct rule *r, uint32_t queue, int err)
{
	assert_null(ibv_create_flow(rules_rq[queue].qp, &r->attr));
	assert_int_equal(errno, err);
}

void rule_destroy(struct ibv_flow *flow)
{
	assert_int_equal(ibv_destroy_flow(flow), 0);
}

/* ---- where a frame goes ---- */

static bool arrived(const struct lab_cq *cq)
{
	const struct mlx5_cqe64 *c = cq->dv.buf;

	c += cq->ci & (cq->dv.cqe_cnt - 1);
	return c->op_own >> 4 != MLX5_CQE_INVALID &&
	       (c->op_own & 1) == ((cq->ci & cq->dv.cqe_cnt) != 0);
}

uint32_t goes_again(void)
{
	uint32_t i, set = 0;

	lab_inject(goes_frame.b, goes_frame.len);
	for (i = 0; i < RULES_QUEUES; i++) {
		if (!arrived(&rules_rq[i].cq))
			continue;
		goes_cqe = lab_cqe(&rules_rq[i].cq, MLX5_CQE_RESP_SEND);
		assert_false(arrived(&rules_rq[i].cq)); /* one copy for each queue */
		lab_post(&rules_lab, &rules_rq[i], i * 32 * 2048, 2048);
		set |= 1u << i;
	}
	return set;
}

uint32_t goes(const struct frame_attr *a)
{
	frame_make(&goes_frame, a);
	return goes_again();
}

uint32_t goes_tag(void)
{
	return be32toh(goes_cqe.sop_drop_qpn) & 0xffffff;
}
