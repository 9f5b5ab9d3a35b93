/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages of neighbour resolution, ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861):
 * reading a question and writing answers and announcements. Pure functions, any thread.
 */
#ifndef RN_NEIGH_MSG_H
#define RN_NEIGH_MSG_H

#include <stdbool.h>
#include <stdint.h>

#define RN_NEIGH_FRAME 90u /* longest frame that is written, one tag included */

/* "Who has target? Tell sender." */
struct rn_question {
	uint8_t family; /* 4 or 6 */
	uint8_t target[16];
	uint8_t sender[16]; /* all zero: a probe, the asker wants the address for itself */
	uint8_t mac[6]; /* of the sender */
	bool probe;
};

/* True if the untagged frame is a question that may be answered. */
bool rn_question_parse(const uint8_t *frame, uint32_t len, struct rn_question *q);
/* The answer "target is at mac"; vlan: id of the tag, 0: none. Its length. */
uint32_t rn_question_answer(const struct rn_question *q, const uint8_t mac[6], uint16_t vlan,
			    uint8_t out[RN_NEIGH_FRAME]);
/* Tells everybody, unasked: gratuitous ARP, unsolicited advertisement. Its length. */
uint32_t rn_neigh_announcement(uint8_t family, const uint8_t *addr, const uint8_t mac[6],
			       uint16_t vlan, uint8_t out[RN_NEIGH_FRAME]);

#endif
