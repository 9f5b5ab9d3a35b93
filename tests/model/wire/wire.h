/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contract between the wire process (cx-wired) and the software device in a driver's process.
 *
 * One Unix SOCK_SEQPACKET connection for each attached driver. The driver sends CX_MSG_ATTACH with
 * the name of an end; the answer carries 0, and one memfd that holds a struct cx_shm, or -errno and
 * a sentence. After that, either side sends single bytes that mean only "look again", and only when
 * the other side said in cx_shm that it sleeps. End of file on the connection is the end of the
 * attachment: a driver that dies gives its rules and queues back at that moment.
 *
 * cx_shm holds three rings of frames, each with one writer and one reader (ring.h):
 *   CX_RING_RX  wired -> device: what came from the wire
 *   CX_RING_TX  device -> wired: what the device's queues send to the wire
 *   CX_RING_UP  device -> wired: received frames that no rule took, for the kernel's netdev
 * What the netdev transmits never passes through the device: cx-wired puts it on the wire.
 *
 * Each side checks what it reads in the shared memory, and ends the attachment when it is wrong.
 * The layout is for one machine: native byte order.
 */
#ifndef CX_WIRE_H
#define CX_WIRE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define CX_WIRE_MAGIC	0x45524957u /* "WIRE" */
#define CX_WIRE_VERSION 1

#define CX_NAME_MAX  16 /* names of ends and netdevs, terminator included (IFNAMSIZ) */
#define CX_FRAME_MIN 14 /* an Ethernet header */
#define CX_FRAME_MAX 16384
#define CX_TEXT_MAX  61440 /* text of one message; a SEQPACKET message has no other length */

/* ---- messages: struct cx_msg, then `len` bytes of text without terminator ---- */

enum cx_msg_type {
	CX_MSG_ATTACH = 1, /* text: the end's name */
	CX_MSG_COMMAND = 2, /* text: a command line for cx-wired */
	CX_MSG_ANSWER = 3, /* err, text: a sentence, or what the command prints */
};

struct cx_msg {
	uint32_t magic;
	uint16_t version;
	uint16_t type; /* enum cx_msg_type */
	int32_t err; /* answers: 0 or -errno */
	uint32_t len;
};

/* ---- shared memory ---- */

enum cx_ring_id {
	CX_RING_RX,
	CX_RING_TX,
	CX_RING_UP,
	CX_RINGS
};

/* Bytes of each ring: a power of two, so that free-running 32-bit offsets wrap rightly. */
#define CX_RING_SIZE (1u << 20)

/* Before each frame in a ring; records start at multiples of 8. */
struct cx_record {
	_Atomic uint32_t len; /* of the frame, or CX_RECORD_SKIP: the next is at the ring's start */
	uint32_t zero;
};
#define CX_RECORD_SKIP 0xffffffffu

/* Offsets in bytes, running freely modulo 2^32. The bytes in [tail, head) are the reader's. */
struct cx_ring_ctl {
	_Alignas(64) _Atomic uint32_t head; /* only the writer writes it */
	_Alignas(64) _Atomic uint32_t tail; /* only the reader writes it */
};

/* Why a side sleeps; 0 when it does not. */
#define CX_SLEEP_FRAMES 1u /* wake me when there are frames, or the link changes */
#define CX_SLEEP_ROOM	2u /* wake me also when CX_RING_TX or CX_RING_UP has been read */

struct cx_shm {
	/* written by cx-wired before the descriptor is handed out */
	uint32_t magic;
	uint32_t version;
	uint32_t size; /* of the whole mapping */
	uint32_t ring_size;
	uint32_t ring_off[CX_RINGS]; /* of each ring's data, from the start of cx_shm */
	uint32_t ifindex; /* of the netdev, 0 without one */
	char end[CX_NAME_MAX];
	char netdev[CX_NAME_MAX]; /* the kernel side; empty: none */
	uint8_t mac[6];
	uint16_t zero;

	/* written by cx-wired at any time */
	_Alignas(64) _Atomic uint32_t link; /* 1: the wire is up */
	_Atomic uint32_t mtu; /* of the port, without Ethernet header */

	/* CX_SLEEP_*, set by the side that goes to sleep, cleared by whichever wakes it */
	_Alignas(64) _Atomic uint32_t device_sleep;
	_Alignas(64) _Atomic uint32_t wired_sleep;

	/* frames that the device had to drop because a ring was full; only the device writes them
	 */
	_Alignas(64) _Atomic uint64_t device_drops[CX_RINGS];

	struct cx_ring_ctl ring[CX_RINGS];
};

#define CX_SHM_DATA 4096u /* the first ring's data */
#define CX_SHM_SIZE (CX_SHM_DATA + CX_RINGS * CX_RING_SIZE)

_Static_assert(sizeof(struct cx_msg) == 16, "cx_msg");
_Static_assert(sizeof(struct cx_record) == 8, "cx_record");
_Static_assert(sizeof(struct cx_ring_ctl) == 128, "cx_ring_ctl");
_Static_assert(offsetof(struct cx_shm, ifindex) == 28, "cx_shm.ifindex");
_Static_assert(offsetof(struct cx_shm, mac) == 64, "cx_shm.mac");
_Static_assert(offsetof(struct cx_shm, link) == 128, "cx_shm.link");
_Static_assert(offsetof(struct cx_shm, device_sleep) == 192, "cx_shm.device_sleep");
_Static_assert(offsetof(struct cx_shm, wired_sleep) == 256, "cx_shm.wired_sleep");
_Static_assert(offsetof(struct cx_shm, ring) == 384, "cx_shm.ring");
_Static_assert(sizeof(struct cx_shm) <= CX_SHM_DATA, "cx_shm fits before the rings");
_Static_assert((CX_RING_SIZE & (CX_RING_SIZE - 1)) == 0, "ring size is a power of two");

#endif
