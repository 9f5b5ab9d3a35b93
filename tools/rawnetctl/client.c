/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl client: the programs that are connected. */
#include "ctl.h"

#include <stdio.h>

/* ---- one client ---- */

static json_t *object(const struct rawnet_client_info *i)
{
	return json_pack("{s:i, s:s, s:s, s:I, s:o, s:I, s:i, s:s, s:f, s:i, s:i, s:I}", "client",
			 (int)i->client, "label", i->label, "program", i->program, "uid",
			 (json_int_t)i->uid, "user", ctl_user_json(i->uid), "gid",
			 (json_int_t)i->gid, "pid", (int)i->pid, "socket", i->socket, "connected",
			 (double)i->connected_ns / 1e9, "n_attachments", (int)i->n_attachments,
			 "n_rules", (int)i->n_rules, "memory", (json_int_t)i->memory);
}

static void text(const struct rawnet_client_info *i)
{
	printf("%u: %s, uid %s, pid %u (%s)", i->client, i->label[0] ? i->label : "without label",
	       ctl_user(i->uid), i->pid, i->program);
	printf(", %s, %s, ", ctl_plural(i->n_attachments, "attachment"),
	       ctl_plural(i->n_rules, "rule"));
	printf("memory %s, for %s\n", ctl_bytes(i->memory), ctl_duration(i->connected_ns));
}

/* ---- its attachments and their rules ---- */

static json_t *attachment_json(struct ctl *c, const struct rawnet_attachment_info *at, int *rc)
{
	json_t *json = json_pack("{s:i, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:b, s:I}",
				 "attachment", (int)at->attachment, "dev", at->dev, "queues",
				 (int)at->n_queues, "rules", (int)at->n_rules, "rx_size",
				 (int)at->rx_size, "tx_size", (int)at->tx_size, "buf_size",
				 (int)at->buf_size, "bufs", (int)at->n_bufs, "broadcast",
				 (int)(at->copies & RAWNET_COPY_BROADCAST), "multicast",
				 (int)(at->copies & RAWNET_COPY_MULTICAST), "memory",
				 (json_int_t)at->memory);

	if (c->stats)
		json_object_set_new(json, "counters",
				    ctl_counters_json(c, NULL, at->attachment, RAWNET_ALL_QUEUES,
						      rc));
	return json;
}

static int attachment_text(struct ctl *c, const struct rawnet_attachment_info *at)
{
	const struct ctl_layout layout = {.indent = "        "};

	printf("    attachment %u to %s: %s of %u rx and %u tx slots, ", at->attachment, at->dev,
	       ctl_plural(at->n_queues, "queue"), at->rx_size, at->tx_size);
	printf("%u buffers of %s%s%s\n", at->n_bufs, ctl_bytes(at->buf_size),
	       at->copies & RAWNET_COPY_BROADCAST ? ", broadcast" : "",
	       at->copies & RAWNET_COPY_MULTICAST ? ", multicast" : "");
	return c->stats ? ctl_counters_text(c, NULL, at->attachment, RAWNET_ALL_QUEUES, &layout)
			: CTL_OK;
}

static int attachments(struct ctl *c, uint32_t client, json_t *json, struct ctl_list *list)
{
	json_t *array = c->json ? json_array() : NULL;
	int rc = ctl_attachments(c, client, list);

	for (size_t i = 0; !rc && i < list->n; i++) {
		if (c->json)
			json_array_append_new(array, attachment_json(c, ctl_entry(list, i), &rc));
		else
			rc = attachment_text(c, ctl_entry(list, i));
	}
	json_object_set_new(json, "attachments", array);
	return rc;
}

static int rules(struct ctl *c, uint32_t client, json_t *json, const struct ctl_list *at)
{
	const struct rawnet_req_list filter = {.client = client};
	json_t *array = c->json ? json_array() : NULL;
	struct ctl_list list;
	int rc = ctl_list(c, RAWNET_MSG_FLOW_LIST, &filter, sizeof(struct rawnet_flow_info), &list);

	for (size_t i = 0; !rc && i < list.n; i++) {
		if (c->json)
			json_array_append_new(array, ctl_flow_json(ctl_entry(&list, i)));
		else
			ctl_flow_text(c, ctl_entry(&list, i), at, "    rule ");
	}
	ctl_list_free(&list);
	json_object_set_new(json, "rules", array);
	return rc;
}

static int details(struct ctl *c, const struct rawnet_client_info *info, json_t *json)
{
	struct ctl_list at;
	int rc;

	if (!c->json) {
		text(info);
		printf("    socket %s\n", info->socket);
	}
	rc = attachments(c, info->client, json, &at);
	if (!rc)
		rc = rules(c, info->client, json, &at);
	ctl_list_free(&at);
	return rc;
}

/* ---- verbs ---- */

static int list_or_show(struct ctl *c, const char *word, bool all_of_it)
{
	json_t *array, *json;
	struct ctl_list list;
	int rc = ctl_find_clients(c, word, &list);

	if (rc)
		return rc;
	array = c->json ? json_array() : NULL;
	for (size_t i = 0; !rc && i < list.n; i++) {
		const struct rawnet_client_info *info = ctl_entry(&list, i);

		json = c->json ? object(info) : NULL;
		if (all_of_it)
			rc = details(c, info, json);
		else if (!c->json)
			text(info);
		json_array_append_new(array, json);
	}
	ctl_list_free(&list);
	if (!rc && c->json)
		return ctl_emit(c, json_pack("{s:o}", "clients", array));
	json_decref(array);
	return rc;
}

static int show(struct ctl *c, const struct ctl_args *args)
{
	return list_or_show(c, ctl_word(args, "CLIENT"), true);
}

static int list_clients(struct ctl *c, const struct ctl_args *args)
{
	(void)args;
	return list_or_show(c, NULL, c->stats);
}

static int disconnect(struct ctl *c, const struct ctl_args *args)
{
	const char *word = ctl_word(args, "CLIENT");
	struct rawnet_req_id req = {.id = 0};
	struct ctl_list list;
	int rc = ctl_find_clients(c, word, &list);

	if (rc)
		return rc;
	if (list.n > 1)
		rc = ctl_refuse(c, "\"%s\": %zu clients have this label, name one by its id", word,
				list.n);
	else
		req.id = ((const struct rawnet_client_info *)ctl_entry(&list, 0))->client;
	ctl_list_free(&list);
	if (!rc)
		rc = ctl_request(c, RAWNET_MSG_CLIENT_DISCONNECT, &req, sizeof(req), NULL, 0);
	if (rc || !c->json)
		return rc;
	return ctl_emit(c, json_pack("{s:I}", "client", (json_int_t)req.id));
}

const struct ctl_verb ctl_client_verbs[] = {
	{"list", "connected programs; -s: as show", list_clients, {{0}}},
	{"show",
	 "with attachments and rules; -s: their counters too",
	 show,
	 {{"CLIENT", CTL_PLAIN, false, CTL_CLIENTS, NULL}}},
	{"disconnect",
	 "end a client",
	 disconnect,
	 {{"CLIENT", CTL_PLAIN, true, CTL_CLIENTS, NULL}}},
	{0},
};
