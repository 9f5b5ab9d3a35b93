/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ECHO_ANSWER_H
#define ECHO_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

/* Turns a frame with a whole, plain UDP datagram into its answer, in place: MACs, addresses and
 * ports trade places. The sums that the IPv4 and UDP checksums stand for do not change by that, so
 * both stay right. Anything else is left as it is: false. */
bool echo_answer(uint8_t *frame, uint32_t len);

#endif
