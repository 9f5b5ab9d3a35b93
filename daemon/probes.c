/* SPDX-License-Identifier: BSD-2-Clause */
/* See probes.h. */
#include "probes.h"

#include <sys/sdt.h>

#include "attachment.h"
#include "backend/backend.h"
#include "port.h"
#include "queue.h"
#include "steer.h"

#define NAME(NAME, name, unit, help) #name,
static const char *const queue_names[] = {RAWNET_QUEUE_COUNTERS(NAME)};
static const char *const port_names[] = {RAWNET_PORT_COUNTERS(NAME)};
#undef NAME

void rn_probe_queue_drop(const struct rn_queue *q, enum rawnet_queue_counter cause, uint64_t n)
{
	const struct rn_attachment *at = q->at;

	if (!n)
		return;
	STAP_PROBE6(rawnetd, queue_drop, at->port->config.dev, at->id, at->uid, at->label,
		    queue_names[cause], n);
}

void rn_probe_port_drop(const struct rn_hwq *hwq, enum rawnet_port_counter cause, uint64_t n)
{
	if (!n)
		return;
	STAP_PROBE3(rawnetd, port_drop, hwq->port->config.dev, port_names[cause], n);
}

void rn_probes_touch(void)
{
	volatile char c;

	for (unsigned i = 0; i < RAWNET_Q_COUNT; i++)
		c = queue_names[i][0];
	for (unsigned i = 0; i < RAWNET_P_COUNT; i++)
		c = port_names[i][0];
	(void)c;
}

void rn_probe_attach(const struct rn_attachment *at, uint32_t client)
{
	STAP_PROBE6(rawnetd, attach, at->port->config.dev, at->id, at->uid, at->label, client,
		    at->n_queues);
}

void rn_probe_detach(const struct rn_attachment *at, uint32_t client)
{
	STAP_PROBE5(rawnetd, detach, at->port->config.dev, at->id, at->uid, at->label, client);
}

void rn_probe_rule_add(const struct rn_rule *rule, const char *dev)
{
	STAP_PROBE3(rawnetd, rule_add, dev, rule->id, rule->uid);
}

void rn_probe_rule_del(const struct rn_rule *rule, const char *dev)
{
	STAP_PROBE3(rawnetd, rule_del, dev, rule->id, rule->uid);
}

void rn_probe_client_end(uint32_t client, uint32_t uid, int32_t pid, const char *why)
{
	STAP_PROBE4(rawnetd, client_end, client, uid, pid, why);
}

void rn_probe_poller_sleep(uint32_t poller)
{
	STAP_PROBE1(rawnetd, poller_sleep, poller);
}

void rn_probe_poller_wake(uint32_t poller, int events)
{
	STAP_PROBE2(rawnetd, poller_wake, poller, events);
}
