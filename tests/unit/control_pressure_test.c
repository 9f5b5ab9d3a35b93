/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients that ask much, do not read, hang up, send descriptors that nobody asked for, or connect
 * too often.
 *
 * Promise: who asks without end or without reading keeps nobody waiting, and leaves nothing.
 *
 * Seen to fail without its defence:
 *   descriptors not looked for (closer.c): nobody was ended in keeps_no_descriptor_that_it_is_sent
 *   neither READ_BURST nor READ_NS (messages.c): 100 answers at once in stops_between_bursts
 *   read on while an answer is held: two were lost in waits_for_who_does_not_read
 *   no answer held: the client was lost there
 *   connections left out of rn_policy_room(): the fourth was served in bounds_connections
 *   rn_policy_admit() left out of admit(), or users without connections not counted: the third of
 *   two was served in bounds_users
 *   the port left out of an entry's key: the second of one was served in bounds_users_of_each_port;
 *   a place taken before the attachment was there: the first of one was refused in it
 *   root in need of a place: refused in bounds_users
 *   the last entry that served a user kept alone, or rn_policy_admit() left out of ATTACH: the
 * third of two was served in bounds_users_of_two_entries
 */
#include <errno.h>
#include <fcntl.h>
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

static char conf[] = TWO_PORTS "policy = ( { user = \"4001\"; connections = 3; },\n"
			       "  { group = \"77\"; dev = \"a\"; users = 2; },\n"
			       "  { group = \"78\"; users = 2; },\n"
			       "  { group = \"77\"; dev = \"b\"; users = 1; } );\n";

/* ---- descriptors ---- */

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static bool nothing_is_charged(void *unused)
{
	(void)unused;
	return cds_list_empty(&c.daemon->usages);
}

static void keeps_no_descriptor_that_it_is_sent(void **state)
{
	struct rawnet_hdr hdr = {.size = sizeof(hdr), .type = RAWNET_MSG_STATUS};
	struct iovec iov = {.iov_base = &hdr, .iov_len = sizeof(hdr)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(int))}};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	unsigned before = open_fds();
	int ends[2];

	(void)state;
	for (int i = 0; i < 20; i++) {
		int fd = control_client(&c, 0, "");
		struct rawnet_disconnect bye;
		char byte;

		assert_int_equal(pipe(ends), 0);
		memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
		iov.iov_len = i % 2 ? sizeof(hdr) : 0;
		assert_int_equal(sendmsg(fd, &msg, 0), iov.iov_len);
		close(ends[1]);
		/* It is ended for that, and nobody has the pipe's end any more. */
		control_turn(&c);
		assert_int_equal(control_receive(&c, fd, &bye, sizeof(bye)), sizeof(bye));
		assert_int_equal(bye.hdr.type, RAWNET_MSG_DISCONNECT);
		assert_int_equal(bye.reason, RAWNET_BYE_PROTOCOL);
		assert_int_equal(read(ends[0], &byte, 1), 0);
		close(ends[0]);
		close(fd);
	}
	control_await(&c, nothing_is_charged, NULL);
	assert_int_equal(open_fds(), before);
}

/* ---- order and pressure ---- */

static void answers_in_order(void **state)
{
	struct rawnet_hdr hdr = {.size = sizeof(hdr)};
	_Alignas(16) uint8_t reply[RAWNET_MSG_MAX];
	const struct rawnet_hdr *rep = (void *)reply;
	int fd = control_client(&c, 0, "");

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		hdr.id = i;
		hdr.type = i % 3 ? RAWNET_MSG_STATUS : 77; /* refusals between */
		control_send(fd, &hdr, sizeof(hdr));
	}
	control_turn(&c);
	for (uint32_t i = 0; i < 100; i++) {
		assert_true(control_receive(&c, fd, reply, sizeof(reply)) > 0);
		assert_int_equal(rep->id, i);
		assert_int_equal(rep->error, i % 3 ? 0 : -ENOSYS);
	}
	assert_int_equal(control_receive(&c, fd, reply, sizeof(reply)), -EAGAIN);
	control_bye(&c, fd);
}

/* What one has asked for does not keep the control thread from the others. */
static void stops_between_bursts(void **state)
{
	struct rawnet_hdr hdr = {.size = sizeof(hdr), .type = RAWNET_MSG_STATUS};
	int fd = control_client(&c, 0, "");
	struct rawnet_rep_status rep;
	uint32_t got = 0, before;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		control_send(fd, &hdr, sizeof(hdr));
	while (got < 100) {
		before = got;
		assert_true(sd_event_run(c.daemon->event, 0) > 0);
		while (control_receive(&c, fd, &rep, sizeof(rep)) > 0)
			got++;
		assert_in_range(got - before, 0, 32);
	}
	control_bye(&c, fd);
}

/* Who does not read is not read: what was asked is answered later, and others are served. */
static void waits_for_who_does_not_read(void **state)
{
	struct rawnet_hdr hdr = {.size = sizeof(hdr), .type = RAWNET_MSG_STATUS};
	struct rawnet_rep_status rep;
	int fd = control_client(&c, 0, "lazy"), other = control_client(&c, 0, "other");
	uint32_t asked = 0, got = 0;

	(void)state;
	while (send(fd, &hdr, sizeof(hdr), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(hdr)) {
		hdr.id = ++asked;
		control_turn(&c);
		assert_true(asked < 100000);
	}
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(CONTROL_ASK(&c, other, STATUS, (struct rawnet_req_plain *)&hdr, &rep), 0);
	assert_int_equal(rep.clients, 2);
	while (control_receive(&c, fd, &rep, sizeof(rep)) > 0) {
		assert_int_equal(rep.hdr.id, got++);
		control_turn(&c);
	}
	assert_int_equal(got, asked);
	control_bye(&c, fd);
	control_bye(&c, other);
}

static void forgets_who_never_reads(void **state)
{
	struct rawnet_hdr hdr = {.size = sizeof(hdr), .type = RAWNET_MSG_STATUS};
	int fd = control_client(&c, 0, "lazy");

	(void)state;
	while (send(fd, &hdr, sizeof(hdr), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(hdr))
		control_turn(&c);
	control_bye(&c, fd);
	assert_int_equal(c.daemon->n_clients, 0);
	assert_true(cds_list_empty(&c.daemon->usages));
}

/* The last requests of a client that says goodbye at once are still served, or not: its attachments
 * go in any case. */
static void serves_who_hangs_up(void **state)
{
	struct rawnet_req_attach req = {.hdr = {.size = sizeof(req), .type = RAWNET_MSG_ATTACH},
					.dev = "a"};
	int fd = control_client(&c, 0, "");

	(void)state;
	control_send(fd, &req, sizeof(req));
	close(fd);
	control_turn(&c);
	fd = control_client(&c, 0, "");
	control_send(fd, &req, sizeof(req));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	control_turn(&c);
	assert_int_equal(c.daemon->n_clients, 0);
	assert_int_equal(c.daemon->served[0].port->n_attachments, 0);
	assert_true(cds_list_empty(&c.daemon->usages));
	close(fd);
}

/* ---- who may connect ---- */

static void bounds_connections(void **state)
{
	int fd[4], stranger[17];

	(void)state;
	for (int i = 0; i < 4; i++)
		fd[i] = control_connect(&c, USER);
	control_ended(&c, fd[3], RAWNET_BYE_POLICY);
	close(fd[3]);
	control_bye(&c, fd[0]);
	fd[3] = control_client(&c, USER, "again");
	for (int i = 1; i < 4; i++)
		control_bye(&c, fd[i]);
	/* One whom the policy does not know may look at his refusals, but not without bound. */
	for (int i = 0; i < 17; i++)
		stranger[i] = control_connect(&c, 5555);
	control_ended(&c, stranger[16], RAWNET_BYE_POLICY);
	assert_int_equal(c.daemon->n_clients, 16);
	for (int i = 0; i < 17; i++)
		control_bye(&c, stranger[i]);
	assert_int_equal(c.daemon->n_clients, 0);
	assert_true(cds_list_empty(&c.daemon->usages));
}

static int member_of(const gid_t *groups, size_t n, uid_t uid)
{
	struct rawnet_req_hello hello = {.min = 1, .max = 1, .label = "member"};
	int fd = control_connect_as(&c, c.path, uid, uid, groups, n);

	hello.hdr = (struct rawnet_hdr) {.size = sizeof(hello), .type = RAWNET_MSG_HELLO};
	(void)!send(fd, &hello, sizeof(hello), MSG_NOSIGNAL); /* one who is refused is gone */
	control_turn(&c);
	return fd;
}

static int member(uid_t uid)
{
	return member_of((const gid_t[]) {77}, 1, uid);
}

static void no_more_come_in(uid_t uid)
{
	int fd = member(uid);

	control_ended(&c, fd, RAWNET_BYE_POLICY);
	close(fd);
}

static void said_hello(int fd)
{
	struct rawnet_rep_hello rep;

	assert_int_equal(control_receive(&c, fd, &rep, sizeof(rep)), sizeof(rep));
	assert_int_equal(rep.hdr.error, 0);
}

/* One person who has thousands of ids is so many users of her group, but no more than the entry
 * has room for; one of whom a rule is left is one of them. */
static void bounds_users(void **state)
{
	struct rawnet_req_quota quota = {.self = 1};
	struct rawnet_rep_quota rep;
	int fd[65], user;
	uint64_t rule;

	(void)state;
	root = control_client(&c, 0, "root");
	fd[0] = member(5001);
	fd[1] = member(5002);
	fd[2] = member(5001);
	said_hello(fd[0]);
	no_more_come_in(5003);
	fd[3] = member(0); /* by that entry too */
	said_hello(fd[3]);
	control_bye(&c, fd[3]);
	assert_int_equal(CONTROL_ASK(&c, fd[0], QUOTA, &quota, &rep), 0);
	assert_int_equal(rep.used.users, 2);
	assert_int_equal(rep.limit.users, 2);
	rule = control_flow(&c, fd[0], "a", "udp dport 7", control_attach(&c, fd[0], "a"),
			    RAWNET_FLOW_PERSIST);
	control_bye(&c, fd[0]);
	control_bye(&c, fd[2]);
	no_more_come_in(5003);
	assert_int_equal(control_del(&c, root, rule), 0);
	fd[0] = member(5003);
	said_hello(fd[0]);
	no_more_come_in(5001);
	user = control_client(&c, USER, "other");
	control_bye(&c, user);
	control_bye(&c, fd[0]);
	control_bye(&c, fd[1]);
	/* And strangers. */
	for (uid_t i = 0; i < 65; i++)
		fd[i] = control_connect(&c, 6000 + i);
	control_ended(&c, fd[64], RAWNET_BYE_POLICY);
	for (int i = 0; i < 65; i++)
		control_bye(&c, fd[i]);
	control_bye(&c, root);
	assert_true(cds_list_empty(&c.daemon->usages));
}

/* A user whom two entries serve has a place in both, until he has nothing: one connection was by
 * the first, one by the second, and what he has on a port is by the entry of that port. */
static void bounds_users_of_two_entries(void **state)
{
	static const gid_t both[] = {77, 78}, second[] = {78};
	struct rawnet_req_attach req = {.dev = "b"};
	struct rawnet_rep_attach rep;
	int fd[5];

	(void)state;
	fd[0] = member(5001);
	fd[1] = member_of(second, 1, 5001);
	said_hello(fd[0]);
	said_hello(fd[1]);
	fd[2] = member(5002);
	said_hello(fd[2]);
	no_more_come_in(5003);
	fd[3] = member_of(second, 1, 5004);
	said_hello(fd[3]);
	/* In by the first entry, by 5002's place: the second has none for port b. */
	control_bye(&c, fd[2]);
	fd[2] = member_of(both, 2, 5005);
	said_hello(fd[2]);
	CONTROL_REFUSED(&c, fd[2], ATTACH, &req, -EDQUOT, "users: 2 of 2");
	control_bye(&c, fd[3]);
	assert_int_equal(CONTROL_ASK(&c, fd[2], ATTACH, &req, &rep), 0);
	fd[4] = member_of(second, 1, 5004);
	control_ended(&c, fd[4], RAWNET_BYE_POLICY);
	close(fd[4]);
	for (int i = 0; i < 3; i++)
		control_bye(&c, fd[i]);
	fd[0] = member_of(second, 1, 5004);
	said_hello(fd[0]);
	control_bye(&c, fd[0]);
	assert_true(cds_list_empty(&c.daemon->usages));
}

/* Entries that differ in nothing but their port count apart; what was refused takes no place. */
static void bounds_users_of_each_port(void **state)
{
	struct rawnet_req_attach req = {.dev = "b"}, refused = {.dev = "b", .copies = 1};
	struct rawnet_rep_attach rep;
	int fd[2];

	(void)state;
	fd[0] = member(5001);
	fd[1] = member(5002);
	said_hello(fd[0]);
	said_hello(fd[1]);
	assert_int_not_equal(CONTROL_ASK(&c, fd[1], ATTACH, &refused, &rep), 0);
	assert_int_equal(CONTROL_ASK(&c, fd[0], ATTACH, &req, &rep), 0);
	CONTROL_REFUSED(&c, fd[1], ATTACH, &req, -EDQUOT, "users: 1 of 1");
	control_bye(&c, fd[0]);
	assert_int_equal(CONTROL_ASK(&c, fd[1], ATTACH, &req, &rep), 0);
	control_bye(&c, fd[1]);
	assert_true(cds_list_empty(&c.daemon->usages));
}

int main(void)
{
#define TEST(name) DAEMON_TEST(name, conf)
	const struct CMUnitTest tests[] = {
		TEST(keeps_no_descriptor_that_it_is_sent),
		TEST(answers_in_order),
		TEST(stops_between_bursts),
		TEST(waits_for_who_does_not_read),
		TEST(forgets_who_never_reads),
		TEST(serves_who_hangs_up),
		TEST(bounds_connections),
		TEST(bounds_users),
		TEST(bounds_users_of_two_entries),
		TEST(bounds_users_of_each_port),
	};

	if (geteuid() != 0) {
		puts("SKIP: connects as several users, needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
