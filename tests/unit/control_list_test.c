/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists, status and counters, and who may see what. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control_people.h"

#define CAROL 4003u
#define WATCH 920u

static char conf[] = "daemon = { sandbox = false; log_level = \"error\"; monitor_group = \"920\";\n"
		     "  sockets = ( { path = \"@/sock\"; mode = 0666; } ); };\n" SINK_AND_REFLECT;

/* ---- lists ---- */

static void lists_attachments_in_pages(void **state)
{
	struct rawnet_req_list req = {0};
	struct rawnet_rep_attachment_list rep;
	uint32_t ids[30], seen = 0, n = 0;

	(void)state;
	for (int i = 0; i < 30; i++)
		ids[i] = control_attach(&c, bob, i % 3 ? "a" : "b");
	do {
		assert_int_equal(CONTROL_ASK(&c, bob, ATTACHMENT_LIST, &req, &rep), 0);
		assert_int_equal(rep.list.entry_size, sizeof(rep.entry[0]));
		for (uint32_t i = 0; i < rep.list.n; i++) {
			assert_true(rep.entry[i].attachment > seen);
			seen = rep.entry[i].attachment;
			assert_int_equal(seen, ids[n++]);
			assert_int_equal(rep.entry[i].uid, BOB);
			assert_string_equal(rep.entry[i].label, "bob");
			assert_int_equal(rep.entry[i].rx_size, 64);
		}
		req.cursor = rep.list.next;
	} while (req.cursor);
	assert_int_equal(n, 30);
	/* Others do not see them, root does. */
	assert_int_equal(CONTROL_ASK(&c, alice, ATTACHMENT_LIST, &req, &rep), 0);
	assert_int_equal(rep.list.n, 0);
	req = (struct rawnet_req_list) {.dev = "b"};
	assert_int_equal(CONTROL_ASK(&c, root, ATTACHMENT_LIST, &req, &rep), 0);
	assert_int_equal(rep.list.n, 10);
	req = (struct rawnet_req_list) {.id = ids[7]};
	assert_int_equal(CONTROL_ASK(&c, root, ATTACHMENT_LIST, &req, &rep), 0);
	assert_int_equal(rep.list.n, 1);
	assert_int_equal(rep.entry[0].attachment, ids[7]);
	req = (struct rawnet_req_list) {.client = rep.entry[0].client, .dev = "b"};
	assert_int_equal(CONTROL_ASK(&c, bob, ATTACHMENT_LIST, &req, &rep), 0);
	assert_int_equal(rep.list.n, 10);
}

static void lists_clients_in_pages(void **state)
{
	struct rawnet_req_list req = {0};
	struct rawnet_rep_client_list rep;
	int fd[20];
	uint32_t seen = 0, n = 0;

	(void)state;
	for (int i = 0; i < 20; i++)
		fd[i] = control_client(&c, BOB, "many");
	control_attach(&c, fd[0], "a");
	do {
		assert_int_equal(CONTROL_ASK(&c, bob, CLIENT_LIST, &req, &rep), 0);
		for (uint32_t i = 0; i < rep.list.n; i++, n++) {
			assert_true(rep.entry[i].client > seen);
			seen = rep.entry[i].client;
			assert_int_equal(rep.entry[i].uid, BOB);
			assert_int_equal(rep.entry[i].pid, getpid());
			assert_string_equal(rep.entry[i].label, n ? "many" : "bob");
			assert_int_equal(rep.entry[i].n_attachments, n == 1);
			assert_non_null(strstr(rep.entry[i].socket, "/sock"));
		}
		req.cursor = rep.list.next;
	} while (req.cursor);
	assert_int_equal(n, 21);
	assert_int_equal(CONTROL_ASK(&c, alice, CLIENT_LIST, &req, &rep), 0);
	assert_int_equal(rep.list.n, 1);
	req.id = seen;
	assert_int_equal(CONTROL_ASK(&c, alice, CLIENT_LIST, &req, &rep), 0);
	assert_int_equal(rep.list.n, 0);
	assert_int_equal(CONTROL_ASK(&c, root, CLIENT_LIST, &req, &rep), 0);
	assert_int_equal(rep.list.n, 1);
	for (int i = 0; i < 20; i++)
		control_bye(&c, fd[i]);
}

static void lists_ports_and_pollers(void **state)
{
	struct rawnet_req_list req = {0};
	struct rawnet_rep_port_list ports;
	struct rawnet_rep_poller_list pollers;

	(void)state;
	control_attach(&c, bob, "b");
	assert_int_equal(CONTROL_ASK(&c, alice, PORT_LIST, &req, &ports), 0);
	assert_int_equal(ports.list.n, 2);
	assert_string_equal(ports.entry[0].dev, "a");
	assert_int_equal(ports.entry[1].n_attachments, 1);
	assert_int_equal(ports.entry[1].n_pollers, 2);
	assert_int_equal(ports.entry[1].mtu, 9000);
	assert_int_equal(ports.entry[1].present, 1);
	assert_int_equal(CONTROL_ASK(&c, alice, POLLER_LIST, &req, &pollers), 0);
	assert_int_equal(pollers.list.n, 2);
	assert_int_equal(pollers.entry[0].busy, 0);
	assert_int_equal(pollers.entry[1].busy, 1);
	assert_int_equal(pollers.entry[1].queues, 1);
	req = (struct rawnet_req_list) {.dev = "b"};
	assert_int_equal(CONTROL_ASK(&c, alice, PORT_LIST, &req, &ports), 0);
	assert_int_equal(ports.list.n, 1);
	req = (struct rawnet_req_list) {.cursor = UINT64_MAX};
	assert_int_equal(CONTROL_ASK(&c, alice, PORT_LIST, &req, &ports), 0);
	assert_int_equal(ports.list.n, 0);
	assert_int_equal(CONTROL_ASK(&c, alice, POLLER_LIST, &req, &pollers), 0);
	assert_int_equal(pollers.list.n, 0);
}

static void says_how_it_is(void **state)
{
	struct rawnet_req_plain req;
	struct rawnet_rep_status rep;

	(void)state;
	control_flow(&c, bob, "a", "udp dport 7", control_attach(&c, bob, "a"), 0);
	assert_int_equal(CONTROL_ASK(&c, alice, STATUS, &req, &rep), 0);
	assert_int_equal(rep.pid, getpid());
	assert_int_equal(rep.ports, 2);
	assert_int_equal(rep.pollers, 2);
	assert_int_equal(rep.clients, 3);
	assert_int_equal(rep.attachments, 1);
	assert_int_equal(rep.rules, 1);
	assert_int_equal(rep.reloads, 0);
	assert_true(rep.memory > 0);
	assert_string_equal(rep.config, c.conf);
}

static void counts_for_those_who_may_know(void **state)
{
	struct rawnet_req_counters req = {.attachment = control_attach(&c, alice, "b")};
	struct rawnet_rep_counters rep;

	(void)state;
	assert_int_equal(CONTROL_ASK(&c, alice, COUNTERS, &req, &rep), 0);
	assert_int_equal(rep.n, RAWNET_Q_COUNT);
	req.queue = 1;
	assert_int_equal(CONTROL_ASK(&c, root, COUNTERS, &req, &rep), 0);
	req.queue = RAWNET_ALL_QUEUES;
	assert_int_equal(CONTROL_ASK(&c, alice, COUNTERS, &req, &rep), 0);
	req.queue = 2;
	CONTROL_REFUSED(&c, alice, COUNTERS, &req, -EINVAL, "queue 2: the attachment has 2");
	req.queue = 0;
	CONTROL_REFUSED(&c, bob, COUNTERS, &req, -ENOENT, "not yours");
	req.attachment = 0;
	CONTROL_REFUSED(&c, bob, COUNTERS, &req, -ENODEV, "dev");
	strcpy(req.dev, "a");
	assert_int_equal(CONTROL_ASK(&c, bob, COUNTERS, &req, &rep), 0);
	assert_int_equal(rep.n, RAWNET_P_COUNT);
	memset(req.dev, 'a', sizeof(req.dev));
	CONTROL_REFUSED(&c, bob, COUNTERS, &req, -ENODEV, "dev");
}

/* The monitor group sees what all have, and changes nothing of it. */
static void shows_all_to_the_monitor_group(void **state)
{
	const gid_t groups[] = {WATCH};
	const uint32_t at = control_attach(&c, alice, "b");
	const uint64_t rule = control_flow(&c, alice, "b", "udp dport 7", at, 0);
	struct rawnet_req_counters counters = {.attachment = at};
	struct rawnet_req_hello hello = {.min = 1, .max = 1};
	struct rawnet_req_id del = {.id = rule};
	struct rawnet_rep_attachment_list list;
	struct rawnet_rep_counters rep;
	struct rawnet_req_list all = {0};
	struct rawnet_rep_hello me;
	int carol = control_connect_as(&c, c.path, CAROL, CAROL, groups, 1);

	(void)state;
	assert_int_equal(CONTROL_ASK(&c, carol, HELLO, &hello, &me), 0);
	assert_int_equal(me.admin, 0);
	assert_int_equal(CONTROL_ASK(&c, carol, ATTACHMENT_LIST, &all, &list), 0);
	assert_int_equal(list.list.n, 1);
	assert_int_equal(list.entry[0].attachment, at);
	assert_int_equal(CONTROL_ASK(&c, carol, COUNTERS, &counters, &rep), 0);
	CONTROL_REFUSED(&c, carol, FLOW_DEL, &del, -ENOENT, "not yours");
	del.id = list.entry[0].client;
	CONTROL_REFUSED(&c, carol, CLIENT_DISCONNECT, &del, -ENOENT, "not yours");
	control_bye(&c, carol);
}

int main(void)
{
#define TEST(name) PEOPLE_TEST(name, conf)
	const struct CMUnitTest tests[] = {
		TEST(lists_attachments_in_pages),    TEST(lists_clients_in_pages),
		TEST(lists_ports_and_pollers),	     TEST(says_how_it_is),
		TEST(counts_for_those_who_may_know), TEST(shows_all_to_the_monitor_group),
	};

	if (geteuid() != 0) {
		puts("SKIP: connects as several users, needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
