/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of one way of transmitting: a port, a queue in it whose packet memory is `mem`, and
 * packets there. Each test plays the parts that it does not link.
 */
#ifndef TX_PARTS_H
#define TX_PARTS_H

#include "attachment.h"
#include "net_frames.h"
#include "tx.h"
#include "tx_chain.h"

#define MEMORY (128u << 10)

static struct rn_port port;
static struct rawnet_counter_set port_counters;
static struct rn_hwq hwq;
static struct rn_queue q;
static struct rn_attachment at; /* whose drops are probed */
static uint64_t count[64];
static _Alignas(64) uint8_t mem[MEMORY];

static struct rn_macs macs; /* what may be local, where local switching is on */

const struct rn_macs *rn_steer_macs(const struct rn_steer *steer)
{
	(void)steer;
	return &macs;
}

bool rn_switch_look(const struct rn_queue *from, uint64_t mac)
{
	(void)from;
	return mac == macs.own;
}

static inline void tx_parts(void)
{
	memset(&macs, 0, sizeof(macs));
	memset(count, 0, sizeof(count));
	memset(&port_counters, 0, sizeof(port_counters));
	port = (struct rn_port) {
		.mtu = 1500, .max_frame = 1518, .link_up = true, .counters = &port_counters};
	hwq = (struct rn_hwq) {.port = &port, .counters = &port_counters};
	at = (struct rn_attachment) {.port = &port};
	q = (struct rn_queue) {
		.mem = mem, .mem_size = MEMORY, .count = count, .hwq = &hwq, .at = &at};
}

/* A TCP or UDP frame at offset `off` of packet memory, as one slot. */
static inline struct rn_chain packet(uint32_t off, uint8_t proto, uint32_t payload, uint16_t flags)
{
	struct want w = {.version = 4, .proto = proto, .payload = payload};
	struct rn_chain c = {.n = 1};

	c.len = frame_build(mem + off, &w);
	c.slot[0] = (struct rawnet_slot) {.off = off, .len = (uint16_t)c.len, .flags = flags};
	c.slot[0].u.tx.l2_len = 14;
	c.slot[0].u.tx.l3_len = 20;
	c.slot[0].u.tx.l4_len = proto == 6 ? 20 : 8;
	return c;
}

#endif
