/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_FUZZ_H
#define CONTROL_FUZZ_H

#include "daemon.h"

union control_request {
	struct rawnet_hdr hdr;
#define MEMBER(NAME, number, request, reply) struct request NAME;
	RAWNET_REQUESTS(MEMBER)
#undef MEMBER
	uint8_t bytes[RAWNET_MSG_MAX];
};

/* ---- the input (control_request.c) ---- */

void control_input(const uint8_t *data, size_t size);
bool control_left(void);
uint8_t take(void); /* 0 behind the end */

uint16_t control_type(uint8_t b); /* one of a request */
uint32_t control_reply_size(unsigned type); /* 0: no such request */
/* A request to the daemon, its fields from the input: its size. */
uint32_t control_request(union control_request *q, const struct rn_daemon *of, uint16_t type);

/* Do quotas, lists and counts agree with each other? */
void control_check(const struct rn_daemon *d);

#endif
