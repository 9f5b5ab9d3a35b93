/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's answer to "how would a packet to this address leave by this port?": source, next hop
 * and its MAC, tag, MTU. Routes and neighbours stay the kernel's: nothing is kept here, so an
 * answer is true when it is given. A neighbour that is missing or old is given to the kernel to
 * resolve; nobody waits for that, who wants to know asks again. A few system calls, each of which
 * waits for whoever holds the kernel's rtnl lock: the asker's thread (asker.h).
 */
#ifndef RN_ROUTE_H
#define RN_ROUTE_H

#include "err.h"
#include "port.h"

struct rn_steer;

/* The port as it was when it was asked for: the control thread goes on. */
struct rn_route_from {
	char dev[RAWNET_DEV];
	uint32_t ifindex, mtu;
	uint8_t mac[6];
	bool local; /* its programs reach each other */
	const struct rn_steer *steer;
};

struct rn_route_terms {
	bool resolve; /* the kernel may be told to resolve; afterwards: it was */
	bool names; /* the asker may know what other interfaces there are */
};

/* -EOPNOTSUPP: not a port or route that this can be said of; -ENETUNREACH, -EHOSTUNREACH, -EACCES,
 * ...: what the kernel says; -EXDEV: another interface's. */
int rn_route_find(const struct rn_route_from *from, uint8_t family, const uint8_t *dst,
		  struct rn_route_terms *terms, struct rawnet_rep_route *rep, struct rn_err *err);

#endif
