/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attachments: asking the daemon for one, at first and again after a restart, and giving it back.
 *
 * Buffers. The daemon's default fills the rings and leaves no spare, with which rawnet_rx_burst()
 * could receive nothing; so the library always asks for a number: rings plus a quarter of the rx
 * ring for each queue. How many queues the port needs is known only from the reply: if it is more
 * than guessed, the attachment is given back and asked for once more.
 *
 * After a restart the counters of a new daemon start at zero: what the former ones counted is kept
 * in `base`, so that a program sees them only go up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define SPARE_MIN 64u

static uint32_t ring_size(uint32_t asked)
{
	return asked ? asked : RN_RING_DEFAULT;
}

static uint64_t bufs_for(const struct rawnet_attach_options *o, uint32_t n_queues)
{
	uint64_t rx = ring_size(o->rx_size), spare = rx / 4 > SPARE_MIN ? rx / 4 : SPARE_MIN;

	return n_queues * (rx + ring_size(o->tx_size) + spare);
}

/* Gives back what cannot be used; the sentence of the error that led here stays. */
static void give_back(struct rawnet *rn, uint32_t id)
{
	struct rawnet_req_id req = {.id = id};
	struct rn_msg m;
	char why[256];

	snprintf(why, sizeof(why), "%s", rawnet_error());
	if (rn_conn_ready(rn) == 0 && !rn_conn_call(rn, RAWNET_MSG_DETACH, &req, sizeof(req), &m))
		rn_msg_close(&m);
	rn_fail(0, "%s", why);
}

static int ask(struct rawnet_attachment *at, uint32_t n_queues, struct rn_msg *m)
{
	const struct rawnet_attach_options *o = &at->options;
	uint64_t n_bufs = o->n_bufs ? o->n_bufs : bufs_for(o, n_queues ? n_queues : 1);
	struct rawnet_req_attach req = {.n_queues = n_queues,
					.rx_size = o->rx_size,
					.tx_size = o->tx_size,
					.buf_size = o->buf_size,
					.headroom = o->headroom,
					.flags = o->flags,
					.copies = o->copies};

	if (n_bufs > UINT32_MAX)
		return rn_fail(-EINVAL, "rx_size, tx_size, n_queues: more than 2^32 buffers");
	req.n_bufs = (uint32_t)n_bufs;
	memcpy(req.dev, at->dev, sizeof(req.dev));
	return rn_conn_call(at->rn, RAWNET_MSG_ATTACH, &req, sizeof(req), m);
}

/* The attachment as the daemon now has it: its reply in *rep, its memory mapped. What cannot be
 * used is given back. */
static int obtain(struct rawnet_attachment *at, struct rawnet_rep_attach *rep, struct rn_mem **mem)
{
	uint32_t n = at->n_queues ? at->n_queues : at->options.n_queues;
	struct rn_msg m;
	int err;

	for (int attempt = 0;; attempt++) {
		err = ask(at, n, &m);
		if (err)
			return err;
		rn_msg_get(&m, rep, sizeof(*rep));
		if (at->options.n_bufs || rep->n_queues <= (n ? n : 1) || attempt > 0 ||
		    rep->n_queues > RAWNET_QUEUES_MAX)
			break;
		n = rep->n_queues;
		rn_msg_close(&m);
		give_back(at->rn, rep->attachment);
	}
	if (rep->n_queues < at->n_queues) {
		rn_fail(0, "reply to attach: %u queues after %u before the restart", rep->n_queues,
			at->n_queues);
		err = -EPROTO;
	} else {
		err = rn_mem_map(mem, rep, &m);
	}
	rn_msg_close(&m);
	if (err)
		give_back(at->rn, rep->attachment);
	return err;
}

static int keep_info(struct rawnet_attachment *at, const struct rawnet_rep_attach *rep)
{
	struct rn_kept *kept = malloc(sizeof(*kept));

	if (!kept)
		return rn_fail(-ENOMEM, "no memory for an attachment");
	kept->attach = *rep;
	kept->next = at->kept;
	at->kept = kept;
	__atomic_store_n(&at->info, &kept->attach, __ATOMIC_RELEASE);
	return 0;
}

static int grow_queues(struct rawnet_attachment *at, struct rn_mem *mem)
{
	int err;

	for (uint32_t i = at->n_queues; i < mem->n_queues; i++) {
		err = rn_queue_new(at, mem, i, &at->queues[i]);
		if (err)
			return err;
		__atomic_store_n(&at->n_queues, i + 1, __ATOMIC_RELEASE);
	}
	return 0;
}

static void add_up(uint64_t *sum, const struct rn_mem *mem, uint32_t queue)
{
	uint32_t n = mem->counters->n_counters;

	if (n > RAWNET_COUNTERS_SPACE)
		n = RAWNET_COUNTERS_SPACE;
	for (uint32_t c = 0; queue < mem->n_queues && c < n; c++)
		sum[c] += __atomic_load_n(&mem->counters->queue[queue].v[c], __ATOMIC_RELAXED);
}

static void replace_mem(struct rawnet_attachment *at, struct rn_mem *mem)
{
	struct rn_mem *old = at->mem;

	pthread_mutex_lock(&at->rn->map_lock);
	for (uint32_t i = 0; old && i < old->n_queues; i++)
		add_up(at->base[i], old, i);
	at->mem = mem;
	pthread_mutex_unlock(&at->rn->map_lock);
	rn_mem_unref(old);
}

static int check_dev(const char *dev)
{
	if (!dev || !dev[0])
		return rn_fail(-EINVAL, "dev: no name of an interface");
	if (strlen(dev) >= RAWNET_DEV)
		return rn_fail(-ENODEV, "dev: \"%.32s\" is too long for an interface", dev);
	return 0;
}

static void link_attachment(struct rawnet_attachment *at)
{
	struct rawnet_attachment **last = &at->rn->attachments;

	while (*last)
		last = &(*last)->next;
	*last = at;
}

static int attach_first(struct rawnet_attachment *at)
{
	struct rawnet_rep_attach rep;
	struct rn_mem *mem;
	int err = rn_conn_ready(at->rn);

	if (err)
		return err;
	err = obtain(at, &rep, &mem);
	if (err)
		return err;
	replace_mem(at, mem);
	err = grow_queues(at, mem);
	if (!err)
		err = keep_info(at, &rep);
	if (err) {
		give_back(at->rn, rep.attachment);
		return err;
	}
	at->attached = true;
	link_attachment(at);
	return 0;
}

int rawnet_attach(struct rawnet *rn, const char *dev, const struct rawnet_attach_options *options,
		  struct rawnet_attachment **at)
{
	struct rawnet_attachment *new;
	int err = check_dev(dev);

	*at = NULL;
	if (err)
		return err;
	new = calloc(1, sizeof(*new));
	if (!new)
		return rn_fail(-ENOMEM, "no memory for an attachment");
	new->rn = rn;
	memcpy(new->dev, dev, strlen(dev));
	err = rn_options_copy(&new->options, sizeof(new->options), options, "attach options");
	if (!err) {
		rn_conn_lock(rn);
		err = attach_first(new);
		rn_conn_unlock(rn);
	}
	if (err) {
		rn_attach_free(new);
		return err;
	}
	*at = new;
	return 0;
}

/* After a restart: the same, into a new mapping that each queue switches to by itself. */
int rn_attach_again(struct rawnet_attachment *at)
{
	uint32_t had = at->n_queues;
	struct rawnet_rep_attach rep;
	struct rn_mem *mem;
	int err = obtain(at, &rep, &mem);

	if (err)
		return err;
	mem->generation = __atomic_load_n(&at->generation, __ATOMIC_RELAXED);
	err = keep_info(at, &rep);
	if (!err)
		err = grow_queues(at, mem);
	if (err) {
		rn_mem_unref(mem);
		give_back(at->rn, rep.attachment);
		return err;
	}
	for (uint32_t i = 0; i < had; i++)
		rn_queue_publish(at->queues[i], mem);
	replace_mem(at, mem);
	at->attached = true;
	return 0;
}

void rn_attach_lost(struct rawnet_attachment *at)
{
	at->attached = false;
	__atomic_add_fetch(&at->generation, 1, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < at->n_queues; i++)
		rn_queue_stop(at->queues[i]);
}

void rn_attach_end(struct rawnet_attachment *at, int err, const char *text)
{
	snprintf(at->ended_text, sizeof(at->ended_text), "%s", text);
	__atomic_store_n(&at->ended, err, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < at->n_queues; i++)
		rn_queue_rouse(at->queues[i]);
}

void rn_attach_free(struct rawnet_attachment *at)
{
	struct rn_kept *kept;

	for (uint32_t i = 0; i < at->n_queues; i++)
		rn_queue_free(at->queues[i]);
	rn_mem_unref(at->mem);
	while ((kept = at->kept)) {
		at->kept = kept->next;
		free(kept);
	}
	free(at);
}

int rawnet_detach(struct rawnet_attachment *at)
{
	struct rawnet *rn = at->rn;
	struct rawnet_attachment **p = &rn->attachments;
	struct rawnet_req_id req;
	struct rn_msg m;
	int err = 0;

	rn_conn_lock(rn);
	while (*p && *p != at)
		p = &(*p)->next;
	if (*p)
		*p = at->next;
	rn_rules_drop_of(&rn->rules, at);
	if (at->attached && rn_conn_ready(rn) == 0) {
		req = (struct rawnet_req_id) {.id = at->info->attachment};
		err = rn_conn_call(rn, RAWNET_MSG_DETACH, &req, sizeof(req), &m);
		if (!err)
			rn_msg_close(&m);
	}
	rn_conn_unlock(rn);
	rn_attach_free(at);
	/* What is gone at the daemon is detached. */
	return err == -ENOENT || err == -ENOTCONN ? 0 : err;
}

int rawnet_copies(struct rawnet_attachment *at, uint32_t copies)
{
	struct rawnet *rn = at->rn;
	struct rawnet_req_copies req = {.copies = copies};
	struct rn_msg m;
	int err;

	rn_conn_lock(rn);
	err = at->attached ? rn_conn_ready(rn)
			   : rn_fail(-ENOTCONN, "the attachment is not back yet");
	if (!err) {
		req.attachment = at->info->attachment;
		err = rn_conn_call(rn, RAWNET_MSG_COPIES, &req, sizeof(req), &m);
	}
	if (!err) {
		rn_msg_close(&m);
		at->options.copies = copies;
	}
	rn_conn_unlock(rn);
	return err;
}

const struct rawnet_rep_attach *rawnet_attachment_info(const struct rawnet_attachment *at)
{
	return __atomic_load_n(&at->info, __ATOMIC_ACQUIRE);
}

struct rawnet_queue *rawnet_queue(struct rawnet_attachment *at, uint32_t index)
{
	if (index >= __atomic_load_n(&at->n_queues, __ATOMIC_ACQUIRE))
		return NULL;
	return &at->queues[index]->q;
}

int rawnet_counters(const struct rawnet_attachment *at, uint32_t queue,
		    uint64_t v[RAWNET_COUNTERS_SPACE])
{
	uint32_t n = __atomic_load_n(&at->n_queues, __ATOMIC_ACQUIRE);

	if (queue != RAWNET_ALL_QUEUES && queue >= n)
		return rn_fail(-EINVAL, "queue: %u of %u", queue, n);
	memset(v, 0, sizeof(uint64_t) * RAWNET_COUNTERS_SPACE);
	pthread_mutex_lock(&at->rn->map_lock);
	for (uint32_t i = 0; i < n; i++) {
		if (queue != RAWNET_ALL_QUEUES && queue != i)
			continue;
		for (uint32_t c = 0; c < RAWNET_COUNTERS_SPACE; c++)
			v[c] += at->base[i][c];
		add_up(v, at->mem, i);
	}
	pthread_mutex_unlock(&at->rn->map_lock);
	return 0;
}
