/* SPDX-License-Identifier: BSD-2-Clause */
/* ROUTE: who may ask, and what is refused. What the kernel answers is tested in route_test. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control_rig.h"

#define ALICE 4001u
#define BOB   4002u

static struct control c;

static int setup(void **state)
{
	(void)state;
	control_open(&c, "pollers = ( { } );\n"
			 "ports = ( { dev = \"a\"; backend = \"loop\"; sink = true;\n"
			 "  allow_mutable_memory = true; } );\n"
			 "policy = ( { user = \"4001\"; } );\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	control_close(&c);
	return 0;
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_may_ask, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
