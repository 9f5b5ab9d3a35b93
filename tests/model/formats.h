/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device formats that <infiniband/mlx5dv.h> does not name.
 *
 * Receive CQE fields and mini CQEs as in include/linux/mlx5/device.h of Linux 6.1 (struct
 * mlx5_cqe64, struct mlx5_mini_cqe8); match parameters as in include/linux/mlx5/mlx5_ifc.h
 * (fte_match_set_lyr_2_4, fte_match_set_misc), here in 32-bit big-endian words.
 */
#ifndef CX_FORMATS_H
#define CX_FORMATS_H

#include <infiniband/mlx5dv.h>
#include <stdint.h>
#include <string.h>

#define CX_OPCODE_EMPW	    0x29
#define CX_ETH_INSERT_VLAN  0x8000 /* in be16 at offset 12 of the Ethernet segment */
#define CX_ETH_META_AT	    24 /* in the request: flow_table_metadata of the Ethernet segment */
#define CX_CTRL_CE_MASK	    0x0c
#define CX_CTRL_CE_ALWAYS   0x08
#define CX_CQE_FORMAT_COMP  3
#define CX_RSS_TYPE_IPV4    0x04
#define CX_RSS_TYPE_IPV6    0x08
#define CX_RSS_TYPE_TCP	    0x40
#define CX_RSS_TYPE_UDP	    0x80
#define CX_L4_TCP	    1
#define CX_L4_UDP	    2
#define CX_L4_TCP_EMPTY_ACK 3
#define CX_L4_TCP_ACK	    4
#define CX_CQE_FRAGMENT	    0x80
#define CX_CQE_CVLAN	    0x01
#define CX_UAR_PAGE	    4096
#define CX_UAR_DB_FIRST	    0x800
#define CX_UAR_DB_STEP	    0x100
#define CX_UAR_DB_COUNT	    8
#define CX_MINI_PER_SLOT    8

/* A receive completion, all fields that raw Ethernet uses. */
struct cx_rx_cqe {
	uint8_t outer_l3_tunneled;
	uint8_t rsvd1;
	uint16_t wqe_id;
	uint8_t rsvd4[8];
	uint32_t rss_hash;
	uint8_t rss_type;
	uint8_t ml_path;
	uint8_t rsvd18[2];
	uint16_t csum;
	uint16_t slid;
	uint32_t flags_rqpn;
	uint8_t hds_ip_ext;
	uint8_t l4_hdr_type_etc;
	uint16_t vlan_info;
	uint32_t srqn_uidx;
	uint32_t imm;
	uint32_t app;
	uint32_t byte_cnt;
	uint64_t timestamp;
	uint32_t sop_drop_qpn;
	uint16_t wqe_counter;
	uint8_t signature;
	uint8_t op_own;
};
_Static_assert(sizeof(struct cx_rx_cqe) == 64, "a CQE is 64 bytes");

struct cx_mini_cqe {
	union {
		uint32_t rss_hash;
		struct {
			uint16_t csum;
			uint16_t rsvd;
		};
	};
	uint32_t byte_cnt;
};
_Static_assert(sizeof(struct cx_mini_cqe) == 8, "a mini CQE is 8 bytes");

/* Match parameters: outer headers, then misc parameters, then the one word of misc3 that has ICMP
 * types, and that of misc2 that has a send request's metadata (metadata_reg_a); the rest (inner...)
 * is refused. */
#define CX_FTE_WORDS   34
#define CX_FTE_BYTES   (CX_FTE_WORDS * 4)
#define CX_FTE_ICMP_AT 0x120 /* where these words stand in the device's layout */
#define CX_FTE_META_AT 0xf0
struct cx_fte {
	union {
		uint32_t w[CX_FTE_WORDS]; /* big-endian */
		uint64_t q[CX_FTE_WORDS / 2];
		uint8_t b[CX_FTE_BYTES];
	};
};

enum cx_fte_word {
	CX_FTE_SMAC_HI = 0,
	CX_FTE_SMAC_LO_TYPE = 1,
	CX_FTE_DMAC_HI = 2,
	CX_FTE_DMAC_LO_VLAN = 3, /* dmac 16, prio 3, cfi 1, vid 12 */
	CX_FTE_IP = 4, /* protocol 8, dscp 6, ecn 2, cvlan, svlan, frag, version 4, tcp flags 9 */
	CX_FTE_TCP_PORTS = 5,
	CX_FTE_TTL = 6, /* ihl at bit 12, ttl in the low byte */
	CX_FTE_UDP_PORTS = 7,
	CX_FTE_SRC_IP = 8,
	CX_FTE_DST_IP = 12,
	CX_FTE_SQN = 16, /* gre flags, then source SQN 24 */
	CX_FTE_SECOND = 19, /* C-tag bit 31, S-tag bit 29 of a second tag */
	CX_FTE_VXLAN = 21, /* vni 24, reserved 8 */
	CX_FTE_FLOW_LABEL = 23,
	CX_FTE_ICMP = 32, /* ICMP type, code, ICMPv6 type, code */
	CX_FTE_META = 33, /* flow_table_metadata of the Ethernet segment; egress */
};
#define CX_FTE_SECOND_CVLAN  (1u << 31)
#define CX_FTE_SECOND_SVLAN  (1u << 29)
#define CX_FTE_IP_PROTO(v)   ((uint32_t)(v) << 24)
#define CX_FTE_IP_DSCP(v)    ((uint32_t)(v) << 18)
#define CX_FTE_IP_ECN(v)     ((uint32_t)(v) << 16)
#define CX_FTE_IP_CVLAN	     (1u << 15)
#define CX_FTE_IP_SVLAN	     (1u << 14)
#define CX_FTE_IP_FRAG	     (1u << 13)
#define CX_FTE_IP_VERSION(v) ((uint32_t)(v) << 9)

static inline uint16_t cx_get16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return be16toh(v);
}

static inline uint32_t cx_get32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}

static inline uint64_t cx_get64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return be64toh(v);
}

static inline void cx_put16(void *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, 2);
}

static inline void cx_put32(void *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
}

#endif
