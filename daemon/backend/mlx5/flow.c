/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows by matchers, which can say all that a rule means (match.h). A matcher is a mask at a
 * priority; all flows of a shape share one, so there are few, kept in a list.
 *
 * Exceptions. ARP and neighbour discovery to the port's own MAC are the kernel's, whatever the
 * rules say. A rule that could take them (one for the port's MAC without ethertype, or for IPv6
 * without a protocol) brings flows along that send them on to the kernel, at the one priority above
 * all rules. They stay until the port closes or its MAC changes.
 *
 * More than one action in a flow: rdma-core changed the layout of struct mlx5dv_flow_action_attr in
 * 2025 and back in 2026 (fdd5dbfb7); the daemon has to run with the rdma-core that it was built
 * for.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "match.h"
#include "mlx5.h"

#define TYPE_IP6       0x86dd
#define TYPE_ARP       0x0806
#define EXCEPTIONS     6u /* ARP, and five types of neighbour discovery */
#define ND_FIRST       133u
#define EXCEPTION_PRIO 0u

struct matcher {
	struct matcher *next;
	struct mlx5dv_flow_matcher *dv;
	struct rn_match mask;
	uint16_t priority;
	uint32_t refs;
};

/* A rule's flow. */
struct flow {
	struct ibv_flow *dv;
	struct matcher *matcher;
};

struct rn_mlx5_matchers {
	struct matcher *first;
	uint8_t mac[6]; /* of the exceptions */
	bool excepted;
	struct ibv_flow *exception[EXCEPTIONS];
	struct mlx5dv_flow_matcher *exception_matcher[EXCEPTIONS];
};

/* What libmlx5 takes: a size and the words behind it. */
struct parameters {
	size_t size;
	struct rn_match match;
};
_Static_assert(offsetof(struct parameters, match) ==
		       offsetof(struct mlx5dv_flow_match_parameters, match_buf),
	       "the words follow the size");

static struct mlx5dv_flow_matcher *make_matcher(struct ibv_context *ctx,
						const struct rn_match *mask, uint16_t priority)
{
	struct parameters p = {sizeof(p.match), *mask};
	struct mlx5dv_flow_matcher_attr attr = {
		.type = IBV_FLOW_ATTR_NORMAL,
		.priority = priority,
		.match_criteria_enable = rn_match_criteria(mask),
		.match_mask = (struct mlx5dv_flow_match_parameters *)(void *)&p,
	};

	return mlx5dv_create_flow_matcher(ctx, &attr);
}

/* ---- matchers of rules ---- */

static struct matcher *get_matcher(struct rn_mlx5_port *m, const struct rn_match *mask,
				   uint16_t priority)
{
	struct matcher *k;

	for (k = m->matchers->first; k; k = k->next)
		if (k->priority == priority && !memcmp(&k->mask, mask, sizeof(*mask))) {
			k->refs++;
			return k;
		}
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->dv = make_matcher(m->rdma.ctx, mask, priority);
	if (!k->dv) {
		free(k);
		return NULL;
	}
	k->mask = *mask;
	k->priority = priority;
	k->refs = 1;
	k->next = m->matchers->first;
	m->matchers->first = k;
	return k;
}

static void put_matcher(struct rn_mlx5_port *m, struct matcher *k)
{
	struct matcher **p;

	if (--k->refs)
		return;
	for (p = &m->matchers->first; *p != k; p = &(*p)->next)
		;
	*p = k->next;
	mlx5dv_destroy_flow_matcher(k->dv);
	free(k);
}

/* ---- flows of rules ---- */

static void *create(struct rn_rdma *rdma, const struct rn_flow *f, struct ibv_qp *qp)
{
	struct rn_mlx5_port *m = rn_mlx5_port_of(rdma->port);
	struct mlx5dv_flow_action_attr actions[2] = {
		{.type = MLX5DV_FLOW_ACTION_DEST_IBV_QP, .qp = qp},
		{.type = MLX5DV_FLOW_ACTION_TAG, .tag_value = f->tag},
	};
	struct parameters value = {.size = sizeof(value.match)};
	struct flow *flow = calloc(1, sizeof(*flow));
	struct rn_match mask;
	int error;

	if (!flow)
		return NULL;
	rn_match_fill(&value.match, &mask, &f->key, &f->mask, f->whole);
	flow->matcher = get_matcher(m, &mask, f->priority);
	if (flow->matcher)
		flow->dv = mlx5dv_create_flow(flow->matcher->dv, (void *)&value, 2, actions);
	if (flow->dv)
		return flow;
	error = errno;
	if (flow->matcher)
		put_matcher(m, flow->matcher);
	free(flow);
	errno = error;
	return NULL;
}

static void destroy(struct rn_rdma *rdma, void *handle)
{
	struct flow *flow = handle;

	ibv_destroy_flow(flow->dv);
	put_matcher(rn_mlx5_port_of(rdma->port), flow->matcher);
	free(flow);
}

/* ---- exceptions ---- */

static void drop_exceptions(struct rn_mlx5_matchers *x)
{
	for (unsigned i = 0; i < EXCEPTIONS; i++) {
		if (x->exception[i])
			ibv_destroy_flow(x->exception[i]);
		if (x->exception_matcher[i])
			mlx5dv_destroy_flow_matcher(x->exception_matcher[i]);
		x->exception[i] = NULL;
		x->exception_matcher[i] = NULL;
	}
	x->excepted = false;
}

/* The i-th kind of packet that is the kernel's; tagged or not. */
static int except(struct rn_mlx5_port *m, const uint8_t mac[6], unsigned i)
{
	static const uint8_t whole[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct rn_mlx5_matchers *x = m->matchers;
	struct mlx5dv_flow_action_attr miss = {.type = MLX5DV_FLOW_ACTION_DEFAULT_MISS};
	struct parameters value = {.size = sizeof(value.match)};
	struct rn_match mask = {0};

	rn_match_set_mac(&value.match, &mask, RN_MATCH_DMAC, mac, whole);
	if (!i) {
		rn_match_set(&value.match, &mask, RN_MATCH_SMAC + 1, TYPE_ARP, 0xffff);
	} else {
		rn_match_set(&value.match, &mask, RN_MATCH_IP,
			     RN_MATCH_IP_VERSION(6) | RN_MATCH_IP_PROTO(IPPROTO_ICMPV6),
			     RN_MATCH_IP_VERSION(15) | RN_MATCH_IP_PROTO(0xff));
		rn_match_set(&value.match, &mask, RN_MATCH_ICMP, (ND_FIRST + i - 1) << 8, 0xff00);
	}
	x->exception_matcher[i] = make_matcher(m->rdma.ctx, &mask, EXCEPTION_PRIO);
	if (x->exception_matcher[i])
		x->exception[i] =
			mlx5dv_create_flow(x->exception_matcher[i], (void *)&value, 1, &miss);
	return x->exception[i] ? 0 : -errno;
}

static int make_exceptions(struct rn_mlx5_port *m, struct rn_err *err)
{
	const uint8_t *mac = m->rdma.port->mac;
	int rc = 0;

	if (m->matchers->excepted && !memcmp(m->matchers->mac, mac, 6))
		return 0;
	drop_exceptions(m->matchers);
	for (unsigned i = 0; i < EXCEPTIONS && !rc; i++)
		rc = except(m, mac, i);
	if (rc) {
		drop_exceptions(m->matchers);
		return rn_fail(err, rc,
			       "%s: the device cannot leave ARP and neighbour discovery to the "
			       "kernel (%s): name an ethertype, and for IPv6 a protocol",
			       m->rdma.port->config.dev, strerror(-rc));
	}
	memcpy(m->matchers->mac, mac, 6);
	m->matchers->excepted = true;
	return 0;
}

static bool own_mac(const struct rn_rdma *rdma, const struct rn_flow *f)
{
	for (unsigned i = 0; i < 6; i++)
		if ((rdma->port->mac[i] ^ f->key.dmac[i]) & f->mask.dmac[i])
			return false;
	return true;
}

static int check(const struct rn_rdma *rdma, const struct rn_flow *f, struct rn_err *err)
{
	bool ports = f->mask.sport || f->mask.dport;
	bool six = f->key.ethertype == htons(TYPE_IP6);

	if (ports && f->key.proto != IPPROTO_TCP && f->key.proto != IPPROTO_UDP)
		return rn_fail(err, -EOPNOTSUPP,
			       "sport, dport: the device of %s knows the ports of TCP and UDP only",
			       rdma->port->config.dev);
	if (!own_mac(rdma, f))
		return 0;
	if (!f->mask.ethertype || (six && (!f->mask.proto || f->key.proto == IPPROTO_ICMPV6)))
		return make_exceptions(rn_mlx5_port_of(rdma->port), err);
	return 0;
}

const struct rn_flow_ops rn_mlx5_flow_ops = {
	.check = check,
	.create = create,
	.destroy = destroy,
};

int rn_mlx5_flows_open(struct rn_mlx5_port *m)
{
	m->matchers = calloc(1, sizeof(*m->matchers));
	return m->matchers ? 0 : -ENOMEM;
}

/* All rules are gone. */
void rn_mlx5_flows_close(struct rn_mlx5_port *m)
{
	if (!m->matchers)
		return;
	drop_exceptions(m->matchers);
	free(m->matchers);
	m->matchers = NULL;
}
