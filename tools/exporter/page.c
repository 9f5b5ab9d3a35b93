/* SPDX-License-Identifier: BSD-2-Clause */
/* See page.h. */
#include "page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(struct page *p, size_t more)
{
	size_t room = p->room ? p->room : 16384;
	char *text;

	while (room - p->len < more && room < PAGE_MOST)
		room *= 2;
	if (p->failed || room - p->len < more) {
		p->failed = true;
		return false;
	}
	if (room == p->room)
		return true;
	text = realloc(p->text, room);
	if (!text) {
		p->failed = true;
		return false;
	}
	p->text = text;
	p->room = room;
	return true;
}

void page_print(struct page *p, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	/* The analyser does not see the line above.
	 * NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0 || !make_room(p, (size_t)n + 1))
		return;
	va_start(args, fmt);
	vsnprintf(p->text + p->len, (size_t)n + 1, fmt, args);
	va_end(args);
	p->len += (size_t)n;
}

void page_escaped(struct page *p, const char *text)
{
	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c == '\n')
			page_print(p, "\\n");
		else if (c == '"' || c == '\\')
			page_print(p, "\\%c", c);
		else
			page_print(p, "%c", c >= ' ' && c < 127 ? c : '?');
	}
}

static bool ends(const char *name, const char *unit)
{
	const size_t n = strlen(name), u = strlen(unit);

	return n > u && name[n - u - 1] == '_' && !strcmp(name + n - u, unit);
}

void page_family(struct page *p, const char *name, const char *type, const char *unit,
		 const char *help)
{
	page_print(p, "# TYPE %s %s\n", name, type);
	if (unit && ends(name, unit))
		page_print(p, "# UNIT %s %s\n", name, unit);
	page_print(p, "# HELP %s ", name);
	page_escaped(p, help);
	page_print(p, "\n");
}

void page_label(struct page *p, char separator, const char *name, const char *text)
{
	page_print(p, "%c%s=\"", separator, name);
	page_escaped(p, text);
	page_print(p, "\"");
}

void page_label_number(struct page *p, char separator, const char *name, uint64_t v)
{
	page_print(p, "%c%s=\"%" PRIu64 "\"", separator, name, v);
}

void page_end(struct page *p)
{
	page_print(p, "# EOF\n");
}

bool page_ok(const struct page *p)
{
	return !p->failed;
}

void page_clear(struct page *p)
{
	p->len = 0;
	p->failed = false;
}

void page_free(struct page *p)
{
	free(p->text);
	*p = (struct page) {0};
}
