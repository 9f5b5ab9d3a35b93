/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop. It polls, so that what is measured is the way and not how long a sleeper takes to wake;
 * with -s it sleeps, so that it is that too.
 *
 * One at a time: the next probe leaves when the answer to the last has come, or is not waited for
 * any longer. At a rate: probe k is due at k times the gap, whether answers come or not, since a
 * sender that waits for a slow answer would leave out the very probes that were to suffer most. One
 * that leaves later than a gap after its time is counted as late; a sender that is further behind
 * than SLACK_NS starts anew from where it is.
 */
#include <stdio.h>
#include <string.h>

#include "lat.h"
#include "sleep.h"
#include "tool.h"

#define SLACK_NS 1000000u
#define SLEEP_NS 200000u /* with nothing on its way, a gap as long as this is slept in */
#define EARLY_NS 100000u /* and woken from this early */

struct run {
	const struct lat_options *o;
	struct stream *s;
	struct lat_result *r;
	int stop_fd;
	double gap_ns; /* 0: one at a time */
	uint64_t wait_ns;
	uint64_t start; /* probe 0 was due */
	uint64_t last_ns; /* when the last probe left */
	struct lat_result before; /* at the last line */
	uint64_t before_ns;
};

/* Is the last probe back? All before it are, then, or lost, or late. */
static bool answered(const struct run *run)
{
	return run->r->track.marked && (uint32_t)run->r->track.next == (uint32_t)run->r->sent;
}

static bool sends(const struct run *run, uint64_t now)
{
	const struct lat_options *o = run->o;

	return !tool_stop && (!o->count || run->r->sent < o->count) &&
	       (!(o->seconds > 0) || (double)(now - run->r->began_ns) < o->seconds * 1e9);
}

/* When the next probe may leave. */
static uint64_t due(const struct run *run, uint64_t now)
{
	if (run->gap_ns > 0)
		return run->start + (uint64_t)((double)run->r->sent * run->gap_ns);
	if (!run->r->sent || answered(run))
		return now;
	return run->last_ns + run->wait_ns;
}

static bool send_probe(struct run *run)
{
	struct rawnet_queue *q = run->s->tx;
	struct probe_mark mark = {.number = (uint32_t)run->r->sent};

	rawnet_queue_sync(q);
	if (!rawnet_tx_room(&q->tx, 1))
		return false;
	mark.time = run->last_ns = stream_now();
	stream_write(run->s, rawnet_tx_slot(&q->tx, 0), run->o->size, &mark);
	rawnet_tx_fill(&q->tx, 1);
	rawnet_flush(q);
	rawnet_tx_prefetch(q, 0);
	run->r->sent++;
	return true;
}

static bool send_due(struct run *run, uint64_t now)
{
	const uint64_t when = due(run, now);

	if (now < when || !send_probe(run))
		return false;
	if (run->gap_ns > 0 && (double)(now - when) > run->gap_ns)
		run->r->late++;
	if (run->gap_ns > 0 && now - when > SLACK_NS)
		run->start += now - when;
	return true;
}

static bool receive_all(struct run *run)
{
	uint64_t now;
	uint32_t n = 0;

	for (uint32_t i = 0; i < run->s->n_rx; i++)
		n += stream_receive(run->s, run->s->rx[i], &run->r->track, &now);
	return n > 0;
}

/* When there is something to do besides what comes. */
static uint64_t next_time(const struct run *run, bool sending, uint64_t now)
{
	uint64_t next = sending ? due(run, now) : run->last_ns + run->wait_ns, line;

	if (run->o->interval > 0) {
		line = run->before_ns + (uint64_t)(run->o->interval * 1e9);
		next = line < next ? line : next;
	}
	return next > now ? next : now;
}

static int idle(const struct run *run, bool sending)
{
	const bool nothing = !run->r->sent || answered(run);
	const uint64_t now = stream_now(), next = next_time(run, sending, now);
	struct sleeper sleeper = {.n = run->s->n_rx};

	if (!run->o->sleeps && (!nothing || next - now < SLEEP_NS))
		return 0;
	for (uint32_t i = 0; i < sleeper.n; i++) {
		sleeper.queue[i] = run->s->rx[i];
		sleeper.what[i] = RAWNET_WAIT_RX;
	}
	return sleep_on(&sleeper, run->stop_fd,
			next - now > 2 * EARLY_NS ? next - now - EARLY_NS : next - now);
}

static void maybe_line(struct run *run, uint64_t now)
{
	const double interval = run->o->interval;

	if (!(interval > 0) || (double)(now - run->before_ns) < interval * 1e9)
		return;
	lat_report_line(run->r, &run->before);
	run->before = *run->r;
	run->before_ns = now;
}

static int loop(struct run *run)
{
	uint64_t now = run->r->began_ns;
	bool sending = sends(run, now), did;
	int rc = 0;

	while (!rc &&
	       (sending || (run->r->sent && !answered(run) && now < run->last_ns + run->wait_ns))) {
		did = sending && send_due(run, now);
		did |= receive_all(run);
		if (!did)
			rc = idle(run, sending);
		now = stream_now();
		maybe_line(run, now);
		sending = sending && sends(run, now);
	}
	return rc;
}

int lat_run(struct lat_options *o, int stop_fd, struct lat_result *r)
{
	static struct run run;
	int rc = track_init(&r->track, 1);

	if (rc) {
		fputs("rawnet-latency: out of memory\n", stderr);
		return rc;
	}
	stream_new_magic(&o->stream);
	run = (struct run) {.o = o, .s = &o->stream, .r = r, .stop_fd = stop_fd};
	run.gap_ns = o->rate > 0 ? 1e9 / o->rate : 0;
	run.wait_ns = (uint64_t)(o->wait * 1e9);
	run.start = run.before_ns = r->began_ns = stream_now();
	rc = loop(&run);
	r->ended_ns = run.last_ns;
	return rc;
}
