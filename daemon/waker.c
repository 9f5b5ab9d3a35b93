/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See waker.h. Each queue has a slot. Its `pending` is set by the poller that queues the slot and
 * cleared by the waker before it sends, so a slot stands in at most one ring at a time, once, and a
 * ring of as many entries as there are slots cannot overflow. A wake-up that comes while the waker
 * works on the slot sets `pending` again and is queued again: none is lost.
 *
 * The waker sleeps on an eventfd. Its `asleep` flag and the rings' tails are a store-buffer pair:
 * the waker sets the flag, fence, looks at the rings; a poller stores its tail, fence, reads the
 * flag. Whoever comes second sees the other.
 *
 * Lock: `lock` guards the descriptors and counters of the slots between the control thread (open,
 * close) and the waker (send). Pollers never take it.
 */
#include "waker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queue.h"

#define SLOTS	 65536u
#define AGAIN_MS 1

struct slot {
	uint32_t pending; /* atomic: it is queued */
	int fd; /* -1: free; lock */
	bool again; /* the kernel had no memory for its byte; lock */
	uint64_t *count; /* the queue's counters; lock; the waker is their only writer */
};

/* One for each poller: it writes tail and entries, the waker writes head. */
struct feed {
	_Alignas(64) uint32_t tail;
	_Alignas(64) uint32_t head;
	uint32_t *slot;
};

struct rn_waker {
	pthread_t thread;
	int event;
	uint32_t asleep;
	uint32_t stop;
	bool again; /* some slot has that; the waker's */
	uint32_t n_feeds;
	struct feed *feed;
	uint32_t next_slot; /* where to look for a free one; control thread */
	pthread_mutex_t lock;
	struct slot slot[SLOTS];
};

static void bump(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* With the lock. A full socket means that the client has wake-ups to read: as good as sent. Where
 * the kernel has no memory, nothing else would wake the client: it is tried again. */
static void send_byte(struct rn_waker *w, struct slot *s)
{
	s->again = false;
	if (s->fd < 0)
		return;
	if (send(s->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    (errno == ENOBUFS || errno == ENOMEM))
		w->again = s->again = true;
	else
		bump(&s->count[RAWNET_Q_WAKEUPS]);
}

static void serve(struct rn_waker *w, uint32_t index)
{
	pthread_mutex_lock(&w->lock);
	send_byte(w, &w->slot[index]);
	pthread_mutex_unlock(&w->lock);
}

static void serve_again(struct rn_waker *w)
{
	w->again = false;
	pthread_mutex_lock(&w->lock);
	for (uint32_t i = 0; i < SLOTS; i++)
		if (w->slot[i].again)
			send_byte(w, &w->slot[i]);
	pthread_mutex_unlock(&w->lock);
}

/* Takes everything out of the rings; how much. */
static uint32_t drain(struct rn_waker *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n_feeds; i++) {
		struct feed *f = &w->feed[i];
		uint32_t tail = __atomic_load_n(&f->tail, __ATOMIC_ACQUIRE);

		for (; f->head != tail; n++) {
			uint32_t index = f->slot[f->head % SLOTS];

			/* Release: the entry is read before the poller may reuse it. */
			__atomic_store_n(&f->head, f->head + 1, __ATOMIC_RELEASE);
			/* Sequentially consistent, before the send: see the file's head. */
			__atomic_store_n(&w->slot[index].pending, 0, __ATOMIC_SEQ_CST);
			serve(w, index);
		}
	}
	return n;
}

/* The read blocks: one system call for each time that it is woken. What was written while it was
 * awake costs a look. */
static void sleep_until_fed(struct rn_waker *w)
{
	struct pollfd p = {.fd = w->event, .events = POLLIN};
	uint64_t value;

	__atomic_store_n(&w->asleep, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!drain(w) && !__atomic_load_n(&w->stop, __ATOMIC_RELAXED) &&
	    (!w->again || poll(&p, 1, AGAIN_MS) > 0))
		(void)!read(w->event, &value, sizeof(value));
	__atomic_store_n(&w->asleep, 0, __ATOMIC_RELAXED);
}

void (*rn_waker_started)(void);

static void *waker_main(void *arg)
{
	struct rn_waker *w = arg;

	pthread_setname_np(pthread_self(), "rn-waker");
	if (rn_waker_started)
		rn_waker_started();
	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		drain(w);
		if (w->again)
			serve_again(w);
		sleep_until_fed(w);
	}
	return NULL;
}

static void waker_free(struct rn_waker *w)
{
	for (uint32_t i = 0; w->feed && i < w->n_feeds; i++)
		free(w->feed[i].slot);
	free(w->feed);
	if (w->event >= 0)
		close(w->event);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int rn_waker_create(uint32_t n_pollers, struct rn_waker **waker, struct rn_err *err)
{
	struct rn_waker *w = calloc(1, sizeof(*w));
	bool ok;
	int rc;

	if (!w)
		return rn_fail(err, -ENOMEM, "waker: out of memory");
	pthread_mutex_init(&w->lock, NULL);
	w->n_feeds = n_pollers;
	w->feed = aligned_alloc(64, n_pollers * sizeof(*w->feed));
	w->event = eventfd(0, EFD_CLOEXEC);
	ok = w->feed && w->event >= 0;
	if (w->feed)
		memset(w->feed, 0, n_pollers * sizeof(*w->feed));
	for (uint32_t i = 0; ok && i < n_pollers; i++)
		ok = (w->feed[i].slot = malloc(SLOTS * sizeof(uint32_t))) != NULL;
	for (uint32_t i = 0; i < SLOTS; i++)
		w->slot[i].fd = -1;
	rc = ok ? -pthread_create(&w->thread, NULL, waker_main, w) : -ENOMEM;
	if (rc) {
		waker_free(w);
		return rn_fail(err, rc, "waker: %s", strerror(-rc));
	}
	*waker = w;
	return 0;
}

static void rouse(struct rn_waker *w)
{
	uint64_t one = 1;

	(void)!write(w->event, &one, sizeof(one));
}

void rn_waker_destroy(struct rn_waker *w)
{
	if (!w)
		return;
	__atomic_store_n(&w->stop, 1, __ATOMIC_SEQ_CST);
	rouse(w);
	pthread_join(w->thread, NULL);
	waker_free(w);
}

int rn_waker_open(struct rn_waker *w, struct rn_queue *q, struct rn_err *err)
{
	int rc = -EMFILE;

	pthread_mutex_lock(&w->lock);
	for (uint32_t i = 0; i < SLOTS && rc; i++) {
		uint32_t index = (w->next_slot + i) % SLOTS;

		if (w->slot[index].fd >= 0)
			continue;
		w->slot[index].fd = q->wake_fd;
		w->slot[index].count = q->count;
		w->slot[index].again = false;
		q->wake_slot = index;
		w->next_slot = index + 1;
		rc = 0;
	}
	pthread_mutex_unlock(&w->lock);
	return rc ? rn_fail(err, rc, "waker: all %u slots are in use", SLOTS) : 0;
}

void rn_waker_close(struct rn_waker *w, struct rn_queue *q)
{
	pthread_mutex_lock(&w->lock);
	w->slot[q->wake_slot].fd = -1;
	pthread_mutex_unlock(&w->lock);
}

void rn_waker_wake(struct rn_waker *w, uint32_t index, struct rn_queue *q)
{
	struct feed *f = &w->feed[index];
	struct slot *s = &w->slot[q->wake_slot];

	if (__atomic_exchange_n(&s->pending, 1, __ATOMIC_SEQ_CST))
		return;
	f->slot[f->tail % SLOTS] = q->wake_slot;
	__atomic_store_n(&f->tail, f->tail + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&w->asleep, __ATOMIC_RELAXED))
		rouse(w);
}
