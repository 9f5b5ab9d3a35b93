/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qualify-crowd: many attachments to one port in one program, each with a rule for one UDP port of
 * an address. What comes is taken and let go; the daemon's counters say how much it was. Says
 * "ready" when all are there, and goes on until a signal.
 *
 * It polls: a sleeping program would measure wake-ups.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rawnet/client.h>

#include "keys.h"
#include "tool.h"

#define BURST	 32u
#define RX_SLOTS 256u
#define TX_SLOTS 64u
#define QUEUES	 (4096u * 4u)

static struct rawnet_queue *queues[QUEUES];
static uint32_t n_queues;

/* Each attachment has descriptors of its own. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int attach(struct rawnet *rn, const char *dev, const char *address, uint32_t port)
{
	struct rawnet_attach_options options = {
		.size = sizeof(options), .rx_size = RX_SLOTS, .tx_size = TX_SLOTS};
	struct rawnet_attachment *at;
	struct rawnet_match match;
	char text[128];
	uint64_t rule;
	uint32_t n;

	snprintf(text, sizeof(text), "dst %s udp dport %u", address, port);
	if (rawnet_match_parse(text, &match) || rawnet_attach(rn, dev, &options, &at) ||
	    rawnet_flow_add(at, &match, NULL, &rule))
		return tool_fail();
	n = rawnet_attachment_info(at)->n_queues;
	for (uint32_t i = 0; i < n && n_queues < QUEUES; i++)
		queues[n_queues++] = rawnet_queue(at, i);
	return 0;
}

static void take(struct rawnet_queue *q)
{
	uint32_t n;

	rawnet_queue_sync(q);
	n = rawnet_rx_avail(&q->rx);
	n = n < BURST ? n : BURST;
	if (!n)
		return;
	rawnet_rx_release(&q->rx, n);
	rawnet_flush(q);
}

int main(int argc, char **argv)
{
	struct rawnet_options options = {.size = sizeof(options), .label = "crowd"};
	uint64_t count = 0, port = 0;
	struct rawnet *rn;
	int o, rc = 0;

	while ((o = getopt(argc, argv, "S:l:")) != -1) {
		if (o == 'S')
			options.socket = optarg;
		else if (o == 'l')
			options.label = optarg;
		else
			argc = 0;
	}
	if (argc - optind != 4 || !value_number(argv[optind + 2], 1, 65535, &port) ||
	    !value_number(argv[optind + 3], 1, 4096, &count) || port + count > 65536) {
		fputs("Usage: qualify-crowd [-S SOCKET] [-l LABEL] DEV ADDRESS FIRST-PORT COUNT\n",
		      stderr);
		return 2;
	}
	raise_limit();
	tool_catch_signals();
	if (rawnet_connect(&rn, &options))
		return tool_fail();
	for (uint32_t i = 0; i < count && !rc && !tool_stop; i++)
		rc = attach(rn, argv[optind], argv[optind + 1], (uint32_t)port + i);
	if (!rc)
		puts("ready");
	fflush(stdout);
	while (!rc && !tool_stop)
		for (uint32_t i = 0; i < n_queues; i++)
			take(queues[i]);
	rawnet_close(rn);
	return rc;
}
