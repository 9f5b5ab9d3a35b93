/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rig for tests of the data path: a waker, pollers, loop ports and attachments in one process,
 * with the client's side of the rings worked by hand through rawnet/ring.h. Failures are
 * assertions.
 */
#ifndef RIG_H
#define RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "attachment.h"
#include "port.h"
#include "poller.h"
#include "rawnet/ring.h"
#include "waker.h"

#define RIG_PORTS 4

struct rig {
	struct rn_waker *waker;
	struct rn_poller *poller[2];
	uint32_t n_pollers;
	int fault_fd;
	uint64_t rule_ids;
	struct rn_port *port[RIG_PORTS];
	uint32_t n_ports;
};

/* The client's side of one attachment with one queue. */
struct rig_client {
	struct rn_attachment *at;
	struct rawnet_ring rx, tx;
	uint8_t *mem;
	uint32_t buf_size;
	int fd; /* wake-up socket */
};

void rig_open(struct rig *rig, uint32_t n_pollers, bool busy);
void rig_close(struct rig *rig);
/* peer: the name of the other port, "reflect" or "sink". police: transmit is policed. */
struct rn_port *rig_port(struct rig *rig, const char *dev, const char *peer, bool police);
/* A port where the frames of the capture file arrive again and again while it has a rule. */
struct rn_port *rig_source(struct rig *rig, const char *dev, const char *path);
/* Attaches, posts every rx slot, gives tx slots the buffers behind them. rx_size 0: default. */
void rig_attach(struct rig *rig, struct rn_port *port, uint32_t rx_size, uint32_t tx_size,
		struct rig_client *c);
void rig_detach(struct rig_client *c);
/* Adds a rule by its text: its id. */
uint64_t rig_rule(struct rn_port *port, struct rig_client *c, const char *text);

/* A UDP frame from src to dst (last octets of 10.0.0.x): its length. */
uint32_t rig_udp(uint8_t *frame, const uint8_t dmac[6], const uint8_t smac[6], uint8_t src,
		 uint8_t dst, uint16_t sport, uint16_t dport, uint32_t payload);
/* Fills the next tx slot with a copy of frame; publish with rawnet_ring_publish. False: full. */
bool rig_send(struct rig_client *c, const uint8_t *frame, uint32_t len, uint16_t flags);
/* Publishes and wakes the poller if it sleeps. */
void rig_flush(struct rig_client *c);
/* Waits until n packets are there to read, at most some seconds: how many are there. */
uint32_t rig_await(struct rig_client *c, uint32_t n);
/* Waits until the daemon has taken all tx slots. */
bool rig_drained(struct rig_client *c);
uint64_t rig_counter(const struct rig_client *c, enum rawnet_queue_counter counter);
/* Waits until the counter is n; what it is then. */
uint64_t rig_count_to(const struct rig_client *c, enum rawnet_queue_counter counter, uint64_t n);

#endif
