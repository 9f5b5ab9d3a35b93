/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What policing costs a frame: with a hint (a flow goes on), without one (parsed each time, the
 * rule table being a list of one), and where two layouts take turns so that each voids the other's
 * hint. Cycles of the time stamp counter, the best of several rounds, over frames that stand in
 * cache. Prints one line for each and the ratio.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

#include "../unit/net_frames.h"
#include "../unit/police_table.h"

#define FRAMES 64
#define ROUNDS 2000
#define BEST   20

static uint8_t v4[1][4] = {{10, 0, 0, 1}};
static uint8_t v6[1][16] = {{0xfd, 0, [15] = 1}};
static struct rn_addresses addresses = {1, 1, v4, v6};
static struct rn_port port = {.addresses = &addresses};
static struct rn_attachment client = {.port = &port};
static struct rn_queue queue = {.at = &client};
static uint8_t frame[FRAMES][128];
static uint32_t len[FRAMES];

static uint64_t ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
#endif
}

/* Flows of many peers and ports; every second one of IPv6 if mixed. */
static void make_frames(bool mixed)
{
	for (uint32_t i = 0; i < FRAMES; i++) {
		struct want w = {.version = mixed && i & 1 ? 6 : 4,
				 .smac = {2, 0, 0, 0, 0, 0x10},
				 .dmac = {2, 0, 0, 0, 0, (uint8_t)(0x20 + i)},
				 .proto = 17,
				 .sport = 53,
				 .dport = (uint16_t)(1000 + i),
				 .payload = 18};

		memcpy(w.src, w.version == 4 ? v4[0] : v6[0], w.version == 4 ? 4 : 16);
		memcpy(w.dst, w.version == 4 ? v4[0] : v6[0], w.version == 4 ? 4 : 16);
		w.dst[3] = (uint8_t)i;
		len[i] = frame_build(frame[i], &w);
	}
}

static double measure(bool hints)
{
	uint64_t best = UINT64_MAX;

	for (int b = 0; b < BEST; b++) {
		uint64_t start = ticks(), took;
		int dropped = 0;

		for (int r = 0; r < ROUNDS; r++) {
			for (uint32_t i = 0; i < FRAMES; i++) {
				if (!hints)
					queue.hint.epoch = 0;
				dropped |= rn_police(&queue, frame[i], len[i], -1);
			}
		}
		took = ticks() - start;
		if (dropped)
			abort();
		best = took < best ? took : best;
	}
	return (double)best / ROUNDS / FRAMES;
}

int main(void)
{
	double hinted, parsed, voided;

	table_clear();
	table_add("udp dport 53", &client);
	table_add("udp ethertype ipv6 dport 53", &client);
	make_frames(false);
	hinted = measure(true);
	parsed = measure(false);
	make_frames(true);
	voided = measure(true);
	printf("with a hint   %6.1f cycles a frame\n", hinted);
	printf("without       %6.1f cycles a frame\n", parsed);
	printf("taking turns  %6.1f cycles a frame\n", voided);
	printf("ratio         %6.3f\n", hinted / parsed);
	return 0;
}
