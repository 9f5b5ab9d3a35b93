/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules, and what a port hears of itself. */
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"

/* ---- copies ---- */

/* A queue with a few buffers. */
static bool ready_rx(struct ask *a, struct ask_rx *rx)
{
	if (ask_rx_open(a->to, rx, false))
		return false;
	for (unsigned i = 0; i < 8; i++)
		ask_post(a->to, rx);
	return true;
}

static bool comes(struct ask *a, struct ask_rx *rx)
{
	struct rn_cqe e;

	return ask_completion(a, &rx->cq, &e) && !ask_syndrome(&e);
}

void ask_dont_trap(struct ask *a, struct answer *r)
{
	const struct rule_wish first = {.flags = IBV_FLOW_ATTR_FLAGS_DONT_TRAP},
			       second = {.priority = 1};
	struct ibv_flow *copy = NULL, *rule = NULL;
	struct ask_rx one = {0}, two = {0};
	struct ask_tx tx = {0};

	if (ask_tx_open(a->from, &tx) || !ready_rx(a, &one) || !ready_rx(a, &two)) {
		cannot(r, "queues refused: %m");
	} else if (!(copy = ask_rule(a, &one, &first))) {
		say(r, "a rule that copies is refused: %s", strerror(errno));
	} else if (!(rule = ask_rule(a, &two, &second))) {
		cannot(r, "the rule behind it is refused: %m");
	} else {
		ask_frame(a, 1, false, false, true);
		ask_send(a, &tx, 0, a->frame.len);
		say(r, "a rule that copies is taken; the frame comes to it: %s",
		    comes(a, &one) ? "yes" : "no");
		say(r, ", and to the rule behind it: %s", comes(a, &two) ? "yes" : "no");
	}
	if (rule)
		ibv_destroy_flow(rule);
	if (copy)
		ibv_destroy_flow(copy);
	ask_tx_close(&tx);
	ask_rx_close(&one);
	ask_rx_close(&two);
}

/* ---- how fast rules come and go ---- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void ask_rule_rate(struct ask *a, struct answer *r)
{
	const uint32_t most = a->fill ? 1u << 17 : a->rules;
	struct ibv_flow **flow = calloc(most, sizeof(struct ibv_flow *));
	struct ask_rx rx = {0};
	uint32_t n = 0;
	double start, added, removed;
	int why = 0;

	if (!flow || ask_rx_open(a->to, &rx, false)) {
		cannot(r, "a queue is refused: %m");
		free(flow);
		return;
	}
	start = seconds();
	for (; n < most && !why; n += !why) {
		flow[n] = ask_rule(a, &rx, &(struct rule_wish) {.source = n + 1});
		why = flow[n] ? 0 : errno;
	}
	added = seconds() - start;
	for (uint32_t i = 0; i < n; i++)
		ibv_destroy_flow(flow[i]);
	removed = seconds() - start - added;
	say(r, "%u rules of one shape: %.0f/s added, %.0f/s removed", n, (double)n / added,
	    (double)n / removed);
	if (why)
		say(r, "; the next one is refused: %s", strerror(why));
	else if (a->fill)
		say(r, "; the table is not full");
	ask_rx_close(&rx);
	free(flow);
}

/* ---- which of two rules of one priority ---- */

/* The frame's address first, or its port. 1: the former takes it; 2: the latter; 0: neither. */
static int winner(struct ask *a, bool address_first)
{
	const struct rule_wish address = {.source = 1, .any_port = true}, port = {0};
	struct ask_rx rx[2] = {0};
	struct ibv_flow *rule[2] = {0};
	struct ask_tx tx = {0};
	int who = -1;

	if (!ask_tx_open(a->from, &tx) && ready_rx(a, &rx[0]) && ready_rx(a, &rx[1])) {
		for (unsigned i = 0; i < 2; i++) {
			const unsigned k = address_first ? i : 1 - i;

			rule[k] = ask_rule(a, &rx[k], k ? &port : &address);
		}
		if (rule[0] && rule[1]) {
			ask_frame(a, 1, false, false, true);
			ask_send(a, &tx, 0, a->frame.len);
			who = comes(a, &rx[0]) ? 1 : comes(a, &rx[1]) ? 2 : 0;
		}
	}
	for (unsigned i = 0; i < 2; i++)
		if (rule[i])
			ibv_destroy_flow(rule[i]);
	ask_tx_close(&tx);
	ask_rx_close(&rx[0]);
	ask_rx_close(&rx[1]);
	return who;
}

void ask_rule_order(struct ask *a, struct answer *r)
{
	static const char *const who[] = {"nobody", "the rule for the address",
					  "the rule for the port"};
	const int one = winner(a, true), two = winner(a, false);

	if (one < 0 || two < 0) {
		cannot(r, "queues or rules refused: %m");
		return;
	}
	say(r,
	    "two rules of one priority that both match: %s takes the frame if the one for the "
	    "address is older, %s if it is younger",
	    who[one], who[two]);
}

/* ---- loopback ---- */

#define TIMES	5u
#define WAIT_MS 500 /* what the kernel may take */

static int packet_socket(const char *netdev)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htobe16(ETHERTYPE),
				 .sll_ifindex = (int)if_nametoindex(netdev)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htobe16(ETHERTYPE));

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void broadcast(const struct ask_port *port, uint8_t frame[64])
{
	memset(frame, 0, 64);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, port->mac, 6);
	frame[12] = ETHERTYPE >> 8;
	frame[13] = ETHERTYPE & 0xff;
}

/* Broadcasts of the kernel: how many come to a queue of the same port. */
static unsigned from_kernel(struct ask *a, struct ask_rx *rx, int fd)
{
	uint8_t frame[64];
	unsigned n = 0;
	struct rn_cqe e;

	broadcast(a->from, frame);
	for (unsigned i = 0; i < TIMES; i++)
		(void)!send(fd, frame, sizeof(frame), 0);
	while (n < TIMES && ask_completion(a, &rx->cq, &e))
		n++;
	return n;
}

/* Broadcasts of a queue: how many come to the kernel of the same port. */
static unsigned to_kernel(struct ask *a, struct ask_tx *tx, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	uint8_t frame[64];
	unsigned n = 0;

	broadcast(a->from, frame);
	memcpy(a->from->mem, frame, sizeof(frame));
	for (unsigned i = 0; i < TIMES; i++)
		ask_send(a, tx, 0, sizeof(frame));
	while (n < TIMES && poll(&p, 1, WAIT_MS) > 0)
		if (recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &size) > 0)
			n += from.sll_pkttype != PACKET_OUTGOING;
	return n;
}

static void count_both(struct ask *a, struct ask_tx *tx, struct ask_rx *rx, int fd,
		       struct answer *r, unsigned *sum)
{
	const unsigned in = from_kernel(a, rx, fd), out = to_kernel(a, tx, fd);

	*sum += in + out;
	say(r,
	    "%u of %u broadcasts of the kernel come to a queue, %u of %u of a queue to the kernel",
	    in, TIMES, out, TIMES);
}

void ask_loopback(struct ask *a, struct answer *r)
{
	struct ibv_context *second = NULL;
	struct ibv_flow *rule = NULL;
	struct ask_rx rx = {0};
	struct ask_tx tx = {0};
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	unsigned sum = 0;
	int fd;

	if (a->from == a->to) {
		cannot(r, "a port that gets back what it sends hears itself anyway");
		return;
	}
	fd = packet_socket(a->from->netdev);
	if (fd < 0 || ask_tx_open(a->from, &tx) || ask_rx_open(a->from, &rx, false) ||
	    !(rule = ask_ether_rule(&rx, everybody))) {
		cannot(r, "socket, queues or rule refused: %m");
	} else {
		for (unsigned i = 0; i < 4 * TIMES; i++)
			ask_post(a->from, &rx);
		say(r, "one program: ");
		count_both(a, &tx, &rx, fd, r, &sum);
		second = ibv_open_device(a->from->ctx->device);
		say(r, "; %s: ", second ? "with a second one" : "no second one is let in");
		if (second)
			count_both(a, &tx, &rx, fd, r, &sum);
		assume(r, !sum, "a port does not hear itself");
	}
	if (rule)
		ibv_destroy_flow(rule);
	ask_tx_close(&tx);
	ask_rx_close(&rx);
	if (second)
		ibv_close_device(second);
	if (fd >= 0)
		close(fd);
}
