/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl counters: packets, bytes, and drops by cause, of ports and of clients. */
#include "ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- one set ---- */

static int ask(struct ctl *c, const char *dev, uint32_t attachment, uint32_t queue,
	       struct rawnet_rep_counters *rep)
{
	struct rawnet_req_counters req = {.attachment = attachment, .queue = queue};
	int rc = dev ? ctl_dev(c, dev, req.dev) : CTL_OK;

	if (!rc)
		rc = ctl_request(c, RAWNET_MSG_COUNTERS, &req, sizeof(req), rep, sizeof(*rep));
	return rc;
}

static const struct rawnet_counter_info *info(const char *dev, unsigned i)
{
	return dev ? rawnet_port_counter_info(i) : rawnet_queue_counter_info(i);
}

/* A newer daemon has more than this library has names for. */
static bool has(const struct rawnet_rep_counters *rep, const char *dev, unsigned i)
{
	return i < rep->n && i < RAWNET_COUNTERS_SPACE && info(dev, i);
}

json_t *ctl_counters_json(struct ctl *c, const char *dev, uint32_t attachment, uint32_t queue,
			  int *rc)
{
	struct rawnet_rep_counters rep;
	json_t *json;

	*rc = ask(c, dev, attachment, queue, &rep);
	if (*rc)
		return NULL;
	json = json_object();
	for (unsigned i = 0; has(&rep, dev, i); i++)
		json_object_set_new(json, info(dev, i)->name, json_integer((json_int_t)rep.v[i]));
	return json;
}

int ctl_counters_text(struct ctl *c, const char *dev, uint32_t attachment, uint32_t queue,
		      const struct ctl_layout *layout)
{
	struct rawnet_rep_counters rep;
	int rc = ask(c, dev, attachment, queue, &rep);

	if (rc)
		return rc;
	if (layout->title)
		printf("%s\n", layout->title);
	for (unsigned i = 0; has(&rep, dev, i); i++) {
		if (!rep.v[i] && !layout->all)
			continue;
		printf("%s%-18s %14" PRIu64, layout->indent, info(dev, i)->name, rep.v[i]);
		if (layout->all)
			printf("  %s", info(dev, i)->help);
		putchar('\n');
	}
	return CTL_OK;
}

/* ---- ports ---- */

static int of_port(struct ctl *c, const char *dev, json_t *array)
{
	char title[RAWNET_DEV + 2];
	const struct ctl_layout layout = {"    ", title, c->stats};
	json_t *counters;
	int rc;

	if (!c->json) {
		snprintf(title, sizeof(title), "%.15s:", dev);
		return ctl_counters_text(c, dev, 0, 0, &layout);
	}
	counters = ctl_counters_json(c, dev, 0, 0, &rc);
	json_array_append_new(array, json_pack("{s:s, s:o}", "dev", dev, "counters", counters));
	return rc;
}

static int of_ports(struct ctl *c, const char *dev, json_t *array)
{
	struct ctl_list list;
	int rc;

	if (dev)
		return of_port(c, dev, array);
	rc = ctl_list(c, RAWNET_MSG_PORT_LIST, NULL, sizeof(struct rawnet_port_info), &list);
	for (size_t i = 0; !rc && i < list.n; i++)
		rc = of_port(c, ((const struct rawnet_port_info *)ctl_entry(&list, i))->dev, array);
	ctl_list_free(&list);
	return rc;
}

/* ---- attachments ---- */

static json_t *queues_json(struct ctl *c, const struct rawnet_attachment_info *at, int *rc)
{
	json_t *array = json_array();

	for (uint32_t i = 0; !*rc && i < at->n_queues; i++)
		json_array_append_new(array, ctl_counters_json(c, NULL, at->attachment, i, rc));
	return array;
}

static json_t *attachment_json(struct ctl *c, const struct rawnet_attachment_info *at, int *rc)
{
	json_t *json, *counters = ctl_counters_json(c, NULL, at->attachment, RAWNET_ALL_QUEUES, rc);

	if (*rc)
		return NULL;
	json = json_pack("{s:i, s:i, s:s, s:s, s:o}", "attachment", (int)at->attachment, "client",
			 (int)at->client, "label", at->label, "dev", at->dev, "counters", counters);
	if (c->stats)
		json_object_set_new(json, "queues", queues_json(c, at, rc));
	return json;
}

static int attachment_text(struct ctl *c, const struct rawnet_attachment_info *at)
{
	char title[96];
	struct ctl_layout layout = {"    ", title, c->stats};
	int rc;

	snprintf(title, sizeof(title), "client %u%s%s%s on %s:", at->client,
		 at->label[0] ? " (" : "", at->label, at->label[0] ? ")" : "", at->dev);
	rc = ctl_counters_text(c, NULL, at->attachment, RAWNET_ALL_QUEUES, &layout);
	layout.indent = "        ";
	for (uint32_t i = 0; !rc && c->stats && at->n_queues > 1 && i < at->n_queues; i++) {
		snprintf(title, sizeof(title), "    queue %u:", i);
		rc = ctl_counters_text(c, NULL, at->attachment, i, &layout);
	}
	return rc;
}

static int of_client(struct ctl *c, uint32_t client, const char *dev, json_t *array)
{
	struct ctl_list list;
	int rc = ctl_attachments(c, client, &list);

	for (size_t i = 0; !rc && i < list.n; i++) {
		const struct rawnet_attachment_info *at = ctl_entry(&list, i);

		if (dev && strcmp(at->dev, dev) != 0)
			continue;
		if (c->json)
			json_array_append_new(array, attachment_json(c, at, &rc));
		else
			rc = attachment_text(c, at);
	}
	ctl_list_free(&list);
	return rc;
}

static int of_clients(struct ctl *c, const char *client, const char *dev, json_t *array)
{
	struct ctl_list list;
	int rc;

	if (!client)
		return of_client(c, 0, dev, array);
	rc = ctl_find_clients(c, client, &list);
	for (size_t i = 0; !rc && i < list.n; i++) {
		const struct rawnet_client_info *found = ctl_entry(&list, i);

		rc = of_client(c, found->client, dev, array);
	}
	ctl_list_free(&list);
	return rc;
}

/* With dev the port, with client its attachments, with both those to the port, with none all. */
static int counters(struct ctl *c, const struct ctl_args *args)
{
	const char *dev = ctl_word(args, "dev"), *client = ctl_word(args, "client");
	json_t *ports = c->json && !client ? json_array() : NULL;
	json_t *attachments = c->json && (client || !dev) ? json_array() : NULL;
	int rc = CTL_OK;

	if (!client)
		rc = of_ports(c, dev, ports);
	if (!rc && (client || !dev))
		rc = of_clients(c, client, dev, attachments);
	if (!rc && c->json)
		return ctl_emit(c, json_pack("{s:o*, s:o*}", "ports", ports, "attachments",
					     attachments));
	json_decref(ports);
	json_decref(attachments);
	return rc;
}

const struct ctl_verb ctl_counters_verbs[] = {
	{NULL,
	 "counters that are not zero; -s: all, with their meaning, and of each queue",
	 counters,
	 {{"dev", CTL_VALUE, false, CTL_DEVS, "DEV"},
	  {"client", CTL_VALUE, false, CTL_CLIENTS, "CLIENT"}}},
	{0},
};
