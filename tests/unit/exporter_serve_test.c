/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exporter's connections.
 *
 * Promise: who opens many connections does not take an answer away from somebody who is reading it,
 * and who does not read does not keep others away. Names that anybody can lead to this host get
 * nothing. Seen to fail without its defence:
 *   crowd    the oldest makes room, whatever it does: the page was cut off
 *   stalled  nobody who is being answered makes room: nothing came within 30 s
 *   rebound  Host not looked at: the page
 */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "serve.h"

#define PAGE (4u << 20) /* more than sockets buffer */
#define GET  "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n"

static struct serve serve;
static struct sockaddr_un local = {.sun_family = AF_UNIX}; /* an abstract name */
static struct sockaddr_in tcp = {.sin_family = AF_INET};
static pthread_t thread;
static int stop_fd;

static int make(void *arg, struct page *page)
{
	(void)arg;
	for (size_t i = 0; i < PAGE / 16; i++)
		page_print(page, "0123456789abcdef");
	return 0;
}

static void *run(void *arg)
{
	(void)arg;
	assert_int_equal(serve_run(&serve, stop_fd), 0);
	return NULL;
}

static int setup(void **state)
{
	socklen_t len = sizeof(tcp);

	(void)state;
	snprintf(local.sun_path + 1, sizeof(local.sun_path) - 1, "rawnet-serve-%d", (int)getpid());
	tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	serve = (struct serve) {.n_listeners = 2, .make = make};
	serve.listener[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	serve.listener[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(serve.listener[0], (const struct sockaddr *)&local, sizeof(local)) ||
	    bind(serve.listener[1], (const struct sockaddr *)&tcp, sizeof(tcp)) ||
	    listen(serve.listener[0], 64) || listen(serve.listener[1], 64) ||
	    getsockname(serve.listener[1], (struct sockaddr *)&tcp, &len))
		return -1;
	stop_fd = eventfd(0, 0);
	return pthread_create(&thread, NULL, run, NULL);
}

static int teardown(void **state)
{
	(void)state;
	eventfd_write(stop_fd, 1);
	pthread_join(thread, NULL);
	close(serve.listener[0]);
	close(serve.listener[1]);
	close(stop_fd);
	return 0;
}

static int connect_to(int family)
{
	int fd = socket(family, SOCK_STREAM, 0);
	const struct timeval patience = {.tv_sec = 30};

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(family == AF_UNIX
				 ? connect(fd, (const struct sockaddr *)&local, sizeof(local))
				 : connect(fd, (const struct sockaddr *)&tcp, sizeof(tcp)),
			 0);
	return fd;
}

static void ask(int fd, const char *host)
{
	char text[128];
	int n = snprintf(text, sizeof(text), GET, host);

	assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

/* The first bytes of an answer: its status. */
static int status_of(int fd)
{
	char text[64] = "";
	int status = 0;

	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 12);
	assert_int_equal(sscanf(text, "HTTP/1.1 %3d ", &status), 1);
	return status;
}

/* The rest of an answer. */
static size_t rest_of(int fd)
{
	static char text[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = recv(fd, text, sizeof(text), 0)) > 0)
		all += (size_t)n;
	return all;
}

static void a_crowd_takes_no_answer_away(void **state)
{
	int fd = connect_to(AF_UNIX), idle[40], asking;

	(void)state;
	ask(fd, "localhost");
	assert_int_equal(status_of(fd), 200);
	for (int i = 0; i < 40; i++)
		idle[i] = connect_to(AF_UNIX);
	/* Behind all of them: they were accepted when this one is answered. */
	asking = connect_to(AF_UNIX);
	ask(asking, "localhost");
	assert_int_equal(status_of(asking), 200);
	assert_true(rest_of(fd) >= PAGE);
	close(fd);
	close(asking);
	for (int i = 0; i < 40; i++)
		close(idle[i]);
}

static void who_does_not_read_makes_room(void **state)
{
	struct timespec before, after;
	int deaf[SERVE_PEERS], fd;

	(void)state;
	for (unsigned i = 0; i < SERVE_PEERS; i++) {
		deaf[i] = connect_to(AF_UNIX);
		ask(deaf[i], "localhost");
		assert_int_equal(status_of(deaf[i]), 200);
	}
	clock_gettime(CLOCK_MONOTONIC, &before);
	fd = connect_to(AF_UNIX);
	ask(fd, "localhost");
	assert_int_equal(status_of(fd), 200);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(rest_of(fd) >= PAGE);
	assert_in_range(after.tv_sec - before.tv_sec, 0, SERVE_MS / 2000);
	close(fd);
	for (unsigned i = 0; i < SERVE_PEERS; i++)
		close(deaf[i]);
}

static void rebound_names_get_nothing(void **state)
{
	static const struct {
		int family;
		const char *host;
		int status;
	} cases[] = {
		{AF_INET, "evil.example:9748", 421},
		{AF_INET, "127.0.0.1:9748", 200},
		{AF_INET, "localhost", 200},
		{AF_UNIX, "evil.example", 200},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = connect_to(cases[i].family);

		ask(fd, cases[i].host);
		assert_int_equal(status_of(fd), cases[i].status);
		assert_true((rest_of(fd) >= PAGE) == (cases[i].status == 200));
		close(fd);
	}
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_crowd_takes_no_answer_away),
		test(who_does_not_read_makes_room),
		test(rebound_names_get_nothing),
	};

	return cmocka_run_group_tests_name("serve", tests, NULL, NULL);
}
