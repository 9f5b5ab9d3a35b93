/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page of metrics as OpenMetrics text 1.0, in memory that grows up to a bound. Whoever writes
 * asks page_ok() once, at the end. A family stands in one piece: page_family(), then all its
 * samples.
 */
#ifndef EXPORTER_PAGE_H
#define EXPORTER_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_MOST (32u << 20)
#define PAGE_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct page {
	char *text;
	size_t len, room;
	bool failed; /* out of memory, or larger than PAGE_MOST */
};

__attribute__((format(printf, 2, 3))) void page_print(struct page *p, const char *fmt, ...);
/* HELP, TYPE, and UNIT if the name ends with it (unit NULL: none). */
void page_family(struct page *p, const char *name, const char *type, const char *unit,
		 const char *help);
/* As the value of a label, or as a part of a help text, quotes and line ends escaped; what is no
 * printable ASCII becomes '?', so that the page is UTF-8 whatever a daemon sends. */
void page_escaped(struct page *p, const char *text);
/* ,name="text", with `separator` in front: '{' or ','. */
void page_label(struct page *p, char separator, const char *name, const char *text);
void page_label_number(struct page *p, char separator, const char *name, uint64_t v);
void page_end(struct page *p);
bool page_ok(const struct page *p);
void page_clear(struct page *p);
void page_free(struct page *p);

#endif
