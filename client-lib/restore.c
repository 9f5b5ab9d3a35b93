/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * After the daemon was lost: connect again, attach again, add the rules again, subscribe again, and
 * tell the program. Runs in the library's thread or rawnet_process(), with the lock.
 *
 * Attempts follow each other in 1, 2, 4 and 8 ms, for a second, in which a daemon that restarts is
 * back even where others have the cores, each 8 ms; then in 16, 32 ... 100 ms. An attachment that
 * is refused for a reason that may pass (its interface is not there yet) is tried again at the same
 * pace; one that is refused for good ends, alone. The program hears `back` after the first pass,
 * and of what that pass could not bring back by events.
 */
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

#include "internal.h"

void rn_restore_later(struct rawnet *rn)
{
	struct itimerspec when = {0};
	uint64_t now = rn_now_ns();
	uint32_t most = now - rn->lost_at < RN_BACKOFF_SOON_NS ? RN_BACKOFF_SOON : RN_BACKOFF_MAX;

	rn->retry_at = now + rn->backoff_ms * 1000000ull;
	when.it_value.tv_sec = (time_t)(rn->retry_at / 1000000000u);
	when.it_value.tv_nsec = (long)(rn->retry_at % 1000000000u);
	if (timerfd_settime(rn->timer_fd, TFD_TIMER_ABSTIME, &when, NULL)) {
		rn->retry_at = now; /* without a pause, else never */
		rn_conn_kick(rn);
	}
	rn->backoff_ms = rn->backoff_ms * 2 < most ? rn->backoff_ms * 2 : most;
}

static bool for_good(int err)
{
	return err == -EACCES || err == -EPERM || err == -EINVAL || err == -EMSGSIZE ||
	       err == -EOPNOTSUPP;
}

/* 0, or the loss of the connection. */
static int restore_attachment(struct rawnet *rn, struct rawnet_attachment *at, bool first)
{
	int err = rn_attach_again(at);

	if (rn->sock < 0)
		return -ENOTCONN;
	if (!err)
		return 0;
	if (for_good(err))
		rn_attach_end(at, -ECONNABORTED, rawnet_error());
	else
		rn->incomplete = true;
	if (first || at->ended)
		rn_calls_report(rn, RAWNET_EVENT_PORT, at->ended ? "refused" : "waiting", 0, at,
				rawnet_error());
	return 0;
}

static int restore_events(struct rawnet *rn)
{
	struct rawnet_req_subscribe req = {.mask = rn->events};
	struct rn_msg m;

	if (!rn->events)
		return 0;
	if (!rn_conn_call(rn, RAWNET_MSG_SUBSCRIBE, &req, sizeof(req), &m))
		rn_msg_close(&m);
	return rn->sock < 0 ? -ENOTCONN : 0;
}

static void announce(struct rawnet *rn)
{
	rn->announced = true;
	rn->back_at = rn_now_ns();
	rn->last_ns = rn->back_at - rn->lost_at;
	rn->total_ns += rn->last_ns;
	rn->restarts++;
	rn_calls_back(rn, rn->last_ns);
}

/* A loss in the middle has set the timer already. */
static void restore_all(struct rawnet *rn)
{
	bool first = !rn->announced;

	rn->incomplete = false;
	for (struct rawnet_attachment *at = rn->attachments; at; at = at->next)
		if (!at->attached && !at->ended && restore_attachment(rn, at, first))
			return;
	if (rn_flow_restore(rn)) {
		if (rn->sock < 0)
			return;
		rn->incomplete = true;
	}
	if (first && restore_events(rn))
		return;
	if (first)
		announce(rn);
	if (rn->incomplete)
		rn_restore_later(rn);
}

void rn_restore_try(struct rawnet *rn)
{
	if (rn->sock < 0 && rn_conn_open(rn, rn_now_ns())) {
		if (!rn->ended)
			rn_restore_later(rn);
		return;
	}
	restore_all(rn);
}

int rawnet_gap(struct rawnet *rn, struct rawnet_gap_info *gap)
{
	struct rawnet_gap_info now = {.size = gap->size};

	if (gap->size < sizeof(gap->size))
		return rn_fail(-EINVAL, "gap: size is %u", gap->size);
	rn_conn_lock(rn);
	now.restarts = rn->restarts;
	now.last_ns = rn->last_ns;
	now.total_ns = rn->total_ns;
	rn_conn_unlock(rn);
	now.tx_lost = __atomic_load_n(&rn->tx_lost, __ATOMIC_RELAXED);
	now.rx_lost = __atomic_load_n(&rn->rx_lost, __ATOMIC_RELAXED);
	memcpy(gap, &now, gap->size < sizeof(now) ? gap->size : sizeof(now));
	return 0;
}
