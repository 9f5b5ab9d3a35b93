/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies of broadcast and multicast: which attachments of a port get them, and the port's packet
 * socket (copies.h), which is open while somebody does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "attachment_impl.h"
#include "backend/backend.h"
#include "copies.h"
#include "poller.h"
#include "state.h"

static void free_subscribers(struct rn_subscribers *old)
{
	if (!old)
		return;
	synchronize_rcu();
	free(old);
}

/* Publishes who gets copies, without `without`. -ENOMEM leaves things as they are. */
static int publish_subscribers(struct rn_port *port, const struct rn_attachment *without)
{
	struct rn_subscribers *old = port->subscribers, *set;
	struct rn_attachment *at;
	uint32_t n = 0;

	cds_list_for_each_entry (at, &port->attachments, list)
		n += at->copies && at != without;
	set = malloc(sizeof(*set) + n * sizeof(set->at[0]));
	if (!set)
		return -ENOMEM;
	set->n = 0;
	cds_list_for_each_entry (at, &port->attachments, list)
		if (at->copies && at != without)
			set->at[set->n++] = at;
	rcu_assign_pointer(port->subscribers, set);
	free_subscribers(old);
	return 0;
}

static bool wanted(const struct rn_port *port)
{
	return port->subscribers && port->subscribers->n;
}

static int start_copies(struct rn_port *port, struct rn_err *err)
{
	struct rn_copies *copies;
	int rc;

	if (port->copies)
		return 0;
	rc = rn_copies_open(port, &copies, err);
	if (rc)
		return rc;
	rc = rn_poller_watch(port->poller[0], rn_copies_fd(copies));
	if (rc) {
		rn_copies_close(copies);
		return rn_fail(err, rc, "copies: %s", strerror(-rc));
	}
	rcu_assign_pointer(port->copies, copies);
	rn_poller_poke(port->poller[0]);
	return 0;
}

static void stop_copies(struct rn_port *port)
{
	struct rn_copies *copies = port->copies;

	if (!copies)
		return;
	rcu_assign_pointer(port->copies, NULL);
	rn_poller_unwatch(port->poller[0], rn_copies_fd(copies));
	synchronize_rcu();
	rn_copies_close(copies);
}

/* The attachment leaves: memory may be out, then the old set stays but for its own entry. */
void rn_attachment_drop_copies(struct rn_attachment *at)
{
	struct rn_subscribers *set = at->port->subscribers;

	if (!at->copies)
		return;
	if (publish_subscribers(at->port, at) < 0) {
		uint32_t n = 0;

		stop_copies(at->port); /* nobody reads the set now */
		for (uint32_t i = 0; set && i < set->n; i++)
			if (set->at[i] != at)
				set->at[n++] = set->at[i];
		if (set)
			set->n = n;
	}
	__atomic_store_n(&at->copies, 0, __ATOMIC_RELAXED);
	if (!wanted(at->port))
		stop_copies(at->port);
	else
		start_copies(at->port, NULL);
}

int rn_attachment_set_copies(struct rn_attachment *at, uint32_t copies, struct rn_err *err)
{
	uint32_t before = at->copies;
	int rc;

	if (copies & ~RAWNET_COPY_KNOWN)
		return rn_fail(err, -EINVAL, "copies 0x%x: unknown bits", copies);
	if (copies && !at->port->backend->offers_netdev)
		return rn_fail(err, -EOPNOTSUPP, "copies: %s is not a Linux interface",
			       at->port->config.dev);
	__atomic_store_n(&at->copies, copies, __ATOMIC_RELAXED); /* a poller may read it */
	rc = publish_subscribers(at->port, NULL);
	if (!rc && copies)
		rc = start_copies(at->port, err);
	if (rc) {
		if (!before)
			rn_attachment_drop_copies(at);
		__atomic_store_n(&at->copies, before, __ATOMIC_RELAXED);
		return rc == -ENOMEM ? rn_fail(err, rc, "copies: out of memory") : rc;
	}
	if (!wanted(at->port))
		stop_copies(at->port);
	((struct rn_state *)(void *)at->shm.state.addr)->copies = copies;
	return 0;
}
