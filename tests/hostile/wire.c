/* SPDX-License-Identifier: BSD-2-Clause */
/* See hostile.h: the protocol, spoken correctly, so that acts can break one thing at a time. */
#include "hostile.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 20.0 /* seconds: far above what anything takes here */

static void pause_us(long us)
{
	const struct timespec t = {.tv_nsec = us * 1000};

	nanosleep(&t, NULL);
}

void session_dial(struct session *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	double end = now() + PATIENCE;

	memset(s, 0, sizeof(*s));
	if (orders.fd >= 0) {
		s->sock = dup(orders.fd);
		return;
	}
	strncpy(address.sun_path, orders.socket, sizeof(address.sun_path) - 1);
	s->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	/* EAGAIN: the backlog is full, the daemon has yet to come round. */
	while (connect(s->sock, (void *)&address, sizeof(address))) {
		if (errno != EAGAIN || now() > end)
			die("%s: %s", orders.socket, strerror(errno));
		pause_us(1000);
	}
}

/* ---- messages ---- */

static void take_fds(struct session *s, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		if (s->n_fds + n > sizeof(s->fds) / sizeof(s->fds[0]))
			die("more descriptors than can be");
		memcpy(s->fds + s->n_fds, CMSG_DATA(c), n * sizeof(int));
		s->n_fds += (unsigned)n;
	}
}

/* The next message within so long: its size, 0 for none; the end of the connection is noted. */
static size_t receive(struct session *s, void *message, double seconds)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE((3 + RAWNET_QUEUES_MAX) * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = message, .iov_len = RAWNET_MSG_MAX};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	struct pollfd p = {.fd = s->sock, .events = POLLIN};
	ssize_t n;

	if (s->lost || poll(&p, 1, (int)(seconds * 1000)) <= 0)
		return 0;
	n = recvmsg(s->sock, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0 && errno == ECONNRESET) /* told before the messages that were queued */
		n = recvmsg(s->sock, &msg, MSG_CMSG_CLOEXEC);
	if (n < (ssize_t)sizeof(struct rawnet_hdr)) {
		s->lost = true;
		return 0;
	}
	take_fds(s, &msg);
	if (((struct rawnet_hdr *)message)->type == RAWNET_MSG_DISCONNECT) {
		const struct rawnet_disconnect *bye = message;

		s->ended = 1 + bye->reason;
		memcpy(s->bye, bye->text, sizeof(s->bye) - 1);
	}
	return (size_t)n;
}

/* Reads until the reply to `id`: 0 or its error. */
static int await_reply(struct session *s, uint32_t id, void *rep, size_t rep_size, char *text)
{
	_Alignas(16) uint8_t message[RAWNET_MSG_MAX];
	struct rawnet_hdr *hdr = (void *)message;
	double end = now() + PATIENCE;
	size_t n;

	while (!s->lost && !s->ended) {
		n = receive(s, message, PATIENCE);
		if (!n && !s->lost && now() > end)
			die("no reply in %g seconds", PATIENCE);
		if (!n || !(hdr->type & RAWNET_REPLY) || hdr->id != id)
			continue;
		if (hdr->error && text)
			memcpy(text, ((struct rawnet_refusal *)message)->text, 240);
		if (!hdr->error && rep)
			memcpy(rep, message, n < rep_size ? n : rep_size);
		return hdr->error;
	}
	return s->ended ? -ECONNABORTED : -ENOTCONN;
}

int session_ask(struct session *s, void *req, uint32_t size, uint16_t type, void *rep,
		size_t rep_size, char *text)
{
	struct rawnet_hdr *hdr = req;

	hdr->size = size;
	hdr->type = type;
	hdr->id = ++s->next_id;
	if (send(s->sock, req, size, MSG_NOSIGNAL) < 0)
		s->lost = !session_ended(s, 0);
	return await_reply(s, hdr->id, rep, rep_size, text);
}

bool session_ended(struct session *s, double seconds)
{
	_Alignas(16) uint8_t message[RAWNET_MSG_MAX];
	double end = now() + seconds;

	do {
		receive(s, message, seconds);
	} while (!s->ended && !s->lost && now() < end);
	return s->ended || s->lost;
}

/* ---- attaching ---- */

void session_hello(struct session *s, const char *label)
{
	struct rawnet_req_hello req = {.min = RAWNET_PROTO_MIN, .max = RAWNET_PROTO_MAX};
	int rc;

	strncpy(req.label, label, sizeof(req.label) - 1);
	strncpy(req.program, "hostile", sizeof(req.program) - 1);
	rc = session_ask(s, &req, sizeof(req), RAWNET_MSG_HELLO, &s->hello, sizeof(s->hello), NULL);
	if (rc)
		die("HELLO: %s", strerror(-rc));
}

static void *map(int fd, uint64_t size, int prot)
{
	void *p = mmap(NULL, size, prot, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		die("mapping %llu bytes: %s", (unsigned long long)size, strerror(errno));
	return p;
}

static struct rawnet_ring ring_at(const struct session *s, uint32_t ctl, uint32_t slots,
				  uint32_t size)
{
	return (struct rawnet_ring) {.ctl = (void *)(s->rings + ctl),
				     .slots = (void *)(s->rings + slots),
				     .mask = size - 1};
}

static void map_all(struct session *s)
{
	const struct rawnet_queue_desc *d = &s->head.queue[0];

	s->rings = map(s->fds[0], s->at.rings_size, PROT_READ | PROT_WRITE);
	s->mem = map(s->fds[1], s->at.packets_size, PROT_READ | PROT_WRITE);
	s->counters = map(s->fds[2], s->at.counters_size, PROT_READ);
	memcpy(&s->head, s->rings, sizeof(s->head));
	s->mem_size = (uint64_t)s->head.n_bufs * s->head.buf_size;
	s->rx = ring_at(s, d->rx_ctl, d->rx_slots, d->rx_size);
	s->tx = ring_at(s, d->tx_ctl, d->tx_slots, d->tx_size);
	for (uint32_t k = 0; k <= s->rx.mask; k++)
		s->rx.slots[k].off = k * s->head.buf_size;
	for (uint32_t k = 0; k <= s->tx.mask; k++)
		s->tx.slots[k].off = (d->rx_size + k) * s->head.buf_size;
}

int session_attach(struct session *s, const struct rawnet_req_attach *request)
{
	struct rawnet_req_attach req = {.rx_size = 64, .tx_size = 64};
	int rc;

	if (request)
		req = *request;
	strncpy(req.dev, orders.dev, sizeof(req.dev) - 1);
	s->n_fds = 0;
	rc = session_ask(s, &req, sizeof(req), RAWNET_MSG_ATTACH, &s->at, sizeof(s->at), NULL);
	if (rc)
		return rc;
	if (s->n_fds != 3 + s->at.n_queues)
		die("%u descriptors came with %u queues", s->n_fds, s->at.n_queues);
	map_all(s);
	return 0;
}

void session_post(struct session *s)
{
	s->rx.client = s->rx.mask + 1;
	rawnet_ring_publish(&s->rx);
}

int session_rule(struct session *s, const char *match, uint64_t *rule)
{
	struct rawnet_req_flow_add req = {.target.attachment = s->at.attachment};
	struct rawnet_rep_flow rep;
	int rc;

	if (rawnet_match_parse(match, &req.match))
		die("%s", rawnet_error());
	strncpy(req.dev, orders.dev, sizeof(req.dev) - 1);
	rc = session_ask(s, &req, sizeof(req), RAWNET_MSG_FLOW_ADD, &rep, sizeof(rep), NULL);
	if (!rc && rule)
		*rule = rep.rule;
	return rc;
}

void session_join(struct session *s, const char *label, const struct rawnet_req_attach *request)
{
	int rc;

	session_dial(s);
	session_hello(s, label);
	rc = session_attach(s, request);
	if (rc)
		die("ATTACH: %s", strerror(-rc));
	session_post(s);
}

void session_open(struct session *s, const char *label, const struct rawnet_req_attach *request)
{
	int rc;

	session_join(s, label, request);
	rc = orders.match ? session_rule(s, orders.match, NULL) : 0;
	if (rc)
		die("FLOW_ADD: %s", strerror(-rc));
}

void session_close(struct session *s)
{
	if (s->rings) {
		munmap(s->rings, s->at.rings_size);
		munmap(s->mem, s->at.packets_size);
		munmap((void *)(uintptr_t)s->counters, s->at.counters_size);
	}
	for (unsigned i = 0; i < s->n_fds; i++)
		close(s->fds[i]);
	close(s->sock);
}

/* ---- the ring ---- */

void session_kick(struct session *s)
{
	rawnet_ring_publish(&s->tx);
	if (rawnet_ring_must_wake(&s->tx))
		send(s->fds[3], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void session_send(struct session *s, const uint8_t *frame, uint32_t len)
{
	uint32_t k = s->tx.client & s->tx.mask;
	uint32_t off = (s->rx.mask + 1 + k) * s->head.buf_size;

	memcpy(s->mem + off, frame, len);
	s->tx.slots[k] = (struct rawnet_slot) {.off = off, .len = (uint16_t)len};
	s->tx.client++;
}

bool session_drained(struct session *s)
{
	double end = now() + PATIENCE;

	while (rawnet_ring_load(&s->tx.ctl->daemon) != s->tx.client && !s->lost) {
		if (now() > end)
			return false;
		session_kick(s);
		pause_us(200);
	}
	return true;
}

uint64_t session_count(const struct session *s, enum rawnet_queue_counter c)
{
	return __atomic_load_n(&s->counters->queue[0].v[c], __ATOMIC_RELAXED);
}

uint64_t session_drops(const struct session *s)
{
	uint64_t n = 0;

	for (unsigned c = RAWNET_Q_TX_DROP_RANGE; c <= RAWNET_Q_TX_DROP_DEVICE; c++)
		n += session_count(s, (enum rawnet_queue_counter)c);
	return n;
}
