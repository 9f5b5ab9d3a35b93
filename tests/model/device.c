/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device thread: one for the process, for all its devices.
 *
 * A turn, under the lock: doorbell registers, send queues, the wire, then what was gathered for
 * compression is written and the wire is told. Between turns the thread lets go of the lock, steps
 * back while a thread of the program waits for it, and sleeps for a moment when there was nothing
 * to do: a doorbell is memory, nothing wakes it.
 *
 * The thread does not inherit the program's CPU affinity, and runs SCHED_RR where it may: a program
 * that spins on its CQ on the same core would otherwise give it one turn a scheduler tick.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cx-test.h"
#include "faults.h"
#include "frame.h"
#include "referee.h"
#include "steer.h"
#include "tx.h"
#include "wires.h"

#define SQ_BUDGET   64
#define WIRE_BUDGET 64
#define PORT_BUDGET 16384 /* frames from a port: a ring full of 64 bytes each */
#define SPIN_TURNS  50 /* idle turns before the first sleep */
#define SLEEP_NS    20000
#define LONG_TURNS  20000 /* idle turns before sleeping longer */
#define LONG_NS	    200000

bool cx_started;
static pthread_t thread;
static _Atomic bool stop;

uint64_t cx_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void nap(long ns)
{
	struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	nanosleep(&ts, NULL);
}

/* ---- frames ---- */

static void receive(struct cx_dev *dev, const uint8_t *data, uint32_t len, struct cx_ctx *from)
{
	struct cx_frame f;

	if (len < 14 || len > CX_MAX_FRAME || cx_fault_drop(cx_faults.drop_rx, &cx_faults.rx_seen))
		return;
	cx_frame_parse(&f, data, len, true);
	cx_steer_sniff(dev, &f);
	cx_steer_receive(dev, &f, from, false);
}

void cx_dev_receive(struct cx_dev *dev, const uint8_t *data, uint32_t len)
{
	receive(dev, data, len, NULL);
}

/* The vport loops frames back once a second transport domain, or a TIR that asks for it, is there
 * (mlx5_ib_enable_lb); a frame to the port's own address then does not go out. */
static bool loop_back(struct cx_sq *sq, struct cx_dev *dev, const uint8_t *data, uint32_t len)
{
	bool mine = memcmp(data, dev->mac, 6) == 0;

	if (dev->live_ctxs < 2 && !dev->self_loop)
		return false;
	if (!mine && !(data[0] & 1))
		return false;
	dev->stats.loopback++;
	receive(dev, data, len, sq->qp->o.ctx);
	return mine;
}

void cx_dev_transmit(struct cx_sq *sq, const struct cx_wqe *w, const uint8_t *data, uint32_t len)
{
	struct cx_dev *dev = sq->qp->o.ctx->dev;
	static uint8_t padded[60];
	struct cx_frame f;

	if (!cx_steer_idle(dev->tx) || !cx_steer_idle(dev->rx)) {
		cx_frame_parse(&f, data, len, false);
		if (!cx_steer_transmit(dev, &f, sq->sqn, cx_get32(w->b + CX_ETH_META_AT))) {
			dev->stats.tx_denied++;
			return;
		}
		cx_steer_sniff(dev, &f);
	}
	dev->stats.tx_packets++;
	dev->stats.tx_bytes += len;
	if (cx_fault_drop(cx_faults.drop_tx, &cx_faults.tx_seen))
		return;
	if (len < sizeof(padded)) {
		memcpy(padded, data, len);
		memset(padded + len, 0, sizeof(padded) - len);
		data = padded;
		len = sizeof(padded);
	}
	if (!loop_back(sq, dev, data, len) && dev->port_up)
		cx_wire_send(dev, data, len);
}

/* ---- the turn ---- */

static void follow_link(struct cx_dev *dev)
{
	bool up = cx_wire_link(dev);

	if (up == dev->port_up)
		return;
	dev->port_up = up;
	cx_event_device(dev, 1, up ? IBV_EVENT_PORT_ACTIVE : IBV_EVENT_PORT_ERR);
}

static bool turn(struct cx_dev *dev)
{
	int budget = dev->cfg->wire == CX_WIRE_END ? PORT_BUDGET : WIRE_BUDGET;
	bool busy = cx_uar_scan(dev);
	struct cx_sq *sq;
	struct cx_rq *rq;
	struct cx_cq *cq;

	if (!cx_faults.frozen_tx)
		for (sq = dev->sqs; sq; sq = sq->next)
			busy |= cx_sq_run(sq, SQ_BUDGET) > 0;
	if (!cx_faults.frozen_rx)
		busy |= cx_wire_poll(dev, budget) > 0;
	for (rq = dev->rqs; rq; rq = rq->next)
		if (rq->state == CX_ERROR)
			cx_rq_flush(rq);
	for (cq = dev->cqs; cq; cq = cq->next)
		cx_comp_flush(cq);
	cx_wire_flush(dev);
	follow_link(dev);
	return busy;
}

bool cx_dev_turn(void)
{
	uint64_t now = cx_now_ns();
	bool busy = false;
	int i;

	if (cx_faults.paused)
		return false;
	for (i = 0; i < cx_settings.devs; i++) {
		if (!cx_devs[i].attached)
			continue;
		cx_clock_tick(&cx_devs[i], now);
		busy |= turn(&cx_devs[i]);
	}
	return busy;
}

static void *run(void *arg)
{
	uint32_t idle = 0, slow;
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	while (!atomic_load_explicit(&stop, memory_order_acquire)) {
		pthread_mutex_lock(&cx_mutex);
		idle = cx_dev_turn() ? 0 : idle + 1;
		slow = cx_faults.slow_us;
		pthread_mutex_unlock(&cx_mutex);
		cx_step_back();
		if (slow)
			nap((long)slow * 1000);
		else if (idle > LONG_TURNS)
			nap(LONG_NS);
		else if (idle > SPIN_TURNS)
			nap(SLEEP_NS);
	}
	return arg;
}

static int start_thread(void)
{
	struct sched_param prio = {.sched_priority = 1};
	pthread_attr_t attr;
	sigset_t all, old;
	int err;

	if (cx_started)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_RR);
	pthread_attr_setschedparam(&attr, &prio);
	err = pthread_create(&thread, &attr, run, NULL);
	if (err == EPERM)
		err = pthread_create(&thread, NULL, run, NULL);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	cx_started = !err;
	return -err;
}

/* ---- life ---- */

int cx_dev_start(struct cx_dev *dev)
{
	int err;

	if (dev->attached)
		return 0;
	dev->index = (int)(dev - cx_devs);
	dev->cfg = &cx_settings.dev[dev->index];
	dev->pers = dev->cfg->pers;
	memcpy(dev->mac, dev->cfg->mac, 6);
	dev->rx = cx_steer_new(dev->cfg->log_ft_size, dev->pers->multi_path);
	dev->tx = cx_steer_new(dev->cfg->log_ft_size, dev->pers->multi_path);
	err = dev->rx && dev->tx ? 0 : -ENOMEM;
	err = err ? err : cx_pages_init(&dev->uar, "cx-uar");
	err = err ? err : cx_pages_init(&dev->clock, "cx-clock");
	err = err ? err : cx_wire_open(dev);
	if (err)
		goto fail;
	cx_clock_init(dev);
	dev->port_up = cx_wire_link(dev);
	dev->attached = true;
	err = start_thread();
	if (!err)
		return 0;
	dev->attached = false;
	cx_wire_close(dev);
fail:
	cx_pages_exit(&dev->clock);
	cx_pages_exit(&dev->uar);
	cx_steer_free(dev->rx);
	cx_steer_free(dev->tx);
	return err;
}

/* The process ends: what it left open goes as when the kernel closes its descriptors. */
void cx_dev_stop_all(void)
{
	int i;

	if (cx_started) {
		atomic_store_explicit(&stop, true, memory_order_release);
		pthread_join(thread, NULL);
	}
	cx_lock();
	for (i = 0; i < cx_settings.devs; i++) {
		struct cx_dev *dev = &cx_devs[i];

		if (!dev->attached)
			continue;
		while (dev->ctxs)
			cx_ctx_close(dev->ctxs->fd);
		cx_wire_close(dev);
		dev->attached = false;
	}
	cx_unlock();
}

/* ---- for tests (cx-test.h) ---- */

__attribute__((visibility("default"))) int cx_inject(int dev, const void *frame, unsigned int len)
{
	int ret = -ENODEV;

	cx_lock();
	if (dev >= 0 && dev < cx_settings.devs && cx_devs[dev].attached)
		ret = cx_wire_inject(&cx_devs[dev], frame, len);
	cx_unlock();
	return ret;
}

__attribute__((visibility("default"))) int cx_capture(int dev, void *frame, unsigned int size)
{
	int ret = -ENODEV;

	cx_lock();
	if (dev >= 0 && dev < cx_settings.devs && cx_devs[dev].attached)
		ret = cx_wire_capture(&cx_devs[dev], frame, size);
	cx_unlock();
	return ret;
}
