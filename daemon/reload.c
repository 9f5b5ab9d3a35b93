/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reloading: policy, rules, protected matches, the admin group and the log level are taken over at
 * once; what threads, sockets and interfaces hang on is named in the log and waits for a restart.
 */
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "client.h"
#include "clock.h"
#include "daemon.h"
#include "log.h"
#include "tx.h"

static void name_what_needs_a_restart(const struct rn_config *old, const struct rn_config *new)
{
	bool ports = old->n_ports == new->n_ports;

	for (uint32_t i = 0; ports && i < old->n_ports; i++)
		ports = rn_config_same_port(&old->ports[i], &new->ports[i]);
	if (!ports)
		rn_warn("reload: changed ports take effect at the next start");
	if (old->n_sockets != new->n_sockets ||
	    memcmp(old->sockets, new->sockets, old->n_sockets * sizeof(*old->sockets)) != 0)
		rn_warn("reload: changed sockets take effect at the next start");
	if (old->n_pollers != new->n_pollers ||
	    memcmp(old->pollers, new->pollers, old->n_pollers * sizeof(*old->pollers)) != 0)
		rn_warn("reload: changed pollers take effect at the next start");
}

static void take_over(struct rn_daemon *d, struct rn_config *new)
{
	struct rn_config *old = d->config;
	struct rn_client *c;

	name_what_needs_a_restart(old, new);
	d->config = new;
	rn_log_set_level((enum rn_log_level) new->log_level);
	cds_list_for_each_entry (c, &d->clients, list) {
		c->admin = rn_policy_is_admin(new, &c->peer);
		c->watches = rn_policy_may_watch(new, &c->peer);
		if (!c->dead)
			rn_client_regrant(c);
	}
	rn_police_changed(); /* spoof may have been taken from somebody */
	rn_rules_static(d);
	rn_config_free(old);
	d->reloads++;
}

int rn_daemon_on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct rn_daemon *d = arg;
	char why[sizeof(((struct rn_err *)NULL)->text) + 20];
	struct rn_config *new;
	struct rn_err err = {0};

	(void)source;
	(void)si;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)(rn_mono_ns() / 1000));
	if (rn_config_load(d->config->path, &new, &err)) {
		rn_error("reload: %s; the old configuration stays", err.text);
		snprintf(why, sizeof(why), "; not reloaded: %s", err.text);
		rn_daemon_say_ready(d, why);
		return 0;
	}
	take_over(d, new);
	rn_info("reloaded %s", new->path);
	rn_daemon_say_ready(d, "");
	return 0;
}
