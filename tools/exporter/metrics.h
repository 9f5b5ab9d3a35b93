/* SPDX-License-Identifier: BSD-2-Clause */
/* From what the daemon said to a page of metrics: pure. */
#ifndef EXPORTER_METRICS_H
#define EXPORTER_METRICS_H

#include "page.h"
#include "scrape.h"

void metrics_write(struct page *p, const struct scrape *s);

#endif
