/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The laboratory of bench-mlx5: the daemon's own data path (poller, ports, attachments, policing,
 * the mlx5 and verbs backends) in this process, on devices of the model, whose thread is paused
 * while something is measured. The calling thread is control thread, poller, client, and, between
 * measurements, the device; so what the device wrote last is in the cache of this core: a warm
 * cache, which no NIC gives.
 *
 * What is measured is rn_poller_turn(), everything that a poller does in a turn, in windows of a
 * few bursts: short enough that most of them are not interrupted. Before each window the device has
 * walked over its own memory and over packets, and other ways have been measured, so code and queue
 * come back into the caches with the first burst, which is not counted.
 */
#ifndef BENCH_MLX5_LAB_H
#define BENCH_MLX5_LAB_H

#include "bench.h"
#include "../unit/rig.h"

#define LAB_DEVICES 4
#define LAB_BURST   32u
#define LAB_WINDOW  6u /* bursts */
#define LAB_WARM    1u /* of them, at the start, that warm the caches and are not counted */
#define LAB_COUNTED ((LAB_WINDOW - LAB_WARM) * LAB_BURST) /* packets */

extern const char *const lab_dev[LAB_DEVICES]; /* interfaces of the devices, in their order */

#define LAB_BY_NIC 2u

struct lab_plan {
	int device; /* of the model */
	const char *backend;
	uint32_t police; /* false, true, LAB_BY_NIC */
	uint32_t clients; /* attachments */
	uint32_t ring; /* slots of each of their rings */
	uint16_t sport; /* they send UDP from this port; 0: client i gets the generator's flow i,
			   or an only client all flows */
	const char *match; /* instead of these */
	const struct lab_port *with; /* whose poller serves this port too; NULL: its own does */
};

struct lab_port {
	struct lab_plan plan;
	struct rn_port *port;
	struct rn_poller *poller;
	struct rig_client *client;
};

void lab_open(void);
void lab_port(struct lab_port *l, const struct lab_plan *plan);

/* A command of the model's; the number that it answers, or 0. */
uint32_t lab_command(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Everything that was rung is sent and everything sent has completed; then the device stands. */
void lab_settle(void);
/* Completions of `packets` received packets, as many as there are buffers for: how many. */
uint32_t lab_receive(const struct lab_port *l, uint32_t packets);

/* Ticks of one turn, without those of reading the clock twice. */
uint64_t lab_turn(const struct lab_port *l, unsigned *work);

/* The client takes all that it got, and posts the buffers again: how many. */
uint32_t lab_take(struct rig_client *c);
/* A frame of `len` bytes that the client may send. */
void lab_frame(const struct lab_port *l, uint8_t *frame, uint32_t len);
/* The client sends n of them, written to few buffers, as librawnet reuses them. */
void lab_send(struct rig_client *c, const uint8_t *frame, uint32_t len, uint32_t n);
/* What came to one is sent by the other, each frame copied: rawnet-xconnect between two ports. */
uint32_t lab_forward(struct rig_client *from, struct rig_client *to);

/* Has this thread the core for itself right now? Another thread of the core's (SMT) takes half of
 * it, which no scheduler tells. Judged by how many independent instructions it executes in the time
 * of as many that wait for each other. */
bool lab_undisturbed(void);

/* Ticks a packet of one window; 0: not all packets came, or it was disturbed. settle: the device
 * works behind each burst instead of behind the window. */
double lab_rx_window(const struct lab_port *l);
double lab_tx_window(const struct lab_port *l, const uint8_t *frame, uint32_t len, bool settle);

#endif
