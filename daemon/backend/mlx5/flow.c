/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows by matchers, which can say all that a rule means (match.h). All flows of a shape share a
 * matcher (matcher.h).
 *
 * Exceptions. ARP and neighbour discovery to the port's own MAC are the kernel's, whatever the
 * rules say. A rule that could take them (one for the port's MAC without ethertype, or for IPv6
 * without a protocol) brings flows along that send them on to the kernel, at the one priority above
 * all rules. They stay until the port closes or its MAC changes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "matcher.h"
#include "mlx5.h"

#define TYPE_IP6       0x86dd
#define TYPE_ARP       0x0806
#define EXCEPTIONS     6u /* ARP, and five types of neighbour discovery */
#define ND_FIRST       133u
#define EXCEPTION_PRIO 0u

struct rn_mlx5_exceptions {
	uint8_t mac[6]; /* whose */
	bool made;
	struct rn_mlx5_flow *flow[EXCEPTIONS];
};

/* ---- flows of rules ---- */

static void *create(struct rn_rdma *rdma, const struct rn_flow *f, struct ibv_qp *qp)
{
	struct mlx5dv_flow_action_attr actions[2] = {
		{.type = MLX5DV_FLOW_ACTION_DEST_IBV_QP, .qp = qp},
		{.type = MLX5DV_FLOW_ACTION_TAG, .tag_value = f->tag},
	};
	struct rn_mlx5_flow_attr attr = {.priority = f->priority};

	rn_match_fill(&attr.value, &attr.mask, &f->key, &f->mask, f->whole);
	return rn_mlx5_flow_make(rn_mlx5_port_of(rdma->port), &attr, actions, 2);
}

static void destroy(struct rn_rdma *rdma, void *flow)
{
	rn_mlx5_flow_unmake(rn_mlx5_port_of(rdma->port), flow);
}

/* ---- exceptions ---- */

static void drop_exceptions(struct rn_mlx5_port *m)
{
	struct rn_mlx5_exceptions *x = m->exceptions;

	for (unsigned i = 0; i < EXCEPTIONS; i++) {
		rn_mlx5_flow_unmake(m, x->flow[i]);
		x->flow[i] = NULL;
	}
	x->made = false;
}

/* The i-th kind of packet that is the kernel's; tagged or not. */
static int except(struct rn_mlx5_port *m, const uint8_t mac[6], unsigned i)
{
	static const uint8_t whole[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct mlx5dv_flow_action_attr miss = {.type = MLX5DV_FLOW_ACTION_DEFAULT_MISS};
	struct rn_mlx5_flow_attr attr = {.priority = EXCEPTION_PRIO};

	rn_match_set_mac(&attr.value, &attr.mask, RN_MATCH_DMAC, mac, whole);
	if (!i) {
		rn_match_set(&attr.value, &attr.mask, RN_MATCH_SMAC + 1, TYPE_ARP, 0xffff);
	} else {
		rn_match_set(&attr.value, &attr.mask, RN_MATCH_IP,
			     RN_MATCH_IP_VERSION(6) | RN_MATCH_IP_PROTO(IPPROTO_ICMPV6),
			     RN_MATCH_IP_VERSION(15) | RN_MATCH_IP_PROTO(0xff));
		rn_match_set(&attr.value, &attr.mask, RN_MATCH_ICMP, (ND_FIRST + i - 1) << 8,
			     0xff00);
	}
	m->exceptions->flow[i] = rn_mlx5_flow_make(m, &attr, &miss, 1);
	return m->exceptions->flow[i] ? 0 : -errno;
}

static int make_exceptions(struct rn_mlx5_port *m, struct rn_err *err)
{
	const uint8_t *mac = m->rdma.port->mac;
	int rc = 0;

	if (m->exceptions->made && !memcmp(m->exceptions->mac, mac, 6))
		return 0;
	drop_exceptions(m);
	for (unsigned i = 0; i < EXCEPTIONS && !rc; i++)
		rc = except(m, mac, i);
	if (rc) {
		drop_exceptions(m);
		return rn_fail(err, rc,
			       "%s: the device cannot leave ARP and neighbour discovery to the "
			       "kernel (%s): name an ethertype, and for IPv6 a protocol",
			       m->rdma.port->config.dev, strerror(-rc));
	}
	memcpy(m->exceptions->mac, mac, 6);
	m->exceptions->made = true;
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
	.mirror = rn_mlx5_mirror,
};

int rn_mlx5_flows_open(struct rn_mlx5_port *m)
{
	m->exceptions = calloc(1, sizeof(*m->exceptions));
	return m->exceptions ? 0 : -ENOMEM;
}

/* All rules are gone. */
void rn_mlx5_flows_close(struct rn_mlx5_port *m)
{
	if (!m->exceptions)
		return;
	drop_exceptions(m);
	free(m->exceptions);
	m->exceptions = NULL;
}
