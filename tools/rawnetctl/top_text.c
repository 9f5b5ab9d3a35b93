/* SPDX-License-Identifier: BSD-2-Clause */
/* One screen of rawnetctl top: pollers, ports, the clients with the most packets first, and the
 * causes of drops that grew. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "top.h"

/* Lines that are left of the screen. */
struct room {
	unsigned lines; /* UINT32_MAX: no bound */
};

static bool has_line(struct room *r)
{
	if (r->lines == UINT32_MAX)
		return true;
	if (!r->lines)
		return false;
	r->lines--;
	return true;
}

static void print_head(const struct top_pair *p)
{
	const time_t now = time(NULL);
	struct tm tm;
	char clock[16];

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
	printf("rawnet %s, a second over %.1f s\n", clock, p->seconds);
}

static void print_pollers(const struct top_pair *p, struct room *room)
{
	const struct ctl_list *list = &p->now->pollers;

	if (has_line(room))
		printf("%-7s %4s %-8s %6s %6s %8s %7s %8s %10s\n", "POLLER", "CPU", "MODE", "CPU%",
		       "WORK%", "SLEEPS", "QUEUES", "P99 us", "LONGEST us");
	for (size_t i = 0; i < list->n && has_line(room); i++) {
		const struct rawnet_poller_info *poller = ctl_entry(list, i);
		const struct top_load load = top_load(p, poller);
		char cpu[12] = "any";

		if (poller->cpu != CTL_NO_CPU)
			snprintf(cpu, sizeof(cpu), "%u", poller->cpu);
		printf("%-7u %4s %-8s %6.1f %6.1f %8s %7u %8.1f %10.1f\n", poller->poller, cpu,
		       poller->busy ? "busy" : "adaptive", 100 * load.cpu, 100 * load.work,
		       ctl_short(load.sleeps), poller->queues, (double)poller->turn_p99_ns / 1e3,
		       (double)poller->turn_max_ns / 1e3);
	}
}

static void print_rates(const double rate[TOP_RATES])
{
	for (unsigned i = 0; i < TOP_RATES; i++)
		printf(" %9s", ctl_short(rate[i]));
	putchar('\n');
}

static void print_title(const char *what)
{
	printf("%-24s %9s %9s %9s %9s %9s\n", what, "RX pkt", "RX byte", "TX pkt", "TX byte",
	       "DROPS");
}

static void print_ports(const struct top_pair *p, struct room *room)
{
	double rate[TOP_RATES];

	if (has_line(room))
		print_title("PORT");
	for (size_t i = 0; i < p->now->sets.n; i++) {
		const struct top_set *set = ctl_entry(&p->now->sets, i);

		if (set->attachment || !has_line(room))
			continue;
		top_rates(p, set, rate);
		printf("%-24s", set->dev);
		print_rates(rate);
	}
}

/* ---- clients ---- */

struct row {
	const struct top_set *set;
	double rate[TOP_RATES];
};

static double weight(const struct row *r)
{
	return r->rate[TOP_RX_PACKETS] + r->rate[TOP_TX_PACKETS] + r->rate[TOP_DROPS];
}

static int by_weight(const void *a, const void *b)
{
	const double wa = weight(a), wb = weight(b);
	const uint32_t ia = ((const struct row *)a)->set->attachment;
	const uint32_t ib = ((const struct row *)b)->set->attachment;

	if (wa != wb)
		return wa > wb ? -1 : 1;
	return ia < ib ? -1 : ia > ib;
}

static const char *owner(const struct top_set *set, char *text, size_t size)
{
	if (!set->attachment)
		snprintf(text, size, "%s", set->dev);
	else if (set->label[0])
		snprintf(text, size, "%.20s@%s", set->label, set->dev);
	else
		snprintf(text, size, "%u@%s", set->client, set->dev);
	return text;
}

static void print_clients(const struct top_pair *p, struct room *room)
{
	struct row *row = calloc(p->now->sets.n + 1, sizeof(*row));
	char name[48];
	size_t n = 0;

	for (size_t i = 0; row && i < p->now->sets.n; i++) {
		const struct top_set *set = ctl_entry(&p->now->sets, i);

		if (!set->attachment)
			continue;
		row[n].set = set;
		top_rates(p, set, row[n++].rate);
	}
	if (n) {
		qsort(row, n, sizeof(*row), by_weight);
		if (has_line(room))
			print_title("CLIENT");
	}
	for (size_t i = 0; i < n && has_line(room); i++) {
		printf("%-24.24s", owner(row[i].set, name, sizeof(name)));
		print_rates(row[i].rate);
	}
	free(row);
}

/* ---- drops ---- */

static void print_drops(const struct top_pair *p, struct room *room)
{
	bool titled = false;
	char name[48];

	for (size_t s = 0; s < p->now->sets.n; s++) {
		const struct top_set *set = ctl_entry(&p->now->sets, s);

		for (unsigned i = 0; i < set->n; i++) {
			const double rate = top_is_drop(set, i) ? top_grew(p, set, i) : 0;

			if (rate <= 0)
				continue;
			if (!titled && has_line(room))
				printf("%-24s %9s %12s  %s\n", "DROPS OF", "a second", "ever",
				       "CAUSE");
			titled = true;
			if (has_line(room))
				printf("%-24.24s %9s %12" PRIu64 "  %s: %s\n",
				       owner(set, name, sizeof(name)), ctl_short(rate), set->v[i],
				       top_info(set, i)->name, top_info(set, i)->help);
		}
	}
}

static unsigned count_drops(const struct top_pair *p)
{
	unsigned n = 0;

	for (size_t s = 0; s < p->now->sets.n; s++) {
		const struct top_set *set = ctl_entry(&p->now->sets, s);

		for (unsigned i = 0; i < set->n; i++)
			n += top_is_drop(set, i) && top_grew(p, set, i) > 0;
	}
	return n;
}

/* Where the screen ends the list of clients is cut first: its tail is what matters least, and up to
 * six causes of drops keep their lines. */
void top_print(const struct top_pair *p, unsigned lines)
{
	struct room room = {lines ? lines : UINT32_MAX};
	const unsigned drops = count_drops(p);
	unsigned kept = drops ? (drops < 6 ? drops : 6) + 1 : 0;

	has_line(&room);
	print_head(p);
	print_pollers(p, &room);
	print_ports(p, &room);
	if (room.lines != UINT32_MAX) {
		kept = kept < room.lines ? kept : room.lines;
		room.lines -= kept;
	}
	print_clients(p, &room);
	if (room.lines != UINT32_MAX)
		room.lines += kept;
	print_drops(p, &room);
}
