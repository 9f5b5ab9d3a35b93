/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request ROUTE. What it makes the kernel send and remember is bounded in rate, for each user
 * and for all together: an address that nobody has is remembered for some three seconds, and the
 * kernel's table has room for 1,024 (gc_thresh3), so whoever asks for a whole prefix does not fill
 * it. The kernel is asked by another thread (asker.h), and for so long and no longer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "asker.h"
#include "client.h"
#include "clock.h"
#include "daemon.h"
#include "messages.h"
#include "route.h"

#define USER_RATE    50u /* resolutions a second */
#define USER_BURST   64u
#define DAEMON_RATE  200u
#define DAEMON_BURST 256u
#define PATIENCE_S   4u /* less than a client's, which is 5 unless it says otherwise */

struct question {
	struct rn_question q;
	struct rn_daemon *daemon;
	struct rawnet_hdr request;
	sd_event_source *timer;
	bool paid; /* a resolution was taken of both budgets */
	/* the asker's, from put to done */
	struct rn_route_from from;
	uint8_t family, dst[16];
	struct rn_route_terms terms;
	struct rawnet_rep_route rep;
	struct rn_err err;
	int rc;
};

static void ask(struct rn_question *question)
{
	struct question *q = caa_container_of(question, struct question, q);

	q->rc = rn_route_find(&q->from, q->family, q->dst, &q->terms, &q->rep, &q->err);
}

/* ---- budgets ---- */

static bool pay(struct rn_daemon *d, struct rn_usage *u)
{
	const uint64_t now = rn_mono_ns();

	if (!rn_bucket_offers(&u->resolve, USER_RATE, USER_BURST, now) ||
	    !rn_bucket_offers(&d->resolve, DAEMON_RATE, DAEMON_BURST, now))
		return false;
	rn_bucket_take(&u->resolve, 1);
	rn_bucket_take(&d->resolve, 1);
	return true;
}

/* The kernel was not told to resolve anything. Who left meanwhile has paid for it. */
static void pay_back(struct question *q)
{
	const struct rn_client *c = q->q.client;
	struct rn_usage *u = c ? rn_usage_of(&q->daemon->usages, c->peer.uid) : NULL;

	if (!q->paid || (q->terms.resolve && !q->rc))
		return;
	rn_bucket_give(&q->daemon->resolve, 1);
	if (u)
		rn_bucket_give(&u->resolve, 1);
}

/* ---- the answer ---- */

static void done(struct rn_question *question)
{
	struct question *q = caa_container_of(question, struct question, q);

	pay_back(q);
	if (question->client)
		rn_messages_answer(question->client, &q->request, q->rc, &q->rep.hdr, q->err.text);
	sd_event_source_disable_unref(q->timer);
	free(q);
}

static int too_late(sd_event_source *source, uint64_t usec, void *arg)
{
	struct question *q = arg;
	struct rn_client *c = q->q.client;
	const struct rawnet_hdr request = q->request;
	char text[INET6_ADDRSTRLEN];
	struct rn_err err;

	(void)source;
	(void)usec;
	inet_ntop(q->family == 4 ? AF_INET : AF_INET6, q->dst, text, sizeof(text));
	rn_fail(&err, -ETIMEDOUT, "dst %s: the kernel has not answered for %u s", text, PATIENCE_S);
	rn_asker_leave(q->daemon->asker, &q->q); /* q may be gone */
	rn_messages_answer(c, &request, err.code, NULL, err.text);
	return 0;
}

/* ---- the request ---- */

static int check(const struct rawnet_req_route *req, const struct rn_port *port, struct rn_err *err)
{
	if (req->family != 4 && req->family != 6)
		return rn_fail(err, -EINVAL, "family %u: neither 4 nor 6", req->family);
	if (req->reserved[0] || req->reserved[1] || req->reserved[2])
		return rn_fail(err, -EINVAL, "reserved: not zero");
	if (!port->present)
		return rn_fail(err, -ENODEV, "dev %s: the interface is gone", port->config.dev);
	if (!port->ifindex)
		return rn_fail(err, -EOPNOTSUPP,
			       "dev %s: not an interface of Linux, which has no routes for it",
			       port->config.dev);
	return 0;
}

static struct question *make(const struct rn_request *r, const struct rn_port *port)
{
	const struct rawnet_req_route *req = r->req;
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->q = (struct rn_question) {.ask = ask, .done = done, .client = r->client};
	q->daemon = r->client->daemon;
	q->rc = -ECANCELED; /* until it is asked */
	q->request = req->hdr;
	q->rep.hdr = *(const struct rawnet_hdr *)r->rep;
	memcpy(q->from.dev, port->config.dev, sizeof(q->from.dev));
	q->from.ifindex = port->ifindex;
	q->from.mtu = port->mtu;
	memcpy(q->from.mac, port->mac, sizeof(q->from.mac));
	q->from.local = port->config.local_switching;
	q->from.steer = port->steer;
	q->family = req->family;
	memcpy(q->dst, req->dst, sizeof(q->dst));
	if (sd_event_add_time_relative(q->daemon->event, &q->timer, CLOCK_MONOTONIC,
				       PATIENCE_S * 1000000u, 10000, too_late, q) < 0) {
		free(q);
		return NULL;
	}
	return q;
}

int rn_handle_ROUTE(struct rn_request *r)
{
	const struct rawnet_req_route *req = r->req;
	struct rn_client *c = r->client;
	struct rn_daemon *d = c->daemon;
	struct rn_usage *usage = rn_usage_of(&d->usages, c->peer.uid);
	struct rn_served *s = rn_daemon_find_port(d, req->dev, r->err);
	struct question *q;
	int rc;

	if (!s)
		return -ENODEV;
	rc = rn_policy_attach(d->config, &c->peer, s->port->config.dev, r->err);
	if (!rc)
		rc = check(req, s->port, r->err);
	if (rc)
		return rc;
	q = usage ? make(r, s->port) : NULL;
	if (!q)
		return rn_fail(r->err, -ENOMEM, "route: out of memory");
	q->paid = pay(d, usage);
	q->terms.resolve = q->paid;
	q->terms.names = rn_policy_may_watch(d->config, &c->peer);
	c->asked = &q->q;
	rn_asker_put(d->asker, &q->q);
	return RN_LATER;
}
