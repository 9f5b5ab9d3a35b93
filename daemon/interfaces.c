/* SPDX-License-Identifier: BSD-2-Clause */
/* What ports are told of their interfaces: link, MTU, MAC, addresses, and that they are there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "daemon.h"
#include "log.h"
#include "messages.h"
#include "tx.h"

void rn_daemon_load_addresses(struct rn_port *port)
{
	struct rn_addresses *addresses;
	struct rn_err err = {0};

	if (!rn_netdev_addresses(port->ifindex, &addresses, &err)) {
		rn_port_set_addresses(port, addresses);
		rn_police_changed();
	} else {
		rn_error_about(RN_ABOUT_DEV(port->config.dev), "%s: %s", port->config.dev,
			       err.text);
	}
}

static void on_link(void *arg, const struct rn_netdev *nd, bool present)
{
	struct rn_daemon *d = arg;
	struct rn_served *s = rn_daemon_port(d, nd->dev);
	struct rn_port *port = s ? s->port : NULL;
	bool was_up, was_present, moved;
	unsigned lost;

	if (!port || !port->backend->offers_netdev)
		return;
	was_up = port->link_up;
	was_present = port->present;
	moved = present && (nd->ifindex != port->ifindex || memcmp(nd->mac, port->mac, 6) != 0);
	if (!present && nd->ifindex != port->ifindex)
		return; /* another one of this name, long gone */
	if (present == was_present && nd->up == was_up && nd->mtu == port->mtu && !moved)
		return;
	if (present)
		port->ifindex = nd->ifindex;
	lost = rn_port_changed(port, present, nd->up, present ? nd->mtu : port->mtu,
			       present ? nd->mac : port->mac);
	if (lost)
		rn_error_about(RN_ABOUT_DEV(nd->dev),
			       "%s: %u rules were refused with its new address", nd->dev, lost);
	rn_police_changed();
	if (moved)
		rn_rules_reopen_neigh(d, s);
	if (present && !was_present)
		rn_daemon_load_addresses(port);
	rn_info_about(RN_ABOUT_DEV(nd->dev), "%s: %s, mtu %u", nd->dev,
		      !present ? "gone"
		      : nd->up ? "up"
			       : "down",
		      port->mtu);
	rn_event_emit(d, RAWNET_EVENT_LINK,
		      !present ? "gone"
		      : nd->up ? "up"
			       : "down",
		      0, NULL, nd->dev, 0, "mtu %u", port->mtu);
}

static void on_addresses(void *arg, uint32_t ifindex, struct rn_addresses *addresses)
{
	struct rn_daemon *d = arg;

	for (uint32_t i = 0; i < d->n_served; i++)
		if (d->served[i].port->ifindex == ifindex && ifindex) {
			rn_port_set_addresses(d->served[i].port, addresses);
			rn_police_changed();
			return;
		}
	free(addresses);
}

static int on_netlink(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct rn_daemon *d = arg;

	(void)source;
	(void)fd;
	(void)revents;
	rn_monitor_dispatch(d->monitor);
	return 0;
}

int rn_daemon_watch_interfaces(struct rn_daemon *d, struct rn_err *err)
{
	static const struct rn_monitor_ops ops = {.link = on_link, .addresses = on_addresses};
	int rc;

	rc = rn_monitor_create(&ops, d, &d->monitor, err);
	if (!rc &&
	    sd_event_add_io(d->event, NULL, rn_monitor_fd(d->monitor), EPOLLIN, on_netlink, d) < 0)
		rc = rn_fail(err, -ENOMEM, "interfaces: out of memory");
	if (!rc)
		rc = rn_monitor_refresh(d->monitor, err);
	return rc;
}
