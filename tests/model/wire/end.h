/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An end: one port of a NIC, as its cable sees it. Three things can be joined to it: a wire (a
 * cable to another end, an interface, itself, or nothing), a kernel side (a netdev), and a driver.
 *
 *	               faults, capture
 *	wire --------------------------------> driver, if one is attached; else netdev
 *	wire <-------------------------------- driver and netdev
 *	                 driver -------------> netdev: what no rule took
 *
 * Frames pass through by function calls, within one turn of the loop; nothing is queued here but
 * delayed frames and a batch for an interface. What cannot be delivered is dropped and counted.
 */
#ifndef CX_END_H
#define CX_END_H

#include <stdbool.h>
#include <stdint.h>

#include "capture.h"
#include "fault.h"
#include "iface.h"
#include "loop.h"
#include "wire.h"

struct cx_driver;

enum cx_wire_kind {
	CX_WIRE_NONE, /* swallows what is sent */
	CX_WIRE_LOOP, /* gives it back */
	CX_WIRE_CABLE,
	CX_WIRE_IFACE,
};

enum cx_count {
	CX_WIRE_IN, /* frames that came from the wire */
	CX_WIRE_IN_BYTES,
	CX_WIRE_OUT, /* frames that went into the wire */
	CX_WIRE_OUT_BYTES,
	CX_TO_DRIVER,
	CX_FROM_DRIVER, /* sent by the driver's queues */
	CX_UNSTEERED, /* given back by the driver, for the netdev */
	CX_TO_NETDEV,
	CX_FROM_NETDEV,
	CX_ATTACHES,
	CX_RECOVERED, /* frames that a driver had not taken when it left, delivered otherwise */
	CX_DROP_DRIVER_FULL, /* the driver's receive ring was full */
	CX_DROP_LINK, /* the link was down */
	CX_DROP_LENGTH, /* shorter than a header, or longer than the MTU allows */
	CX_DROP_NETDEV, /* the netdev refused it (down), or there is none */
	CX_DROP_WIRE, /* the interface refused it, had no room, or delivered what is no frame */
	CX_BROKEN, /* attachments ended because the shared memory was wrong */
	CX_COUNTS,
};

enum cx_direction {
	CX_IN,
	CX_OUT
}; /* from the wire, to the wire */

struct cx_end {
	char name[CX_NAME_MAX];
	char netdev[CX_NAME_MAX]; /* empty: no kernel side */
	uint8_t mac[6];
	uint32_t mtu;
	unsigned int ifindex; /* of the netdev */

	bool plugged; /* what the operator wants */
	bool carrier; /* what the interface at the far side says; true for other wires */
	bool link; /* what comes of it, with the peer's wish */

	enum cx_wire_kind wire;
	struct cx_end *peer; /* CX_WIRE_CABLE */
	struct cx_iface *iface; /* CX_WIRE_IFACE */
	struct cx_source iface_source;
	struct cx_source tap;
	struct cx_driver *driver; /* NULL: the default path */

	struct cx_fault fault[2]; /* by enum cx_direction */
	struct cx_capture *capture;
	uint64_t count[CX_COUNTS];
};

extern const char *const cx_count_names[CX_COUNTS];

/* Frames of a turn. The far side may answer each that is sent, so more are read than are sent: the
 * answers pile up nowhere, and a load that a device makes for itself costs no other frame. */
#define CX_OUT_BUDGET 256
#define CX_IN_BUDGET  1024

/* Opens netdev and interface, joins the loop. 0, or -errno with a sentence. */
int cx_end_open(struct cx_end *end, const char *iface, char *err, size_t size);
void cx_end_close(struct cx_end *end);

/* Recomputes the link, and tells the netdev, the driver and the peer if it changed. */
void cx_end_update_link(struct cx_end *end);

/* A frame that the driver or the netdev sends into the wire. */
void cx_end_send(struct cx_end *end, const uint8_t *frame, uint32_t len);

/* A frame for the netdev. */
void cx_end_to_netdev(struct cx_end *end, const uint8_t *frame, uint32_t len);

/* Delayed frames, and what is queued for the interface; the number of frames moved. */
int cx_end_work(struct cx_end *end, uint64_t now);

/* When cx_end_work has something to do next (CLOCK_MONOTONIC), or UINT64_MAX. */
uint64_t cx_end_due(const struct cx_end *end);

#endif
