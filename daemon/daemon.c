/* SPDX-License-Identifier: BSD-2-Clause */
/* See daemon.h: starting, serving, stopping. */
#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "adopt.h"
#include "asker.h"
#include "backend/backend.h"
#include "client.h"
#include "clock.h"
#include "closer.h"
#include "isolate.h"
#include "journal.h"
#include "listen.h"
#include "log.h"
#include "poller.h"
#include "store.h"
#include "waker.h"

struct rn_served *rn_daemon_port(const struct rn_daemon *d, const char *dev)
{
	for (uint32_t i = 0; i < d->n_served; i++)
		if (!strcmp(d->served[i].port->config.dev, dev))
			return &d->served[i];
	return NULL;
}

struct rn_served *rn_daemon_find_port(const struct rn_daemon *d, const char dev[RAWNET_DEV],
				      struct rn_err *err)
{
	struct rn_served *s = memchr(dev, 0, RAWNET_DEV) ? rn_daemon_port(d, dev) : NULL;
	char names[128] = "";
	size_t n = 0;

	if (s)
		return s;
	for (uint32_t i = 0; i < d->n_served && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "",
				      d->served[i].port->config.dev);
	rn_fail(err, -ENODEV, "dev \"%.15s\": not a port of this daemon, which has %s", dev,
		n ? names : "none");
	return NULL;
}

struct rn_rule *rn_daemon_rule(const struct rn_daemon *d, uint64_t id, struct rn_served **served)
{
	for (uint32_t i = 0; i < d->n_served; i++) {
		struct rn_rule *rule = rn_steer_find(d->served[i].port->steer, id);

		if (rule) {
			*served = &d->served[i];
			return rule;
		}
	}
	return NULL;
}

/* ---- events of the loop ---- */

/* Sockets that took their time: what they were charged for comes back. */
static int on_closed(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct rn_daemon *d = arg;
	struct rn_closed closed;

	(void)source;
	(void)fd;
	(void)revents;
	while (rn_closer_next(&closed)) {
		struct rawnet_quota back = {.connections = closed.what == RN_CLOSER_CONNECTION,
					    .queues = closed.what == RN_CLOSER_QUEUE};
		struct rn_usage *u = rn_usage_of(&d->usages, closed.uid);

		if (u)
			rn_usage_sub(u, &back);
	}
	return 0;
}

static int on_reap(sd_event_source *source, void *arg)
{
	(void)source;
	rn_client_reap(arg, false);
	return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct rn_daemon *d = arg;

	(void)source;
	rn_info("stopping (signal %u)", si->ssi_signo);
	return sd_event_exit(d->event, 0);
}

/* ---- starting ---- */

static int start_closer(struct rn_daemon *d, struct rn_err *err)
{
	int rc = rn_closer_start(rn_isolate_worker, err);

	if (!rc && sd_event_add_io(d->event, NULL, rn_closer_fd(), EPOLLIN, on_closed, d) < 0)
		rc = rn_fail(err, -ENOMEM, "closer: out of memory");
	return rc;
}

static int start_pollers(struct rn_daemon *d, struct rn_err *err)
{
	int rc;

	rn_poller_started = rn_isolate_worker;
	rn_waker_started = rn_isolate_worker;
	rc = rn_waker_create(d->config->n_pollers, &d->waker, err);
	if (rc)
		return rc;
	d->poller = calloc(d->config->n_pollers, sizeof(*d->poller));
	if (!d->poller)
		return rn_fail(err, -ENOMEM, "pollers: out of memory");
	for (; !rc && d->n_pollers < d->config->n_pollers; d->n_pollers += !rc)
		rc = rn_poller_create(d->n_pollers, &d->config->pollers[d->n_pollers], d->waker,
				      d->fault_fd, &d->poller[d->n_pollers], err);
	return rc;
}

/* What the backend has to say of the device, line by line. */
static void report(const struct rn_port *port)
{
	char *text = NULL, *save = NULL;
	size_t size;
	FILE *out = port->backend->report ? open_memstream(&text, &size) : NULL;

	if (!out)
		return;
	port->backend->report(port, out);
	fclose(out);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		rn_info("%s: %s", port->config.dev, line);
	free(text);
}

static int serve_port(struct rn_daemon *d, const struct rn_port_config *config, struct rn_err *err)
{
	struct rn_served *s = &d->served[d->n_served];
	struct rn_err why = {0};
	int rc = rn_port_open(config, d->poller, &d->rule_ids, &s->port, &why);

	if (rc)
		return rn_fail(err, rc, "%s", why.text);
	s->daemon = d;
	s->neigh_fd = -1;
	if (s->port->backend->offers_netdev)
		rc = rn_neigh_create(s->port, &s->neigh, err);
	if (rc) {
		rn_port_close(s->port);
		return rc;
	}
	d->n_served++;
	if (s->port->backend->offers_netdev)
		rn_daemon_load_addresses(s->port);
	rn_info_about(RN_ABOUT_DEV(config->dev),
		      "%s: backend %s, %s; mtu %u, %u hardware queues on %u pollers", config->dev,
		      s->port->backend->name, s->port->mode, s->port->mtu, s->port->n_hwq,
		      s->port->n_pollers);
	report(s->port);
	if (why.text[0])
		rn_info_about(RN_ABOUT_DEV(config->dev), "%s: not served by %s", config->dev,
			      why.text);
	return 0;
}

static int start_ports(struct rn_daemon *d, struct rn_err *err)
{
	int rc = 0;

	d->served = calloc(d->config->n_ports, sizeof(*d->served));
	if (!d->served)
		return rn_fail(err, -ENOMEM, "ports: out of memory");
	for (uint32_t i = 0; i < d->config->n_ports && !rc; i++)
		rc = serve_port(d, &d->config->ports[i], err);
	for (uint32_t i = 0; i < d->n_served && !rc; i++)
		rc = rn_daemon_watch_device(d, &d->served[i], err);
	return rc;
}

/* Signals are blocked before the first thread starts, so that all threads inherit that. */
static int take_signals(struct rn_daemon *d)
{
	sigset_t set;
	int rc;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGPIPE);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		return -EINVAL;
	rc = sd_event_add_signal(d->event, NULL, SIGTERM, on_stop, d);
	if (rc >= 0)
		rc = sd_event_add_signal(d->event, NULL, SIGINT, on_stop, d);
	if (rc >= 0)
		rc = sd_event_add_signal(d->event, NULL, SIGHUP, rn_daemon_on_reload, d);
	return rc < 0 ? rc : 0;
}

static int start_loop(struct rn_daemon *d, struct rn_err *err)
{
	int rc = sd_event_new(&d->event);

	if (rc >= 0)
		rc = take_signals(d);
	d->fault_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rc >= 0 && d->fault_fd < 0)
		rc = -errno;
	if (rc >= 0)
		rc = sd_event_add_io(d->event, NULL, d->fault_fd, EPOLLIN, rn_daemon_on_fault, d);
	if (rc >= 0)
		rc = sd_event_add_defer(d->event, &d->reaper, on_reap, d);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(d->reaper, SD_EVENT_OFF);
	if (rc >= 0)
		rc = rn_daemon_watch(d);
	return rc < 0 ? rn_fail(err, rc, "event loop: %s", strerror(-rc)) : 0;
}

static const struct rn_keeper keeper = {
	.put = rn_store_put,
	.drop = rn_store_drop,
	.take = rn_store_take,
};

/* It cannot start. What the service manager keeps is the next one's, as if this one had been
 * killed: the cause may be of the moment, and clients lose nothing by waiting. */
static void give_up(struct rn_daemon *d)
{
	static struct rn_daemon *left; /* in use until the process ends */

	if (!rn_store_works()) {
		rn_daemon_destroy(d);
		return;
	}
	left = d;
	rn_daemon_hand_over(left);
}

int rn_daemon_create(struct rn_config *config, struct rn_daemon **out, struct rn_err *err)
{
	struct rn_daemon *d = calloc(1, sizeof(*d));
	int rc;

	if (!d) {
		rn_config_free(config);
		return rn_fail(err, -ENOMEM, "out of memory");
	}
	rcu_register_thread();
	d->config = config;
	d->fault_fd = -1;
	d->started_ns = rn_mono_ns();
	if (getrandom(&d->instance, sizeof(d->instance), 0) < 0)
		d->instance = d->started_ns;
	CDS_INIT_LIST_HEAD(&d->clients);
	CDS_INIT_LIST_HEAD(&d->usages);
	CDS_INIT_LIST_HEAD(&d->tentative);
	rn_log_set_level((enum rn_log_level)config->log_level);
	rc = rn_listen_find_passed(err);
	if (!rc)
		rc = rn_store_open(config->store, err);
	if (rn_store_works())
		rn_keeper = &keeper;
	if (!rc)
		rc = start_loop(d, err);
	if (!rc)
		rc = rn_journal_open(err);
	if (!rc)
		rc = rn_isolate_begin(config->sandbox, err);
	if (!rc)
		rc = start_closer(d, err);
	if (!rc)
		rc = rn_asker_create(d->event, rn_isolate_asker, &d->asker, err);
	if (!rc)
		rc = start_pollers(d, err);
	if (!rc)
		rc = start_ports(d, err);
	if (!rc)
		rc = rn_daemon_watch_interfaces(d, err);
	if (!rc)
		rc = rn_adopt_all(d, err);
	if (!rc) {
		rn_rules_static(d);
		rc = rn_listen_start(d, err);
	}
	if (!rc)
		rc = rn_isolate_control(err);
	if (!rc)
		*out = d;
	else
		give_up(d);
	return rc;
}

/* ---- serving ---- */

int rn_daemon_run(struct rn_daemon *d)
{
	int rc;

	rn_daemon_say_ready(d, "");
	do {
		rc = sd_event_prepare(d->event);
		if (!rc) {
			/* Grace periods do not wait for us while we wait. */
			rcu_thread_offline();
			rc = sd_event_wait(d->event, UINT64_MAX);
			rcu_thread_online();
		}
		if (rc > 0)
			rc = sd_event_dispatch(d->event);
		if (rc == -EINTR)
			rc = 0;
	} while (rc >= 0 && sd_event_get_state(d->event) != SD_EVENT_FINISHED);
	sd_notify(0, "STOPPING=1");
	return rc < 0 ? rc : 0;
}

/* ---- stopping ---- */

static void end_clients(struct rn_daemon *d)
{
	struct rn_client *c;

	if (!d->reaper)
		return;
	cds_list_for_each_entry (c, &d->clients, list)
		if (!c->dead)
			rn_client_end(c, RAWNET_BYE_SHUTDOWN, "the daemon stops");
	rn_client_reap(d, true);
}

static void stop_ports(struct rn_daemon *d)
{
	rn_rules_forget_all(d);
	for (uint32_t i = 0; i < d->n_served; i++) {
		struct rn_served *s = &d->served[i];

		sd_event_source_disable_unref(s->device_source);
		sd_event_source_disable_unref(s->reopen_source);
		sd_event_source_disable_unref(s->neigh_source);
		rn_neigh_destroy(s->neigh);
		rn_port_close(s->port);
	}
	free(d->served);
}

bool rn_daemon_hands_over(const struct rn_daemon *d)
{
	(void)d;
	return rn_store_works();
}

/* Everything stays as it is for the next daemon, or goes when the manager lets go of it; but what
 * ends with this process ends in order. Pollers end their turns, so that what they moved is
 * published. */
void rn_daemon_hand_over(struct rn_daemon *d)
{
	rn_listen_stop(d);
	for (uint32_t i = 0; i < d->n_pollers; i++)
		rn_poller_stop(d->poller[i]);
	for (uint32_t i = 0; i < d->n_served; i++)
		rn_port_hand_over(d->served[i].port);
}

void rn_daemon_destroy(struct rn_daemon *d)
{
	struct rn_usage *u, *next;

	rn_listen_stop(d);
	end_clients(d);
	rn_asker_destroy(d->asker);
	rn_monitor_destroy(d->monitor);
	stop_ports(d);
	for (uint32_t i = 0; i < d->n_pollers; i++)
		rn_poller_destroy(d->poller[i]);
	free(d->poller);
	rn_waker_destroy(d->waker);
	rn_closer_stop();
	cds_list_for_each_entry_safe (u, next, &d->usages, list)
		free(u);
	sd_event_source_unref(d->reaper);
	sd_event_unref(d->event);
	if (d->fault_fd >= 0)
		close(d->fault_fd);
	free(d->attachments);
	rn_journal_close();
	rcu_barrier();
	rcu_unregister_thread();
	rn_config_free(d->config);
	free(d);
}
