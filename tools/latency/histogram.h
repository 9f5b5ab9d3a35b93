/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdio.h>

#include "latency.h"

#define HISTOGRAM_ROWS 20u

/* Draws it on so many columns (at least 60): at most HISTOGRAM_ROWS rows from the lowest to the
 * 99.9th percentile, each a whole number of buckets, and one for what is above. */
void histogram_draw(FILE *out, const struct latency *l, unsigned columns);

#endif
