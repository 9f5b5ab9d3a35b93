/* SPDX-License-Identifier: BSD-2-Clause */
/* The file that a program with failing calls shares with its test: faults.py has the same. */
#ifndef FAULT_POINTS_H
#define FAULT_POINTS_H

#include <stdbool.h>
#include <stdint.h>

#define SITES 1024u /* a power of two */

struct site {
	uint64_t at; /* return address, from the start of the program; 0: free */
	uint32_t hits;
	uint32_t unused;
	char name[48];
};

struct points {
	uint64_t armed; /* the site that fails; 0: none */
	uint32_t left; /* it fails when this becomes 0 */
	uint32_t fired;
	uint64_t callbacks; /* given to call_rcu, and not run yet */
	struct site site[SITES];
};

extern struct points *points; /* NULL: nothing fails */

/* Whether this call fails; `from` is the return address. */
bool point_fails(const char *name, const void *from);

/* All calls are passed on as eight words, which is what the calling conventions of x86-64 and arm64
 * make of them: whatever is there is handed through, and nothing here looks at it. */
#define WORDS	  long a, long b, long c, long d, long e, long f, long g, long h
#define THE_WORDS a, b, c, d, e, f, g, h

#endif
