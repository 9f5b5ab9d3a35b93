/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands in front of the XDP program's tables (shared.h): a filter for each of them, and a
 * cache of a few rules. The program reads it, the control thread keeps it.
 *
 * A cached rule that is deleted is found no more at once, but a program that began before may still
 * read it: its room rests until a wait for such programs has ended (rn_front_waited).
 */
#ifndef RN_XDP_FRONT_H
#define RN_XDP_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "../backend.h"
#include "shared.h"

struct rn_front {
	struct rn_xdp_front *shared; /* with the program */
	uint16_t *keys[RN_XDP_SHAPES]; /* how many there are for each bit; UINT16_MAX: no end */
	uint8_t room[RN_XDP_CACHED]; /* enum in front.c */
	uint32_t n_free, n_rest; /* rooms */
};

void rn_front_init(struct rn_front *front, struct rn_xdp_front *shared);
void rn_front_free(struct rn_front *front);
/* A table gets this slot, and leaves it, with whatever is in it. -ENOMEM. */
int rn_front_open(struct rn_front *front, uint32_t slot);
void rn_front_close(struct rn_front *front, uint32_t slot);

/* After the rule came into its table; before it leaves it; after that. */
void rn_front_add(struct rn_front *front, const struct rn_rule *rule);
void rn_front_hide(struct rn_front *front, const struct rn_rule *rule);
void rn_front_del(struct rn_front *front, const struct rn_rule *rule);

/* All programs have ended that ran when the wait began. */
void rn_front_waited(struct rn_front *front);
/* Would a wait give room to cache rules again? */
bool rn_front_wants_wait(const struct rn_front *front);

#endif
