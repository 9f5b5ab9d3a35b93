/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl route: how the kernel would send to an address through a port. */
#include "ctl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#define WAIT_MS 5000u /* unless told otherwise: longer than the kernel tries */

static const char *address(unsigned family, const uint8_t *addr, char text[INET6_ADDRSTRLEN])
{
	return inet_ntop(family == 4 ? AF_INET : AF_INET6, addr, text, INET6_ADDRSTRLEN);
}

static int emit(struct ctl *c, const char *dev, unsigned family, const struct rawnet_nexthop *hop)
{
	char src[INET6_ADDRSTRLEN], via[INET6_ADDRSTRLEN];

	return ctl_emit(c, json_pack("{s:s, s:s, s:s, s:s?, s:s, s:i, s:i}", "dev", dev, "smac",
				     ctl_mac(hop->smac), "dmac", ctl_mac(hop->dmac), "src",
				     hop->has_src ? address(family, hop->src, src) : NULL, "via",
				     address(hop->via_family, hop->via, via), "vlan",
				     (int)hop->vlan, "mtu", (int)hop->mtu));
}

static void print(const char *word, const char *dev, unsigned family,
		  const struct rawnet_nexthop *hop)
{
	char text[INET6_ADDRSTRLEN];

	printf("%s dev %s: smac %s dmac %s", word, dev, ctl_mac(hop->smac), ctl_mac(hop->dmac));
	if (hop->vlan)
		printf(" vlan %u", hop->vlan);
	if (hop->has_src)
		printf(" src %s", address(family, hop->src, text));
	printf(" mtu %u via %s\n", hop->mtu, address(hop->via_family, hop->via, text));
}

static int route(struct ctl *c, const struct ctl_args *args)
{
	const char *word = ctl_word(args, "ADDRESS"), *wait = ctl_word(args, "wait");
	struct rawnet_nexthop hop = {.size = sizeof(hop)};
	uint64_t wait_ms = WAIT_MS;
	char dev[RAWNET_DEV] = "";
	unsigned family = 4;
	uint8_t addr[16];
	int rc;

	if (inet_pton(AF_INET, word, addr) != 1) {
		family = 6;
		if (inet_pton(AF_INET6, word, addr) != 1)
			return ctl_usage(c, "\"%s\": not an address of IPv4 or IPv6", word);
	}
	rc = ctl_dev(c, ctl_word(args, "dev"), dev);
	if (!rc && wait)
		rc = ctl_number(c, wait, 3600000, &wait_ms);
	if (!rc)
		rc = ctl_connect(c);
	if (rc)
		return rc;
	rc = rawnet_route(c->rn, dev, family, addr, (int)wait_ms, &hop);
	if (rc)
		return ctl_failed(c, rc);
	if (c->json)
		return emit(c, dev, family, &hop);
	print(word, dev, family, &hop);
	return CTL_OK;
}

const struct ctl_verb ctl_route_verbs[] = {
	{NULL,
	 "which MACs, tag and source the kernel would use for this address; wait: for a neighbour",
	 route,
	 {{"ADDRESS", CTL_PLAIN, true, CTL_NOTHING, NULL},
	  {"dev", CTL_VALUE, true, CTL_DEVS, "DEV"},
	  {"wait", CTL_VALUE, false, CTL_NOTHING, "MS"}}},
	{0},
};
