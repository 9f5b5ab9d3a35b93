/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl monitor: events as they come, until a signal or the daemon's end. */
#include "ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tool.h"

static const struct {
	const char *name;
	uint32_t bit;
} kinds[] = {
	{"link", RAWNET_EVENT_LINK},
	{"flow", RAWNET_EVENT_FLOW},
	{"client", RAWNET_EVENT_CLIENT},
	{"port", RAWNET_EVENT_PORT},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char *kind_name(uint32_t bit)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (kinds[i].bit == bit)
			return kinds[i].name;
	return "event";
}

static void print_text(const struct rawnet_event *e)
{
	struct timespec now;
	struct tm tm;
	char clock[16];

	clock_gettime(CLOCK_REALTIME, &now);
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now.tv_sec, &tm));
	if (e->lost)
		printf("%s.%03ld %u events were lost\n", clock, now.tv_nsec / 1000000, e->lost);
	printf("%s.%03ld %s %s", clock, now.tv_nsec / 1000000, kind_name(e->kind), e->what);
	if (e->id)
		printf(" %" PRIu64, e->id);
	if (e->dev[0])
		printf(" dev %s", e->dev);
	printf(" uid %u%s%s\n", e->uid, e->text[0] ? ": " : "", e->text);
}

/* In both forms a line is whole and there when it is written. */
static void on_event(void *arg, const struct rawnet_event *e)
{
	struct ctl *c = arg;
	struct timespec now;

	if (c->json) {
		clock_gettime(CLOCK_REALTIME, &now);
		ctl_emit(c, json_pack("{s:s, s:s, s:I, s:s, s:i, s:I, s:s, s:i, s:f}", "event",
				      kind_name(e->kind), "what", e->what, "id", (json_int_t)e->id,
				      "dev", e->dev, "attachment", (int)e->attachment, "uid",
				      (json_int_t)e->uid, "text", e->text, "lost", (int)e->lost,
				      "time", (double)now.tv_sec + (double)now.tv_nsec / 1e9));
	} else {
		print_text(e);
	}
	fflush(stdout);
}

static int follow(struct ctl *c, int stop_fd)
{
	struct pollfd fds[] = {{.fd = rawnet_fd(c->rn), .events = POLLIN},
			       {.fd = stop_fd, .events = POLLIN}};
	int err = 0;

	while (!tool_stop && !err && !ferror(stdout)) {
		if (poll(fds, 2, -1) > 0)
			err = rawnet_process(c->rn);
	}
	if (err)
		return ctl_failed(c, err);
	return ferror(stdout) ? CTL_REFUSED : CTL_OK;
}

static int monitor(struct ctl *c, const struct ctl_args *args)
{
	uint32_t mask = 0;
	int rc, err;

	for (size_t i = 0; i < N_KINDS; i++)
		if (ctl_word(args, kinds[i].name))
			mask |= kinds[i].bit;
	ctl_close(c); /* events come to a connection that was made for them */
	c->event = on_event;
	rc = ctl_connect(c);
	c->event = NULL;
	if (rc)
		return rc;
	err = rawnet_subscribe(c->rn, mask ? mask : RAWNET_EVENT_KNOWN);
	rc = err ? ctl_failed(c, err) : follow(c, tool_catch_signals());
	ctl_close(c);
	return rc;
}

#define KIND(name)                                       \
	{                                                \
		name, CTL_FLAG, false, CTL_NOTHING, NULL \
	}

const struct ctl_verb ctl_monitor_verbs[] = {
	{NULL,
	 "events as they come; all kinds if none is named",
	 monitor,
	 {KIND("link"), KIND("flow"), KIND("client"), KIND("port")}},
	{0},
};
