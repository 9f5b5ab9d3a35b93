/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <stdint.h>

#define FRAME_LEN   64u
#define FRAME_MATCH "udp dst 10.0.0.1 dport 7"

/* An Ethernet frame from this address to itself: UDP, 10.0.0.1 port 7. */
void frame_make(uint8_t frame[FRAME_LEN], const uint8_t mac[6]);

#endif
