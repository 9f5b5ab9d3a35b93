/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages on the control channel: HELLO and its versions, requests before it, requests that are
 * short, long, unknown or lie about their size, descriptors that nobody asked for, clients that do
 * not read, and the quota of connections.
 *
 * Promise: no message makes the daemon read what was not sent, and all before HELLO is refused.
 * Seen to fail without its defence (messages.c):
 *   ends_who_lies_about_sizes        either comparison of dispatch() left out: nobody was ended
 *   takes_short_requests             request_space not zeroed: the last request's mask counted
 *   ends_who_sends_too_much          one byte more than a request taken: nobody was ended
 *   refuses_everything_before_hello  `greeted` not asked for: request 2 was answered
 *   refuses_labels...                rn_policy_is_label() that takes all: the label was taken
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control_people.h"

#define USER 4001u

static char conf[] = TWO_PORTS "policy = ( { user = \"4001\"; connections = 3; } );\n";

static struct rawnet_req_hello hello_of(uint32_t min, uint32_t max, const char *label)
{
	struct rawnet_req_hello h = {.min = min, .max = max, .program = "test 1.0"};

	memcpy(h.label, label, strnlen(label, sizeof(h.label)));
	return h;
}

/* ---- HELLO ---- */

static void says_hello(void **state)
{
	struct rawnet_req_hello h = hello_of(1, 1, "me.1@x:y_z-");
	struct rawnet_rep_hello rep;
	int fd = control_connect(&c, USER);

	(void)state;
	assert_int_equal(CONTROL_ASK(&c, fd, HELLO, &h, &rep), 0);
	assert_int_equal(rep.version, 1);
	assert_int_equal(rep.uid, USER);
	assert_int_equal(rep.gid, USER);
	assert_int_equal(rep.admin, 0);
	assert_int_equal(rep.abi, RAWNET_ABI_VERSION);
	assert_int_equal(rep.instance, c.daemon->instance);
	assert_int_equal(strncmp(rep.daemon, "rawnetd ", 8), 0);
	CONTROL_REFUSED(&c, fd, HELLO, &h, -EALREADY, "HELLO was said before");
	control_bye(&c, fd);
}

static void agrees_on_a_version(void **state)
{
	static const struct {
		uint32_t min, max;
		int rc;
	} cases[] = {{1, 1, 0},	      {0, 1, 0},
		     {1, 9, 0},	      {0, 0xffffffff, 0},
		     {0, 0, -EPROTO}, {2, 9, -EPROTO},
		     {2, 1, -EPROTO}, {0xffffffff, 0xffffffff, -EPROTO}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rawnet_req_hello h = hello_of(cases[i].min, cases[i].max, "");
		struct rawnet_rep_hello rep;
		int fd = control_connect(&c, 0);

		if (cases[i].rc) {
			CONTROL_REFUSED(&c, fd, HELLO, &h, cases[i].rc, "version");
			h = hello_of(1, 1, "again"); /* a refused HELLO may be said again */
		}
		assert_int_equal(CONTROL_ASK(&c, fd, HELLO, &h, &rep), 0);
		assert_int_equal(rep.version, 1);
		assert_int_equal(rep.admin, 1);
		control_bye(&c, fd);
	}
}

static void refuses_labels_that_cannot_be_shown(void **state)
{
	static const char *const bad[] = {"a b",      "a/b",  "a\nb", "\x1b[2J",
					  "\xc3\xa4", "a\"b", "%s"};
	int fd = control_connect(&c, 0);
	struct rawnet_req_hello h;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		h = hello_of(1, 1, bad[i]);
		CONTROL_REFUSED(&c, fd, HELLO, &h, -EINVAL, "label");
	}
	h = hello_of(1, 1, "0123456789012345678901234567890123456789"); /* no NUL */
	CONTROL_REFUSED(&c, fd, HELLO, &h, -EINVAL, "label");
	h = hello_of(1, 1, "ok");
	strcpy(h.program, "a\nb");
	CONTROL_REFUSED(&c, fd, HELLO, &h, -EINVAL, "program");
	memset(h.program, 'x', sizeof(h.program));
	CONTROL_REFUSED(&c, fd, HELLO, &h, -EINVAL, "program");
	control_bye(&c, fd);
}

/* Others see labels: nothing that stands behind their end. */
static void shows_nothing_behind_a_label(void **state)
{
	struct rawnet_req_hello h = hello_of(1, 1, "short");
	struct rawnet_rep_hello rep;
	struct rawnet_req_list list = {0};
	struct rawnet_rep_client_list clients;
	int fd = control_connect(&c, 0);

	(void)state;
	strcpy(h.label + 6, "hidden\n");
	strcpy(h.program + 9, "hidden\n");
	assert_int_equal(CONTROL_ASK(&c, fd, HELLO, &h, &rep), 0);
	assert_int_equal(CONTROL_ASK(&c, fd, CLIENT_LIST, &list, &clients), 0);
	assert_int_equal(clients.list.n, 1);
	assert_string_equal(clients.entry[0].label, "short");
	for (size_t i = 5; i < RAWNET_LABEL; i++)
		assert_int_equal(clients.entry[0].label[i], 0);
	for (size_t i = 8; i < RAWNET_LABEL; i++)
		assert_int_equal(clients.entry[0].program[i], 0);
	control_bye(&c, fd);
}

/* ---- requests in wrong states and sizes ---- */

static const struct {
	uint16_t type;
	size_t size;
} requests[] = {
#define ENTRY(NAME, number, request, reply) {RAWNET_MSG_##NAME, sizeof(struct request)},
	RAWNET_REQUESTS(ENTRY)
#undef ENTRY
};
#define N_REQUESTS (sizeof(requests) / sizeof(requests[0]))

static void refuses_everything_before_hello(void **state)
{
	_Alignas(16) uint8_t message[RAWNET_MSG_MAX];
	int fd = control_connect(&c, 0);

	(void)state;
	for (size_t i = 0; i < N_REQUESTS; i++) {
		if (requests[i].type == RAWNET_MSG_HELLO)
			continue;
		memset(message, 0, sizeof(message));
		control_refused(&c, fd, requests[i].type, message, requests[i].size, -EPROTO,
				"HELLO comes first");
	}
	control_bye(&c, fd);
}

static bool is_known(uint16_t type)
{
	for (size_t i = 0; i < N_REQUESTS; i++)
		if (requests[i].type == type)
			return true;
	return false;
}

static void refuses_unknown_types(void **state)
{
	struct rawnet_req_plain req;
	int fd = control_client(&c, 0, ""), stranger = control_connect(&c, 0);

	(void)state;
	for (uint16_t type = 0; type < 0x200; type++)
		if (!is_known(type)) {
			control_refused(&c, fd, type, &req, sizeof(req), -ENOSYS, "not known");
			control_refused(&c, stranger, type, &req, sizeof(req), -ENOSYS,
					"not known");
		}
	control_refused(&c, fd, 0x7fff, &req, sizeof(req), -ENOSYS, "not known");
	control_bye(&c, fd);
	control_bye(&c, stranger);
}

/* A reply's type is no request's. */
static void refuses_replies(void **state)
{
	struct rawnet_hdr hdr = {
		.size = sizeof(hdr), .type = RAWNET_MSG_STATUS | RAWNET_REPLY, .id = 5};
	struct rawnet_refusal no;
	int fd = control_client(&c, 0, "");

	(void)state;
	control_send(fd, &hdr, sizeof(hdr));
	control_turn(&c);
	assert_int_equal(control_receive(&c, fd, &no, sizeof(no)), sizeof(no));
	assert_int_equal(no.hdr.error, -ENOSYS);
	assert_int_equal(no.hdr.id, 5);
	control_bye(&c, fd);
}

/* An older client's requests are shorter: what is missing reads as zero. Here everything is. */
static void takes_short_requests(void **state)
{
	_Alignas(16) uint8_t message[RAWNET_MSG_MAX], reply[RAWNET_MSG_MAX];

	(void)state;
	for (size_t i = 0; i < N_REQUESTS; i++)
		for (size_t size = sizeof(struct rawnet_hdr); size <= requests[i].size; size++) {
			int fd = control_client(&c, 0, "");
			char *before = control_state(c.daemon), *after;
			struct rawnet_hdr *hdr = (void *)message;
			int n;

			memset(message, 0, sizeof(message));
			*hdr = (struct rawnet_hdr) {.size = (uint32_t)size,
						    .type = requests[i].type};
			control_send(fd, message, size);
			control_turn(&c);
			n = control_receive(&c, fd, reply, sizeof(reply));
			assert_true(n >= (int)sizeof(*hdr));
			hdr = (void *)reply;
			assert_int_equal(hdr->type, requests[i].type | RAWNET_REPLY);
			after = control_state(c.daemon);
			assert_string_equal(before, after);
			free(before);
			free(after);
			control_bye(&c, fd);
		}
}

/* A newer client's are longer. */
static void takes_long_requests(void **state)
{
	_Alignas(16) uint8_t message[RAWNET_MSG_MAX], reply[RAWNET_MSG_MAX];
	const struct rawnet_hdr *hdr = (void *)reply;
	int fd = control_client(&c, 0, "");

	(void)state;
	for (size_t i = 0; i < N_REQUESTS; i++) {
		memset(message, 0, requests[i].size);
		memset(message + requests[i].size, 0xff, sizeof(message) - requests[i].size);
		*(struct rawnet_hdr *)(void *)message =
			(struct rawnet_hdr) {.size = sizeof(message), .type = requests[i].type};
		control_send(fd, message, sizeof(message));
		control_turn(&c);
		assert_true(control_receive(&c, fd, reply, sizeof(reply)) >= (int)sizeof(*hdr));
		assert_int_equal(hdr->type, requests[i].type | RAWNET_REPLY);
	}
	control_bye(&c, fd);
}

static void ends_who_lies_about_sizes(void **state)
{
	static const struct {
		uint32_t said;
		size_t sent;
	} cases[] = {{16, 24}, {32, 24}, {0, 16}, {0xffffffff, 16},
		     {4, 4},   {15, 15}, {1, 1},  {16, 15}};
	uint8_t message[64] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = control_client(&c, 0, "");

		memcpy(message, &cases[i].said, 4);
		message[4] = RAWNET_MSG_STATUS;
		control_send(fd, message, cases[i].sent);
		control_ended(&c, fd, RAWNET_BYE_PROTOCOL);
		close(fd);
	}
	assert_int_equal(c.daemon->n_clients, 0);
}

static void ends_who_sends_too_much(void **state)
{
	static uint8_t message[RAWNET_MSG_MAX + 1];
	int fd = control_client(&c, 0, "");

	(void)state;
	*(struct rawnet_hdr *)(void *)message =
		(struct rawnet_hdr) {.size = sizeof(message), .type = RAWNET_MSG_STATUS};
	control_send(fd, message, sizeof(message));
	control_ended(&c, fd, RAWNET_BYE_PROTOCOL);
	close(fd);
	assert_int_equal(c.daemon->n_clients, 0);
}

/* An empty message cannot be told from the end of the connection. */
static void takes_an_empty_message_as_the_end(void **state)
{
	int fd = control_client(&c, 0, "");
	char byte;

	(void)state;
	assert_int_equal(send(fd, "", 0, MSG_NOSIGNAL), 0);
	control_turn(&c);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(c.daemon->n_clients, 0);
	close(fd);
}

int main(void)
{
#define TEST(name) DAEMON_TEST(name, conf)
	const struct CMUnitTest tests[] = {
		TEST(says_hello),
		TEST(agrees_on_a_version),
		TEST(refuses_labels_that_cannot_be_shown),
		TEST(shows_nothing_behind_a_label),
		TEST(refuses_everything_before_hello),
		TEST(refuses_unknown_types),
		TEST(refuses_replies),
		TEST(takes_short_requests),
		TEST(takes_long_requests),
		TEST(ends_who_lies_about_sizes),
		TEST(ends_who_sends_too_much),
		TEST(takes_an_empty_message_as_the_end),
	};

	if (geteuid() != 0) {
		puts("SKIP: connects as several users, needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
