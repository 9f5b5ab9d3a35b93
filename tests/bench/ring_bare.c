/* SPDX-License-Identifier: BSD-2-Clause */
/* See ring_bare.h. */
#include "ring_bare.h"

#include <sys/mman.h>

#include "bench.h"

#define SLOTS_AT 4096u
#define MEM_AT	 (SLOTS_AT + BARE_SLOTS * 16)
#define SIZE	 (MEM_AT + (size_t)BARE_SLOTS * BARE_BUF)

void *bare_memory(void)
{
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct bare_ring r;

	if (memory == MAP_FAILED)
		bench_die("no memory");
	r = bare_view(memory);
	for (uint32_t i = 0; i < BARE_SLOTS; i++)
		r.slots[i].off = bare_offset(i);
	return memory;
}

void bare_free(void *memory)
{
	munmap(memory, SIZE);
}

struct bare_ring bare_view(void *memory)
{
	struct bare_ring r = {.mask = BARE_SLOTS - 1};

	r.ctl = memory;
	r.slots = (void *)((uint8_t *)memory + SLOTS_AT);
	r.mem = (uint8_t *)memory + MEM_AT;
	r.client = r.ctl->client;
	r.daemon = r.ctl->daemon;
	return r;
}
