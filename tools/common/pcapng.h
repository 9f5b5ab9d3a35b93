/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes capture files in the pcapng format (draft-ietf-opsawg-pcapng): one section, one Ethernet
 * interface, time stamps in nanoseconds, direction and a comment for each packet. libpcap reads
 * this format and cannot write it. Errors are the stream's (ferror).
 */
#ifndef PCAPNG_H
#define PCAPNG_H

#include <stdint.h>
#include <stdio.h>

struct pcapng_packet {
	uint64_t stamp; /* ns since 1970 */
	const uint8_t *data;
	uint32_t kept, len; /* bytes at data, bytes of the whole frame */
	int outbound;
	const char *comment; /* NULL: none */
};

void pcapng_begin(FILE *out, const char *program, const char *dev, uint32_t snap);
/* Bytes written. */
uint32_t pcapng_packet(FILE *out, const struct pcapng_packet *p);

#endif
