/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Promise: what a client makes the control thread do in one go does not grow with what others have:
 * as many instructions (steps.h) with ten times and a hundred times as much of theirs.
 *
 * Seen to fail without its defence:
 *   rn_rules_sync() that walks all rules: 2,077,826 instructions, instead of 77,777
 *   a page of attachments that are looked for one by one: 163,263, instead of 9,908
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control_people.h"
#include "journal.h"
#include "match.h"
#include "steps.h"

#define OWN 10u

static char conf[] =
	"ports = ( { dev = \"a\"; backend = \"loop\"; sink = true; allow_mutable_memory = true; } "
	");\n"
	"policy = ( { user = \"4001\"; }, { user = \"4002\"; attachments = 1000; queues = 1000;\n"
	"  memory = \"4G\"; } );\n";

static void add(uint32_t attachment, unsigned net, unsigned i)
{
	struct rn_attachment *at = rn_attachment_by_id(c.daemon, attachment);
	struct rawnet_match match;
	struct rn_rule_request q = {
		.served = &c.daemon->served[0],
		.steer = {.match = &match, .at = at, .label = at->label, .uid = at->uid},
	};
	char text[64], why[200];
	struct rn_err err = {0};
	struct rn_rule *rule;
	uint32_t index;

	snprintf(text, sizeof(text), "dst %u.%u.%u.%u", net, i >> 16, i >> 8 & 255, i & 255);
	if (rn_match_parse(text, &match, why, sizeof(why)) ||
	    rn_rules_add(c.daemon, &q, &rule, &index, &err))
		abort();
}

/* With a journal, which follows the rules: what a service manager is told goes nowhere. */
static void open_daemon(void)
{
	setenv("NOTIFY_SOCKET", "/nowhere", 1);
	control_open(&c, conf);
	if (!rn_journal())
		abort();
}

static struct rn_client *last_client(void)
{
	return caa_container_of(c.daemon->clients.prev, struct rn_client, list);
}

/* The reaper is not interrupted: its turns are of 5 ms, and of more rules when steps are not
 * counted. */
static void leave_again_and_again(unsigned others)
{
	open_daemon();
	bob = control_client(&c, BOB, "bob");
	for (uint32_t i = 0, at = control_attach(&c, bob, "a"); i < others; i++)
		add(at, 10, i);
	do {
		uint32_t at;

		alice = control_client(&c, ALICE, "alice");
		at = control_attach(&c, alice, "a");
		for (unsigned i = 0; i < OWN; i++)
			add(at, 11, i);
		rn_client_lost(last_client());
		steps_begin();
		rn_client_reap(c.daemon, true);
		if (c.daemon->n_clients != 1 ||
		    rn_steer_count(c.daemon->served[0].port->steer, NULL) != others)
			abort();
		close(alice);
	} while (steps_end());
	control_close(&c);
}

/* A page of the list, in the middle of them. */
static void list_again_and_again(unsigned others)
{
	struct rawnet_req_list req = {.cursor = 0};
	struct rawnet_rep_attachment_list rep;

	open_daemon();
	bob = control_client(&c, BOB, "bob");
	for (unsigned i = 0; i < others; i++)
		control_attach(&c, bob, "a");
	req.cursor = c.daemon->attachments[others / 2]->id;
	do {
		steps_begin();
		if (CONTROL_ASK(&c, bob, ATTACHMENT_LIST, &req, &rep) ||
		    rep.list.n != sizeof(rep.entry) / sizeof(rep.entry[0]))
			abort();
	} while (steps_end());
	control_close(&c);
}

static void leaves_at_the_cost_of_its_own(void **state)
{
	(void)state;
	steps_do_not_grow(leave_again_and_again, 1000, 100000, 4);
}

static void lists_at_the_cost_of_the_page(void **state)
{
	(void)state;
	steps_do_not_grow(list_again_and_again, 60, 600, 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_at_the_cost_of_its_own),
		cmocka_unit_test(lists_at_the_cost_of_the_page),
	};

	if (geteuid() != 0) {
		puts("SKIP: connects as several users, needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
