/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data path of the xdp backend: AF_XDP rings to clients and back. A received frame is looked at
 * where the kernel put it, copied once by rn_deliver, and its chunk goes back to the fill ring in
 * the same burst. Poller only; a queue whose interface is gone has no socket and does nothing.
 */
#include <string.h>
#include <sys/socket.h>
#include <urcu-qsbr.h>

#include "key.h"
#include "shared.h"
#include "xdp.h"

#define RN_XDP_FRAME_PARTS 8u
#define FETCH_AHEAD	   2u

/* ---- receive ---- */

/* How many of the n descriptors at `at` make the first frame; 0: its end is not there yet. */
static uint32_t frame_parts(const struct rn_xsk *x, uint32_t at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!(xsk_ring_cons__rx_desc(&x->rx, at + i)->options & XDP_PKT_CONTD))
			return i + 1;
	return 0;
}

/* False: of more pieces than a frame of this port can have. */
static bool describe(struct xdp_queue *xq, struct rn_xsk *x, uint32_t at, uint32_t parts,
		     struct rn_frame *f)
{
	if (parts > RN_XDP_FRAME_PARTS)
		return false;
	f->n_pieces = parts;
	f->len = 0;
	f->tci = -1;
	f->flags = 0;
	f->completed = false;
	f->stamp = 0;
	for (uint32_t i = 0; i < parts; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&x->rx, at + i);

		f->piece[i].data = x->umem + d->addr;
		f->piece[i].len = d->len;
		f->len += d->len;
	}
	if (f->len > UINT16_MAX)
		return false;
	if (xq->local && parts > 1) {
		uint8_t *to = xq->scratch;

		for (uint32_t i = 0; i < parts; i++) {
			memcpy(to, f->piece[i].data, f->piece[i].len);
			to += f->piece[i].len;
		}
		f->piece[0].data = xq->scratch;
		f->piece[0].len = f->len;
		f->n_pieces = 1;
	}
	return true;
}

/* The program's verdict stands in front of the frame. It is wiped, so that a later frame in the
 * same chunk whose driver takes no metadata cannot be given this one's rule. */
static bool take_verdict(const struct xdp_queue *xq, uint8_t *data, uint32_t *handle)
{
	struct rn_xdp_verdict v;

	memcpy(&v, data - sizeof(v), sizeof(v));
	if (v.cookie != xq->cookie)
		return false;
	memset(data - sizeof(v), 0, sizeof(v));
	*handle = v.handle;
	return true;
}

static const struct rn_rule *classify(const struct rn_port *port, const uint8_t *data, uint32_t len)
{
	struct rn_headers headers;
	struct rn_key key;

	rn_key_parse(data, len, -1, &key, &headers);
	return rn_steer_classify(port->steer, &key, headers.flags);
}

/* A frame of one chunk, as nearly all are. */
static void take_chunk(struct xdp_queue *xq, struct rn_burst *b, uint8_t *data, uint32_t len,
		       const struct rn_rule *rule)
{
	struct rn_frame f;

	if (!xq->local || !rn_offload_complete(data, len)) {
		rn_burst_ruled(b, rule, data, len);
		return;
	}
	rn_frame_init(&f, data, len);
	f.completed = true;
	rn_deliver(&xq->hwq, rule, &f);
}

static void take_chunks(struct xdp_queue *xq, struct rn_xsk *x, uint32_t at, uint32_t parts,
			const struct rn_rule *rule)
{
	struct rn_frame f;

	if (!describe(xq, x, at, parts, &f)) {
		rn_count_port(&xq->hwq, RAWNET_P_RX_DROP_LONG, 1);
		return;
	}
	if (xq->local)
		f.completed =
			rn_offload_complete((uint8_t *)(uintptr_t)f.piece[0].data, f.piece[0].len);
	rn_deliver(&xq->hwq, rule, &f);
}

static void take_frame(struct xdp_queue *xq, struct rn_xsk *x, struct rn_burst *b, uint32_t at,
		       uint32_t parts)
{
	const struct xdp_desc *d = xsk_ring_cons__rx_desc(&x->rx, at);
	const struct rn_steer *steer = xq->hwq.port->steer;
	uint8_t *data = x->umem + d->addr;
	const struct rn_rule *rule;
	uint32_t handle;

	rule = take_verdict(xq, data, &handle) ? rn_steer_handle(steer, handle)
					       : classify(xq->hwq.port, data, d->len);
	if (!rule)
		rn_count_port(&xq->hwq, RAWNET_P_RX_DROP_STALE, 1);
	else if (parts == 1)
		take_chunk(xq, b, data, d->len, rule);
	else
		take_chunks(xq, x, at, parts, rule);
}

/* The verdict and what is looked at of a short frame stand in two adjacent lines, wherever the
 * frame begins (socket.c). */
static void fetch(const struct rn_xsk *x, uint32_t at)
{
	const uint8_t *front =
		x->umem + xsk_ring_cons__rx_desc(&x->rx, at)->addr - sizeof(struct rn_xdp_verdict);

	__builtin_prefetch(front);
	__builtin_prefetch(front + 64);
}

unsigned rn_xdp_rx(struct rn_hwq *hwq, unsigned budget)
{
	struct xdp_queue *xq = xdp_queue_of(hwq);
	struct rn_xsk *x = rcu_dereference(xq->xsk);
	uint32_t at, n, done = 0, parts;
	struct rn_burst burst;
	unsigned frames = 0;

	if (!x)
		return 0;
	if (budget < RN_XDP_FRAME_PARTS)
		budget = RN_XDP_FRAME_PARTS;
	n = xsk_ring_cons__peek(&x->rx, budget, &at);
	if (!n) {
		if (xsk_ring_prod__needs_wakeup(&x->fill)) {
			recvfrom(x->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
			rn_count_port(hwq, RAWNET_P_RX_KICKS, 1);
		}
		return 0;
	}
	rn_burst_begin(&burst, hwq);
	for (; done < n && (parts = frame_parts(x, at + done, n - done)); done += parts) {
		if (done + FETCH_AHEAD < n)
			fetch(x, at + done + FETCH_AHEAD);
		take_frame(xq, x, &burst, at + done, parts);
		frames++;
	}
	rn_burst_end(&burst);
	if (!done) { /* longer than the budget: no frame of ours is */
		rn_count_port(hwq, RAWNET_P_RX_DROP_LONG, 1);
		done = n;
	}
	if (done < n)
		xsk_ring_cons__cancel(&x->rx, n - done);
	x->rx_at = at;
	x->rx_taken = done;
	return frames;
}

/* The clients can see their frames: the chunks go back to the kernel. Not before, so that a daemon
 * that dies in between leaves the frames in the rx ring to the next one; and out of the rx ring
 * first, so that no chunk is ever in both rings. */
void rn_xdp_done(struct rn_hwq *hwq)
{
	struct rn_xsk *x = rcu_dereference(xdp_queue_of(hwq)->xsk);
	uint32_t n = x ? x->rx_taken : 0, to = 0;

	if (!n)
		return;
	xsk_ring_prod__reserve(&x->fill, n, &to);
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&x->fill, to + i) =
			xsk_ring_cons__rx_desc(&x->rx, x->rx_at + i)->addr & x->chunk_mask;
	xsk_ring_cons__release(&x->rx, n);
	xsk_ring_prod__submit(&x->fill, n);
	x->rx_taken = 0;
}

/* ---- transmit ---- */

uint8_t *rn_xdp_tx_reserve(struct rn_hwq *hwq)
{
	struct rn_xsk *x = rcu_dereference(xdp_queue_of(hwq)->xsk);

	return x ? rn_xsk_reserve(x) : NULL;
}

void rn_xdp_tx_submit(struct rn_hwq *hwq, uint32_t len)
{
	rn_xsk_submit(xdp_queue_of(hwq)->xsk, len);
	hwq->kick = true;
	rn_count_port(hwq, RAWNET_P_TX_PACKETS, 1);
	rn_count_port(hwq, RAWNET_P_TX_BYTES, len);
}

void rn_xdp_flush(struct rn_hwq *hwq)
{
	struct rn_xsk *x;
	unsigned calls;

	if (!hwq->kick)
		return;
	x = rcu_dereference(xdp_queue_of(hwq)->xsk);
	hwq->kick = false;
	if (!x)
		return;
	calls = rn_xsk_kick(x, &hwq->kick);
	if (calls)
		rn_count_port(hwq, RAWNET_P_TX_KICKS, calls);
}

int rn_xdp_arm(struct rn_hwq *hwq)
{
	const struct rn_xsk *x = rcu_dereference(xdp_queue_of(hwq)->xsk);

	if (!x)
		return 0;
	return hwq->kick || __atomic_load_n(x->rx.producer, __ATOMIC_ACQUIRE) != x->rx.cached_cons;
}
