/* SPDX-License-Identifier: BSD-2-Clause */
/* What came of it, for people and for programs. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "histogram.h"
#include "lat.h"
#include "report.h"

#define SCHEMA 1 /* of the JSON: goes up when a member changes its meaning or goes away */

static double seconds_of(const struct lat_result *r)
{
	return r->sent ? (double)(r->ended_ns - r->began_ns) / 1e9 : 0;
}

/* Of the last probes between two moments; min and max as exact as their buckets. */
static void difference(const struct latency *now, const struct latency *before, struct latency *d)
{
	*d = (struct latency) {.n = now->n - before->n};
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		d->bucket[i] = now->bucket[i] - before->bucket[i];
		if (d->bucket[i])
			d->max = latency_top(i) < now->max ? latency_top(i) : now->max;
	}
}

void lat_report_line(const struct lat_result *r, const struct lat_result *before)
{
	static struct latency d;

	difference(&r->track.latency, &before->track.latency, &d);
	fprintf(stderr, "sent %" PRIu64 ", received %" PRIu64, r->sent, r->track.marked);
	if (d.n)
		fprintf(stderr, ": 50%% %.1f us, 99%% %.1f, max %.1f",
			(double)latency_at(&d, 0.5) / 1e3, (double)latency_at(&d, 0.99) / 1e3,
			(double)d.max / 1e3);
	fputc('\n', stderr);
}

static unsigned columns(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? 80 : size.ws_col;
}

static void print(const struct lat_options *o, const struct lat_result *r)
{
	const double seconds = seconds_of(r);

	printf("sent      %" PRIu64 " probes of %u bytes in %.3f s", r->sent, o->size, seconds);
	if (o->rate > 0)
		printf(": %.0f/s, %" PRIu64 " late\n", seconds > 0 ? (double)r->sent / seconds : 0,
		       r->late);
	else
		puts(", one at a time");
	report_loss(&r->track, r->sent);
	if (!r->track.latency.n)
		return;
	report_latency(&r->track.latency);
	putchar('\n');
	histogram_draw(stdout, &r->track.latency, columns());
}

/* Buckets that hold something: the highest latency of each, and how many. */
static json_t *histogram_json(const struct latency *l)
{
	json_t *json = json_array();

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		if (l->bucket[i])
			json_array_append_new(json, json_pack("[I, I]", (json_int_t)latency_top(i),
							      (json_int_t)l->bucket[i]));
	return json;
}

int lat_report(const struct lat_options *o, const struct lat_result *r)
{
	json_t *json;

	if (o->json) {
		json = json_pack("{s:i, s:f, s:i, s:I, s:I, s:I}", "schema", SCHEMA, "seconds",
				 seconds_of(r), "size", (int)o->size, "sent", (json_int_t)r->sent,
				 "late", (json_int_t)r->late, "received",
				 (json_int_t)r->track.marked);
		report_loss_json(json, &r->track, r->sent);
		json_object_set_new(json, "histogram", histogram_json(&r->track.latency));
		if (report_emit(json))
			return 1;
	} else {
		print(o, r);
	}
	if (!r->sent || r->track.marked)
		return 0;
	fputs(o->stream.to ? "rawnet-latency: nothing arrived: are the two ports connected?\n"
			   : "rawnet-latency: nothing came back: is an echo there (rawnet-echo), "
			     "and dmac its MAC?\n",
	      stderr);
	return 1;
}
