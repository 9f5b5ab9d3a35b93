/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnetctl top: rates of pollers, ports and clients, and drops by cause, again and again. On a
 * terminal that can, each screen takes the place of the last; elsewhere they follow one another.
 */
#include "top.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define HOUR 3600u

/* ---- JSON ---- */

static json_t *rates_json(const struct top_pair *p, const struct top_set *set)
{
	json_t *drops = json_object();
	double rate[TOP_RATES];

	top_rates(p, set, rate);
	for (unsigned i = 0; i < set->n; i++)
		if (top_is_drop(set, i))
			json_object_set_new(drops, top_info(set, i)->name,
					    json_real(top_grew(p, set, i)));
	return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:o}", "dev", set->dev, "rx_packets",
			 rate[TOP_RX_PACKETS], "rx_bytes", rate[TOP_RX_BYTES], "tx_packets",
			 rate[TOP_TX_PACKETS], "tx_bytes", rate[TOP_TX_BYTES], "drops",
			 rate[TOP_DROPS], "drops_by_cause", drops);
}

static json_t *poller_json(const struct top_pair *p, const struct rawnet_poller_info *poller)
{
	const struct top_load load = top_load(p, poller);

	return json_pack("{s:i, s:o, s:s, s:f, s:f, s:f, s:i, s:I, s:I}", "poller",
			 (int)poller->poller, "cpu", ctl_bound_json(poller->cpu, CTL_NO_CPU),
			 "mode", poller->busy ? "busy" : "adaptive", "cpu_load", load.cpu, "work",
			 load.work, "sleeps", load.sleeps, "queues", (int)poller->queues,
			 "turn_p99_ns", (json_int_t)poller->turn_p99_ns, "turn_max_ns",
			 (json_int_t)poller->turn_max_ns);
}

static int emit(struct ctl *c, const struct top_pair *p)
{
	json_t *ports = json_array(), *attachments = json_array(), *pollers = json_array();
	struct timespec now;

	for (size_t i = 0; i < p->now->sets.n; i++) {
		const struct top_set *set = ctl_entry(&p->now->sets, i);
		json_t *json = rates_json(p, set);

		if (set->attachment)
			json_object_update_new(
				json, json_pack("{s:i, s:i, s:s, s:I}", "attachment",
						(int)set->attachment, "client", (int)set->client,
						"label", set->label, "uid", (json_int_t)set->uid));
		json_array_append_new(set->attachment ? attachments : ports, json);
	}
	for (size_t i = 0; i < p->now->pollers.n; i++)
		json_array_append_new(pollers, poller_json(p, ctl_entry(&p->now->pollers, i)));
	clock_gettime(CLOCK_REALTIME, &now);
	return ctl_emit(c, json_pack("{s:f, s:f, s:o, s:o, s:o}", "time",
				     (double)now.tv_sec + (double)now.tv_nsec / 1e9, "interval",
				     p->seconds, "ports", ports, "attachments", attachments,
				     "pollers", pollers));
}

/* ---- text ---- */

static bool can_clear(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static void show(const struct top_pair *p, bool first)
{
	struct winsize size = {.ws_row = 0};

	if (can_clear()) {
		fputs("\033[H\033[J", stdout); /* home, erase what is below (ECMA-48) */
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	} else if (!first) {
		putchar('\n');
	}
	top_print(p, size.ws_row > 1 ? size.ws_row - 1u : 0);
}

/* ---- the loop ---- */

struct top {
	struct top_filter filter;
	uint64_t seconds, count; /* count 0: no end */
	int stop_fd;
};

/* Sleeps so that samples come at even times; less if a signal or the daemon's end comes. */
static int wait_until(struct ctl *c, const struct top *t, double when)
{
	struct pollfd fds[] = {{.fd = t->stop_fd, .events = POLLIN},
			       {.fd = rawnet_fd(c->rn), .events = POLLIN}};
	struct timespec now;
	double left;
	int err = 0;

	while (!tool_stop && !err) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = when - (double)now.tv_sec - (double)now.tv_nsec / 1e9;
		if (left <= 0)
			break;
		if (poll(fds, 2, (int)(left * 1e3) + 1) > 0 && fds[1].revents)
			err = rawnet_process(c->rn);
	}
	return err ? ctl_failed(c, err) : CTL_OK;
}

static int follow(struct ctl *c, const struct top *t, struct top_sample *old)
{
	const double begin = old->at;
	struct top_sample now;
	int rc = CTL_OK;

	for (uint64_t i = 1; !rc && !tool_stop && (!t->count || i <= t->count); i++) {
		rc = wait_until(c, t, begin + (double)(i * t->seconds));
		if (rc || tool_stop)
			break;
		rc = top_take(c, &t->filter, &now);
		if (!rc) {
			const struct top_pair pair = {old, &now, now.at - old->at};

			if (c->json)
				rc = emit(c, &pair);
			else
				show(&pair, i == 1);
			fflush(stdout);
		}
		top_free(old);
		*old = now;
		if (ferror(stdout)) /* main says so */
			break;
	}
	return rc;
}

static int top(struct ctl *c, const struct ctl_args *args)
{
	struct top t = {.filter = {ctl_word(args, "dev"), ctl_word(args, "client")}, .seconds = 1};
	const char *every = ctl_word(args, "every"), *count = ctl_word(args, "count");
	struct top_sample first;
	int rc = every ? ctl_number(c, every, HOUR, &t.seconds) : CTL_OK;

	if (!rc && count)
		rc = ctl_number(c, count, UINT32_MAX, &t.count);
	if (!rc && (!t.seconds || (count && !t.count)))
		rc = ctl_usage(c, "every and count are at least 1");
	if (rc)
		return rc;
	t.stop_fd = tool_catch_signals();
	rc = top_take(c, &t.filter, &first);
	if (!rc)
		rc = follow(c, &t, &first);
	top_free(&first);
	return rc;
}

const struct ctl_verb ctl_top_verbs[] = {
	{NULL,
	 "packets, bytes and drops a second, and how busy the pollers are, until a signal",
	 top,
	 {{"every", CTL_VALUE, false, CTL_NOTHING, "SECONDS"},
	  {"count", CTL_VALUE, false, CTL_NOTHING, "N"},
	  {"dev", CTL_VALUE, false, CTL_DEVS, "DEV"},
	  {"client", CTL_VALUE, false, CTL_CLIENTS, "CLIENT"}}},
	{0},
};
