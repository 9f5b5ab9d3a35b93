/* SPDX-License-Identifier: BSD-2-Clause */
/* Acts that take all there is of one thing, say where it ended, and hold it until they are killed.
 */
#include "hostile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 4096u

static char text[240];

/* {"n": how many were got, "errno": of the first refusal, "text": its sentence} */
static int hold(uint32_t n, int rc)
{
	printf("{\"n\": %u, \"errno\": \"%s\", \"text\": \"%s\"}\n", n,
	       rc ? strerrorname_np(-rc) : "none", text);
	fflush(stdout);
	pause();
	return 0;
}

/* Who is one too many is told so with the end of the connection. */
static int hello(struct session *s)
{
	int rc;

	struct rawnet_req_hello req = {
		.min = RAWNET_PROTO_MIN, .max = RAWNET_PROTO_MAX, .label = "hoarder"};

	session_dial(s);
	rc = session_ask(s, &req, sizeof(req), RAWNET_MSG_HELLO, &s->hello, sizeof(s->hello), text);
	if (rc == -ECONNABORTED)
		memcpy(text, s->bye, sizeof(text));
	return rc;
}

static int connections(void)
{
	static struct session s[MOST];
	uint32_t n;
	int rc = 0;

	for (n = 0; n < MOST && !rc; n++)
		rc = hello(&s[n]);
	return hold(n - (rc != 0), rc);
}

static int attach(struct session *s, struct rawnet_req_attach req)
{
	struct rawnet_rep_attach rep;

	strncpy(req.dev, orders.dev, sizeof(req.dev) - 1);
	s->n_fds = 0;
	return session_ask(s, &req, sizeof(req), RAWNET_MSG_ATTACH, &rep, sizeof(rep), text);
}

/* On one connection; descriptors that come are closed. */
static int attach_all(struct rawnet_req_attach req)
{
	struct session s;
	uint32_t n;
	int rc = hello(&s);

	if (rc)
		die("HELLO: %s", strerror(-rc));
	for (n = 0; n < MOST; n++) {
		rc = attach(&s, req);
		for (unsigned i = 0; i < s.n_fds; i++)
			close(s.fds[i]);
		if (rc)
			break;
	}
	return hold(n, rc);
}

static int attachments(void)
{
	return attach_all((struct rawnet_req_attach) {.rx_size = 8, .tx_size = 8});
}

static int queues(void)
{
	return attach_all((struct rawnet_req_attach) {.n_queues = 4, .rx_size = 8, .tx_size = 8});
}

static int memory(void)
{
	return attach_all((struct rawnet_req_attach) {
		.rx_size = 8, .tx_size = 8, .buf_size = 2048, .n_bufs = 512});
}

static int rules(void)
{
	struct session s;
	struct rawnet_req_flow_add req = {0};
	uint32_t n;
	int rc;

	session_open(&s, "hoarder", NULL);
	strncpy(req.dev, orders.dev, sizeof(req.dev) - 1);
	req.target.attachment = s.at.attachment;
	for (n = 0; n < MOST; n++) {
		struct rawnet_rep_flow rep;
		char match[64];

		snprintf(match, sizeof(match), "udp dport %u", 20000 + n);
		if (rawnet_match_parse(match, &req.match))
			die("%s", rawnet_error());
		rc = session_ask(&s, &req, sizeof(req), RAWNET_MSG_FLOW_ADD, &rep, sizeof(rep),
				 text);
		if (rc)
			break;
	}
	return hold(n, n < MOST ? rc : 0);
}

/* ---- a crowd, not hostile but many ---- */

/* So many connections with an attachment each; then, for each line on stdin, how many of them are
 * answered: {"n": connected, "alive": answered}. */
static int crowd(void)
{
	struct session *all = calloc(orders.count, sizeof(*all));
	uint64_t n;

	for (n = 0; all && n < orders.count; n++) {
		struct rawnet_req_attach req = {.rx_size = 8, .tx_size = 8};
		int rc = hello(&all[n]);

		if (!rc)
			rc = attach(&all[n], req);
		for (unsigned i = 0; i < all[n].n_fds; i++)
			close(all[n].fds[i]);
		if (rc)
			die("number %llu: %s: %s", (unsigned long long)n, strerror(-rc), text);
	}
	do {
		uint64_t alive = 0;

		for (uint64_t i = 0; i < n; i++) {
			struct rawnet_req_plain req = {0};
			struct rawnet_rep_status rep;

			alive += !session_ask(&all[i], &req, sizeof(req), RAWNET_MSG_STATUS, &rep,
					      sizeof(rep), NULL);
		}
		printf("{\"n\": %llu, \"alive\": %llu}\n", (unsigned long long)n,
		       (unsigned long long)alive);
		fflush(stdout);
	} while (getchar() != EOF);
	return 0;
}

const struct act quota_acts[] = {
	{"connections", "as many as it gets; stays until killed, as the next four", connections},
	{"attachments", "small ones", attachments},
	{"queues", "four for each attachment", queues},
	{"memory", "a MiB for each attachment", memory},
	{"rules", "one for each UDP port", rules},
	{"crowd", "many that attach, and answer for each line on stdin", crowd},
	{0},
};
