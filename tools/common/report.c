/* SPDX-License-Identifier: BSD-2-Clause */
/* See report.h. */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static const struct {
	const char *name, *json;
	double share;
} quantiles[] = {{"50%", "p50", 0.5},
		 {"90%", "p90", 0.9},
		 {"99%", "p99", 0.99},
		 {"99.9%", "p999", 0.999},
		 {"99.99%", "p9999", 0.9999}};
#define N_QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

void report_latency(const struct latency *l)
{
	printf("latency   min %.1f us", (double)l->min / 1e3);
	for (unsigned i = 0; i < N_QUANTILES; i++)
		printf(", %s %.1f", quantiles[i].name,
		       (double)latency_at(l, quantiles[i].share) / 1e3);
	printf(", max %.1f, mean %.1f\n", (double)l->max / 1e3,
	       (double)l->sum / (double)l->n / 1e3);
}

json_t *report_latency_json(const struct latency *l)
{
	json_t *json;

	if (!l->n)
		return json_null();
	json = json_pack("{s:I, s:I, s:f}", "min", (json_int_t)l->min, "max", (json_int_t)l->max,
			 "mean", (double)l->sum / (double)l->n);
	for (unsigned i = 0; i < N_QUANTILES; i++)
		json_object_set_new(json, quantiles[i].json,
				    json_integer((json_int_t)latency_at(l, quantiles[i].share)));
	return json;
}

void report_loss(const struct track *t, uint64_t expected)
{
	const uint64_t lost = expected - t->marked;

	printf("lost      %" PRIu64 " (%.4f %%), reordered %" PRIu64 ", duplicates %" PRIu64 "\n",
	       lost, expected ? 100.0 * (double)lost / (double)expected : 0, t->reordered,
	       t->duplicates);
}

void report_loss_json(json_t *json, const struct track *t, uint64_t expected)
{
	json_object_update_new(json, json_pack("{s:I, s:I, s:I, s:o}", "lost",
					       (json_int_t)(expected - t->marked), "reordered",
					       (json_int_t)t->reordered, "duplicates",
					       (json_int_t)t->duplicates, "latency_ns",
					       report_latency_json(&t->latency)));
}

int report_emit(json_t *json)
{
	int bad = !json || json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15)) ||
		  putchar('\n') == EOF;

	json_decref(json);
	if (bad)
		fprintf(stderr, "%s: out of memory, or cannot write\n",
			program_invocation_short_name);
	return bad ? 1 : 0;
}
