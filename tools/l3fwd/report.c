/* SPDX-License-Identifier: BSD-2-Clause */
/* Rates while it runs, and what it came to. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "l3fwd.h"

static const struct {
	const char *name, *text;
} drops[L3_DROP_COUNT] = {
#define L3_DROP_ENTRY(name, text) [L3_DROP_##name] = {#name, text},
	L3_DROPS(L3_DROP_ENTRY)
#undef L3_DROP_ENTRY
};

void l3_count_sum(const struct l3fwd *l, struct l3_count *sum)
{
	uint64_t *to = (uint64_t *)sum;

	memset(sum, 0, sizeof(*sum));
	for (unsigned w = 0; w < l->n_workers; w++) {
		const uint64_t *from = (const uint64_t *)&l->worker[w].count;

		for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
			to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	}
}

static uint64_t total(const uint64_t *v, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += v[i];
	return sum;
}

void l3_report_rates(const struct l3fwd *l, const struct l3_count *before, double seconds)
{
	struct l3_count now;
	uint64_t lost;

	l3_count_sum(l, &now);
	lost = total(now.drop, L3_DROP_COUNT) - total(before->drop, L3_DROP_COUNT);
	fprintf(stderr, "in %.0f/s, out %.0f/s, %.3f Mbit/s, dropped %.0f/s",
		(double)(total(now.in, L3_PORTS) - total(before->in, L3_PORTS)) / seconds,
		(double)(total(now.out, L3_PORTS) - total(before->out, L3_PORTS)) / seconds,
		(double)(total(now.out_bytes, L3_PORTS) - total(before->out_bytes, L3_PORTS)) * 8 /
			1e6 / seconds,
		(double)lost / seconds);
	for (unsigned i = 1; i < L3_DROP_COUNT; i++) {
		if (now.drop[i] != before->drop[i])
			fprintf(stderr, ", %s %.0f", drops[i].name,
				(double)(now.drop[i] - before->drop[i]) / seconds);
	}
	fputc('\n', stderr);
}

void l3_report_summary(const struct l3fwd *l)
{
	struct l3_count sum;

	l3_count_sum(l, &sum);
	for (unsigned p = 0; p < l->names.n; p++)
		printf("%s: in %" PRIu64 " packets, %" PRIu64 " bytes; out %" PRIu64
		       " packets, %" PRIu64 " bytes\n",
		       l->names.dev[p], sum.in[p], sum.in_bytes[p], sum.out[p], sum.out_bytes[p]);
	for (unsigned i = 1; i < L3_DROP_COUNT; i++) {
		if (sum.drop[i])
			printf("dropped: %s %" PRIu64 " (%s)\n", drops[i].name, sum.drop[i],
			       drops[i].text);
	}
}
