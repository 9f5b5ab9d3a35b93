/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What operators do: draining, disconnecting, watching events; and who is an administrator.
 */
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

#define WHEEL 910u

static char conf[] =
	"daemon = { sandbox = false; log_level = \"error\"; admin_group = \"910\";\n"
	"  sockets = ( { path = \"@/sock\"; mode = 0666; } ); };\n"
	"ports = ( { dev = \"a\"; backend = \"loop\"; sink = true; allow_mutable_memory = true; } "
	");\n"
	"policy = ( { user = \"4001\"; }, { user = \"4002\"; } );\n";

static void subscribe(int fd, uint32_t mask)
{
	struct rawnet_req_subscribe req = {.mask = mask};
	struct rawnet_rep_plain rep;

	assert_int_equal(CONTROL_ASK(&c, fd, SUBSCRIBE, &req, &rep), 0);
}

/* ---- administrators ---- */

static void knows_its_administrators(void **state)
{
	const gid_t groups[] = {1, WHEEL, 3};
	struct rawnet_rep_hello rep;
	int fd = control_connect_as(&c, c.path, BOB, 77, groups, 3);

	(void)state;
	assert_int_equal(people_hello(fd).admin, 1); /* by a supplementary group */
	control_bye(&c, fd);
	fd = control_connect_as(&c, c.path, BOB, WHEEL, NULL, 0);
	rep = people_hello(fd);
	assert_int_equal(rep.admin, 1); /* by its own */
	assert_int_equal(rep.gid, WHEEL);
	control_bye(&c, fd);
	fd = control_connect_as(&c, c.path, BOB, WHEEL + 1, groups, 1);
	assert_int_equal(people_hello(fd).admin, 0);
	control_bye(&c, fd);
}

static void drains(void **state)
{
	struct rawnet_req_drain req = {.dev = "a", .on = 1};
	struct rawnet_req_attach attach = {.dev = "a"};
	struct rawnet_rep_plain rep;
	struct rawnet_event event;
	uint32_t at = control_attach(&c, alice, "a");
	uint64_t rule = control_flow(&c, alice, "a", "udp dport 7", at, 0);
	struct rawnet_req_flow_add add = control_flow_request("a", "udp dport 8", at, 0);

	(void)state;
	subscribe(bob, RAWNET_EVENT_PORT);
	CONTROL_REFUSED(&c, alice, PORT_DRAIN, &req, -EPERM, "for root");
	req.on = 2;
	CONTROL_REFUSED(&c, root, PORT_DRAIN, &req, -EINVAL, "on 2");
	req.on = 1;
	strcpy(req.dev, "b");
	CONTROL_REFUSED(&c, root, PORT_DRAIN, &req, -ENODEV, "\"b\"");
	strcpy(req.dev, "a");
	for (int i = 0; i < 2; i++)
		assert_int_equal(CONTROL_ASK(&c, root, PORT_DRAIN, &req, &rep), 0);
	assert_true(control_event(&c, bob, "draining", &event)); /* everybody may know */
	assert_string_equal(event.dev, "a");
	CONTROL_REFUSED(&c, bob, ATTACH, &attach, -EBUSY, "drained");
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &add, -EBUSY, "drained");
	assert_int_equal(control_del(&c, alice, rule), 0);
	req.on = 0;
	assert_int_equal(CONTROL_ASK(&c, root, PORT_DRAIN, &req, &rep), 0);
	assert_true(control_event(&c, bob, "resumed", &event));
	control_attach(&c, bob, "a");
}

static uint32_t client_id(int fd, const char *label)
{
	struct rawnet_req_list req = {0};
	struct rawnet_rep_client_list rep;

	assert_int_equal(CONTROL_ASK(&c, fd, CLIENT_LIST, &req, &rep), 0);
	for (uint32_t i = 0; i < rep.list.n; i++)
		if (!strcmp(rep.entry[i].label, label))
			return rep.entry[i].client;
	fail_msg("no client %s", label);
	return 0;
}

static void disconnects(void **state)
{
	int second = control_client(&c, ALICE, "second"),
	    third = control_client(&c, ALICE, "third");
	struct rawnet_req_id id = {.id = client_id(root, "second")};
	struct rawnet_rep_plain rep;

	(void)state;
	control_flow(&c, second, "a", "udp dport 7", control_attach(&c, second, "a"), 0);
	CONTROL_REFUSED(&c, bob, CLIENT_DISCONNECT, &id, -ENOENT, "not yours");
	assert_int_equal(CONTROL_ASK(&c, root, CLIENT_DISCONNECT, &id, &rep), 0);
	control_ended(&c, second, RAWNET_BYE_ADMIN);
	assert_int_equal(c.daemon->served[0].port->n_attachments, 0);
	CONTROL_REFUSED(&c, root, CLIENT_DISCONNECT, &id, -ENOENT, "there is none");
	id.id = client_id(root, "third");
	assert_int_equal(CONTROL_ASK(&c, alice, CLIENT_DISCONNECT, &id, &rep), 0); /* her own */
	control_ended(&c, third, RAWNET_BYE_ADMIN);
	id.id = client_id(root, "root");
	CONTROL_REFUSED(&c, root, CLIENT_DISCONNECT, &id, -EINVAL, "this connection");
	id.id |= 1ull << 32;
	CONTROL_REFUSED(&c, root, CLIENT_DISCONNECT, &id, -ENOENT, "there is none");
	close(second);
	close(third);
}

/* ---- events ---- */

static void tells_of_clients(void **state)
{
	struct rawnet_req_subscribe bad = {.mask = 0x10};
	struct rawnet_event event;
	int second;

	(void)state;
	CONTROL_REFUSED(&c, root, SUBSCRIBE, &bad, -EINVAL, "mask 0x10");
	subscribe(root, RAWNET_EVENT_CLIENT);
	subscribe(alice, RAWNET_EVENT_CLIENT);
	subscribe(bob, RAWNET_EVENT_CLIENT);
	second = control_client(&c, ALICE, "second");
	assert_true(control_event(&c, root, "connected", &event));
	assert_int_equal(event.uid, ALICE);
	assert_int_equal(event.lost, 0);
	assert_string_equal(event.text, "second");
	control_attach(&c, second, "a");
	assert_true(control_event(&c, root, "attached", &event));
	assert_string_equal(event.dev, "a");
	control_bye(&c, second);
	assert_true(control_event(&c, root, "left", &event));
	assert_true(control_event(&c, alice, "detached", &event));
	assert_false(control_event(&c, bob, "left", &event));
	subscribe(root, 0);
	control_bye(&c, control_client(&c, ALICE, "third"));
	assert_false(control_event(&c, root, "left", &event));
}

/* Who does not read loses events, and is told how many; nobody waits for him. */
static void counts_lost_events(void **state)
{
	struct rawnet_event event;
	_Alignas(16) uint8_t message[RAWNET_MSG_MAX];
	uint32_t got = 0, sent = 0;

	(void)state;
	subscribe(root, RAWNET_EVENT_CLIENT);
	for (; sent < 3000; sent += 2) /* connected, left */
		control_bye(&c, control_client(&c, ALICE, ""));
	while (control_receive(&c, root, message, sizeof(message)) > 0)
		got++;
	assert_true(got < sent);
	control_bye(&c, control_client(&c, ALICE, ""));
	assert_true(control_event(&c, root, "connected", &event));
	assert_int_equal(event.lost, sent - got);
	control_bye(&c, control_client(&c, ALICE, ""));
	assert_true(control_event(&c, root, "connected", &event));
	assert_int_equal(event.lost, 0);
}

/* ---- capturing ---- */

static void captures_for_those_who_may(void **state)
{
	struct rawnet_req_capture req = {.direction = RAWNET_CAPTURE_RX | RAWNET_CAPTURE_TX};
	struct rawnet_rep_plain rep;
	uint32_t hers = control_attach(&c, alice, "a"), sink = control_attach(&c, alice, "a"),
		 his = control_attach(&c, bob, "a");

	(void)state;
	req.attachment = his;
	CONTROL_REFUSED(&c, alice, CAPTURE, &req, -ENOENT, "not one of yours");
	req.attachment = sink;
	CONTROL_REFUSED(&c, alice, CAPTURE, &req, -EPERM, "of your own");
	req.of = his;
	CONTROL_REFUSED(&c, alice, CAPTURE, &req, -EPERM, "of your own");
	req.of = 0;
	req.rule = control_flow(&c, bob, "a", "udp dport 7", his, 0);
	CONTROL_REFUSED(&c, alice, CAPTURE, &req, -EPERM, "of your own");
	req.rule = 0;
	req.of = hers;
	req.direction = 4;
	CONTROL_REFUSED(&c, alice, CAPTURE, &req, -EINVAL, "direction");
	req.direction = RAWNET_CAPTURE_RX;
	req.n_insns = RAWNET_CAPTURE_INSNS + 1;
	CONTROL_REFUSED(&c, alice, CAPTURE, &req, -EINVAL, "n_insns");
	req.n_insns = 1; /* a load, and no return */
	req.insn[0].code = 0x28;
	CONTROL_REFUSED(&c, alice, CAPTURE, &req, -EINVAL, "filter");
	req.insn[0].code = 0x06;
	for (int i = 0; i < 3; i++)
		assert_int_equal(CONTROL_ASK(&c, alice, CAPTURE, &req, &rep), 0);
	req.direction = 0;
	for (int i = 0; i < 2; i++)
		assert_int_equal(CONTROL_ASK(&c, alice, CAPTURE, &req, &rep), 0);
	/* Root sees all, of what is there. */
	req = (struct rawnet_req_capture) {.attachment = control_attach(&c, root, "a"),
					   .direction = RAWNET_CAPTURE_RX};
	assert_int_equal(CONTROL_ASK(&c, root, CAPTURE, &req, &rep), 0);
	req.of = 999;
	CONTROL_REFUSED(&c, root, CAPTURE, &req, -ENOENT, "no attachment 999");
	req.of = 0;
	req.rule = 999;
	CONTROL_REFUSED(&c, root, CAPTURE, &req, -ENOENT, "rule 999");
}

static void bounds_captures_of_a_port(void **state)
{
	struct rawnet_req_capture req = {.direction = RAWNET_CAPTURE_RX};
	struct rawnet_req_id id;
	struct rawnet_rep_plain rep;
	uint32_t first = 0;

	(void)state;
	for (int i = 0; i < 16; i++) {
		req.attachment = control_attach(&c, root, "a");
		first = first ? first : req.attachment;
		assert_int_equal(CONTROL_ASK(&c, root, CAPTURE, &req, &rep), 0);
	}
	req.attachment = control_attach(&c, root, "a");
	CONTROL_REFUSED(&c, root, CAPTURE, &req, -ENOSPC, "16 captures");
	id.id = first;
	assert_int_equal(CONTROL_ASK(&c, root, DETACH, &id, &rep), 0);
	assert_int_equal(CONTROL_ASK(&c, root, CAPTURE, &req, &rep), 0);
}

int main(void)
{
#define TEST(name) PEOPLE_TEST(name, conf)
	const struct CMUnitTest tests[] = {
		TEST(knows_its_administrators),
		TEST(drains),
		TEST(disconnects),
		TEST(tells_of_clients),
		TEST(counts_lost_events),
		TEST(captures_for_those_who_may),
		TEST(bounds_captures_of_a_port),
	};

	if (geteuid() != 0) {
		puts("SKIP: connects as several users, needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
