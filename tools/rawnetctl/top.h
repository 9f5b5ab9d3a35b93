/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnetctl top: what its files share. A sample is all counters at one moment; what is shown are
 * the differences of two samples, a second. Something that was not there in the older sample began
 * at zero, and so did a counter that went back.
 */
#ifndef RAWNETCTL_TOP_H
#define RAWNETCTL_TOP_H

#include "ctl.h"

/* The counters of a port (attachment 0) or of an attachment's queues. */
struct top_set {
	char dev[RAWNET_DEV];
	char label[RAWNET_LABEL];
	uint32_t attachment, client, uid;
	uint32_t n;
	uint64_t v[RAWNET_COUNTERS_SPACE];
};

struct top_sample {
	double at; /* s, of a clock that is never set */
	struct ctl_list sets; /* struct top_set: ports, then attachments */
	struct ctl_list pollers; /* struct rawnet_poller_info */
};

/* What to look at: NULL is everything. */
struct top_filter {
	const char *dev, *client;
};

/* Asks for everything; CTL_*. The sample is to be freed in any case. */
int top_take(struct ctl *c, const struct top_filter *filter, struct top_sample *s);
void top_free(struct top_sample *s);

/* ---- rates ---- */

enum top_rate {
	TOP_RX_PACKETS,
	TOP_RX_BYTES,
	TOP_TX_PACKETS,
	TOP_TX_BYTES,
	TOP_DROPS, /* of all causes */
	TOP_RATES
};

struct top_pair {
	const struct top_sample *old, *now;
	double seconds;
};

/* How much counter i of a set grew, a second. */
double top_grew(const struct top_pair *p, const struct top_set *set, unsigned i);
/* The rates that everything has. */
void top_rates(const struct top_pair *p, const struct top_set *set, double rate[TOP_RATES]);
/* What counter i of the set is; NULL: not one that this library knows. */
const struct rawnet_counter_info *top_info(const struct top_set *set, unsigned i);
/* Is counter i of the set the number of packets that were dropped for one cause? */
bool top_is_drop(const struct top_set *set, unsigned i);

struct top_load {
	double cpu; /* share of a core, 0..1 */
	double work; /* share of turns that found something to do, 0..1 */
	double sleeps; /* a second */
};
struct top_load top_load(const struct top_pair *p, const struct rawnet_poller_info *poller);

/* ---- top_text.c ---- */

/* One screen; `lines` of room, 0: no bound. */
void top_print(const struct top_pair *p, unsigned lines);

#endif
