/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnet-echo: answers the UDP datagrams of one flow rule. The shortest program that shows all of
 * librawnet: connect, attach, add a rule, work on the rings in place without a copy, sleep on a
 * descriptor, live on after a restart of the daemon.
 *
 * An answer (answer.h) leaves in the very buffer that the question came in: the slot of the receive
 * ring and the slot of the transmit ring trade their buffers.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <rawnet/client.h>

#include "answer.h"
#include "tool.h"

#define BURST 64u
static uint64_t answered, left_alone;

/* One burst of one queue, no system call while the poller is awake; false if there was nothing. */
static bool serve(struct rawnet_queue *q)
{
	uint32_t n, room, sent = 0;

	rawnet_queue_sync(q); /* new memory after a restart: no pointer is kept over this call */
	n = rawnet_rx_avail(&q->rx);
	room = rawnet_tx_room(&q->tx, BURST);
	n = n < BURST ? n : BURST;
	n = n < room ? n : room; /* the others wait in the rx ring */
	for (uint32_t k = 0; k < n; k++) {
		struct rawnet_slot *rx = rawnet_rx_slot(&q->rx, k);
		struct rawnet_slot *tx = rawnet_tx_slot(&q->tx, sent);
		const uint32_t spare = tx->off; /* was sent long ago, is ours again */

		if ((rx->flags & RAWNET_RX_L4_BAD) || !echo_answer(rawnet_data(q, rx), rx->len)) {
			left_alone++;
			continue; /* its buffer goes back in its slot */
		}
		*tx = (struct rawnet_slot) {.off = rx->off, .len = rx->len};
		if (rx->flags & RAWNET_RX_VLAN) {
			tx->flags = RAWNET_TX_VLAN;
			tx->u.tx.vlan_tci = rx->u.rx.vlan_tci;
		}
		rx->off = spare;
		sent++;
	}
	answered += sent;
	rawnet_rx_release(&q->rx, n);
	rawnet_tx_fill(&q->tx, sent);
	if (n)
		rawnet_flush(q);
	return n > 0;
}

/* Sleeps until a queue has news or a signal came: 0, or -errno once the attachment has ended. */
static int idle(struct rawnet_queue **q, struct pollfd *fds, uint32_t n)
{
	uint32_t armed;
	int r = 0;

	for (armed = 0; armed < n && !r; armed++) /* 1: this one has something already */
		r = rawnet_arm(q[armed],
			       rawnet_tx_room(&q[armed]->tx, 1) ? RAWNET_WAIT_RX : RAWNET_WAIT_TX);
	if (!r && poll(fds, n + 1, -1) < 0 && errno != EINTR)
		r = -errno;
	while (armed--)
		rawnet_disarm(q[armed]);
	return r < 0 ? r : 0;
}

static int run(struct rawnet_attachment *at, int stop_fd)
{
	const uint32_t n = rawnet_attachment_info(at)->n_queues;
	struct rawnet_queue *q[RAWNET_QUEUES_MAX];
	struct pollfd fds[RAWNET_QUEUES_MAX + 1];
	bool any;
	int r = 0;

	for (uint32_t i = 0; i < n; i++) {
		q[i] = rawnet_queue(at, i);
		fds[i] = (struct pollfd) {.fd = rawnet_queue_fd(q[i]), .events = POLLIN};
	}
	fds[n] = (struct pollfd) {.fd = stop_fd, .events = POLLIN};
	while (!tool_stop && !r) {
		any = false;
		for (uint32_t i = 0; i < n; i++)
			any |= serve(q[i]);
		if (!any)
			r = idle(q, fds, n);
	}
	return r;
}

/* The library's thread calls these two. */
static void on_gone(void *arg, const struct rawnet_disconnect *why)
{
	(void)arg;
	fprintf(stderr, "rawnet-echo: rawnetd is gone: %s\n", why ? why->text : "it crashed");
}

static void on_back(void *arg, uint64_t gap_ns)
{
	(void)arg;
	fprintf(stderr, "rawnet-echo: rawnetd is back after %.0f ms\n", (double)gap_ns / 1e6);
}

static const char usage[] = "Usage: rawnet-echo [-S SOCKET] [-l LABEL] DEV MATCH...\n"
			    "\n"
			    "  -l LABEL   what the client calls itself\n"
			    "  -S SOCKET  the daemon's socket\n"
			    "\n"
			    "Answers what MATCH takes from DEV. See rawnet-echo(1).\n";

int main(int argc, char **argv)
{
	struct rawnet_options options = {.size = sizeof(options), .gone = on_gone, .back = on_back};
	struct rawnet_gap_info gap = {.size = sizeof(gap)};
	struct rawnet_attachment *at;
	struct rawnet_match match;
	char text[RAWNET_MATCH_TEXT];
	struct rawnet *rn;
	uint64_t rule;
	int o, r, stop_fd;

	while ((o = getopt(argc, argv, "+S:l:hV")) != -1) {
		switch (o) {
		case 'S': options.socket = optarg; break;
		case 'l': options.label = optarg; break;
		case 'h': fputs(usage, stdout); return 0;
		case 'V': printf("rawnet-echo %s\n", rawnet_version()); return 0;
		default: argc = 0;
		}
	}
	if (argc - optind < 2) {
		fputs(usage, stderr);
		return 2;
	}
	tool_join(text, sizeof(text), argv + optind + 1);
	stop_fd = tool_catch_signals();
	if (rawnet_match_parse(text, &match) || rawnet_connect(&rn, &options) ||
	    rawnet_attach(rn, argv[optind], NULL, &at) || rawnet_flow_add(at, &match, NULL, &rule))
		return tool_fail();
	setlinebuf(stdout);
	printf("rule %" PRIu64 " on %s: %s\n", rule, argv[optind], text);
	r = run(at, stop_fd);
	if (r)
		tool_fail();
	rawnet_gap(rn, &gap);
	printf("%" PRIu64 " answered, %" PRIu64 " left alone, %u restarts of rawnetd\n", answered,
	       left_alone, gap.restarts);
	rawnet_close(rn);
	return r ? 1 : 0;
}
