/* SPDX-License-Identifier: BSD-2-Clause */
/* See asker.h. */
#include "asker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <urcu-qsbr.h>

struct rn_asker {
	pthread_t thread;
	bool runs;
	void (*started)(void);
	int event; /* something was answered */
	sd_event_source *source;
	pthread_mutex_t lock; /* of what follows; held for a few instructions */
	pthread_cond_t fed;
	struct cds_list_head waiting, answered;
	bool stop;
};

/* The next question, begun; NULL: the end. */
static struct rn_question *next_question(struct rn_asker *a)
{
	struct rn_question *q = NULL;

	pthread_mutex_lock(&a->lock);
	while (!a->stop && cds_list_empty(&a->waiting))
		pthread_cond_wait(&a->fed, &a->lock);
	if (!a->stop) {
		q = cds_list_first_entry(&a->waiting, struct rn_question, list);
		q->begun = true;
		cds_list_del(&q->list);
	}
	pthread_mutex_unlock(&a->lock);
	return q;
}

static void *asker_main(void *arg)
{
	struct rn_asker *a = arg;
	struct rn_question *q;

	pthread_setname_np(pthread_self(), "rn-asker");
	if (a->started)
		a->started();
	rcu_register_thread();
	rcu_thread_offline();
	while ((q = next_question(a))) {
		q->ask(q);
		pthread_mutex_lock(&a->lock);
		cds_list_add_tail(&q->list, &a->answered);
		pthread_mutex_unlock(&a->lock);
		eventfd_write(a->event, 1);
	}
	rcu_unregister_thread();
	return NULL;
}

/* ---- control thread ---- */

/* done() may put and leave: the lists are not held meanwhile. */
static void finish_all(struct rn_asker *a, struct cds_list_head *list)
{
	CDS_LIST_HEAD(all);
	struct rn_question *q, *next;

	pthread_mutex_lock(&a->lock);
	cds_list_splice(list, &all);
	CDS_INIT_LIST_HEAD(list);
	pthread_mutex_unlock(&a->lock);
	cds_list_for_each_entry_safe (q, next, &all, list)
		q->done(q);
}

static int on_answers(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	eventfd_t n;

	(void)source;
	(void)revents;
	eventfd_read(fd, &n);
	finish_all(arg, &((struct rn_asker *)arg)->answered);
	return 0;
}

void rn_asker_put(struct rn_asker *a, struct rn_question *q)
{
	q->begun = false;
	pthread_mutex_lock(&a->lock);
	cds_list_add_tail(&q->list, &a->waiting);
	pthread_cond_signal(&a->fed);
	pthread_mutex_unlock(&a->lock);
}

void rn_asker_leave(struct rn_asker *a, struct rn_question *q)
{
	bool begun;

	q->client = NULL;
	pthread_mutex_lock(&a->lock);
	begun = q->begun;
	if (!begun)
		cds_list_del(&q->list);
	pthread_mutex_unlock(&a->lock);
	if (!begun)
		q->done(q);
}

int rn_asker_create(sd_event *event, void (*started)(void), struct rn_asker **out,
		    struct rn_err *err)
{
	struct rn_asker *a = calloc(1, sizeof(*a));
	int rc = 0;

	if (!a)
		return rn_fail(err, -ENOMEM, "asker: out of memory");
	CDS_INIT_LIST_HEAD(&a->waiting);
	CDS_INIT_LIST_HEAD(&a->answered);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->fed, NULL);
	a->started = started;
	a->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->event < 0)
		rc = -errno;
	if (!rc)
		rc = sd_event_add_io(event, &a->source, a->event, EPOLLIN, on_answers, a);
	if (rc >= 0)
		rc = -pthread_create(&a->thread, NULL, asker_main, a);
	if (rc) {
		rn_asker_destroy(a);
		return rn_fail(err, rc, "asker: %s", strerror(-rc));
	}
	a->runs = true;
	*out = a;
	return 0;
}

void rn_asker_destroy(struct rn_asker *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->fed);
	pthread_mutex_unlock(&a->lock);
	if (a->runs)
		pthread_join(a->thread, NULL);
	finish_all(a, &a->waiting);
	finish_all(a, &a->answered);
	sd_event_source_disable_unref(a->source);
	if (a->event >= 0)
		close(a->event);
	pthread_cond_destroy(&a->fed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
