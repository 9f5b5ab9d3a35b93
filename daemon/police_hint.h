/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of a frame that agrees with the hint of the last allowed one (police.c): a few vector
 * operations, inline, without a branch on what the frame holds. Poller only.
 */
#ifndef RN_POLICE_HINT_H
#define RN_POLICE_HINT_H

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "queue.h"
#include "tx.h"

typedef uint64_t rn_piece __attribute__((vector_size(16)));

extern uint64_t rn_police_epoch; /* of rules and addresses; police.c */

/* head: RN_POLICE_HEAD readable bytes, of which the first `len` are the frame's, or the frame's
 * first; those behind a short frame do not matter. The pieces are aligned as a copy by 16 bytes
 * writes them, so that reading them back does not wait for the copy. */
static inline bool rn_police_agrees(const struct rn_police_hint *h, const uint8_t *head,
				    uint32_t len, int tci)
{
	rn_piece differs = {0}, x, value, mask;
	uint16_t length;
	uint32_t end;

	/* acquire: pairs with the release in rn_police_changed(). */
	if (h->epoch != __atomic_load_n(&rn_police_epoch, __ATOMIC_ACQUIRE) || len < h->need ||
	    (tci < 0 ? -1 : tci & 0xfff) != h->vlan)
		return false;
#pragma GCC unroll 4
	for (uint32_t i = 0; i < RN_POLICE_HEAD; i += sizeof(x)) {
		memcpy(&x, head + i, sizeof(x));
		memcpy(&value, h->value + i, sizeof(x));
		memcpy(&mask, h->mask + i, sizeof(x));
		differs |= (x ^ value) & mask;
	}
	memcpy(&length, head + h->length_at, sizeof(length));
	end = h->base + (be16toh(length) & h->length_mask);
	return !(differs[0] | differs[1]) && end >= h->least && end <= len;
}

static inline bool rn_police_hinted(const struct rn_queue *q, const uint8_t *head, uint32_t len,
				    int tci)
{
	return rn_police_agrees(&q->hint, head, len, tci);
}

#endif
