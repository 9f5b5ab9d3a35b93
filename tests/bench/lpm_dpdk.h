/* SPDX-License-Identifier: BSD-2-Clause */
/* rte_lpm of DPDK as a peer; where it is not installed, create() says so. */
#ifndef BENCH_LPM_DPDK_H
#define BENCH_LPM_DPDK_H

#include <stdbool.h>
#include <stddef.h>

#include "lpm4.h"

bool lpm_dpdk_create(const struct lpm4_route *routes, size_t n);
/* Sums of the values found, one by one and 32 at a time. */
unsigned long lpm_dpdk_find(const unsigned *addr, size_t n);
unsigned long lpm_dpdk_find_many(const unsigned *addr, size_t n);

#endif
