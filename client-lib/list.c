/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists, plain requests for tools, and the choice of events. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int rawnet_subscribe(struct rawnet *rn, uint32_t mask)
{
	struct rawnet_req_subscribe req = {.mask = mask};
	struct rn_msg m;
	int err;

	rn_conn_lock(rn);
	err = rn_conn_ready(rn);
	if (!err)
		err = rn_conn_call(rn, RAWNET_MSG_SUBSCRIBE, &req, sizeof(req), &m);
	if (!err) {
		rn_msg_close(&m);
		rn->events = mask;
	}
	rn_conn_unlock(rn);
	return err;
}

static int request(struct rawnet *rn, void *req, size_t size, struct rn_msg *m)
{
	const struct rawnet_hdr *hdr = req;
	int err;

	rn_conn_lock(rn);
	err = rn_conn_ready(rn);
	if (!err)
		err = rn_conn_call(rn, hdr->type, req, size, m);
	if (!err)
		rn_msg_close(m);
	rn_conn_unlock(rn);
	return err;
}

int rawnet_request(struct rawnet *rn, void *req, size_t req_size, void *rep, size_t rep_size)
{
	struct rn_msg m;
	int err;

	if (req_size < sizeof(struct rawnet_hdr) || req_size > RAWNET_MSG_MAX)
		return rn_fail(-EINVAL, "request: %zu bytes", req_size);
	err = request(rn, req, req_size, &m);
	if (!err && rep)
		rn_msg_get(&m, rep, rep_size);
	return err;
}

static bool is_list(enum rawnet_msg type)
{
	return type == RAWNET_MSG_FLOW_LIST || type == RAWNET_MSG_PORT_LIST ||
	       type == RAWNET_MSG_CLIENT_LIST || type == RAWNET_MSG_ATTACHMENT_LIST ||
	       type == RAWNET_MSG_POLLER_LIST;
}

static int check_page(const struct rn_msg *m, const struct rawnet_list *list)
{
	if (m->size < sizeof(*list) || (list->n && list->entry_size == 0) ||
	    (uint64_t)list->n * list->entry_size > m->size - sizeof(*list))
		return rn_fail(-EPROTO, "list: %u entries of %u bytes in a reply of %u", list->n,
			       list->entry_size, m->size);
	return 0;
}

/* The program knows its rules by the ids that they had first. */
static void rename_rule(struct rawnet *rn, uint8_t *entry, size_t size)
{
	uint64_t id;

	if (size < sizeof(id))
		return;
	memcpy(&id, entry, sizeof(id));
	pthread_mutex_lock(&rn->lock);
	id = rn_rule_to_program(&rn->rules, id);
	pthread_mutex_unlock(&rn->lock);
	memcpy(entry, &id, sizeof(id));
}

struct walk {
	struct rawnet *rn;
	enum rawnet_msg type;
	size_t entry_size;
	uint8_t *entry;
	int (*each)(void *arg, const void *entry);
	void *arg;
};

static int walk_page(const struct walk *w, const struct rn_msg *m, const struct rawnet_list *list)
{
	const uint8_t *from = m->bytes + sizeof(*list);
	size_t known = list->entry_size < w->entry_size ? list->entry_size : w->entry_size;
	int stop = 0;

	for (uint32_t i = 0; i < list->n && !stop; i++, from += list->entry_size) {
		memset(w->entry, 0, w->entry_size);
		memcpy(w->entry, from, known);
		if (w->type == RAWNET_MSG_FLOW_LIST)
			rename_rule(w->rn, w->entry, w->entry_size);
		stop = w->each(w->arg, w->entry);
	}
	return stop;
}

static int walk(const struct walk *w, struct rawnet_req_list *req)
{
	struct rawnet_list list;
	struct rn_msg m;
	int r;

	do {
		r = request(w->rn, req, sizeof(*req), &m);
		if (r)
			return r;
		rn_msg_get(&m, &list, sizeof(list));
		r = check_page(&m, &list);
		if (r)
			return r;
		r = walk_page(w, &m, &list);
		if (!r && list.next && list.next == req->cursor)
			r = rn_fail(-EPROTO, "list: does not advance");
		req->cursor = list.next;
	} while (!r && list.next);
	return r;
}

int rawnet_list_each(struct rawnet *rn, enum rawnet_msg type, const struct rawnet_req_list *filter,
		     size_t entry_size, int (*each)(void *arg, const void *entry), void *arg)
{
	struct walk w = {rn, type, entry_size, NULL, each, arg};
	struct rawnet_req_list req = {.cursor = 0};
	int r;

	if (!is_list(type) || entry_size == 0 || entry_size > RAWNET_MSG_MAX)
		return rn_fail(-EINVAL, "list: type %d, entries of %zu bytes", (int)type,
			       entry_size);
	if (filter)
		req = *filter;
	req.hdr.type = (uint16_t)type;
	req.cursor = 0;
	if (type == RAWNET_MSG_FLOW_LIST && req.id) {
		pthread_mutex_lock(&rn->lock);
		req.id = rn_rule_to_daemon(&rn->rules, req.id);
		pthread_mutex_unlock(&rn->lock);
		if (!req.id)
			return 0; /* not one that the daemon has */
	}
	w.entry = malloc(entry_size);
	if (!w.entry)
		return rn_fail(-ENOMEM, "no memory for an entry");
	r = walk(&w, &req);
	free(w.entry);
	return r;
}
