/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making and freeing a connection, and the loop that handles what comes unasked: run by the
 * library's thread, or by the program through rawnet_process(). Everything it waits for is in one
 * epoll set: the socket, a timer for the next attempt to connect, and an eventfd that says that
 * callbacks wait or that the thread must end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "internal.h"

#define MESSAGES_A_TURN 256

void rn_conn_kick(struct rawnet *rn)
{
	uint64_t one = 1;

	/* EAGAIN: the counter is full, so it is readable already. */
	if (write(rn->kick_fd, &one, sizeof(one)) < 0)
		return;
}

static void reset(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
}

static struct rn_call *take_calls(struct rawnet *rn)
{
	struct rn_call *list = rn->calls.head;

	rn_calls_init(&rn->calls);
	return list;
}

static void read_messages(struct rawnet *rn)
{
	struct rn_msg m;
	int r = 1;

	for (int i = 0; i < MESSAGES_A_TURN && rn->sock >= 0; i++) {
		r = rn_wire_recv(rn->sock, &m);
		if (r == -EAGAIN)
			return;
		if (r <= 0)
			rn_conn_lost(rn, NULL);
		else
			rn_conn_take(rn, &m);
	}
}

int rawnet_process(struct rawnet *rn)
{
	struct rn_call *calls;
	int err;

	pthread_mutex_lock(&rn->lock);
	reset(rn->kick_fd);
	reset(rn->timer_fd);
	read_messages(rn);
	if (!rn->ended && (rn->sock < 0 || rn->incomplete) && rn_now_ns() >= rn->retry_at)
		rn_restore_try(rn);
	calls = take_calls(rn);
	err = rn->ended ? rn_conn_ready(rn) : 0;
	pthread_mutex_unlock(&rn->lock);
	rn_calls_run(rn, calls);
	return err;
}

static void *run(void *arg)
{
	struct rawnet *rn = arg;
	struct epoll_event ev;

	while (!__atomic_load_n(&rn->stop, __ATOMIC_ACQUIRE)) {
		epoll_wait(rn->poll_fd, &ev, 1, -1);
		rawnet_process(rn);
	}
	return NULL;
}

/* With all signals blocked: they belong to the program's threads. */
static int start_thread(struct rawnet *rn)
{
	sigset_t all, before;
	int err;

	if (rn->options.flags & RAWNET_NO_THREAD)
		return 0;
	sigfillset(&all);
	err = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (err)
		return rn_fail(-err, "cannot block signals: %s", strerror(err));
	rn->has_thread = true;
	err = pthread_create(&rn->thread, NULL, run, rn);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		rn->has_thread = false;
		return rn_fail(-err, "cannot start the library's thread: %s", strerror(err));
	}
	pthread_setname_np(rn->thread, "rawnet");
	return 0;
}

static int watch(struct rawnet *rn, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(rn->poll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static int make_descriptors(struct rawnet *rn)
{
	rn->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	rn->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	rn->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rn->ready_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rn->poll_fd < 0 || rn->timer_fd < 0 || rn->kick_fd < 0 || rn->ready_fd < 0 ||
	    watch(rn, rn->timer_fd) || watch(rn, rn->kick_fd))
		return rn_fail(-errno, "cannot make descriptors: %s", strerror(errno));
	return 0;
}

static int check_label(const char *label)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.:@";

	if (strlen(label) >= RAWNET_LABEL)
		return rn_fail(-EINVAL, "label: longer than %u characters", RAWNET_LABEL - 1);
	if (label[strspn(label, allowed)])
		return rn_fail(-EINVAL, "label: \"%s\": only letters, digits and -_.:@", label);
	return 0;
}

static int take_options(struct rawnet *rn, const struct rawnet_options *options)
{
	struct rawnet_options *o = &rn->options;
	int err = rn_options_copy(o, sizeof(*o), options, "options");

	if (err)
		return err;
	if (o->flags & ~(RAWNET_NO_THREAD | RAWNET_NO_RECONNECT))
		return rn_fail(-EINVAL, "options: flags are %#x", o->flags);
	if (!o->socket)
		o->socket = secure_getenv("RAWNET_SOCKET");
	if (!o->socket || !o->socket[0])
		o->socket = RAWNET_DEFAULT_SOCKET;
	if (strlen(o->socket) >= sizeof(rn->path))
		return rn_fail(-ENAMETOOLONG, "socket: path of more than %zu bytes",
			       sizeof(rn->path) - 1);
	if (o->label && (err = check_label(o->label)))
		return err;
	if (!o->program)
		o->program = program_invocation_short_name;
	if (!o->timeout_ms)
		o->timeout_ms = RN_TIMEOUT_MS;
	memcpy(rn->path, o->socket, strlen(o->socket) + 1);
	if (o->label)
		memcpy(rn->label, o->label, strlen(o->label) + 1);
	snprintf(rn->program, sizeof(rn->program), "%.31s", o->program);
	o->socket = rn->path;
	o->label = rn->label;
	o->program = rn->program;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void destroy(struct rawnet *rn)
{
	struct rawnet_attachment *at;
	struct rn_kept *kept;

	close_fd(rn->sock);
	while ((at = rn->attachments)) {
		rn->attachments = at->next;
		rn_attach_free(at);
	}
	while ((kept = rn->kept)) {
		rn->kept = kept->next;
		free(kept);
	}
	rn_rules_free(&rn->rules);
	rn_calls_free(rn->calls.head);
	close_fd(rn->poll_fd);
	close_fd(rn->timer_fd);
	close_fd(rn->kick_fd);
	close_fd(rn->ready_fd);
	pthread_mutex_destroy(&rn->lock);
	pthread_mutex_destroy(&rn->map_lock);
	free(rn);
}

int rawnet_connect(struct rawnet **out, const struct rawnet_options *options)
{
	struct rawnet *rn = calloc(1, sizeof(*rn));
	int err;

	*out = NULL;
	if (!rn)
		return rn_fail(-ENOMEM, "no memory for a connection");
	pthread_mutex_init(&rn->lock, NULL);
	pthread_mutex_init(&rn->map_lock, NULL);
	rn_calls_init(&rn->calls);
	rn->sock = rn->poll_fd = rn->timer_fd = rn->kick_fd = rn->ready_fd = -1;
	rn->backoff_ms = 1;
	err = take_options(rn, options);
	if (!err)
		err = make_descriptors(rn);
	if (!err)
		err = rn_conn_open(rn, rn_conn_deadline(rn));
	if (!err) {
		rn->announced = true;
		rn->back_at = rn_now_ns();
		err = start_thread(rn);
	}
	if (err) {
		destroy(rn);
		return err;
	}
	*out = rn;
	return 0;
}

void rawnet_close(struct rawnet *rn)
{
	if (!rn)
		return;
	if (rn->has_thread) {
		__atomic_store_n(&rn->stop, 1, __ATOMIC_RELEASE);
		rn_conn_kick(rn);
		pthread_join(rn->thread, NULL);
	}
	destroy(rn);
}

const struct rawnet_rep_hello *rawnet_hello(const struct rawnet *rn)
{
	return __atomic_load_n(&rn->hello, __ATOMIC_ACQUIRE);
}

int rawnet_fd(const struct rawnet *rn)
{
	return rn->poll_fd;
}
