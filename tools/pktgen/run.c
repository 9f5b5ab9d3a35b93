/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop: send what is due, receive what is there, sleep if the next frame is not due for long.
 * No system call on the way as long as there is something to do.
 *
 * Frame k is due at k times the gap. A sender that falls behind by more than a burst and more than
 * SLACK_NS (it did not get the processor, or the ring was full) starts anew from where it is,
 * instead of making up for all of it at once: what was asked for is a rate.
 */
#include <stdio.h>
#include <string.h>

#include "gen.h"
#include "sleep.h"
#include "tool.h"

#define SLACK_NS 1000000u
#define SLEEP_NS 200000u /* a gap as long as this is slept in */
#define EARLY_NS 100000u /* and woken from this early */

struct run {
	struct gen *g;
	struct gen_result *r;
	double gap_ns; /* between frames; 0: none */
	uint64_t slack; /* how late a frame may be sent */
	uint64_t quiet; /* after so long without a frame nothing is under way any more */
	uint64_t start; /* frame 0 was due */
	uint64_t began, last_rx;
	bool full; /* the tx ring had no room */
	struct gen_result before; /* at the last line */
	uint64_t before_ns;
};

/* ---- sending ---- */

static uint64_t due(const struct run *run, uint64_t k)
{
	const struct gen *g = run->g;

	if (g->replay && !(run->gap_ns > 0))
		return gen_replay_due(g->replay, k, g->options.speed);
	return (uint64_t)((double)k * run->gap_ns);
}

static bool sends(const struct run *run, uint64_t now)
{
	const struct gen_options *o = &run->g->options;

	return run->g->stream->tx && !tool_stop && (!o->count || run->r->sent < o->count) &&
	       (!(o->seconds > 0) || (double)(now - run->began) < o->seconds * 1e9);
}

static uint32_t fill(struct run *run, struct rawnet_slot *slot, uint64_t now)
{
	const struct probe_mark mark = {.number = (uint32_t)run->r->sent, .time = now};
	const struct stream *s = run->g->stream;
	const uint8_t *frame;
	uint32_t len;

	if (!run->g->replay) {
		len = gen_size(&run->g->options, mark.number);
		stream_write(s, slot, len, &mark);
		return len;
	}
	frame = gen_replay_frame(run->g->replay, run->r->sent, &len);
	*slot = (struct rawnet_slot) {.off = slot->off & ~(s->tx->buf_size - 1),
				      .len = (uint16_t)len};
	memcpy(rawnet_data(s->tx, slot), frame, len);
	return len;
}

/* Up to a burst of what is due now: how many. */
static uint32_t send_due(struct run *run, uint64_t now)
{
	struct rawnet_queue *q = run->g->stream->tx;
	struct gen_result *r = run->r;
	const uint64_t count = run->g->options.count;
	uint32_t room, n = 0;

	rawnet_queue_sync(q);
	room = rawnet_tx_room(&q->tx, STREAM_BURST);
	run->full = room == 0;
	room = room < STREAM_BURST ? room : STREAM_BURST;
	if (now > run->start + due(run, r->sent) + run->slack)
		run->start = now - due(run, r->sent) - run->slack;
	while (n < room && (!count || r->sent < count) && run->start + due(run, r->sent) <= now) {
		r->sent_bytes += fill(run, rawnet_tx_slot(&q->tx, n++), now);
		r->sent++;
	}
	if (!n)
		return 0;
	rawnet_tx_fill(&q->tx, n);
	rawnet_flush(q);
	r->ended_ns = now;
	return n;
}

/* Has the daemon not taken all of it yet? */
static bool under_way(struct rawnet_queue *q)
{
	rawnet_ring_look(&q->tx);
	return q->tx.daemon != q->tx.client;
}

/* ---- receiving ---- */

static uint32_t receive_queue(struct run *run, struct rawnet_queue *q)
{
	struct stream *s = run->g->stream;
	uint64_t now;
	uint32_t n = stream_receive(s, q, &run->r->track, &now);

	if (!n)
		return 0;
	if (!s->tx && !run->last_rx)
		run->r->began_ns = now;
	if (!s->tx)
		run->r->ended_ns = now;
	run->last_rx = now;
	return n;
}

static uint32_t receive_all(struct run *run)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < run->g->stream->n_rx; i++)
		n += receive_queue(run, run->g->stream->rx[i]);
	return n;
}

/* ---- sleeping ---- */

static void add(struct sleeper *s, struct rawnet_queue *q, uint32_t what)
{
	s->queue[s->n] = q;
	s->what[s->n++] = what;
}

/* Until there is news, or ns have passed: 0, or -errno once an attachment has ended. */
static int sleep_for(const struct run *run, uint64_t ns, bool sending)
{
	const struct stream *stream = run->g->stream;
	bool tx = stream->tx && (sending ? run->full : under_way(stream->tx));
	struct sleeper s = {.n = 0};

	for (uint32_t i = 0; i < stream->n_rx; i++) {
		const bool both = tx && stream->rx[i] == stream->tx;

		add(&s, stream->rx[i], RAWNET_WAIT_RX | (both ? RAWNET_WAIT_TX : 0));
		tx &= !both;
	}
	if (tx)
		add(&s, stream->tx, RAWNET_WAIT_TX);
	return sleep_on(&s, run->g->stop_fd, ns);
}

/* ---- the loop ---- */

/* When there is something to do besides what comes. */
static uint64_t next_time(const struct run *run, bool sending, uint64_t now)
{
	const struct gen_options *o = &run->g->options;
	uint64_t next = SLEEP_EVER, end;

	if (sending && !run->full)
		next = run->start + due(run, run->r->sent);
	if (!sending && run->g->stream->tx)
		next = (run->last_rx > run->r->ended_ns ? run->last_rx : run->r->ended_ns) +
		       run->quiet;
	if (o->seconds > 0 && (sending || !run->g->stream->tx)) {
		end = run->began + (uint64_t)(o->seconds * 1e9);
		next = end < next ? end : next;
	}
	if (o->interval > 0) {
		end = run->before_ns + (uint64_t)(o->interval * 1e9);
		next = end < next ? end : next;
	}
	return next > now ? next : now;
}

static int idle(const struct run *run, bool sending)
{
	const uint64_t now = stream_now(), next = next_time(run, sending, now);

	if (next == SLEEP_EVER)
		return sleep_for(run, SLEEP_EVER, sending);
	if (next - now >= SLEEP_NS)
		return sleep_for(run, next - now - EARLY_NS, sending);
	return 0;
}

/* Nothing is sent any more, and nothing expected. */
static bool done(const struct run *run, uint64_t now)
{
	const struct gen_options *o = &run->g->options;
	const struct gen_result *r = run->r;
	const uint64_t last = run->last_rx > r->ended_ns ? run->last_rx : r->ended_ns;

	if (run->g->stream->tx && now >= last + run->quiet)
		return true;
	if (run->g->stream->tx)
		return (!run->g->stream->n_rx || r->track.marked >= r->sent) &&
		       !under_way(run->g->stream->tx);
	return tool_stop || (o->count && r->track.received >= o->count) ||
	       (o->seconds > 0 && (double)(now - run->began) >= o->seconds * 1e9);
}

static void maybe_line(struct run *run, uint64_t now)
{
	const double interval = run->g->options.interval;

	if (!(interval > 0) || (double)(now - run->before_ns) < interval * 1e9)
		return;
	gen_report_line(run->r, &run->before, (double)(now - run->before_ns) / 1e9);
	run->before = *run->r;
	run->before_ns = now;
}

static int loop(struct run *run)
{
	uint64_t now = run->began;
	bool sending = sends(run, now);
	uint32_t did;
	int rc = 0;

	while (!rc && (sending || !done(run, now))) {
		did = sending ? send_due(run, now) : 0;
		did += receive_all(run);
		if (!did)
			rc = idle(run, sending);
		now = stream_now();
		maybe_line(run, now);
		sending = sending && sends(run, now);
	}
	return rc;
}

int gen_run(struct gen *g, double frames_per_second, struct gen_result *result)
{
	struct run run = {.g = g, .r = result};
	int rc;

	memset(result, 0, sizeof(*result));
	rc = track_init(&result->track, g->options.stream.addresses.flows);
	if (rc) {
		fputs("rawnet-pktgen: out of memory\n", stderr);
		return rc;
	}
	if (g->stream->tx)
		stream_new_magic(g->stream);
	else
		g->stream->magic = 0;
	run.gap_ns = frames_per_second > 0 ? 1e9 / frames_per_second : 0;
	run.quiet = (uint64_t)(g->options.wait * 1e9);
	run.slack = (uint64_t)(STREAM_BURST * run.gap_ns);
	run.slack = run.slack < SLACK_NS ? SLACK_NS : run.slack;
	run.start = run.began = run.before_ns = stream_now();
	if (g->stream->tx)
		result->began_ns = result->ended_ns = run.began;
	rc = loop(&run);
	if (rc)
		track_free(&result->track);
	return rc;
}
