/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small driver on a wire, for the system test: what a software device does with port.h, without
 * the device. It prints "ready" when it is attached.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "port.h"
#include "ring.h"

#define TEST_TYPE 0x88b5 /* local experimental Ethertype 1 (IEEE 802) */
#define BURST	  32
#define PATIENCE  5000 /* ms without a frame */

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

/* A test frame: its number, and bytes that follow from number and place. Every third is tagged. */
static uint32_t make_header(uint8_t *f, uint32_t number)
{
	static const uint8_t tag[4] = {0x81, 0x00, 0x60, 0x05}; /* priority 3, VLAN 5 */
	uint32_t at = 12;

	memset(f, 0xff, 6);
	memset(f + 6, 2, 6);
	if (number % 3 == 0) {
		memcpy(f + 12, tag, 4);
		at += 4;
	}
	f[at++] = TEST_TYPE >> 8;
	f[at++] = TEST_TYPE & 0xff;
	memcpy(f + at, &number, 4);
	return at + 4;
}

static void make_frame(uint8_t *f, uint32_t len, uint32_t number)
{
	uint32_t i;

	for (i = make_header(f, number); i < len; i++)
		f[i] = (uint8_t)(number + i);
}

static bool is_test_frame(const uint8_t *f, uint32_t len, uint32_t *number)
{
	uint32_t at = f[12] == 0x81 && f[13] == 0 ? 16 : 12;

	if (len < 22 || f[at] != TEST_TYPE >> 8 || f[at + 1] != (TEST_TYPE & 0xff))
		return false;
	memcpy(number, f + at + 2, 4);
	return true;
}

static uint32_t frame_length(uint32_t len, uint32_t number)
{
	/* 0: every length from 22 to the largest that an MTU of 9000 allows */
	return len ? len : 22 + number * 7 % 8993;
}

/* Sleeps until there is something; -EPIPE when the wire process has gone, -ETIMEDOUT. */
static int wait_for(struct cx_port *p, bool room, int timeout)
{
	struct pollfd pfd = {.fd = cx_port_fd(p), .events = POLLIN};
	int n;

	if (!cx_port_sleep(p, room))
		return 0;
	n = poll(&pfd, 1, timeout);
	if (cx_port_wake(p))
		return -EPIPE;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* Passes everything to the kernel. */
static int run_pass(struct cx_port *p)
{
	const uint8_t *f;
	uint32_t len;

	while (!stopped) {
		while ((f = cx_port_peek(p, &len))) {
			cx_port_to_kernel(p, f, len);
			cx_port_release(p, len);
		}
		cx_port_flush(p);
		if (wait_for(p, false, 100) == -EPIPE)
			return fputs("the wire process has gone\n", stdout), 0;
	}
	return 0;
}

/* Takes the answers of an expecting driver until `want` have come. */
static int await_answers(struct cx_port *p, uint32_t *got, uint32_t want)
{
	const uint8_t *f;
	uint32_t len, number;

	while (*got < want) {
		f = cx_port_peek(p, &len);
		if (f) {
			*got += is_test_frame(f, len, &number);
			cx_port_release(p, len);
			continue;
		}
		cx_port_flush(p);
		if (wait_for(p, false, PATIENCE))
			return fprintf(stderr, "answer %u of %u is missing\n", *got, want), 1;
	}
	return 0;
}

/* Sends n test frames; answered: never more than two bursts ahead of the other side's answers. */
static int run_send(struct cx_port *p, uint32_t n, uint32_t size, bool answered)
{
	uint32_t i, answers = 0;

	for (i = 0; i < n; i++) {
		uint32_t len = frame_length(size, i);
		uint8_t *f;

		while (!(f = cx_port_reserve(p, CX_RING_TX, len))) {
			if (wait_for(p, true, PATIENCE))
				return fprintf(stderr, "stuck at frame %u\n", i), 1;
		}
		make_frame(f, len, i);
		cx_port_commit(p, CX_RING_TX, len);
		if (i % BURST != BURST - 1)
			continue;
		cx_port_flush(p);
		if (answered && await_answers(p, &answers, i / BURST))
			return 1;
	}
	return 0; /* what is still in the ring is sent when we detach */
}

/* Who has 10.9.0.2? Tell 10.9.0.1. */
static const uint8_t arp_request[42] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,	0, 0, 0, 0, 9, /* to all, from us */
	8,    6,    0,	  1,	8,    0,    6,	4, 0, 1, /* ARP for IPv4, a request */
	2,    0,    0,	  0,	0,    9,    10, 9, 0, 1, /* sender */
	0,    0,    0,	  0,	0,    0,    10, 9, 0, 2, /* target */
};

static uint32_t take_replies(struct cx_port *p)
{
	const uint8_t *f;
	uint32_t len, n = 0;

	while ((f = cx_port_peek(p, &len))) {
		n += len >= sizeof(arp_request) && f[12] == 8 && f[13] == 6 && f[21] == 2;
		cx_port_release(p, len);
	}
	return n;
}

/* Asks n times, as fast as a device may send, and reads all that comes before it sends more. */
static int run_ask(struct cx_port *p, uint32_t n)
{
	uint32_t sent = 0, got = 0, burst;
	int rc = 0;

	while (got < n && !rc) {
		got += take_replies(p);
		for (burst = 0; burst < BURST && sent < n; burst++, sent++) {
			if (!cx_port_has_room(p, CX_RING_TX, CX_REQUEST_MAX))
				break;
			cx_port_send(p, arp_request, sizeof(arp_request));
		}
		cx_port_flush(p);
		if (sent == n)
			rc = wait_for(p, false, PATIENCE);
	}
	printf("got %u\n", got);
	return rc && rc != -ETIMEDOUT;
}

/* What a driver that expects test frames has seen. */
struct seen {
	uint32_t next, got, size;
	bool answer, bad;
};

static void look(struct cx_port *p, struct seen *s, const uint8_t *f, uint32_t len)
{
	uint8_t want[CX_FRAME_MAX];
	uint32_t number;

	if (!is_test_frame(f, len, &number)) {
		cx_port_to_kernel(p, f, len);
		return;
	}
	make_frame(want, frame_length(s->size, number), number);
	if (number < s->next || len != frame_length(s->size, number) || memcmp(f, want, len)) {
		fprintf(stderr, "frame %u is wrong (expected %u)\n", number, s->next);
		s->bad = true;
	}
	s->next = number + 1;
	s->got++;
	if (s->answer && s->got % BURST == 0)
		cx_port_send(p, want, 64);
}

/* Expects n test frames in order; without answers some may be missing. */
static int run_expect(struct cx_port *p, uint32_t n, uint32_t size, bool answer)
{
	struct seen s = {.size = size, .answer = answer};
	const uint8_t *f;
	uint32_t len;

	while (s.next < n && !stopped && !s.bad) {
		f = cx_port_peek(p, &len);
		if (f) {
			look(p, &s, f, len);
			cx_port_release(p, len);
			continue;
		}
		cx_port_flush(p);
		if (wait_for(p, false, PATIENCE))
			break;
	}
	printf("got %u of %u\n", s.got, n);
	return s.bad || (answer && s.got < n);
}

/* Prints each change of the link until it is stopped. */
static int run_link(struct cx_port *p)
{
	int was = -1;

	while (!stopped) {
		if (was != (int)cx_port_link(p)) {
			was = cx_port_link(p);
			printf("link %s mtu %u\n", was ? "up" : "down", cx_port_mtu(p));
			fflush(stdout);
		}
		if (wait_for(p, false, 100) == -EPIPE)
			return puts("gone"), 0;
	}
	return 0;
}

/* The first thing in cx_port is not ours to know, so the memory is found by its name. */
static int run_nonsense(struct cx_port *p)
{
	unsigned long from;
	struct cx_shm *s = NULL;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");

	while (maps && fgets(line, sizeof(line), maps)) {
		if (strstr(line, "cx-wire") && sscanf(line, "%lx", &from) == 1)
			s = (struct cx_shm *)from;
	}
	if (!s)
		return 1;
	fclose(maps);
	atomic_store(&s->ring[CX_RING_TX].head, 0x7fffffff);
	/* Whether it slept or not: it must look, and end the attachment. */
	send(cx_port_fd(p), "", 1, 0);
	return wait_for(p, false, PATIENCE) == -EPIPE ? 0 : 1;
}

/* A child keeps the connection open for a while; then we pass everything, and are killed. */
static int run_fork(struct cx_port *p)
{
	pid_t child = fork();

	if (child == 0) {
		sleep(PATIENCE / 1000);
		_exit(0);
	}
	printf("child %d\n", (int)child);
	fflush(stdout);
	return child < 0 ? 1 : run_pass(p);
}

static int run(struct cx_port *p, int argc, char **argv)
{
	uint32_t n = argc > 4 ? (uint32_t)atoi(argv[4]) : 0;
	uint32_t size = argc > 5 ? (uint32_t)atoi(argv[5]) : 0;
	bool answered = argc > 6;

	if (strcmp(argv[3], "pass") == 0)
		return run_pass(p);
	if (strcmp(argv[3], "send") == 0)
		return run_send(p, n, size, answered);
	if (strcmp(argv[3], "expect") == 0)
		return run_expect(p, n, size, answered);
	if (strcmp(argv[3], "ask") == 0)
		return run_ask(p, n);
	if (strcmp(argv[3], "fork") == 0)
		return run_fork(p);
	if (strcmp(argv[3], "link") == 0)
		return run_link(p);
	return strcmp(argv[3], "nonsense") == 0 ? run_nonsense(p) : 2;
}

int main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct cx_port *p;
	char err[256];
	int code;

	if (argc < 4)
		return 2;
	sigaction(SIGTERM, &act, NULL);
	if (cx_port_attach(argv[1], argv[2], &p, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	code = run(p, argc, argv);
	cx_port_detach(p);
	return code;
}
