/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow rules as uverbs commands: ibv_create_flow's specifications, translated as
 * drivers/infiniband/hw/mlx5/fs.c (parse_flow_attr) does, and mlx5dv matchers.
 *
 * Supported: ETH, IPV4, IPV4_EXT, IPV6, TCP, UDP, VXLAN_TUNNEL; actions TAG and DROP. Matchers on
 * outer headers, misc parameters, ICMP types and metadata, NIC_RX and NIC_TX. Everything else is
 * EOPNOTSUPP.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "referee.h"
#include "steer.h"
#include "uverbs.h"

#define LAST_PRIO 15

struct cx_flow {
	struct cx_obj o;
	struct cx_steer *steer;
	struct cx_fte_entry *entry;
	struct cx_qp *qp;
	struct cx_obj *matcher;
};

struct cx_matcher {
	struct cx_obj o;
	struct cx_fte mask;
	uint16_t prio;
	bool egress;
};

/* ---- specifications to match parameters ---- */

static void set(struct cx_rule *r, int word, uint32_t value, uint32_t mask)
{
	r->value.w[word] |= htobe32(value & mask);
	r->mask.w[word] |= htobe32(mask);
}

static uint32_t mask_of(const struct cx_rule *r, int word)
{
	return be32toh(r->mask.w[word]);
}

static void set_mac(struct cx_rule *r, int hi, const uint8_t *v, const uint8_t *m)
{
	set(r, hi, cx_get32(v), cx_get32(m));
	set(r, hi + 1, (uint32_t)cx_get16(v + 4) << 16, (uint32_t)cx_get16(m + 4) << 16);
}

static int add_eth(struct cx_rule *r, const struct ib_uverbs_flow_spec_eth *s)
{
	uint16_t tag = be16toh(s->mask.vlan_tag);

	set_mac(r, CX_FTE_DMAC_HI, s->val.dst_mac, s->mask.dst_mac);
	set_mac(r, CX_FTE_SMAC_HI, s->val.src_mac, s->mask.src_mac);
	if (tag) {
		set(r, CX_FTE_IP, CX_FTE_IP_CVLAN, CX_FTE_IP_CVLAN);
		set(r, CX_FTE_DMAC_LO_VLAN, be16toh(s->val.vlan_tag), tag);
	}
	set(r, CX_FTE_SMAC_LO_TYPE, be16toh(s->val.ether_type), be16toh(s->mask.ether_type));
	return 0;
}

/* An ethertype beside an IP specification must be whole, and say the same. */
static int set_version(struct cx_rule *r, uint32_t version, uint32_t type)
{
	uint32_t have = mask_of(r, CX_FTE_SMAC_LO_TYPE) & 0xffff;

	if (have && (have != 0xffff || (be32toh(r->value.w[CX_FTE_SMAC_LO_TYPE]) & 0xffff) != type))
		return -EINVAL;
	if (mask_of(r, CX_FTE_IP) & CX_FTE_IP_VERSION(15))
		return -EINVAL;
	set(r, CX_FTE_IP, CX_FTE_IP_VERSION(version), CX_FTE_IP_VERSION(15));
	return 0;
}

static int add_ip4(struct cx_rule *r, const struct ib_uverbs_flow_spec_ipv4 *s)
{
	if (s->mask.ttl || s->mask.flags)
		return -EOPNOTSUPP;
	set(r, CX_FTE_SRC_IP + 3, be32toh(s->val.src_ip), be32toh(s->mask.src_ip));
	set(r, CX_FTE_DST_IP + 3, be32toh(s->val.dst_ip), be32toh(s->mask.dst_ip));
	set(r, CX_FTE_IP, (uint32_t)s->val.tos << 16, (uint32_t)s->mask.tos << 16);
	set(r, CX_FTE_IP, CX_FTE_IP_PROTO(s->val.proto), CX_FTE_IP_PROTO(s->mask.proto));
	return set_version(r, 4, 0x0800);
}

static int add_ip6(struct cx_rule *r, const struct ib_uverbs_flow_spec_ipv6 *s)
{
	int i;

	if (s->mask.hop_limit)
		return -EOPNOTSUPP;
	for (i = 0; i < 4; i++) {
		set(r, CX_FTE_SRC_IP + i, cx_get32(s->val.src_ip + i * 4),
		    cx_get32(s->mask.src_ip + i * 4));
		set(r, CX_FTE_DST_IP + i, cx_get32(s->val.dst_ip + i * 4),
		    cx_get32(s->mask.dst_ip + i * 4));
	}
	set(r, CX_FTE_IP, (uint32_t)s->val.traffic_class << 16,
	    (uint32_t)s->mask.traffic_class << 16);
	set(r, CX_FTE_IP, CX_FTE_IP_PROTO(s->val.next_hdr), CX_FTE_IP_PROTO(s->mask.next_hdr));
	set(r, CX_FTE_FLOW_LABEL, be32toh(s->val.flow_label), be32toh(s->mask.flow_label));
	return set_version(r, 6, 0x86dd);
}

static int add_ports(struct cx_rule *r, const struct ib_uverbs_flow_spec_tcp_udp *s, int word,
		     uint8_t proto)
{
	uint32_t have = mask_of(r, CX_FTE_IP) >> 24;

	if (have && (have != 0xff || be32toh(r->value.w[CX_FTE_IP]) >> 24 != proto))
		return -EINVAL;
	set(r, CX_FTE_IP, CX_FTE_IP_PROTO(proto), CX_FTE_IP_PROTO(0xff));
	set(r, word, (uint32_t)be16toh(s->val.src_port) << 16 | be16toh(s->val.dst_port),
	    (uint32_t)be16toh(s->mask.src_port) << 16 | be16toh(s->mask.dst_port));
	return 0;
}

static int add_tag(struct cx_rule *r, const struct ib_uverbs_flow_spec_action_tag *s)
{
	if (s->tag_id >> 24 || r->has_tag)
		return -EINVAL;
	r->has_tag = true;
	r->tag = s->tag_id;
	return 0;
}

static int add_spec(struct cx_rule *r, const struct ib_uverbs_flow_spec_hdr *h)
{
	const void *s = h;

	switch (h->type) {
	case IBV_FLOW_SPEC_ETH:
		return h->size < sizeof(struct ib_uverbs_flow_spec_eth) ? -EINVAL : add_eth(r, s);
	case IBV_FLOW_SPEC_IPV4:
	case IBV_FLOW_SPEC_IPV4_EXT:
		return h->size < sizeof(struct ib_uverbs_flow_spec_ipv4) ? -EINVAL : add_ip4(r, s);
	case IBV_FLOW_SPEC_IPV6:
		return h->size < sizeof(struct ib_uverbs_flow_spec_ipv6) ? -EINVAL : add_ip6(r, s);
	case IBV_FLOW_SPEC_TCP:
		return h->size < sizeof(struct ib_uverbs_flow_spec_tcp_udp)
			       ? -EINVAL
			       : add_ports(r, s, CX_FTE_TCP_PORTS, IPPROTO_TCP);
	case IBV_FLOW_SPEC_UDP:
		return h->size < sizeof(struct ib_uverbs_flow_spec_tcp_udp)
			       ? -EINVAL
			       : add_ports(r, s, CX_FTE_UDP_PORTS, IPPROTO_UDP);
	case IBV_FLOW_SPEC_VXLAN_TUNNEL: {
		const struct ib_uverbs_flow_spec_tunnel *t = s;

		if (h->size < sizeof(*t) || be32toh(t->val.tunnel_id) >> 24)
			return -EINVAL;
		set(r, CX_FTE_VXLAN, be32toh(t->val.tunnel_id) << 8,
		    be32toh(t->mask.tunnel_id) << 8);
		return 0;
	}
	case IBV_FLOW_SPEC_ACTION_TAG:
		return h->size < sizeof(struct ib_uverbs_flow_spec_action_tag) ? -EINVAL
									       : add_tag(r, s);
	case IBV_FLOW_SPEC_ACTION_DROP: r->action = CX_FLOW_DROP; return 0;
	default: return -EOPNOTSUPP;
	}
}

/* Only the first specification counts, and for IPv4 only its value (flow_is_multicast_only). */
static bool is_multicast(const struct ib_uverbs_flow_attr *a)
{
	const void *first = a->flow_specs;
	const struct ib_uverbs_flow_spec_eth *eth = first;
	const struct ib_uverbs_flow_spec_ipv4 *ip = first;

	if (!a->num_of_specs)
		return false;
	if (a->flow_specs[0].type == IBV_FLOW_SPEC_ETH)
		return eth->val.dst_mac[0] & eth->mask.dst_mac[0] & 1;
	if (a->flow_specs[0].type == IBV_FLOW_SPEC_IPV4)
		return be32toh(ip->val.dst_ip) >> 28 == 14;
	return false;
}

static int add_specs(struct cx_rule *r, const struct ib_uverbs_flow_attr *a, uint32_t room)
{
	const uint8_t *p = (const uint8_t *)a->flow_specs;
	int i, err;

	for (i = 0; i < a->num_of_specs; i++) {
		const struct ib_uverbs_flow_spec_hdr *h = (const void *)p;

		if (room < sizeof(*h) || h->size < sizeof(*h) || h->size > room)
			return -EINVAL;
		err = add_spec(r, h);
		if (err)
			return err;
		p += h->size;
		room -= h->size;
	}
	return 0;
}

static int find_table(struct cx_rule *r, const struct ib_uverbs_flow_attr *a)
{
	switch (a->type) {
	case IBV_FLOW_ATTR_NORMAL:
		if (a->priority > LAST_PRIO)
			return -ENOMEM; /* as the kernel says it */
		r->table = is_multicast(a) && !r->copy ? CX_PRIO_MCAST
						       : 2u * a->priority + (r->copy ? 0 : 1);
		return 0;
	case IBV_FLOW_ATTR_ALL_DEFAULT: r->table = CX_TABLE_ALL; break;
	case IBV_FLOW_ATTR_MC_DEFAULT:
		r->table = CX_TABLE_MC;
		set(r, CX_FTE_DMAC_HI, 0x01000000, 0x01000000);
		break;
	case IBV_FLOW_ATTR_SNIFFER: r->table = CX_TABLE_SNIFFER; break;
	default: return -EINVAL;
	}
	return r->copy || a->num_of_specs ? -EINVAL : 0;
}

static int parse(struct cx_rule *r, const struct ib_uverbs_flow_attr *a, uint32_t room,
		 bool *egress)
{
	int err;

	*egress = a->flags & IBV_FLOW_ATTR_FLAGS_EGRESS;
	r->copy = a->flags & IBV_FLOW_ATTR_FLAGS_DONT_TRAP;
	if (a->port != 1 || a->num_of_specs > 10 ||
	    a->flags & ~(uint32_t)(IBV_FLOW_ATTR_FLAGS_EGRESS | IBV_FLOW_ATTR_FLAGS_DONT_TRAP))
		return -EINVAL;
	err = add_specs(r, a, room);
	err = err ? err : find_table(r, a);
	if (!err && *egress) {
		if (a->type != IBV_FLOW_ATTR_NORMAL || r->copy)
			return -EINVAL;
		if (r->action == CX_FLOW_FORWARD)
			r->action = CX_FLOW_ALLOW;
	}
	return err;
}

/* ---- commands ---- */

static int add_flow(struct cx_ctx *ctx, struct cx_rule *r, struct cx_qp *qp, bool egress,
		    struct cx_flow **out)
{
	struct cx_flow *f = cx_obj_new(ctx, CX_FLOW, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->steer = egress ? ctx->dev->tx : ctx->dev->rx;
	if (r->action == CX_FLOW_FORWARD) {
		r->tir = &qp->tir;
		/* The kernel would name TIR 0, unchecked (mlx5_ib_create_flow). */
		if (!qp->tir.rq && !qp->tir.ind)
			cx_violation("flow.no-queue", NULL, 0,
				     "a flow leads to QP 0x%x, which has no receive queue",
				     qp->sq.sqn);
	}
	err = cx_steer_add(f->steer, r, &f->entry);
	if (err) {
		cx_obj_free(&f->o);
		return err;
	}
	f->qp = qp;
	if (qp)
		qp->o.refs++;
	*out = f;
	return 0;
}

int cx_create_flow(struct cx_cmd *c)
{
	const struct ib_uverbs_create_flow *req = c->in;
	struct ib_uverbs_create_flow_resp r = {0};
	struct cx_rule rule = {0};
	struct cx_flow *f;
	struct cx_qp *qp;
	bool egress;
	int err;

	if (c->in_len < sizeof(*req) || req->comp_mask)
		return -EINVAL;
	qp = cx_obj_find(c->ctx, req->qp_handle, CX_QP);
	if (!qp)
		return -EINVAL;
	err = parse(&rule, &req->flow_attr, c->in_len - (uint32_t)sizeof(*req), &egress);
	err = err ? err : add_flow(c->ctx, &rule, qp, egress, &f);
	if (err)
		return err;
	r.flow_handle = f->o.handle;
	cx_cmd_out(c, &r, sizeof(r));
	return 0;
}

int cx_flow_free(struct cx_obj *o)
{
	struct cx_flow *f = (struct cx_flow *)o;

	cx_steer_del(f->steer, f->entry, f->qp ? &f->qp->tir : NULL);
	if (f->qp)
		f->qp->o.refs--;
	if (f->matcher)
		f->matcher->refs--;
	cx_obj_free(o);
	return 0;
}

int cx_destroy_flow(struct cx_cmd *c)
{
	struct ib_uverbs_destroy_flow req;
	struct cx_obj *o;

	cx_cmd_in(c, &req, sizeof(req));
	o = cx_obj_find(c->ctx, req.flow_handle, CX_FLOW);
	return o ? cx_obj_destroy(o) : -EINVAL;
}

/* ---- matchers ---- */

/* Copies match parameters; what lies beyond those that the device knows must be zero. */
static int read_fte(const struct ib_uverbs_attr *a, struct cx_fte *out)
{
	const uint32_t known = CX_FTE_ICMP * 4;
	const uint8_t *p;
	uint32_t i;

	memset(out, 0, sizeof(*out));
	if (!a || !a->len)
		return -EINVAL;
	p = cx_attr_in(a);
	memcpy(out, p, a->len < known ? a->len : known);
	if (a->len >= CX_FTE_ICMP_AT + 4)
		memcpy(&out->w[CX_FTE_ICMP], p + CX_FTE_ICMP_AT, 4);
	if (a->len >= CX_FTE_META_AT + 4)
		memcpy(&out->w[CX_FTE_META], p + CX_FTE_META_AT, 4);
	for (i = known; i < a->len; i++)
		if (p[i] && i / 4 != CX_FTE_ICMP_AT / 4 && i / 4 != CX_FTE_META_AT / 4)
			return -EOPNOTSUPP;
	return 0;
}

int cx_matcher_create(struct cx_attrs *a)
{
	struct ib_uverbs_attr *handle = cx_attr(a, MLX5_IB_ATTR_FLOW_MATCHER_CREATE_HANDLE);
	struct ib_uverbs_attr *type = cx_attr(a, MLX5_IB_ATTR_FLOW_MATCHER_FLOW_TYPE);
	uint64_t flags = cx_attr_const(a, MLX5_IB_ATTR_FLOW_MATCHER_FLOW_FLAGS, 0);
	uint64_t ft = cx_attr_const(a, MLX5_IB_ATTR_FLOW_MATCHER_FT_TYPE,
				    flags & IBV_FLOW_ATTR_FLAGS_EGRESS
					    ? MLX5_IB_UAPI_FLOW_TABLE_TYPE_NIC_TX
					    : MLX5_IB_UAPI_FLOW_TABLE_TYPE_NIC_RX);
	uint64_t criteria = cx_attr_const(a, MLX5_IB_ATTR_FLOW_MATCHER_MATCH_CRITERIA, 0) & 0xff;
	struct cx_matcher *m;
	uint16_t prio = 0;
	struct cx_fte mask;
	int err;

	if (!handle || !type || type->attr_data.enum_data.elem_id != MLX5_IB_FLOW_TYPE_NORMAL)
		return -EOPNOTSUPP;
	memcpy(&prio, cx_attr_in(type), sizeof(prio));
	if (prio > LAST_PRIO || flags & ~(uint64_t)IBV_FLOW_ATTR_FLAGS_EGRESS)
		return -EINVAL;
	if (criteria & ~0x1bull || ft > MLX5_IB_UAPI_FLOW_TABLE_TYPE_NIC_TX)
		return -EOPNOTSUPP;
	err = read_fte(cx_attr(a, MLX5_IB_ATTR_FLOW_MATCHER_MATCH_MASK), &mask);
	if (err)
		return err;
	m = cx_obj_new(a->ctx, CX_MATCHER, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->mask = mask;
	if (!(criteria & 1))
		memset(m->mask.b, 0, 64);
	if (!(criteria & 2))
		memset(m->mask.b + 64, 0, 64);
	if (!(criteria & 8))
		m->mask.w[CX_FTE_META] = 0;
	if (!(criteria & 0x10))
		m->mask.w[CX_FTE_ICMP] = 0;
	m->prio = prio;
	m->egress = ft == MLX5_IB_UAPI_FLOW_TABLE_TYPE_NIC_TX;
	handle->data = m->o.handle;
	return 0;
}

int cx_matcher_free(struct cx_obj *o)
{
	cx_obj_free(o);
	return 0;
}

int cx_matcher_destroy(struct cx_attrs *a)
{
	uint32_t h =
		(uint32_t)cx_attr_const(a, MLX5_IB_ATTR_FLOW_MATCHER_DESTROY_HANDLE, UINT32_MAX);
	struct cx_obj *o = cx_obj_find(a->ctx, h, CX_MATCHER);

	return o ? cx_obj_destroy(o) : -ENOENT;
}

/* raw_fs_is_multicast: a multicast MAC or IPv4 destination in value and mask. */
static bool fte_is_multicast(const struct cx_fte *mask, const struct cx_fte *value)
{
	if (mask->b[CX_FTE_DMAC_HI * 4] & value->b[CX_FTE_DMAC_HI * 4] & 1)
		return true;
	return mask->b[(CX_FTE_DST_IP + 3) * 4] >> 4 == 15 &&
	       value->b[(CX_FTE_DST_IP + 3) * 4] >> 4 == 14;
}

static int dv_action(struct cx_attrs *a, const struct cx_matcher *m, struct cx_rule *r,
		     struct cx_qp **qp)
{
	uint64_t flags = cx_attr_const(a, MLX5_IB_ATTR_CREATE_FLOW_FLAGS, 0);
	struct ib_uverbs_attr *dest = cx_attr(a, MLX5_IB_ATTR_CREATE_FLOW_DEST_QP);
	struct ib_uverbs_attr *tag = cx_attr(a, MLX5_IB_ATTR_CREATE_FLOW_TAG);

	if (cx_attr(a, MLX5_IB_ATTR_CREATE_FLOW_DEST_DEVX) ||
	    cx_attr(a, MLX5_IB_ATTR_CREATE_FLOW_ARR_FLOW_ACTIONS) ||
	    cx_attr(a, MLX5_IB_ATTR_CREATE_FLOW_ARR_COUNTERS_DEVX))
		return -EOPNOTSUPP;
	if (flags > 2 || (dest && flags) || (m->egress && dest))
		return -EINVAL;
	*qp = dest ? cx_obj_find(a->ctx, (uint32_t)dest->data, CX_QP) : NULL;
	if (flags & MLX5_IB_ATTR_CREATE_FLOW_FLAGS_DROP)
		r->action = CX_FLOW_DROP;
	else if (flags & MLX5_IB_ATTR_CREATE_FLOW_FLAGS_DEFAULT_MISS)
		r->action = CX_FLOW_MISS;
	else if (m->egress)
		r->action = CX_FLOW_ALLOW;
	else if (!*qp)
		return -EINVAL;
	if (tag) {
		r->has_tag = true;
		r->tag = (uint32_t)cx_attr_const(a, MLX5_IB_ATTR_CREATE_FLOW_TAG, 0);
	}
	return r->tag >> 24 ? -EINVAL : 0;
}

int cx_flow_create_dv(struct cx_attrs *a)
{
	struct ib_uverbs_attr *handle = cx_attr(a, MLX5_IB_ATTR_CREATE_FLOW_HANDLE);
	uint32_t mh = (uint32_t)cx_attr_const(a, MLX5_IB_ATTR_CREATE_FLOW_MATCHER, UINT32_MAX);
	struct cx_matcher *m = cx_obj_find(a->ctx, mh, CX_MATCHER);
	struct cx_rule r = {0};
	struct cx_qp *qp;
	struct cx_flow *f;
	int err;

	if (!handle || !m)
		return -EINVAL;
	err = read_fte(cx_attr(a, MLX5_IB_ATTR_CREATE_FLOW_MATCH_VALUE), &r.value);
	err = err ? err : dv_action(a, m, &r, &qp);
	if (err)
		return err;
	r.mask = m->mask;
	r.table = fte_is_multicast(&r.mask, &r.value) ? CX_PRIO_MCAST : 2u * m->prio + 1;
	err = add_flow(a->ctx, &r, qp, m->egress, &f);
	if (err)
		return err;
	f->matcher = &m->o;
	m->o.refs++;
	handle->data = f->o.handle;
	return 0;
}
