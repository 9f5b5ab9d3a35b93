/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that only look: STATUS, PORT_LIST, CLIENT_LIST, ATTACHMENT_LIST, POLLER_LIST, COUNTERS.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "daemon.h"
#include "poller.h"

int rn_handle_STATUS(struct rn_request *r)
{
	struct rn_daemon *d = r->client->daemon;
	struct rawnet_rep_status *rep = r->rep;
	const struct rn_usage *u;

	rep->instance = d->instance;
	rep->uptime_ns = rn_mono_ns() - d->started_ns;
	rep->pid = (uint32_t)getpid();
	rep->ports = d->n_served;
	rep->pollers = d->n_pollers;
	rep->clients = d->n_clients;
	for (uint32_t i = 0; i < d->n_served; i++) {
		rep->attachments += d->served[i].port->n_attachments;
		rep->rules += rn_steer_count(d->served[i].port->steer, NULL);
	}
	cds_list_for_each_entry (u, &d->usages, list)
		rep->memory += u->used.memory;
	rep->reloads = d->reloads;
	strncpy(rep->version, RN_VERSION_TEXT, sizeof(rep->version) - 1);
	snprintf(rep->config, sizeof(rep->config), "%.127s", d->config->path);
	return 0;
}

static bool dev_wanted(const struct rawnet_req_list *req, const char *dev)
{
	return !req->dev[0] || !strncmp(req->dev, dev, sizeof(req->dev));
}

int rn_handle_PORT_LIST(struct rn_request *r)
{
	const struct rawnet_req_list *req = r->req;
	struct rawnet_rep_port_list *rep = r->rep;
	const struct rn_daemon *d = r->client->daemon;
	uint32_t most = sizeof(rep->entry) / sizeof(rep->entry[0]);

	rep->list.entry_size = sizeof(rep->entry[0]);
	for (uint64_t i = req->cursor; i < d->n_served; i++) {
		if (rep->list.n == most) {
			rep->list.next = i;
			break;
		}
		if (dev_wanted(req, d->served[i].port->config.dev))
			rn_port_info(d->served[i].port, &rep->entry[rep->list.n++]);
	}
	return 0;
}

int rn_handle_POLLER_LIST(struct rn_request *r)
{
	const struct rawnet_req_list *req = r->req;
	struct rawnet_rep_poller_list *rep = r->rep;
	const struct rn_daemon *d = r->client->daemon;
	uint32_t most = sizeof(rep->entry) / sizeof(rep->entry[0]);

	rep->list.entry_size = sizeof(rep->entry[0]);
	for (uint64_t i = req->cursor; i < d->n_pollers; i++) {
		if (rep->list.n == most) {
			rep->list.next = i;
			break;
		}
		rn_poller_info(d->poller[i], &rep->entry[rep->list.n++]);
	}
	return 0;
}

/* ---- clients and their attachments: in order of client ids, which only grow ---- */

static bool may_see(const struct rn_client *asker, const struct rn_client *c)
{
	return !c->dead && (asker->watches || asker->peer.uid == c->peer.uid);
}

static void describe_client(const struct rn_client *c, struct rawnet_client_info *info)
{
	info->client = c->id;
	info->uid = c->peer.uid;
	info->gid = c->peer.gid;
	info->pid = (uint32_t)c->peer.pid;
	memcpy(info->label, c->label, sizeof(info->label));
	memcpy(info->program, c->program, sizeof(info->program));
	memcpy(info->socket, c->socket, sizeof(info->socket) - 1);
	info->n_attachments = c->n_attachments;
	info->n_rules = rn_client_rules(c);
	info->memory = rn_client_memory(c);
	info->connected_ns = rn_mono_ns() - c->connected_ns;
}

int rn_handle_CLIENT_LIST(struct rn_request *r)
{
	const struct rawnet_req_list *req = r->req;
	struct rawnet_rep_client_list *rep = r->rep;
	uint32_t most = sizeof(rep->entry) / sizeof(rep->entry[0]);
	const struct rn_client *c;

	rep->list.entry_size = sizeof(rep->entry[0]);
	cds_list_for_each_entry (c, &r->client->daemon->clients, list) {
		if (c->id <= req->cursor || !may_see(r->client, c) || (req->id && req->id != c->id))
			continue;
		if (rep->list.n == most) {
			rep->list.next = rep->entry[most - 1].client;
			break;
		}
		describe_client(c, &rep->entry[rep->list.n++]);
	}
	return 0;
}

static bool attachment_wanted(const struct rawnet_req_list *req, const struct rn_client *c,
			      const struct rn_attachment *at)
{
	return (!req->id || req->id == at->id) && (!req->client || req->client == c->id) &&
	       (!req->attachment || req->attachment == at->id) &&
	       dev_wanted(req, at->port->config.dev);
}

/* The cursor is the last attachment's id. */
int rn_handle_ATTACHMENT_LIST(struct rn_request *r)
{
	const struct rawnet_req_list *req = r->req;
	struct rawnet_rep_attachment_list *rep = r->rep;
	const struct rn_daemon *d = r->client->daemon;
	uint32_t most = sizeof(rep->entry) / sizeof(rep->entry[0]);

	rep->list.entry_size = sizeof(rep->entry[0]);
	for (uint32_t i = rn_attachments_behind(d, req->cursor); i < d->n_attachments; i++) {
		const struct rn_attachment *at = d->attachments[i];
		const struct rn_client *c = at->client;

		if (!may_see(r->client, c) || !attachment_wanted(req, c, at))
			continue;
		if (rep->list.n == most) {
			rep->list.next = rep->entry[most - 1].attachment;
			break;
		}
		rn_attachment_info(at, &rep->entry[rep->list.n]);
		rep->entry[rep->list.n++].client = c->id;
	}
	return 0;
}

/* ---- counters ---- */

int rn_handle_COUNTERS(struct rn_request *r)
{
	const struct rawnet_req_counters *req = r->req;
	struct rawnet_rep_counters *rep = r->rep;
	struct rn_client *c = r->client;
	struct rn_attachment *at;
	struct rn_served *s;

	if (!req->attachment) {
		s = rn_daemon_find_port(c->daemon, req->dev, r->err);
		if (!s)
			return -ENODEV;
		rep->n = RAWNET_P_COUNT;
		rn_port_counters(s->port, rep->v);
		return 0;
	}
	at = rn_attachment_by_id(c->daemon, req->attachment);
	if (!at || !may_see(c, at->client))
		return rn_fail(r->err, -ENOENT, "attachment %u: there is none, or it is not yours",
			       req->attachment);
	rep->n = RAWNET_Q_COUNT;
	if (rn_attachment_counters(at, req->queue, rep->v))
		return rn_fail(r->err, -EINVAL, "queue %u: the attachment has %u", req->queue,
			       at->n_queues);
	return 0;
}
