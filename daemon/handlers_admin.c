/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that operators make: SUBSCRIBE, CLIENT_DISCONNECT, PORT_DRAIN, QUOTA. */
#include <errno.h>
#include <string.h>

#include "adopt.h"
#include "client.h"
#include "daemon.h"

int rn_handle_SUBSCRIBE(struct rn_request *r)
{
	const struct rawnet_req_subscribe *req = r->req;

	if (req->mask & ~RAWNET_EVENT_KNOWN)
		return rn_fail(r->err, -EINVAL, "mask 0x%x: unknown bits", req->mask);
	r->client->events = req->mask;
	r->client->lost = 0;
	rn_adopt_client(r->client);
	return 0;
}

int rn_handle_CLIENT_DISCONNECT(struct rn_request *r)
{
	const struct rawnet_req_id *req = r->req;
	struct rn_client *c;

	cds_list_for_each_entry (c, &r->client->daemon->clients, list) {
		if (c->id != req->id || c->dead)
			continue;
		if (!r->client->admin && r->client->peer.uid != c->peer.uid)
			break;
		if (c == r->client)
			return rn_fail(r->err, -EINVAL, "client %u: that is this connection",
				       c->id);
		rn_client_end(c, RAWNET_BYE_ADMIN, "disconnected by an operator");
		return 0;
	}
	return rn_fail(r->err, -ENOENT, "client %llu: there is none, or it is not yours",
		       (unsigned long long)req->id);
}

int rn_handle_PORT_DRAIN(struct rn_request *r)
{
	const struct rawnet_req_drain *req = r->req;
	struct rn_daemon *d = r->client->daemon;
	struct rn_served *s;

	if (!r->client->admin)
		return rn_fail(r->err, -EPERM, "drain: for root and the admin group");
	s = rn_daemon_find_port(d, req->dev, r->err);
	if (!s)
		return -ENODEV;
	if (req->on > 1)
		return rn_fail(r->err, -EINVAL, "on %u: 0 or 1", req->on);
	s->port->draining = req->on;
	rn_event_emit(d, RAWNET_EVENT_PORT, req->on ? "draining" : "resumed", 0, NULL, req->dev, 0,
		      "%u attachments", s->port->n_attachments);
	return 0;
}

int rn_handle_QUOTA(struct rn_request *r)
{
	const struct rawnet_req_quota *req = r->req;
	struct rawnet_rep_quota *rep = r->rep;
	struct rn_client *c = r->client;
	struct rn_peer peer = c->peer;
	const struct rn_policy_entry *e;
	const struct rn_usage *u;

	rep->uid = req->self ? c->peer.uid : req->uid;
	if (rep->uid != c->peer.uid) {
		if (!c->admin)
			return rn_fail(r->err, -EPERM, "uid %u: for root and the admin group",
				       rep->uid);
		peer = (struct rn_peer) {.uid = rep->uid, .gid = (gid_t)-1, .socket = ""};
	}
	cds_list_for_each_entry (u, &c->daemon->usages, list)
		if (u->uid == rep->uid)
			rep->used = u->used;
	e = rn_policy_entry(c->daemon->config, &peer, NULL);
	if (e) {
		rep->used.users = rn_policy_users(&c->daemon->usages, e);
		rep->limit = e->limit;
	} else if (rep->uid == 0) {
		memset(&rep->limit, 0xff, sizeof(rep->limit)); /* no bound */
	}
	return 0;
}
