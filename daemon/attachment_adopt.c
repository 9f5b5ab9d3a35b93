/* SPDX-License-Identifier: BSD-2-Clause */
/* An attachment of the last daemon goes on: its memory, its rings and what is in them. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "attachment_impl.h"
#include "backend/backend.h"
#include "poller.h"
#include "ring.h"
#include "state.h"
#include "tx_state.h"
#include "waker.h"

static struct rawnet_req_attach request_of(const struct rn_state *state)
{
	return (struct rawnet_req_attach) {
		.n_queues = state->n_queues,
		.rx_size = state->rx_size,
		.tx_size = state->tx_size,
		.buf_size = state->buf_size,
		.n_bufs = state->n_bufs,
		.headroom = state->headroom,
		.flags = state->flags,
		.copies = state->copies,
	};
}

/* Our indexes are those of the state. What they are ahead of the shared ones was done already. */
static void resume_ring(struct rn_ring *r, uint32_t daemon, uint32_t client)
{
	r->daemon = r->next = daemon;
	r->client = client;
	rn_ring_publish(r);
	rn_ring_set_sleep(r, 0);
}

static int resume_queues(struct rn_attachment *at, const struct rn_adopted *from,
			 struct rn_err *err)
{
	for (uint32_t i = 0; i < at->n_queues; i++) {
		struct rn_queue *q = &at->queue[i];
		int rc;

		resume_ring(&q->rx, q->state->rx_daemon, q->state->rx_client);
		resume_ring(&q->tx, q->state->tx_daemon, q->state->tx_client);
		rn_tx_resume(q);
		q->wake_fd = from->wake[i];
		from->wake[i] = -1;
		rc = rn_waker_open(rn_poller_waker(q->poller), q, err);
		if (!rc && at->port->backend->queue_create)
			rc = at->port->backend->queue_create(at->port, q, err);
		if (rc)
			return rc;
		/* A wake-up may have been under way when the last daemon ended. */
		send(q->wake_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return rn_attachment_join(at, err);
}

/* The device had buffers that the slots do not name. */
static bool lost_track(const struct rn_state *state)
{
	for (uint32_t i = 0; i < state->n_queues; i++)
		if ((int32_t)(state->queue[i].rx_true - state->queue[i].rx_daemon) > 0)
			return true;
	return false;
}

/* The attachment, or NULL: the descriptors of its memory are still the caller's. */
static struct rn_attachment *begin_adopting(struct rn_port *port, const struct rn_adopted *from,
					    const struct rawnet_req_attach *req,
					    const struct rn_grant *grant, struct rn_err *err)
{
	struct rn_attachment *at = NULL;

	if (from->state->n_queues < port->n_pollers)
		rn_fail(err, -EINVAL, "%s has more pollers than it has queues", port->config.dev);
	else if (port->backend->queue_create && lost_track(from->state))
		rn_fail(err, -EOPNOTSUPP,
			"%s: packets from other programs took buffers out of turn",
			port->config.dev);
	else if (!(at = rn_attachment_allocate(port, req, grant)))
		rn_fail(err, -ENOMEM, "out of memory");
	return at;
}

int rn_attachment_adopt(struct rn_port *port, const struct rn_adopted *from,
			const struct rn_grant *grant, struct rn_attachment **out,
			struct rn_err *err)
{
	const struct rawnet_req_attach req = request_of(from->state);
	struct rn_attachment *at = begin_adopting(port, from, &req, grant, err);
	struct rawnet_queue_desc desc[RAWNET_QUEUES_MAX];
	int rc;

	if (!at) {
		for (unsigned i = 0; i < 4; i++)
			close(from->fds[i]);
		return err->code;
	}
	at->id = from->state->attachment;
	rn_attachment_ids(at->id);
	at->memory = from->state->memory;
	rc = rn_shm_adopt(&at->shm, from->fds, rn_attachment_rings_size(&req),
			  rn_attachment_packets_size(&req), sizeof(struct rawnet_counters),
			  sizeof(struct rn_state), err);
	if (rc) {
		rn_attachment_free(at);
		return rc;
	}
	at->shm.immutable = from->state->immutable;
	rn_attachment_layout(at, req.flags, desc);
	rn_attachment_spread(at, desc);
	rn_attachment_regrant(at, grant);
	rc = resume_queues(at, from, err);
	if (rc) {
		for (uint32_t k = 0; k < port->n_pollers; k++)
			rn_poller_remove_attachment(port->poller[k], at);
		synchronize_rcu();
		rn_attachment_free(at);
		return rc;
	}
	cds_list_add_tail(&at->list, &port->attachments);
	rn_attachment_count(port, 1);
	if (req.copies && rn_attachment_set_copies(at, req.copies, err))
		at->copies = 0;
	*out = at;
	return 0;
}
