/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The highest rate at which nothing is lost, by halving what lies between the highest rate that
 * passed and the lowest that did not, until that is a hundredth (RFC 2544, section 26.1). A trial
 * whose rate the sender did not reach does not count as passed: more was not tried.
 */
#include <inttypes.h>
#include <stdio.h>

#include "gen.h"
#include "report.h"
#include "tool.h"

#define NEAR	0.01
#define REACHED 0.98 /* of the rate asked for, so much must have been sent */

struct trial {
	double rate; /* asked for, frames a second */
	double sent_rate;
	uint64_t sent, lost;
	bool passed;
};

static int try_rate(struct gen *g, double rate, struct trial *t)
{
	struct gen_result r;
	double seconds;
	int rc = gen_run(g, rate, &r);

	if (rc)
		return rc;
	seconds = (double)(r.ended_ns - r.began_ns) / 1e9;
	*t = (struct trial) {.rate = rate, .sent = r.sent, .lost = r.sent - r.track.marked};
	t->sent_rate = seconds > 0 ? (double)r.sent / seconds : 0;
	t->passed = !t->lost && t->sent_rate >= REACHED * rate;
	track_free(&r.track);
	return 0;
}

static void tell(const struct gen *g, const struct trial *t, json_t *trials)
{
	if (g->options.json) {
		json_array_append_new(trials, json_pack("{s:f, s:f, s:I, s:I, s:b}", "rate",
							t->rate, "sent_rate", t->sent_rate, "sent",
							(json_int_t)t->sent, "lost",
							(json_int_t)t->lost, "passed", t->passed));
		return;
	}
	printf("%.0f/s: sent %.0f/s, lost %" PRIu64 " of %" PRIu64 ": %s\n", t->rate, t->sent_rate,
	       t->lost, t->sent, t->passed ? "passed" : "failed");
	fflush(stdout);
}

/* The highest first, then the lowest, then halves. *best: that passed; 0: not even the lowest. */
static int search(struct gen *g, double low, double high, json_t *trials, double *best)
{
	struct trial t;
	double rate = high;
	int rc;

	for (*best = 0; !tool_stop; rate = *best > 0 ? (*best + high) / 2 : low) {
		rc = try_rate(g, rate, &t);
		if (rc)
			return rc;
		if (tool_stop)
			break;
		tell(g, &t, trials);
		if (t.passed)
			*best = rate;
		else
			high = rate;
		if (rate <= low && !t.passed)
			break;
		if (*best > 0 && high - *best < NEAR * high)
			break;
	}
	return 0;
}

int gen_search(struct gen *g)
{
	const double low = gen_frames_per_second(
		&g->options, &(struct value_rate) {g->options.low, g->options.rate.bits});
	const double high = gen_frames_per_second(
		&g->options, &(struct value_rate) {g->options.high, g->options.rate.bits});
	json_t *trials = g->options.json ? json_array() : NULL;
	double best;

	if (search(g, low, high, trials, &best)) {
		json_decref(trials);
		return 1;
	}
	if (g->options.json)
		return report_emit(
			json_pack("{s:i, s:f, s:o}", "schema", 1, "rate", best, "trials", trials));
	if (best > 0)
		printf("no loss up to %.0f/s\n", best);
	else
		printf("loss already at %.0f/s\n", low);
	return 0;
}
