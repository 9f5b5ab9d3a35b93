/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening sockets, with what stands in their way; reloading the configuration, with its rules.
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
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control_people.h"

#define WHEEL 910u

#define PORTS                                                                               \
	"ports = ( { dev = \"a\"; backend = \"loop\"; sink = true; allow_mutable_memory = " \
	"true; } );\n"
#define DAEMON                                                                                  \
	"daemon = { sandbox = false; log_level = \"error\"; admin_group = \"910\";"             \
	" sockets = ( { path = \"@/sock\"; mode = 0666; }, { path = \"@/other\"; mode = 0600; " \
	"owner = \"4001\"; } ); };\n"

static char conf[] = DAEMON PORTS "policy = ( { socket = \"@/other\"; rules = 1; }, { "
				  "user = \"4001\"; }, { user = \"4002\"; } );\n";

/* Rules of the file go with the file. */
static int teardown(void **state)
{
	control_reload(&c, conf);
	return people_leave(state);
}

/* ---- listening sockets ---- */

static char *other(void)
{
	static char path[96];

	snprintf(path, sizeof(path), "%s/other", c.dir);
	return path;
}

static void listens_where_it_is_told(void **state)
{
	struct rawnet_req_flow_add add;
	struct stat st;
	int fd;
	uint32_t at;

	(void)state;
	assert_int_equal(stat(c.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_int_equal(stat(other(), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, ALICE);
	/* The policy goes by the socket that she came in by. */
	fd = control_connect_as(&c, other(), ALICE, ALICE, NULL, 0);
	people_hello(fd);
	at = control_attach(&c, fd, "a");
	control_flow(&c, fd, "a", "udp dport 7", at, 0);
	add = control_flow_request("a", "udp dport 8", at, 0);
	CONTROL_REFUSED(&c, fd, FLOW_ADD, &add, -EDQUOT, "rules: 1 of 1");
	control_bye(&c, fd);
}

/* What the start of another daemon, with this configuration, says; "" if it can start. */
static const char *start_another(const char *text)
{
	static struct rn_err err;
	struct rn_config *config;
	struct rn_daemon *daemon;
	struct control another = c;

	memset(&err, 0, sizeof(err));
	snprintf(another.conf, sizeof(another.conf), "%s/another", c.dir);
	control_configure(&another, text);
	assert_int_equal(rn_config_load(another.conf, &config, &err), 0);
	/* One thread is one reader: the rig's daemon lends its registration. */
	rcu_unregister_thread();
	if (!rn_daemon_create(config, &daemon, &err))
		rn_daemon_destroy(daemon);
	rcu_register_thread();
	unlink(another.conf);
	return err.text;
}

#define ONE(path)                                                                           \
	"daemon = { sandbox = false; log_level = \"error\"; sockets = ( { path = \"@/" path \
	"\"; } ); };\nports = ( { dev = \"z\"; backend = \"loop\"; sink = true; } );\n"

static void leaves_alone_what_is_not_its_own(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[96];
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(strstr(start_another(ONE("sock")), "another daemon listens there"));
	assert_int_equal(stat(c.path, &st), 0);
	snprintf(path, sizeof(path), "%s/file", c.dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_non_null(strstr(start_another(ONE("file")), "something else stands there"));
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
	assert_non_null(strstr(start_another(ONE("no/such/folder")), "folder"));
	/* Nobody listens on this one any more: it is replaced, and gone at the end. */
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(fd, (void *)&address, sizeof(address)), 0);
	close(fd);
	assert_string_equal(start_another(ONE("file")), "");
	assert_int_equal(stat(path, &st), -1);
}

/* A daemon that hangs, with as many waiting as it lets: it lives, and the start must not hang too.
 */
static void does_not_wait_for_one_that_hangs(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), waiting[8], n = 0;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/hangs", c.dir);
	assert_int_equal(bind(fd, (void *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	do {
		assert_true(n < 8);
		waiting[n] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	} while (!connect(waiting[n++], (void *)&address, sizeof(address)));
	assert_int_equal(errno, EAGAIN);
	alarm(20);
	assert_non_null(strstr(start_another(ONE("hangs")), "another daemon listens there"));
	alarm(0);
	while (n-- > 0)
		close(waiting[n]);
	close(fd);
}

/* ---- reloading ---- */

static uint64_t static_rule(struct rawnet_flow_info *info)
{
	struct rawnet_req_list req = {0};
	struct rawnet_rep_flow_list rep;

	assert_int_equal(CONTROL_ASK(&c, root, FLOW_LIST, &req, &rep), 0);
	for (uint32_t i = 0; i < rep.list.n; i++)
		if (rep.entry[i].flags & RAWNET_FLOW_STATIC) {
			*info = rep.entry[i];
			return info->rule;
		}
	return 0;
}

static void takes_over_policy(void **state)
{
	struct rawnet_req_flow_add add;
	uint32_t at = control_attach(&c, alice, "a");
	int wheel;

	(void)state;
	control_attach(&c, bob, "a");
	/* Bob has nothing any more, Alice less; another group administers. */
	control_reload(&c,
		       "daemon = { sandbox = false; log_level = \"error\"; admin_group = \"911\";\n"
		       "  sockets = ( { path = \"@/sock\"; } ); };\n" PORTS
		       "policy = ( { user = \"4001\"; deny = ( \"udp dport 9\" ); } );\n");
	assert_int_equal(c.daemon->reloads, 1);
	control_ended(&c, bob, RAWNET_BYE_POLICY);
	close(bob);
	add = control_flow_request("a", "udp dport 9", at, 0);
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &add, -EACCES, "denies");
	wheel = control_connect_as(&c, c.path, ALICE, WHEEL, NULL, 0);
	assert_int_equal(people_hello(wheel).admin, 0);
	control_bye(&c, wheel);
	/* One that is not valid changes nothing. */
	control_reload(&c, "nonsense = 1;");
	assert_int_equal(c.daemon->reloads, 1);
	CONTROL_REFUSED(&c, alice, FLOW_ADD, &add, -EACCES, "denies");
	control_reload(&c, conf);
	assert_int_equal(c.daemon->reloads, 2);
	control_flow(&c, alice, "a", "udp dport 9", at, 0);
	bob = control_client(&c, BOB, "bob");
}

#define RULE(port)                                           \
	"rules = ( { dev = \"a\"; match = \"udp dport " port \
	"\"; to = \"alice\"; user = \"4001\"; "              \
	"} );\n"

static void takes_over_rules(void **state)
{
	char text[1024];
	struct rawnet_flow_info info;
	uint32_t at = control_attach(&c, alice, "a");
	uint64_t rule;

	(void)state;
	snprintf(text, sizeof(text), "%s" RULE("7"), conf);
	control_reload(&c, text);
	rule = static_rule(&info);
	assert_int_not_equal(rule, 0);
	assert_int_equal(info.targets[0], at);
	assert_int_equal(info.match.dport, 7);
	/* The same one stays, with what it has; another one takes its place. */
	control_reload(&c, text);
	assert_int_equal(static_rule(&info), rule);
	snprintf(text, sizeof(text), "%s" RULE("8"), conf);
	control_reload(&c, text);
	assert_true(static_rule(&info) > rule);
	assert_int_equal(info.match.dport, 8);
	rule = info.rule;
	/* It waits for her when she goes, and has her again. */
	control_bye(&c, alice);
	assert_int_equal(static_rule(&info), rule);
	assert_int_equal(info.n_targets, 0);
	assert_true(info.flags & RAWNET_FLOW_WAITING);
	alice = control_client(&c, ALICE, "alice");
	at = control_attach(&c, alice, "a");
	assert_int_equal(static_rule(&info), rule);
	assert_int_equal(info.targets[0], at);
	control_reload(&c, conf);
	assert_int_equal(static_rule(&info), 0);
}

/* A rule of the file that meets a client's: the client keeps it, the rest of the file counts. */
static void keeps_rules_that_are_there(void **state)
{
	char text[1024];
	struct rawnet_flow_info info;
	uint64_t rule = control_flow(&c, bob, "a", "udp dport 7", control_attach(&c, bob, "a"), 0);

	(void)state;
	snprintf(text, sizeof(text), "%s" RULE("7"), conf);
	control_reload(&c, text);
	assert_int_equal(c.daemon->reloads, 1);
	assert_int_equal(static_rule(&info), 0);
	assert_true(control_find(&c, bob, rule, &info));
	/* It gets there when the other is gone, at the next reload. */
	assert_int_equal(control_del(&c, bob, rule), 0);
	control_reload(&c, text);
	assert_int_not_equal(static_rule(&info), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_prestate_setup_teardown(name, people_come, teardown, conf)
	const struct CMUnitTest tests[] = {
		TEST(listens_where_it_is_told),
		TEST(leaves_alone_what_is_not_its_own),
		TEST(does_not_wait_for_one_that_hangs),
		TEST(takes_over_policy),
		TEST(takes_over_rules),
		TEST(keeps_rules_that_are_there),
	};

	if (geteuid() != 0) {
		puts("SKIP: connects as several users, needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
