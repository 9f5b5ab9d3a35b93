/* SPDX-License-Identifier: BSD-2-Clause */
/* What a run came to, for people and for programs. */
#include <inttypes.h>
#include <stdio.h>

#include "gen.h"
#include "report.h"

#define SCHEMA 1 /* of the JSON: goes up when a member changes its meaning or goes away */

static double seconds_of(const struct gen_result *r)
{
	return (double)(r->ended_ns - r->began_ns) / 1e9;
}

static double per_second(uint64_t n, double seconds)
{
	return seconds > 0 ? (double)n / seconds : 0;
}

/* A receiver knows only the numbers between the first and the last that came. */
static uint64_t expected(const struct gen *g, const struct gen_result *r)
{
	return g->stream->tx ? r->sent : r->track.next - r->track.first;
}

/* Marks are in frames that this program made: a replay has none. */
static bool has_marks(const struct gen *g, const struct gen_result *r)
{
	return g->stream->n_rx && (g->stream->tx || r->track.marked);
}

/* ---- text ---- */

static void print_volume(const char *what, uint64_t n, uint64_t bytes, double seconds)
{
	printf("%-9s %" PRIu64 " frames, %" PRIu64 " bytes in %.3f s: %.0f/s, %.3f Mbit/s\n", what,
	       n, bytes, seconds, per_second(n, seconds), per_second(bytes, seconds) * 8 / 1e6);
}

static void print_result(const struct gen *g, const struct gen_result *r)
{
	if (g->stream->tx)
		print_volume("sent", r->sent, r->sent_bytes, seconds_of(r));
	if (g->stream->n_rx)
		print_volume("received", r->track.received, r->track.bytes, seconds_of(r));
	if (!has_marks(g, r))
		return;
	report_loss(&r->track, expected(g, r));
	if (r->track.latency.n)
		report_latency(&r->track.latency);
}

void gen_report_line(const struct gen_result *r, const struct gen_result *before, double seconds)
{
	fprintf(stderr, "sent %.0f/s, received %.0f/s, in all %" PRIu64 " and %" PRIu64 "\n",
		per_second(r->sent - before->sent, seconds),
		per_second(r->track.received - before->track.received, seconds), r->sent,
		r->track.received);
}

/* ---- JSON ---- */

static json_t *result_json(const struct gen *g, const struct gen_result *r)
{
	json_t *json = json_pack("{s:i, s:f}", "schema", SCHEMA, "seconds", seconds_of(r));

	if (g->stream->tx)
		json_object_update_new(json, json_pack("{s:I, s:I}", "sent", (json_int_t)r->sent,
						       "sent_bytes", (json_int_t)r->sent_bytes));
	if (g->stream->n_rx)
		json_object_update_new(
			json, json_pack("{s:I, s:I}", "received", (json_int_t)r->track.received,
					"received_bytes", (json_int_t)r->track.bytes));
	if (has_marks(g, r))
		report_loss_json(json, &r->track, expected(g, r));
	return json;
}

int gen_report(const struct gen *g, const struct gen_result *r)
{
	if (g->options.json)
		return report_emit(result_json(g, r));
	print_result(g, r);
	return 0;
}
