/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Linux knows of its interfaces: link, MTU, MAC, kind, addresses, by rtnetlink (libmnl) and
 * ethtool. Control thread only; one monitor for the whole daemon.
 */
#ifndef RN_NETDEV_H
#define RN_NETDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "rawnet/proto.h"
#include "err.h"
#include "port.h"

struct rn_netdev {
	char dev[RAWNET_DEV];
	uint32_t ifindex;
	uint32_t mtu;
	uint8_t mac[6];
	bool up; /* administratively up and carrier */
	bool admin_up;
	char kind[16]; /* IFLA_INFO_KIND: "veth", "vlan", "bond", "tun", ... or empty */
	char driver[32]; /* by ethtool, or empty */
	uint32_t rx_queues, tx_queues;
	uint32_t xdp_prog; /* id of an XDP program that is attached, 0: none */
};

/* One interface by name. -ENODEV with a sentence. */
int rn_netdev_get(const char *dev, struct rn_netdev *nd, struct rn_err *err);
/* rxvlan stripping by ethtool: *on; and switching it. -EOPNOTSUPP where the device has no such
 * feature or it is fixed. */
int rn_netdev_rxvlan(const char *dev, bool *on, bool *fixed, struct rn_err *err);
int rn_netdev_set_rxvlan(const char *dev, bool on, struct rn_err *err);
/* Does the interface's driver hand over frames with unfinished checksums (veth, tun, virtio)? */
bool rn_netdev_local(const struct rn_netdev *nd);

/* The monitor: an fd to poll for reading; dispatch handles what came and calls back. Overrun of the
 * socket (ENOBUFS) makes it dump everything again. */
struct rn_monitor;
struct rn_monitor_ops {
	/* An interface appeared, changed or (present == false) was removed. */
	void (*link)(void *arg, const struct rn_netdev *nd, bool present);
	/* The set of addresses of an interface changed; the callee owns `addresses` (free()). */
	void (*addresses)(void *arg, uint32_t ifindex, struct rn_addresses *addresses);
};
int rn_monitor_create(const struct rn_monitor_ops *ops, void *arg, struct rn_monitor **monitor,
		      struct rn_err *err);
int rn_monitor_fd(const struct rn_monitor *monitor);
void rn_monitor_dispatch(struct rn_monitor *monitor);
/* From time to time: reads everything again if something could not be read or handled. */
void rn_monitor_retry(struct rn_monitor *monitor);
/* Dumps links and addresses now, through the callbacks. */
int rn_monitor_refresh(struct rn_monitor *monitor, struct rn_err *err);
void rn_monitor_destroy(struct rn_monitor *monitor);

/* All addresses of the interface, now; one malloc. */
int rn_netdev_addresses(uint32_t ifindex, struct rn_addresses **addresses, struct rn_err *err);

#endif
