/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See route.h. The kernel is asked first as if it had to send itself; if that leaves by another
 * interface, it is asked again for routes of this port. A port's VLAN interfaces are part of it.
 */
#include "route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "netdev_link.h"
#include "route_msg.h"
#include "steer.h"

#define USABLE (NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY | NUD_NOARP | NUD_PERMANENT)

/* One question with its way through the functions below. */
struct ask {
	const struct rn_route_from *from;
	uint8_t family;
	const uint8_t *dst;
	char text[INET6_ADDRSTRLEN]; /* dst */
	struct rn_route_terms *terms;
	struct rn_err *err;
};

#define PARSER(name, parse)                                     \
	static int name(const struct nlmsghdr *nlh, void *data) \
	{                                                       \
		if (parse(nlh, data))                           \
			return MNL_CB_OK;                       \
		errno = EPROTO;                                 \
		return MNL_CB_ERROR;                            \
	}
PARSER(one_route, rn_route_parse)
PARSER(one_vlan, rn_vlan_parse)
PARSER(one_neighbour, rn_neighbour_parse)

/* ---- the route ---- */

static int get_route(const struct ask *a, uint32_t oif, bool fib, struct rn_route *route)
{
	_Alignas(8) uint8_t buf[RN_ROUTE_QUESTION];

	memset(route, 0, sizeof(*route));
	return rn_netlink_ask(rn_route_question(buf, a->family, a->dst, oif, fib), one_route,
			      route);
}

static bool is_group(const struct ask *a)
{
	return a->family == 4 ? a->dst[0] >= 224 : a->dst[0] == 0xff;
}

static bool is_link_local(const struct ask *a)
{
	return a->family == 6 && a->dst[0] == 0xfe && (a->dst[1] & 0xc0) == 0x80;
}

/* Does it leave by the port, and with which tag? */
static bool leaves_here(const struct ask *a, const struct rn_route *route, struct rn_vlan *vlan)
{
	_Alignas(8) uint8_t buf[RN_ROUTE_QUESTION];

	memset(vlan, 0, sizeof(*vlan));
	if (route->oif == a->from->ifindex) {
		memcpy(vlan->mac, a->from->mac, 6);
		vlan->mtu = a->from->mtu;
		return true;
	}
	return route->oif && !rn_netlink_ask(rn_vlan_question(buf, route->oif), one_vlan, vlan) &&
	       vlan->id && vlan->parent == a->from->ifindex;
}

static int refused(const struct ask *a, int rc)
{
	const char *why = strerror(-rc);

	switch (rc) {
	case -ENETUNREACH: why = "the kernel has no route to it"; break;
	case -EHOSTUNREACH: why = "the kernel's route says unreachable"; break;
	case -EACCES: why = "the kernel's route says prohibit"; break;
	case -EINVAL: why = "the kernel's route says blackhole, or the address is none"; break;
	default: break;
	}
	return rn_fail(a->err, rc, "dst %s: %s", a->text, why);
}

static int elsewhere(const struct ask *a, uint32_t oif)
{
	char name[IF_NAMESIZE + 8] = "another interface";

	if (a->terms->names)
		if_indextoname(oif, name);
	return rn_fail(a->err, -EXDEV, "dst %s: leaves by %s, not by %s", a->text, name,
		       a->from->dev);
}

/* The kernel without a choice of interfaces, then for this one. */
static int choose_route(const struct ask *a, struct rn_route *route, struct rn_vlan *vlan)
{
	uint32_t oif = a->from->ifindex, first = 0;
	bool bound = is_group(a) || is_link_local(a);
	int rc = 0;

	if (!bound) {
		rc = get_route(a, 0, false, route);
		if (!rc && (route->type == RTN_LOCAL || leaves_here(a, route, vlan)))
			return 0;
		first = rc ? 0 : route->oif;
		/* A prefix that is refused for all is refused for this port. */
		if (rc && rc != -ENETUNREACH)
			return refused(a, rc);
	}
	if (a->family == 4 && !bound) {
		int found = get_route(a, oif, true, route);

		if (found)
			return first ? elsewhere(a, first) : refused(a, rc ? rc : found);
	}
	rc = get_route(a, oif, false, route);
	if (!rc && leaves_here(a, route, vlan))
		return 0;
	if (first)
		return elsewhere(a, first);
	return rc ? refused(a, rc) : elsewhere(a, route->oif);
}

/* ---- the next hop ---- */

static void group_mac(const struct ask *a, uint8_t type, uint8_t mac[6])
{
	const uint8_t *d = a->dst;

	if (type == RTN_BROADCAST)
		memset(mac, 0xff, 6);
	else if (a->family == 4) /* RFC 1112 */
		memcpy(mac, (uint8_t[6]) {0x01, 0x00, 0x5e, d[1] & 0x7f, d[2], d[3]}, 6);
	else /* RFC 2464 */
		memcpy(mac, (uint8_t[6]) {0x33, 0x33, d[12], d[13], d[14], d[15]}, 6);
}

/* The kernel looks after the entry: it asks, or confirms what it knew. */
static int use(const struct ask *a, uint32_t oif, const struct rawnet_rep_route *rep)
{
	_Alignas(8) uint8_t buf[RN_ROUTE_QUESTION];
	int rc = rn_netlink_ask(rn_neighbour_use(buf, oif, rep->via_family, rep->via), NULL, NULL);

	if (rc)
		return rn_fail(a->err, rc, "dst %s: neighbour: %s", a->text,
			       rc == -ENOBUFS ? "the kernel's table is full" : strerror(-rc));
	return 0;
}

static int find_neighbour(const struct ask *a, uint32_t oif, struct rawnet_rep_route *rep)
{
	bool *resolve = &a->terms->resolve;
	_Alignas(8) uint8_t buf[RN_ROUTE_QUESTION];
	struct rn_neighbour n = {0};
	bool may = *resolve;
	int rc;

	rc = rn_netlink_ask(rn_neighbour_question(buf, oif, rep->via_family, rep->via),
			    one_neighbour, &n);
	if (rc && rc != -ENOENT)
		return rn_fail(a->err, rc, "dst %s: neighbour: %s", a->text, strerror(-rc));
	rep->state = RAWNET_HOP_ASKED;
	if ((n.state & USABLE) && n.has_mac) {
		rep->state = RAWNET_HOP_READY;
		memcpy(rep->dmac, n.mac, 6);
	} else if (n.state & NUD_FAILED) {
		rep->state = RAWNET_HOP_FAILED;
	}
	*resolve = may && (!n.state || (n.state & (NUD_STALE | NUD_FAILED)));
	return *resolve ? use(a, oif, rep) : 0;
}

/* A program of this port has it; on the wire nobody answers for it (switch.h). */
static bool is_here(const struct ask *a, uint16_t vlan, struct rawnet_rep_route *rep)
{
	bool leased;

	if (!a->from->local)
		return false;
	rcu_thread_online();
	leased = rn_steer_lease(a->from->steer, rep->via_family, rep->via, vlan, rep->dmac);
	rcu_thread_offline();
	return leased;
}

static int describe(const struct ask *a, const struct rn_route *route, const struct rn_vlan *vlan,
		    struct rawnet_rep_route *rep)
{
	bool group = route->type == RTN_BROADCAST || is_group(a);

	rep->vlan = vlan->id;
	rep->mtu = route->mtu ? route->mtu : vlan->mtu;
	memcpy(rep->smac, vlan->mac, 6);
	rep->has_src = route->has_src;
	memcpy(rep->src, route->src, sizeof(rep->src));
	rep->via_family = route->via_family && !group ? route->via_family : a->family;
	memcpy(rep->via, route->via_family && !group ? route->via : a->dst,
	       rn_family_size(rep->via_family));
	if (!group && !is_here(a, vlan->id, rep))
		return find_neighbour(a, route->oif, rep);
	a->terms->resolve = false;
	if (group)
		group_mac(a, route->type, rep->dmac);
	rep->state = RAWNET_HOP_READY;
	return 0;
}

int rn_route_find(const struct rn_route_from *from, uint8_t family, const uint8_t *dst,
		  struct rn_route_terms *terms, struct rawnet_rep_route *rep, struct rn_err *err)
{
	struct ask a = {.from = from, .family = family, .dst = dst, .terms = terms, .err = err};
	struct rn_route route = {0};
	struct rn_vlan vlan = {0};
	int rc;

	inet_ntop(family == 4 ? AF_INET : AF_INET6, dst, a.text, sizeof(a.text));
	rc = choose_route(&a, &route, &vlan);
	if (rc)
		return rc;
	if (route.encap)
		return rn_fail(err, -EOPNOTSUPP, "dst %s: the kernel's route encapsulates", a.text);
	switch (route.type) {
	case RTN_UNICAST:
	case RTN_BROADCAST:
	case RTN_MULTICAST:
	case RTN_ANYCAST: return describe(&a, &route, &vlan, rep);
	case RTN_LOCAL: return rn_fail(err, -EXDEV, "dst %s: is an address of this host", a.text);
	case RTN_BLACKHOLE: return refused(&a, -EINVAL);
	case RTN_PROHIBIT: return refused(&a, -EACCES);
	case RTN_UNREACHABLE: return refused(&a, -EHOSTUNREACH);
	default: return rn_fail(err, -EOPNOTSUPP, "dst %s: route of type %u", a.text, route.type);
	}
}
