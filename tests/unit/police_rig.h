/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of what a client may send: a port with addresses, two clients, a queue of the first.
 * With REAL_TABLE rules stand in the port's own table, else in a list.
 */
#ifndef POLICE_RIG_H
#define POLICE_RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <urcu-qsbr.h>

#include "net_frames.h"
#ifdef REAL_TABLE
#include "police_steer.h"
#else
#include "police_table.h"
#endif

#define OK    0
#define SPOOF RAWNET_Q_TX_DROP_SPOOF
#define LINK  RAWNET_Q_TX_DROP_LINK

#define PORT_MAC "02:00:00:00:00:10"
#define OWN_MAC	 "02:00:00:00:00:77"
#define PEER_MAC "02:00:00:00:00:20"
#define ANY	 "ff:ff:ff:ff:ff:ff"

static uint8_t v4_of_port[2][4] = {{10, 0, 0, 1}, {10, 0, 0, 3}};
static uint8_t v6_of_port[1][16] = {{0xfd, 0, [15] = 1}};
static struct rn_addresses addresses = {2, 1, v4_of_port, v6_of_port};
static struct rn_port port = {.addresses = &addresses};
static struct rn_attachment client = {.port = &port}, other = {.port = &port};
static struct rn_queue queue = {.at = &client};
static uint8_t buffer[4096];

static inline void addr(uint8_t *to, const char *text)
{
	assert_true(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, to));
}

static inline void mac(uint8_t *to, const char *text)
{
	assert_int_equal(sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", to, to + 1, to + 2, to + 3,
				to + 4, to + 5),
			 6);
}

/* An ARP message about spa in the buffer: its length. */
static inline uint32_t arp(const char *smac, const char *sha, const char *spa, int op)
{
	struct want w = {.ethertype = 0x0806, .payload = 46};

	mac(w.smac, smac);
	mac(w.dmac, ANY);
	frame_build(buffer, &w);
	memset(buffer + 14, 0, 46);
	be16(be16(buffer + 14, 1), 0x800);
	buffer[18] = 6;
	buffer[19] = 4;
	be16(buffer + 20, (uint32_t)op);
	mac(buffer + 22, sha);
	addr(buffer + 28, spa);
	addr(buffer + 38, "10.0.0.2");
	return 60;
}
#endif
