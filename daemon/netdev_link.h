/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of netdev share; see netdev.h. Control thread only, but for rn_netlink_ask. */
#ifndef RN_NETDEV_LINK_H
#define RN_NETDEV_LINK_H

#include <libmnl/libmnl.h>

#include "netdev.h"

/* Room for one read of a dump (include/uapi/linux/netlink.h asks for at least 8 KiB). */
#define RN_NETLINK_BUF 32768u

/* One thread only, the asker's (asker.h). Sends a request and runs cb over all that comes back;
 * -errno, the kernel's refusal included; -ETIMEDOUT: no answer. */
int rn_netlink_ask(struct nlmsghdr *nlh, mnl_cb_t cb, void *data);
/* Asks for all links, or all addresses. A dump that changed under way is asked for again; cb sees
 * everything again then. */
int rn_netlink_dump(uint16_t type, mnl_cb_t cb, void *data);
/* False: not a message about a link itself (a bridge's view of it, a wireless event). */
bool rn_netdev_parse(const struct nlmsghdr *nlh, struct rn_netdev *nd);
/* What ethtool adds: driver and the number of queues in use. */
void rn_netdev_ethtool(struct rn_netdev *nd);

/* All addresses of all interfaces. */
struct rn_address {
	uint32_t ifindex;
	uint8_t family; /* 4 or 6 */
	uint8_t addr[16];
};
struct rn_address_list {
	struct rn_address *a;
	size_t n, room;
	bool failed; /* out of memory */
};
int rn_address_dump(struct rn_address_list *list);
/* Those of one interface in one block; NULL: out of memory. */
struct rn_addresses *rn_address_pick(const struct rn_address_list *list, uint32_t ifindex);

#endif
