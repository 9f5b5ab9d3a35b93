/* SPDX-License-Identifier: BSD-2-Clause */
/* See serve.h. A peer reads its request, then writes its answer, then is closed. */
#include "serve.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http.h"

#define HEAD_MOST 512u

struct peer {
	int fd; /* -1: free */
	uint64_t number; /* the how many-th it is: several come in one millisecond */
	uint64_t began; /* ms */
	uint64_t moved; /* ms: took a piece of its answer last */
	bool loopback; /* it came by such an address */
	char in[HTTP_MOST];
	size_t n_in;
	char *out; /* NULL: still reading */
	size_t n_out, sent;
};

struct state {
	struct serve *s;
	struct peer peer[SERVE_PEERS];
	struct page page;
	uint64_t made; /* ms; 0: never */
	uint64_t accepted; /* peers so far */
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

/* ---- one peer ---- */

static void drop(struct peer *p)
{
	close(p->fd);
	free(p->out);
	p->fd = -1;
	p->out = NULL;
}

static void answer(struct peer *p, int status, const char *type, const char *body, size_t n,
		   bool head)
{
	p->out = malloc(HEAD_MOST + n);
	if (!p->out) {
		drop(p);
		return;
	}
	p->n_out = http_answer(p->out, HEAD_MOST, status, type, n);
	if (!head) {
		memcpy(p->out + p->n_out, body, n);
		p->n_out += n;
	}
	p->sent = 0;
	p->moved = now_ms();
}

static void refuse(struct peer *p, int status)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%d %s. %s\n", status, http_status(status),
			 http_advice(status));

	answer(p, status, "text/plain; charset=utf-8", text, (size_t)n, false);
}

static void answer_page(struct state *st, struct peer *p, bool head)
{
	const uint64_t now = now_ms();

	if (!st->made || now - st->made >= SERVE_FRESH_MS) {
		page_clear(&st->page);
		st->made = 0;
		if (st->s->make(st->s->arg, &st->page) || !page_ok(&st->page)) {
			refuse(p, 500);
			return;
		}
		st->made = now_ms();
	}
	answer(p, 200, PAGE_TYPE, st->page.text, st->page.len, head);
}

static void read_more(struct state *st, struct peer *p)
{
	ssize_t n = recv(p->fd, p->in + p->n_in, sizeof(p->in) - p->n_in, MSG_DONTWAIT);
	struct http_request request;
	int status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(p);
		return;
	}
	p->n_in += (size_t)n;
	status = http_read(p->in, p->n_in, &request);
	if (status == 200 && p->loopback && request.by_name)
		status = 421;
	if (status == 200)
		answer_page(st, p, request.head);
	else if (status)
		refuse(p, status);
}

/* What the peer still sends is taken, so that closing does not reset what it has not read yet. */
static void finish(struct peer *p)
{
	char rest[4096];

	shutdown(p->fd, SHUT_WR);
	for (int i = 0; i < 16 && recv(p->fd, rest, sizeof(rest), MSG_DONTWAIT) > 0; i++)
		;
	drop(p);
}

static void write_more(struct peer *p)
{
	ssize_t n = send(p->fd, p->out + p->sent, p->n_out - p->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		drop(p);
		return;
	}
	p->sent += (size_t)n;
	p->moved = now_ms();
	if (p->sent == p->n_out)
		finish(p);
}

/* Too slow with its request: it is told, and has one more second to read that. */
static void time_out(struct peer *p)
{
	if (p->out) {
		drop(p);
		return;
	}
	p->began += 1000;
	refuse(p, 408);
	if (p->fd >= 0)
		write_more(p);
}

/* ---- all of them ---- */

/* Free, or the first to go; NULL: none. */
static struct peer *place(struct state *st)
{
	const uint64_t now = now_ms();
	struct peer *asking = NULL, *stalled = NULL;

	for (unsigned i = 0; i < SERVE_PEERS; i++) {
		struct peer *p = &st->peer[i];

		if (p->fd < 0)
			return p;
		if (!p->out && (!asking || p->number < asking->number))
			asking = p;
		if (p->out && now - p->moved >= SERVE_STALL_MS &&
		    (!stalled || p->number < stalled->number))
			stalled = p;
	}
	return asking ? asking : stalled;
}

static bool is_loopback(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = {0};
	socklen_t len = sizeof(a);

	getsockname(fd, &a.any, &len);
	if (a.any.sa_family == AF_INET)
		return ntohl(a.v4.sin_addr.s_addr) >> 24 == 127;
	return a.any.sa_family == AF_INET6 &&
	       (IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr) ||
		(IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr) && a.v6.sin6_addr.s6_addr[12] == 127));
}

static void accept_one(struct state *st, int listener)
{
	struct peer *p = place(st);
	int fd = p ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

	if (fd < 0)
		return;
	if (p->fd >= 0)
		drop(p);
	p->fd = fd;
	p->loopback = is_loopback(fd);
	p->number = st->accepted++;
	p->began = now_ms();
	p->n_in = 0;
}

/* How long to sleep until the next peer is too slow, or there may be room; -1: there is none. */
static int patience(const struct state *st, bool room)
{
	const uint64_t now = now_ms();
	int64_t least = room ? -1 : (int64_t)SERVE_STALL_MS, left;

	for (unsigned i = 0; i < SERVE_PEERS; i++) {
		if (st->peer[i].fd < 0)
			continue;
		left = (int64_t)(st->peer[i].began + SERVE_MS - now);
		left = left < 0 ? 0 : left;
		if (least < 0 || left < least)
			least = left;
	}
	return (int)least;
}

static void serve_peers(struct state *st, const struct pollfd *fds)
{
	for (unsigned i = 0; i < SERVE_PEERS; i++) {
		struct peer *p = &st->peer[i];

		if (p->fd < 0)
			continue;
		if (fds[i].fd == p->fd && fds[i].revents) {
			if (!p->out)
				read_more(st, p);
			if (p->fd >= 0 && p->out)
				write_more(p);
		}
		if (p->fd >= 0 && now_ms() - p->began >= SERVE_MS)
			time_out(p);
	}
}

int serve_run(struct serve *s, int stop_fd)
{
	struct pollfd fds[SERVE_PEERS + SERVE_LISTENERS + 1];
	struct state *st = calloc(1, sizeof(*st));
	struct pollfd *listeners = fds + SERVE_PEERS, *stop = listeners + s->n_listeners;
	bool room;
	int rc = 0;

	if (!st)
		return -ENOMEM;
	st->s = s;
	for (unsigned i = 0; i < SERVE_PEERS; i++)
		st->peer[i].fd = -1;
	for (;;) {
		for (unsigned i = 0; i < SERVE_PEERS; i++)
			fds[i] = (struct pollfd) {.fd = st->peer[i].fd,
						  .events = st->peer[i].out ? POLLOUT : POLLIN};
		room = place(st) != NULL;
		for (unsigned i = 0; i < s->n_listeners; i++)
			listeners[i] = (struct pollfd) {.fd = room ? s->listener[i] : -1,
							.events = POLLIN};
		*stop = (struct pollfd) {.fd = stop_fd, .events = POLLIN};
		if (poll(fds, SERVE_PEERS + s->n_listeners + 1, patience(st, room)) < 0 &&
		    errno != EINTR) {
			rc = -errno;
			break;
		}
		if (stop->revents)
			break;
		serve_peers(st, fds);
		for (unsigned i = 0; i < s->n_listeners; i++)
			if (listeners[i].revents & POLLIN)
				accept_one(st, s->listener[i]);
	}
	for (unsigned i = 0; i < SERVE_PEERS; i++)
		if (st->peer[i].fd >= 0)
			drop(&st->peer[i]);
	page_free(&st->page);
	free(st);
	return rc;
}
