/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work requests as a ConnectX reads them, in segments of 16 bytes, all big-endian. Pure functions
 * on memory: an encoder for each segment, and decoders for tests and for telling what failed. The
 * layouts are those of <infiniband/mlx5dv.h> (struct mlx5_wqe_ctrl_seg, _eth_seg, _data_seg); the
 * multi-packet send is in no public header: opcode and layout as in Linux' mlx5 driver
 * (MLX5_OPCODE_ENHANCED_MPSW, drivers/net/ethernet/mellanox/mlx5/core/en/xdp.c).
 *
 * A send queue is a ring of basic blocks of 64 bytes, four segments each. A request takes `ds`
 * segments, rounded up to whole blocks, and is named by the index of its first block: 16 bits,
 * running freely, whatever the size of the ring.
 *
 *   SEND          ctrl, eth with h bytes of headers, then pointers to the rest
 *   TSO           the same, with all headers inline and a segment size
 *   multi-packet  ctrl, eth without headers, then one segment for each packet: a pointer, or the
 *                 packet itself behind its length, padded to 16 bytes
 *   NOP           ctrl only: fills the ring up to its end, so that no request wraps (mlx5e does so)
 *
 * The Ethernet segment ends with the first two bytes of the inline headers; without any, data
 * segments begin at offset 32 of the request all the same.
 *
 * A receive request is one pointer. Length and key stay what they are, since all buffers of a
 * queue are alike: posting one is a store of 8 bytes (rn_rx_wqe_post), or of two requests
 * (rn_lanes_post).
 */
#ifndef RN_MLX5_WQE_H
#define RN_MLX5_WQE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RN_WQE_BB	   64u /* bytes of a basic block */
#define RN_SEG		   16u
#define RN_SEGS_BB	   (RN_WQE_BB / RN_SEG)
#define RN_WQE_DS_MAX	   60u /* 6 bits; whole blocks, so that a request of this many never wraps */
#define RN_INLINE_AT	   30u /* offset of inline headers in a request */
#define RN_EMPW_AT	   32u /* offset of the first packet of a multi-packet send */
#define RN_SEG_INLINE_HEAD 4u /* bytes in front of inline data */

enum {
	RN_OP_NOP = 0x00,
	RN_OP_SEND = 0x0a,
	RN_OP_TSO = 0x0e,
	RN_OP_EMPW = 0x29
};

/* When a request makes a completion; a failed one always does. */
enum {
	RN_CE_ERROR = 0x00,
	RN_CE_ALWAYS = 0x08
};

#define RN_ETH_L3_CSUM 0x40u
#define RN_ETH_L4_CSUM 0x80u

struct rn_ctrl {
	uint32_t opcode; /* opmod 8, index 16, opcode 8 */
	uint32_t number; /* number of the queue 24, ds 8 */
	uint32_t flags; /* signature 8, stream 16, fence and completion 8 */
	uint32_t immediate;
};

struct rn_eth {
	uint32_t parser;
	uint8_t csum; /* RN_ETH_* */
	uint8_t parser_flags;
	uint16_t mss;
	uint32_t metadata;
	uint16_t inline_len; /* or the insert-tag bit */
	uint16_t tci; /* or the first two bytes of the headers */
};

struct rn_data {
	uint32_t len; /* top bit: inline */
	uint32_t lkey;
	uint64_t addr;
};

_Static_assert(sizeof(struct rn_ctrl) == RN_SEG, "a segment is 16 bytes");
_Static_assert(sizeof(struct rn_eth) == RN_SEG, "a segment is 16 bytes");
_Static_assert(sizeof(struct rn_data) == RN_SEG, "a segment is 16 bytes");
_Static_assert(offsetof(struct rn_eth, inline_len) == 12, "inline length at 12");

#define RN_INSERT_TAG  0x8000u
#define RN_DATA_INLINE 0x80000000u

static inline uint32_t rn_wqe_blocks(uint32_t ds)
{
	return (ds + RN_SEGS_BB - 1) / RN_SEGS_BB;
}

/* ---- encoders ---- */

static inline void rn_ctrl_put(void *at, uint8_t opcode, uint16_t index, uint32_t sqn, uint32_t ds,
			       uint8_t ce)
{
	struct rn_ctrl *c = at;

	c->opcode = htobe32((uint32_t)index << 8 | opcode);
	c->number = htobe32(sqn << 8 | ds);
	c->flags = htobe32(ce);
	c->immediate = 0;
}

/* Asks for a completion of a request that was written without. */
static inline void rn_ctrl_signal(void *at)
{
	((struct rn_ctrl *)at)->flags = htobe32(RN_CE_ALWAYS);
}

/* inline_len bytes of headers follow at offset RN_INLINE_AT of the request. */
static inline void rn_eth_put(void *at, uint8_t csum, uint16_t mss, uint16_t inline_len)
{
	struct rn_eth *e = at;

	e->parser = 0;
	e->csum = csum;
	e->parser_flags = 0;
	e->mss = htobe16(mss);
	e->metadata = 0;
	e->inline_len = htobe16(inline_len);
	e->tci = 0;
}

/* The same around headers that were copied to their place before: their first two bytes, which are
 * the segment's last, stay. */
static inline void rn_eth_put_behind(void *at, uint8_t csum, uint16_t mss, uint16_t inline_len)
{
	struct rn_eth *e = at;
	uint16_t first = e->tci;

	rn_eth_put(at, csum, mss, inline_len);
	e->tci = first;
}

/* What the device's egress tables see of the request besides its packets. */
static inline void rn_eth_mark(void *at, uint32_t metadata_be)
{
	((struct rn_eth *)at)->metadata = metadata_be;
}

/* The device puts a tag behind the MACs; then no header can be inline. */
static inline void rn_eth_put_tag(void *at, uint8_t csum, uint16_t tci)
{
	struct rn_eth *e = at;

	rn_eth_put(at, csum, 0, 0);
	e->inline_len = htobe16(RN_INSERT_TAG);
	e->tci = htobe16(tci);
}

/* len is never 0: the device reads 0 as 2 GiB. lkey is big-endian already: a queue has one. */
static inline void rn_data_put(void *at, uint32_t len, uint32_t lkey_be, uint64_t addr)
{
	uint64_t *d = at;

	d[0] = htobe32(len) | (uint64_t)lkey_be << 32;
	d[1] = htobe64(addr);
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && offsetof(struct rn_data, lkey) == 4 &&
		       offsetof(struct rn_data, addr) == 8,
	       "two words");

/* len bytes follow at once. */
static inline void rn_data_put_inline(void *at, uint32_t len)
{
	*(uint32_t *)at = htobe32(len | RN_DATA_INLINE);
}

/* Segments of a request up to its data: ctrl and eth with `len` bytes of headers. */
static inline uint32_t rn_header_segs(uint32_t len)
{
	return len <= 2 ? 2 : (RN_INLINE_AT + len + RN_SEG - 1) / RN_SEG;
}

/* Segments of an inline packet. */
static inline uint32_t rn_inline_segs(uint32_t len)
{
	return (RN_SEG_INLINE_HEAD + len + RN_SEG - 1) / RN_SEG;
}

/* ---- receive ---- */

static inline void rn_rx_wqe_prepare(struct rn_data *wqe, uint32_t len, uint32_t lkey_be)
{
	rn_data_put(wqe, len, lkey_be, 0);
}

static inline void rn_rx_wqe_post(struct rn_data *wqe, uint64_t addr)
{
	__atomic_store_n(&wqe->addr, htobe64(addr), __ATOMIC_RELAXED);
}

static inline uint64_t rn_rx_wqe_addr(const struct rn_data *wqe)
{
	return be64toh(wqe->addr);
}

/* ---- decoders ---- */

struct rn_ctrl_info {
	uint8_t opcode, opmod, ce;
	uint16_t index;
	uint32_t sqn, ds;
};

static inline struct rn_ctrl_info rn_ctrl_get(const void *at)
{
	const struct rn_ctrl *c = at;
	uint32_t op = be32toh(c->opcode), number = be32toh(c->number);

	return (struct rn_ctrl_info) {
		.opcode = (uint8_t)op,
		.opmod = (uint8_t)(op >> 24),
		.ce = (uint8_t)(be32toh(c->flags) & 0x0c),
		.index = (uint16_t)(op >> 8),
		.sqn = number >> 8,
		.ds = number & 0x3f,
	};
}

struct rn_eth_info {
	uint8_t csum;
	bool insert_tag;
	uint16_t mss, inline_len, tci;
};

static inline struct rn_eth_info rn_eth_get(const void *at)
{
	const struct rn_eth *e = at;
	uint16_t v = be16toh(e->inline_len);
	bool tag = v & RN_INSERT_TAG;

	return (struct rn_eth_info) {
		.csum = e->csum,
		.insert_tag = tag,
		.mss = be16toh(e->mss),
		.inline_len = tag ? 0 : v,
		.tci = tag ? be16toh(e->tci) : 0,
	};
}

struct rn_data_info {
	bool is_inline;
	uint32_t len, lkey;
	uint64_t addr; /* inline: offset of the data from the segment */
};

static inline struct rn_data_info rn_data_get(const void *at)
{
	const struct rn_data *d = at;
	uint32_t len = be32toh(d->len);

	if (len & RN_DATA_INLINE)
		return (struct rn_data_info) {true, len & ~RN_DATA_INLINE, 0, RN_SEG_INLINE_HEAD};
	return (struct rn_data_info) {false, len, be32toh(d->lkey), be64toh(d->addr)};
}

#endif
