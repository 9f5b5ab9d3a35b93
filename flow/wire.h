/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers in the headers of frames, in host order: IEEE 802 and IANA. Also for the XDP program. */
#ifndef RN_WIRE_H
#define RN_WIRE_H

#define ETH_HEADER 14u
#define TAG_LEN	   4u
#define IP4_HEADER 20u /* without options */
#define IP6_HEADER 40u
#define ARP_LEN	   28u

/* EtherTypes. */
enum {
	TYPE_LEAST = 0x0600, /* below it is a length */
	TYPE_IP4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_TAG = 0x8100, /* IEEE 802.1Q */
	TYPE_IP6 = 0x86dd,
	TYPE_PAUSE = 0x8808,
	TYPE_SLOW = 0x8809,
	TYPE_EAPOL = 0x888e,
	TYPE_STAG = 0x88a8, /* IEEE 802.1ad */
	TYPE_LLDP = 0x88cc
};

/* Protocols above IP, extension headers among them. */
enum {
	PROTO_HOPOPTS = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_ICMP6 = 58,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132
};

/* In plain types: stdint.h is not there for the XDP program. */
static inline unsigned short rn_get16(const unsigned char *p)
{
	return (unsigned short)(p[0] << 8 | p[1]);
}

#endif
