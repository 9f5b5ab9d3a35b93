/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A port: one network interface that the daemon serves, with its backend, its hardware queues
 * spread over its pollers, its rule table and its attachments. The control thread owns it; pollers
 * read what is marked so.
 */
#ifndef RN_PORT_H
#define RN_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <urcu/list.h>

#include "rawnet/abi.h"
#include "rawnet/counters.h"
#include "rawnet/proto.h"
#include "err.h"

#define RN_PORT_POLLERS 16u
#define RN_PORT_HWQ	64u

struct rn_backend;
struct rn_copies;
struct rn_hwq;
struct rn_poller;
struct rn_steer;
struct rn_taps;

enum rn_xdp_mode {
	RN_XDP_AUTO,
	RN_XDP_NATIVE,
	RN_XDP_GENERIC
};

/* One entry of `ports` in the configuration. Strings are owned by the configuration. */
struct rn_port_config {
	char dev[RAWNET_DEV];
	char backend[16]; /* "auto" or a backend's name */
	uint32_t pollers[RN_PORT_POLLERS]; /* indexes into the daemon's pollers */
	uint32_t n_pollers;
	uint32_t hw_queues; /* xdp: at most this many receive queues; 0: all that are there */
	enum rn_xdp_mode xdp_mode;
	bool allow_mutable_memory; /* serve clients although the kernel refuses FS_IMMUTABLE_FL */
	bool police; /* transmit is policed; on unless switched off */
	bool nic_policing; /* by the NIC's own tables where it can (mlx5) */
	bool local_switching; /* its clients reach each other; on unless switched off (switch.h) */
	uint32_t copy_rate; /* copies of broadcast and multicast a second; 0: 10,000 */
	/* loop */
	char peer[RAWNET_DEV]; /* the port that this one is wired to; empty: none */
	bool reflect; /* what is sent comes back */
	bool sink; /* what is sent is read and counted, nothing more */
	const char *pcap_in; /* source of packets; NULL: none */
	const char *pcap_out; /* what is sent is written there; NULL: none */
	bool pcap_repeat;
	uint32_t mtu; /* 0: 1500 */
};

/* The addresses of the interface, published with RCU: for policing and protected matches. */
struct rn_addresses {
	uint32_t n4, n6;
	uint8_t (*v4)[4];
	uint8_t (*v6)[16];
};

static inline bool rn_addresses_have(const struct rn_addresses *a, int family, const uint8_t *addr)
{
	const uint32_t n = family == 4 ? a->n4 : a->n6, size = family == 4 ? 4 : 16;
	const void *v = family == 4 ? (const void *)a->v4 : (const void *)a->v6;

	for (uint32_t i = 0; i < n; i++)
		if (!memcmp((const uint8_t *)v + (size_t)i * size, addr, size))
			return true;
	return false;
}

/* Who gets copies of broadcast and multicast, published with RCU. */
struct rn_subscribers {
	uint32_t n;
	struct rn_attachment *at[];
};

struct rn_port {
	struct rn_port_config config;
	const struct rn_backend *backend;
	void *backend_data;
	uint32_t id; /* index within the daemon */

	/* filled in by the backend's open, followed by netdev events */
	uint32_t ifindex; /* 0: not a Linux interface */
	uint32_t mtu; /* read by pollers, relaxed */
	uint32_t max_frame; /* Ethernet header, one tag and the MTU at the start */
	uint8_t mac[6];
	bool link_up; /* read by pollers, relaxed */
	bool present; /* false: the interface was removed and is waited for */
	bool draining;
	bool failed; /* its device did; it is opened anew when there is one again (repair.c) */
	int event_fd; /* the device's news; -1: none */
	uint32_t rx_offloads, tx_offloads; /* as in struct rawnet_rep_attach */
	char mode[96];

	struct rn_hwq *hwq[RN_PORT_HWQ];
	uint32_t n_hwq;
	struct rn_poller *poller[RN_PORT_POLLERS]; /* those that serve it: min(config, n_hwq) */
	struct rawnet_counter_set *counters; /* one set for each of them */
	uint32_t n_pollers;
	struct rn_hwq *tx_hwq[RN_PORT_POLLERS]; /* where each poller sends */

	struct rn_steer *steer;
	struct rn_addresses *addresses; /* RCU; never NULL */
	struct rn_taps *taps; /* RCU; who captures; NULL: nobody */
	struct rn_subscribers *subscribers; /* RCU; NULL: nobody */
	struct rn_copies *copies; /* RCU; the packet socket, polled by poller[0]; or NULL */
	struct cds_list_head attachments;
	uint32_t n_attachments; /* read by pollers, relaxed */
};

/* Which backend would serve it: 0, or why none does. Changes nothing. With "auto" and 0 the text
 * says why those before it were passed over. */
int rn_port_choose(const struct rn_port_config *config, const struct rn_backend **backend,
		   struct rn_err *err);
/* Opens the backend (the first of "auto" that can), makes the rule table, and gives the hardware
 * queues to the pollers, which serve them from now on. rule_ids: daemon-wide source of rule ids. */
int rn_port_open(const struct rn_port_config *config, struct rn_poller *const *pollers,
		 uint64_t *rule_ids, struct rn_port **port, struct rn_err *err);
/* Once, when the rules that outlived the last daemon are there. */
void rn_port_resume(struct rn_port *port);
/* The device failed: closes the backend and opens it with the device that is there now, and tells
 * it all rules anew. Attachments must be gone. A failure leaves the port closed, to be tried again.
 */
int rn_port_reopen(struct rn_port *port, struct rn_err *err);
/* Pollers have ended, and the next daemon goes on with the attachments (adopt.h): a device that
 * ends with the process lets go of rules, queues and memory in this order. The process is to exit.
 */
void rn_port_hand_over(struct rn_port *port);
/* Attachments must be gone. Takes the queues from the pollers, waits a grace period, closes. */
void rn_port_close(struct rn_port *port);
/* All counters of the port: pollers' and device's. */
void rn_port_counters(struct rn_port *port, uint64_t v[RAWNET_COUNTERS_SPACE]);
void rn_port_info(const struct rn_port *port, struct rawnet_port_info *info);
/* The interface's state changed (netdev): takes it over and tells the backend. How many rules that
 * refuses with another MAC: it is told of them again with the next. */
unsigned rn_port_changed(struct rn_port *port, bool present, bool link_up, uint32_t mtu,
			 const uint8_t mac[6]);
/* Replaces the published set of addresses; takes ownership of `addresses` (one malloc). */
void rn_port_set_addresses(struct rn_port *port, struct rn_addresses *addresses);

#endif
