/* SPDX-License-Identifier: BSD-2-Clause */
/* See route_msg.h. Formats: include/uapi/linux/rtnetlink.h, neighbour.h, if_link.h. */
#include "route_msg.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

static struct nlmsghdr *question(uint8_t *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh;

	memset(buf, 0, RN_ROUTE_QUESTION);
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = 1;
	return nlh;
}

static uint8_t address_family(uint8_t family)
{
	return family == 4 ? AF_INET : AF_INET6;
}

/* Takes an attribute of exactly this size. */
static bool take(const struct nlattr *attr, void *to, size_t size)
{
	if (mnl_attr_get_payload_len(attr) != size)
		return false;
	memcpy(to, mnl_attr_get_payload(attr), size);
	return true;
}

/* ---- routes ---- */

struct nlmsghdr *rn_route_question(uint8_t buf[RN_ROUTE_QUESTION], uint8_t family,
				   const uint8_t *dst, uint32_t oif, bool fib)
{
	struct nlmsghdr *nlh = question(buf, RTM_GETROUTE, 0);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));

	rt->rtm_family = address_family(family);
	rt->rtm_dst_len = (uint8_t)(rn_family_size(family) * 8);
	rt->rtm_flags = fib ? RTM_F_FIB_MATCH : 0;
	mnl_attr_put(nlh, RTA_DST, rn_family_size(family), dst);
	if (oif)
		mnl_attr_put_u32(nlh, RTA_OIF, oif);
	return nlh;
}

static void parse_metrics(const struct nlattr *nest, struct rn_route *route)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == RTAX_MTU)
			take(attr, &route->mtu, sizeof(route->mtu));
	}
}

/* A gateway of the other family: struct rtvia. */
static bool parse_via(const struct nlattr *attr, struct rn_route *route)
{
	const struct rtvia *via = mnl_attr_get_payload(attr);
	size_t len = mnl_attr_get_payload_len(attr);

	if (len < sizeof(*via))
		return false;
	len -= sizeof(*via);
	if ((via->rtvia_family != AF_INET || len != 4) &&
	    (via->rtvia_family != AF_INET6 || len != 16))
		return false;
	route->via_family = len == 4 ? 4 : 6;
	memcpy(route->via, via->rtvia_addr, len);
	return true;
}

bool rn_route_parse(const struct nlmsghdr *nlh, struct rn_route *route)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(nlh);
	struct nlattr *attr;
	uint8_t family;
	bool good = true;

	memset(route, 0, sizeof(*route));
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rt) ||
	    (rt->rtm_family != AF_INET && rt->rtm_family != AF_INET6))
		return false;
	family = rt->rtm_family == AF_INET ? 4 : 6;
	route->type = rt->rtm_type;
	mnl_attr_for_each(attr, nlh, sizeof(*rt))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF: good &= take(attr, &route->oif, sizeof(route->oif)); break;
		case RTA_GATEWAY:
			good &= take(attr, route->via, rn_family_size(family));
			route->via_family = family;
			break;
		case RTA_VIA: good &= parse_via(attr, route); break;
		case RTA_PREFSRC:
			route->has_src = take(attr, route->src, rn_family_size(family));
			break;
		case RTA_METRICS: parse_metrics(attr, route); break;
		case RTA_ENCAP_TYPE: route->encap = true; break;
		default: break;
		}
	}
	return good;
}

/* ---- VLAN interfaces ---- */

struct nlmsghdr *rn_vlan_question(uint8_t buf[RN_ROUTE_QUESTION], uint32_t ifindex)
{
	struct nlmsghdr *nlh = question(buf, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_index = (int)ifindex;
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return nlh;
}

static void parse_vlan_data(const struct nlattr *nest, uint16_t *id, uint16_t *proto)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == IFLA_VLAN_ID)
			take(attr, id, sizeof(*id));
		else if (mnl_attr_get_type(attr) == IFLA_VLAN_PROTOCOL)
			take(attr, proto, sizeof(*proto));
	}
}

static void parse_link_info(const struct nlattr *nest, struct rn_vlan *vlan)
{
	uint16_t id = 0, proto = htons(ETH_P_8021Q);
	struct nlattr *attr;
	bool kind = false;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			kind = mnl_attr_get_payload_len(attr) == sizeof("vlan") &&
			       !memcmp(mnl_attr_get_payload(attr), "vlan", sizeof("vlan"));
		else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
			parse_vlan_data(attr, &id, &proto);
	}
	if (kind && proto == htons(ETH_P_8021Q))
		vlan->id = id;
}

bool rn_vlan_parse(const struct nlmsghdr *nlh, struct rn_vlan *vlan)
{
	struct nlattr *attr;

	memset(vlan, 0, sizeof(*vlan));
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct ifinfomsg))
		return false;
	mnl_attr_for_each(attr, nlh, sizeof(struct ifinfomsg))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_LINK: take(attr, &vlan->parent, sizeof(vlan->parent)); break;
		case IFLA_MTU: take(attr, &vlan->mtu, sizeof(vlan->mtu)); break;
		case IFLA_ADDRESS: take(attr, vlan->mac, sizeof(vlan->mac)); break;
		case IFLA_LINKINFO: parse_link_info(attr, vlan); break;
		default: break;
		}
	}
	return true;
}

/* ---- neighbours ---- */

static struct nlmsghdr *neighbour(uint8_t *buf, uint16_t type, uint16_t flags, uint32_t ifindex,
				  uint8_t family, const uint8_t *addr, uint8_t ntf)
{
	struct nlmsghdr *nlh = question(buf, type, flags);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));

	nd->ndm_family = address_family(family);
	nd->ndm_ifindex = (int)ifindex;
	nd->ndm_flags = ntf;
	mnl_attr_put(nlh, NDA_DST, rn_family_size(family), addr);
	return nlh;
}

struct nlmsghdr *rn_neighbour_question(uint8_t buf[RN_ROUTE_QUESTION], uint32_t ifindex,
				       uint8_t family, const uint8_t *addr)
{
	return neighbour(buf, RTM_GETNEIGH, 0, ifindex, family, addr, 0);
}

struct nlmsghdr *rn_neighbour_use(uint8_t buf[RN_ROUTE_QUESTION], uint32_t ifindex, uint8_t family,
				  const uint8_t *addr)
{
	return neighbour(buf, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE, ifindex, family, addr,
			 NTF_USE);
}

bool rn_neighbour_parse(const struct nlmsghdr *nlh, struct rn_neighbour *n)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	struct nlattr *attr;

	memset(n, 0, sizeof(*n));
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*nd))
		return false;
	n->state = nd->ndm_state;
	mnl_attr_for_each(attr, nlh, sizeof(*nd))
	{
		if (mnl_attr_get_type(attr) == NDA_LLADDR)
			n->has_mac = take(attr, n->mac, sizeof(n->mac));
	}
	return true;
}
