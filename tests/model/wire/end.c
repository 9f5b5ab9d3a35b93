/* SPDX-License-Identifier: BSD-2-Clause */
/* end.h: theory and contract. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "driver.h"
#include "end.h"
#include "tap.h"

#define TAP_BATCH 64
#define SLACK	  22 /* Ethernet header and two VLAN tags, beyond the MTU */

#define END_OF(source, member) \
	((struct cx_end *)(void *)((char *)(source)-offsetof(struct cx_end, member)))

const char *const cx_count_names[] = {"wire-in",	"wire-in-bytes", "wire-out",
				      "wire-out-bytes", "to-driver",	 "from-driver",
				      "unsteered",	"to-netdev",	 "from-netdev",
				      "attaches",	"recovered",	 "drop-driver-full",
				      "drop-link",	"drop-length",	 "drop-netdev",
				      "drop-wire",	"broken"};
_Static_assert(sizeof(cx_count_names) / sizeof(cx_count_names[0]) == CX_COUNTS,
	       "a name for each counter");

/* ---- frames ---- */

void cx_end_to_netdev(struct cx_end *e, const uint8_t *frame, uint32_t len)
{
	if (e->tap.fd >= 0 && cx_tap_write(e->tap.fd, frame, len) == 0)
		e->count[CX_TO_NETDEV]++;
	else
		e->count[CX_DROP_NETDEV]++;
}

/* From the wire, after the faults. */
static void arrive(void *ctx, const uint8_t *frame, uint32_t len)
{
	struct cx_end *e = ctx;

	if (!e->link) {
		e->count[CX_DROP_LINK]++;
		return;
	}
	if (e->capture)
		cx_capture_frame(e->capture, frame, len);
	e->count[CX_WIRE_IN]++;
	e->count[CX_WIRE_IN_BYTES] += len;
	if (len < CX_FRAME_MIN || len > e->mtu + SLACK)
		e->count[CX_DROP_LENGTH]++;
	else if (!e->driver)
		cx_end_to_netdev(e, frame, len);
	else if (cx_driver_deliver(e->driver, frame, len))
		e->count[CX_TO_DRIVER]++;
	else
		e->count[CX_DROP_DRIVER_FULL]++;
}

static void receive(void *ctx, const uint8_t *frame, uint32_t len)
{
	struct cx_end *e = ctx;

	cx_fault_pass(&e->fault[CX_IN], frame, len, arrive, e);
}

/* Into the wire, after the faults. */
static void leave(void *ctx, const uint8_t *frame, uint32_t len)
{
	struct cx_end *e = ctx;

	switch (e->wire) {
	case CX_WIRE_NONE: break;
	case CX_WIRE_LOOP: receive(e, frame, len); break;
	case CX_WIRE_CABLE: receive(e->peer, frame, len); break;
	case CX_WIRE_IFACE: e->count[CX_DROP_WIRE] += cx_iface_send(e->iface, frame, len); break;
	}
}

void cx_end_send(struct cx_end *e, const uint8_t *frame, uint32_t len)
{
	if (!e->link) {
		e->count[CX_DROP_LINK]++;
		return;
	}
	if (len < CX_FRAME_MIN) {
		e->count[CX_DROP_LENGTH]++;
		return;
	}
	if (e->capture)
		cx_capture_frame(e->capture, frame, len);
	e->count[CX_WIRE_OUT]++;
	e->count[CX_WIRE_OUT_BYTES] += len;
	cx_fault_pass(&e->fault[CX_OUT], frame, len, leave, e);
}

static void tap_ready(struct cx_source *s)
{
	struct cx_end *e = END_OF(s, tap);
	uint8_t frame[CX_FRAME_MAX];
	int i, n = 1;

	for (i = 0; i < TAP_BATCH && n > 0; i++) {
		n = cx_tap_read(s->fd, frame, sizeof(frame));
		if (n <= 0)
			break;
		e->count[CX_FROM_NETDEV]++;
		cx_end_send(e, frame, (uint32_t)n);
	}
	if (n < 0) {
		fprintf(stderr, "end %s: netdev '%s' is gone\n", e->name, e->netdev);
		cx_loop_remove(s);
	}
}

static void iface_ready(struct cx_source *s)
{
	struct cx_end *e = END_OF(s, iface_source);

	cx_iface_receive(e->iface, CX_IN_BUDGET, receive, e, &e->count[CX_DROP_WIRE]);
}

int cx_end_work(struct cx_end *e, uint64_t now)
{
	int n = cx_fault_tick(&e->fault[CX_IN], now, arrive, e);

	n += cx_fault_tick(&e->fault[CX_OUT], now, leave, e);
	if (e->iface)
		e->count[CX_DROP_WIRE] += cx_iface_flush(e->iface);
	return n;
}

uint64_t cx_end_due(const struct cx_end *e)
{
	uint64_t in = cx_fault_due(&e->fault[CX_IN]), out = cx_fault_due(&e->fault[CX_OUT]);

	return in < out ? in : out;
}

/* ---- link ---- */

static void set_link(struct cx_end *e, bool link)
{
	if (link == e->link)
		return;
	e->link = link;
	if (e->tap.fd >= 0)
		cx_tap_set_carrier(e->tap.fd, link);
	if (e->driver)
		cx_driver_tell(e->driver);
}

void cx_end_update_link(struct cx_end *e)
{
	bool link = e->plugged && e->carrier && (!e->peer || e->peer->plugged);

	set_link(e, link);
	if (e->peer)
		set_link(e->peer, link);
}

/* ---- opening and closing ---- */

static int open_netdev(struct cx_end *e, char *err, size_t size)
{
	int fd = cx_tap_open(e->netdev, e->mac, e->mtu, err, size);

	if (fd < 0)
		return fd;
	cx_tap_set_carrier(fd, false);
	e->ifindex = if_nametoindex(e->netdev);
	e->tap = (struct cx_source) {.fd = fd, .ready = tap_ready};
	return cx_loop_add(&e->tap);
}

int cx_end_open(struct cx_end *e, const char *iface, char *err, size_t size)
{
	int code = e->netdev[0] ? open_netdev(e, err, size) : 0;

	if (code || e->wire != CX_WIRE_IFACE)
		return code;
	code = cx_iface_open(iface, &e->iface, err, size);
	if (code)
		return code;
	e->iface_source = (struct cx_source) {.fd = cx_iface_fd(e->iface), .ready = iface_ready};
	return cx_loop_add(&e->iface_source);
}

void cx_end_close(struct cx_end *e)
{
	if (e->driver)
		cx_driver_detach(e->driver);
	if (e->capture)
		cx_capture_close(e->capture);
	cx_fault_clear(&e->fault[CX_IN]);
	cx_fault_clear(&e->fault[CX_OUT]);
	cx_loop_remove(&e->tap);
	if (e->iface) {
		cx_iface_flush(e->iface);
		cx_iface_close(e->iface);
	}
}
