/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an attach request becomes: defaults, bounds, sizes, and where each part stands in shared
 * memory. The rings memfd is laid out as: header page, then for each queue the controls of both
 * rings and their slots, then the timestamps; every part on a cache line of RAWNET_LINE.
 */
#include <errno.h>
#include <string.h>

#include "attachment_impl.h"
#include "poller.h"
#include "state.h"

#define DEFAULT_SLOTS	 1024u
#define DEFAULT_HEADROOM 128u
#define HEADROOM_MAX	 1024u
#define RINGS_HEADER	 4096u

/* ---- planning ---- */

static bool power_of_two(uint32_t v)
{
	return v && !(v & (v - 1));
}

static int plan_ring(const char *what, uint32_t *size, struct rn_err *err)
{
	if (!*size)
		*size = DEFAULT_SLOTS;
	if (!power_of_two(*size) || *size < RAWNET_RING_MIN || *size > RAWNET_RING_MAX)
		return rn_fail(err, -EINVAL, "%s %u: a power of two from %u to %u is needed", what,
			       *size, RAWNET_RING_MIN, RAWNET_RING_MAX);
	return 0;
}

static int plan_queues(const struct rn_port *port, uint32_t *n, struct rn_err *err)
{
	if (*n > RAWNET_QUEUES_MAX)
		return rn_fail(err, -EINVAL, "n_queues %u: at most %u", *n, RAWNET_QUEUES_MAX);
	if (*n < port->n_pollers)
		*n = port->n_pollers; /* each poller of the port needs one to deliver to */
	return 0;
}

static int plan_buffers(const struct rn_port *port, struct rawnet_req_attach *req,
			struct rn_err *err)
{
	uint32_t need;

	if (!req->headroom)
		req->headroom = DEFAULT_HEADROOM;
	if (req->headroom % 64 || req->headroom > HEADROOM_MAX)
		return rn_fail(err, -EINVAL, "headroom %u: a multiple of 64 up to %u is needed",
			       req->headroom, HEADROOM_MAX);
	need = port->max_frame + req->headroom;
	if (!req->buf_size)
		for (req->buf_size = RAWNET_BUF_MIN; req->buf_size < need; req->buf_size *= 2)
			;
	if (!power_of_two(req->buf_size) || req->buf_size < RAWNET_BUF_MIN ||
	    req->buf_size > RAWNET_BUF_MAX)
		return rn_fail(err, -EINVAL, "buf_size %u: a power of two from %u to %u is needed",
			       req->buf_size, RAWNET_BUF_MIN, RAWNET_BUF_MAX);
	if (req->buf_size < need)
		return rn_fail(err, -EMSGSIZE,
			       "buf_size %u: the largest frame of %s (%u) and headroom need %u",
			       req->buf_size, port->config.dev, port->max_frame, need);
	return 0;
}

static int plan_count(struct rawnet_req_attach *req, struct rn_err *err)
{
	uint64_t slots = (uint64_t)req->n_queues * (req->rx_size + req->tx_size);
	uint64_t most = UINT32_MAX / req->buf_size;

	if (!req->n_bufs)
		req->n_bufs = slots < most ? (uint32_t)slots : (uint32_t)most;
	if (req->n_bufs < req->n_queues * req->rx_size)
		return rn_fail(err, -EINVAL, "n_bufs %u: the rx rings alone hold %u", req->n_bufs,
			       req->n_queues * req->rx_size);
	if (req->n_bufs > most)
		return rn_fail(err, -EINVAL, "n_bufs %u: at most %u of %u bytes", req->n_bufs,
			       (uint32_t)most, req->buf_size);
	return 0;
}

static size_t lines(size_t size)
{
	return (size + RAWNET_LINE - 1) / RAWNET_LINE * RAWNET_LINE;
}

size_t rn_attachment_rings_size(const struct rawnet_req_attach *req)
{
	size_t queue = 2 * sizeof(struct rawnet_ring_ctl);

	queue += lines(sizeof(struct rawnet_slot) * req->rx_size);
	queue += lines(sizeof(struct rawnet_slot) * req->tx_size);
	if (req->flags & RAWNET_ATTACH_STAMP)
		queue += lines(sizeof(uint64_t) * req->rx_size);
	return RINGS_HEADER + req->n_queues * queue;
}

size_t rn_attachment_packets_size(const struct rawnet_req_attach *req)
{
	return (size_t)req->n_bufs * req->buf_size;
}

int rn_attachment_plan(const struct rn_port *port, struct rawnet_req_attach *req, uint64_t *memory,
		       struct rn_err *err)
{
	int rc;

	if (port->failed)
		return rn_fail(err, -ENODEV, "%s: its device failed, and is waited for",
			       port->config.dev);
	if (req->flags & ~(RAWNET_ATTACH_STAMP | RAWNET_ATTACH_HUGE))
		return rn_fail(err, -EINVAL, "flags 0x%x: unknown bits", req->flags);
	if (req->copies & ~RAWNET_COPY_KNOWN)
		return rn_fail(err, -EINVAL, "copies 0x%x: unknown bits", req->copies);
	rc = plan_queues(port, &req->n_queues, err);
	if (!rc)
		rc = plan_ring("rx_size", &req->rx_size, err);
	if (!rc)
		rc = plan_ring("tx_size", &req->tx_size, err);
	if (!rc)
		rc = plan_buffers(port, req, err);
	if (!rc)
		rc = plan_count(req, err);
	if (rc)
		return rc;
	*memory = rn_attachment_rings_size(req) + rn_attachment_packets_size(req) +
		  sizeof(struct rawnet_counters);
	return 0;
}

/* ---- laying out shared memory ---- */

/* Takes `size` bytes off the rings memfd: their offset. */
static uint32_t carve(size_t *at, size_t size)
{
	uint32_t off = (uint32_t)*at;

	*at += lines(size);
	return off;
}

void rn_attachment_layout(const struct rn_attachment *at, uint32_t flags,
			  struct rawnet_queue_desc *desc)
{
	size_t end = RINGS_HEADER;

	memset(desc, 0, at->n_queues * sizeof(*desc));
	for (uint32_t i = 0; i < at->n_queues; i++) {
		struct rawnet_queue_desc *d = &desc[i];

		d->rx_ctl = carve(&end, sizeof(struct rawnet_ring_ctl));
		d->tx_ctl = carve(&end, sizeof(struct rawnet_ring_ctl));
		d->rx_slots = carve(&end, sizeof(struct rawnet_slot) * at->rx_size);
		d->tx_slots = carve(&end, sizeof(struct rawnet_slot) * at->tx_size);
		if (flags & RAWNET_ATTACH_STAMP)
			d->rx_stamp = carve(&end, sizeof(uint64_t) * at->rx_size);
		d->rx_size = at->rx_size;
		d->tx_size = at->tx_size;
	}
}

static void lay_out_rings(struct rn_attachment *at, const struct rawnet_queue_desc *desc)
{
	struct rawnet_rings *rings = (void *)at->shm.rings.addr;

	rings->magic = RAWNET_ABI_MAGIC;
	rings->version = RAWNET_ABI_VERSION;
	rings->size = at->shm.rings.size;
	rings->n_queues = at->n_queues;
	rings->flags = RAWNET_RINGS_BUSY;
	rings->buf_size = at->buf_size;
	rings->n_bufs = at->n_bufs;
	rings->headroom = at->headroom;
	rings->max_frame = at->port->max_frame;
	for (uint32_t k = 0; k < at->port->n_pollers; k++)
		if (!rn_poller_is_busy(at->port->poller[k]))
			rings->flags &= ~RAWNET_RINGS_BUSY;
	memcpy(rings->queue, desc, at->n_queues * sizeof(*desc));
}

static void lay_out_counters(struct rn_attachment *at)
{
	struct rawnet_counters *counters = (void *)at->shm.counters.addr;

	counters->magic = RAWNET_ABI_MAGIC;
	counters->version = RAWNET_ABI_VERSION;
	counters->n_queues = at->n_queues;
	counters->n_counters = RAWNET_Q_COUNT;
}

static void lay_out_state(struct rn_attachment *at, const struct rawnet_req_attach *req)
{
	struct rn_state *state = (void *)at->shm.state.addr;

	state->magic = RN_STATE_MAGIC;
	state->version = RN_STATE_VERSION;
	state->size = at->shm.state.size;
	state->attachment = at->id;
	state->uid = at->uid;
	state->n_queues = at->n_queues;
	state->rx_size = at->rx_size;
	state->tx_size = at->tx_size;
	state->buf_size = at->buf_size;
	state->n_bufs = at->n_bufs;
	state->headroom = at->headroom;
	state->flags = req->flags;
	state->copies = at->copies;
	state->immutable = at->shm.immutable;
	state->memory = at->memory;
	memcpy(state->label, at->label, sizeof(state->label));
	memcpy(state->dev, at->port->config.dev, sizeof(state->dev));
}

void rn_attachment_lay_out(struct rn_attachment *at, const struct rawnet_req_attach *req,
			   const struct rawnet_queue_desc *desc)
{
	lay_out_rings(at, desc);
	lay_out_counters(at);
	lay_out_state(at, req);
}
