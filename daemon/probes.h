/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USDT probes: places where the daemon can be watched from outside while it runs, by bpftrace, perf
 * or SystemTap; rawnetd(8) lists them with their arguments, tools/bpftrace has scripts. A probe
 * that nobody watches is a nop. Those of dropped packets are behind a call that only a drop makes,
 * so that the way of a packet that is not dropped has no trace of them. Names and arguments are an
 * interface: they are added to, not changed. Any thread.
 */
#ifndef RN_PROBES_H
#define RN_PROBES_H

#include <stdbool.h>
#include <stdint.h>

#include "rawnet/counters.h"

struct rn_attachment;
struct rn_client;
struct rn_hwq;
struct rn_port;
struct rn_queue;
struct rn_rule;

/* Does the counter count packets that nobody gets? Constant where the counter is. */
static inline bool rn_is_queue_drop(enum rawnet_queue_counter c)
{
	return c >= RAWNET_Q_RX_DROP_FULL && c <= RAWNET_Q_TX_DROP_DEVICE;
}

static inline bool rn_is_port_drop(enum rawnet_port_counter c)
{
	return (c >= RAWNET_P_RX_DROP_STALE && c <= RAWNET_P_RX_DROP_PARSE) ||
	       c == RAWNET_P_TX_DROP_DEVICE || c == RAWNET_P_COPY_DROP;
}

/* n packets of a client, and of nobody in particular; rn_count() and rn_count_port() call these. */
void rn_probe_queue_drop(const struct rn_queue *q, enum rawnet_queue_counter cause, uint64_t n);
void rn_probe_port_drop(const struct rn_hwq *hwq, enum rawnet_port_counter cause, uint64_t n);

/* What the names of causes stand in is read from outside: it must be in memory. At the start. */
void rn_probes_touch(void);

void rn_probe_attach(const struct rn_attachment *at, uint32_t client);
void rn_probe_detach(const struct rn_attachment *at, uint32_t client);
void rn_probe_rule_add(const struct rn_rule *rule, const char *dev);
void rn_probe_rule_del(const struct rn_rule *rule, const char *dev);
void rn_probe_client_end(uint32_t client, uint32_t uid, int32_t pid, const char *why);
void rn_probe_poller_sleep(uint32_t poller);
void rn_probe_poller_wake(uint32_t poller, int events);

#endif
