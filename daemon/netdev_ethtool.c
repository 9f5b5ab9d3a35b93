/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ethtool knows of an interface: driver, queues in use, and the feature that strips VLAN tags.
 * By ioctl (include/uapi/linux/ethtool.h), which every kernel has; features are found by name,
 * since their numbers differ between kernels.
 */
#include "netdev.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netdev_link.h"

#define RXVLAN	     "rx-vlan-hw-parse" /* NETIF_F_HW_VLAN_CTAG_RX, net/ethtool/common.c */
#define FEATURES_MAX 4096u

static int ethtool(const char *dev, void *command)
{
	struct ifreq ifr = {.ifr_data = command};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0) /* a kernel without IPv4 */
		fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	strncpy(ifr.ifr_name, dev, sizeof(ifr.ifr_name) - 1);
	ret = ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

void rn_netdev_ethtool(struct rn_netdev *nd)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};

	if (!ethtool(nd->dev, &info)) {
		memcpy(nd->driver, info.driver, sizeof(nd->driver));
		nd->driver[sizeof(nd->driver) - 1] = 0;
	}
	if (ethtool(nd->dev, &ch))
		return;
	if (ch.rx_count + ch.combined_count)
		nd->rx_queues = ch.rx_count + ch.combined_count;
	if (ch.tx_count + ch.combined_count)
		nd->tx_queues = ch.tx_count + ch.combined_count;
}

/* Number of the feature, and of all features; -errno. */
static int find_feature(const char *dev, const char *name, uint32_t *total)
{
	union {
		struct ethtool_sset_info info;
		uint8_t space[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
	} set = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES}};
	struct ethtool_gstrings *strings;
	uint32_t n;
	int ret = ethtool(dev, &set);

	if (ret)
		return ret;
	memcpy(&n, set.space + sizeof(set.info), sizeof(n));
	if (!set.info.sset_mask || !n || n > FEATURES_MAX)
		return -EOPNOTSUPP;
	strings = calloc(1, sizeof(*strings) + (size_t)n * ETH_GSTRING_LEN);
	if (!strings)
		return -ENOMEM;
	strings->cmd = ETHTOOL_GSTRINGS;
	strings->string_set = ETH_SS_FEATURES;
	strings->len = n;
	ret = ethtool(dev, strings);
	if (!ret) {
		*total = n;
		ret = -EOPNOTSUPP;
		for (uint32_t i = 0; i < n; i++) {
			if (!strncmp((const char *)strings->data + i * ETH_GSTRING_LEN, name,
				     ETH_GSTRING_LEN))
				ret = (int)i;
		}
	}
	free(strings);
	return ret;
}

int rn_netdev_rxvlan(const char *dev, bool *on, bool *fixed, struct rn_err *err)
{
	struct ethtool_gfeatures *features = NULL;
	uint32_t total = 0, blocks, bit;
	int ret = find_feature(dev, RXVLAN, &total);

	*on = false;
	*fixed = true;
	if (ret < 0)
		goto out;
	bit = (uint32_t)ret;
	blocks = (total + 31) / 32;
	features = calloc(1, sizeof(*features) + blocks * sizeof(features->features[0]));
	ret = -ENOMEM;
	if (!features)
		goto out;
	features->cmd = ETHTOOL_GFEATURES;
	features->size = blocks;
	ret = ethtool(dev, features);
	if (ret)
		goto out;
	*on = features->features[bit / 32].active >> (bit % 32) & 1;
	*fixed = !(features->features[bit / 32].available >> (bit % 32) & 1);
out:
	free(features);
	return ret ? rn_fail(err, ret, "dev %s: rxvlan: %s", dev, strerror(-ret)) : 0;
}

static int set_feature(const char *dev, bool on)
{
	struct ethtool_sfeatures *features;
	uint32_t total = 0, blocks, bit;
	int ret = find_feature(dev, RXVLAN, &total);

	if (ret < 0)
		return ret;
	bit = (uint32_t)ret;
	blocks = (total + 31) / 32;
	features = calloc(1, sizeof(*features) + blocks * sizeof(features->features[0]));
	if (!features)
		return -ENOMEM;
	features->cmd = ETHTOOL_SFEATURES;
	features->size = blocks;
	features->features[bit / 32].valid = 1u << (bit % 32);
	features->features[bit / 32].requested = on ? 1u << (bit % 32) : 0;
	ret = ethtool(dev, features);
	free(features);
	return ret;
}

int rn_netdev_set_rxvlan(const char *dev, bool on, struct rn_err *err)
{
	bool now, fixed;
	int ret = rn_netdev_rxvlan(dev, &now, &fixed, err);

	if (ret || now == on)
		return ret;
	if (fixed)
		return rn_fail(err, -EOPNOTSUPP, "dev %s: rxvlan is fixed to %s by its driver", dev,
			       now ? "on" : "off");
	ret = set_feature(dev, on);
	if (ret)
		return rn_fail(err, ret, "dev %s: rxvlan: %s", dev, strerror(-ret));
	ret = rn_netdev_rxvlan(dev, &now, &fixed, err);
	if (!ret && now != on)
		return rn_fail(err, -EOPNOTSUPP, "dev %s: rxvlan stays %s", dev,
			       now ? "on" : "off");
	return ret;
}
