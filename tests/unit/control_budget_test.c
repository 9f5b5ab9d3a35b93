/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promise: what a user can make the daemon do beyond serving it (neighbours that the kernel is to
 * ask for, queues that are set up again after the device failed them) has one budget for all its
 * connections, which leaving and coming again does not renew, and which is no other user's.
 *
 * Seen to fail without its defence:
 *   user       without usage->resolve in ROUTE: 258 neighbours for one user, where 64 are the burst
 *   everybody  without d->resolve: 384 of six users, where 256 are the burst
 *   leaving    a usage that is freed when its user leaves: 263 neighbours (the burst of everybody),
 *              640 queues
 *   mending    nothing taken of usage->mend: the client was never ended
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "attachment.h"
#include "backend/backend.h"
#include "client.h"
#include "control_rig.h"
#include "route.h"
#include "clock.h"

#define ALICE 4001u
#define NSEC  1000000000ull

static struct control c;
static struct rn_backend backend;
static uint64_t began;
static unsigned resolved, mended;
static bool known, named;

/* ---- the parts that others play ---- */

/* The asker's thread. A kernel that does all that it may be told, unless it knows the neighbour. */
int rn_route_find(const struct rn_route_from *from, uint8_t family, const uint8_t *dst,
		  struct rn_route_terms *terms, struct rawnet_rep_route *rep, struct rn_err *err)
{
	(void)from;
	(void)family;
	(void)dst;
	(void)rep;
	(void)err;
	terms->resolve = terms->resolve && !known;
	resolved += terms->resolve;
	named = terms->names;
	return 0;
}

static int queue_mend(struct rn_port *port, struct rn_queue *q, bool may, struct rn_err *err)
{
	(void)port;
	(void)q;
	mended += may;
	return may ? 1 : rn_fail(err, -EIO, "again and again");
}

/* ---- helpers ---- */

static int setup(void **state)
{
	(void)state;
	control_open(&c, "pollers = ( { } );\n"
			 "ports = ( { dev = \"a\"; backend = \"loop\"; sink = true;\n"
			 "  allow_mutable_memory = true; } );\n"
			 "policy = ( { user = \"4001\"; }, { user = \"4002\"; }, "
			 "{ user = \"4003\"; }, { user = \"4004\"; }, { user = \"4005\"; }, "
			 "{ user = \"4006\"; } );\n");
	backend = *c.daemon->served[0].port->backend;
	backend.queue_mend = queue_mend;
	c.daemon->served[0].port->backend = &backend;
	c.daemon->served[0].port->ifindex = 1; /* one that the kernel has routes for */
	resolved = mended = 0;
	known = false;
	began = rn_mono_ns();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	control_close(&c);
	return 0;
}

/* A burst, and what was granted since. */
static void is_bounded(unsigned n, unsigned burst, unsigned rate)
{
	assert_in_range(n, burst, burst + (rn_mono_ns() - began) * rate / NSEC + 1);
}

static void ask(int fd, unsigned times)
{
	struct rawnet_req_route q = {.dev = "a", .family = 4, .dst = {10, 0, 0, 9}};
	struct rawnet_rep_route rep;

	while (times--)
		assert_int_equal(CONTROL_ASK(&c, fd, ROUTE, &q, &rep), 0);
}

/* ---- tests ---- */

static void resolutions_of_a_user(void **state)
{
	int alice = control_client(&c, ALICE, "alice"), too = control_client(&c, ALICE, "too");

	(void)state;
	known = true; /* asks for nothing, pays nothing */
	ask(alice, 200);
	known = false;
	ask(alice, 200);
	ask(too, 200);
	is_bounded(resolved, 64, 50);
	resolved = 0;
	ask(control_client(&c, ALICE + 1, "bob"), 100);
	is_bounded(resolved, 64, 50);
}

/* Which interfaces a host has is for those who may see all of the daemon. */
static void names_of_interfaces(void **state)
{
	int alice = control_client(&c, ALICE, "alice"), root = control_client(&c, 0, "root");

	(void)state;
	ask(root, 1);
	assert_true(named);
	ask(alice, 1);
	assert_false(named);
}

static void resolutions_of_everybody(void **state)
{
	(void)state;
	for (uid_t i = 0; i < 6; i++)
		ask(control_client(&c, ALICE + i, "x"), 64);
	is_bounded(resolved, 256, 200);
}

static void leaving_renews_no_resolutions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		int fd = control_client(&c, ALICE, "alice");

		ask(fd, 64);
		control_bye(&c, fd);
		control_turn(&c);
	}
	is_bounded(resolved, 64, 50);
}

/* The device fails the first queue of this client so often: how often it was set up again. */
static unsigned fail_queue(const char *label, unsigned times)
{
	unsigned before = mended;
	struct rn_client *of;

	while (times--) {
		struct rn_queue *q = NULL;

		cds_list_for_each_entry (of, &c.daemon->clients, list)
			if (!of->dead && of->n_attachments && !strcmp(of->label, label))
				q = &of->attachments[0]->queue[0];
		if (!q)
			break;
		rn_queue_sick(q);
		control_turn(&c);
	}
	return mended - before;
}

static void mending_of_a_user(void **state)
{
	int bob = control_client(&c, ALICE + 1, "bob");

	(void)state;
	control_attach(&c, bob, "a");
	for (unsigned i = 0; i < 10; i++) {
		int alice = control_client(&c, ALICE, "alice");

		control_attach(&c, alice, "a");
		fail_queue("alice", 100);
		control_ended(&c, alice, RAWNET_BYE_DEVICE);
		control_bye(&c, alice);
		control_turn(&c);
	}
	is_bounded(mended, 64, 1);
	assert_int_equal(fail_queue("bob", 20), 20);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(names_of_interfaces),	test(resolutions_of_a_user),
		test(resolutions_of_everybody), test(leaving_renews_no_resolutions),
		test(mending_of_a_user),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
