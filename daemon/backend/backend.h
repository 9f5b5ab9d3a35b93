/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a backend is: one way to get raw packets in and out of a network interface.
 *
 * A port has hardware queues (struct rn_hwq, embedded in the backend's own struct), each served by
 * one poller. Two kinds of backend fit: demultiplexing (xdp, loop)  packets arrive on hardware
 * queues, the backend names the rule of each and hands it to rn_deliver(), which copies it to the
 * client; owned queues (mlx5, verbs)  every client queue has hardware queues of its own: queue_rx
 * moves completions to slots, and nothing is copied. Transmit likewise: a backend either gives
 * memory for one frame at a time (tx_reserve, tx_submit: the daemon copies, checks and offloads in
 * software), or drains a client's tx ring itself (queue_tx).
 *
 * Threads: the functions of the first part are called by the control thread, those of the second by
 * the poller that owns the hardware queue. open and close run while no poller knows the port.
 * Errors: 0 or -errno with a sentence. A backend includes this header and those it includes, never
 * control or client code.
 */
#ifndef RN_BACKEND_H
#define RN_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../clock.h"
#include "../port.h"
#include "../probes.h"
#include "../queue.h"
#include "../steer.h"

/* The last frame that was classified here, and its rule: the next of its flow is not parsed. */
struct rn_last {
	const struct rn_rule *rule; /* NULL: nothing is remembered but the key */
	uint32_t changes; /* rn_steer_changes(), from before it was looked up */
	int32_t tci;
	bool l3;
	struct rn_key key;
	struct rn_head head;
};

struct rn_hwq {
	struct rn_port *port;
	struct rn_poller *poller; /* set by the port before start */
	uint32_t poller_index; /* of that poller within the port: attachment->first[] */
	uint32_t index; /* of this queue within the port, 0.. */
	int fd; /* rn_hwq_fd() */
	struct rawnet_counter_set *counters; /* the port's, for this poller; v[RAWNET_P_*] */
	bool kick; /* something was submitted in this turn: flush has work */
	bool silent; /* nothing comes by it: rx is not called; set before start */
	struct rn_last last; /* poller only; deliver_whose.c */
};

/* Becomes readable when a sleeping poller has work; -1: none. */
static inline int rn_hwq_fd(const struct rn_hwq *hwq)
{
	return __atomic_load_n(&hwq->fd, __ATOMIC_RELAXED);
}

/* Control thread: the poller sleeps on another one from now on. Before the old one is closed, whose
 * file the poller does not hold any more when this returns. */
void rn_hwq_set_fd(struct rn_hwq *hwq, int fd);

/* Adds to one of the port's counters: one writer for each hardware queue's poller. */
static inline void rn_count_port(struct rn_hwq *hwq, enum rawnet_port_counter c, uint64_t n)
{
	uint64_t *v = &hwq->counters->v[c];

	__atomic_store_n(v, *v + n, __ATOMIC_RELAXED);
	if (rn_is_port_drop(c))
		rn_probe_port_drop(hwq, c, n);
}

enum rn_armed {
	RN_ARMED,
	RN_ARMED_BRIEFLY, /* sleep for a moment only: the device is short of buffers, and a client
			     that posts some wakes nobody */
	RN_NOT_ARMED /* there is work */
};

/* What stays as it is as long as a queue without work gets none: a look at it is some loads. Of one
 * of which nothing tells, what was seen is not what stands there: it is tried each time. */
struct rn_watch {
	const uint32_t *tx, *rx; /* of the client, which it advances */
	const uint8_t *device; /* the device writes another one there */
	uint32_t tx_seen, rx_seen; /* what stood there when nothing was left to do */
	uint8_t device_seen;
	bool beyond; /* queue_waits() sees more, which is less urgent */
};

struct rn_backend {
	const char *name;
	bool offers_netdev; /* the port is a Linux interface: link, MTU, MAC, addresses are followed
			     */

	/* With a keeper: no packet of a rule goes to the kernel while no daemon runs. */
	bool holds_gap;

	/* ---- control thread ---- */

	/* Can this backend serve config->dev here? 0, or -errno and why not. Changes nothing. */
	int (*probe)(const struct rn_port_config *config, struct rn_err *why);
	/* One line or more of what open would do to the interface, for --check. */
	void (*plan)(const struct rn_port_config *config, FILE *out);
	/* Makes the hardware queues (port->hwq, port->n_hwq; at most port->n_pollers of them need
	 * differ in poller), fills port->mac, mtu, max_frame, ifindex, mode, offloads,
	 * backend_data. No packet is taken from the kernel before the first rule. */
	int (*open)(struct rn_port *port, struct rn_err *err);
	/* For the log, a line for each thing that matters: the device, what of it is used, what is
	 * not and why, what its flows can tell apart. */
	void (*report)(const struct rn_port *port, FILE *out);
	/* The port is complete: rule table and pollers are there. */
	void (*start)(struct rn_port *port);
	/* The rules of the last daemon are in the table (or there were none): from now on packets
	 * may be taken. */
	void (*resume)(struct rn_port *port);
	void (*close)(struct rn_port *port);
	/* The interface went down, came up, changed MTU or MAC (rn_port's fields are new already).
	 */
	void (*changed)(struct rn_port *port);
	/* port->addresses are others. */
	void (*addresses)(struct rn_port *port);
	/* Owned queues: make and unmake the hardware of one client queue. destroy is called after a
	 * grace period: the poller no longer knows the queue; when it returns no device writes to
	 * the client's memory any more. */
	int (*queue_create)(struct rn_port *port, struct rn_queue *q, struct rn_err *err);
	void (*queue_destroy)(struct rn_port *port, struct rn_queue *q);
	/* Owned queues, when the poller has ended: writes the buffers that the device has into the
	 * slots [daemon, next), in its order, for the next daemon. */
	void (*queue_recall)(struct rn_queue *q);
	/* Owned queues: the device failed this one (rn_queue_sick). 1: it works again; 0: it
	 * worked; or why its client has to go. may: there is a budget to set it up again. */
	int (*queue_mend)(struct rn_port *port, struct rn_queue *q, bool may, struct rn_err *err);
	/* port->event_fd is readable: the device has news. What concerns a queue becomes
	 * rn_queue_sick(); the whole device's end becomes port->failed. */
	void (*events)(struct rn_port *port);
	/* Adds what only the device or kernel counts (RAWNET_P_*) to v. */
	void (*counters)(struct rn_port *port, uint64_t v[RAWNET_COUNTERS_SPACE]);
	const struct rn_steer_ops *steer; /* ctx is the struct rn_port */

	/* ---- poller thread ---- */

	/* Takes up to budget packets from the hardware queue; how many. */
	unsigned (*rx)(struct rn_hwq *hwq, unsigned budget);
	/* Room for one frame to send, at least port->max_frame + 4 bytes, rounded up to 64; NULL:
	 * full, try next turn. The same room is returned until tx_submit. */
	uint8_t *(*tx_reserve)(struct rn_hwq *hwq);
	/* Sends the reserved room's first len bytes. */
	void (*tx_submit)(struct rn_hwq *hwq, uint32_t len);
	/* Owned queues, instead of rx and tx_*: up to budget packets each; how many. */
	unsigned (*queue_rx)(struct rn_queue *q, unsigned budget);
	unsigned (*queue_tx)(struct rn_queue *q, unsigned budget);
	/* May there be something to do for this queue, which had nothing for long? Cheaper than to
	 * try. NULL: try. */
	bool (*queue_waits)(const struct rn_queue *q);
	/* What tells most of that. Fills in what differs from a queue whose tx ring alone counts;
	 * all has been read that is there, or differs from what was seen. With queue_waits. */
	void (*queue_watch)(const struct rn_queue *q, struct rn_watch *watch);
	/* queue_rx comes soon: asks for the memory that it begins with, and waits for nothing.
	 * NULL: it does not help. */
	void (*queue_ahead)(const struct rn_queue *q);
	/* Before the poller sleeps: ask for a wake-up, through the descriptor of its hardware
	 * queue, when this queue has news. */
	enum rn_armed (*queue_arm)(struct rn_queue *q);
	/* End of a turn in which the queue was used: doorbells, refills, system calls. */
	void (*flush)(struct rn_hwq *hwq);
	/* Behind flush, when all clients can see what they were given in this turn. */
	void (*done)(struct rn_hwq *hwq);
	/* Before the poller sleeps on fd: ask for a wake-up; 1: there is work, do not sleep. */
	int (*arm)(struct rn_hwq *hwq);
};

/* What outlives the daemon, kept by its service manager (../store.h); NULL: nothing does. A backend
 * puts there what the next daemon goes on with, under names of its own. */
struct rn_keeper {
	void (*put)(const char *name, int fd);
	void (*drop)(const char *name);
	int (*take)(const char *name); /* -1: there is none */
};
extern const struct rn_keeper *rn_keeper;

/* A received frame, where the backend has it: memory that no client can write. */
struct rn_piece {
	const uint8_t *data;
	uint32_t len;
};
struct rn_frame {
	struct rn_piece piece[8]; /* piece[0] holds all headers */
	uint32_t n_pieces;
	uint32_t len; /* of all pieces */
	int32_t tci; /* VLAN tag that was taken out, or -1 */
	uint16_t flags; /* RAWNET_RX_L3_OK and the like, RAWNET_RX_COPY, RAWNET_RX_HASH */
	bool completed; /* its checksum was unfinished and has been completed */
	uint32_t hash; /* with RAWNET_RX_HASH */
	uint64_t stamp; /* ns CLOCK_REALTIME; 0: the delivery's own time if the queue wants one */
};

/* A frame of one piece, of which nothing else is known. An initializer would clear all pieces
 * first: that costs more than the rest, and stalls who reads them. */
static inline void rn_frame_init(struct rn_frame *f, const uint8_t *data, uint32_t len)
{
	f->piece[0] = (struct rn_piece) {data, len};
	f->n_pieces = 1;
	f->len = len;
	f->tci = -1;
	f->flags = 0;
	f->completed = false;
	f->hash = 0;
	f->stamp = 0;
}

/* Poller: gives the frame to the member of rule that it belongs to, or counts why not. One copy. */
void rn_deliver(struct rn_hwq *hwq, const struct rn_rule *rule, const struct rn_frame *frame);
/* Poller: parses and classifies first; false: no rule takes it, the caller disposes. */
bool rn_deliver_classified(struct rn_hwq *hwq, const struct rn_frame *frame);
/* Poller: a frame that a client of this port sends to another (switch.h): false: it is nobody's, or
 * that of `from` itself. Sets the frame's hash where the port's packets have one. */
bool rn_deliver_local(struct rn_hwq *hwq, const struct rn_attachment *from, struct rn_frame *frame);

/*
 * Poller: the same for frames of one hardware queue that come one after the other, in one piece and
 * without anything said about them. Who gets a frame is found out when it has another key than the
 * one before, and what is counted is written at the end. Begin and end within a turn: what was
 * found out does not outlive a grace period.
 */
struct rn_burst {
	struct rn_hwq *hwq;
	const struct rn_rule *rule; /* of the frame before */
	struct rn_queue *q; /* gets all of that rule; NULL: every frame is looked at by itself */
	uint32_t index; /* of the rule */
	uint64_t frames, bytes, taken, bytes_taken; /* not yet counted */
};
void rn_burst_begin(struct rn_burst *burst, struct rn_hwq *hwq);
void rn_burst_frame(struct rn_burst *burst, const uint8_t *data, uint32_t len);
/* Of a rule that the backend has found. */
void rn_burst_ruled(struct rn_burst *burst, const struct rn_rule *rule, const uint8_t *data,
		    uint32_t len);
void rn_burst_end(struct rn_burst *burst);

/* Poller: gives the frame to one queue, whatever the rules say; for copies. index: of the rule, or
 * RN_NO_INDEX. False: dropped and counted. Of a queue that the backend owns the buffer is one that
 * the device does not have yet (rx.next): the backend leaves some of those to a subscriber. */
#define RN_NO_INDEX 0xffffffffu
bool rn_deliver_to(struct rn_queue *q, const struct rn_frame *frame, uint32_t index);
/* The same for a packet that came before all that the device has: the slots of those move up by
 * one, and name their buffers in the order in which they will come. */
bool rn_deliver_first(struct rn_queue *q, const struct rn_frame *frame, uint32_t index);

/* Poller: a copy for one who captures (../tap.h), cut to snap bytes, c in front of it. */
void rn_deliver_captured(struct rn_queue *q, const struct rn_frame *frame, uint32_t snap,
			 const struct rawnet_capture *c);

extern const struct rn_backend rn_backend_loop;
extern const struct rn_backend rn_backend_mlx5;
extern const struct rn_backend rn_backend_verbs;
extern const struct rn_backend rn_backend_xdp;

/* The backends in the order in which "auto" tries them; NULL-terminated. */
extern const struct rn_backend *const rn_backends[];

#endif
