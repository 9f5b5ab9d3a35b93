/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's accesses to the program's memory, where a NIC would use DMA: rings, packets,
 * completions.
 *
 * AddressSanitizer and memcheck see them, and name the buffer that was freed while it was posted.
 * ThreadSanitizer is not to: a program hands memory over with a doorbell, and gets it back with the
 * owner bit of a completion; libmlx5, which writes and reads those, is not instrumented, so the
 * order is there and cannot be seen. What the device keeps for itself stays checked.
 */
#ifndef CX_DMA_H
#define CX_DMA_H

#include <string.h>

#ifdef __SANITIZE_THREAD__
void AnnotateIgnoreReadsBegin(const char *file, int line); /* of libtsan: both directions */
void AnnotateIgnoreReadsEnd(const char *file, int line);
#define CX_UNSEEN_BEGIN AnnotateIgnoreReadsBegin(__FILE__, __LINE__)
#define CX_UNSEEN_END	AnnotateIgnoreReadsEnd(__FILE__, __LINE__)
#else
#define CX_UNSEEN_BEGIN ((void)0)
#define CX_UNSEEN_END	((void)0)
#endif

static inline void cx_dma_read(void *to, const void *from, size_t len)
{
	CX_UNSEEN_BEGIN;
	memcpy(to, from, len);
	CX_UNSEEN_END;
}

static inline void cx_dma_write(void *to, const void *from, size_t len)
{
	CX_UNSEEN_BEGIN;
	memcpy(to, from, len);
	CX_UNSEEN_END;
}

#endif
