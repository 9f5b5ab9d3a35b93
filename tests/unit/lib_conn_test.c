/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control channel: refusals, events, lists, and a daemon that answers with nonsense. Every case
 * ends with an errno, a sentence, and as many descriptors open as before.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib_fake.h"

static struct fake fake;
static unsigned fds_before;

static int setup(void **state)
{
	char path[100];

	(void)state;
	fds_before = open_fds();
	fake_path(path);
	fake_init(&fake, path);
	fake_run(&fake);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_kill(&fake);
	fake_unpath(fake.path);
	assert_int_equal(open_fds(), fds_before);
	return 0;
}

static int dial(struct rawnet **rn, uint32_t flags)
{
	struct rawnet_options c = {
		.size = sizeof(c), .socket = fake.path, .flags = flags, .timeout_ms = 200};

	return rawnet_connect(rn, &c);
}

static void set_hook(void (*hook)(struct fake *, const struct rawnet_hdr *, struct fake_reply *),
		     void *arg)
{
	pthread_mutex_lock(&fake.lock);
	fake.hook = hook;
	fake.arg = arg;
	pthread_mutex_unlock(&fake.lock);
}

/* ---- connecting ---- */

static void test_hello(void **state)
{
	struct rawnet *rn;

	(void)state;
	assert_int_equal(dial(&rn, 0), 0);
	assert_int_equal(rawnet_hello(rn)->client, 7);
	assert_string_equal(rawnet_hello(rn)->daemon, "fake");
	assert_true(rawnet_fd(rn) >= 0);
	rawnet_close(rn);
	rawnet_close(NULL);
	assert_true(strlen(rawnet_version()) > 0);
}

static void test_no_daemon(void **state)
{
	struct rawnet_options c = {.size = sizeof(c), .socket = "/nonexistent/sock"};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char path[100], long_path[200];
	struct rawnet *rn;
	int fd;

	(void)state;
	assert_int_equal(rawnet_connect(&rn, &c), -ENOENT);
	assert_non_null(strstr(rawnet_error(), "/nonexistent/sock"));
	assert_null(rn);
	fake_path(path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	c.socket = path;
	assert_int_equal(rawnet_connect(&rn, &c), -ECONNREFUSED);
	/* A daemon that never accepts: the backlog fills, then the time-out. */
	c.timeout_ms = 20;
	listen(fd, 0);
	assert_int_equal(rawnet_connect(&rn, &c), -ETIMEDOUT);
	assert_int_equal(rawnet_connect(&rn, &c), -ETIMEDOUT);
	close(fd);
	fake_unpath(path);
	memset(long_path, 'a', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	c.socket = long_path;
	assert_int_equal(rawnet_connect(&rn, &c), -ENAMETOOLONG);
}

static void test_options(void **state)
{
	struct {
		struct rawnet_options o;
		uint64_t newer;
	} c = {.o = {.size = sizeof(c), .socket = fake.path}};
	struct rawnet *rn;

	(void)state;
	assert_int_equal(rawnet_connect(&rn, &c.o), 0);
	rawnet_close(rn);
	c.newer = 1;
	assert_int_equal(rawnet_connect(&rn, &c.o), -E2BIG);
	c.o.size = 0;
	assert_int_equal(rawnet_connect(&rn, &c.o), -EINVAL);
	c.o.size = sizeof(c.o);
	c.o.label = "with space";
	assert_int_equal(rawnet_connect(&rn, &c.o), -EINVAL);
	assert_non_null(strstr(rawnet_error(), "label"));
	c.o.label = "a-label-that-is-longer-than-it-may-be";
	assert_int_equal(rawnet_connect(&rn, &c.o), -EINVAL);
	c.o.label = "good.label-1_:@";
	c.o.flags = 0x100;
	assert_int_equal(rawnet_connect(&rn, &c.o), -EINVAL);
	c.o.flags = 0;
	assert_int_equal(rawnet_connect(&rn, &c.o), 0);
	rawnet_close(rn);
}

/* ---- a daemon that answers nonsense ---- */

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

#define WORD(type, member) ((int)(offsetof(struct type, member) / 4))

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
		set_hook(break_reply, &b);
		r = dial(&rn, RAWNET_NO_THREAD);
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
		set_hook(NULL, NULL);
		/* The fake notices the end of a connection a moment later. */
		for (int k = 0; k < 2000 && open_fds() != fds; k++)
			usleep(1000);
		if (open_fds() != fds)
			print_message("%s: descriptors\n", b.name);
		assert_int_equal(open_fds(), fds);
	}
}

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
		set_hook(break_memory, words[i]);
		assert_int_equal(rawnet_attach(rn, "eth0", &o, &at), -EPROTO);
		/* What could not be used was given back. */
		assert_null(fake_at(&fake, 0));
	}
	set_hook(NULL, NULL);
	assert_int_equal(rawnet_attach(rn, "eth0", &o, &at), 0);
	rawnet_close(rn);
}

/* ---- attach ---- */

static void refuse(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	if (req->type == *(const uint16_t *)f->arg)
		fake_refuse(rep, -EDQUOT, "memory: 64 MiB are more than your quota");
}

static void test_refusal(void **state)
{
	uint16_t type = RAWNET_MSG_ATTACH;
	struct rawnet_attachment *at;
	struct rawnet *rn;

	(void)state;
	set_hook(refuse, &type);
	assert_int_equal(dial(&rn, 0), 0);
	assert_int_equal(rawnet_attach(rn, "eth0", NULL, &at), -EDQUOT);
	assert_string_equal(rawnet_error(), "memory: 64 MiB are more than your quota");
	assert_int_equal(rawnet_attach(rn, "", NULL, &at), -EINVAL);
	assert_int_equal(rawnet_attach(rn, "a-name-of-more-than-fifteen", NULL, &at), -ENODEV);
	rawnet_close(rn);
}

/* More queues than asked for: the library asks again, with buffers for all of them. */
static void test_more_queues(void **state)
{
	struct rawnet_attach_options few = {.size = sizeof(few), .n_bufs = 2048 + 10};
	struct rawnet_attachment *at;
	struct rawnet *rn;

	(void)state;
	fake.min_queues = 3;
	assert_int_equal(dial(&rn, 0), 0);
	assert_int_equal(rawnet_attach(rn, "eth0", NULL, &at), 0);
	assert_int_equal(rawnet_attachment_info(at)->n_queues, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(rawnet_queue(at, i)->rx.mask, 1023);
		assert_int_equal(rawnet_queue(at, i)->n_free, 256);
		assert_int_equal(rawnet_queue(at, i)->index, i);
	}
	assert_null(rawnet_queue(at, 3));
	assert_int_equal(fake_count(&fake, RAWNET_MSG_ATTACH), 2);
	assert_int_equal(fake_count(&fake, RAWNET_MSG_DETACH), 1);
	assert_int_equal(rawnet_detach(at), 0);
	assert_null(fake_at(&fake, 0));
	/* Numbers of the program's own are not changed, but refused if they cannot do. */
	assert_int_equal(rawnet_attach(rn, "eth0", &few, &at), -EINVAL);
	assert_non_null(strstr(rawnet_error(), "n_bufs"));
	assert_null(fake_at(&fake, 0));
	fake.min_queues = 1;
	assert_int_equal(rawnet_attach(rn, "eth0", &few, &at), 0);
	assert_int_equal(rawnet_queue(at, 0)->n_free, 10);
	rawnet_close(rn);
}

/* A reply that comes after its time-out: what it made is undone. */
static void late(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	(void)rep;
	if (req->type != RAWNET_MSG_ATTACH && req->type != RAWNET_MSG_FLOW_ADD)
		return;
	f->hook = NULL;
	usleep(300000);
}

static void test_late_replies(void **state)
{
	struct rawnet_match match = {.size = sizeof(match)};
	struct rawnet_attachment *at;
	struct rawnet *rn;
	uint64_t rule;

	(void)state;
	assert_int_equal(dial(&rn, 0), 0);
	set_hook(late, NULL);
	assert_int_equal(rawnet_attach(rn, "eth0", NULL, &at), -ETIMEDOUT);
	for (int i = 0; i < 2000 && !fake_count(&fake, RAWNET_MSG_DETACH); i++)
		usleep(1000);
	assert_int_equal(fake_count(&fake, RAWNET_MSG_DETACH), 1);
	assert_int_equal(rawnet_attach(rn, "eth0", NULL, &at), 0);
	set_hook(late, NULL);
	assert_int_equal(rawnet_flow_add(at, &match, NULL, &rule), -ETIMEDOUT);
	for (int i = 0; i < 2000 && !fake_count(&fake, RAWNET_MSG_FLOW_DEL); i++)
		usleep(1000);
	assert_int_equal(fake_count(&fake, RAWNET_MSG_FLOW_DEL), 1);
	assert_int_equal(fake_rules(&fake), 0);
	rawnet_close(rn);
}

/* ---- events, requests, lists ---- */

static struct rawnet_event last_event;
static int events;

static void on_event(void *arg, const struct rawnet_event *event)
{
	assert_ptr_equal(arg, &events);
	last_event = *event;
	events++;
}

static void test_events(void **state)
{
	struct rawnet_options c = {.size = sizeof(c),
				   .socket = fake.path,
				   .flags = RAWNET_NO_THREAD,
				   .event = on_event,
				   .arg = &events};
	struct rawnet_event e = {.hdr = {.size = sizeof(e), .type = RAWNET_MSG_EVENT},
				 .kind = RAWNET_EVENT_LINK,
				 .what = "down"};
	struct rawnet_hdr unknown = {.size = sizeof(unknown), .type = 200};
	struct pollfd p = {.events = POLLIN};
	struct rawnet *rn;

	(void)state;
	memset(e.text, 'x', sizeof(e.text)); /* no NUL */
	assert_int_equal(rawnet_connect(&rn, &c), 0);
	assert_int_equal(rawnet_subscribe(rn, RAWNET_EVENT_LINK), 0);
	assert_int_equal(fake.events_mask, RAWNET_EVENT_LINK);
	p.fd = rawnet_fd(rn);
	assert_int_equal(poll(&p, 1, 0), 0);
	fake_send_all(&fake, &unknown, sizeof(unknown));
	fake_send_all(&fake, &e, sizeof(e));
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_int_equal(rawnet_process(rn), 0);
	assert_int_equal(events, 1);
	assert_string_equal(last_event.what, "down");
	assert_int_equal(strlen(last_event.text), sizeof(e.text) - 1);
	/* One that a request finds on its way is kept for the next rawnet_process(). */
	fake_send_all(&fake, &e, sizeof(e));
	assert_int_equal(rawnet_subscribe(rn, RAWNET_EVENT_LINK), 0);
	assert_int_equal(events, 1);
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(rawnet_process(rn), 0);
	assert_int_equal(events, 2);
	assert_int_equal(poll(&p, 1, 0), 0);
	/* A program that does not look loses events, and is told. */
	for (int i = 0; i < 1100; i++) {
		fake_send_all(&fake, &e, sizeof(e));
		assert_int_equal(rawnet_subscribe(rn, RAWNET_EVENT_LINK), 0);
	}
	assert_int_equal(rawnet_process(rn), 0);
	assert_int_equal(events, 2 + 1024);
	fake_send_all(&fake, &e, sizeof(e));
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_int_equal(rawnet_process(rn), 0);
	assert_int_equal(last_event.lost, 1100 - 1024);
	rawnet_close(rn);
}

static void test_request(void **state)
{
	struct rawnet_req_plain req = {.hdr = {.type = RAWNET_MSG_STATUS}};
	uint16_t type = RAWNET_MSG_STATUS;
	struct rawnet_rep_status rep;
	struct rawnet *rn;

	(void)state;
	assert_int_equal(dial(&rn, 0), 0);
	memset(&rep, 0xff, sizeof(rep));
	assert_int_equal(rawnet_request(rn, &req, sizeof(req), &rep, sizeof(rep)), 0);
	assert_int_equal(rep.hdr.type, RAWNET_MSG_STATUS | RAWNET_REPLY);
	assert_int_equal(rep.uptime_ns, 0); /* the reply was shorter: zero */
	assert_int_equal(rawnet_request(rn, &req, sizeof(req), NULL, 0), 0);
	assert_int_equal(rawnet_request(rn, &req, 3, NULL, 0), -EINVAL);
	assert_int_equal(rawnet_request(rn, &req, 5000, NULL, 0), -EINVAL);
	set_hook(refuse, &type);
	assert_int_equal(rawnet_request(rn, &req, sizeof(req), &rep, sizeof(rep)), -EDQUOT);
	rawnet_close(rn);
}

struct seen {
	uint64_t sum;
	uint32_t n, stop_at;
};

static int see(void *arg, const void *entry)
{
	const struct rawnet_flow_info *info = entry;
	struct seen *seen = arg;

	seen->sum += info->rule;
	seen->n++;
	return seen->n == seen->stop_at ? 77 : 0;
}

static void break_list(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	const uint32_t *word = f->arg;

	if (req->type == RAWNET_MSG_FLOW_LIST)
		memcpy(rep->bytes + 4 * word[0], &word[1], 4);
}

static void test_lists(void **state)
{
	struct rawnet_match match[40] = {0};
	uint32_t many[] = {WORD(rawnet_list, n), UINT32_MAX};
	uint32_t empty[] = {WORD(rawnet_list, entry_size), 0};
	uint32_t same[] = {WORD(rawnet_list, next), 16};
	struct rawnet_attachment *at;
	struct seen seen = {0};
	struct rawnet *rn;

	(void)state;
	assert_int_equal(dial(&rn, 0), 0);
	assert_int_equal(rawnet_attach(rn, "eth0", NULL, &at), 0);
	for (int i = 0; i < 40; i++)
		match[i].size = sizeof(match[i]);
	assert_int_equal(rawnet_flow_add_many(at, match, 40, NULL, NULL), 40);
	assert_int_equal(rawnet_list_each(rn, RAWNET_MSG_FLOW_LIST, NULL,
					  sizeof(struct rawnet_flow_info), see, &seen),
			 0);
	assert_int_equal(seen.n, 40);
	assert_int_equal(seen.sum, 40 * 41 / 2);
	/* A shorter and a longer struct than the daemon's; stopping. */
	seen = (struct seen) {0};
	assert_int_equal(rawnet_list_each(rn, RAWNET_MSG_FLOW_LIST, NULL, 8, see, &seen), 0);
	assert_int_equal(seen.sum, 40 * 41 / 2);
	seen = (struct seen) {.stop_at = 20};
	assert_int_equal(rawnet_list_each(rn, RAWNET_MSG_FLOW_LIST, NULL, 2000, see, &seen), 77);
	assert_int_equal(seen.n, 20);
	assert_int_equal(rawnet_list_each(rn, RAWNET_MSG_HELLO, NULL, 8, see, &seen), -EINVAL);
	set_hook(break_list, many);
	assert_int_equal(rawnet_list_each(rn, RAWNET_MSG_FLOW_LIST, NULL, 8, see, &seen), -EPROTO);
	set_hook(break_list, empty);
	assert_int_equal(rawnet_list_each(rn, RAWNET_MSG_FLOW_LIST, NULL, 8, see, &seen), -EPROTO);
	set_hook(break_list, same);
	assert_int_equal(rawnet_list_each(rn, RAWNET_MSG_FLOW_LIST, NULL, 8, see, &seen), -EPROTO);
	rawnet_close(rn);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hello),	TEST(test_no_daemon),	  TEST(test_options),
		TEST(test_breakages),	TEST(test_broken_memory), TEST(test_refusal),
		TEST(test_more_queues), TEST(test_late_replies),  TEST(test_events),
		TEST(test_request),	TEST(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
