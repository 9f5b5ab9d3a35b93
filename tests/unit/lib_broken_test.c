/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A daemon that answers with nonsense, or hands out memory that does not hold what it should. Every
 * case ends with an errno, a sentence, and as many descriptors open as before.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib_daemon.h"

/* ---- replies ---- */

enum {
	KEEP = -1
};

/* How to break the reply to one type of request. */
struct breakage {
	const char *name;
	uint16_t type;
	int expected;
	int size; /* of the message, or KEEP */
	int hdr_size; /* what its header says, or KEEP */
	int32_t error; /* in the header */
	int extra_fds;
	int drop_fds;
	bool silent, hang_up;
	int word; /* index of a 32-bit word of the reply ... */
	uint32_t value; /* ... set to this, if word is not 0 */
};

static void break_reply(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	const struct breakage *b = f->arg;

	if (req->type != b->type)
		return;
	rep->silent = b->silent;
	rep->hang_up = b->hang_up;
	if (b->word)
		memcpy(rep->bytes + 4 * b->word, &b->value, 4);
	if (b->size != KEEP) {
		rep->size = (uint32_t)b->size;
		rep->hdr.size = rep->size;
	}
	if (b->hdr_size != KEEP)
		rep->hdr.size = (uint32_t)b->hdr_size;
	if (b->error)
		rep->hdr.error = b->error;
	for (int i = 0; i < b->extra_fds; i++)
		rep->fds[rep->n_fds++] = dup(0);
	for (int i = 0; i < b->drop_fds; i++)
		close(rep->fds[--rep->n_fds]);
}

static const struct breakage breakages[] = {
	{"hello: empty", RAWNET_MSG_HELLO, -EPROTO, .size = 3, .hdr_size = KEEP},
	{"hello: shorter than its size", RAWNET_MSG_HELLO, -EPROTO, .size = KEEP, .hdr_size = 4000},
	{"hello: longer than its size", RAWNET_MSG_HELLO, -EPROTO, .size = KEEP, .hdr_size = 16},
	{"hello: longer than a message", RAWNET_MSG_HELLO, -EPROTO, .size = 5000, .hdr_size = KEEP},
	{"hello: header only", RAWNET_MSG_HELLO, -EPROTO, .size = 16, .hdr_size = KEEP},
	{"hello: version 9", RAWNET_MSG_HELLO, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .word = WORD(rawnet_rep_hello, version), .value = 9},
	{"hello: abi 9", RAWNET_MSG_HELLO, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .word = WORD(rawnet_rep_hello, abi), .value = 9},
	{"hello: positive error", RAWNET_MSG_HELLO, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .error = 5},
	{"hello: refused without text", RAWNET_MSG_HELLO, -EACCES, .size = 16, .hdr_size = KEEP,
	 .error = -EACCES},
	{"hello: descriptors", RAWNET_MSG_HELLO, 0, .size = KEEP, .hdr_size = KEEP, .extra_fds = 3},
	{"hello: another type", RAWNET_MSG_HELLO, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .word = 1, .value = RAWNET_REPLY | 9},
	{"hello: another id", RAWNET_MSG_HELLO, -ETIMEDOUT, .size = KEEP, .hdr_size = KEEP,
	 .word = 2, .value = 99},
	{"hello: none", RAWNET_MSG_HELLO, -ETIMEDOUT, .size = KEEP, .hdr_size = KEEP,
	 .silent = true},
	{"hello: hang-up", RAWNET_MSG_HELLO, -ENOTCONN, .size = KEEP, .hdr_size = KEEP,
	 .hang_up = true},
	{"attach: header only", RAWNET_MSG_ATTACH, -EPROTO, .size = 16, .hdr_size = KEEP},
	{"attach: no descriptors", RAWNET_MSG_ATTACH, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .drop_fds = 4},
	{"attach: one descriptor short", RAWNET_MSG_ATTACH, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .drop_fds = 1},
	{"attach: one descriptor more", RAWNET_MSG_ATTACH, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .extra_fds = 1},
	{"attach: descriptors cut off", RAWNET_MSG_ATTACH, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .extra_fds = 64},
	{"attach: no queues", RAWNET_MSG_ATTACH, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .word = WORD(rawnet_rep_attach, n_queues), .value = 0},
	{"attach: too many queues", RAWNET_MSG_ATTACH, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .word = WORD(rawnet_rep_attach, n_queues), .value = 65},
	{"attach: rings small", RAWNET_MSG_ATTACH, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .word = WORD(rawnet_rep_attach, rings_size), .value = 100},
	{"attach: rings larger than the memfd", RAWNET_MSG_ATTACH, -EPROTO, .size = KEEP,
	 .hdr_size = KEEP, .word = WORD(rawnet_rep_attach, rings_size), .value = 1u << 30},
	{"attach: packets of 2^62", RAWNET_MSG_ATTACH, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .word = WORD(rawnet_rep_attach, packets_size) + 1, .value = 1u << 30},
	{"attach: counters small", RAWNET_MSG_ATTACH, -EPROTO, .size = KEEP, .hdr_size = KEEP,
	 .word = WORD(rawnet_rep_attach, counters_size), .value = 128},
	{"attach: none", RAWNET_MSG_ATTACH, -ETIMEDOUT, .size = KEEP, .hdr_size = KEEP,
	 .silent = true},
	{"attach: hang-up", RAWNET_MSG_ATTACH, -ENOTCONN, .size = KEEP, .hdr_size = KEEP,
	 .hang_up = true},
};

static void test_breakages(void **state)
{
	struct rawnet_attach_options o = {
		.size = sizeof(o), .n_queues = 1, .rx_size = 8, .tx_size = 8};
	struct rawnet_attachment *at;
	struct rawnet *rn;
	unsigned fds;
	int r;

	(void)state;
	for (size_t i = 0; i < sizeof(breakages) / sizeof(breakages[0]); i++) {
		struct breakage b = breakages[i];

		fds = open_fds();
		fake_set_hook(&fake, break_reply, &b);
		r = dial_for(&rn, RAWNET_NO_THREAD, b.expected == -ETIMEDOUT ? 1000 : 60000);
		if (!r && b.type == RAWNET_MSG_ATTACH) {
			r = rawnet_attach(rn, "eth0", &o, &at);
			if (r)
				assert_null(at);
		}
		if (r != b.expected)
			print_message("%s: %d (%s)\n", b.name, r, rawnet_error());
		assert_int_equal(r, b.expected);
		if (r)
			assert_true(strlen(rawnet_error()) > 0);
		rawnet_close(rn);
		fake_set_hook(&fake, NULL, NULL);
		/* The fake notices the end of a connection a moment later. */
		for (int k = 0; k < 20000 && open_fds() != fds; k++)
			usleep(1000);
		if (open_fds() != fds)
			print_message("%s: descriptors\n", b.name);
		assert_int_equal(open_fds(), fds);
	}
}

/* ---- memory ---- */

/* One word of the header in the rings, or of the counters, at a time. */
static void break_memory(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	const uint32_t *word = f->arg; /* word, value, 1: counters */
	struct fake_attachment *a = f->at;

	(void)rep;
	if (req->type != RAWNET_MSG_ATTACH)
		return;
	while (!a->id)
		a++;
	if (word[2])
		memcpy((uint8_t *)a->counters + 4 * word[0], &word[1], 4);
	else
		memcpy(a->rings + 4 * word[0], &word[1], 4);
}

#define RINGS(member, value)                                      \
	{                                                         \
		(uint32_t) WORD(rawnet_rings, member), (value), 0 \
	}
#define COUNTERS(member, value)                                      \
	{                                                            \
		(uint32_t) WORD(rawnet_counters, member), (value), 1 \
	}

static void test_broken_memory(void **state)
{
	static uint32_t words[][3] = {
		RINGS(magic, 1),
		RINGS(version, 2),
		RINGS(size, 1),
		RINGS(n_queues, 2),
		RINGS(buf_size, 0),
		RINGS(buf_size, 3000),
		RINGS(buf_size, 32768),
		RINGS(n_bufs, 0),
		RINGS(n_bufs, UINT32_MAX),
		RINGS(headroom, 2048),
		RINGS(queue[0].rx_size, 0),
		RINGS(queue[0].rx_size, 12),
		RINGS(queue[0].rx_size, 4),
		RINGS(queue[0].tx_size, 65536),
		RINGS(queue[0].tx_size, 100),
		RINGS(queue[0].rx_ctl, 0),
		RINGS(queue[0].rx_ctl, 2113),
		RINGS(queue[0].tx_ctl, UINT32_MAX - 127),
		RINGS(queue[0].rx_slots, 8),
		RINGS(queue[0].tx_slots, UINT32_MAX - 15),
		RINGS(queue[0].rx_stamp, 12),
		RINGS(queue[0].rx_size, 32768),
		COUNTERS(magic, 0),
		COUNTERS(version, 0),
		COUNTERS(n_queues, 0),
	};
	struct rawnet_attach_options o = {
		.size = sizeof(o), .n_queues = 1, .rx_size = 8, .tx_size = 8};
	struct rawnet_attachment *at;
	struct rawnet *rn;

	(void)state;
	assert_int_equal(dial(&rn, 0), 0);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		fake_set_hook(&fake, break_memory, words[i]);
		assert_int_equal(rawnet_attach(rn, "eth0", &o, &at), -EPROTO);
		/* What could not be used was given back. */
		assert_null(fake_at(&fake, 0));
	}
	fake_set_hook(&fake, NULL, NULL);
	assert_int_equal(rawnet_attach(rn, "eth0", &o, &at), 0);
	rawnet_close(rn);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_breakages),
		TEST(test_broken_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
