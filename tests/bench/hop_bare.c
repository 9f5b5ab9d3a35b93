/* SPDX-License-Identifier: BSD-2-Clause */
/* The bound of bench-hop: ring_bare.h, the partner on the other side. */
#include "hop.h"
#include "place.h"
#include "ring_bare.h"

static void *forth, *back;
static uint8_t frame[FRAME_LEN];
static uint32_t stop;
static uint64_t taken;

static bool bare_open(void)
{
	static const uint8_t mac[6] = {2};

	forth = bare_memory();
	back = bare_memory();
	frame_make(frame, mac);
	return true;
}

static void bare_close(void)
{
	bare_free(forth);
	bare_free(back);
}

/* Reads until it is told to stop and nothing is left. */
static void reader(void *memory)
{
	struct bare_ring r = bare_view(memory);
	uint64_t sum = 0, n = 0;
	uint32_t got;

	do {
		uint32_t last = __atomic_load_n(&stop, __ATOMIC_ACQUIRE);

		got = bare_take(&r, HOP_BURST, &sum);
		n += got;
		if (last && !got)
			break;
	} while (true);
	hop_use(sum);
	taken = n;
}

static void writer(void *memory)
{
	struct bare_ring r = bare_view(memory);

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		bare_put(&r, frame, FRAME_LEN, HOP_BURST);
}

static uint64_t bare_out(uint64_t *ns)
{
	struct bare_ring r = bare_view(forth);
	uint64_t start, now;

	__atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
	place_run(reader, forth);
	start = bench_ns();
	do {
		for (int i = 0; i < 64; i++)
			bare_put(&r, frame, FRAME_LEN, HOP_BURST);
		now = bench_ns();
	} while (now - start < HOP_WINDOW_NS);
	while (__atomic_load_n(&r.ctl->daemon, __ATOMIC_ACQUIRE) != r.client)
		;
	*ns = bench_ns() - start;
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	place_wait();
	return taken;
}

static uint64_t bare_in(uint64_t *ns)
{
	struct bare_ring r = bare_view(forth);
	uint64_t start, now, n = 0, sum = 0;

	__atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
	place_run(writer, forth);
	start = bench_ns();
	do {
		for (int i = 0; i < 64; i++)
			n += bare_take(&r, HOP_BURST, &sum);
		now = bench_ns();
	} while (now - start < HOP_WINDOW_NS);
	*ns = now - start;
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	place_wait();
	while (bare_take(&r, HOP_BURST, &sum))
		;
	hop_use(sum);
	return n;
}

static void mirror(void *arg)
{
	struct bare_ring r = bare_view(forth), w = bare_view(back);
	uint8_t copy[FRAME_LEN];

	(void)arg;
	for (uint32_t i = 0; i < HOP_TRIPS; i++) {
		while (__atomic_load_n(&r.ctl->client, __ATOMIC_ACQUIRE) == r.daemon)
			;
		r.client = r.daemon + 1;
		memcpy(copy, r.mem + r.slots[r.daemon & r.mask].off, FRAME_LEN);
		r.daemon++;
		__atomic_store_n(&r.ctl->daemon, r.daemon, __ATOMIC_RELEASE);
		bare_put(&w, copy, FRAME_LEN, 1);
	}
}

static void bare_trip(struct bench_samples *s)
{
	struct bare_ring w = bare_view(forth), r = bare_view(back);
	uint64_t sum = 0;

	place_run(mirror, NULL);
	for (uint32_t i = 0; i < HOP_TRIPS; i++) {
		uint64_t t = bench_ticks();

		bare_put(&w, frame, FRAME_LEN, 1);
		while (!bare_take(&r, 1, &sum))
			;
		hop_use(sum);
		bench_add(s, (double)(bench_ticks() - t));
	}
	place_wait();
}

struct hop hop_bare = {
	.name = "bare ring",
	.open = bare_open,
	.close = bare_close,
	.out = bare_out,
	.in = bare_in,
	.trip = bare_trip,
};
