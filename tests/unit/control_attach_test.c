/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attachments by request: what the reply says and which descriptors come with it, fields and quotas
 * that are refused, what comes back when they end; lists and counters, and who may see what.
 *
 * Promise: a user has at most what the policy says. Seen to fail without its defence:
 * bounds_what_a_user_has, with one of memory, queues or attachments left out of rn_policy_room():
 * the one was had.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "control_people.h"

static char conf[] = SINK_AND_REFLECT;

static struct rawnet_req_attach small(const char *dev)
{
	struct rawnet_req_attach req = {.rx_size = 64, .tx_size = 64};

	strcpy(req.dev, dev);
	return req;
}

/* ---- the reply ---- */

static void says_what_was_made(void **state)
{
	struct rawnet_req_attach req = {.dev = "b"};
	struct rawnet_rep_attach rep;
	const struct rawnet_rings *rings;

	(void)state;
	assert_int_equal(CONTROL_ASK(&c, root, ATTACH, &req, &rep), 0);
	assert_int_not_equal(rep.attachment, 0);
	assert_int_equal(rep.n_queues, 2); /* one for each poller of the port */
	assert_int_equal(rep.mtu, 9000);
	assert_int_equal(rep.link_up, 1);
	assert_string_equal(rep.backend, "loop");
	assert_int_equal(c.n_fds, 3 + 2);
	rings = mmap(NULL, rep.rings_size, PROT_READ | PROT_WRITE, MAP_SHARED, c.fds[0], 0);
	assert_ptr_not_equal(rings, MAP_FAILED);
	assert_int_equal(rings->n_queues, 2);
	munmap((void *)(uintptr_t)rings, rep.rings_size);
	/* Of the counters only the daemon is the writer. */
	assert_ptr_equal(mmap(NULL, rep.counters_size, PROT_READ | PROT_WRITE, MAP_SHARED, c.fds[2],
			      0),
			 MAP_FAILED);
}

static void gives_more_queues_if_asked(void **state)
{
	struct rawnet_req_attach req = small("b");
	struct rawnet_rep_attach rep;

	(void)state;
	req.n_queues = 5;
	assert_int_equal(CONTROL_ASK(&c, root, ATTACH, &req, &rep), 0);
	assert_int_equal(rep.n_queues, 5);
	assert_int_equal(c.n_fds, 3 + 5);
	req.n_queues = RAWNET_QUEUES_MAX;
	assert_int_equal(CONTROL_ASK(&c, root, ATTACH, &req, &rep), 0);
	assert_int_equal(c.n_fds, 3 + RAWNET_QUEUES_MAX);
}

static void refuses_fields(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
		int error;
		const char *words;
	} cases[] = {
#define FIELD(name) offsetof(struct rawnet_req_attach, name)
		{FIELD(n_queues), RAWNET_QUEUES_MAX + 1, -EINVAL, "n_queues"},
		{FIELD(n_queues), UINT32_MAX, -EINVAL, "n_queues"},
		{FIELD(rx_size), 100, -EINVAL, "rx_size"},
		{FIELD(rx_size), RAWNET_RING_MAX * 2, -EINVAL, "rx_size"},
		{FIELD(rx_size), 0x80000000, -EINVAL, "rx_size"},
		{FIELD(tx_size), 1, -EINVAL, "tx_size"},
		{FIELD(tx_size), UINT32_MAX, -EINVAL, "tx_size"},
		{FIELD(buf_size), 3000, -EINVAL, "buf_size"},
		{FIELD(buf_size), 1024, -EINVAL, "buf_size"},
		{FIELD(buf_size), 32768, -EINVAL, "buf_size"},
		{FIELD(buf_size), 0x80000000, -EINVAL, "buf_size"},
		{FIELD(n_bufs), 63, -EINVAL, "n_bufs"},
		{FIELD(n_bufs), UINT32_MAX, -EINVAL, "n_bufs"},
		{FIELD(headroom), 100, -EINVAL, "headroom"},
		{FIELD(headroom), 4096, -EINVAL, "headroom"},
		{FIELD(headroom), 0xffffffc0, -EINVAL, "headroom"},
		{FIELD(flags), 4, -EINVAL, "flags"},
		{FIELD(flags), 0x80000000, -EINVAL, "flags"},
		{FIELD(copies), 4, -EINVAL, "copies"},
		{FIELD(copies), RAWNET_COPY_BROADCAST, -EOPNOTSUPP, "copies"},
	};
	struct rawnet_req_attach req;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		req = small("a");
		memcpy((uint8_t *)&req + cases[i].offset, &cases[i].value, 4);
		CONTROL_REFUSED(&c, alice, ATTACH, &req, cases[i].error, cases[i].words);
	}
	req = small("b");
	req.buf_size = 8192;
	CONTROL_REFUSED(&c, alice, ATTACH, &req, -EMSGSIZE,
			"buf_size 8192: the largest frame of b");
	req = small("c");
	CONTROL_REFUSED(&c, alice, ATTACH, &req, -ENODEV, "\"c\"");
	memset(req.dev, 'a', sizeof(req.dev));
	CONTROL_REFUSED(&c, alice, ATTACH, &req, -ENODEV, "dev");
}

/* The last thing that can be refused, when all else is made already, and a busy poller has seen it:
 * what it may still look at must not be gone. */
static void gives_up_under_the_eyes_of_pollers(void **state)
{
	struct rawnet_req_attach req = small("b");

	(void)state;
	req.copies = RAWNET_COPY_MULTICAST;
	for (int i = 0; i < 50; i++)
		CONTROL_REFUSED(&c, root, ATTACH, &req, -EOPNOTSUPP, "copies");
}

/* ---- quotas ---- */

static void bounds_what_a_user_has(void **state)
{
	struct rawnet_req_attach req = small("a");
	struct rawnet_rep_attach rep;
	int second = control_client(&c, ALICE, "second");

	(void)state;
	req.n_bufs = 4096; /* of 2 KiB: alone too much */
	CONTROL_REFUSED(&c, alice, ATTACH, &req, -EDQUOT, "memory: 0 of 8388608 bytes are in use");
	req = small("a");
	req.n_queues = 7;
	CONTROL_REFUSED(&c, alice, ATTACH, &req, -EDQUOT, "queues: 0 of 6");
	req.n_queues = 4;
	assert_int_equal(CONTROL_ASK(&c, alice, ATTACH, &req, &rep), 0);
	/* All her connections count together. */
	req.n_queues = 3;
	CONTROL_REFUSED(&c, second, ATTACH, &req, -EDQUOT, "queues: 4 of 6 are in use, 3 more");
	req.n_queues = 1;
	req.n_bufs = 3600;
	CONTROL_REFUSED(&c, second, ATTACH, &req, -EDQUOT, "memory: ");
	req.n_bufs = 0;
	assert_int_equal(CONTROL_ASK(&c, second, ATTACH, &req, &rep), 0);
	assert_int_equal(CONTROL_ASK(&c, second, ATTACH, &req, &rep), 0);
	CONTROL_REFUSED(&c, second, ATTACH, &req, -EDQUOT, "queues: 6 of 6");
	control_bye(&c, alice);
	alice = control_client(&c, ALICE, "alice");
	assert_int_equal(CONTROL_ASK(&c, alice, ATTACH, &req, &rep), 0);
	CONTROL_REFUSED(&c, second, ATTACH, &req, -EDQUOT, "attachments: 3 of 3");
	control_bye(&c, second);
}

static void says_what_a_user_has(void **state)
{
	struct rawnet_req_quota req = {.self = 1};
	struct rawnet_rep_quota rep;
	uint64_t before;

	(void)state;
	assert_int_equal(CONTROL_ASK(&c, alice, QUOTA, &req, &rep), 0);
	assert_int_equal(rep.uid, ALICE);
	assert_int_equal(rep.used.connections, 1);
	assert_int_equal(rep.used.queues, 0);
	assert_int_equal(rep.limit.queues, 6);
	assert_int_equal(rep.limit.memory, 8u << 20);
	assert_int_equal(rep.limit.rules, 1024);
	before = rep.used.memory;
	assert_int_equal(before, 0);
	control_attach(&c, alice, "a");
	req = (struct rawnet_req_quota) {.uid = ALICE};
	assert_int_equal(CONTROL_ASK(&c, root, QUOTA, &req, &rep), 0);
	assert_int_equal(rep.used.attachments, 1);
	assert_int_equal(rep.used.queues, 1);
	assert_true(rep.used.memory >= 128 * 2048);
	CONTROL_REFUSED(&c, bob, QUOTA, &req, -EPERM, "uid 4001");
	req = (struct rawnet_req_quota) {.self = 1};
	assert_int_equal(CONTROL_ASK(&c, root, QUOTA, &req, &rep), 0);
	assert_int_equal(rep.limit.memory, UINT64_MAX);
	req = (struct rawnet_req_quota) {.uid = 12345};
	assert_int_equal(CONTROL_ASK(&c, root, QUOTA, &req, &rep), 0);
	assert_int_equal(rep.limit.connections, 0);
}

/* ---- the end ---- */

static void ends_at_detach_or_with_its_client(void **state)
{
	uint32_t first = control_attach(&c, alice, "a"), other = control_attach(&c, bob, "a");
	struct rawnet_req_id id = {.id = other};
	struct rawnet_rep_plain rep;

	(void)state;
	control_attach(&c, alice, "b");
	CONTROL_REFUSED(&c, alice, DETACH, &id, -ENOENT, "not one of yours");
	id.id = (uint64_t)first << 32 | first;
	CONTROL_REFUSED(&c, alice, DETACH, &id, -ENOENT, "not one of yours");
	id.id = first;
	assert_int_equal(CONTROL_ASK(&c, alice, DETACH, &id, &rep), 0);
	CONTROL_REFUSED(&c, alice, DETACH, &id, -ENOENT, "not one of yours");
	assert_int_equal(c.daemon->served[0].port->n_attachments, 1);
	assert_int_equal(c.daemon->served[1].port->n_attachments, 1);
}

static void refuses_copies_without_an_interface(void **state)
{
	struct rawnet_req_copies req = {.attachment = control_attach(&c, alice, "a"),
					.copies = RAWNET_COPY_KNOWN};
	struct rawnet_rep_plain rep;

	(void)state;
	CONTROL_REFUSED(&c, alice, COPIES, &req, -EOPNOTSUPP, "copies");
	CONTROL_REFUSED(&c, bob, COPIES, &req, -ENOENT, "not one of yours");
	req.copies = 0x10;
	CONTROL_REFUSED(&c, alice, COPIES, &req, -EINVAL, "copies 0x10");
	req.copies = 0;
	assert_int_equal(CONTROL_ASK(&c, alice, COPIES, &req, &rep), 0);
}

int main(void)
{
#define TEST(name) PEOPLE_TEST(name, conf)
	const struct CMUnitTest tests[] = {
		TEST(says_what_was_made),
		TEST(gives_more_queues_if_asked),
		TEST(refuses_fields),
		TEST(gives_up_under_the_eyes_of_pollers),
		TEST(bounds_what_a_user_has),
		TEST(says_what_a_user_has),
		TEST(ends_at_detach_or_with_its_client),
		TEST(refuses_copies_without_an_interface),
	};

	if (geteuid() != 0) {
		puts("SKIP: connects as several users, needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
