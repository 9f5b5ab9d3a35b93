/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to the daemon, and what its errors mean for the exit code. */
#include "ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Errors of a connection that is not there, or not any more. */
static bool no_daemon(int err)
{
	return err == -ENOENT || err == -ECONNREFUSED || err == -ENOTCONN || err == -ECONNRESET ||
	       err == -EPIPE || err == -ETIMEDOUT || err == -ENOTSOCK || err == -EPROTOTYPE;
}

int ctl_connect(struct ctl *c)
{
	const struct rawnet_options options = {
		.size = sizeof(options),
		.flags = RAWNET_NO_THREAD | RAWNET_NO_RECONNECT,
		.socket = c->socket,
		.program = "rawnetctl",
		.event = c->event,
		.arg = c,
	};
	int err = c->rn ? 0 : rawnet_connect(&c->rn, &options);

	if (!err)
		return CTL_OK;
	c->rn = NULL;
	ctl_refuse(c, "%s", rawnet_error());
	return no_daemon(err) ? CTL_NO_DAEMON : CTL_REFUSED;
}

void ctl_close(struct ctl *c)
{
	rawnet_close(c->rn);
	c->rn = NULL;
}

/* ENOENT is an answer: what was asked for is not there. */
int ctl_failed(struct ctl *c, int err)
{
	ctl_refuse(c, "%s", rawnet_error());
	if (err == -ENOENT || !no_daemon(err))
		return CTL_REFUSED;
	ctl_close(c); /* the next command of a batch tries again */
	return CTL_NO_DAEMON;
}

int ctl_request(struct ctl *c, enum rawnet_msg type, void *req, size_t req_size, void *rep,
		size_t rep_size)
{
	struct rawnet_hdr *hdr = req;
	int rc = ctl_connect(c);

	if (rc)
		return rc;
	hdr->type = (uint16_t)type;
	rc = rawnet_request(c->rn, req, req_size, rep, rep_size);
	return rc ? ctl_failed(c, rc) : CTL_OK;
}

/* ---- lists ---- */

static int collect(void *arg, const void *entry)
{
	struct ctl_list *list = arg;
	uint8_t *more;

	if (list->n == list->room) {
		list->room = list->room ? 2 * list->room : 32;
		more = reallocarray(list->entries, list->room, list->entry_size);
		if (!more)
			return -ENOMEM;
		list->entries = more;
	}
	memcpy(list->entries + list->n++ * list->entry_size, entry, list->entry_size);
	return 0;
}

int ctl_list(struct ctl *c, enum rawnet_msg type, const struct rawnet_req_list *filter,
	     size_t entry_size, struct ctl_list *list)
{
	int rc = ctl_connect(c);

	*list = (struct ctl_list) {.entry_size = entry_size};
	if (rc)
		return rc;
	rc = rawnet_list_each(c->rn, type, filter, entry_size, collect, list);
	if (!rc)
		return CTL_OK;
	ctl_list_free(list);
	return rc == -ENOMEM ? ctl_refuse(c, "out of memory") : ctl_failed(c, rc);
}

void ctl_list_free(struct ctl_list *list)
{
	free(list->entries);
	list->entries = NULL;
	list->n = list->room = 0;
}

/* ---- clients ---- */

static void remove_entry(struct ctl_list *list, size_t i)
{
	uint8_t *at = list->entries + i * list->entry_size;

	memmove(at, at + list->entry_size, (--list->n - i) * list->entry_size);
}

static bool is_wanted(const struct rawnet_client_info *info, const char *word, bool by_id)
{
	return by_id ? strtoull(word, NULL, 10) == info->client : !strcmp(word, info->label);
}

static bool any_wanted(const struct ctl_list *clients, const char *word, bool by_id)
{
	for (size_t i = 0; i < clients->n; i++)
		if (is_wanted(ctl_entry(clients, i), word, by_id))
			return true;
	return false;
}

int ctl_find_clients(struct ctl *c, const char *word, struct ctl_list *clients)
{
	int rc = ctl_list(c, RAWNET_MSG_CLIENT_LIST, NULL, sizeof(struct rawnet_client_info),
			  clients);
	bool by_id;

	for (size_t i = clients->n; !rc && i-- > 0;) {
		const struct rawnet_client_info *info = ctl_entry(clients, i);

		if (info->client == rawnet_hello(c->rn)->client)
			remove_entry(clients, i);
	}
	if (rc || !word)
		return rc;
	by_id = ctl_is_number(word) && any_wanted(clients, word, true);
	for (size_t i = clients->n; i-- > 0;)
		if (!is_wanted(ctl_entry(clients, i), word, by_id))
			remove_entry(clients, i);
	if (clients->n)
		return CTL_OK;
	ctl_list_free(clients);
	return ctl_refuse(c, "no client \"%s\"", word);
}

int ctl_attachments(struct ctl *c, uint32_t client, struct ctl_list *attachments)
{
	const struct rawnet_req_list filter = {.client = client};

	return ctl_list(c, RAWNET_MSG_ATTACHMENT_LIST, &filter,
			sizeof(struct rawnet_attachment_info), attachments);
}

int ctl_dev(const struct ctl *c, const char *word, char dev[RAWNET_DEV])
{
	const size_t len = strlen(word);

	memset(dev, 0, RAWNET_DEV);
	if (len >= RAWNET_DEV)
		return ctl_usage(c, "\"%s\": too long for the name of an interface", word);
	memcpy(dev, word, len + 1);
	return CTL_OK;
}

/* A label is the daemon's to find; of an id it wants the attachment. */
int ctl_target(struct ctl *c, const char *word, const char *dev, struct rawnet_target *target)
{
	struct ctl_list clients, attachments;
	const struct rawnet_client_info *info;
	const size_t len = strlen(word);
	int rc;

	memset(target, 0, sizeof(*target));
	if (len >= sizeof(target->label))
		return ctl_usage(c, "\"%s\": too long for a label", word);
	memcpy(target->label, word, len + 1);
	if (!ctl_is_number(word))
		return CTL_OK;
	rc = ctl_find_clients(c, word, &clients);
	if (rc)
		return rc;
	info = ctl_entry(&clients, 0);
	rc = ctl_attachments(c, info->client, &attachments);
	ctl_list_free(&clients);
	for (size_t i = 0; !rc && i < attachments.n && !target->attachment; i++) {
		const struct rawnet_attachment_info *at = ctl_entry(&attachments, i);

		if (!strcmp(at->dev, dev))
			target->attachment = at->attachment;
	}
	if (rc)
		return rc;
	ctl_list_free(&attachments);
	if (!target->attachment)
		return ctl_refuse(c, "client %s is not attached to %s", word, dev);
	return CTL_OK;
}
