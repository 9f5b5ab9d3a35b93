/* SPDX-License-Identifier: BSD-2-Clause */
/* See scrape.h. */
#include "scrape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- lists ---- */

/* Room for one more of `size` bytes behind n. */
static int grow(void **array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 16;
	void *grown;

	if (n < *room)
		return 0;
	grown = reallocarray(*array, more, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = more;
	return 0;
}

static struct scrape_set *add(struct scrape_sets *sets, size_t most)
{
	if (sets->n == most) {
		sets->left_out++;
		return NULL;
	}
	if (grow((void **)&sets->set, sets->n, &sets->room, sizeof(*sets->set)))
		return NULL;
	memset(&sets->set[sets->n], 0, sizeof(*sets->set));
	return &sets->set[sets->n++];
}

static int add_port(void *arg, const void *entry)
{
	struct scrape_sets *ports = arg;
	struct scrape_set *set = add(ports, SIZE_MAX);

	if (!set)
		return -ENOMEM;
	memcpy(&set->of.port, entry, sizeof(set->of.port));
	return 0;
}

static int add_attachment(void *arg, const void *entry)
{
	struct scrape_sets *attachments = arg;
	const size_t before = attachments->left_out;
	struct scrape_set *set = add(attachments, SCRAPE_ATTACHMENTS);

	if (set)
		memcpy(&set->of.attachment, entry, sizeof(set->of.attachment));
	return set || attachments->left_out > before ? 0 : -ENOMEM;
}

static int add_poller(void *arg, const void *entry)
{
	struct scrape *s = arg;

	if (grow((void **)&s->pollers, s->n_pollers, &s->room_pollers, sizeof(*s->pollers)))
		return -ENOMEM;
	memcpy(&s->pollers[s->n_pollers++], entry, sizeof(*s->pollers));
	return 0;
}

static int ask_lists(struct rawnet *rn, struct scrape *s)
{
	int rc = rawnet_list_each(rn, RAWNET_MSG_PORT_LIST, NULL, sizeof(struct rawnet_port_info),
				  add_port, &s->ports);

	if (!rc)
		rc = rawnet_list_each(rn, RAWNET_MSG_POLLER_LIST, NULL,
				      sizeof(struct rawnet_poller_info), add_poller, s);
	if (!rc)
		rc = rawnet_list_each(rn, RAWNET_MSG_ATTACHMENT_LIST, NULL,
				      sizeof(struct rawnet_attachment_info), add_attachment,
				      &s->attachments);
	return rc;
}

/* ---- counters ---- */

static int ask_counters(struct rawnet *rn, struct rawnet_req_counters *req, struct scrape_set *set)
{
	struct rawnet_rep_counters rep = {0};
	int rc;

	req->hdr.type = RAWNET_MSG_COUNTERS;
	rc = rawnet_request(rn, req, sizeof(*req), &rep, sizeof(rep));
	if (rc)
		return rc;
	set->n = rep.n < RAWNET_COUNTERS_SPACE ? rep.n : RAWNET_COUNTERS_SPACE;
	memcpy(set->v, rep.v, sizeof(set->v));
	return 0;
}

static int ask_ports(struct rawnet *rn, struct scrape *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->ports.n && !rc; i++) {
		struct rawnet_req_counters req = {0};

		memcpy(req.dev, s->ports.set[i].of.port.dev, sizeof(req.dev));
		rc = ask_counters(rn, &req, &s->ports.set[i]);
	}
	return rc;
}

/* An attachment that went since the list was made is left out; so are all when time is up. */
static int ask_attachments(struct rawnet *rn, struct scrape *s, uint64_t began)
{
	struct scrape_sets *sets = &s->attachments;
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; i < sets->n && !rc; i++) {
		struct rawnet_req_counters req = {.queue = RAWNET_ALL_QUEUES};

		if (now_ns() - began > SCRAPE_MS * 1000000ull) {
			sets->left_out += sets->n - i;
			break;
		}
		req.attachment = sets->set[i].of.attachment.attachment;
		rc = ask_counters(rn, &req, &sets->set[i]);
		if (!rc)
			sets->set[kept++] = sets->set[i];
		else if (rc == -ENOENT)
			rc = 0;
	}
	sets->n = kept;
	return rc;
}

/* ---- all of it ---- */

/* A daemon that stays away is worth one line, not one for each scrape. */
static void complain(const char *why)
{
	static char last[256];

	if (why && strncmp(last, why, sizeof(last) - 1) != 0)
		fprintf(stderr, "rawnet-exporter: %s\n", why);
	snprintf(last, sizeof(last), "%s", why ? why : "");
}

static int ask(struct rawnet **rn, const char *socket, struct scrape *s, uint64_t began)
{
	const struct rawnet_options options = {
		.size = sizeof(options),
		.flags = RAWNET_NO_THREAD | RAWNET_NO_RECONNECT,
		.socket = socket,
		.label = "exporter",
		.timeout_ms = SCRAPE_ASK_MS,
	};
	struct rawnet_req_plain req = {.hdr.type = RAWNET_MSG_STATUS};
	int rc = *rn ? 0 : rawnet_connect(rn, &options);

	if (rc) {
		*rn = NULL;
		return rc;
	}
	rc = rawnet_request(*rn, &req, sizeof(req), &s->status, sizeof(s->status));
	if (!rc)
		rc = ask_lists(*rn, s);
	if (!rc)
		rc = ask_ports(*rn, s);
	return rc ? rc : ask_attachments(*rn, s, began);
}

int scrape_run(struct rawnet **rn, const char *socket, struct scrape *s)
{
	const uint64_t began = now_ns();
	int rc = -ENOTCONN;

	memset(s, 0, sizeof(*s));
	for (int tries = *rn ? 2 : 1; rc && rc != -ENOMEM && tries; tries--) {
		scrape_free(s);
		rc = ask(rn, socket, s, began);
		if (!rc)
			break;
		complain(rawnet_error());
		rawnet_close(*rn);
		*rn = NULL;
	}
	if (rc)
		scrape_free(s);
	else
		complain(NULL);
	s->up = !rc;
	s->took_ns = now_ns() - began;
	return rc == -ENOMEM ? rc : 0;
}

void scrape_free(struct scrape *s)
{
	free(s->ports.set);
	free(s->attachments.set);
	free(s->pollers);
	s->ports.set = s->attachments.set = NULL;
	s->pollers = NULL;
	memset(s, 0, sizeof(*s));
}
