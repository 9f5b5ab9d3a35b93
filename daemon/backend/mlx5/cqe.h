/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Completions as a ConnectX writes them: 64 bytes, big-endian, and the compressed form. Pure
 * functions on memory; nothing here knows of queues. The layout is that of struct mlx5_cqe64 and
 * struct mlx5_mini_cqe8 in Linux' include/linux/mlx5/device.h, and of <infiniband/mlx5dv.h>.
 *
 * Whose is it? The ring has 2^log entries; `ci` counts completions and runs freely. The device
 * flips the owner bit with each pass over the ring, starting with 0, so entry ci is ours when its
 * owner bit equals bit `log` of ci, and its opcode is not INVALID, which no device writes: libmlx5
 * starts the ring with that and owner 0, and so does rn_cqe_prepare(), with owner 1.
 *
 * Order of loads. op_own first, then rn_dma_read(), then the rest: the device writes the entry as
 * one, and its last byte is op_own. What was loaded before the barrier is loaded again behind it.
 *
 * Compression. A title entry with format 3 stands for byte_cnt packets that agree in everything but
 * length and hash. Those stand in arrays of eight mini entries: the first array in the entry behind
 * the title, then in title + 8, title + 16 and so on. The session takes as many entries as it has
 * packets. The device writes only title and arrays. Of what it does not write the owner bit is that
 * of an older pass, and would match in the next; of an array the last byte, where op_own is, is
 * part of a length. So a consumed session has to leave INVALID behind in all its entries. Those
 * that the device did not write need no touch if they are INVALID already, as they are when the
 * pass before was one of sessions all over (rn_cqe_release_session): a line that nobody touches
 * costs nothing.
 */
#ifndef RN_MLX5_CQE_H
#define RN_MLX5_CQE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "rawnet/abi.h"

struct rn_cqe {
	uint8_t reserved0[12];
	uint32_t rss_hash; /* be */
	uint8_t rss_type; /* 0: no hash was computed */
	uint8_t reserved17[11];
	uint8_t verified; /* RN_CQE_L*_OK */
	uint8_t headers; /* what the parser found: RN_CQE_IP4 and the like */
	uint16_t vlan_tci; /* be; of a tag that was taken out (RN_CQE_STRIPPED) */
	uint32_t user_index; /* be */
	uint32_t metadata; /* be */
	uint8_t reserved40[4];
	uint32_t byte_cnt; /* be; compressed title: number of packets */
	uint64_t timestamp; /* be */
	uint32_t drops_tag; /* be; rx: drops 8, flow tag 24; tx: opcode 8, number of the queue 24 */
	uint16_t wqe_counter; /* be */
	uint8_t signature;
	uint8_t op_own; /* opcode 4, format 2, solicited 1, owner 1 */
};
_Static_assert(sizeof(struct rn_cqe) == 64, "a completion is 64 bytes");
_Static_assert(offsetof(struct rn_cqe, rss_hash) == 0x0c, "rss_hash");
_Static_assert(offsetof(struct rn_cqe, verified) == 0x1c, "verified");
_Static_assert(offsetof(struct rn_cqe, byte_cnt) == 0x2c, "byte_cnt");
_Static_assert(offsetof(struct rn_cqe, drops_tag) == 0x38, "drops_tag");

/* An error completion has its own fields in the same 64 bytes. */
struct rn_cqe_error {
	uint8_t reserved0[54];
	uint8_t vendor; /* syndrome of the vendor, for support */
	uint8_t syndrome; /* RN_SYNDROME_* */
	uint32_t opcode_qpn; /* be; opcode of the request 8, number of the queue 24 */
	uint16_t wqe_counter; /* be */
	uint8_t signature;
	uint8_t op_own;
};
_Static_assert(sizeof(struct rn_cqe_error) == 64, "an error completion is 64 bytes");
_Static_assert(offsetof(struct rn_cqe_error, syndrome) == 0x37, "syndrome");

/* op_own without owner and solicited bit: opcode and format together. */
enum {
	RN_CQE_SENT = 0x00, /* a send request is done */
	RN_CQE_RECEIVED = 0x20,
	RN_CQE_COMPRESSED = 0x2c, /* title of a session of received packets */
	RN_CQE_SEND_ERROR = 0xd0,
	RN_CQE_RECEIVE_ERROR = 0xe0,
	RN_CQE_INVALID = 0xf0
};
#define RN_CQE_KIND(op_own) ((uint8_t)((op_own)&0xfcu))

enum {
	RN_SYNDROME_LENGTH = 0x01, /* the frame did not fit */
	RN_SYNDROME_QP_OP = 0x02, /* malformed request */
	RN_SYNDROME_PROTECTION = 0x04, /* key or address that is not the queue's */
	RN_SYNDROME_FLUSHED = 0x05 /* not executed: the queue was in error already */
};

#define RN_CQE_L3_OK	0x02u /* in verified */
#define RN_CQE_L4_OK	0x04u
#define RN_CQE_FRAGMENT 0x80u /* in headers */
#define RN_CQE_L4_TYPE	0x70u /* 0: neither TCP nor UDP */
#define RN_CQE_L3_TYPE	0x0cu
#define RN_CQE_IP6	0x04u
#define RN_CQE_IP4	0x08u
#define RN_CQE_STRIPPED 0x01u

static inline uint8_t rn_cqe_op_own(const struct rn_cqe *e)
{
	return __atomic_load_n(&e->op_own, __ATOMIC_RELAXED);
}

/* The owner bit that entry ci has once the device wrote it. */
static inline uint8_t rn_cqe_owner(uint32_t ci, uint32_t log)
{
	return (ci >> log) & 1;
}

static inline bool rn_cqe_ours(uint8_t op_own, uint32_t ci, uint32_t log)
{
	return !((op_own ^ rn_cqe_owner(ci, log)) & 1) && op_own < RN_CQE_INVALID;
}

/* Marks entry ci as the device's until it writes it in the next pass. */
static inline void rn_cqe_release(struct rn_cqe *ring, uint32_t ci, uint32_t log)
{
	__atomic_store_n(&ring[ci & ((1u << log) - 1)].op_own,
			 (uint8_t)(RN_CQE_INVALID | rn_cqe_owner(ci, log)), __ATOMIC_RELAXED);
}

/* Makes a fresh ring: nothing in it is ours in the first pass. */
static inline void rn_cqe_prepare(struct rn_cqe *ring, uint32_t log)
{
	for (uint32_t i = 0; i < 1u << log; i++)
		rn_cqe_release(ring, i - (1u << log), log);
}

/* ---- what a received packet is ---- */

static inline uint32_t rn_cqe_tag(const struct rn_cqe *e)
{
	return be32toh(e->drops_tag) & 0xffffff;
}

/* Packets that found no buffer since the completion before this one. */
static inline uint32_t rn_cqe_drops(const struct rn_cqe *e)
{
	return be32toh(e->drops_tag) >> 24;
}

/*
 * RAWNET_RX_* of what the device verified. The bits in `verified` are clear for a wrong checksum
 * and for a packet that the device does not understand, so a clear one claims nothing; a set one
 * counts only with the header that it is about (for IPv6 the device sets L3_OK, where there is no
 * header checksum). A fragment's L4 checksum cannot have been verified.
 */
static inline uint16_t rn_cqe_flags(uint8_t verified, uint8_t headers)
{
	uint16_t flags = 0;

	if ((verified & RN_CQE_L3_OK) && (headers & RN_CQE_L3_TYPE) == RN_CQE_IP4)
		flags |= RAWNET_RX_L3_OK;
	if ((verified & RN_CQE_L4_OK) && (headers & RN_CQE_L4_TYPE) && !(headers & RN_CQE_FRAGMENT))
		flags |= RAWNET_RX_L4_OK;
	return flags;
}

/* ---- completions that are alike ---- */

/* The last 8 bytes as one number: drops and tag, request, signature, op_own. That of the completion
 * behind it is RN_CQE_TAIL_NEXT more, unless the 16 bits of the request wrap. Signature and
 * solicited bit say nothing. */
#define RN_CQE_TAIL_NEXT 0x10000ull
#define RN_CQE_TAIL_MASK 0xffffffffffff00fdull

static inline uint64_t rn_cqe_tail(const struct rn_cqe *e)
{
	uint64_t tail;

	memcpy(&tail, &e->drops_tag, sizeof(tail));
	return be64toh(tail);
}

static inline uint64_t rn_cqe_tail_of(uint32_t tag, uint16_t wqe, uint8_t op_own)
{
	return (uint64_t)tag << 32 | (uint32_t)wqe << 16 | op_own;
}

/* What flags are made of (verified, headers), for comparing. */
static inline uint16_t rn_cqe_parsed(const struct rn_cqe *e)
{
	uint16_t parsed;

	memcpy(&parsed, &e->verified, sizeof(parsed));
	return parsed;
}

/* And what stands behind the hash: its kind. */
static inline uint32_t rn_cqe_hashing(const struct rn_cqe *e)
{
	uint32_t hashing;

	memcpy(&hashing, &e->rss_type, sizeof(hashing));
	return hashing;
}

/* The hash with that behind it, as one number: hash in the upper half. */
static inline uint64_t rn_cqe_hashed(const struct rn_cqe *e)
{
	uint64_t both;

	memcpy(&both, &e->rss_hash, sizeof(both));
	return be64toh(both);
}

/* Length of a received packet, 32 bits up, where a slot has it: the lower half of byte_cnt, since
 * no frame is longer. */
static inline uint64_t rn_cqe_len_up(const struct rn_cqe *e)
{
	uint16_t len;

	memcpy(&len, (const uint8_t *)&e->byte_cnt + 2, sizeof(len));
	return be64toh(len) >> 16;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "turned around, two bytes stand above all");

/* ---- compression, format HASH ---- */

#define RN_MINIS    8u /* in an array, which takes one entry */
#define RN_MINI_MAX 256u /* packets of a session that we believe; devices say at most 64 */

struct rn_mini {
	uint32_t rss_hash; /* be; format CSUM: checksum 16, reserved 16 */
	uint32_t byte_cnt; /* be */
};
_Static_assert(sizeof(struct rn_mini) * RN_MINIS == sizeof(struct rn_cqe), "an array is an entry");

/* Index of the entry whose array has packet k of the session that starts at ci. */
static inline uint32_t rn_mini_entry(uint32_t ci, uint32_t k)
{
	return ci + (k < RN_MINIS ? 1 : k & ~(RN_MINIS - 1));
}

/* k: the first packet of an array. */
static inline const struct rn_mini *rn_mini_array(const struct rn_cqe *ring, uint32_t mask,
						  uint32_t ci, uint32_t k)
{
	return (const void *)&ring[(ci + k + !k) & mask];
}

/* mask: of the ring's entries. */
static inline const struct rn_mini *rn_mini_in(const struct rn_cqe *ring, uint32_t mask,
					       uint32_t ci, uint32_t k)
{
	const struct rn_cqe *entry = &ring[rn_mini_entry(ci, k) & mask];

	return (const struct rn_mini *)(const void *)entry + k % RN_MINIS;
}

static inline const struct rn_mini *rn_mini_at(const struct rn_cqe *ring, uint32_t log, uint32_t ci,
					       uint32_t k)
{
	return rn_mini_in(ring, (1u << log) - 1, ci, k);
}

/* Completions [from, to) were all in sessions, and all their entries are INVALID. */
struct rn_sessions {
	uint32_t from, to;
};

/* Entries ci + k, ci + k + step, ... up to ci + n, of a ring that ends no sooner. */
static inline void rn_cqe_release_some(struct rn_cqe *ring, uint32_t ci, uint32_t log, uint32_t k,
				       uint32_t n, uint32_t step)
{
	struct rn_cqe *e = &ring[ci & ((1u << log) - 1)], *const end = e + n;
	const uint8_t released = RN_CQE_INVALID | rn_cqe_owner(ci, log);

	for (e += k; e < end; e += step)
		__atomic_store_n(&e->op_own, released, __ATOMIC_RELAXED);
}

/* Behind a session of n packets at ci. When the whole pass before was one of sessions, its entries
 * were all INVALID before the device wrote some of them. */
static inline void rn_cqe_release_session(struct rn_cqe *ring, struct rn_sessions *s, uint32_t ci,
					  uint32_t n, uint32_t log)
{
	const uint32_t to_end = (1u << log) - (ci & ((1u << log) - 1));

	if (ci != s->to)
		s->from = ci;
	s->to = ci + n;
	if (__builtin_expect(!((ci - s->from) >> log) || n > to_end, 0)) {
		for (uint32_t k = 0; k < n; k++)
			rn_cqe_release(ring, ci + k, log);
		return;
	}
	/* rn_mini_entry(ci, k); a session has two packets at least */
	rn_cqe_release_some(ring, ci, log, 0, 2, 1);
	rn_cqe_release_some(ring, ci, log, RN_MINIS, n, RN_MINIS);
}

/* Hash in the upper half, length in the lower. */
#define RN_MINI_HASH 0xffffffff00000000ull

static inline uint64_t rn_mini_get(const struct rn_mini *m)
{
	uint64_t both;

	memcpy(&both, m, sizeof(both));
	return be64toh(both);
}

/* ---- what a send completion is ---- */

/* Index of the request's first WQEBB; all before it, and the request itself, are done. */
static inline uint16_t rn_cqe_wqe(const struct rn_cqe *e)
{
	return be16toh(e->wqe_counter);
}

#endif
