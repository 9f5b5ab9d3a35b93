/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces and their addresses by rtnetlink: single questions, by one socket that is kept, and
 * dumps, each by its own; answers never mix with the monitor's events. See netdev.h.
 */
#include "netdev.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "netdev_link.h"

#define DUMP_TRIES 5

/* The kernel answers while it is asked, so this is for answers that got lost: nobody waits for them
 * for ever. */
static const struct timeval patience = {.tv_sec = 2};

static struct mnl_socket *open_socket(void)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int err;

	if (nl && !mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) &&
	    !setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVTIMEO, &patience,
			sizeof(patience)))
		return nl;
	err = errno;
	if (nl)
		mnl_socket_close(nl);
	errno = err;
	return NULL;
}

/* The next datagram that answers this question; an answer that came too late belongs to none. */
static ssize_t next_answer(struct mnl_socket *nl, uint8_t *buf, uint32_t seq)
{
	const struct nlmsghdr *first = (const void *)buf;
	ssize_t n;

	do
		n = mnl_socket_recvfrom(nl, buf, RN_NETLINK_BUF);
	while (n >= (ssize_t)sizeof(*first) && first->nlmsg_seq != seq);
	if (n < 0 && errno == EAGAIN)
		errno = ETIMEDOUT;
	return n;
}

static int ask_by(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	static uint32_t seq;
	unsigned portid = mnl_socket_get_portid(nl);
	uint8_t *buf = malloc(RN_NETLINK_BUF);
	ssize_t n;
	int ret = -ENOMEM;

	if (!buf)
		return ret;
	nlh->nlmsg_seq = __atomic_add_fetch(&seq, 1, __ATOMIC_RELAXED);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0) {
		ret = -errno;
		goto out;
	}
	do {
		n = next_answer(nl, buf, nlh->nlmsg_seq);
		ret = n < 0 ? -1 : mnl_cb_run(buf, (size_t)n, nlh->nlmsg_seq, portid, cb, data);
	} while (ret > MNL_CB_STOP && (nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP);
	ret = ret < 0 ? -errno : 0;
out:
	free(buf);
	return ret;
}

int rn_netlink_ask(struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	static struct mnl_socket *kept;

	if (!kept)
		kept = open_socket();
	return kept ? ask_by(kept, nlh, cb, data) : -errno;
}

/* By a socket of its own: one that was not read to its end is in the way of the next, and the
 * asker's would give the answer to whichever thread reads first. */
static int ask_once(struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	struct mnl_socket *nl = open_socket();
	int ret;

	if (!nl)
		return -errno;
	ret = ask_by(nl, nlh, cb, data);
	mnl_socket_close(nl);
	return ret;
}

int rn_netlink_dump(uint16_t type, mnl_cb_t cb, void *data)
{
	_Alignas(8) uint8_t request[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *nlh;
	int ret = -EINTR;

	for (int i = 0; i < DUMP_TRIES && ret == -EINTR; i++) {
		memset(request, 0, sizeof(request));
		nlh = mnl_nlmsg_put_header(request);
		nlh->nlmsg_type = type;
		nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		if (type == RTM_GETADDR)
			mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
		else
			mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
		ret = ask_once(nlh, cb, data); /* -EINTR: NLM_F_DUMP_INTR */
	}
	return ret;
}

/* XDP programs of all modes at once have no id of their own (IFLA_XDP_PROG_ID is absent then). */
static void parse_xdp(const struct nlattr *nest, struct rn_netdev *nd)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		uint16_t type = mnl_attr_get_type(attr);

		if ((type == IFLA_XDP_PROG_ID || type == IFLA_XDP_DRV_PROG_ID ||
		     type == IFLA_XDP_SKB_PROG_ID || type == IFLA_XDP_HW_PROG_ID) &&
		    mnl_attr_get_payload_len(attr) >= 4 && mnl_attr_get_u32(attr))
			nd->xdp_prog = mnl_attr_get_u32(attr);
	}
}

static void copy_text(char *to, size_t size, const struct nlattr *attr)
{
	size_t n = mnl_attr_get_payload_len(attr);

	if (n >= size)
		n = size - 1;
	memcpy(to, mnl_attr_get_payload(attr), n);
	to[n] = 0;
}

static void parse_info(const struct nlattr *nest, struct rn_netdev *nd)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			copy_text(nd->kind, sizeof(nd->kind), attr);
	}
}

static void parse_attr(const struct nlattr *attr, struct rn_netdev *nd)
{
	uint16_t len = mnl_attr_get_payload_len(attr);

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME: copy_text(nd->dev, sizeof(nd->dev), attr); break;
	case IFLA_MTU: nd->mtu = len >= 4 ? mnl_attr_get_u32(attr) : 0; break;
	case IFLA_NUM_RX_QUEUES: nd->rx_queues = len >= 4 ? mnl_attr_get_u32(attr) : 0; break;
	case IFLA_NUM_TX_QUEUES: nd->tx_queues = len >= 4 ? mnl_attr_get_u32(attr) : 0; break;
	case IFLA_ADDRESS:
		if (len == sizeof(nd->mac))
			memcpy(nd->mac, mnl_attr_get_payload(attr), sizeof(nd->mac));
		break;
	case IFLA_XDP: parse_xdp(attr, nd); break;
	case IFLA_LINKINFO: parse_info(attr, nd); break;
	default: break;
	}
}

bool rn_netdev_parse(const struct nlmsghdr *nlh, struct rn_netdev *nd)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct nlattr *attr;

	memset(nd, 0, sizeof(*nd));
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) || ifi->ifi_family != AF_UNSPEC)
		return false;
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
	{
		if (mnl_attr_get_type(attr) == IFLA_WIRELESS)
			return false;
		parse_attr(attr, nd);
	}
	nd->ifindex = (uint32_t)ifi->ifi_index;
	nd->admin_up = ifi->ifi_flags & IFF_UP;
	nd->up = nd->admin_up && (ifi->ifi_flags & IFF_LOWER_UP);
	return nd->dev[0];
}

static int one_link(const struct nlmsghdr *nlh, void *data)
{
	if (rn_netdev_parse(nlh, data))
		return MNL_CB_OK;
	errno = EPROTO;
	return MNL_CB_ERROR;
}

int rn_netdev_get(const char *dev, struct rn_netdev *nd, struct rn_err *err)
{
	_Alignas(8) uint8_t request[MNL_NLMSG_HDRLEN + 128] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
	size_t len = strlen(dev);
	int ret;

	memset(nd, 0, sizeof(*nd));
	if (!len || len >= RAWNET_DEV)
		return rn_fail(err, -EINVAL, "dev %.32s: not a name of an interface", dev);
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, dev);
	ret = ask_once(nlh, one_link, nd);
	if (ret == -ENODEV)
		return rn_fail(err, ret, "dev %s: no such interface", dev);
	if (ret)
		return rn_fail(err, ret, "dev %s: rtnetlink: %s", dev, strerror(-ret));
	/* An alternative name (ip link property) finds it too, but is not what events name. */
	if (strcmp(nd->dev, dev) != 0)
		return rn_fail(err, -ENODEV, "dev %s: is an alternative name, use %s", dev,
			       nd->dev);
	rn_netdev_ethtool(nd);
	return 0;
}

bool rn_netdev_local(const struct rn_netdev *nd)
{
	static const char *const local[] = {"veth", "tun",     "virtio_net", "vif",	 "bridge",
					    "vlan", "macvlan", "macvtap",    "ipvlan",	 "bond",
					    "team", "dummy",   "vmxnet3",    "hv_netvsc"};

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		if (!strcmp(nd->kind, local[i]) || !strcmp(nd->driver, local[i]))
			return true;
	}
	return false;
}

static struct rn_address *address_room(struct rn_address_list *list)
{
	size_t room = list->room ? list->room * 2 : 32;
	struct rn_address *a;

	if (list->n < list->room)
		return &list->a[list->n];
	a = realloc(list->a, room * sizeof(*a));
	if (!a) {
		list->failed = true;
		return NULL;
	}
	list->a = a;
	list->room = room;
	return &a[list->n];
}

/* IFA_LOCAL is the interface's own where it exists: IFA_ADDRESS is the peer of a point-to-point
 * link then (include/uapi/linux/if_addr.h). */
static int one_address(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct nlattr *attr, *local = NULL, *address = NULL;
	size_t size = ifa->ifa_family == AF_INET ? 4 : 16;
	struct rn_address_list *list = data;
	struct rn_address *a;

	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		if (mnl_attr_get_type(attr) == IFA_LOCAL)
			local = attr;
		else if (mnl_attr_get_type(attr) == IFA_ADDRESS)
			address = attr;
	}
	if (!local)
		local = address;
	if (!local || mnl_attr_get_payload_len(local) < size || (ifa->ifa_flags & IFA_F_DADFAILED))
		return MNL_CB_OK;
	a = address_room(list);
	if (!a)
		return MNL_CB_OK;
	memset(a, 0, sizeof(*a));
	a->ifindex = ifa->ifa_index;
	a->family = ifa->ifa_family == AF_INET ? 4 : 6;
	memcpy(a->addr, mnl_attr_get_payload(local), size);
	list->n++;
	return MNL_CB_OK;
}

int rn_address_dump(struct rn_address_list *list)
{
	int ret;

	memset(list, 0, sizeof(*list));
	ret = rn_netlink_dump(RTM_GETADDR, one_address, list);
	if (!ret && list->failed)
		ret = -ENOMEM;
	if (ret) {
		free(list->a);
		memset(list, 0, sizeof(*list));
	}
	return ret;
}

struct rn_addresses *rn_address_pick(const struct rn_address_list *list, uint32_t ifindex)
{
	struct rn_addresses *set;
	uint32_t n4 = 0, n6 = 0;

	for (size_t i = 0; i < list->n; i++) {
		n4 += list->a[i].ifindex == ifindex && list->a[i].family == 4;
		n6 += list->a[i].ifindex == ifindex && list->a[i].family == 6;
	}
	set = calloc(1, sizeof(*set) + n4 * sizeof(*set->v4) + n6 * sizeof(*set->v6));
	if (!set)
		return NULL;
	set->v6 = (uint8_t(*)[16])(set + 1);
	set->v4 = (uint8_t(*)[4])(set->v6 + n6);
	for (size_t i = 0; i < list->n; i++) {
		if (list->a[i].ifindex != ifindex)
			continue;
		if (list->a[i].family == 4)
			memcpy(set->v4[set->n4++], list->a[i].addr, 4);
		else
			memcpy(set->v6[set->n6++], list->a[i].addr, 16);
	}
	return set;
}

int rn_netdev_addresses(uint32_t ifindex, struct rn_addresses **addresses, struct rn_err *err)
{
	struct rn_address_list list;
	int ret = rn_address_dump(&list);

	*addresses = NULL;
	if (ret)
		return rn_fail(err, ret, "addresses of interface %u: rtnetlink: %s", ifindex,
			       strerror(-ret));
	*addresses = rn_address_pick(&list, ifindex);
	free(list.a);
	if (!*addresses)
		return rn_fail(err, -ENOMEM, "addresses of interface %u: out of memory", ifindex);
	return 0;
}
