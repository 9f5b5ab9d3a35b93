/* SPDX-License-Identifier: BSD-2-Clause */
/* See lpm_dpdk.h. */
#include "lpm_dpdk.h"

#ifdef HAVE_DPDK
#include <rte_eal.h>
#include <rte_lpm.h>
#include <sys/mman.h>

static struct rte_lpm *lpm;

bool lpm_dpdk_create(const struct lpm4_route *routes, size_t n)
{
	char *args[] = {"bench-lpm", "--no-huge",	  "--no-shconf",    "-m", "512",
			"--no-pci",  "--log-level=error", "--no-telemetry", NULL};
	const struct rte_lpm_config config = {.max_rules = (uint32_t)n, .number_tbl8s = 65536};

	if (rte_eal_init(8, args) < 0)
		return false;
	lpm = rte_lpm_create("bench", SOCKET_ID_ANY, &config);
	if (!lpm)
		return false;
	/* The same pages as ours. */
	madvise((void *)(((uintptr_t)lpm + 4095) & ~(uintptr_t)4095), sizeof(*lpm) - 4096,
		MADV_HUGEPAGE);
	for (size_t i = 0; i < n; i++)
		if (rte_lpm_add(lpm, routes[i].addr, (uint8_t)routes[i].len, routes[i].value))
			return false;
	return true;
}

unsigned long lpm_dpdk_find(const unsigned *addr, size_t n)
{
	unsigned long sum = 0;
	uint32_t hop;

	for (size_t i = 0; i < n; i++)
		if (!rte_lpm_lookup(lpm, addr[i], &hop))
			sum += hop;
	return sum;
}

unsigned long lpm_dpdk_find_many(const unsigned *addr, size_t n)
{
	unsigned long sum = 0;
	uint32_t hop[32];

	for (size_t i = 0; i + 32 <= n; i += 32) {
		rte_lpm_lookup_bulk(lpm, addr + i, hop, 32);
		for (unsigned k = 0; k < 32; k++)
			if (hop[k] & RTE_LPM_LOOKUP_SUCCESS)
				sum += hop[k] & 0xffffff;
	}
	return sum;
}

#else

bool lpm_dpdk_create(const struct lpm4_route *routes, size_t n)
{
	(void)routes;
	(void)n;
	return false;
}

unsigned long lpm_dpdk_find(const unsigned *addr, size_t n)
{
	(void)addr;
	return n;
}

unsigned long lpm_dpdk_find_many(const unsigned *addr, size_t n)
{
	(void)addr;
	return n;
}
#endif
