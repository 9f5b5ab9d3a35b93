/* SPDX-License-Identifier: BSD-2-Clause */
/* EXPLAIN: what it says of a frame is what the classifier decides, for an admin and for others; and
 * what it refuses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control_people.h"

static char conf[] = "ports = ( { dev = \"a\"; backend = \"loop\"; sink = true; "
		     "allow_mutable_memory = true; } );\n"
		     "policy = ( { user = \"4001\"; }, { user = \"4002\"; } );\n";

/* UDP from 10.0.0.2:9 to 10.0.0.1:dport. */
static struct rawnet_req_explain request(uint16_t dport)
{
	static const uint8_t ip[28] = {0x45, 0, 0,  28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0,
				       0,    2, 10, 0,	0, 1, 0, 9, 0,	0,  0, 8, 0,  0};
	struct rawnet_req_explain q = {.dev = "a", .len = 60, .kept = 60};

	memcpy(q.frame, rn_daemon_port(c.daemon, "a")->port->mac, 6);
	q.frame[6] = 2;
	q.frame[12] = 8;
	memcpy(q.frame + 14, ip, sizeof(ip));
	q.frame[36] = (uint8_t)(dport >> 8);
	q.frame[37] = (uint8_t)dport;
	return q;
}

static struct rawnet_rep_explain ask(int fd, uint16_t dport)
{
	struct rawnet_req_explain q = request(dport);
	struct rawnet_rep_explain rep;

	assert_int_equal(CONTROL_ASK(&c, fd, EXPLAIN, &q, &rep), 0);
	return rep;
}

static void who_sees_what(void **state)
{
	uint32_t at = control_attach(&c, alice, "a");
	uint64_t wide = control_flow(&c, alice, "a", "dst 10.0.0.1 udp", at, 0);
	struct rawnet_rep_explain rep;

	(void)state;
	rep = ask(root, 53);
	assert_int_equal(rep.verdict, RAWNET_VERDICT_RULE);
	assert_int_equal(rep.rule, wide);
	assert_int_equal(rep.attachment, at);
	assert_int_equal(rep.n_members, 1);
	assert_int_equal(rep.n_tried, 1);
	assert_int_equal(rep.tried[0].bits[RAWNET_FIELD_DST], 32);
	assert_int_equal(rep.tried[0].bits[RAWNET_FIELD_DPORT], 0);
	assert_int_equal(rep.tried[0].n_rules, 1);
	assert_int_equal(rep.seen.dport, 53);
	assert_int_equal(rep.seen.whole, 1);
	assert_int_equal(ask(alice, 53).rule, wide);
	rep = ask(bob, 53);
	assert_int_equal(rep.verdict, RAWNET_VERDICT_RULE);
	assert_int_equal(rep.hidden, 1);
	assert_int_equal(rep.rule | rep.attachment | rep.client | rep.n_members, 0);
	assert_int_equal(rep.tried[0].hidden, 1);
	assert_int_equal(rep.tried[0].rule | rep.tried[0].n_rules, 0);
	for (unsigned i = 0; i < RAWNET_FIELD_COUNT; i++)
		assert_int_equal(rep.tried[0].bits[i], 0);
	assert_int_equal(control_del(&c, alice, wide), 0);
	assert_int_equal(ask(bob, 53).verdict, RAWNET_VERDICT_NONE);
}

/* Bytes that were not sent along count as zeros, whatever the question before had there. */
static void short_and_long(void **state)
{
	struct rawnet_req_explain q = request(53);
	struct rawnet_rep_explain rep;

	(void)state;
	ask(root, 53);
	q.kept = 20;
	assert_int_equal(CONTROL_ASK(&c, root, EXPLAIN, &q, &rep), 0);
	assert_int_equal(rep.seen.ethertype, 0x0800);
	assert_int_equal(rep.seen.dport | rep.seen.whole, 0);
	q.len = q.kept = 0;
	assert_int_equal(CONTROL_ASK(&c, root, EXPLAIN, &q, &rep), 0);
	assert_int_equal(rep.verdict, RAWNET_VERDICT_NONE);
	q = request(53);
	q.len = RAWNET_EXPLAIN_MAX;
	assert_int_equal(CONTROL_ASK(&c, root, EXPLAIN, &q, &rep), 0);
	assert_int_equal(rep.seen.dport, 53);
}

static void refused(void **state)
{
	struct rawnet_req_explain q = request(53);

	(void)state;
	q.len = RAWNET_EXPLAIN_MAX + 1;
	CONTROL_REFUSED(&c, root, EXPLAIN, &q, -EINVAL, "not a frame");
	q = request(53);
	q.kept = q.len + 1;
	CONTROL_REFUSED(&c, root, EXPLAIN, &q, -EINVAL, "not a frame");
	q.len = q.kept = RAWNET_EXPLAIN_KEPT + 1;
	CONTROL_REFUSED(&c, root, EXPLAIN, &q, -EINVAL, "not a frame");
	q = request(53);
	memset(q.dev, 'x', sizeof(q.dev));
	CONTROL_REFUSED(&c, root, EXPLAIN, &q, -ENODEV, "not a port");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PEOPLE_TEST(who_sees_what, conf),
		PEOPLE_TEST(short_and_long, conf),
		PEOPLE_TEST(refused, conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
