/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watching the pollers. The service manager's watchdog is fed only if every poller made a turn
 * since the last look; without one, a poller that does not is at least in the log.
 */
#include <systemd/sd-daemon.h>

#include "daemon.h"
#include "log.h"
#include "poller.h"

#define ALIVE_USEC 1000000u /* how often they are looked at, without a watchdog */

static bool pollers_alive(struct rn_daemon *d)
{
	bool alive = true;
	uint64_t ran;

	for (uint32_t i = 0; i < d->n_pollers; i++) {
		if (rn_poller_alive(d->poller[i], &ran))
			continue;
		/* A stuck one runs all the time; one that does not run waits for its core. */
		rn_error("poller %u makes no progress; since the last look it ran for %lu ms", i,
			 (unsigned long)(ran / 1000000));
		alive = false;
	}
	return alive;
}

static uint64_t interval(void)
{
	uint64_t usec;

	return sd_watchdog_enabled(0, &usec) > 0 ? usec / 2 : ALIVE_USEC;
}

void rn_daemon_say_ready(struct rn_daemon *d, const char *also)
{
	d->unsaid = sd_notifyf(0, "READY=1\nSTATUS=serving %u port%s%s", d->n_served,
			       d->n_served == 1 ? "" : "s", also) < 0;
}

static int on_watch(sd_event_source *source, uint64_t usec, void *arg)
{
	struct rn_daemon *d = arg;

	(void)usec;
	if (pollers_alive(d) && sd_watchdog_enabled(0, NULL) > 0)
		sd_notify(0, "WATCHDOG=1");
	if (d->unsaid)
		rn_daemon_say_ready(d, "");
	rn_monitor_retry(d->monitor);
	sd_event_source_set_time_relative(source, interval());
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int rn_daemon_watch(struct rn_daemon *d)
{
	/* The slack that sd-event takes by itself, 250 ms, may be longer than the interval. */
	return sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC, interval(),
					  interval() / 8, on_watch, d);
}
