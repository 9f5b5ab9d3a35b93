/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control channel: refusals, late replies, events, lists. Every case leaves as many descriptors
 * open as before.
 */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib_daemon.h"

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
	fake_set_hook(&fake, refuse, &type);
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

static sem_t timed_out;

/* A reply that comes after its time-out: what it made is undone. */
static void late(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep)
{
	(void)rep;
	if (req->type != RAWNET_MSG_ATTACH && req->type != RAWNET_MSG_FLOW_ADD)
		return;
	f->hook = NULL;
	sem_wait(&timed_out);
}

static void test_late_replies(void **state)
{
	struct rawnet_match match = {.size = sizeof(match)};
	struct rawnet_attachment *at;
	struct rawnet *rn;
	uint64_t rule;

	(void)state;
	sem_init(&timed_out, 0, 0);
	assert_int_equal(dial_for(&rn, 0, 2000), 0);
	fake_set_hook(&fake, late, NULL);
	assert_int_equal(rawnet_attach(rn, "eth0", NULL, &at), -ETIMEDOUT);
	sem_post(&timed_out);
	for (int i = 0; i < 20000 && !fake_count(&fake, RAWNET_MSG_DETACH); i++)
		usleep(1000);
	assert_int_equal(fake_count(&fake, RAWNET_MSG_DETACH), 1);
	assert_int_equal(rawnet_attach(rn, "eth0", NULL, &at), 0);
	fake_set_hook(&fake, late, NULL);
	assert_int_equal(rawnet_flow_add(at, &match, NULL, &rule), -ETIMEDOUT);
	sem_post(&timed_out);
	for (int i = 0; i < 20000 && !fake_count(&fake, RAWNET_MSG_FLOW_DEL); i++)
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
	fake_set_hook(&fake, refuse, &type);
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
	fake_set_hook(&fake, break_list, many);
	assert_int_equal(rawnet_list_each(rn, RAWNET_MSG_FLOW_LIST, NULL, 8, see, &seen), -EPROTO);
	fake_set_hook(&fake, break_list, empty);
	assert_int_equal(rawnet_list_each(rn, RAWNET_MSG_FLOW_LIST, NULL, 8, see, &seen), -EPROTO);
	fake_set_hook(&fake, break_list, same);
	assert_int_equal(rawnet_list_each(rn, RAWNET_MSG_FLOW_LIST, NULL, 8, see, &seen), -EPROTO);
	rawnet_close(rn);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hello),   TEST(test_no_daemon),   TEST(test_options),
		TEST(test_refusal), TEST(test_more_queues), TEST(test_late_replies),
		TEST(test_events),  TEST(test_request),	    TEST(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
