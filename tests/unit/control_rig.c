/* SPDX-License-Identifier: BSD-2-Clause */
/* See control_rig.h: the daemon, connections and messages. */
#include "control_rig.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/backend.h"

#define PATIENCE_S 60 /* a test that waits longer has failed */

const struct rn_backend *const rn_backends[] = {NULL};

/* ---- the daemon ---- */

void control_configure(struct control *c, const char *text)
{
	FILE *f = fopen(c->conf, "w");

	assert_non_null(f);
	if (!strstr(text, "daemon ="))
		fprintf(f,
			"daemon = { sandbox = false; log_level = \"error\"; sockets = ( { path = "
			"\"%s\"; mode = 0666; } ); };\n",
			c->path);
	for (; *text; text++)
		if (*text == '@')
			fputs(c->dir, f);
		else
			fputc(*text, f);
	assert_int_equal(fclose(f), 0);
}

void control_open(struct control *c, const char *text)
{
	struct rn_config *config;
	struct rn_err err = {0};

	memset(c, 0, sizeof(*c));
	strcpy(c->dir, "/tmp/rawnet-control-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	assert_int_equal(chmod(c->dir, 0755), 0);
	snprintf(c->conf, sizeof(c->conf), "%s/conf", c->dir);
	snprintf(c->path, sizeof(c->path), "%s/sock", c->dir);
	control_configure(c, text);
	if (rn_config_load(c->conf, &config, &err) || rn_daemon_create(config, &c->daemon, &err))
		fail_msg("%s", err.text);
	control_turn(c);
}

static void close_fds(struct control *c)
{
	while (c->n_fds > 0)
		close(c->fds[--c->n_fds]);
}

void control_close(struct control *c)
{
	char command[96];

	close_fds(c);
	rn_daemon_destroy(c->daemon);
	snprintf(command, sizeof(command), "rm -r %s", c->dir);
	assert_int_equal(system(command), 0);
}

void control_turn(struct control *c)
{
	int rc;

	do {
		rc = sd_event_run(c->daemon->event, 0);
		assert_true(rc >= 0);
	} while (rc > 0);
}

void control_await(struct control *c, bool (*cond)(void *arg), void *arg)
{
	time_t since = time(NULL);

	for (;;) {
		control_turn(c);
		if (cond(arg))
			return;
		assert_true(time(NULL) - since < PATIENCE_S);
		assert_true(sd_event_run(c->daemon->event, 20000) >= 0);
	}
}

static bool is_taken(void *arg)
{
	sigset_t pending;

	(void)arg;
	sigpending(&pending);
	return !sigismember(&pending, SIGHUP);
}

void control_reload(struct control *c, const char *text)
{
	control_configure(c, text);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	control_await(c, is_taken, NULL);
}

/* ---- connections ---- */

/* The system calls themselves: the C library would change all threads. */
static void become(uid_t uid, gid_t gid, const gid_t *groups, size_t n)
{
	assert_int_equal(syscall(SYS_setgroups, n, groups), 0);
	assert_int_equal(syscall(SYS_setresgid, -1, gid, -1), 0);
	assert_int_equal(syscall(SYS_setresuid, -1, uid, -1), 0);
}

static void become_root(void)
{
	assert_int_equal(syscall(SYS_setresuid, -1, 0, -1), 0);
	assert_int_equal(syscall(SYS_setresgid, -1, 0, -1), 0);
	assert_int_equal(syscall(SYS_setgroups, 0, NULL), 0);
}

int control_connect_as(struct control *c, const char *path, uid_t uid, gid_t gid,
		       const gid_t *groups, size_t n_groups)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	assert_true(fd >= 0);
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	become(uid, gid, groups, n_groups);
	rc = connect(fd, (void *)&address, sizeof(address));
	become_root();
	assert_int_equal(rc, 0);
	control_turn(c);
	return fd;
}

int control_connect(struct control *c, uid_t uid)
{
	return control_connect_as(c, c->path, uid, (gid_t)uid, NULL, 0);
}

int control_client(struct control *c, uid_t uid, const char *label)
{
	struct rawnet_req_hello hello = {.min = 1, .max = 1, .program = "test 1"};
	struct rawnet_rep_hello reply;
	int fd = control_connect(c, uid);

	strncpy(hello.label, label, sizeof(hello.label) - 1);
	if (CONTROL_ASK(c, fd, HELLO, &hello, &reply))
		fail_msg("HELLO: %s", c->text);
	assert_int_equal(reply.uid, uid);
	return fd;
}

void control_bye(struct control *c, int fd)
{
	close(fd);
	control_turn(c);
}

/* ---- messages ---- */

void control_send(int fd, const void *message, size_t size)
{
	assert_int_equal(send(fd, message, size, MSG_NOSIGNAL), (ssize_t)size);
}

int control_receive(struct control *c, int fd, void *message, size_t size)
{
	struct iovec iov = {.iov_base = message, .iov_len = size};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(CONTROL_FDS * sizeof(int))];
	} control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg;
	ssize_t n;

	close_fds(c);
	n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && errno == ECONNRESET) /* told before the messages that were queued */
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	assert_false(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg) {
		c->n_fds = (uint32_t)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(c->fds, CMSG_DATA(cmsg), c->n_fds * sizeof(int));
	}
	return (int)n;
}

static bool is_answered(void *arg)
{
	struct pollfd p = {.fd = *(int *)arg, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* The next message that is not an event. */
static int receive_reply(struct control *c, int fd, uint8_t message[RAWNET_MSG_MAX])
{
	const struct rawnet_hdr *hdr = (void *)message;
	int n;

	do {
		control_await(c, is_answered, &fd);
		n = control_receive(c, fd, message, RAWNET_MSG_MAX);
		if (n < (int)sizeof(*hdr))
			fail_msg("no reply: %d", n);
	} while (hdr->type == RAWNET_MSG_EVENT);
	return n;
}

int control_ask(struct control *c, int fd, uint16_t type, void *request, size_t request_size,
		void *reply, size_t reply_size)
{
	static uint32_t ids;
	_Alignas(16) uint8_t message[RAWNET_MSG_MAX];
	struct rawnet_hdr *hdr = request;
	int n;

	*hdr = (struct rawnet_hdr) {.size = (uint32_t)request_size, .type = type, .id = ++ids};
	control_send(fd, request, request_size);
	n = receive_reply(c, fd, message);
	hdr = (void *)message;
	if (hdr->type != (type | RAWNET_REPLY) || hdr->size != (uint32_t)n || hdr->id != ids)
		fail_msg("reply to %u: type 0x%x, size %u of %d, id %u", type, hdr->type, hdr->size,
			 n, hdr->id);
	if (hdr->error) {
		const struct rawnet_refusal *no = (void *)message;

		assert_true(hdr->error < 0);
		assert_int_equal(n, sizeof(*no));
		assert_non_null(memchr(no->text, 0, sizeof(no->text)));
		assert_int_not_equal(no->text[0], 0);
		memcpy(c->text, no->text, sizeof(c->text));
		return hdr->error;
	}
	if (reply) {
		assert_int_equal(n, reply_size);
		memcpy(reply, message, reply_size);
	}
	return 0;
}

void control_refused(struct control *c, int fd, uint16_t type, void *request, size_t size,
		     int error, const char *words)
{
	char *before = control_state(c->daemon), *after;
	int rc = control_ask(c, fd, type, request, size, NULL, 0);

	after = control_state(c->daemon);
	if (rc != error || !strstr(c->text, words))
		fail_msg("request %u: %d \"%s\" instead of %d \"%s\"", type, rc, c->text, error,
			 words);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

bool control_event(struct control *c, int fd, const char *what, struct rawnet_event *event)
{
	_Alignas(16) uint8_t message[RAWNET_MSG_MAX];
	const struct rawnet_event *e = (void *)message;
	bool found = false;

	while (control_receive(c, fd, message, sizeof(message)) > 0)
		if (e->hdr.type == RAWNET_MSG_EVENT && !strcmp(e->what, what)) {
			assert_int_equal(e->hdr.size, sizeof(*e));
			memcpy(event, e, sizeof(*event));
			found = true;
		}
	return found;
}

void control_ended(struct control *c, int fd, enum rawnet_reason reason)
{
	_Alignas(16) uint8_t message[RAWNET_MSG_MAX];
	const struct rawnet_disconnect *bye = (void *)message;
	bool told = false;
	int n;

	control_turn(c);
	while ((n = control_receive(c, fd, message, sizeof(message))) > 0)
		if (bye->hdr.type == RAWNET_MSG_DISCONNECT) {
			assert_int_equal(n, sizeof(*bye));
			assert_int_equal(bye->reason, reason);
			assert_int_not_equal(bye->text[0], 0);
			told = true;
		}
	assert_true(told);
	assert_int_equal(n, 0);
}
