/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about the connection itself and its attachments: HELLO, ATTACH, DETACH, COPIES. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "adopt.h"
#include "client.h"
#include "daemon.h"
#include "log.h"

/* A label is NUL-terminated, padded with zeros, and safe to print anywhere. */
static int check_label(const char label[RAWNET_LABEL], const char *field, struct rn_err *err)
{
	size_t n = strnlen(label, RAWNET_LABEL);

	if (n == RAWNET_LABEL)
		return rn_fail(err, -EINVAL, "%s: at most %u characters", field, RAWNET_LABEL - 1);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)label[i]) && !strchr("-_.:@/ ", label[i]))
			return rn_fail(err, -EINVAL, "%s: letters, digits and -_.:@ are possible",
				       field);
	return 0;
}

int rn_handle_HELLO(struct rn_request *r)
{
	const struct rawnet_req_hello *req = r->req;
	struct rawnet_rep_hello *rep = r->rep;
	struct rn_client *c = r->client;
	uint32_t version = req->max < RAWNET_PROTO_MAX ? req->max : RAWNET_PROTO_MAX;
	int rc;

	if (c->greeted)
		return rn_fail(r->err, -EALREADY, "HELLO was said before");
	if (version < RAWNET_PROTO_MIN || version < req->min)
		return rn_fail(r->err, -EPROTO, "version: %u to %u are spoken here, not %u to %u",
			       RAWNET_PROTO_MIN, RAWNET_PROTO_MAX, req->min, req->max);
	rc = check_label(req->label, "label", r->err);
	if (!rc && !rn_policy_is_label(req->label))
		rc = rn_fail(r->err, -EINVAL, "label: letters, digits and -_.:@ are possible");
	if (!rc)
		rc = check_label(req->program, "program", r->err);
	if (rc)
		return rc;
	/* What stands behind the NUL is not shown to others. */
	snprintf(c->label, sizeof(c->label), "%s", req->label);
	snprintf(c->program, sizeof(c->program), "%s", req->program);
	c->greeted = true;
	rep->version = version;
	rep->client = c->id;
	rep->instance = c->daemon->instance;
	rep->uid = c->peer.uid;
	rep->gid = c->peer.gid;
	rep->admin = c->admin;
	rep->abi = RAWNET_ABI_VERSION;
	strncpy(rep->daemon, RN_VERSION_TEXT, sizeof(rep->daemon) - 1);
	rn_event_emit(c->daemon, RAWNET_EVENT_CLIENT, "connected", c->id, NULL, "", c->peer.uid,
		      "%s", c->label);
	return 0;
}

/* What the policy grants for one attachment. */
static struct rn_grant grant_of(struct rn_client *c, const struct rn_policy_entry *e)
{
	struct rn_grant grant = {.uid = c->peer.uid, .label = c->label, .client = c, .weight = 1};

	if (e) {
		grant.huge = e->huge;
		grant.spoof = e->spoof;
		grant.weight = e->weight;
		grant.packet_rate = e->packet_rate;
		grant.byte_rate = e->byte_rate;
	} else {
		grant.huge = true; /* root */
	}
	return grant;
}

struct rn_grant rn_client_grant(struct rn_client *c, const char *dev)
{
	return grant_of(c, rn_policy_entry(c->daemon->config, &c->peer, dev));
}

void rn_client_regrant(struct rn_client *c)
{
	for (uint32_t i = 0; i < c->n_attachments; i++) {
		const char *dev = c->attachments[i]->port->config.dev;
		const struct rn_policy_entry *e = rn_policy_entry(c->daemon->config, &c->peer, dev);
		struct rn_grant grant = grant_of(c, e);

		if (!e && c->peer.uid != 0) {
			rn_client_end(c, RAWNET_BYE_POLICY, "the policy no longer grants the port");
			return;
		}
		rn_attachment_regrant(c->attachments[i], &grant);
	}
}

static int create(struct rn_request *r, struct rn_served *s, const struct rawnet_req_attach *req,
		  const struct rn_policy_entry *e, const struct rawnet_quota *more)
{
	struct rn_client *c = r->client;
	struct rn_grant grant = grant_of(c, e);
	struct rn_usage *u = rn_usage_of(&c->daemon->usages, c->peer.uid);
	int rc = u ? rn_policy_admit(e, &c->daemon->usages, u, more, r->err)
		   : rn_fail(r->err, -ENOMEM, "attach: out of memory");

	if (rc)
		return rc;
	rc = rn_attachment_create(s->port, req, &grant, &r->attached, r->err);
	if (rc)
		return rc;
	if (!rn_client_add_attachment(c, r->attached)) {
		rn_policy_admitted(e, u);
		rn_usage_add(u, more);
		r->attached->charged = true;
		rn_adopt_keep(r->attached);
		rn_rules_sync(c->daemon); /* rules that waited for it */
		return 0;
	}
	rn_attachment_retire(r->attached, rn_rules_gone, c->daemon, UINT64_MAX);
	synchronize_rcu();
	rn_attachment_free(r->attached);
	r->attached = NULL;
	return rn_fail(r->err, -ENOMEM, "attach: out of memory");
}

int rn_handle_ATTACH(struct rn_request *r)
{
	struct rawnet_req_attach req = *(const struct rawnet_req_attach *)r->req;
	struct rn_client *c = r->client;
	struct rn_served *s = rn_daemon_find_port(r->client->daemon, req.dev, r->err);
	struct rawnet_quota more = {.attachments = 1};
	int fds[3 + RAWNET_QUEUES_MAX], rc;

	if (!s)
		return -ENODEV;
	rc = rn_policy_attach(c->daemon->config, &c->peer, req.dev, r->err);
	if (rc)
		return rc;
	if (s->port->draining)
		return rn_fail(r->err, -EBUSY, "dev %s: the port is being drained", req.dev);
	if (!s->port->present)
		return rn_fail(r->err, -ENODEV, "dev %s: the interface is gone, waited for",
			       req.dev);
	rc = rn_attachment_plan(s->port, &req, &more.memory, r->err);
	if (rc)
		return rc;
	more.queues = req.n_queues;
	rc = create(r, s, &req, rn_policy_entry(c->daemon->config, &c->peer, req.dev), &more);
	if (rc)
		return rc;
	rn_attachment_reply(r->attached, r->rep, fds);
	rn_event_emit(c->daemon, RAWNET_EVENT_CLIENT, "attached", c->id, r->attached, req.dev,
		      c->peer.uid, "%s", c->label);
	return 0;
}

static struct rn_attachment *own(struct rn_request *r, uint64_t id)
{
	struct rn_attachment *at = id <= UINT32_MAX ? rn_client_attachment(r->client, (uint32_t)id)
						    : NULL;

	if (!at)
		rn_fail(r->err, -ENOENT, "attachment %llu: not one of yours",
			(unsigned long long)id);
	return at;
}

int rn_handle_DETACH(struct rn_request *r)
{
	const struct rawnet_req_id *req = r->req;
	struct rn_attachment *at = own(r, req->id);

	if (!at)
		return -ENOENT;
	return rn_client_detach(r->client, at, &req->hdr) ? 0 : RN_LATER;
}

int rn_handle_COPIES(struct rn_request *r)
{
	const struct rawnet_req_copies *req = r->req;
	struct rn_attachment *at = own(r, req->attachment);

	return at ? rn_attachment_set_copies(at, req->copies, r->err) : -ENOENT;
}
