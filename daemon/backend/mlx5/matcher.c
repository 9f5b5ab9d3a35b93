/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Matchers and their flows. A matcher is a mask at a priority of one side, receive or transmit;
 * flows share them, so there are few, kept in a list.
 *
 * More than one action in a flow: rdma-core changed the layout of struct mlx5dv_flow_action_attr in
 * 2025 and back in 2026 (fdd5dbfb7); the daemon has to run with the rdma-core that it was built
 * for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "matcher.h"
#include "mlx5.h"

struct rn_mlx5_matcher {
	struct rn_mlx5_matcher *next;
	struct mlx5dv_flow_matcher *dv;
	struct rn_match mask;
	uint16_t priority;
	bool egress;
	uint32_t refs;
};

struct rn_mlx5_flow {
	struct ibv_flow *dv;
	struct rn_mlx5_matcher *matcher;
};

/* What libmlx5 takes: a size and the words behind it. */
struct parameters {
	size_t size;
	struct rn_match match;
};
_Static_assert(offsetof(struct parameters, match) ==
		       offsetof(struct mlx5dv_flow_match_parameters, match_buf),
	       "the words follow the size");

static struct mlx5dv_flow_matcher *make_dv(struct ibv_context *ctx,
					   const struct rn_mlx5_flow_attr *a)
{
	struct parameters p = {sizeof(p.match), a->mask};
	struct mlx5dv_flow_matcher_attr attr = {
		.type = IBV_FLOW_ATTR_NORMAL,
		.flags = a->egress ? IBV_FLOW_ATTR_FLAGS_EGRESS : 0,
		.priority = a->priority,
		.match_criteria_enable = rn_match_criteria(&a->mask),
		.match_mask = (struct mlx5dv_flow_match_parameters *)(void *)&p,
	};

	return mlx5dv_create_flow_matcher(ctx, &attr);
}

static struct rn_mlx5_matcher *get(struct rn_mlx5_port *m, const struct rn_mlx5_flow_attr *a)
{
	struct rn_mlx5_matcher *k;

	for (k = m->matchers; k; k = k->next)
		if (k->priority == a->priority && k->egress == a->egress &&
		    !memcmp(&k->mask, &a->mask, sizeof(a->mask))) {
			k->refs++;
			return k;
		}
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->dv = make_dv(m->rdma.ctx, a);
	if (!k->dv) {
		free(k);
		return NULL;
	}
	k->mask = a->mask;
	k->priority = a->priority;
	k->egress = a->egress;
	k->refs = 1;
	k->next = m->matchers;
	m->matchers = k;
	return k;
}

static void put(struct rn_mlx5_port *m, struct rn_mlx5_matcher *k)
{
	struct rn_mlx5_matcher **p;

	if (--k->refs)
		return;
	for (p = &m->matchers; *p != k; p = &(*p)->next)
		;
	*p = k->next;
	mlx5dv_destroy_flow_matcher(k->dv);
	free(k);
}

struct rn_mlx5_flow *rn_mlx5_flow_make(struct rn_mlx5_port *m, const struct rn_mlx5_flow_attr *a,
				       struct mlx5dv_flow_action_attr *actions, size_t n)
{
	struct parameters value = {sizeof(value.match), a->value};
	struct rn_mlx5_flow *flow = calloc(1, sizeof(*flow));
	int error;

	if (!flow)
		return NULL;
	flow->matcher = get(m, a);
	if (flow->matcher)
		flow->dv = mlx5dv_create_flow(flow->matcher->dv, (void *)&value, n, actions);
	if (flow->dv)
		return flow;
	error = errno;
	if (flow->matcher)
		put(m, flow->matcher);
	free(flow);
	errno = error;
	return NULL;
}

void rn_mlx5_flow_unmake(struct rn_mlx5_port *m, struct rn_mlx5_flow *flow)
{
	if (!flow)
		return;
	ibv_destroy_flow(flow->dv);
	put(m, flow->matcher);
	free(flow);
}
