/* SPDX-License-Identifier: BSD-2-Clause */
/* The known word that an unknown one was probably meant to be. Pure, any thread. */
#ifndef RN_NEAREST_H
#define RN_NEAREST_H

struct rn_nearest {
	const char *word; /* unknown */
	const char *best; /* nearest so far; NULL: none is near enough to be named */
	unsigned distance; /* of best */
};

/* Typing errors between the two, cases aside: letters more, less, other or exchanged. Up to 32
 * letters count. One is near enough in words of up to 3 letters, two up to 6, three above. */
void rn_nearest_offer(struct rn_nearest *n, const char *known);

#endif
