/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long an adaptive poller spins without work before it sleeps. A spin is worth its time where
 * work comes while it lasts: it spares the sleep, and the packet the wake-up. After RN_SPIN_MISSES
 * idle times in a row that a whole spin did not bridge, as between bursts that are far apart, it is
 * short, until one comes that a whole spin would have bridged. Poller only.
 */
#ifndef RN_SPIN_H
#define RN_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#define RN_SPIN_NS	 50000u
#define RN_SPIN_SHORT_NS 10000u /* some times what a sleep costs */
#define RN_SPIN_MISSES	 4u

struct rn_spin {
	uint32_t missed; /* idle times in a row that were longer than a whole spin */
	bool longer; /* this one is longer than a short spin */
};

/* Without work from now on: if the last idle time ended without a sleep, the spin has paid. */
static inline void rn_spin_begin(struct rn_spin *s)
{
	if (s->longer)
		s->missed = 0;
	s->longer = false;
}

/* After spun ns without work, is it time to sleep? held: some client's wake-up is put off, which a
 * poller that sleeps cannot make up for. */
static inline bool rn_spin_over(struct rn_spin *s, uint64_t spun, bool held)
{
	if (spun >= RN_SPIN_NS)
		return true;
	if (held || spun < RN_SPIN_SHORT_NS)
		return false;
	s->longer = true;
	return s->missed >= RN_SPIN_MISSES;
}

/* It was time to sleep, and it does not. came: for work that came meanwhile; if not, the spin has
 * bridged nothing. */
static inline void rn_spin_stayed(struct rn_spin *s, bool came)
{
	s->longer &= came;
}

/* It slept, and was without work for idle ns in all. */
static inline void rn_spin_slept(struct rn_spin *s, uint64_t idle)
{
	s->longer = false;
	if (idle < RN_SPIN_NS)
		s->missed = 0;
	else if (s->missed < RN_SPIN_MISSES)
		s->missed++;
}

#endif
