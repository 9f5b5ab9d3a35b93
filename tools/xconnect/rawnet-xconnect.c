/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnet-xconnect: a cross-connect. What a match takes from one port leaves by another, as it came,
 * and back the other way.
 *
 * Two ports are two attachments, each with packet memory of its own: a frame is copied once. With
 * the same port on both sides there is one attachment, and the slots of the rings trade their
 * buffers instead. One thread serves all queues; queue i of a side sends on queue i of the other,
 * modulo how many that has, so that a flow keeps its order.
 *
 * A queue that cannot send leaves what is for it in the receive rings: the loss, if any, is then
 * counted where it happens, as rx_drop_full.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rawnet/client.h>

#include "forward.h"
#include "tool.h"

#define LINKS (2 * RAWNET_QUEUES_MAX)

/* One direction of a pair of queues. */
struct link {
	struct rawnet_queue *from, *to;
	struct xc_count *count;
};

struct side {
	const char *dev;
	char match[RAWNET_MATCH_TEXT];
	struct rawnet_attachment *at;
	struct xc_count count; /* of what came in here */
};

static struct link links[LINKS];
static uint32_t n_links;

/* ---- the command line ---- */

static const char usage[] =
	"Usage: rawnet-xconnect [-x] [-S SOCKET] [-l LABEL] DEV MATCH... and DEV [MATCH...]\n"
	"\n"
	"  -x         exchange the MAC addresses of each frame\n"
	"  -l LABEL   what the client calls itself\n"
	"  -S SOCKET  the daemon's socket\n"
	"\n"
	"Without a second match frames go one way. See rawnet-xconnect(1).\n";

/* DEV MATCH... up to "and" or the end: what is behind it, or NULL. */
static char **read_side(struct side *side, char **words)
{
	char **end = words;

	if (!words || !*words)
		return NULL;
	while (*end && strcmp(*end, "and") != 0)
		end++;
	side->dev = *words++;
	if (end < words)
		return NULL;
	if (*end)
		*end++ = NULL;
	tool_join(side->match, sizeof(side->match), words);
	return end;
}

/* ---- attachments ---- */

static int open_side(struct rawnet *rn, struct side *side, const struct side *other)
{
	struct rawnet_match match;
	uint64_t rule;

	if (side->match[0] && rawnet_match_parse(side->match, &match))
		return -EINVAL;
	if (other && !strcmp(other->dev, side->dev))
		side->at = other->at;
	else if (rawnet_attach(rn, side->dev, NULL, &side->at))
		return -EIO;
	return side->match[0] && rawnet_flow_add(side->at, &match, NULL, &rule) ? -EIO : 0;
}

static void add_links(struct side *from, const struct side *to)
{
	const uint32_t n = rawnet_attachment_info(from->at)->n_queues;
	const uint32_t m = rawnet_attachment_info(to->at)->n_queues;

	for (uint32_t i = 0; i < n; i++)
		links[n_links++] = (struct link) {rawnet_queue(from->at, i),
						  rawnet_queue(to->at, i % m), &from->count};
}

/* ---- the loop ---- */

/* What a queue waits for: to receive where the other can send, to send where it cannot. */
static uint32_t wanted(const struct rawnet_queue *q)
{
	uint32_t what = 0;

	for (uint32_t i = 0; i < n_links; i++) {
		const bool room = rawnet_tx_room(&links[i].to->tx, 1) != 0;

		if (links[i].from == q && room)
			what |= RAWNET_WAIT_RX;
		if (links[i].to == q && !room)
			what |= RAWNET_WAIT_TX;
	}
	return what;
}

/* Each queue once. */
static uint32_t list_queues(struct rawnet_queue **q)
{
	uint32_t n = 0, k;

	for (uint32_t i = 0; i < 2 * n_links; i++) {
		struct rawnet_queue *next = i % 2 ? links[i / 2].to : links[i / 2].from;

		for (k = 0; k < n && q[k] != next; k++)
			;
		if (k == n)
			q[n++] = next;
	}
	return n;
}

static int idle(struct rawnet_queue **q, uint32_t n, int stop_fd)
{
	struct rawnet_queue *armed[LINKS];
	struct pollfd fds[LINKS + 1];
	uint32_t n_armed = 0, what;
	int r = 0;

	for (uint32_t i = 0; i < n && !r; i++) {
		what = wanted(q[i]);
		if (!what)
			continue;
		fds[n_armed] = (struct pollfd) {.fd = rawnet_queue_fd(q[i]), .events = POLLIN};
		armed[n_armed++] = q[i];
		r = rawnet_arm(q[i], what);
	}
	fds[n_armed] = (struct pollfd) {.fd = stop_fd, .events = POLLIN};
	if (!r && poll(fds, n_armed + 1, -1) < 0 && errno != EINTR)
		r = -errno;
	while (n_armed--)
		rawnet_disarm(armed[n_armed]);
	return r < 0 ? r : 0;
}

static int run(bool exchange, int stop_fd)
{
	struct rawnet_queue *q[LINKS];
	const uint32_t n = list_queues(q);
	uint32_t did;
	int r = 0;

	while (!tool_stop && !r) {
		did = 0;
		for (uint32_t i = 0; i < n_links; i++)
			did += xc_forward(links[i].from, links[i].to, exchange, links[i].count);
		if (!did)
			r = idle(q, n, stop_fd);
	}
	return r;
}

static void summary(const struct side *from, const struct side *to)
{
	printf("%s to %s: %" PRIu64 " frames, %" PRIu64 " bytes, %" PRIu64 " too long\n", from->dev,
	       to->dev, from->count.frames, from->count.bytes, from->count.too_long);
}

int main(int argc, char **argv)
{
	struct rawnet_options options = {.size = sizeof(options)};
	static struct side a, b;
	struct rawnet *rn;
	bool exchange = false;
	int o, r, stop_fd;
	char **rest;

	while ((o = getopt(argc, argv, "+xS:l:hV")) != -1) {
		switch (o) {
		case 'x': exchange = true; break;
		case 'S': options.socket = optarg; break;
		case 'l': options.label = optarg; break;
		case 'h': fputs(usage, stdout); return 0;
		case 'V': printf("rawnet-xconnect %s\n", rawnet_version()); return 0;
		default: return 2;
		}
	}
	rest = read_side(&a, argv + optind);
	rest = read_side(&b, rest);
	if (!rest || *rest || !a.match[0]) {
		fputs(usage, stderr);
		return 2;
	}
	stop_fd = tool_catch_signals();
	if (rawnet_connect(&rn, &options) || open_side(rn, &a, NULL) || open_side(rn, &b, &a))
		return tool_fail();
	add_links(&a, &b);
	if (b.match[0] && b.at != a.at)
		add_links(&b, &a);
	setlinebuf(stdout);
	printf("%s and %s are connected\n", a.dev, b.dev);
	r = run(exchange, stop_fd);
	if (r)
		tool_fail();
	summary(&a, &b);
	if (b.match[0] && b.at != a.at)
		summary(&b, &a);
	rawnet_close(rn);
	return r ? 1 : 0;
}
