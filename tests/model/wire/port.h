/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's side of a wire: attach to an end of cx-wired, exchange frames with it.
 *
 * One thread at a time uses a port, except where a call says otherwise. Frames are whole Ethernet
 * frames without FCS, CX_FRAME_MIN..CX_FRAME_MAX bytes; a VLAN tag is in place. Nothing but
 * cx_port_flush, cx_port_wake and attaching makes a system call.
 *
 * A device thread's turn, and its sleep:
 *
 *	while ((frame = cx_port_peek(port, &len))) {		every frame from the wire
 *		if (!steered(frame, len))
 *			cx_port_to_kernel(port, frame, len);
 *		cx_port_release(port, len);
 *	}
 *	cx_port_send(port, ...);				what the queues send
 *	cx_port_flush(port);					once a turn
 *	if (idle && cx_port_sleep(port, false)) {
 *		poll(cx_port_fd(port) and the device's own descriptors);
 *		if (cx_port_wake(port))
 *			the wire process has gone: the cable is out, the link is down
 *	}
 *
 * Release a frame only after it was delivered or passed on: what is not released when the process
 * dies goes to the kernel's netdev. A busy thread need not sleep at all.
 */
#ifndef CX_PORT_H
#define CX_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "wire.h"

struct cx_port;

/* Calls that an LD_PRELOAD library may interpose, and which must reach libc from here. */
struct cx_sys {
	int (*socket)(int domain, int type, int protocol);
	void *(*mmap)(void *addr, size_t len, int prot, int flags, int fd, off_t off);
	int (*munmap)(void *addr, size_t len);
	int (*close)(int fd);
};

struct cx_port_info {
	char end[CX_NAME_MAX];
	char netdev[CX_NAME_MAX]; /* empty: the end has no kernel side */
	unsigned int ifindex;
	uint8_t mac[6];
};

/* Replaces the table above (default: libc); before the first attach, sys must stay valid. */
void cx_port_use_sys(const struct cx_sys *sys);

/* Takes the end over from the default path. 0, or -errno with a sentence in err:
 * -ENOENT no wire process there or no such end, -EBUSY another driver has it, -EPROTO versions. */
int cx_port_attach(const char *path, const char *end, struct cx_port **port, char *err,
		   size_t err_size);

/* Gives the end back to the default path; what it had not released goes to the netdev. */
void cx_port_detach(struct cx_port *port);

const struct cx_port_info *cx_port_info(const struct cx_port *port);
uint32_t cx_port_mtu(const struct cx_port *port); /* any thread */
bool cx_port_link(const struct cx_port *port); /* any thread */

/* ---- frames from the wire ---- */

/* The oldest frame, in place, or NULL; the same one until it is released. */
const uint8_t *cx_port_peek(struct cx_port *port, uint32_t *len);
void cx_port_release(struct cx_port *port, uint32_t len);

/* ---- frames to the wire (CX_RING_TX) and to the kernel's netdev (CX_RING_UP) ---- */

/* Room to build a frame of up to len bytes in place, or NULL if the ring is full (not counted: a
 * device may wait, see cx_port_sleep). Nothing happens before the commit. */
uint8_t *cx_port_reserve(struct cx_port *port, enum cx_ring_id ring, uint32_t len);
void cx_port_commit(struct cx_port *port, enum cx_ring_id ring, uint32_t len);

/* Bytes of CX_RING_TX that one request of a queue may take: 61 jumbo frames of a multi-packet one,
 * or the segments of 256 KiB. A device that waits for so many has 3/8 of the ring under way at
 * most, and the ring from the wire has room for the answers. */
#define CX_REQUEST_MAX (CX_RING_SIZE / 8 * 5)

/* Are so many bytes free, of frames with the headers of their records? */
bool cx_port_has_room(struct cx_port *port, enum cx_ring_id ring, uint32_t bytes);

/* Copy one frame. 0, -EMSGSIZE (length out of range), or -ENOBUFS: the ring is full, the frame is
 * dropped and counted in cx_shm.device_drops. */
int cx_port_send(struct cx_port *port, const void *frame, uint32_t len);
int cx_port_to_kernel(struct cx_port *port, const void *frame, uint32_t len);

/* ---- waking and sleeping ---- */

/* Wakes the wire process if it sleeps and something was committed or released: call once a turn. */
void cx_port_flush(struct cx_port *port);

/* The descriptor to poll for POLLIN while asleep; also readable when the wire process ends. */
int cx_port_fd(const struct cx_port *port);

/* Announces that the thread will block: true, or false if there is something to do already.
 * room: wake also when the wire process has made room in the rings to it. */
bool cx_port_sleep(struct cx_port *port, bool room);

/* After cx_port_sleep returned true, and whenever the descriptor is readable. 0, or -EPIPE when the
 * wire process has gone or ended the attachment: the link reads as down from then on. */
int cx_port_wake(struct cx_port *port);

#endif
