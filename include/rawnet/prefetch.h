/* SPDX-License-Identifier: BSD-2-Clause */
/* Hints to the cache, for both sides of the rings. They never fault and change nothing. */
#ifndef RAWNET_PREFETCH_H
#define RAWNET_PREFETCH_H

/* Asks for a line that will be written soon, so that no other core has it then. A compiler for any
 * x86-64 makes a prefetch for reading of __builtin_prefetch(p, 1), after which the write still has
 * to ask; processors without the instruction take it as a hint for nothing. */
static inline void rawnet_prefetch_write(const void *p)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw (%0)" : : "r"(p));
#else
	__builtin_prefetch(p, 1);
#endif
}

#endif
