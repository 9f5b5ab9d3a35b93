/* SPDX-License-Identifier: BSD-2-Clause */
/* Acts on the control channel: every message in every state and at every length, floods, and
 * descriptors that nobody asked for. */
#include "hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- every message ---- */

enum content {
	ZEROS,
	ONES,
	NOISE,
	SHAPED, /* names a port and small numbers, so that handlers get past their first check */
	CONTENTS
};

static _Alignas(16) uint8_t message[2 * RAWNET_MSG_MAX];

static void put_dev(size_t offset)
{
	memset(message + offset, 0, RAWNET_DEV);
	strncpy((char *)message + offset, orders.dev, RAWNET_DEV - 1);
}

static void shape(uint16_t type)
{
	for (size_t i = 0; i < RAWNET_MSG_MAX; i += 4)
		message[i] = (uint8_t)(random_next() >> 60);
	put_dev(offsetof(struct rawnet_req_attach, dev));
	if (type == RAWNET_MSG_FLOW_ADD) {
		struct rawnet_req_flow_add *req = (void *)message;
		struct rawnet_match *m = &req->match;

		m->size = sizeof(*m);
		m->fields = (uint16_t)(random_next() & RAWNET_M_KNOWN);
		m->model = (uint8_t)(random_next() % (RAWNET_MODEL_COUNT + 1));
		m->family = (uint8_t)(random_next() % 3 * 2);
		req->flags &= RAWNET_FLOW_PERSIST | RAWNET_FLOW_GROUP | RAWNET_FLOW_CHECK;
	} else if (type == RAWNET_MSG_ATTACH) {
		struct rawnet_req_attach *req = (void *)message;

		req->rx_size = req->tx_size = random_next() & 1 ? 8 : (uint32_t)random_next();
		req->n_bufs = req->buf_size = req->headroom = req->flags = 0;
	} else {
		put_dev(offsetof(struct rawnet_req_list, dev));
		put_dev(offsetof(struct rawnet_req_counters, dev));
	}
}

static void compose(enum content content, uint16_t type, uint32_t size, uint32_t id)
{
	struct rawnet_hdr *hdr = (void *)message;

	memset(message, content == ONES ? 0xff : 0, sizeof(message));
	for (size_t i = 0; content == NOISE && i < sizeof(message); i += 8)
		*(uint64_t *)(void *)(message + i) = random_next();
	if (content == SHAPED)
		shape(type);
	*hdr = (struct rawnet_hdr) {.size = size, .type = type, .id = id};
	if (content == NOISE && random_next() % 64 == 0)
		hdr->size = (uint32_t)random_next();
}

static struct {
	uint64_t sent, answered, refused, ended;
} tally;

/* The connection is in this state when it begins, and again whenever it was ended. */
static void enter(struct session *s, unsigned state)
{
	session_dial(s);
	if (state > 0)
		session_hello(s, "talker");
	if (state > 1 && !session_attach(s, NULL))
		session_post(s);
}

/* False: the daemon hung up. */
static bool say(struct session *s, uint32_t size)
{
	_Alignas(16) uint8_t reply[RAWNET_MSG_MAX];
	struct rawnet_hdr *hdr = (void *)reply;

	tally.sent++;
	if (send(s->sock, message, size, MSG_NOSIGNAL) < 0)
		return false;
	do {
		if (recv(s->sock, reply, sizeof(reply), 0) <= 0)
			return false;
	} while (hdr->type == RAWNET_MSG_EVENT);
	if (hdr->type == RAWNET_MSG_DISCONNECT)
		return false;
	tally.answered += !hdr->error;
	tally.refused += hdr->error < 0;
	if (hdr->error > 0)
		die("a reply with the error %d", hdr->error);
	return true;
}

/* Short ones at every length, then in steps of orders.count. */
static void say_all(struct session *s, unsigned state, uint16_t type, enum content content)
{
	/* Without a whole header type and content do not matter: once is enough. */
	uint32_t size = type == 1 && content == NOISE ? 0 : sizeof(struct rawnet_hdr);

	for (; size < RAWNET_MSG_MAX + 64; size += size < 48 ? 1 : (uint32_t)orders.count) {
		compose(content, type, size, size);
		if (say(s, size))
			continue;
		tally.ended++;
		session_close(s);
		enter(s, state);
	}
}

#define TYPE(NAME, number, req, rep) number,

static int every(void)
{
	static const uint16_t types[] = {RAWNET_REQUESTS(TYPE) 0, 99,
					 RAWNET_MSG_EVENT,	  RAWNET_MSG_DISCONNECT,
					 RAWNET_REPLY | 1,	  0xffff};

	for (unsigned state = 0; state < 3; state++)
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
			struct session s;

			random_seed(state * 100u + i);
			enter(&s, state);
			for (enum content c = ZEROS; c < CONTENTS; c++)
				say_all(&s, state, types[i], c);
			session_close(&s);
		}
	printf("{\"sent\": %llu, \"answered\": %llu, \"refused\": %llu, \"ended\": %llu}\n",
	       (unsigned long long)tally.sent, (unsigned long long)tally.answered,
	       (unsigned long long)tally.refused, (unsigned long long)tally.ended);
	return 0;
}

/* ---- floods ---- */

/* Requests as fast as the sockets take them, on several connections, and no reply is ever read.
 * Some are costly: attaching and detaching. */
static int flood(void)
{
	struct rawnet_req_list list = {.hdr = {sizeof(list), RAWNET_MSG_CLIENT_LIST, 0, 1, 0}};
	struct rawnet_req_id detach = {.hdr = {sizeof(detach), RAWNET_MSG_DETACH, 0, 1, 0},
				       .id = 1};
	struct rawnet_req_attach attach = {
		.hdr = {sizeof(attach), RAWNET_MSG_ATTACH, 0, 1, 0}, .rx_size = 64, .tx_size = 64};
	enum {
		CONNECTIONS = 8
	};
	struct session s[CONNECTIONS];
	double end = now() + orders.seconds;
	uint64_t sent = 0;

	strncpy(attach.dev, orders.dev, sizeof(attach.dev) - 1);
	for (int i = 0; i < CONNECTIONS; i++)
		enter(&s[i], 1);
	for (unsigned k = 0; now() < end; k++) {
		int sock = s[k % CONNECTIONS].sock;

		sent += send(sock, &list, sizeof(list), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
		sent += send(sock, &attach, sizeof(attach), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
		sent += send(sock, &detach, sizeof(detach), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
	}
	printf("{\"sent\": %llu}\n", (unsigned long long)sent);
	for (int i = 0; i < CONNECTIONS; i++)
		session_close(&s[i]);
	return 0;
}

/* Connects and hangs up, as fast as it can. */
static int knock(void)
{
	double end = now() + orders.seconds;
	struct session s;
	uint64_t n = 0;

	for (; now() < end; n++) {
		session_dial(&s);
		if (n % 3)
			send(s.sock, message, n % 64, MSG_DONTWAIT | MSG_NOSIGNAL);
		session_close(&s);
	}
	printf("{\"connections\": %llu}\n", (unsigned long long)n);
	return 0;
}

/* ---- descriptors ---- */

/* A TCP socket whose last close waits for orders.seconds: it has more to send than its peer will
 * ever read. *peer has to stay open. */
static int slow_socket(int *peer)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = (int)orders.seconds};
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof(address);
	static const char much[65536];

	if (bind(listener, (void *)&address, size) || listen(listener, 1) ||
	    getsockname(listener, (void *)&address, &size) || connect(fd, (void *)&address, size))
		die("TCP: %s", strerror(errno));
	*peer = accept(listener, NULL, NULL);
	close(listener);
	while (send(fd, much, sizeof(much), MSG_DONTWAIT) > 0)
		;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	return fd;
}

/* Sends the only reference to such a socket along with the data. False: it cannot be sent. */
static bool send_slow(int sock, const void *data, size_t n)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = n};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	int peer, fd = slow_socket(&peer);
	bool sent;

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	sent = sendmsg(sock, &msg, MSG_NOSIGNAL) >= 0;
	close(fd);
	return sent; /* the peer stays open until this program ends */
}

/* On the control socket, with a message and with none; on a wake-up socket; left unread. The
 * program then stays, so that the sockets stay slow. */
static int descriptors(void)
{
	struct rawnet_req_plain status = {.hdr = {sizeof(status), RAWNET_MSG_STATUS, 0, 1, 0}};
	struct session s[4];

	for (int i = 0; i < 4; i++)
		session_open(&s[i], "passer", NULL);
	send_slow(s[0].sock, &status, sizeof(status));
	send_slow(s[1].sock, &status, 0);
	send_slow(s[2].fds[3], "", 1);
	for (int i = 0; i < 3; i++)
		session_ended(&s[i], 20);
	printf("{\"message\": %s, ", reason_word(&s[0]));
	printf("\"no message\": %s, ", reason_word(&s[1]));
	printf("\"wake-up\": %s}\n", reason_word(&s[2]));
	fflush(stdout);
	/* Behind a message that ends the connection, so that it is never read. */
	send(s[3].sock, "?", 1, MSG_NOSIGNAL);
	send_slow(s[3].sock, &status, sizeof(status));
	pause();
	return 0;
}

const struct act message_acts[] = {
	{"every", "every message in every state, at every length, with contents of four kinds",
	 every},
	{"flood", "requests without an end, replies not read", flood},
	{"knock", "connections without an end", knock},
	{"descriptors", "passes descriptors that take long to close; stays until killed",
	 descriptors},
	{0},
};
