/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See attachment.h. The rings memfd is laid out as: header page, then for each queue the controls
 * of both rings and their slots, then the timestamps; every part on a cache line of RAWNET_LINE.
 */
#include "attachment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "backend/backend.h"
#include "closer.h"
#include "copies.h"
#include "poller.h"
#include "ring.h"
#include "state.h"
#include "steer.h"
#include "tap.h"
#include "tx.h"
#include "waker.h"

#define DEFAULT_SLOTS	 1024u
#define DEFAULT_HEADROOM 128u
#define HEADROOM_MAX	 1024u
#define RINGS_HEADER	 4096u

static uint32_t next_id = 1;

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

static size_t rings_size(const struct rawnet_req_attach *req)
{
	size_t queue = 2 * sizeof(struct rawnet_ring_ctl);

	queue += lines(sizeof(struct rawnet_slot) * req->rx_size);
	queue += lines(sizeof(struct rawnet_slot) * req->tx_size);
	if (req->flags & RAWNET_ATTACH_STAMP)
		queue += lines(sizeof(uint64_t) * req->rx_size);
	return RINGS_HEADER + req->n_queues * queue;
}

static size_t packets_size(const struct rawnet_req_attach *req)
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
	*memory = rings_size(req) + packets_size(req) + sizeof(struct rawnet_counters);
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

/* Where each queue's parts stand; follows from sizes and flags alone. */
static void plan_layout(const struct rn_attachment *at, uint32_t flags,
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

/* ---- queues ---- */

static void grant_queue(struct rn_queue *q, const struct rn_grant *grant, uint32_t n_queues)
{
	__atomic_store_n(&q->weight, grant->weight ? grant->weight : 1, __ATOMIC_RELAXED);
	q->police = q->at->port->config.police && !grant->spoof;
	rn_bucket_set(&q->packets, rn_bucket_share(grant->packet_rate, n_queues), 64);
	rn_bucket_set(&q->bytes, rn_bucket_share(grant->byte_rate, n_queues), 65536 * 2);
	q->limited = grant->packet_rate || grant->byte_rate;
}

static void point_ring(struct rn_ring *r, uint8_t *base, uint32_t ctl, uint32_t slots,
		       uint32_t size)
{
	r->ctl = (void *)(base + ctl);
	r->slots = (void *)(base + slots);
	r->mask = size - 1;
}

/* How many lines of a buffer received packets may begin at, less 1: 0, 1 or 3 (deliver.c). */
static uint32_t starts(const struct rn_attachment *at)
{
	const uint32_t used = at->headroom + at->port->max_frame;
	const uint32_t room = used < at->buf_size ? (at->buf_size - used) / 64 : 0;

	return room >= 3 ? 3 : room >= 1 ? 1 : 0;
}

static void init_queue(struct rn_attachment *at, uint32_t i, uint32_t poller,
		       const struct rawnet_queue_desc *d)
{
	struct rawnet_counters *counters = (void *)at->shm.counters.addr;
	struct rn_state *state = (void *)at->shm.state.addr;
	struct rn_queue *q = &at->queue[i];

	point_ring(&q->rx, at->shm.rings.addr, d->rx_ctl, d->rx_slots, at->rx_size);
	point_ring(&q->tx, at->shm.rings.addr, d->tx_ctl, d->tx_slots, at->tx_size);
	q->stamps = d->rx_stamp ? (void *)(at->shm.rings.addr + d->rx_stamp) : NULL;
	q->mem = at->shm.packets.addr;
	q->mem_size = (uint64_t)at->n_bufs * at->buf_size;
	q->buf_shift = (uint32_t)__builtin_ctz(at->buf_size);
	q->n_bufs = at->n_bufs;
	q->headroom = at->headroom;
	q->starts = starts(at);
	q->count = counters->queue[i].v;
	q->state = &state->queue[i];
	q->at = at;
	q->index = i;
	q->hwq = at->port->tx_hwq[poller];
	q->poller = at->port->poller[poller];
}

/* Spreads the queues over the pollers: queues of one poller stand together. desc is the daemon's
 * own: what stands in shared memory may have been written by the client. */
static void spread_queues(struct rn_attachment *at, const struct rawnet_queue_desc *desc)
{
	struct rawnet_rings *rings = (void *)at->shm.rings.addr;
	uint32_t k, i, n = at->port->n_pollers;

	for (k = 0; k <= n; k++)
		at->first[k] = (uint16_t)(at->n_queues * k / n);
	for (; k <= RN_PORT_POLLERS; k++)
		at->first[k] = (uint16_t)at->n_queues;
	for (k = 0; k < n; k++)
		for (i = at->first[k]; i < at->first[k + 1]; i++) {
			rings->queue[i].poller = k;
			init_queue(at, i, k, &desc[i]);
		}
}

/* The socket that wakes: a byte from either side. STREAM, so that one recv() drains many. */
static int open_wake(struct rn_attachment *at, uint32_t i, struct rn_err *err)
{
	struct rn_queue *q = &at->queue[i];
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return rn_fail(err, -errno, "wake-up socket: %s", strerror(errno));
	q->wake_fd = pair[0];
	at->peer_fd[i] = pair[1];
	rc = rn_waker_open(rn_poller_waker(q->poller), q, err);
	if (rc) {
		close(pair[0]);
		q->wake_fd = -1;
	}
	return rc;
}

/* How many sockets are not closed yet (closer.h): 0 or 1. */
static uint32_t close_wake(struct rn_queue *q)
{
	int fd = q->wake_fd;

	if (fd < 0)
		return 0;
	rn_waker_close(rn_poller_waker(q->poller), q);
	q->wake_fd = -1;
	return !rn_closer_close(fd, q->at->uid,
				q->at->charged ? RN_CLOSER_QUEUE : RN_CLOSER_NOTHING);
}

static int open_queues(struct rn_attachment *at, struct rn_err *err)
{
	const struct rn_backend *be = at->port->backend;
	int rc = 0;

	for (uint32_t i = 0; i < at->n_queues && !rc; i++) {
		rc = open_wake(at, i, err);
		if (!rc && be->queue_create)
			rc = be->queue_create(at->port, &at->queue[i], err);
	}
	return rc;
}

static int join_pollers(struct rn_attachment *at, struct rn_err *err)
{
	struct rn_queue *queues[RAWNET_QUEUES_MAX];

	for (uint32_t k = 0; k < at->port->n_pollers; k++) {
		uint32_t n = 0;
		int rc;

		for (uint32_t i = at->first[k]; i < at->first[k + 1]; i++)
			queues[n++] = &at->queue[i];
		rc = rn_poller_add_queues(at->port->poller[k], queues, n);
		if (rc) {
			while (k-- > 0)
				rn_poller_remove_attachment(at->port->poller[k], at);
			synchronize_rcu();
			return rn_fail(err, rc, "poller: %s", strerror(-rc));
		}
	}
	/* A poller in the middle of a turn has the set from before. It must not meet these queues,
	 * by a rule, a copy or a tap, until its next turn. */
	synchronize_rcu();
	return 0;
}

/* ---- copies ---- */

static void free_subscribers(struct rn_subscribers *old)
{
	if (!old)
		return;
	synchronize_rcu();
	free(old);
}

/* Publishes who gets copies, without `without`. -ENOMEM leaves things as they are. */
static int publish_subscribers(struct rn_port *port, const struct rn_attachment *without)
{
	struct rn_subscribers *old = port->subscribers, *set;
	struct rn_attachment *at;
	uint32_t n = 0;

	cds_list_for_each_entry (at, &port->attachments, list)
		n += at->copies && at != without;
	set = malloc(sizeof(*set) + n * sizeof(set->at[0]));
	if (!set)
		return -ENOMEM;
	set->n = 0;
	cds_list_for_each_entry (at, &port->attachments, list)
		if (at->copies && at != without)
			set->at[set->n++] = at;
	rcu_assign_pointer(port->subscribers, set);
	free_subscribers(old);
	return 0;
}

static bool wanted(const struct rn_port *port)
{
	return port->subscribers && port->subscribers->n;
}

static int start_copies(struct rn_port *port, struct rn_err *err)
{
	struct rn_copies *copies;
	int rc;

	if (port->copies)
		return 0;
	rc = rn_copies_open(port, &copies, err);
	if (rc)
		return rc;
	rc = rn_poller_watch(port->poller[0], rn_copies_fd(copies));
	if (rc) {
		rn_copies_close(copies);
		return rn_fail(err, rc, "copies: %s", strerror(-rc));
	}
	rcu_assign_pointer(port->copies, copies);
	rn_poller_poke(port->poller[0]);
	return 0;
}

static void stop_copies(struct rn_port *port)
{
	struct rn_copies *copies = port->copies;

	if (!copies)
		return;
	rcu_assign_pointer(port->copies, NULL);
	rn_poller_unwatch(port->poller[0], rn_copies_fd(copies));
	synchronize_rcu();
	rn_copies_close(copies);
}

/* The attachment leaves: memory may be out, then the old set stays but for its own entry. */
static void drop_copies(struct rn_attachment *at)
{
	struct rn_subscribers *set = at->port->subscribers;

	if (!at->copies)
		return;
	if (publish_subscribers(at->port, at) < 0) {
		uint32_t n = 0;

		stop_copies(at->port); /* nobody reads the set now */
		for (uint32_t i = 0; set && i < set->n; i++)
			if (set->at[i] != at)
				set->at[n++] = set->at[i];
		if (set)
			set->n = n;
	}
	__atomic_store_n(&at->copies, 0, __ATOMIC_RELAXED);
	if (!wanted(at->port))
		stop_copies(at->port);
	else
		start_copies(at->port, NULL);
}

int rn_attachment_set_copies(struct rn_attachment *at, uint32_t copies, struct rn_err *err)
{
	uint32_t before = at->copies;
	int rc;

	if (copies & ~RAWNET_COPY_KNOWN)
		return rn_fail(err, -EINVAL, "copies 0x%x: unknown bits", copies);
	if (copies && !at->port->backend->offers_netdev)
		return rn_fail(err, -EOPNOTSUPP, "copies: %s is not a Linux interface",
			       at->port->config.dev);
	__atomic_store_n(&at->copies, copies, __ATOMIC_RELAXED); /* a poller may read it */
	rc = publish_subscribers(at->port, NULL);
	if (!rc && copies)
		rc = start_copies(at->port, err);
	if (rc) {
		if (!before)
			drop_copies(at);
		__atomic_store_n(&at->copies, before, __ATOMIC_RELAXED);
		return rc == -ENOMEM ? rn_fail(err, rc, "copies: out of memory") : rc;
	}
	if (!wanted(at->port))
		stop_copies(at->port);
	((struct rn_state *)(void *)at->shm.state.addr)->copies = copies;
	return 0;
}

/* ---- life ---- */

static struct rn_attachment *allocate(struct rn_port *port, const struct rawnet_req_attach *req,
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
	int rc = rn_shm_create(&at->shm, rings_size(req), packets_size(req),
			       sizeof(struct rawnet_counters), sizeof(struct rn_state), huge, err);

	if (rc)
		return rc;
	if (!at->shm.immutable && grant->uid != 0 && !at->port->config.allow_mutable_memory)
		return rn_fail(err, -EPERM,
			       "%s: shared memory cannot be made immutable here (FS_IMMUTABLE_FL); "
			       "allow_mutable_memory would serve clients all the same",
			       at->port->config.dev);
	at->memory = rings_size(req) + packets_size(req) + sizeof(struct rawnet_counters);
	plan_layout(at, req->flags, desc);
	lay_out_rings(at, desc);
	lay_out_counters(at);
	lay_out_state(at, req);
	spread_queues(at, desc);
	return 0;
}

int rn_attachment_create(struct rn_port *port, const struct rawnet_req_attach *req,
			 const struct rn_grant *grant, struct rn_attachment **out,
			 struct rn_err *err)
{
	struct rn_attachment *at = allocate(port, req, grant);
	int rc;

	if (!at)
		return rn_fail(err, -ENOMEM, "attachment: out of memory");
	rc = make_memory(at, req, grant, err);
	if (rc)
		goto free_it;
	for (uint32_t i = 0; i < at->n_queues; i++)
		grant_queue(&at->queue[i], grant, at->n_queues);
	rc = open_queues(at, err);
	if (!rc)
		rc = join_pollers(at, err);
	if (rc)
		goto free_it;
	cds_list_add_tail(&at->list, &port->attachments);
	port->n_attachments++;
	if (req->copies)
		rc = rn_attachment_set_copies(at, req->copies, err);
	if (rc) {
		rn_attachment_retire(at, NULL, NULL);
		synchronize_rcu(); /* its queues were in the pollers' sets */
		goto free_it;
	}
	rn_steer_arrive(port->steer, at, at->uid, at->label);
	*out = at;
	return 0;

free_it:
	rn_attachment_free(at);
	return rc;
}

/* ---- adopting one of the last daemon ---- */

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
		q->tx_segment = q->state->tx_segment;
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
	return join_pollers(at, err);
}

/* The attachment, or NULL: the descriptors of its memory are still the caller's. */
static struct rn_attachment *begin_adopting(struct rn_port *port, const struct rn_adopted *from,
					    const struct rawnet_req_attach *req,
					    const struct rn_grant *grant, struct rn_err *err)
{
	struct rn_attachment *at = NULL;

	if (from->state->n_queues < port->n_pollers)
		rn_fail(err, -EINVAL, "%s has more pollers than it has queues", port->config.dev);
	/* A copy takes a buffer out of turn, so the slots do not name what the device had. */
	else if (port->backend->queue_create && req->copies)
		rn_fail(err, -EOPNOTSUPP, "%s: its device lost track of buffers for copies",
			port->config.dev);
	else if (!(at = allocate(port, req, grant)))
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
	rc = rn_shm_adopt(&at->shm, from->fds, rings_size(&req), packets_size(&req),
			  sizeof(struct rawnet_counters), sizeof(struct rn_state), err);
	if (rc) {
		rn_attachment_free(at);
		return rc;
	}
	at->shm.immutable = from->state->immutable;
	plan_layout(at, req.flags, desc);
	spread_queues(at, desc);
	for (uint32_t i = 0; i < at->n_queues; i++)
		grant_queue(&at->queue[i], grant, at->n_queues);
	rc = resume_queues(at, from, err);
	if (rc) {
		for (uint32_t k = 0; k < port->n_pollers; k++)
			rn_poller_remove_attachment(port->poller[k], at);
		synchronize_rcu();
		rn_attachment_free(at);
		return rc;
	}
	cds_list_add_tail(&at->list, &port->attachments);
	port->n_attachments++;
	if (req.copies && rn_attachment_set_copies(at, req.copies, err))
		at->copies = 0;
	*out = at;
	return 0;
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

void rn_attachment_retire(struct rn_attachment *at, void (*gone)(void *arg, struct rn_rule *rule),
			  void *arg)
{
	if (at->retired)
		return;
	at->retired = true;
	rn_steer_leave(at->port->steer, at, gone, arg);
	rn_police_changed();
	drop_copies(at);
	rn_tap_drop(at);
	for (uint32_t k = 0; k < at->port->n_pollers; k++)
		rn_poller_remove_attachment(at->port->poller[k], at);
	cds_list_del(&at->list);
	at->port->n_attachments--;
}

uint32_t rn_attachment_free(struct rn_attachment *at)
{
	const struct rn_backend *be = at->port->backend;
	uint32_t open = 0;

	for (uint32_t i = 0; i < at->n_queues; i++) {
		if (be->queue_destroy && at->queue[i].hw)
			be->queue_destroy(at->port, &at->queue[i]);
		open += close_wake(&at->queue[i]);
	}
	rn_attachment_sent(at);
	rn_shm_destroy(&at->shm);
	free(at->free_index);
	free(at->queue);
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

void rn_attachment_regrant(struct rn_attachment *at, const struct rn_grant *grant)
{
	/* Pollers may see some members old and some new for a moment: both were granted. */
	for (uint32_t i = 0; i < at->n_queues; i++)
		grant_queue(&at->queue[i], grant, at->n_queues);
}
