/* SPDX-License-Identifier: BSD-2-Clause */
/* See port.h. */
#include "port.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "attachment.h"
#include "backend/backend.h"
#include "copies.h"
#include "poller.h"
#include "state.h"
#include "steer.h"
#include "tap.h"
#include "tx.h"

const struct rn_keeper *rn_keeper;

/* ---- which backend ---- */

static const struct rn_backend *named(const char *name)
{
	if (!strcmp(name, rn_backend_loop.name))
		return &rn_backend_loop;
	for (unsigned i = 0; rn_backends[i]; i++)
		if (!strcmp(name, rn_backends[i]->name))
			return rn_backends[i];
	return NULL;
}

/* Adds why this one cannot to the text; its own sentence begins with the interface. */
static void pass_over(const struct rn_port_config *config, const struct rn_backend *be, int rc,
		      const char *why, struct rn_err *err)
{
	size_t n = strlen(err->text), dev = strlen(config->dev);

	if (!strncmp(why, config->dev, dev) && !strncmp(why + dev, ": ", 2))
		why += dev + 2;
	err->code = rc;
	snprintf(err->text + n, sizeof(err->text) - n, "%s%s: %.100s", n ? "; " : "", be->name,
		 why);
}

/* The name is the fault: one sentence is enough, with the names that there are. */
static int no_interface(const struct rn_port_config *config, struct rn_err *err)
{
	struct if_nameindex *all = if_nameindex();
	char names[160] = "";
	size_t n = 0;

	for (unsigned i = 0; all && all[i].if_index && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "",
				      all[i].if_name);
	if (all)
		if_freenameindex(all);
	return rn_fail(err, -ENODEV, "%s: no such interface; there are %s", config->dev, names);
}

static int choose_auto(const struct rn_port_config *config, const struct rn_backend **be,
		       struct rn_err *err)
{
	struct rn_err passed = {.code = -ENODEV};

	for (unsigned i = 0; rn_backends[i]; i++) {
		struct rn_err why = {0};
		int rc = rn_backends[i]->probe(config, &why);

		if (!rc) {
			*be = rn_backends[i];
			return rn_fail(err, 0, "%s", passed.text);
		}
		pass_over(config, rn_backends[i], rc, why.text, &passed);
	}
	if (!if_nametoindex(config->dev))
		return no_interface(config, err);
	return rn_fail(err, passed.code, "%s: no backend can serve it: %.180s", config->dev,
		       passed.text[0] ? passed.text : "none that knows interfaces was built in");
}

int rn_port_choose(const struct rn_port_config *config, const struct rn_backend **be,
		   struct rn_err *err)
{
	if (!strcmp(config->backend, "auto"))
		return choose_auto(config, be, err);
	*be = named(config->backend);
	if (!*be)
		return rn_fail(err, -EINVAL, "%s: backend \"%s\" is not known", config->dev,
			       config->backend);
	return (*be)->probe(config, err);
}

/* ---- opening ---- */

/* A port has at most as many pollers as hardware queues. */
static void choose_pollers(struct rn_port *port, struct rn_poller *const *pollers)
{
	uint32_t n = port->config.n_pollers;

	if (n > port->n_hwq)
		n = port->n_hwq;
	port->n_pollers = n;
	for (uint32_t k = 0; k < n; k++)
		port->poller[k] = pollers[port->config.pollers[k]];
}

/* Queue i goes to poller i modulo their number. */
static void spread_hwqs(struct rn_port *port)
{
	uint32_t n = port->n_pollers;

	for (uint32_t i = n ? port->n_hwq : 0; i-- > 0;) {
		uint32_t k = i % n;

		port->hwq[i]->poller = port->poller[k];
		port->hwq[i]->poller_index = k;
		port->hwq[i]->counters = &port->counters[k];
		port->tx_hwq[k] = port->hwq[i];
	}
}

static int start_pollers(struct rn_port *port, struct rn_err *err)
{
	for (uint32_t k = 0; k < port->n_pollers; k++) {
		int rc = rn_poller_add_port(port->poller[k], port);

		if (rc) {
			while (k-- > 0)
				rn_poller_remove_port(port->poller[k], port);
			return rn_fail(err, rc, "%s: poller: %s", port->config.dev, strerror(-rc));
		}
	}
	return 0;
}

static void port_free(struct rn_port *port)
{
	rn_taps_free(port);
	free(port->addresses);
	free(port->subscribers);
	free(port->counters);
	free(port);
}

static struct rn_port *port_alloc(const struct rn_port_config *config)
{
	struct rn_port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	port->config = *config;
	port->event_fd = -1;
	CDS_INIT_LIST_HEAD(&port->attachments);
	port->addresses = calloc(1, sizeof(*port->addresses));
	port->counters = aligned_alloc(RAWNET_LINE, RN_PORT_POLLERS * sizeof(*port->counters));
	if (!port->addresses || !port->counters) {
		port_free(port);
		return NULL;
	}
	memset(port->counters, 0, RN_PORT_POLLERS * sizeof(*port->counters));
	return port;
}

int rn_port_open(const struct rn_port_config *config, struct rn_poller *const *pollers,
		 uint64_t *rule_ids, struct rn_port **out, struct rn_err *err)
{
	struct rn_port *port = port_alloc(config);
	int rc;

	if (!port)
		return rn_fail(err, -ENOMEM, "%s: out of memory", config->dev);
	rc = rn_port_choose(config, &port->backend, err);
	if (rc)
		goto free_port;
	port->present = true;
	rc = port->backend->open(port, err);
	if (rc)
		goto free_port;
	if (!port->config.n_pollers || !port->n_hwq) {
		rc = rn_fail(err, -EINVAL, "%s: no %s", config->dev,
			     port->n_hwq ? "poller serves it" : "hardware queue");
		goto close_backend;
	}
	choose_pollers(port, pollers);
	spread_hwqs(port);
	rc = rn_steer_create(port->backend->steer, port, port->mac, rule_ids, &port->steer);
	if (rc) {
		rn_fail(err, rc, "%s: rule table: %s", config->dev, strerror(-rc));
		goto close_backend;
	}
	rc = start_pollers(port, err);
	if (rc)
		goto destroy_steer;
	if (port->backend->start)
		port->backend->start(port);
	*out = port;
	return 0;

destroy_steer:
	rn_steer_destroy(port->steer);
close_backend:
	port->backend->close(port);
free_port:
	port_free(port);
	return rc;
}

void rn_port_resume(struct rn_port *port)
{
	if (port->backend->resume)
		port->backend->resume(port);
}

/* What is left is the port with its rules, and nothing behind them. */
static void close_backend(struct rn_port *port)
{
	for (uint32_t k = 0; k < port->n_pollers; k++)
		rn_poller_remove_port(port->poller[k], port);
	rn_steer_forget(port->steer);
	port->backend->close(port);
}

int rn_port_reopen(struct rn_port *port, struct rn_err *err)
{
	unsigned lost;
	int rc = port->backend->probe(&port->config, err);

	if (rc)
		return rc;
	if (port->backend_data)
		close_backend(port);
	rc = port->backend->open(port, err);
	if (rc)
		return rc;
	spread_hwqs(port);
	rc = start_pollers(port, err);
	if (rc) {
		port->backend->close(port);
		return rc;
	}
	lost = rn_steer_retell(port->steer, port->mac);
	port->failed = false;
	return lost ? rn_fail(err, 0, "%u rules were refused by the new device", lost) : 0;
}

static void take_back(struct rn_port *port, struct rn_attachment *at)
{
	for (uint32_t i = 0; i < at->n_queues; i++) {
		struct rn_queue *q = &at->queue[i];

		if (!q->hw)
			continue;
		port->backend->queue_recall(q);
		q->state->rx_true = q->rx.daemon;
		port->backend->queue_destroy(port, q);
	}
}

void rn_port_hand_over(struct rn_port *port)
{
	struct rn_attachment *at;

	if (!port->backend->queue_destroy || !port->backend_data)
		return; /* all that it has is kept */
	rn_steer_forget(port->steer);
	cds_list_for_each_entry (at, &port->attachments, list)
		take_back(port, at);
	port->backend->close(port);
}

void rn_port_close(struct rn_port *port)
{
	if (!port->backend_data && port->failed) {
		rn_steer_destroy(port->steer);
		port_free(port);
		return;
	}
	for (uint32_t k = 0; k < port->n_pollers; k++)
		rn_poller_remove_port(port->poller[k], port);
	rn_steer_destroy(port->steer);
	port->backend->close(port);
	port_free(port);
}

/* ---- telling and following ---- */

void rn_port_counters(struct rn_port *port, uint64_t v[RAWNET_COUNTERS_SPACE])
{
	memset(v, 0, RAWNET_COUNTERS_SPACE * sizeof(*v));
	for (uint32_t k = 0; k < port->n_pollers; k++)
		for (uint32_t c = 0; c < RAWNET_P_COUNT; c++)
			v[c] += __atomic_load_n(&port->counters[k].v[c], __ATOMIC_RELAXED);
	if (port->backend->counters)
		port->backend->counters(port, v);
}

void rn_port_info(const struct rn_port *port, struct rawnet_port_info *info)
{
	memset(info, 0, sizeof(*info));
	memcpy(info->dev, port->config.dev, sizeof(info->dev));
	strncpy(info->backend, port->backend->name, sizeof(info->backend) - 1);
	info->ifindex = port->ifindex;
	info->mtu = port->mtu;
	memcpy(info->mac, port->mac, sizeof(info->mac));
	info->link_up = port->link_up;
	info->draining = port->draining;
	info->present = port->present;
	info->n_pollers = port->n_pollers;
	info->n_hw_queues = port->n_hwq;
	info->n_attachments = port->n_attachments;
	info->n_rules = rn_steer_count(port->steer, &info->n_shapes);
	info->max_rules = 1u << RN_HANDLE_BITS;
	memcpy(info->mode, port->mode, sizeof(info->mode));
}

unsigned rn_port_changed(struct rn_port *port, bool present, bool link_up, uint32_t mtu,
			 const uint8_t mac[6])
{
	bool new_mac = memcmp(port->mac, mac, sizeof(port->mac)) != 0;
	unsigned lost = 0;

	port->present = present;
	__atomic_store_n(&port->mtu, mtu, __ATOMIC_RELAXED);
	memcpy(port->mac, mac, sizeof(port->mac));
	__atomic_store_n(&port->link_up, present && link_up, __ATOMIC_RELAXED);
	if (port->backend->changed)
		port->backend->changed(port);
	if (new_mac) {
		lost = rn_steer_set_mac(port->steer, mac);
		rn_police_changed();
	}
	if (present && port->copies)
		rn_copies_rebind(port->copies, NULL);
	return lost;
}

void rn_port_set_addresses(struct rn_port *port, struct rn_addresses *addresses)
{
	struct rn_addresses *old = port->addresses;

	rcu_assign_pointer(port->addresses, addresses);
	rn_police_changed();
	if (port->backend->addresses)
		port->backend->addresses(port);
	synchronize_rcu();
	free(old);
}
