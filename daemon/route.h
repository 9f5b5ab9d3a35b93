/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's answer to "how would a packet to this address leave by this port?": source, next hop
 * and its MAC, tag, MTU. Routes and neighbours stay the kernel's: nothing is kept here, so an
 * answer is true when it is given. A neighbour that is missing or old is given to the kernel to
 * resolve; nobody waits for that, the asker asks again. Control thread only; a few system calls.
 */
#ifndef RN_ROUTE_H
#define RN_ROUTE_H

#include "err.h"
#include "port.h"

struct rn_route_terms {
	bool resolve; /* the kernel may be told to resolve; afterwards: it was */
	bool names; /* the asker may know what other interfaces there are */
};

/* -EOPNOTSUPP: not a port or route that this can be said of; -ENETUNREACH, -EHOSTUNREACH, -EACCES,
 * ...: what the kernel says; -EXDEV: another interface's. */
int rn_route_find(const struct rn_port *port, uint8_t family, const uint8_t *dst,
		  struct rn_route_terms *terms, struct rawnet_rep_route *rep, struct rn_err *err);

#endif
