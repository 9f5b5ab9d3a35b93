/* SPDX-License-Identifier: BSD-2-Clause */
/* See poller_rig.h. */
#include "poller_rig.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

const struct rn_backend *const rn_backends[] = {NULL};

struct rn_port port;
struct rn_poller *poller;
struct rn_waker *waker;

static struct rn_attachment owner = {.port = &port};
static struct rn_hwq hwq = {.port = &port};

int poller_rig_open(const struct rn_backend *backend)
{
	const struct rn_poller_config config = {.cpu = -1, .busy = true, .driven = true};
	struct rn_err err = {0};
	int rc = rn_waker_create(1, &waker, &err);

	port = (struct rn_port) {.backend = backend};
	return rc ? rc
		  : rn_poller_create(0, &config, waker, eventfd(0, EFD_NONBLOCK), &poller, &err);
}

void poller_rig_close(void)
{
	rn_poller_destroy(poller);
	rn_waker_destroy(waker);
}

void one_open(struct one *o, uint32_t index, uint32_t weight)
{
	struct rn_err err;

	memset(o, 0, sizeof(*o));
	o->q.index = index;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, o->sockets), 0);
	o->q.hw = port.backend->queue_tx ? o : NULL;
	o->q.at = &owner;
	o->q.hwq = &hwq;
	o->q.state = &o->state;
	o->q.rx.ctl = &o->rx;
	o->q.tx.ctl = &o->tx;
	o->q.wake_fd = o->sockets[0];
	o->q.weight = weight;
	o->q.count = o->count;
	assert_int_equal(rn_waker_open(waker, &o->q, &err), 0);
	assert_int_equal(rn_poller_add_queues(poller, (struct rn_queue *[]) {&o->q}, 1), 0);
}

void one_close(struct one *o)
{
	close(o->sockets[0]);
	close(o->sockets[1]);
}

void turns(int n)
{
	while (n-- > 0)
		rn_poller_turn(poller);
}
