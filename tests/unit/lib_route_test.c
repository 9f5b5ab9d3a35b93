/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnet_route: asking again until there is an answer, and what is given up when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lib_fake.h"

static struct fake fake;
static struct rawnet *rn;
static const char
	*script; /* one letter for each reply: A, F, R, or N for -ENETUNREACH; the last stays */
static unsigned asked;
static struct rawnet_req_route last;

static void answer(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	struct rawnet_rep_route *route = (void *)rep->bytes;
	char now;

	(void)f;
	if (req->type != RAWNET_MSG_ROUTE)
		return;
	now = script[asked < strlen(script) ? asked : strlen(script) - 1];
	asked++;
	memcpy(&last, req, sizeof(last));
	if (now == 'N') {
		fake_refuse(rep, -ENETUNREACH, "dst: no route");
		return;
	}
	*route = (struct rawnet_rep_route) {.hdr = {.size = sizeof(*route),
						    .type = RAWNET_MSG_ROUTE | RAWNET_REPLY,
						    .id = req->id},
					    .state = now == 'R'	  ? RAWNET_HOP_READY
						     : now == 'F' ? RAWNET_HOP_FAILED
								  : RAWNET_HOP_ASKED,
					    .mtu = 1500,
					    .vlan = 9,
					    .smac = {2, 1},
					    .dmac = {2, 2},
					    .via_family = 4,
					    .has_src = 1,
					    .src = {10, 0, 0, 1},
					    .via = {10, 0, 0, 9}};
	rep->size = sizeof(*route);
}

static int setup(void **state)
{
	struct rawnet_options o = {.size = sizeof(o), .socket = fake.path};

	(void)state;
	fake_init(&fake, NULL);
	fake.hook = answer;
	fake_run(&fake);
	return rawnet_connect(&rn, &o);
}

static int teardown(void **state)
{
	(void)state;
	rawnet_close(rn);
	fake_end(&fake);
	return 0;
}

static const uint8_t dst[4] = {10, 0, 0, 9};

static int route(const char *replies, int timeout_ms, struct rawnet_nexthop *hop)
{
	script = replies;
	asked = 0;
	*hop = (struct rawnet_nexthop) {.size = sizeof(*hop)};
	return rawnet_route(rn, "v0", 4, dst, timeout_ms, hop);
}

static void test_answers(void **state)
{
	struct rawnet_nexthop hop;

	(void)state;
	assert_int_equal(route("R", 0, &hop), 0);
	assert_int_equal(asked, 1);
	assert_string_equal(last.dev, "v0");
	assert_int_equal(last.family, 4);
	assert_memory_equal(last.dst, dst, 4);
	assert_int_equal(hop.mtu, 1500);
	assert_int_equal(hop.vlan, 9);
	assert_int_equal(hop.smac[1], 1);
	assert_int_equal(hop.dmac[1], 2);
	assert_true(hop.has_src && hop.src[3] == 1 && hop.via[3] == 9 && hop.via_family == 4);
	/* Asked again until it is there. */
	assert_int_equal(route("AAAR", -1, &hop), 0);
	assert_int_equal(asked, 4);
	/* That nobody answered long ago says nothing; that nobody answers now does. */
	assert_int_equal(route("FAR", -1, &hop), 0);
	assert_int_equal(route("FAF", -1, &hop), -EHOSTUNREACH);
	assert_int_equal(asked, 3);
	assert_non_null(strstr(rawnet_error(), "nobody answers for 10.0.0.9"));
}

static void test_gives_up(void **state)
{
	struct rawnet_nexthop hop;

	(void)state;
	assert_int_equal(route("A", 0, &hop), -EINPROGRESS);
	assert_int_equal(asked, 1);
	assert_int_equal(hop.mtu, 1500);
	do /* more than once, where it has its core for so long */
		assert_int_equal(route("A", 20, &hop), -EINPROGRESS);
	while (asked == 1);
	assert_int_equal(route("F", 0, &hop), -EHOSTUNREACH);
	assert_int_equal(route("AN", -1, &hop), -ENETUNREACH);
	assert_non_null(strstr(rawnet_error(), "no route"));
}

static void test_arguments(void **state)
{
	struct {
		struct rawnet_nexthop hop;
		uint32_t behind;
	} room = {.behind = 7};

	(void)state;
	script = "R";
	assert_int_equal(rawnet_route(rn, "v0", 5, dst, 0, &room.hop), -EINVAL);
	assert_int_equal(rawnet_route(rn, "v0", 4, dst, 0, &room.hop), -EINVAL); /* size 0 */
	room.hop.size = sizeof(room.hop);
	assert_int_equal(rawnet_route(rn, "a-name-that-is-too-long", 4, dst, 0, &room.hop),
			 -ENODEV);
	/* A caller of an older header has less, one of a newer header more. */
	memset(&room.hop, 0xff, sizeof(room.hop));
	room.hop.size = 10;
	assert_int_equal(rawnet_route(rn, "v0", 4, dst, 0, &room.hop), 0);
	assert_int_equal(room.hop.vlan, 9);
	assert_int_equal(room.hop.smac[0], 0xff);
	room.hop.size = sizeof(room);
	assert_int_equal(rawnet_route(rn, "v0", 4, dst, 0, &room.hop), 0);
	assert_int_equal(room.behind, 0);
	assert_int_equal(room.hop.size, sizeof(room));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gives_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arguments, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
