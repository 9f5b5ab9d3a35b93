/* SPDX-License-Identifier: BSD-2-Clause */
/* The responder of a port follows the rules; its descriptor comes and goes with leases. */
#include <errno.h>

#include "daemon.h"
#include "log.h"
#include "rules_impl.h"

static int on_neigh(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	(void)source;
	(void)fd;
	(void)revents;
	rn_neigh_dispatch(arg);
	return 0;
}

static void follow_neigh(struct rn_daemon *d, struct rn_served *s)
{
	int fd = s->neigh ? rn_neigh_fd(s->neigh) : -1;

	if (fd == s->neigh_fd)
		return;
	s->neigh_source = sd_event_source_disable_unref(s->neigh_source);
	s->neigh_fd = fd;
	if (fd >= 0 &&
	    sd_event_add_io(d->event, &s->neigh_source, fd, EPOLLIN, on_neigh, s->neigh) < 0)
		rn_error_about(RN_ABOUT_DEV(s->port->config.dev),
			       "%s: out of memory, leased addresses are not answered for",
			       s->port->config.dev);
}

void rn_rules_reopen_neigh(struct rn_daemon *d, struct rn_served *s)
{
	if (!s->neigh)
		return;
	/* The new descriptor may have the old one's number: the loop must forget that first. */
	s->neigh_source = sd_event_source_disable_unref(s->neigh_source);
	s->neigh_fd = -1;
	rn_neigh_reopen(s->neigh);
	follow_neigh(d, s);
}

int rn_rules_add_neigh(struct rn_daemon *d, struct rn_served *s, struct rn_rule *rule,
		       struct rn_err *err)
{
	int rc;

	if (!s->neigh)
		return 0;
	rc = rn_neigh_add(s->neigh, rule, err);
	follow_neigh(d, s);
	return rc;
}

void rn_rules_del_neigh(struct rn_daemon *d, struct rn_served *s, struct rn_rule *rule)
{
	if (!s->neigh)
		return;
	rn_neigh_del(s->neigh, rule);
	follow_neigh(d, s);
}
