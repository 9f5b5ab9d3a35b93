/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which XDP mode suits an interface, and what starting would do to it.
 *
 * Measured on veth: an empty native program takes the receiving side's TCP from about 20 to 6
 * Gbit/s, since frames then cross one by one instead of as GSO; a generic one costs nothing, and
 * AF_XDP itself is as fast in either. On a NIC native is the fast one: generic mode comes after the
 * driver has built its socket buffer.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xdp.h"

#define ETH_OVERHEAD 18u /* header and one tag */

bool rn_xdp_prefers_native(const struct rn_port_config *config, const struct rn_netdev *nd,
			   const char **why)
{
	if (config->xdp_mode != RN_XDP_AUTO) {
		*why = "as configured";
		return config->xdp_mode == RN_XDP_NATIVE;
	}
	if (!strcmp(nd->kind, "veth")) {
		*why = "on veth native slows the kernel's TCP";
		return false;
	}
	if (!strcmp(nd->kind, "tun")) {
		*why = "on tap native slows the kernel's TCP";
		return false;
	}
	if (nd->kind[0]) {
		*why = "the fast mode is the lower device's";
		return false;
	}
	*why = "a NIC's driver is fastest";
	return true;
}

/* ---- --check and auto ---- */

static int can_serve(const struct rn_netdev *nd, struct rn_err *why)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 && (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT))
		return rn_fail(why, -EOPNOTSUPP, "%s: this kernel has no AF_XDP sockets", nd->dev);
	if (fd < 0)
		return rn_fail(why, -errno, "%s: AF_XDP sockets need CAP_NET_RAW: %s", nd->dev,
			       strerror(errno));
	close(fd);
	if (!strcmp(nd->dev, "lo"))
		return rn_fail(why, -EOPNOTSUPP, "lo: the loopback interface has no wire");
	return 0;
}

int rn_xdp_probe(const struct rn_port_config *config, struct rn_err *why)
{
	struct rn_netdev nd;
	int rc = rn_netdev_get(config->dev, &nd, why);

	if (rc)
		return rc;
	rc = can_serve(&nd, why);
	if (rc)
		return rc;
	if (nd.rx_queues > RN_PORT_HWQ)
		return rn_fail(why, -E2BIG,
			       "%s: has %u receive queues, and a port serves %u: ethtool -L %s "
			       "combined %u",
			       config->dev, nd.rx_queues, RN_PORT_HWQ, config->dev, RN_PORT_HWQ);
	if (config->hw_queues && nd.rx_queues > config->hw_queues)
		return rn_fail(why, -EINVAL,
			       "%s: has %u receive queues, hw_queues = %u would leave some without "
			       "a socket: ethtool -L %s combined %u",
			       config->dev, nd.rx_queues, config->hw_queues, config->dev,
			       config->hw_queues);
	return 0;
}

void rn_xdp_plan(const struct rn_port_config *config, FILE *out)
{
	struct rn_netdev nd;
	const char *why;
	bool native, on, fixed;

	if (rn_netdev_get(config->dev, &nd, NULL))
		return;
	native = rn_xdp_prefers_native(config, &nd, &why);
	fprintf(out, "%s: xdp: attaches an XDP program in %s mode (%s) and binds %u AF_XDP %s\n",
		config->dev, native ? "native" : "generic", why, nd.rx_queues,
		nd.rx_queues == 1 ? "socket" : "sockets");
	if (native)
		fprintf(out,
			"%s: the driver may set its queues up anew: the link can go down for a few "
			"seconds, once now and once when rawnetd stops\n",
			config->dev);
	else
		fprintf(out, "%s: no link flap\n", config->dev);
	if (nd.xdp_prog)
		fprintf(out,
			"%s: XDP program %u is attached: starting fails until it is detached\n",
			config->dev, nd.xdp_prog);
	if (strcmp(nd.kind, "veth") != 0 && !rn_netdev_rxvlan(config->dev, &on, &fixed, NULL) && on)
		fprintf(out, "%s: rxvlan is %s\n", config->dev,
			fixed ? "fixed on: rules cannot tell VLANs apart"
			      : "switched off while rawnetd serves, and on again when it stops");
	if (nd.mtu + ETH_OVERHEAD > rn_xsk_rx_room(nd.mtu + ETH_OVERHEAD, false))
		fprintf(out, "%s: frames of %u bytes take several buffers (Linux 6.6)\n",
			config->dev, nd.mtu + ETH_OVERHEAD);
}
