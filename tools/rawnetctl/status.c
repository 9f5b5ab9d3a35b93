/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl status: the daemon. */
#include "ctl.h"

#include <inttypes.h>
#include <stdio.h>

static void text(const struct rawnet_rep_status *s)
{
	printf("%s: pid %u, up %s, configuration %s\n", s->version, s->pid,
	       ctl_duration(s->uptime_ns), s->config);
	printf("    %s, %s, ", ctl_plural(s->ports, "port"), ctl_plural(s->pollers, "poller"));
	printf("%s, %s, ", ctl_plural(s->clients, "client"),
	       ctl_plural(s->attachments, "attachment"));
	printf("%s, memory %s, %s\n", ctl_plural(s->rules, "rule"), ctl_bytes(s->memory),
	       ctl_plural(s->reloads, "reload"));
}

static json_t *object(const struct rawnet_rep_status *s)
{
	char instance[20];

	snprintf(instance, sizeof(instance), "%016" PRIx64, s->instance);
	return json_pack("{s:s, s:i, s:s, s:f, s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:i}", "version",
			 s->version, "pid", (int)s->pid, "instance", instance, "uptime",
			 (double)s->uptime_ns / 1e9, "config", s->config, "ports", (int)s->ports,
			 "pollers", (int)s->pollers, "clients", (int)s->clients, "attachments",
			 (int)s->attachments, "rules", (int)s->rules, "memory",
			 (json_int_t)s->memory, "reloads", (int)s->reloads);
}

static int status(struct ctl *c, const struct ctl_args *args)
{
	struct rawnet_req_plain req = {{0}};
	struct rawnet_rep_status rep;
	json_t *json = NULL;
	int rc = ctl_request(c, RAWNET_MSG_STATUS, &req, sizeof(req), &rep, sizeof(rep));

	(void)args;
	if (rc)
		return rc;
	rep.clients -= rep.clients > 0; /* this one */
	if (c->json)
		json = object(&rep);
	else
		text(&rep);
	if (c->stats)
		rc = ctl_pollers(c, json, "poller_list");
	if (rc || !c->json) {
		json_decref(json);
		return rc;
	}
	return ctl_emit(c, json);
}

const struct ctl_verb ctl_status_verbs[] = {
	{NULL, "the daemon; -s: its pollers too", status, {{0}}},
	{0},
};
