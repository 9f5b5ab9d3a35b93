/* SPDX-License-Identifier: BSD-2-Clause */
/* See histogram.h. Buckets grow with the latency, so rows are of equal height on a scale that is
 * logarithmic but for the steps of 32 buckets in each octave. */
#include "histogram.h"

#include <inttypes.h>

#define AROUND 45u /* columns that are not the bar */

struct rows {
	unsigned first; /* bucket */
	unsigned step; /* buckets in a row */
	unsigned n;
	uint64_t count[HISTOGRAM_ROWS];
	uint64_t above, most;
};

static void make_rows(const struct latency *l, struct rows *r)
{
	const unsigned low = latency_bucket(l->min), high = latency_bucket(latency_at(l, 0.999));

	*r = (struct rows) {.step = 1};
	while (high / r->step - low / r->step >= HISTOGRAM_ROWS)
		r->step *= 2;
	r->first = low / r->step * r->step;
	r->n = high / r->step - low / r->step + 1;
	r->above = l->n;
	for (unsigned i = 0; i < r->n; i++) {
		for (unsigned k = 0; k < r->step; k++)
			if (r->first + i * r->step + k < LATENCY_BUCKETS)
				r->count[i] += l->bucket[r->first + i * r->step + k];
		r->above -= r->count[i];
		r->most = r->count[i] > r->most ? r->count[i] : r->most;
	}
	r->most = r->above > r->most ? r->above : r->most;
}

static void bar(FILE *out, uint64_t count, uint64_t most, unsigned width)
{
	const unsigned len = (unsigned)((double)count / (double)most * width + 0.5);

	for (unsigned i = 0; i < width; i++)
		fputc(i < len ? '#' : i == 0 && count ? '.' : ' ', out);
}

static void row(FILE *out, const struct rows *r, uint64_t count, uint64_t all, unsigned width)
{
	bar(out, count, r->most, width);
	fprintf(out, " %9" PRIu64 " %6.2f %%\n", count, 100.0 * (double)count / (double)all);
}

/* The lowest latency of a bucket, in microseconds. */
static double from(unsigned bucket)
{
	return bucket ? (double)(latency_top(bucket - 1) + 1) / 1e3 : 0;
}

void histogram_draw(FILE *out, const struct latency *l, unsigned columns)
{
	const unsigned width = (columns < 60 ? 60 : columns) - AROUND;
	struct rows r;
	unsigned next;

	if (!l->n)
		return;
	make_rows(l, &r);
	for (unsigned i = 0; i < r.n; i++) {
		next = r.first + (i + 1) * r.step;
		fprintf(out, "%10.2f %10.2f us  ", from(r.first + i * r.step), from(next));
		row(out, &r, r.count[i], l->n, width);
	}
	if (r.above) {
		fprintf(out, "%10.2f %10.2f us  ", from(r.first + r.n * r.step),
			(double)l->max / 1e3);
		row(out, &r, r.above, l->n, width);
	}
}
