/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ROUTE: who may ask, and what is refused. What the kernel answers is tested in route_test; here a
 * kernel that takes its time.
 *
 * Promise: who waits for the kernel waits alone, and his replies come in order.
 * Seen to fail without its defence:
 *   a handler that asks by itself: the loop stands still in others_are_served
 *   without c->asked in on_client(): the second reply of in_order overtakes the first
 *   without too_late(): too_long waits for ever
 *   rn_asker_destroy() that does not join: the asker of stops_behind_one_question uses freed memory
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "asker.h"
#include "client.h"
#include "control_rig.h"
#include "route.h"

#define ALICE 4001u
#define BOB   4002u

static struct control c;
static sem_t begun, may_answer; /* one question each */
static unsigned asked; /* atomic */

/* The kernel, in the asker's thread: it answers when it may. */
int rn_route_find(const struct rn_route_from *from, uint8_t family, const uint8_t *dst,
		  struct rn_route_terms *terms, struct rawnet_rep_route *rep, struct rn_err *err)
{
	(void)from;
	(void)family;
	(void)terms;
	__atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
	sem_post(&begun);
	while (sem_wait(&may_answer))
		;
	rep->state = RAWNET_HOP_READY;
	rep->dmac[5] = dst[3];
	return dst[3] == 255 ? rn_fail(err, -EHOSTUNREACH, "no") : 0;
}

static int setup(void **state)
{
	(void)state;
	control_open(&c, "pollers = ( { } );\n"
			 "ports = ( { dev = \"a\"; backend = \"loop\"; sink = true;\n"
			 "  allow_mutable_memory = true; } );\n"
			 "policy = ( { user = \"4001\"; } );\n");
	asked = 0;
	return sem_init(&begun, 0, 0) || sem_init(&may_answer, 0, 0);
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) /* of a test that failed */
		sem_post(&may_answer);
	control_close(&c);
	sem_destroy(&begun);
	sem_destroy(&may_answer);
	return 0;
}

/* As if the port were one that the kernel has routes for. */
static void make_linux(void)
{
	c.daemon->served[0].port->ifindex = 1;
}

/* ---- who may ask ---- */

static void who_may_ask(void **state)
{
	struct rawnet_req_route q = {.dev = "a", .family = 4, .dst = {10, 0, 0, 9}};
	int alice = control_client(&c, ALICE, "alice"), bob = control_client(&c, BOB, "bob");
	int root = control_client(&c, 0, "root");

	(void)state;
	CONTROL_REFUSED(&c, bob, ROUTE, &q, -EACCES, "grants uid 4002 nothing");
	/* A loop port is no interface of Linux: who may ask gets to know that. */
	CONTROL_REFUSED(&c, alice, ROUTE, &q, -EOPNOTSUPP, "not an interface of Linux");
	CONTROL_REFUSED(&c, root, ROUTE, &q, -EOPNOTSUPP, "not an interface of Linux");
	c.daemon->served[0].port->present = false;
	CONTROL_REFUSED(&c, alice, ROUTE, &q, -ENODEV, "gone");
}

static void refused(void **state)
{
	struct rawnet_req_route q = {.dev = "b", .family = 4};
	int root = control_client(&c, 0, "root");

	(void)state;
	CONTROL_REFUSED(&c, root, ROUTE, &q, -ENODEV, "\"b\": not a port");
	memset(q.dev, 'a', sizeof(q.dev));
	CONTROL_REFUSED(&c, root, ROUTE, &q, -ENODEV, "not a port");
	q = (struct rawnet_req_route) {.dev = "a", .family = 5};
	CONTROL_REFUSED(&c, root, ROUTE, &q, -EINVAL, "family 5");
	q.family = 6;
	q.reserved[2] = 1;
	CONTROL_REFUSED(&c, root, ROUTE, &q, -EINVAL, "reserved");
}

/* ---- a kernel that takes its time ---- */

static void send_route(int fd, uint32_t id, uint8_t last)
{
	struct rawnet_req_route q = {.hdr = {.size = sizeof(q), .type = RAWNET_MSG_ROUTE, .id = id},
				     .dev = "a",
				     .family = 4,
				     .dst = {10, 0, 0, last}};

	control_send(fd, &q, sizeof(q));
	control_turn(&c);
}

static void send_status(int fd, uint32_t id)
{
	struct rawnet_hdr q = {.size = sizeof(q), .type = RAWNET_MSG_STATUS, .id = id};

	control_send(fd, &q, sizeof(q));
	control_turn(&c);
}

static void wait_until_begun(void)
{
	while (sem_wait(&begun))
		;
}

static void nothing_comes(int fd)
{
	uint8_t message[RAWNET_MSG_MAX];

	assert_int_equal(control_receive(&c, fd, message, sizeof(message)), -EAGAIN);
}

struct expected {
	int fd, n;
	_Alignas(16) uint8_t message[RAWNET_MSG_MAX];
};

static bool came(void *arg)
{
	struct expected *e = arg;

	e->n = control_receive(&c, e->fd, e->message, sizeof(e->message));
	return e->n != -EAGAIN;
}

/* The next message is the answer to this request. */
static const void *answer(int fd, uint16_t type, uint32_t id, int error)
{
	static struct expected e;
	const struct rawnet_hdr *hdr = (void *)e.message;

	e.fd = fd;
	control_await(&c, came, &e);
	assert_true(e.n >= (int)sizeof(*hdr));
	assert_int_equal(hdr->type, type | RAWNET_REPLY);
	assert_int_equal(hdr->id, id);
	assert_int_equal(hdr->error, error);
	return e.message;
}

static void others_are_served(void **state)
{
	struct rawnet_req_list q = {.dev = ""};
	struct rawnet_rep_port_list rep;
	const struct rawnet_rep_route *route;
	int alice = control_client(&c, ALICE, "alice"), root = control_client(&c, 0, "root");

	(void)state;
	make_linux();
	send_route(alice, 1, 7);
	wait_until_begun();
	assert_int_equal(CONTROL_ASK(&c, root, PORT_LIST, &q, &rep), 0);
	send_route(root, 2, 8);
	nothing_comes(alice);
	nothing_comes(root);
	sem_post(&may_answer);
	route = answer(alice, RAWNET_MSG_ROUTE, 1, 0);
	assert_int_equal(route->hdr.size, sizeof(*route));
	assert_int_equal(route->state, RAWNET_HOP_READY);
	assert_int_equal(route->dmac[5], 7);
	sem_post(&may_answer);
	route = answer(root, RAWNET_MSG_ROUTE, 2, 0);
	assert_int_equal(route->dmac[5], 8);
}

static void in_order(void **state)
{
	const struct rawnet_refusal *no;
	int alice = control_client(&c, ALICE, "alice");

	(void)state;
	make_linux();
	send_route(alice, 1, 7);
	send_status(alice, 2);
	send_route(alice, 3, 255);
	send_status(alice, 4);
	wait_until_begun();
	control_turn(&c);
	nothing_comes(alice);
	assert_int_equal(__atomic_load_n(&asked, __ATOMIC_RELAXED), 1);
	sem_post(&may_answer);
	sem_post(&may_answer);
	answer(alice, RAWNET_MSG_ROUTE, 1, 0);
	answer(alice, RAWNET_MSG_STATUS, 2, 0);
	no = answer(alice, RAWNET_MSG_ROUTE, 3, -EHOSTUNREACH);
	assert_string_equal(no->text, "no");
	answer(alice, RAWNET_MSG_STATUS, 4, 0);
}

/* Whose question is under way, and whose waits: both leave. */
static void who_leaves(void **state)
{
	int alice = control_client(&c, ALICE, "alice"), too = control_client(&c, ALICE, "too");
	int root = control_client(&c, 0, "root");

	(void)state;
	make_linux();
	send_route(alice, 1, 7);
	wait_until_begun();
	send_route(too, 1, 8);
	control_bye(&c, alice);
	control_bye(&c, too);
	assert_int_equal(c.daemon->n_clients, 1);
	send_route(root, 5, 9);
	sem_post(&may_answer);
	sem_post(&may_answer);
	answer(root, RAWNET_MSG_ROUTE, 5, 0);
	assert_int_equal(asked, 2);
}

/* And the daemon ends while the kernel thinks. */
static void who_waits_too_long(void **state)
{
	const struct rawnet_refusal *no;
	int alice = control_client(&c, ALICE, "alice");

	(void)state;
	make_linux();
	send_route(alice, 1, 7);
	wait_until_begun();
	no = answer(alice, RAWNET_MSG_ROUTE, 1, -ETIMEDOUT);
	assert_non_null(strstr(no->text, "dst 10.0.0.7: the kernel has not answered"));
	send_status(alice, 2);
	answer(alice, RAWNET_MSG_STATUS, 2, 0);
	send_route(alice, 3, 8);
	nothing_comes(alice);
	sem_post(&may_answer);
	sem_post(&may_answer);
	answer(alice, RAWNET_MSG_ROUTE, 3, 0);
	send_route(alice, 4, 9);
	sem_post(&may_answer);
}

/* Posts one answer once nobody is connected any more, so that no question waits. */
static void *answer_when_gone(void *arg)
{
	struct pollfd gone = {.fd = *(const int *)arg};

	while (poll(&gone, 1, -1) != 1 || !(gone.revents & POLLHUP))
		;
	sem_post(&may_answer);
	return NULL;
}

/* The daemon ends when the kernel has answered what it was asked, and asks it nothing more. */
static void stops_behind_one_question(void **state)
{
	int alice = control_client(&c, ALICE, "alice"), root = control_client(&c, 0, "root");
	pthread_t thread;

	(void)state;
	make_linux();
	send_route(alice, 1, 7);
	wait_until_begun();
	send_route(root, 1, 8);
	assert_int_equal(pthread_create(&thread, NULL, answer_when_gone, &root), 0);
	control_close(&c);
	pthread_join(thread, NULL);
	assert_int_equal(asked, 1);
	close(alice);
	close(root);
	sem_destroy(&begun);
	sem_destroy(&may_answer);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(who_may_ask),
		test(refused),
		test(others_are_served),
		test(in_order),
		test(who_leaves),
		test(who_waits_too_long),
		cmocka_unit_test_setup(stops_behind_one_question, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
