/* SPDX-License-Identifier: BSD-2-Clause */
/* The request CAPTURE: who may see what, and the tap. */
#include <errno.h>

#include "adopt.h"
#include "client.h"
#include "daemon.h"
#include "tap.h"

static bool in_capture_group(const struct rn_client *c)
{
	const gid_t group = c->daemon->config->capture_group;

	if (group == (gid_t)-1)
		return false;
	if (c->peer.gid == group)
		return true;
	for (uint32_t i = 0; i < c->peer.n_groups; i++)
		if (c->peer.groups[i] == group)
			return true;
	return false;
}

/* Is what was named the asker's own? */
static bool is_own(const struct rn_client *c, const struct rawnet_req_capture *req)
{
	const struct rn_attachment *at = req->of ? rn_attachment_by_id(c->daemon, req->of) : NULL;
	struct rn_served *s;
	const struct rn_rule *rule = req->rule ? rn_daemon_rule(c->daemon, req->rule, &s) : NULL;

	return (at && at->uid == c->peer.uid) || (rule && rule->uid == c->peer.uid);
}

/* The attachment and the rule must be there, on the sink's port. */
static int check(struct rn_request *r, const struct rawnet_req_capture *req,
		 const struct rn_attachment *sink)
{
	const struct rn_client *c = r->client;
	const struct rn_attachment *of = NULL;
	struct rn_served *s = NULL;

	if (req->direction & ~(RAWNET_CAPTURE_RX | RAWNET_CAPTURE_TX))
		return rn_fail(r->err, -EINVAL, "direction 0x%x: unknown bits", req->direction);
	if (!c->admin && !in_capture_group(c) && !is_own(c, req))
		return rn_fail(
			r->err, -EPERM,
			"capture: others' packets are for admins and the capture group; name "
			"an attachment or a rule of your own");
	if (req->of)
		of = rn_attachment_by_id(c->daemon, req->of);
	if (req->of && (!of || of->port != sink->port))
		return rn_fail(r->err, -ENOENT, "of: %s has no attachment %u",
			       sink->port->config.dev, req->of);
	if (req->rule && (!rn_daemon_rule(c->daemon, req->rule, &s) || s->port != sink->port))
		return rn_fail(r->err, -ENOENT, "rule %llu: %s has none of this number",
			       (unsigned long long)req->rule, sink->port->config.dev);
	return 0;
}

int rn_handle_CAPTURE(struct rn_request *r)
{
	const struct rawnet_req_capture *req = r->req;
	struct rn_attachment *sink = rn_client_attachment(r->client, req->attachment);
	int rc;

	if (!sink)
		return rn_fail(r->err, -ENOENT, "attachment %u: not one of yours", req->attachment);
	if (!req->direction) {
		rn_tap_drop(sink);
		return 0;
	}
	rc = check(r, req, sink);
	if (!rc)
		rc = rn_tap_set(sink, req, r->err);
	if (!rc)
		rn_adopt_never(sink);
	return rc;
}
