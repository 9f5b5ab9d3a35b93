/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other end of an echo: an AF_XDP socket on a peer interface of net.h that keeps a window of
 * datagrams under way, as fast as they come back.
 */
#ifndef BENCH_ASKER_H
#define BENCH_ASKER_H

#include <stdint.h>

#include "xsk.h"

struct asker {
	struct bench_xsk x;
	unsigned pair;
	uint32_t len;
	uint8_t frame[1514];
	uint32_t next; /* number of the next datagram: its payload begins with it */
	uint32_t under_way;
	/* added to by asker_run */
	uint64_t sent, back, wrong, lost;
	uint64_t send_cpu; /* ns inside system calls that send */
};

/* In the namespace "peer": datagrams of len bytes to 10.N.0.1 port 7. */
void asker_open(struct asker *a, unsigned pair, uint32_t len);
/* For ns nanoseconds, at most `window` under way; then until all are back or lost. */
void asker_run(struct asker *a, uint64_t ns, uint32_t window);
void asker_close(struct asker *a);

#endif
