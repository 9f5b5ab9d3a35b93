/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Matches: text, checks, and set relations. The grammar and its meaning stand in rawnet/flow.h.
 * Pure functions, any thread.
 */
#ifndef RN_MATCH_H
#define RN_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "rawnet/flow.h"
#include "key.h"

/* 0, or -EINVAL with a sentence in err that names the word. The result has passed rn_match_check.
 */
int rn_match_parse(const char *text, struct rawnet_match *match, char *err, size_t errlen);
/* Text that parses to the same match; its length. size at least RAWNET_MATCH_TEXT never truncates.
 */
int rn_match_format(const struct rawnet_match *match, char *text, size_t size);
/* For matches from outside: sizes, unknown fields, contradictions (a port with ethertype arp),
 * group addresses, bits outside a prefix, zero ports; fills in what is implied (ethertype, family).
 */
int rn_match_check(struct rawnet_match *match, char *err, size_t errlen);

/* The masked key and the mask that a checked match means on a port with this MAC. */
void rn_match_key(const struct rawnet_match *match, const uint8_t port_mac[6], struct rn_key *key,
		  struct rn_key *mask);

/* Is there a frame that both take? Does a take every frame that b takes? (On the same port.) */
bool rn_match_intersects(const struct rawnet_match *a, const struct rawnet_match *b,
			 const uint8_t port_mac[6]);
bool rn_match_covers(const struct rawnet_match *a, const struct rawnet_match *b,
		     const uint8_t port_mac[6]);

#endif
