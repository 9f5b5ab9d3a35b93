/* SPDX-License-Identifier: BSD-2-Clause */
/* See poller.h: the thread, its life, what is told of it. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "backend/backend.h"
#include "poller_impl.h"
#include "waker.h"

/* ---- the thread ---- */

static void pin(const struct rn_poller *p)
{
	cpu_set_t cpus;

	if (p->config.cpu < 0)
		return;
	CPU_ZERO(&cpus);
	CPU_SET((size_t)p->config.cpu, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
}

void (*rn_poller_started)(void);

static void *poller_main(void *arg)
{
	struct rn_poller *p = arg;
	char name[16];

	snprintf(name, sizeof(name), "rn-poller-%u", p->index % 1000);
	pthread_setname_np(pthread_self(), name);
	pin(p);
	if (rn_poller_started)
		rn_poller_started();
	rcu_register_thread();
	while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		if (rn_poller_turn(p))
			p->idle_since = 0;
		else if (rn_poller_adaptive(p))
			rn_poller_idle(p);
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	return NULL;
}

/* ---- control thread: life ---- */

static void poller_free(struct rn_poller *p)
{
	if (p->epoll >= 0)
		close(p->epoll);
	if (p->poke >= 0)
		close(p->poke);
	free(p->wake);
	free(p->set);
	free(p->spare);
	free(p);
}

static int check_cpu(const struct rn_poller_config *config, struct rn_err *err)
{
	cpu_set_t cpus;

	if (config->cpu < 0)
		return 0;
	if (config->cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ||
	    !CPU_ISSET((size_t)config->cpu, &cpus))
		return rn_fail(err, -EINVAL, "poller: cpu %d is not one that this process may use",
			       config->cpu);
	return 0;
}

int rn_poller_create(uint32_t index, const struct rn_poller_config *config, struct rn_waker *waker,
		     int fault_fd, struct rn_poller **poller, struct rn_err *err)
{
	struct rn_poller *p;
	int rc = check_cpu(config, err);

	if (rc)
		return rc;
	p = aligned_alloc(128, sizeof(*p));
	if (!p)
		return rn_fail(err, -ENOMEM, "poller %u: out of memory", index);
	memset(p, 0, sizeof(*p));
	p->index = index;
	p->config = *config;
	p->wakes = (struct rn_wakes) {.waker = waker, .index = index};
	p->waker = waker;
	p->fault_fd = fault_fd;
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->wake = calloc(RN_WAKE_MAX, sizeof(*p->wake));
	p->set = rn_set_alloc(0, 0, 0);
	p->spare = rn_set_alloc(0, 0, 0);
	rc = -ENOMEM;
	if (p->epoll >= 0 && p->poke >= 0 && p->wake && p->set && p->spare)
		rc = rn_poller_watch_fd(p, p->poke, RN_EVENT_POKE);
	if (!rc) {
		p->set->generation = ++p->generation;
		if (!config->driven)
			rc = -pthread_create(&p->thread, NULL, poller_main, p);
	}
	if (rc) {
		poller_free(p);
		return rn_fail(err, rc, "poller %u: %s", index, strerror(-rc));
	}
	*poller = p;
	return 0;
}

void rn_poller_stop(struct rn_poller *p)
{
	__atomic_store_n(&p->stop, 1, __ATOMIC_SEQ_CST);
	rn_poller_poke(p);
	if (!p->config.driven)
		pthread_join(p->thread, NULL);
}

void rn_poller_destroy(struct rn_poller *p)
{
	if (!p)
		return;
	rn_poller_stop(p);
	poller_free(p);
}

/* The kernel's account: turns without work cost time too, and a sleeping poller has none. */
static uint64_t cpu_time(const struct rn_poller *p)
{
	struct timespec t;
	clockid_t clock;

	if (p->config.driven || pthread_getcpuclockid(p->thread, &clock) ||
	    clock_gettime(clock, &t))
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A sleeping poller has to show that it can be woken: the turn that this costs counts next time. */
bool rn_poller_alive(struct rn_poller *p, uint64_t *ran)
{
	uint64_t turns = __atomic_load_n(&p->turns, __ATOMIC_RELAXED), cpu = cpu_time(p);
	bool alive = turns != p->seen_turns;

	*ran = cpu - p->seen_cpu;
	p->seen_turns = turns;
	p->seen_cpu = cpu;
	rn_poller_poke(p);
	return alive;
}

void rn_poller_info(const struct rn_poller *p, struct rawnet_poller_info *info)
{
	memset(info, 0, sizeof(*info));
	info->poller = p->index;
	info->cpu = (uint32_t)p->config.cpu;
	info->busy = p->config.busy;
	info->queues = p->set->n_queues;
	info->hot = __atomic_load_n(&p->n_hot, __ATOMIC_RELAXED);
	info->turns = __atomic_load_n(&p->turns, __ATOMIC_RELAXED);
	info->busy_turns = __atomic_load_n(&p->busy_turns, __ATOMIC_RELAXED);
	info->sleeps = __atomic_load_n(&p->sleeps, __ATOMIC_RELAXED);
	info->turn_max_ns = __atomic_load_n(&p->lengths.longest, __ATOMIC_RELAXED);
	info->turn_p99_ns = rn_turns_quantile(&p->lengths, 990);
	info->cpu_ns = cpu_time(p);
}

bool rn_poller_is_busy(const struct rn_poller *p)
{
	return p->config.busy;
}

uint32_t rn_poller_index(const struct rn_poller *p)
{
	return p->index;
}

struct rn_waker *rn_poller_waker(const struct rn_poller *p)
{
	return p->waker;
}
