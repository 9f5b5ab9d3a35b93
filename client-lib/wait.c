/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping until a ring has news. Runs in the queue's thread.
 *
 * Two orders keep wake-ups from being lost. Against the daemon: set the sleep flags, a sequentially
 * consistent fence, look at the indexes, block (ring.h has the argument). Against the bytes on the
 * wake-up socket: always empty the socket first and look at the indexes after; a byte that comes
 * later makes the next poll return at once, which costs a look and loses nothing.
 *
 * The queue's descriptor is an epoll set that lives as long as the queue: the wake-up socket, which
 * each attach replaces, is in it, and the connection's ready_fd, which is let through once when
 * there is something to notice besides packets (new memory, the end). Only the queue's thread
 * touches the socket.
 *
 * What a wake-up costs a program that sleeps by rawnet_arm() and poll(2): those two system calls,
 * of which rawnet_arm() makes one to take the byte out.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "internal.h"

enum found {
	NOTHING,
	BYTES,
	END
};

/* Takes all bytes out; the end of the socket, when the daemon is gone, takes it out of the set so
 * that it does not wake again. */
static enum found empty_socket(struct rn_queue *rq)
{
	char bytes[64];
	ssize_t n;

	do
		n = recv(rq->q.wake_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (n == (ssize_t)sizeof(bytes) || (n < 0 && errno == EINTR));
	if (n > 0)
		return BYTES; /* fewer: those were all */
	if (n < 0 && errno != ECONNRESET)
		return NOTHING; /* or a failure that passes, and the bytes are still there */
	epoll_ctl(rq->poll_fd, EPOLL_CTL_DEL, rq->q.wake_fd, NULL);
	return END;
}

static int empty(struct rn_queue *rq, const struct epoll_event *ev, int n)
{
	int end = 0;

	for (int i = 0; i < n; i++)
		if (ev[i].data.fd != rq->q.at->rn->ready_fd)
			end |= empty_socket(rq) == END;
	return end;
}

/* Bytes are the usual case. Only where there are none the epoll set is asked, since what was let
 * through once has to be taken out of it. */
static void empty_all(struct rn_queue *rq)
{
	struct epoll_event ev[2] = {{0}};

	if (empty_socket(rq) != BYTES)
		empty(rq, ev, epoll_wait(rq->poll_fd, ev, 2, 0));
}

static int changed(const struct rn_queue *rq)
{
	return __atomic_load_n(&rq->q.changed, __ATOMIC_ACQUIRE) != 0;
}

static int ended(const struct rn_queue *rq)
{
	int err = __atomic_load_n(&rq->q.at->ended, __ATOMIC_ACQUIRE);

	return err ? rn_fail(err, "the attachment has ended: %s", rq->q.at->ended_text) : 0;
}

/* Have slots come back since the last look? An empty ring counts too: nothing would ever come. */
static int tx_news(struct rawnet_ring *r)
{
	uint32_t before = r->daemon;

	rawnet_ring_look(r);
	return r->daemon != before || r->daemon == r->client;
}

/* While there is no daemon, only what it left in the rx ring counts. */
static int ring_news(struct rn_queue *rq, uint32_t what)
{
	if ((what & RAWNET_WAIT_RX) && rawnet_rx_avail(&rq->q.rx))
		return 1;
	return (what & RAWNET_WAIT_TX) && !changed(rq) && tx_news(&rq->q.tx);
}

static void set_flags(struct rn_queue *rq, uint32_t what)
{
	if (what & RAWNET_WAIT_RX)
		__atomic_store_n(&rq->q.rx.ctl->sleep.client, 1u, __ATOMIC_RELAXED);
	if (what & RAWNET_WAIT_TX)
		__atomic_store_n(&rq->q.tx.ctl->sleep.client, 1u, __ATOMIC_RELAXED);
	rq->armed = what;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void rawnet_disarm(struct rawnet_queue *q)
{
	struct rn_queue *rq = (struct rn_queue *)q;

	if (rq->armed & RAWNET_WAIT_RX)
		rawnet_ring_disarm(&q->rx);
	if (rq->armed & RAWNET_WAIT_TX)
		rawnet_ring_disarm(&q->tx);
	rq->armed = 0;
}

static int check(struct rn_queue *rq, uint32_t what)
{
	if (what == 0 || (what & ~(RAWNET_WAIT_RX | RAWNET_WAIT_TX)))
		return rn_fail(-EINVAL, "what: %#x is not RAWNET_WAIT_RX or RAWNET_WAIT_TX", what);
	return rq->deaf ? rn_queue_hear(rq) : 0;
}

int rawnet_arm(struct rawnet_queue *q, uint32_t what)
{
	struct rn_queue *rq = (struct rn_queue *)q;
	int r = check(rq, what);

	if (r)
		return r;
	empty_all(rq);
	rawnet_flush(q);
	set_flags(rq, what);
	if (rq->unreported || __atomic_load_n(&rq->pending, __ATOMIC_ACQUIRE))
		r = 1; /* the next burst or rawnet_queue_sync() switches */
	else if (!(r = ring_news(rq, what)))
		r = ended(rq);
	if (r)
		rawnet_disarm(q);
	return r;
}

/* Something to return for: new memory, packets, the end. */
static int news(struct rn_queue *rq, uint32_t what)
{
	int r;

	if (changed(rq) && rn_queue_switch_in_wait(rq))
		return 1;
	r = ring_news(rq, what);
	return r ? r : ended(rq);
}

/* Milliseconds until `deadline`, rounded up, as epoll_wait takes it. */
static int left_ms(int timeout_ms, uint64_t deadline)
{
	uint64_t now;

	if (timeout_ms <= 0)
		return timeout_ms < 0 ? -1 : 0;
	now = rn_now_ns();
	return now < deadline ? (int)((deadline - now + 999999) / 1000000) : 0;
}

/* What wakes and is no news takes time, too: the deadline holds whatever comes. */
static int sleep_for_news(struct rn_queue *rq, uint32_t what, int timeout_ms)
{
	const bool alone = (rq->q.at->rn->options.flags & RAWNET_NO_THREAD) != 0;
	uint64_t deadline = 0;
	struct epoll_event ev[2];
	int n, r, left = -1;

	if (timeout_ms > 0)
		deadline = rn_now_ns() + (uint64_t)timeout_ms * 1000000;
	while (!(r = news(rq, what)) && left != 0) {
		left = left_ms(timeout_ms, deadline);
		n = epoll_wait(rq->poll_fd, ev, 2, left);
		if (n < 0)
			return rn_fail(-errno, "interrupted by a signal");
		/* Without a thread only the caller can connect again: let it, early. */
		if (empty(rq, ev, n) && alone)
			return news(rq, what);
	}
	return r;
}

int rawnet_wait(struct rawnet_queue *q, uint32_t what, int timeout_ms)
{
	struct rn_queue *rq = (struct rn_queue *)q;
	int r = check(rq, what);

	if (r)
		return r;
	rawnet_flush(q);
	r = news(rq, what);
	if (r || timeout_ms == 0)
		return r;
	set_flags(rq, what);
	r = sleep_for_news(rq, what, timeout_ms);
	rawnet_disarm(q);
	return r;
}
