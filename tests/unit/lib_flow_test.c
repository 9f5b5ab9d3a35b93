/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules: many at once, refusals in the middle, targets, moves, confirmation, groups. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib_fake.h"

#define MANY 15000u

static struct fake fake;
static struct rawnet *rn;
static struct rawnet_attachment *at, *second;
static struct rawnet_match *match;
static uint64_t *ids;
static int back;

static void on_back(void *arg, uint64_t gap_ns)
{
	(void)arg;
	(void)gap_ns;
	__atomic_add_fetch(&back, 1, __ATOMIC_RELEASE);
}

static int setup(void **state)
{
	struct rawnet_attach_options o = {
		.size = sizeof(o), .n_queues = 1, .rx_size = 8, .tx_size = 8};
	struct rawnet_options c = {
		.size = sizeof(c), .socket = fake.path, .label = "me", .back = on_back};

	(void)state;
	fake_init(&fake, NULL);
	fake_run(&fake);
	assert_int_equal(rawnet_connect(&rn, &c), 0);
	assert_int_equal(rawnet_attach(rn, "eth0", &o, &at), 0);
	assert_int_equal(rawnet_attach(rn, "eth1", &o, &second), 0);
	match = calloc(MANY, sizeof(*match));
	ids = calloc(MANY, sizeof(*ids));
	for (uint32_t i = 0; i < MANY; i++)
		match[i] = (struct rawnet_match) {.size = sizeof(*match), .dport = (uint16_t)i};
	alarm(100);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	alarm(0);
	free(match);
	free(ids);
	fake_sync(&fake);
	rawnet_close(rn);
	fake_end(&fake);
	return 0;
}

static void restart(void)
{
	int before = back;

	fake_kill(&fake);
	fake_init(&fake, fake.path);
	fake_run(&fake);
	while (__atomic_load_n(&back, __ATOMIC_ACQUIRE) == before)
		usleep(1000);
}

static void test_many(void **state)
{
	(void)state;
	assert_int_equal(rawnet_flow_add_many(at, match, MANY, NULL, ids), MANY);
	assert_int_equal(fake_rules(&fake), MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(fake.rules[i].id, ids[i]);
		assert_int_equal(fake.rules[i].req.match.dport, i);
	}
	for (uint32_t i = 0; i < MANY; i += 100)
		assert_int_equal(rawnet_flow_del(rn, ids[i]), 0);
	assert_int_equal(rawnet_flow_add_many(at, match, 0, NULL, NULL), 0);
	restart();
	assert_int_equal(fake_rules(&fake), MANY - MANY / 100);
	assert_int_equal(fake.rules[0].req.match.dport, 1);
}

static uint16_t refused_port;

static void refuse_port(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	const struct rawnet_req_flow_add *add = (const void *)req;

	if (req->type == RAWNET_MSG_FLOW_ADD && add->match.dport == refused_port) {
		f->n_rules--;
		fake_refuse(rep, -EEXIST, "match: is there already");
	}
}

/* Those before the refused one stay; those after it, though under way, do not. */
static void test_refused_in_the_middle(void **state)
{
	(void)state;
	fake_set_hook(&fake, refuse_port, NULL);
	refused_port = 100;
	assert_int_equal(rawnet_flow_add_many(at, match, 1000, NULL, ids), 100);
	assert_string_equal(rawnet_error(), "match: is there already");
	assert_int_equal(fake_rules(&fake), 100);
	assert_int_equal(fake.rules[99].req.match.dport, 99);
	refused_port = 500;
	assert_int_equal(rawnet_flow_add_many(at, match + 500, 10, NULL, ids), -EEXIST);
	assert_int_equal(fake_rules(&fake), 100);
	restart();
	assert_int_equal(fake_rules(&fake), 100);
}

static void test_bad_arguments(void **state)
{
	struct rawnet_flow_options o = {.size = sizeof(o), .label = "x", .attachment = 1};

	(void)state;
	match[1].size = 0;
	assert_int_equal(rawnet_flow_add_many(at, match, 2, NULL, ids), -EINVAL);
	assert_int_equal(rawnet_flow_add(at, match, &o, ids), -EINVAL);
	o.attachment = 0;
	o.label = "a-label-that-is-longer-than-it-may-be";
	assert_int_equal(rawnet_flow_add(at, match, &o, ids), -EINVAL);
	assert_int_equal(fake_rules(&fake), 0);
	assert_int_equal(rawnet_flow_del(rn, 12345), -ENOENT);
}

static void test_check_changes_nothing(void **state)
{
	struct rawnet_flow_options o = {.size = sizeof(o), .flags = RAWNET_FLOW_CHECK};

	(void)state;
	ids[0] = 99;
	assert_int_equal(rawnet_flow_add(at, match, &o, ids), 0);
	assert_int_equal(ids[0], 0);
	restart();
	assert_int_equal(fake_rules(&fake), 0);
}

/* By id of our own, by id of somebody else's, by label: which are restored, and to whom. */
static void test_targets(void **state)
{
	struct rawnet_flow_options own = {.size = sizeof(own)};
	struct rawnet_flow_options foreign = {.size = sizeof(foreign), .attachment = 4711};
	struct rawnet_flow_options label = {.size = sizeof(label), .label = "friend"};

	(void)state;
	own.attachment = rawnet_attachment_info(second)->attachment;
	assert_int_equal(rawnet_flow_add(at, &match[1], &own, ids), 0);
	assert_int_equal(rawnet_flow_add(at, &match[2], &foreign, ids), 0);
	assert_int_equal(rawnet_flow_add(at, &match[3], &label, ids), 0);
	assert_int_equal(fake.rules[1].req.target.attachment, 4711);
	restart();
	assert_int_equal(fake_rules(&fake), 2);
	assert_int_equal(fake.rules[0].req.target.attachment,
			 rawnet_attachment_info(second)->attachment);
	assert_string_equal(fake.rules[0].req.dev, "eth1");
	assert_int_equal(fake.rules[1].req.target.attachment, 0);
	assert_string_equal(fake.rules[1].req.target.label, "friend");
	assert_int_equal(fake.rules[1].req.match.dport, 3);
}

static void test_move(void **state)
{
	struct rawnet_target to = {.attachment = rawnet_attachment_info(second)->attachment};
	struct rawnet_target away = {.label = "successor"};
	struct rawnet_target self = {.label = "me"};

	(void)state;
	assert_int_equal(rawnet_flow_add_many(at, match, 4, NULL, ids), 4);
	assert_int_equal(rawnet_flow_move(rn, ids[1], &to), 0);
	assert_int_equal(rawnet_flow_move(rn, ids[2], &away), 0);
	assert_int_equal(rawnet_flow_move(rn, ids[3], &self), 0);
	restart();
	/* The one that went to a successor is the successor's to restore. */
	assert_int_equal(fake_rules(&fake), 3);
	assert_int_equal(fake.rules[1].req.target.attachment,
			 rawnet_attachment_info(second)->attachment);
	assert_string_equal(fake.rules[2].req.target.label, "me");
}

static void test_detach_takes_rules(void **state)
{
	(void)state;
	assert_int_equal(rawnet_flow_add_many(at, match, 3, NULL, ids), 3);
	assert_int_equal(rawnet_flow_add(second, &match[4], NULL, ids), 0);
	assert_int_equal(rawnet_detach(at), 0);
	restart();
	assert_int_equal(fake_rules(&fake), 1);
	assert_int_equal(fake.rules[0].req.match.dport, 4);
}

/* Unconfirmed rules are restored with what is left of their time, late ones not at all; what the
 * daemon says of them counts. */
static void test_confirm(void **state)
{
	struct rawnet_flow_options o = {.size = sizeof(o), .confirm = 1};
	struct rawnet_event e = {.hdr = {.size = sizeof(e), .type = RAWNET_MSG_EVENT},
				 .kind = RAWNET_EVENT_FLOW,
				 .what = "deleted"};

	(void)state;
	assert_int_equal(rawnet_flow_add(at, &match[1], &o, &ids[1]), 0);
	o.confirm = 100;
	assert_int_equal(rawnet_flow_add(at, &match[2], &o, &ids[2]), 0);
	assert_int_equal(rawnet_flow_add(at, &match[3], &o, &ids[3]), 0);
	assert_int_equal(rawnet_flow_add(at, &match[4], &o, &ids[4]), 0);
	assert_int_equal(rawnet_flow_confirm(rn, ids[2]), 0);
	e.id = ids[4];
	fake_send_all(&fake, &e, sizeof(e));
	usleep(1100000);
	restart();
	assert_int_equal(fake_rules(&fake), 2);
	assert_int_equal(fake.rules[0].req.match.dport, 2);
	assert_int_equal(fake.rules[0].req.confirm, 0);
	assert_int_equal(fake.rules[1].req.match.dport, 3);
	assert_in_range(fake.rules[1].req.confirm, 1, 99);
}

/* Two attachments in one group's rule: one id, both restored, deleted together. */
static void test_group(void **state)
{
	struct rawnet_flow_options o = {.size = sizeof(o), .flags = RAWNET_FLOW_GROUP};

	(void)state;
	assert_int_equal(rawnet_flow_add(at, &match[1], &o, &ids[0]), 0);
	assert_int_equal(rawnet_flow_add(second, &match[1], &o, &ids[1]), 0);
	assert_int_equal(ids[0], ids[1]);
	restart();
	assert_int_equal(fake_rules(&fake), 2);
	assert_int_equal(rawnet_detach(at), 0);
	restart();
	assert_int_equal(fake_rules(&fake), 1);
	assert_int_equal(rawnet_flow_del(rn, ids[1]), 0);
	assert_int_equal(fake_rules(&fake), 0);
	restart();
	assert_int_equal(fake_rules(&fake), 0);
}

static void test_text(void **state)
{
	char text[RAWNET_MATCH_TEXT];
	struct rawnet_match m, again;
	int n;

	(void)state;
	assert_int_equal(rawnet_match_parse("udp dst 192.0.2.1 dport 53", &m), 0);
	assert_int_equal(m.dport, 53);
	n = rawnet_match_format(&m, text, sizeof(text));
	assert_int_equal(n, strlen(text));
	assert_int_equal(rawnet_match_parse(text, &again), 0);
	assert_memory_equal(&m, &again, sizeof(m));
	assert_int_equal(rawnet_match_parse("udp dport 99999", &m), -EINVAL);
	assert_non_null(strstr(rawnet_error(), "99999"));
	assert_int_equal(rawnet_match_parse("nonsense", &m), -EINVAL);
	assert_non_null(strstr(rawnet_error(), "nonsense"));
}

static void test_nearest_word(void **state)
{
	const char *const words[] = {"to", "dev", "persist", "confirm", "force", NULL};
	const char *const none[] = {NULL};

	(void)state;
	assert_string_equal(rawnet_nearest_word("persit", words), "persist");
	assert_string_equal(rawnet_nearest_word("ot", words), "to");
	assert_string_equal(rawnet_nearest_word("Confrim", words), "confirm");
	assert_null(rawnet_nearest_word("", words));
	assert_null(rawnet_nearest_word("udp", words));
	assert_null(
		rawnet_nearest_word("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", words));
	assert_null(rawnet_nearest_word("to", none));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_many),
		TEST(test_refused_in_the_middle),
		TEST(test_bad_arguments),
		TEST(test_check_changes_nothing),
		TEST(test_targets),
		TEST(test_move),
		TEST(test_detach_takes_rules),
		TEST(test_confirm),
		TEST(test_group),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_nearest_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
