/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor: follows links and addresses of all interfaces. It remembers index and name of each,
 * so that a rename is told as one that went and one that came, and so that what vanished while
 * events were lost (ENOBUFS) is told after the dump. Changed addresses are marked while events are
 * read and dumped once at the end. See netdev.h.
 */
#include "netdev.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "netdev_link.h"

struct known {
	uint32_t ifindex;
	char dev[RAWNET_DEV];
	bool seen; /* by the dump that runs */
	bool dirty; /* its addresses changed */
};

struct rn_monitor {
	struct mnl_socket *nl;
	const struct rn_monitor_ops *ops;
	void *arg;
	struct known *known;
	size_t n, room;
	bool lost; /* events were lost, or could not be handled: dump again */
	_Alignas(8) uint8_t buf[RN_NETLINK_BUF];
};

static struct known *find(struct rn_monitor *m, uint32_t ifindex)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->known[i].ifindex == ifindex)
			return &m->known[i];
	}
	return NULL;
}

static void forget(struct rn_monitor *m, struct known *k)
{
	struct rn_netdev nd = {.ifindex = k->ifindex};

	memcpy(nd.dev, k->dev, sizeof(nd.dev));
	*k = m->known[--m->n];
	m->ops->link(m->arg, &nd, false);
}

static struct known *learn(struct rn_monitor *m, const struct rn_netdev *nd)
{
	struct known *k;

	if (m->n == m->room) {
		k = realloc(m->known, (m->room * 2 + 16) * sizeof(*k));
		if (!k)
			return NULL;
		m->known = k;
		m->room = m->room * 2 + 16;
	}
	k = &m->known[m->n++];
	memset(k, 0, sizeof(*k));
	k->ifindex = nd->ifindex;
	memcpy(k->dev, nd->dev, sizeof(k->dev));
	k->dirty = true;
	return k;
}

static void link_event(struct rn_monitor *m, struct rn_netdev *nd, bool present)
{
	struct known *k = find(m, nd->ifindex);

	if (k && (!present || strcmp(k->dev, nd->dev) != 0)) {
		forget(m, k);
		k = NULL;
	}
	if (!present)
		return;
	if (!k)
		k = learn(m, nd);
	if (!k) {
		m->lost = true;
		return;
	}
	k->seen = true;
	rn_netdev_ethtool(nd);
	m->ops->link(m->arg, nd, true);
}

static int event(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct rn_monitor *m = data;
	struct rn_netdev nd;
	struct known *k;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (rn_netdev_parse(nlh, &nd))
			link_event(m, &nd, nlh->nlmsg_type == RTM_NEWLINK);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		k = mnl_nlmsg_get_payload_len(nlh) >= sizeof(*ifa) ? find(m, ifa->ifa_index) : NULL;
		if (k)
			k->dirty = true;
		break;
	default: break;
	}
	return MNL_CB_OK;
}

/* Tells the addresses of all that are marked. */
static int flush_addresses(struct rn_monitor *m)
{
	struct rn_address_list list = {0};
	struct rn_addresses *set;
	size_t n = 0;
	int ret;

	for (size_t i = 0; i < m->n; i++)
		n += m->known[i].dirty;
	if (!n)
		return 0;
	ret = rn_address_dump(&list);
	for (size_t i = 0; !ret && i < m->n; i++) {
		if (!m->known[i].dirty)
			continue;
		set = rn_address_pick(&list, m->known[i].ifindex);
		if (!set) {
			ret = -ENOMEM;
			break;
		}
		m->known[i].dirty = false;
		m->ops->addresses(m->arg, m->known[i].ifindex, set);
	}
	free(list.a);
	return ret;
}

int rn_monitor_refresh(struct rn_monitor *m, struct rn_err *err)
{
	int ret;

	m->lost = false;
	for (size_t i = 0; i < m->n; i++) {
		m->known[i].seen = false;
		m->known[i].dirty = true;
	}
	ret = rn_netlink_dump(RTM_GETLINK, event, m);
	if (!ret) {
		for (size_t i = m->n; i-- > 0;) {
			if (!m->known[i].seen)
				forget(m, &m->known[i]);
		}
		ret = flush_addresses(m);
	}
	if (ret)
		m->lost = true;
	return ret ? rn_fail(err, ret, "interfaces: rtnetlink: %s", strerror(-ret)) : 0;
}

void rn_monitor_dispatch(struct rn_monitor *m)
{
	ssize_t n;

	for (;;) {
		n = mnl_socket_recvfrom(m->nl, m->buf, sizeof(m->buf));
		if (n < 0 && errno != EINTR && errno != ENOBUFS && errno != ENOSPC)
			break;
		if (n < 0)
			m->lost |= errno != EINTR;
		else if (mnl_cb_run(m->buf, (size_t)n, 0, 0, event, m) < 0)
			m->lost = true;
	}
	if (m->lost)
		rn_monitor_refresh(m, NULL);
	else if (flush_addresses(m))
		m->lost = true;
}

void rn_monitor_retry(struct rn_monitor *m)
{
	if (m->lost)
		rn_monitor_refresh(m, NULL);
}

int rn_monitor_create(const struct rn_monitor_ops *ops, void *arg, struct rn_monitor **monitor,
		      struct rn_err *err)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
	struct rn_monitor *m = calloc(1, sizeof(*m));
	int group;

	if (!m)
		return rn_fail(err, -ENOMEM, "interfaces: out of memory");
	m->ops = ops;
	m->arg = arg;
	m->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!m->nl || mnl_socket_bind(m->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		group = groups[i];
		if (mnl_socket_setsockopt(m->nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
			goto fail;
	}
	*monitor = m;
	return 0;
fail:
	group = -errno;
	rn_monitor_destroy(m);
	return rn_fail(err, group, "interfaces: rtnetlink: %s", strerror(-group));
}

int rn_monitor_fd(const struct rn_monitor *m)
{
	return mnl_socket_get_fd(m->nl);
}

void rn_monitor_destroy(struct rn_monitor *m)
{
	if (!m)
		return;
	if (m->nl)
		mnl_socket_close(m->nl);
	free(m->known);
	free(m);
}
