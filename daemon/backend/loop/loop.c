/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop backend: a port without a NIC, for tests and benchmarks. What a client sends goes
 *   peer     to another loop port, as if by a cable (the two must name the same pollers, so that
 *            a frame never changes threads and needs no queue);
 *   reflect  back to the port itself;
 *   sink     nowhere: it was read, checked and copied like any other;
 *   pcap_out into a capture file, besides any of these.
 * pcap_in is a source: its frames arrive as fast as the poller turns, from the first rule on (an
 * eventfd stands for the interrupt of a sleeping poller).
 *
 * Frames are classified in the daemon by the reference classifier. There is no kernel behind a loop
 * port: what no rule takes is counted as unmatched and dropped.
 *
 * One hardware queue for each poller: queue i of a port is served by the same poller as queue i of
 * its peer. The peer's pointer is published with RCU and withdrawn before the peer is freed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "../backend.h"
#include "capture.h"

#define DEFAULT_MTU 1500u
#define MTU_MAX	    9216u

struct loop_port {
	struct rn_port *port;
	struct rn_port *peer; /* RCU; NULL: none, or not there yet */
	struct rn_capture *in, *out;
	uint32_t n_rules; /* the source waits for the first; control writes, pollers read */
	struct cds_list_head list;
};

struct loop_queue {
	struct rn_hwq hwq;
	uint32_t cursor; /* of the source */
	uint8_t frame[MTU_MAX + 64];
};

static CDS_LIST_HEAD(loops); /* open loop ports; control thread */

static struct loop_queue *queue_of(struct rn_hwq *hwq)
{
	return caa_container_of(hwq, struct loop_queue, hwq);
}

/* ---- control thread ---- */

static int loop_probe(const struct rn_port_config *config, struct rn_err *why)
{
	if (strcmp(config->backend, rn_backend_loop.name))
		return rn_fail(why, -ENODEV, "%s: loop ports are asked for by name", config->dev);
	if (config->mtu > MTU_MAX)
		return rn_fail(why, -EINVAL, "%s: mtu %u: at most %u", config->dev, config->mtu,
			       MTU_MAX);
	if (!strcmp(config->peer, config->dev))
		return rn_fail(why, -EINVAL, "%s: a port is no peer of its own, use reflect",
			       config->dev);
	return 0;
}

static void loop_plan(const struct rn_port_config *config, FILE *out)
{
	fprintf(out, "%s: loop: makes a port without an interface", config->dev);
	if (config->peer[0])
		fprintf(out, ", wired to %s", config->peer);
	if (config->reflect)
		fprintf(out, ", reflecting");
	fprintf(out, "; nothing else changes\n");
}

static struct loop_port *find_loop(const char *dev)
{
	struct loop_port *l;

	cds_list_for_each_entry (l, &loops, list)
		if (!strcmp(l->port->config.dev, dev))
			return l;
	return NULL;
}

/* A locally administered address that follows from the name, so that tests can rely on it. */
static void derive_mac(const char *dev, uint8_t mac[6])
{
	uint32_t h = 2166136261u;

	for (; *dev; dev++)
		h = (h ^ (uint8_t)*dev) * 16777619u;
	mac[0] = 0x02;
	mac[1] = 0x52;
	for (int i = 0; i < 4; i++)
		mac[2 + i] = (uint8_t)(h >> (24 - 8 * i));
}

static void fill_port(struct rn_port *port)
{
	port->mtu = port->config.mtu ? port->config.mtu : DEFAULT_MTU;
	port->max_frame = port->mtu + 18;
	derive_mac(port->config.dev, port->mac);
	port->link_up = true;
	snprintf(port->mode, sizeof(port->mode), "loop: %s",
		 port->config.peer[0]	? port->config.peer
		 : port->config.reflect ? "reflects"
					: "sink");
}

static int open_captures(struct loop_port *l, struct rn_err *err)
{
	const struct rn_port_config *config = &l->port->config;
	int rc = 0;

	if (config->pcap_in)
		rc = rn_capture_load(config->pcap_in, l->port->max_frame, &l->in, err);
	if (!rc && config->pcap_out)
		rc = rn_capture_create(config->pcap_out, &l->out, err);
	return rc;
}

static void loop_free(struct loop_port *l)
{
	rn_capture_close(l->in);
	rn_capture_close(l->out);
	if (l->port->n_hwq && l->port->hwq[0]->fd >= 0)
		close(l->port->hwq[0]->fd);
	for (uint32_t i = 0; i < l->port->n_hwq; i++)
		free(queue_of(l->port->hwq[i]));
	l->port->n_hwq = 0;
	free(l);
}

static int check_peer(const struct rn_port *port, struct rn_err *err)
{
	const struct loop_port *other = find_loop(port->config.peer);

	if (find_loop(port->config.dev))
		return rn_fail(err, -EEXIST, "%s: this loop port is open already",
			       port->config.dev);
	if (other && (other->port->config.n_pollers != port->config.n_pollers ||
		      memcmp(other->port->config.pollers, port->config.pollers,
			     port->config.n_pollers * sizeof(port->config.pollers[0]))))
		return rn_fail(err, -EINVAL, "%s: peer %s has other pollers", port->config.dev,
			       port->config.peer);
	return 0;
}

static int loop_open(struct rn_port *port, struct rn_err *err)
{
	struct loop_port *l;
	int rc = check_peer(port, err), fd = -1;

	if (rc)
		return rc;
	l = calloc(1, sizeof(*l));
	if (!l)
		return rn_fail(err, -ENOMEM, "%s: out of memory", port->config.dev);
	l->port = port;
	fill_port(port);
	rc = open_captures(l, err);
	if (!rc && l->in && (fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		rc = rn_fail(err, -errno, "%s: eventfd", port->config.dev);
	for (uint32_t i = 0; !rc && i < port->config.n_pollers; i++) {
		struct loop_queue *lq = aligned_alloc(64, (sizeof(*lq) + 63) / 64 * 64);

		if (!lq) {
			rc = rn_fail(err, -ENOMEM, "%s: out of memory", port->config.dev);
			break;
		}
		memset(lq, 0, sizeof(*lq));
		lq->hwq.port = port;
		lq->hwq.index = i;
		lq->hwq.fd = i ? -1 : fd;
		lq->hwq.silent = i || !l->in;
		port->hwq[port->n_hwq++] = &lq->hwq;
	}
	if (rc) {
		if (!port->n_hwq && fd >= 0)
			close(fd);
		loop_free(l);
		return rc;
	}
	port->backend_data = l;
	CDS_INIT_LIST_HEAD(&l->list);
	return 0;
}

/* Both ends are complete: they may see each other. */
static void loop_start(struct rn_port *port)
{
	struct loop_port *l = port->backend_data;
	struct loop_port *other = port->config.peer[0] ? find_loop(port->config.peer) : NULL;

	cds_list_add_tail(&l->list, &loops);
	if (port->config.reflect)
		rcu_assign_pointer(l->peer, port);
	if (!other || strcmp(other->port->config.peer, port->config.dev))
		return;
	rcu_assign_pointer(l->peer, other->port);
	rcu_assign_pointer(other->peer, port);
}

static void loop_close(struct rn_port *port)
{
	struct loop_port *l = port->backend_data, *other;

	cds_list_del(&l->list);
	cds_list_for_each_entry (other, &loops, list)
		if (other->peer == port)
			rcu_assign_pointer(other->peer, NULL);
	synchronize_rcu();
	loop_free(l);
}

static int loop_add(void *ctx, struct rn_rule *rule, struct rn_err *err)
{
	struct loop_port *l = ((struct rn_port *)ctx)->backend_data;

	(void)rule;
	(void)err;
	__atomic_store_n(&l->n_rules, l->n_rules + 1, __ATOMIC_RELEASE);
	if (l->in)
		eventfd_write(l->port->hwq[0]->fd, 1); /* the source's poller may sleep */
	return 0;
}

static void loop_del(void *ctx, struct rn_rule *rule)
{
	struct loop_port *l = ((struct rn_port *)ctx)->backend_data;

	(void)rule;
	__atomic_store_n(&l->n_rules, l->n_rules - 1, __ATOMIC_RELEASE);
}

static const struct rn_steer_ops loop_steer = {.add = loop_add, .del = loop_del};

/* ---- poller ---- */

/* Frames of the source that a rule waits for: what hwq 0 has to do. */
static bool source_has_more(const struct loop_queue *lq)
{
	const struct loop_port *l = lq->hwq.port->backend_data;

	return l->in && !lq->hwq.index && __atomic_load_n(&l->n_rules, __ATOMIC_ACQUIRE) &&
	       (lq->cursor < rn_capture_count(l->in) || lq->hwq.port->config.pcap_repeat);
}

/* The eventfd first: a rule that comes after it was read writes it again. */
static int loop_arm(struct rn_hwq *hwq)
{
	eventfd_t n;

	if (hwq->fd >= 0)
		eventfd_read(hwq->fd, &n);
	return source_has_more(queue_of(hwq));
}

static unsigned loop_rx(struct rn_hwq *hwq, unsigned budget)
{
	struct loop_queue *lq = queue_of(hwq);
	const struct rn_capture *in = ((struct loop_port *)hwq->port->backend_data)->in;
	struct rn_capture_frames all;
	unsigned n = 0;
	struct rn_burst burst;
	uint32_t frames;

	if (!source_has_more(lq))
		return 0;
	frames = rn_capture_count(in);
	all = rn_capture_frames(in);
	rn_burst_begin(&burst, hwq);
	for (; n < budget; n++) {
		size_t at, end;

		if (lq->cursor == frames && !hwq->port->config.pcap_repeat)
			break;
		if (lq->cursor == frames)
			lq->cursor = 0;
		at = all.start[lq->cursor++];
		end = all.start[lq->cursor];
		rn_burst_frame(&burst, all.bytes + at, (uint32_t)(end - at));
	}
	rn_burst_end(&burst);
	return n;
}

static uint8_t *loop_tx_reserve(struct rn_hwq *hwq)
{
	return queue_of(hwq)->frame;
}

static void loop_tx_submit(struct rn_hwq *hwq, uint32_t len)
{
	struct loop_queue *lq = queue_of(hwq);
	struct loop_port *l = hwq->port->backend_data;
	struct rn_port *peer = rcu_dereference(l->peer);
	uint64_t *v = hwq->counters->v;

	__atomic_store_n(&v[RAWNET_P_TX_PACKETS], v[RAWNET_P_TX_PACKETS] + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&v[RAWNET_P_TX_BYTES], v[RAWNET_P_TX_BYTES] + len, __ATOMIC_RELAXED);
	if (l->out)
		rn_capture_write(l->out, lq->frame, len);
	if (peer) {
		struct rn_frame f;

		rn_frame_init(&f, lq->frame, len);
		rn_deliver_classified(peer->hwq[hwq->index], &f);
	}
}

const struct rn_backend rn_backend_loop = {
	.name = "loop",
	.probe = loop_probe,
	.plan = loop_plan,
	.open = loop_open,
	.start = loop_start,
	.close = loop_close,
	.steer = &loop_steer,
	.arm = loop_arm,
	.rx = loop_rx,
	.tx_reserve = loop_tx_reserve,
	.tx_submit = loop_tx_submit,
};
