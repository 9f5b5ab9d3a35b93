/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon of a test program of the control side, and those who are connected when a test begins:
 * root, and two users whom the configuration's policy has to know.
 */
#ifndef CONTROL_PEOPLE_H
#define CONTROL_PEOPLE_H

#include "client.h"
#include "control_rig.h"

#define ALICE 4001u
#define BOB   4002u

/* Ports a and b of a configuration, connected. */
#define TWO_PORTS                                                                                  \
	"ports = ( { dev = \"a\"; backend = \"loop\"; peer = \"b\"; allow_mutable_memory = true; " \
	"},\n"                                                                                     \
	"  { dev = \"b\"; backend = \"loop\"; peer = \"a\"; allow_mutable_memory = true; } );\n"

/* a takes all and b sends all back, on two pollers; the people have quotas. */
#define SINK_AND_REFLECT                                                                          \
	"pollers = ( { }, { mode = \"busy\"; } );\n"                                              \
	"ports = ( { dev = \"a\"; backend = \"loop\"; sink = true; allow_mutable_memory = true; " \
	"},\n"                                                                                    \
	"  { dev = \"b\"; backend = \"loop\"; reflect = true; pollers = [ 0, 1 ]; mtu = 9000;\n"  \
	"    allow_mutable_memory = true; } );\n"                                                 \
	"policy = ( { user = \"4001\"; memory = \"8M\"; queues = 6; attachments = 3; },\n"        \
	"  { user = \"4002\"; attachments = 40; connections = 40; queues = 80; } );\n"

extern struct control c;
extern int root, alice, bob;

/* Setups start from a configuration, the test's state. The daemon alone. */
int daemon_starts(void **conf);
int daemon_ends(void **state);
/* And the people, of whom nothing is left in the daemon at the end. */
int people_come(void **conf);
int people_leave(void **state);

#define DAEMON_TEST(test, conf) \
	cmocka_unit_test_prestate_setup_teardown(test, daemon_starts, daemon_ends, conf)
#define PEOPLE_TEST(test, conf) \
	cmocka_unit_test_prestate_setup_teardown(test, people_come, people_leave, conf)

/* HELLO on a connection that was only made: its reply. */
struct rawnet_rep_hello people_hello(int fd);

#endif
