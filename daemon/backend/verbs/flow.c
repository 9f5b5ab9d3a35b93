/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flow by ibv_create_flow: what the portable specifications can say, and what they cannot.
 *
 *   a tag      "untagged" cannot be said, and an ethertype is that behind the tags: a rule takes
 *              tagged packets too, so one that names a VLAN is refused
 *   fragments  a rule with ports takes the first fragment, which has them
 *   ARP, ND    to the port's own MAC are the kernel's, but cannot be told from other packets of
 *              that MAC without their ethertype and protocol: such rules are refused
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "verbs.h"
#include "wire.h"

struct request {
	struct ibv_flow_attr attr;
	uint8_t spec[256]; /* follow at once, no padding: libibverbs walks by size */
};
_Static_assert(sizeof(struct ibv_flow_attr) == offsetof(struct request, spec), "specs follow");

static void *add(struct request *r, size_t *at, enum ibv_flow_spec_type type, size_t size)
{
	/* Every spec begins like this one, which needs less alignment than their union. */
	struct ibv_flow_spec_eth *spec = (void *)(r->spec + *at);

	spec->type = type;
	spec->size = (uint16_t)size;
	*at += size;
	r->attr.num_of_specs++;
	return spec;
}

static void add_eth(struct request *r, size_t *at, const struct rn_flow *f)
{
	struct ibv_flow_spec_eth *e = add(r, at, IBV_FLOW_SPEC_ETH, sizeof(*e));

	memcpy(e->val.dst_mac, f->key.dmac, 6);
	memcpy(e->mask.dst_mac, f->mask.dmac, 6);
	memcpy(e->val.src_mac, f->key.smac, 6);
	memcpy(e->mask.src_mac, f->mask.smac, 6);
	e->val.ether_type = f->key.ethertype;
	e->mask.ether_type = f->mask.ethertype;
}

static void add_ip4(struct request *r, size_t *at, const struct rn_flow *f)
{
	struct ibv_flow_spec_ipv4_ext *ip = add(r, at, IBV_FLOW_SPEC_IPV4_EXT, sizeof(*ip));

	memcpy(&ip->val.dst_ip, f->key.dst, 4);
	memcpy(&ip->mask.dst_ip, f->mask.dst, 4);
	memcpy(&ip->val.src_ip, f->key.src, 4);
	memcpy(&ip->mask.src_ip, f->mask.src, 4);
	ip->val.proto = f->key.proto;
	ip->mask.proto = f->mask.proto;
}

static void add_ip6(struct request *r, size_t *at, const struct rn_flow *f)
{
	struct ibv_flow_spec_ipv6 *ip = add(r, at, IBV_FLOW_SPEC_IPV6, sizeof(*ip));

	memcpy(ip->val.dst_ip, f->key.dst, 16);
	memcpy(ip->mask.dst_ip, f->mask.dst, 16);
	memcpy(ip->val.src_ip, f->key.src, 16);
	memcpy(ip->mask.src_ip, f->mask.src, 16);
	ip->val.next_hdr = f->key.proto;
	ip->mask.next_hdr = f->mask.proto;
}

static void add_ports(struct request *r, size_t *at, const struct rn_flow *f)
{
	enum ibv_flow_spec_type type = f->key.proto == IPPROTO_TCP ? IBV_FLOW_SPEC_TCP
								   : IBV_FLOW_SPEC_UDP;
	struct ibv_flow_spec_tcp_udp *l4 = add(r, at, type, sizeof(*l4));

	l4->val.dst_port = f->key.dport;
	l4->mask.dst_port = f->mask.dport;
	l4->val.src_port = f->key.sport;
	l4->mask.src_port = f->mask.sport;
}

static void add_tag(struct request *r, size_t *at, uint32_t tag)
{
	struct ibv_flow_spec_action_tag *t = add(r, at, IBV_FLOW_SPEC_ACTION_TAG, sizeof(*t));

	t->tag_id = tag;
}

void *rn_verbs_flow(struct rn_rdma *rdma, const struct rn_flow *f, struct ibv_qp *qp)
{
	struct request r = {.attr = {.type = IBV_FLOW_ATTR_NORMAL, .port = 1}};
	size_t at = 0;

	(void)rdma;
	r.attr.priority = f->priority;
	add_eth(&r, &at, f);
	if (f->mask.ethertype && f->key.ethertype == htons(TYPE_IP4))
		add_ip4(&r, &at, f);
	if (f->mask.ethertype && f->key.ethertype == htons(TYPE_IP6))
		add_ip6(&r, &at, f);
	if (f->mask.sport || f->mask.dport)
		add_ports(&r, &at, f);
	add_tag(&r, &at, f->tag);
	r.attr.size = (uint16_t)(sizeof(r.attr) + at);
	return ibv_create_flow(qp, &r.attr);
}

/* ---- what cannot be said ---- */

static bool own_mac(const struct rn_rdma *rdma, const struct rn_flow *f)
{
	for (unsigned i = 0; i < 6; i++)
		if ((rdma->port->mac[i] ^ f->key.dmac[i]) & f->mask.dmac[i])
			return false;
	return true;
}

int rn_verbs_flow_check(const struct rn_rdma *rdma, const struct rn_flow *f, struct rn_err *err)
{
	const char *dev = rdma->port->config.dev;
	bool ports = f->mask.sport || f->mask.dport;

	if (f->key.vlan & f->mask.vlan)
		return rn_fail(err, -EOPNOTSUPP,
			       "vlan: the verbs backend of %s cannot tell tags apart (mlx5 and xdp "
			       "can)",
			       dev);
	if (ports && f->key.proto != IPPROTO_TCP && f->key.proto != IPPROTO_UDP)
		return rn_fail(err, -EOPNOTSUPP,
			       "sport, dport: the verbs backend of %s knows the ports of TCP and "
			       "UDP only",
			       dev);
	if (!own_mac(rdma, f))
		return 0;
	if (!f->mask.ethertype)
		return rn_fail(err, -EOPNOTSUPP,
			       "ethertype: the verbs backend of %s would take the kernel's ARP "
			       "without it",
			       dev);
	if (f->key.ethertype == htons(TYPE_IP6) &&
	    (!f->mask.proto || f->key.proto == IPPROTO_ICMPV6))
		return rn_fail(err, -EOPNOTSUPP,
			       "proto: the verbs backend of %s would take the kernel's neighbour "
			       "discovery without it",
			       dev);
	return 0;
}

void rn_verbs_flow_destroy(struct rn_rdma *rdma, void *flow)
{
	(void)rdma;
	ibv_destroy_flow(flow);
}
