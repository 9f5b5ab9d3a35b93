/* SPDX-License-Identifier: BSD-2-Clause */
/* See frame.h. */
#include "frame.h"

#include <string.h>

void frame_make(uint8_t f[FRAME_LEN], const uint8_t mac[6])
{
	static const uint8_t ip[20] = {
		0x45, 0, 0, FRAME_LEN - 14, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 1};

	memset(f, 0, FRAME_LEN);
	memcpy(f, mac, 6);
	memcpy(f + 6, mac, 6);
	f[12] = 8;
	memcpy(f + 14, ip, sizeof(ip));
	f[35] = f[37] = 7;
	f[39] = FRAME_LEN - 34;
}
