/* SPDX-License-Identifier: BSD-2-Clause */
/* watch.h: contract. */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <time.h>

#include "driver.h"
#include "loop.h"
#include "room.h"
#include "watch.h"

static struct mnl_socket *nl;

/* What a link message says of interest. */
struct news {
	int index;
	uint32_t mtu; /* 0: nothing */
	bool carrier;
};

static int take_attr(const struct nlattr *attr, void *ctx)
{
	struct news *news = ctx;

	if (mnl_attr_get_type(attr) == IFLA_MTU && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		news->mtu = mnl_attr_get_u32(attr);
	/* Not IFF_RUNNING, which the kernel lets follow up to a second later. */
	if (mnl_attr_get_type(attr) == IFLA_CARRIER && mnl_attr_validate(attr, MNL_TYPE_U8) == 0)
		news->carrier &= mnl_attr_get_u8(attr) != 0;
	return MNL_CB_OK;
}

static void tell(struct cx_end *e, const struct news *news)
{
	if (e->netdev[0] && (int)e->ifindex == news->index && news->mtu && news->mtu != e->mtu) {
		e->mtu = news->mtu;
		if (e->driver)
			cx_driver_tell(e->driver);
	}
	if (e->iface && cx_iface_index(e->iface) == news->index) {
		e->carrier = news->carrier;
		cx_end_update_link(e);
	}
}

static int link_message(const struct nlmsghdr *h, void *ctx)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	struct news news = {.index = info->ifi_index};
	unsigned int i;

	(void)ctx;
	if (h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK)
		return MNL_CB_OK;
	news.carrier = h->nlmsg_type == RTM_NEWLINK && (info->ifi_flags & IFF_UP);
	mnl_attr_parse(h, sizeof(*info), take_attr, &news);
	for (i = 0; i < cx_room.ends; i++)
		tell(&cx_room.end[i], &news);
	return MNL_CB_OK;
}

/* Asks for all links: the first answer to what nobody announced. */
static int ask_all(void)
{
	char buf[MNL_NLMSG_HDRLEN + sizeof(struct ifinfomsg) + 16];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	return mnl_socket_sendto(nl, h, h->nlmsg_len) < 0 ? -errno : 0;
}

static void ready(struct cx_source *s)
{
	static char buf[32768];
	ssize_t n;

	(void)s;
	while ((n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0)
		mnl_cb_run(buf, (size_t)n, 0, 0, link_message, NULL);
	if (n < 0 && errno == ENOBUFS) /* messages were lost */
		ask_all();
}

int cx_watch_sync(void)
{
	int code = ask_all();

	/* The kernel fills the socket as it is read, so what is there is all. */
	if (code == 0)
		ready(NULL);
	return code;
}

static struct cx_source source = {.fd = -1, .ready = ready};

int cx_watch_open(void)
{
	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	source.fd = mnl_socket_get_fd(nl);
	return cx_loop_add(&source);
}

void cx_watch_close(void)
{
	if (nl)
		mnl_socket_close(nl);
	nl = NULL;
}
