/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared-memory contract between rawnetd and one attachment of a client.
 *
 * Three memfds, all made, sized and sealed by the daemon, are mapped by the client:
 *
 *   rings     read-write   struct rawnet_rings, then for each queue its ring controls and slots
 *   packets   read-write   n_bufs buffers of buf_size bytes, nothing else
 *   counters  read-only    struct rawnet_counters (counters.h)
 *
 * Ownership. A ring has two free-running 32-bit indexes, `client` (only the client writes it) and
 * `daemon` (only the daemon writes it). The slots in [daemon, client) are the daemon's, all others
 * are the client's; `client - daemon` is between 0 and the ring size, both included. Both indexes
 * start at 0, all slots start at zero, so at the start the client owns everything.
 *
 *   rx  The client posts a slot that names a buffer: any byte offset inside the buffer does, the
 *       daemon rounds it down and ignores every other field. The daemon hands back a slot with any
 *       buffer that this client posted and has not got back: one packet, exactly one slot. Length 0
 *       with RAWNET_RX_ERROR returns a buffer unused. The client takes every field from the slot.
 *   tx  The slots of one packet (at most RAWNET_TX_SEGS, all but the last with RAWNET_TX_MORE) are
 *       published together; the requests for offloads stand in the first. The daemon advances
 *       `daemon` in order, over whole packets, when nothing needs the buffers any more, and never
 *       writes a tx slot.
 *
 * Byte order: fields are in the byte order of the machine, packets are as on the wire. Offsets and
 * lengths are in bytes. Nothing here is a pointer. A change of layout changes RAWNET_ABI_VERSION.
 */
#ifndef RAWNET_ABI_H
#define RAWNET_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define RAWNET_STATIC_ASSERT static_assert
#define RAWNET_ALIGNAS(n)    alignas(n)
extern "C" {
#else
#define RAWNET_STATIC_ASSERT _Static_assert
#define RAWNET_ALIGNAS(n)    _Alignas(n)
#endif

#define RAWNET_ABI_MAGIC   0x524e4554u /* "RNET" */
#define RAWNET_ABI_VERSION 1u

/* Distance between words that different sides write: two cache lines, since x86 prefetches pairs
 * of lines and some arm64 cores have lines of 128 bytes. */
#define RAWNET_LINE 128u

#define RAWNET_RING_MAX	  32768u /* slots in one ring, a power of two */
#define RAWNET_RING_MIN	  8u
#define RAWNET_QUEUES_MAX 64u /* queues of one attachment */
#define RAWNET_TX_SEGS	  8u /* slots of one tx packet */
#define RAWNET_BUF_MIN	  2048u
#define RAWNET_BUF_MAX	  16384u

/* One slot, 16 bytes: four of them fill a cache line of 64. */
struct rawnet_slot {
	uint32_t off; /* of the packet's first byte, in packet memory */
	uint16_t len; /* bytes of data in this slot */
	uint16_t flags; /* RAWNET_RX_* or RAWNET_TX_* */
	union {
		struct {
			uint16_t
				rule; /* index of the rule within the attachment (RAWNET_RX_RULE) */
			uint16_t vlan_tci; /* tag taken out of the frame (RAWNET_RX_VLAN) */
			uint32_t hash; /* RSS hash, Toeplitz over addresses and ports
					  (RAWNET_RX_HASH) */
		} rx;
		struct {
			uint8_t l2_len; /* Ethernet header with the tags inside the frame, 14..22 */
			uint8_t l3_len; /* IP header with options or extension headers */
			uint8_t l4_len; /* TCP or UDP header (RAWNET_TX_TSO) */
			uint8_t reserved; /* zero */
			uint16_t tso_mss; /* payload bytes of a segment (RAWNET_TX_TSO) */
			uint16_t vlan_tci; /* tag to insert after the source MAC (RAWNET_TX_VLAN) */
		} tx;
	} u;
};
RAWNET_STATIC_ASSERT(sizeof(struct rawnet_slot) == 16, "slot is 16 bytes");
RAWNET_STATIC_ASSERT(offsetof(struct rawnet_slot, u) == 8, "metadata at 8");

/* rx: what the daemon or the NIC knows of a packet. A flag that is absent claims nothing. */
#define RAWNET_RX_ERROR	 0x0001u /* no packet: the buffer comes back unused, len is 0 */
#define RAWNET_RX_RULE	 0x0002u /* u.rx.rule is valid */
#define RAWNET_RX_VLAN	 0x0004u /* u.rx.vlan_tci is valid, the tag is no longer in the frame */
#define RAWNET_RX_HASH	 0x0008u /* u.rx.hash is valid */
#define RAWNET_RX_L3_OK	 0x0010u /* IPv4 header checksum was verified and is right */
#define RAWNET_RX_L4_OK	 0x0020u /* TCP or UDP checksum was verified and is right */
#define RAWNET_RX_L3_BAD 0x0040u /* IPv4 header checksum was verified and is wrong */
#define RAWNET_RX_L4_BAD 0x0080u /* TCP or UDP checksum was verified and is wrong */
#define RAWNET_RX_COPY	 0x0100u /* copy of a broadcast or multicast that the kernel got too */
#define RAWNET_RX_STAMP	 0x0200u /* the queue's timestamp array holds this slot's arrival time */
#define RAWNET_RX_CAPTURE                                                       \
	0x0400u /* captured: a struct rawnet_capture ends where the data begins \
		 */

/* What is known of a captured packet (CAPTURE in proto.h). The slot's len is what was kept of it.
 */
struct rawnet_capture {
	uint64_t stamp; /* ns CLOCK_REALTIME */
	uint64_t rule; /* that takes it or that it mirrors; 0: not known */
	uint32_t attachment; /* of the client that gets or sends it */
	uint32_t len; /* of the whole frame */
	uint32_t direction; /* RAWNET_CAPTURE_RX or RAWNET_CAPTURE_TX */
	uint32_t reserved;
};
RAWNET_STATIC_ASSERT(sizeof(struct rawnet_capture) == 32, "capture header is 32 bytes");

/* tx: what the client asks for; honoured on every backend, in software where the device cannot. */
#define RAWNET_TX_MORE	  0x0001u /* the packet goes on in the next slot */
#define RAWNET_TX_IP_CSUM 0x0002u /* fill in the IPv4 header checksum (l2_len, l3_len) */
#define RAWNET_TX_L4_CSUM 0x0004u /* fill in the TCP or UDP checksum (l2_len, l3_len) */
#define RAWNET_TX_TSO	  0x0008u /* segment TCP by tso_mss (l2_len, l3_len, l4_len) */
#define RAWNET_TX_VLAN	  0x0010u /* insert vlan_tci */
#define RAWNET_TX_KNOWN	  0x001fu /* any other bit drops the packet as malformed */
#define RAWNET_TX_MSS_MIN 48u /* smaller segments make too many of one packet: malformed */

/* Who sleeps. Written only when a side goes to sleep or wakes, so normally a shared clean line. */
struct rawnet_ring_sleep {
	uint32_t client; /* client writes 1: wake me when this ring has news */
	/* Daemon writes 1: the poller sleeps, send me a byte after publishing. On an rx ring: it
	 * sleeps while the device is short of the client's buffers. */
	uint32_t daemon;
};

/* The control words of one ring: three lines of RAWNET_LINE bytes. */
struct rawnet_ring_ctl {
	RAWNET_ALIGNAS(RAWNET_LINE) uint32_t client; /* written by the client, read by the daemon */
	RAWNET_ALIGNAS(RAWNET_LINE) uint32_t daemon; /* written by the daemon, read by the client */
	RAWNET_ALIGNAS(RAWNET_LINE) struct rawnet_ring_sleep sleep;
};
RAWNET_STATIC_ASSERT(sizeof(struct rawnet_ring_ctl) == 3 * RAWNET_LINE, "three lines");

/* Where one queue's parts stand in the rings memfd; written by the daemon before the attach. */
struct rawnet_queue_desc {
	uint32_t rx_ctl; /* byte offset of struct rawnet_ring_ctl */
	uint32_t tx_ctl; /* byte offset of struct rawnet_ring_ctl */
	uint32_t rx_slots; /* byte offset of struct rawnet_slot[rx_size] */
	uint32_t tx_slots; /* byte offset of struct rawnet_slot[tx_size] */
	uint32_t rx_stamp; /* byte offset of uint64_t[rx_size], nanoseconds CLOCK_REALTIME; 0: none
			    */
	uint32_t rx_size; /* slots, a power of two */
	uint32_t tx_size; /* slots, a power of two */
	uint32_t poller; /* index of the poller that serves it, within the port */
};
RAWNET_STATIC_ASSERT(sizeof(struct rawnet_queue_desc) == 32, "queue descriptor is 32 bytes");

#define RAWNET_RINGS_BUSY 0x1u /* every poller of this attachment is busy: it never sleeps */

/* First bytes of the rings memfd. The daemon never reads it back, so a client that rewrites it
 * harms only itself; the library copies it at the attach and does not read it again. */
struct rawnet_rings {
	uint32_t magic; /* RAWNET_ABI_MAGIC */
	uint32_t version; /* RAWNET_ABI_VERSION */
	uint64_t size; /* of the whole memfd */
	uint32_t n_queues; /* 1..RAWNET_QUEUES_MAX */
	uint32_t flags; /* RAWNET_RINGS_* */
	uint32_t buf_size; /* power of two, RAWNET_BUF_MIN..RAWNET_BUF_MAX */
	uint32_t n_bufs; /* packet memory is n_bufs * buf_size bytes */
	uint32_t
		headroom; /* bytes the daemon leaves free in front of a received packet, at least */
	uint32_t max_frame; /* longest frame, without FCS, that the port sends and receives */
	uint64_t reserved[3];
	struct rawnet_queue_desc queue[RAWNET_QUEUES_MAX];
};
RAWNET_STATIC_ASSERT(offsetof(struct rawnet_rings, queue) == 64, "queues at 64");
RAWNET_STATIC_ASSERT(sizeof(struct rawnet_rings) == 64 + 32 * RAWNET_QUEUES_MAX, "header size");

#ifdef __cplusplus
}
#endif
#endif
