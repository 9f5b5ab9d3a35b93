/* SPDX-License-Identifier: BSD-2-Clause */
/* See attachment.h; what a request becomes, queues, copies and adopting have files of their own. */
#include "attachment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "attachment_impl.h"
#include "backend/backend.h"
#include "poller.h"
#include "state.h"
#include "steer.h"
#include "tap.h"
#include "tx.h"

static uint32_t next_id = 1;

void rn_attachment_count(struct rn_port *port, int more)
{
	__atomic_store_n(&port->n_attachments, port->n_attachments + (uint32_t)more,
			 __ATOMIC_RELAXED);
}

struct rn_attachment *rn_attachment_allocate(struct rn_port *port,
					     const struct rawnet_req_attach *req,
					     const struct rn_grant *grant)
{
	struct rn_attachment *at = calloc(1, sizeof(*at));

	if (!at)
		return NULL;
	CDS_INIT_LIST_HEAD(&at->list);
	at->queue = aligned_alloc(64, (req->n_queues * sizeof(*at->queue) + 63) / 64 * 64);
	at->peer_fd = malloc(req->n_queues * sizeof(*at->peer_fd));
	if (!at->queue || !at->peer_fd) {
		free(at->queue);
		free(at->peer_fd);
		free(at);
		return NULL;
	}
	memset(at->queue, 0, req->n_queues * sizeof(*at->queue));
	for (uint32_t i = 0; i < req->n_queues; i++)
		at->queue[i].wake_fd = at->peer_fd[i] = -1;
	at->id = next_id++;
	at->uid = grant->uid;
	at->client = grant->client;
	at->port = port;
	if (grant->label)
		strncpy(at->label, grant->label, sizeof(at->label) - 1);
	at->n_queues = req->n_queues;
	at->rx_size = req->rx_size;
	at->tx_size = req->tx_size;
	at->buf_size = req->buf_size;
	at->n_bufs = req->n_bufs;
	at->headroom = req->headroom;
	return at;
}

static int make_memory(struct rn_attachment *at, const struct rawnet_req_attach *req,
		       const struct rn_grant *grant, struct rn_err *err)
{
	bool huge = (req->flags & RAWNET_ATTACH_HUGE) && grant->huge;
	struct rawnet_queue_desc desc[RAWNET_QUEUES_MAX];
	int rc = rn_shm_create(&at->shm, rn_attachment_rings_size(req),
			       rn_attachment_packets_size(req), sizeof(struct rawnet_counters),
			       sizeof(struct rn_state), huge, err);

	if (rc)
		return rc;
	if (!at->shm.immutable && grant->uid != 0 && !at->port->config.allow_mutable_memory)
		return rn_fail(err, -EPERM,
			       "%s: shared memory cannot be made immutable here (FS_IMMUTABLE_FL); "
			       "allow_mutable_memory would serve clients all the same",
			       at->port->config.dev);
	at->memory = rn_attachment_rings_size(req) + rn_attachment_packets_size(req) +
		     sizeof(struct rawnet_counters);
	rn_attachment_layout(at, req->flags, desc);
	rn_attachment_lay_out(at, req, desc);
	rn_attachment_spread(at, desc);
	return 0;
}

int rn_attachment_create(struct rn_port *port, const struct rawnet_req_attach *req,
			 const struct rn_grant *grant, struct rn_attachment **out,
			 struct rn_err *err)
{
	struct rn_attachment *at = rn_attachment_allocate(port, req, grant);
	int rc;

	if (!at)
		return rn_fail(err, -ENOMEM, "attachment: out of memory");
	rc = make_memory(at, req, grant, err);
	if (rc)
		goto free_it;
	rn_attachment_regrant(at, grant);
	rc = rn_attachment_open_queues(at, err);
	if (!rc)
		rc = rn_attachment_join(at, err);
	if (rc)
		goto free_it;
	cds_list_add_tail(&at->list, &port->attachments);
	rn_attachment_count(port, 1);
	if (req->copies)
		rc = rn_attachment_set_copies(at, req->copies, err);
	if (rc) {
		rn_attachment_retire(at, NULL, NULL, UINT64_MAX);
		synchronize_rcu(); /* its queues were in the pollers' sets */
		goto free_it;
	}
	rn_steer_arrive(port->steer, at);
	*out = at;
	return 0;

free_it:
	rn_attachment_free(at);
	return rc;
}

uint32_t rn_attachment_ids(uint32_t least)
{
	if (next_id <= least)
		next_id = least + 1;
	return next_id - 1;
}

struct rn_state *rn_attachment_state(const struct rn_attachment *at)
{
	return (void *)at->shm.state.addr;
}

unsigned rn_attachment_reply(struct rn_attachment *at, struct rawnet_rep_attach *rep, int *fds)
{
	const struct rn_port *port = at->port;
	unsigned n = 0;

	rep->attachment = at->id;
	rep->n_queues = at->n_queues;
	rep->ifindex = port->ifindex;
	rep->mtu = port->mtu;
	memcpy(rep->mac, port->mac, sizeof(rep->mac));
	rep->link_up = port->link_up;
	strncpy(rep->backend, port->backend->name, sizeof(rep->backend) - 1);
	rep->rings_size = at->shm.rings.size;
	rep->packets_size = at->shm.packets.size;
	rep->counters_size = at->shm.counters.size;
	rep->rx_offloads = port->rx_offloads;
	rep->tx_offloads = port->tx_offloads;
	fds[n++] = at->shm.rings.client_fd;
	fds[n++] = at->shm.packets.client_fd;
	fds[n++] = at->shm.counters.client_fd;
	for (uint32_t i = 0; i < at->n_queues; i++)
		fds[n++] = at->peer_fd[i];
	return n;
}

void rn_attachment_sent(struct rn_attachment *at)
{
	for (uint32_t i = 0; i < at->n_queues; i++) {
		if (at->peer_fd[i] >= 0)
			close(at->peer_fd[i]);
		at->peer_fd[i] = -1;
	}
	rn_shm_sent(&at->shm);
}

bool rn_attachment_retire(struct rn_attachment *at, void (*gone)(void *arg, struct rn_rule *rule),
			  void *arg, uint64_t until)
{
	bool done;

	if (at->retired)
		return true;
	done = rn_steer_leave(at->port->steer, at, gone, arg, until);
	rn_police_changed();
	if (!done)
		return false;
	at->retired = true;
	rn_attachment_drop_copies(at);
	rn_tap_drop(at);
	for (uint32_t k = 0; k < at->port->n_pollers; k++)
		rn_poller_remove_attachment(at->port->poller[k], at);
	cds_list_del(&at->list);
	rn_attachment_count(at->port, -1);
	return true;
}

uint32_t rn_attachment_free(struct rn_attachment *at)
{
	const uint32_t open = rn_attachment_close_queues(at);

	rn_attachment_sent(at);
	rn_shm_destroy(&at->shm);
	free(at->queue);
	free(at->rule);
	free(at->peer_fd);
	free(at);
	return open;
}

/* ---- telling ---- */

void rn_attachment_info(const struct rn_attachment *at, struct rawnet_attachment_info *info)
{
	memset(info, 0, sizeof(*info));
	info->attachment = at->id;
	info->uid = at->uid;
	info->n_queues = at->n_queues;
	info->n_rules = at->n_rules;
	info->rx_size = at->rx_size;
	info->tx_size = at->tx_size;
	info->buf_size = at->buf_size;
	info->n_bufs = at->n_bufs;
	info->copies = at->copies;
	info->memory = at->memory;
	memcpy(info->dev, at->port->config.dev, sizeof(info->dev));
	memcpy(info->label, at->label, sizeof(info->label));
}

int rn_attachment_counters(const struct rn_attachment *at, uint32_t queue,
			   uint64_t v[RAWNET_COUNTERS_SPACE])
{
	const struct rawnet_counters *counters = (void *)at->shm.counters.addr;

	if (queue != RAWNET_ALL_QUEUES && queue >= at->n_queues)
		return -EINVAL;
	memset(v, 0, RAWNET_COUNTERS_SPACE * sizeof(*v));
	for (uint32_t i = 0; i < at->n_queues; i++)
		for (uint32_t c = 0;
		     (queue == RAWNET_ALL_QUEUES || queue == i) && c < RAWNET_Q_COUNT; c++)
			v[c] += __atomic_load_n(&counters->queue[i].v[c], __ATOMIC_RELAXED);
	return 0;
}

uint32_t rn_attachment_fault(const struct rn_attachment *at)
{
	for (uint32_t i = 0; i < at->n_queues; i++) {
		uint32_t fault = __atomic_load_n(&at->queue[i].fault, __ATOMIC_ACQUIRE);

		if (fault)
			return fault;
	}
	return 0;
}
