/* SPDX-License-Identifier: BSD-2-Clause */
/* See control_people.h. */
#include "control_people.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct control c;
int root, alice, bob;

int daemon_starts(void **conf)
{
	control_open(&c, *conf);
	return 0;
}

int daemon_ends(void **state)
{
	(void)state;
	control_close(&c);
	return 0;
}

int people_come(void **conf)
{
	daemon_starts(conf);
	root = control_client(&c, 0, "root");
	alice = control_client(&c, ALICE, "alice");
	bob = control_client(&c, BOB, "bob");
	return 0;
}

int people_leave(void **state)
{
	control_bye(&c, alice);
	control_bye(&c, bob);
	control_bye(&c, root);
	assert_int_equal(c.daemon->n_clients, 0);
	assert_true(cds_list_empty(&c.daemon->usages));
	for (uint32_t i = 0; i < c.daemon->n_served; i++)
		assert_int_equal(c.daemon->served[i].port->n_attachments, 0);
	return daemon_ends(state);
}

struct rawnet_rep_hello people_hello(int fd)
{
	struct rawnet_req_hello req = {.min = 1, .max = 1};
	struct rawnet_rep_hello rep;

	assert_int_equal(CONTROL_ASK(&c, fd, HELLO, &req, &rep), 0);
	return rep;
}
