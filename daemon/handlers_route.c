/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request ROUTE. What it makes the kernel send and remember is bounded in rate, for each user
 * and for all together: an address that nobody has is remembered for some three seconds, and the
 * kernel's table has room for 1,024 (gc_thresh3), so whoever asks for a whole prefix does not fill
 * it.
 */
#include <errno.h>

#include "client.h"
#include "clock.h"
#include "daemon.h"
#include "route.h"

#define USER_RATE    50u /* resolutions a second */
#define USER_BURST   64u
#define DAEMON_RATE  200u
#define DAEMON_BURST 256u

int rn_handle_ROUTE(struct rn_request *r)
{
	const struct rawnet_req_route *req = r->req;
	struct rn_client *c = r->client;
	struct rn_daemon *d = c->daemon;
	struct rn_usage *usage = rn_usage_of(&d->usages, c->peer.uid);
	struct rn_served *s = rn_daemon_find_port(d, req->dev, r->err);
	uint64_t now;
	struct rn_route_terms terms;
	int rc;

	if (!s)
		return -ENODEV;
	if (!usage)
		return rn_fail(r->err, -ENOMEM, "route: out of memory");
	rc = rn_policy_attach(d->config, &c->peer, s->port->config.dev, r->err);
	if (rc)
		return rc;
	if (req->family != 4 && req->family != 6)
		return rn_fail(r->err, -EINVAL, "family %u: neither 4 nor 6", req->family);
	if (req->reserved[0] || req->reserved[1] || req->reserved[2])
		return rn_fail(r->err, -EINVAL, "reserved: not zero");
	now = rn_mono_ns();
	terms.names = rn_policy_may_watch(d->config, &c->peer);
	terms.resolve = rn_bucket_offers(&usage->resolve, USER_RATE, USER_BURST, now) &&
			rn_bucket_offers(&d->resolve, DAEMON_RATE, DAEMON_BURST, now);
	rc = rn_route_find(s->port, req->family, req->dst, &terms, r->rep, r->err);
	if (terms.resolve && !rc) {
		rn_bucket_take(&usage->resolve, 1);
		rn_bucket_take(&d->resolve, 1);
	}
	return rc;
}
