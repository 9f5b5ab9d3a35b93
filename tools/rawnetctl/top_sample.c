/* SPDX-License-Identifier: BSD-2-Clause */
/* See top.h: samples of all counters, and what changed between two of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "top.h"

static int append(struct ctl *c, struct ctl_list *sets, const struct top_set *set)
{
	uint8_t *more = reallocarray(sets->entries, sets->n + 1, sizeof(*set));

	if (!more)
		return ctl_refuse(c, "out of memory");
	sets->entries = more;
	memcpy(sets->entries + sets->n++ * sizeof(*set), set, sizeof(*set));
	return CTL_OK;
}

/* What went between the list and this question is not there; that is no error. */
static int ask(struct ctl *c, struct ctl_list *sets, struct top_set *set)
{
	struct rawnet_req_counters req = {.hdr.type = RAWNET_MSG_COUNTERS,
					  .attachment = set->attachment,
					  .queue = RAWNET_ALL_QUEUES};
	struct rawnet_rep_counters rep;
	int err;

	if (!set->attachment)
		memcpy(req.dev, set->dev, sizeof(req.dev));
	err = rawnet_request(c->rn, &req, sizeof(req), &rep, sizeof(rep));
	if (err == -ENOENT || err == -ENODEV)
		return CTL_OK;
	if (err)
		return ctl_failed(c, err);
	set->n = rep.n < RAWNET_COUNTERS_SPACE ? rep.n : RAWNET_COUNTERS_SPACE;
	memcpy(set->v, rep.v, sizeof(set->v));
	return append(c, sets, set);
}

static int take_ports(struct ctl *c, const char *dev, struct ctl_list *sets)
{
	struct ctl_list ports;
	int rc = ctl_list(c, RAWNET_MSG_PORT_LIST, NULL, sizeof(struct rawnet_port_info), &ports);
	bool found = false;

	for (size_t i = 0; !rc && i < ports.n; i++) {
		const struct rawnet_port_info *p = ctl_entry(&ports, i);
		struct top_set set = {.n = 0};

		if (dev && strcmp(p->dev, dev) != 0)
			continue;
		memcpy(set.dev, p->dev, sizeof(set.dev));
		rc = ask(c, sets, &set);
		found = true;
	}
	if (!rc && dev && !found)
		rc = ctl_refuse(c, "no port \"%s\"", dev);
	ctl_list_free(&ports);
	return rc;
}

static int take_attachments(struct ctl *c, uint32_t client, const char *dev, struct ctl_list *sets)
{
	struct ctl_list list;
	int rc = ctl_attachments(c, client, &list);

	for (size_t i = 0; !rc && i < list.n; i++) {
		const struct rawnet_attachment_info *at = ctl_entry(&list, i);
		struct top_set set = {
			.attachment = at->attachment, .client = at->client, .uid = at->uid};

		if (dev && strcmp(at->dev, dev) != 0)
			continue;
		memcpy(set.dev, at->dev, sizeof(set.dev));
		memcpy(set.label, at->label, sizeof(set.label));
		rc = ask(c, sets, &set);
	}
	ctl_list_free(&list);
	return rc;
}

static int take_clients(struct ctl *c, const struct top_filter *filter, struct ctl_list *sets)
{
	struct ctl_list clients;
	int rc;

	if (!filter->client)
		return take_attachments(c, 0, filter->dev, sets);
	rc = ctl_find_clients(c, filter->client, &clients);
	for (size_t i = 0; !rc && i < clients.n; i++) {
		const struct rawnet_client_info *info = ctl_entry(&clients, i);

		rc = take_attachments(c, info->client, filter->dev, sets);
	}
	ctl_list_free(&clients);
	return rc;
}

int top_take(struct ctl *c, const struct top_filter *filter, struct top_sample *s)
{
	struct timespec now;
	int rc;

	*s = (struct top_sample) {.sets.entry_size = sizeof(struct top_set)};
	rc = ctl_connect(c);
	clock_gettime(CLOCK_MONOTONIC, &now);
	s->at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	if (!rc)
		rc = take_ports(c, filter->dev, &s->sets);
	if (!rc)
		rc = take_clients(c, filter, &s->sets);
	if (!rc)
		rc = ctl_list(c, RAWNET_MSG_POLLER_LIST, NULL, sizeof(struct rawnet_poller_info),
			      &s->pollers);
	return rc;
}

void top_free(struct top_sample *s)
{
	ctl_list_free(&s->sets);
	ctl_list_free(&s->pollers);
}

/* ---- differences ---- */

static const struct top_set *find(const struct top_sample *s, const struct top_set *like)
{
	for (size_t i = 0; i < s->sets.n; i++) {
		const struct top_set *set = ctl_entry(&s->sets, i);

		if (set->attachment == like->attachment &&
		    (set->attachment || !strcmp(set->dev, like->dev)))
			return set;
	}
	return NULL;
}

static double rate(uint64_t old, uint64_t now, double seconds)
{
	return (double)(now < old ? now : now - old) / seconds;
}

double top_grew(const struct top_pair *p, const struct top_set *set, unsigned i)
{
	const struct top_set *old = find(p->old, set);

	return i < set->n ? rate(old ? old->v[i] : 0, set->v[i], p->seconds) : 0;
}

const struct rawnet_counter_info *top_info(const struct top_set *set, unsigned i)
{
	if (i >= set->n)
		return NULL;
	return set->attachment ? rawnet_queue_counter_info(i) : rawnet_port_counter_info(i);
}

bool top_is_drop(const struct top_set *set, unsigned i)
{
	const struct rawnet_counter_info *info = top_info(set, i);

	return info && strstr(info->name, "_drop");
}

void top_rates(const struct top_pair *p, const struct top_set *set, double rates[TOP_RATES])
{
	const bool is_port = !set->attachment;

	rates[TOP_RX_PACKETS] =
		top_grew(p, set, is_port ? RAWNET_P_RX_PACKETS : RAWNET_Q_RX_PACKETS);
	rates[TOP_RX_BYTES] = top_grew(p, set, is_port ? RAWNET_P_RX_BYTES : RAWNET_Q_RX_BYTES);
	rates[TOP_TX_PACKETS] =
		top_grew(p, set, is_port ? RAWNET_P_TX_PACKETS : RAWNET_Q_TX_PACKETS);
	rates[TOP_TX_BYTES] = top_grew(p, set, is_port ? RAWNET_P_TX_BYTES : RAWNET_Q_TX_BYTES);
	rates[TOP_DROPS] = 0;
	for (unsigned i = 0; i < set->n; i++)
		if (top_is_drop(set, i))
			rates[TOP_DROPS] += top_grew(p, set, i);
}

struct top_load top_load(const struct top_pair *p, const struct rawnet_poller_info *now)
{
	static const struct rawnet_poller_info none;
	const struct rawnet_poller_info *old = &none;
	struct top_load load;
	double turns;

	for (size_t i = 0; i < p->old->pollers.n; i++) {
		const struct rawnet_poller_info *each = ctl_entry(&p->old->pollers, i);

		if (each->poller == now->poller)
			old = each;
	}
	turns = rate(old->turns, now->turns, p->seconds);
	load.cpu = rate(old->cpu_ns, now->cpu_ns, p->seconds) / 1e9;
	load.work = turns > 0 ? rate(old->busy_turns, now->busy_turns, p->seconds) / turns : 0;
	load.sleeps = rate(old->sleeps, now->sleeps, p->seconds);
	return load;
}
