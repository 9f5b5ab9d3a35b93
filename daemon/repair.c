/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What fails while it is served, and what becomes of it. Control thread.
 *
 *   a client broke its ring    its poller stops serving the queue; the client is ended
 *   the device failed a queue  its poller, or the device's news, says so; the backend mends the
 *                              queue, and the client goes on. If it cannot, the client is ended
 *   the device failed          the clients of its port are ended, and new ones are refused. Once
 *                              their attachments are gone the port is opened anew, again and
 *                              again until there is a device; rules that persist are told to it
 *
 * Clients of other ports, and other clients of a port whose device works, notice nothing. The
 * library attaches again by itself after the last two.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "attachment.h"
#include "backend/backend.h"
#include "client.h"
#include "clock.h"
#include "daemon.h"
#include "log.h"

#define REOPEN_USEC 500000u /* between attempts */
#define NEVER_USEC  UINT64_MAX

/* Queues of one user that are set up again, whichever they are: a second each, after so many. What
 * a client does with a queue may be why it fails. */
#define MEND_RATE  1u
#define MEND_BURST 64u

/* ---- queues ---- */

static const char *const fault_text[RAWNET_BYE_COUNT] = {
	[RAWNET_BYE_RING] = "a ring index ran ahead or back, or a chain of slots was not finished",
	[RAWNET_BYE_DEVICE] = "the device failed its queue",
};

static int mend_queue(struct rn_client *c, struct rn_queue *q, struct rn_err *err)
{
	struct rn_usage *u = rn_usage_of(&c->daemon->usages, c->peer.uid);
	struct rn_port *port = q->at->port;
	bool may = u && rn_bucket_offers(&u->mend, MEND_RATE, MEND_BURST, rn_mono_ns());
	int rc = port->backend->queue_mend ? port->backend->queue_mend(port, q, may, err) : -EIO;

	if (may && rc)
		rn_bucket_take(&u->mend, 1);
	return rc;
}

static void mend(struct rn_client *c, struct rn_attachment *at)
{
	struct rn_port *port = at->port;

	for (uint32_t i = 0; i < at->n_queues && !c->dead; i++) {
		struct rn_queue *q = &at->queue[i];
		struct rn_err err = {0};
		int rc;

		/* acquire: sees what made it sick */
		if (!__atomic_exchange_n(&q->sick, 0, __ATOMIC_ACQUIRE) || port->failed)
			continue;
		rc = mend_queue(c, q, &err);
		if (rc > 0)
			rn_warn("client %u (%s), %s: the device failed queue %u, which is set up "
				"again",
				c->id, c->label, port->config.dev, i);
		else if (rc)
			rn_client_end(c, RAWNET_BYE_DEVICE,
				      err.text[0] ? err.text : fault_text[RAWNET_BYE_DEVICE]);
	}
}

static void look_after(struct rn_daemon *d)
{
	struct rn_client *c;

	cds_list_for_each_entry (c, &d->clients, list) {
		uint32_t fault = 0;

		for (uint32_t i = 0; i < c->n_attachments && !fault; i++)
			fault = rn_attachment_fault(c->attachments[i]);
		if (fault)
			rn_client_end(c, fault - 1,
				      fault_text[fault - 1] ? fault_text[fault - 1] : "fault");
		for (uint32_t i = 0; i < c->n_attachments && !c->dead; i++)
			mend(c, c->attachments[i]);
		if (c->dead || c->detaching)
			rn_client_reap_soon(d);
	}
}

int rn_daemon_on_fault(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	uint64_t value;

	(void)source;
	(void)revents;
	(void)!read(fd, &value, sizeof(value));
	look_after(arg);
	return 0;
}

/* ---- devices ---- */

static void tell(const struct rn_served *s, const char *what, const char *text)
{
	rn_event_emit(s->daemon, RAWNET_EVENT_LINK, what, 0, NULL, s->port->config.dev, 0, "%s",
		      text);
}

static void back_again(struct rn_served *s, const struct rn_err *lost)
{
	struct rn_port *port = s->port;

	rn_info("%s: backend %s, %s; served again", port->config.dev, port->backend->name,
		port->mode);
	if (lost->text[0])
		rn_error("%s: %s", port->config.dev, lost->text);
	rn_daemon_load_addresses(port);
	rn_rules_reopen_neigh(s->daemon, s);
	tell(s, port->link_up ? "up" : "down", "opened again");
}

/* 0 once the port is served by a device that is listened to. */
static int open_again(struct rn_served *s, struct rn_err *err)
{
	int rc;

	if (s->port->failed) {
		if (s->port->n_attachments)
			return -EBUSY;
		/* Its descriptor goes with the device. */
		s->device_source = sd_event_source_disable_unref(s->device_source);
		rc = rn_port_reopen(s->port, err);
		if (rc)
			return rc;
		back_again(s, err);
	}
	return rn_daemon_watch_device(s->daemon, s, err);
}

static int on_reopen(sd_event_source *source, uint64_t usec, void *arg)
{
	struct rn_served *s = arg;
	struct rn_err err = {0};
	int rc = open_again(s, &err);

	(void)usec;
	s->given_up = rc != 0;
	if (rc && rc != -EBUSY && !s->reopens++) /* each of the others would say the same */
		rn_warn("%s: is not opened yet: %s", s->port->config.dev, err.text);
	sd_event_source_set_time_relative(source, rc ? REOPEN_USEC : NEVER_USEC);
	return 0;
}

static void end_clients_of(struct rn_daemon *d, const struct rn_port *port)
{
	struct rn_client *c;

	cds_list_for_each_entry (c, &d->clients, list)
		for (uint32_t i = 0; i < c->n_attachments && !c->dead; i++)
			if (c->attachments[i]->port == port)
				rn_client_end(c, RAWNET_BYE_DEVICE,
					      "the device of its port failed");
}

static void give_up(struct rn_served *s)
{
	struct rn_daemon *d = s->daemon;

	rn_error("%s: its device failed: %u attachments end, and it is waited for",
		 s->port->config.dev, s->port->n_attachments);
	tell(s, "failed", "the device failed");
	end_clients_of(d, s->port);
	s->given_up = true;
	s->reopens = 0;
	sd_event_source_set_time_relative(s->reopen_source, REOPEN_USEC);
}

static int on_device(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct rn_served *s = arg;

	(void)fd;
	s->port->backend->events(s->port);
	if (revents & (EPOLLERR | EPOLLHUP)) {
		s->port->failed = true;
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	if (s->port->failed && !s->given_up)
		give_up(s);
	look_after(s->daemon);
	return 0;
}

/* The timer is there before it is needed: when a device has failed nothing more may. */
static int make_timer(struct rn_daemon *d, struct rn_served *s)
{
	int rc;

	if (s->reopen_source)
		return 0;
	rc = sd_event_add_time(d->event, &s->reopen_source, CLOCK_MONOTONIC, NEVER_USEC,
			       REOPEN_USEC / 8, on_reopen, s);
	return rc < 0 ? rc : sd_event_source_set_enabled(s->reopen_source, SD_EVENT_ON);
}

int rn_daemon_watch_device(struct rn_daemon *d, struct rn_served *s, struct rn_err *err)
{
	int rc;

	if (s->port->event_fd < 0 || !s->port->backend->events)
		return 0;
	rc = make_timer(d, s);
	if (rc >= 0)
		rc = sd_event_add_io(d->event, &s->device_source, s->port->event_fd, EPOLLIN,
				     on_device, s);
	return rc < 0 ? rn_fail(err, rc, "events of the device: %s", strerror(-rc)) : 0;
}
