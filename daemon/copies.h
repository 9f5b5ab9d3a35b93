/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies of broadcast and multicast, for the attachments that asked: a packet socket on the netdev
 * with a memory-mapped receive ring (TPACKET_V3 or V2), filtered in the kernel to incoming group
 * frames, open only while somebody subscribes, bounded in rate. The control thread opens and closes
 * it, the port's first poller reads the ring: no system call, one load of a line while nothing
 * comes. While it is open the interface takes in all multicast, since a client may want a group
 * that the host did not join. A tag that was taken out comes as metadata, one that is not 802.1Q is
 * put back into the frame.
 *
 * Why not by the NIC, which can put a frame into several receive queues (flows of one match, with
 * DONT_TRAP for the kernel's copy). Copies are bounded in rate and counted beyond it, all clients
 * together (copy_rate), and no flow table does that: in a storm each subscriber's queue would be
 * full of copies, before what its own rules take, and its poller, which serves others too, would
 * pay for each of them at the rate of the wire. A socket's ring costs the poller what it is allowed
 * to, and the interface's own queues take the storm as they would anyway. Nor does mlx5dv know
 * DONT_TRAP, by which alone the kernel would still get each.
 */
#ifndef RN_COPIES_H
#define RN_COPIES_H

#include <stdbool.h>

#include "err.h"
#include "port.h"

struct rn_attachment;
struct rn_copies;
struct rn_frame;
struct rn_hwq;

int rn_copies_open(struct rn_port *port, struct rn_copies **copies, struct rn_err *err);
/* After a grace period. */
void rn_copies_close(struct rn_copies *copies);
/* Control thread: the interface came back, perhaps with another index. Pollers may go on reading.
 */
int rn_copies_rebind(struct rn_copies *copies, struct rn_err *err);
/* For the poller's epoll set. */
int rn_copies_fd(const struct rn_copies *copies);
/* Poller: takes up to budget frames and gives each to every subscriber that asked for its kind
 * (port->subscribers); how many. hwq: the poller's hardware queue, for counters. */
unsigned rn_copies_run(struct rn_copies *copies, struct rn_hwq *hwq, unsigned budget);
/* Frames a second. */
uint32_t rn_copies_rate(const struct rn_port *port);
/* RAWNET_COPY_* of a frame to a group. */
uint32_t rn_copies_kind(const uint8_t *frame);
/* Poller: to every subscriber of the frame's kind but `except`; piece[0] holds its first six bytes.
 */
void rn_copies_give(const struct rn_hwq *hwq, const struct rn_frame *f,
		    const struct rn_attachment *except);
/* Poller, before it sleeps: is a frame ready? If none is, what the kernel dropped gets counted. */
bool rn_copies_ready(struct rn_copies *copies);

#endif
