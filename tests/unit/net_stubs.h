/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests that run a module of the daemon without the daemon: a port on one end of a veth pair
 * (net0), and a packet socket on the other (net1) to send and catch frames with.
 */
#ifndef NET_STUBS_H
#define NET_STUBS_H

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "net_sandbox.h"
#include "netdev.h"
#include "port.h"

static struct rn_port port;
static struct rawnet_counter_set port_counters;
static struct rn_addresses no_addresses;

/* A pair without IPv6 of its own, so that nothing but the test sends. */
static inline int pair_make(void)
{
	return sh("ip link add net0 address 02:00:00:00:00:10 type veth peer name net1 "
		  "address 02:00:00:00:00:20 && "
		  "for i in net0 net1; do echo 1 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; "
		  "ip link set $i up || exit 1; done");
}

static inline int pair_drop(void)
{
	return sh("ip link del net0");
}

static inline int port_make(void)
{
	struct rn_netdev nd;

	memset(&port, 0, sizeof(port));
	memset(&port_counters, 0, sizeof(port_counters));
	if (rn_netdev_get("net0", &nd, NULL))
		return -1;
	strcpy(port.config.dev, "net0");
	port.ifindex = nd.ifindex;
	port.mtu = nd.mtu;
	port.max_frame = nd.mtu + 18;
	memcpy(port.mac, nd.mac, 6);
	port.present = true;
	port.counters = &port_counters;
	port.n_pollers = 1;
	port.addresses = &no_addresses;
	return 0;
}

static inline int raw_open(const char *dev)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(dev)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)))
		return -1;
	return fd;
}

/* The next frame that came in, within a second; 0: none. */
static inline ssize_t raw_next(int fd, uint8_t *frame, size_t size, int timeout_ms)
{
	struct sockaddr_ll from;
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	socklen_t len;
	ssize_t n;

	for (;;) {
		if (poll(&pfd, 1, timeout_ms) != 1)
			return 0;
		len = sizeof(from);
		n = recvfrom(fd, frame, size, 0, (struct sockaddr *)&from, &len);
		if (n < 0 || from.sll_pkttype != PACKET_OUTGOING)
			return n;
	}
}
#endif
