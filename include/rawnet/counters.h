/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters: one table names, describes and numbers every one of them, for the shared memory, the
 * control channel and the text that people read. A counter is a uint64_t that only goes up; each
 * has one writer. A reader may see one counter a few packets ahead of another, never a torn value.
 *
 * X(NAME, name, unit, help): the order is the ABI, new ones go to the end.
 */
#ifndef RAWNET_COUNTERS_H
#define RAWNET_COUNTERS_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One set for each queue of an attachment, written by the queue's poller. */
#define RAWNET_QUEUE_COUNTERS(X)                                                                   \
	X(RX_PACKETS, rx_packets, packets, "delivered to the client")                              \
	X(RX_BYTES, rx_bytes, bytes, "delivered to the client")                                    \
	X(RX_COPIES, rx_copies, packets, "delivered copies of broadcast and multicast")            \
	X(TX_PACKETS, tx_packets, packets, "sent for the client")                                  \
	X(TX_BYTES, tx_bytes, bytes, "sent for the client")                                        \
	X(RX_DROP_FULL, rx_drop_full, packets, "dropped: no buffer posted by the client")          \
	X(RX_DROP_SLOT, rx_drop_slot, packets, "dropped: the posted slot names no buffer")         \
	X(RX_DROP_LONG, rx_drop_long, packets, "dropped: longer than a buffer")                    \
	X(RX_DROP_COPY, rx_drop_copy, packets, "copies dropped: no buffer or above their rate")    \
	X(TX_DROP_RANGE, tx_drop_range, packets,                                                   \
	  "dropped: offset or length outside packet memory")                                       \
	X(TX_DROP_SHAPE, tx_drop_shape, packets,                                                   \
	  "dropped: malformed slots, flags or header lengths")                                     \
	X(TX_DROP_LONG, tx_drop_long, packets, "dropped: longer than the port's largest frame")    \
	X(TX_DROP_SHORT, tx_drop_short, packets, "dropped: shorter than an Ethernet header")       \
	X(TX_DROP_SPOOF, tx_drop_spoof, packets,                                                   \
	  "dropped: not the mirror of a rule of the client")                                       \
	X(TX_DROP_LINK, tx_drop_link, packets, "dropped: ethertype or address of link control")    \
	X(TX_DROP_RATE, tx_drop_rate, packets, "dropped: above the rate that the policy grants")   \
	X(TX_DROP_DOWN, tx_drop_down, packets, "dropped: the port is down")                        \
	X(TX_DROP_DEVICE, tx_drop_device, packets, "dropped: the device or the kernel refused it") \
	X(TX_SW_CSUM, tx_sw_csum, packets, "checksums filled in by software")                      \
	X(TX_SW_TSO, tx_sw_tso, packets, "segments made by software")                              \
	X(TX_SW_VLAN, tx_sw_vlan, packets, "VLAN tags inserted by software")                       \
	X(RX_SW_CSUM, rx_sw_csum, packets, "unfinished checksums of a local sender completed")     \
	X(WAKEUPS, wakeups, wakeups, "times the sleeping client was woken")                        \
	X(WAKEUPS_LATE, wakeups_late, wakeups, "wake-ups put off to bound their rate")             \
	X(RX_ERRORS, rx_errors, errors,                                                            \
	  "completions of the device that reported a failed receive")                              \
	X(TX_ERRORS, tx_errors, errors, "completions of the device that reported a failed send")   \
	X(MENDED, mended, times, "times the device's queue failed and was set up again")

/* One set for each port. */
#define RAWNET_PORT_COUNTERS(X)                                                                    \
	X(RX_PACKETS, rx_packets, packets, "taken from the wire for clients")                      \
	X(RX_BYTES, rx_bytes, bytes, "taken from the wire for clients")                            \
	X(TX_PACKETS, tx_packets, packets, "sent to the wire for clients")                         \
	X(TX_BYTES, tx_bytes, bytes, "sent to the wire for clients")                               \
	X(RX_DROP_STALE, rx_drop_stale, packets, "dropped: rule or target went while under way")   \
	X(RX_DROP_NO_SOCKET, rx_drop_no_socket, packets,                                           \
	  "dropped: matched, receive queue not served")                                            \
	X(RX_DROP_RING, rx_drop_ring, packets, "dropped by device or kernel: poller too slow")     \
	X(RX_DROP_LONG, rx_drop_long, packets, "dropped: longer than the port's largest frame")    \
	X(RX_DROP_PARSE, rx_drop_parse, packets, "dropped: malformed completion or frame")         \
	X(RX_UNMATCHED, rx_unmatched, packets, "left to the kernel by the classifier")             \
	X(TX_DROP_DEVICE, tx_drop_device, packets, "dropped: the device or the kernel refused it") \
	X(TX_KICKS, tx_kicks, calls, "system calls to make the kernel send")                       \
	X(RX_KICKS, rx_kicks, calls, "system calls to make the kernel receive")                    \
	X(NEIGH_REPLIES, neigh_replies, packets, "ARP and ND answers given for leased addresses")  \
	X(COPY_PACKETS, copy_packets, packets, "broadcast and multicast seen for copying")         \
	X(COPY_DROP, copy_drop, packets, "broadcast and multicast not copied: ring full or rate")  \
	X(LOCAL_PACKETS, local_packets, packets,                                                   \
	  "sent to another client of the port, not to the wire")                                   \
	X(LOCAL_BYTES, local_bytes, bytes, "sent to another client of the port, not to the wire")

#define RAWNET_COUNTER_ENUM_Q(NAME, name, unit, help) RAWNET_Q_##NAME,
#define RAWNET_COUNTER_ENUM_P(NAME, name, unit, help) RAWNET_P_##NAME,
enum rawnet_queue_counter {
	RAWNET_QUEUE_COUNTERS(RAWNET_COUNTER_ENUM_Q) RAWNET_Q_COUNT
};
enum rawnet_port_counter {
	RAWNET_PORT_COUNTERS(RAWNET_COUNTER_ENUM_P) RAWNET_P_COUNT
};

#define RAWNET_COUNTERS_SPACE 40u /* room in a set, so that new counters keep the layout */
RAWNET_STATIC_ASSERT(RAWNET_Q_COUNT <= RAWNET_COUNTERS_SPACE, "queue counters fit their set");
RAWNET_STATIC_ASSERT(RAWNET_P_COUNT <= RAWNET_COUNTERS_SPACE, "port counters fit their set");

/* One set, on cache lines of its own (40 * 8 = 320 bytes, padded to 384). */
struct rawnet_counter_set {
	RAWNET_ALIGNAS(RAWNET_LINE) uint64_t v[RAWNET_COUNTERS_SPACE];
};
RAWNET_STATIC_ASSERT(sizeof(struct rawnet_counter_set) == 3 * RAWNET_LINE, "set size");

/* The counters memfd of an attachment: read-only for the client. */
struct rawnet_counters {
	uint32_t magic; /* RAWNET_ABI_MAGIC */
	uint32_t version; /* RAWNET_ABI_VERSION */
	uint32_t n_queues; /* sets that follow */
	uint32_t n_counters; /* RAWNET_Q_COUNT of the daemon: what it does not have stays zero */
	struct rawnet_counter_set queue[RAWNET_QUEUES_MAX];
};

#ifdef __cplusplus
}
#endif
#endif
