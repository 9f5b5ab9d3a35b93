/* SPDX-License-Identifier: BSD-2-Clause */
/* See client.h. Usage: system-client [-S SOCKET] [-l LABEL] */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"

#define BURST 64u
#define LINE  65536u

struct client me;

/* ---- frames ---- */

static void keep(const struct rawnet_packet *p)
{
	struct kept *k;

	if (me.n_kept == KEPT)
		return;
	k = &me.kept[me.n_kept++];
	k->len = p->len < KEPT_SIZE ? p->len : KEPT_SIZE;
	k->flags = p->flags;
	k->tci = p->vlan_tci;
	k->rule = p->u.rx.rule;
	k->stamp = p->flags & RAWNET_RX_STAMP ? p->stamp : 0;
	memcpy(k->data, p->data, k->len);
}

/* True: the buffer goes out again as the answer. */
static bool take(struct rawnet_packet *p)
{
	me.seen++;
	if (p->flags & RAWNET_RX_COPY)
		me.copies++;
	if (me.mode == MODE_KEEP)
		keep(p);
	if (me.mode != MODE_ECHO)
		return false;
	if ((p->flags & RAWNET_RX_COPY) || !echo_answer(p->data, p->len)) {
		me.left_alone++;
		return false;
	}
	me.answered++;
	p->flags = p->flags & RAWNET_RX_VLAN ? RAWNET_TX_VLAN : 0;
	memset(&p->u, 0, sizeof(p->u));
	return true;
}

static bool serve(uint32_t index)
{
	struct rawnet_queue *q = rawnet_queue(me.at, index);
	struct rawnet_packet p[BURST], out[BURST];
	uint32_t n, sent = 0;

	rawnet_queue_sync(q);
	n = rawnet_rx_burst(q, p, BURST);
	me.of_queue[index] += n;
	for (uint32_t i = 0; i < n; i++) {
		if (take(&p[i]))
			out[sent++] = p[i];
		else
			rawnet_buf_put(q, p[i].data);
	}
	for (uint32_t done = 0; done < sent;) {
		uint32_t more = rawnet_tx_burst(q, out + done, sent - done);

		done += more;
		if (!more && rawnet_wait(q, RAWNET_WAIT_TX, 100) < 0)
			break; /* a restart under way: the memory is gone with its frames */
	}
	return n > 0;
}

/* ---- answers ---- */

void say_ok(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("ok ", stdout);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

void say_err(int rc)
{
	printf("err %s %s\n", strerrorname_np(-rc), rawnet_error());
	fflush(stdout);
}

/* ---- loop ---- */

/* Everything that is there on standard input, line by line. */
static bool read_commands(void)
{
	static char line[LINE];
	static size_t n;
	ssize_t got = read(STDIN_FILENO, line + n, sizeof(line) - 1 - n);
	char *at = line, *end;

	if (got <= 0)
		return false;
	n += (size_t)got;
	line[n] = '\0';
	for (; (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		if (!command_run(at))
			return false;
	}
	n -= (size_t)(at - line);
	memmove(line, at, n);
	return true;
}

static bool reads_rings(void)
{
	return me.at && me.mode != MODE_STALL;
}

/* Sleeps until a command or a frame is there; true: there is a command. */
static bool idle(void)
{
	struct pollfd fds[RAWNET_QUEUES_MAX + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
	uint32_t n = reads_rings() ? me.n_queues : 0, armed;
	int r = 0;

	for (armed = 0; armed < n && !r; armed++) {
		struct rawnet_queue *q = rawnet_queue(me.at, armed);

		r = rawnet_arm(q, RAWNET_WAIT_RX);
		fds[armed + 1] = (struct pollfd) {.fd = rawnet_queue_fd(q), .events = POLLIN};
	}
	if (r < 0) /* ended for good: only commands are left */
		me.mode = MODE_STALL;
	poll(fds, armed + 1, r ? 0 : -1);
	while (armed--)
		rawnet_disarm(rawnet_queue(me.at, armed));
	return fds[0].revents != 0;
}

static bool asked(void)
{
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

int main(int argc, char **argv)
{
	struct rawnet_options options = {.size = sizeof(options), .timeout_ms = 60000};
	bool any;
	int o, rc;

	while ((o = getopt(argc, argv, "S:l:")) != -1) {
		if (o == 'S')
			options.socket = optarg;
		else if (o == 'l')
			options.label = optarg;
		else
			return 2;
	}
	rc = rawnet_connect(&me.rn, &options);
	if (rc) {
		say_err(rc);
		return 1;
	}
	say_ok("%u", rawnet_hello(me.rn)->client);
	for (uint32_t turn = 0;; turn++) {
		any = false;
		for (uint32_t i = 0; reads_rings() && i < me.n_queues; i++)
			any |= serve(i);
		if (any ? turn % 16 == 0 && asked() : idle()) {
			if (!read_commands())
				break;
		}
	}
	rawnet_close(me.rn);
	return 0;
}
