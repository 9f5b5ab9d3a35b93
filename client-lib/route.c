/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Routes and neighbours of the kernel, by the daemon. The daemon answers at once with what is
 * known; waiting is done here, by asking again in growing pauses. Any thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "internal.h"

#define PAUSE_FIRST_NS 1000000u
#define PAUSE_MOST_NS  50000000u

/* The caller's struct may be shorter or longer than this library's. */
static void give(struct rawnet_nexthop *hop, const struct rawnet_rep_route *rep)
{
	const uint32_t size = hop->size;
	struct rawnet_nexthop full = {.size = size,
				      .mtu = rep->mtu,
				      .vlan = rep->vlan,
				      .via_family = rep->via_family,
				      .has_src = rep->has_src};

	memcpy(full.smac, rep->smac, sizeof(full.smac));
	memcpy(full.dmac, rep->dmac, sizeof(full.dmac));
	memcpy(full.src, rep->src, sizeof(full.src));
	memcpy(full.via, rep->via, sizeof(full.via));
	memset(hop, 0, size);
	memcpy(hop, &full, size < sizeof(full) ? size : sizeof(full));
}

static int unresolved(const struct rawnet_rep_route *rep)
{
	char via[INET6_ADDRSTRLEN];

	inet_ntop(rep->via_family == 4 ? AF_INET : AF_INET6, rep->via, via, sizeof(via));
	if (rep->state == RAWNET_HOP_FAILED)
		return rn_fail(-EHOSTUNREACH, "nobody answers for %s", via);
	return rn_fail(-EINPROGRESS, "the kernel asks for the MAC of %s", via);
}

static void pause_ns(uint64_t *ns, uint64_t left)
{
	uint64_t length = *ns < left ? *ns : left;
	struct timespec t = {.tv_sec = (time_t)(length / 1000000000u),
			     .tv_nsec = (long)(length % 1000000000u)};

	nanosleep(&t, NULL);
	if (*ns < PAUSE_MOST_NS)
		*ns *= 2;
}

static int check(unsigned family, const struct rawnet_nexthop *hop)
{
	if (family != 4 && family != 6)
		return rn_fail(-EINVAL, "route: family %u: neither 4 nor 6", family);
	if (hop->size < sizeof(hop->size))
		return rn_fail(-EINVAL, "route: size is %u: set it to sizeof the struct",
			       hop->size);
	return 0;
}

int rawnet_route(struct rawnet *rn, const char *dev, unsigned family, const void *addr,
		 int timeout_ms, struct rawnet_nexthop *hop)
{
	struct rawnet_req_route req = {.hdr.type = RAWNET_MSG_ROUTE, .family = (uint8_t)family};
	uint64_t end = timeout_ms < 0 ? UINT64_MAX : rn_now_ns() + (uint64_t)timeout_ms * 1000000u;
	uint64_t pause = PAUSE_FIRST_NS, now;
	struct rawnet_rep_route rep;
	bool asked = false;
	int err = check(family, hop);

	if (err)
		return err;
	if (strlen(dev) >= sizeof(req.dev))
		return rn_fail(-ENODEV, "route: dev \"%.32s\" is too long for a name", dev);
	memcpy(req.dev, dev, strlen(dev));
	memcpy(req.dst, addr, family == 4 ? 4 : 16);
	for (;;) {
		err = rawnet_request(rn, &req, sizeof(req), &rep, sizeof(rep));
		if (err)
			return err;
		give(hop, &rep);
		if (rep.state == RAWNET_HOP_READY)
			return 0;
		/* That nobody answered long ago says nothing about now. */
		now = rn_now_ns();
		if (now >= end || (asked && rep.state == RAWNET_HOP_FAILED))
			return unresolved(&rep);
		asked |= rep.state == RAWNET_HOP_ASKED;
		pause_ns(&pause, end - now);
	}
}
