/* SPDX-License-Identifier: BSD-2-Clause */
/* See routes.h. Made for millions of lines: one pass, no allocation for each. */
#include "routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 32u /* of one line */

struct reader {
	struct l3_routes *r;
	struct l3_names *names;
	char *why;
	size_t size;
	uint32_t line;
};

/* What one line says. */
struct said {
	uint8_t family, len;
	uint8_t addr[16];
	bool any_family; /* "default" */
	struct l3_hop hop;
	bool has_dev;
};

__attribute__((format(printf, 2, 3))) static int wrong(struct reader *d, const char *fmt, ...)
{
	char text[160];
	va_list args;

	va_start(args, fmt);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 overlooks the line above */
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(d->why, d->size, "%u: %s", d->line, text);
	return -EINVAL;
}

static int no_memory(struct reader *d)
{
	wrong(d, "out of memory");
	return -ENOMEM;
}

/* Room for one more. */
static bool grow(void **array, size_t n, size_t *room, size_t size)
{
	size_t want = *room ? *room * 2 : 1024;
	void *bigger;

	if (n < *room)
		return true;
	bigger = realloc(*array, want * size);
	if (!bigger)
		return false;
	*array = bigger;
	*room = want;
	return true;
}

/* ---- words ---- */

static unsigned split(char *line, char **words)
{
	unsigned n = 0;

	for (char *p = line; n < WORDS; n++) {
		p += strspn(p, " \t\r\n");
		if (!*p || *p == '#')
			break;
		words[n] = p;
		p += strcspn(p, " \t\r\n");
		if (*p)
			*p++ = '\0';
	}
	return n;
}

static uint8_t read_address(const char *word, uint8_t addr[16])
{
	uint8_t family = strchr(word, ':') ? 6 : 4;

	return inet_pton(family == 4 ? AF_INET : AF_INET6, word, addr) == 1 ? family : 0;
}

static bool bits_behind(const uint8_t *addr, unsigned len, unsigned bytes)
{
	for (unsigned i = len; i < bytes * 8; i++)
		if (addr[i / 8] & (0x80u >> i % 8))
			return true;
	return false;
}

static int read_prefix(struct reader *d, char *word, struct said *s)
{
	char *slash = strchr(word, '/'), *end;
	unsigned long len, most;

	if (!strcmp(word, "default")) {
		s->any_family = true;
		s->family = 4;
		return 0;
	}
	if (slash)
		*slash++ = '\0';
	s->family = read_address(word, s->addr);
	if (!s->family)
		return wrong(d, "\"%.64s\": not an address, or \"default\"", word);
	len = most = s->family == 4 ? 32 : 128;
	if (slash) {
		len = strtoul(slash, &end, 10);
		if (*slash < '0' || *slash > '9' || *end || len > most)
			return wrong(d, "\"%.64s/%.64s\": a length from 0 to %lu is needed", word,
				     slash, most);
	}
	if (bits_behind(s->addr, (unsigned)len, (unsigned)most / 8))
		return wrong(d, "\"%.64s/%lu\": bits behind the length are set", word, len);
	s->len = (uint8_t)len;
	return 0;
}

static int read_dev(struct reader *d, const char *word, struct said *s)
{
	struct l3_names *names = d->names;
	unsigned i = 0;

	while (i < names->n && strcmp(names->dev[i], word) != 0)
		i++;
	if (i == names->n) {
		if (!names->learn)
			return wrong(d, "dev \"%.64s\": not one of the ports", word);
		if (strlen(word) >= L3_DEV || i == L3_PORTS)
			return wrong(d, "dev \"%.64s\": too long for a name, or more than %u", word,
				     L3_PORTS);
		snprintf(names->dev[names->n++], L3_DEV, "%s", word);
	}
	s->hop.port = (uint8_t)i;
	s->has_dev = true;
	return 0;
}

static int read_via(struct reader *d, const char *word, struct said *s)
{
	s->hop.family = read_address(word, s->hop.addr);
	if (!s->hop.family)
		return wrong(d, "via \"%.64s\": not an address", word);
	s->hop.kind = L3_GATEWAY;
	return 0;
}

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(word, *list))
			return true;
	return false;
}

/* The words behind the prefix. */
static int read_rest(struct reader *d, char **words, unsigned n, struct said *s)
{
	static const char *const pairs[] = {"proto", "scope", "src", "metric", "pref", NULL};
	static const char *const flags[] = {"onlink", "linkdown", NULL};
	int rc = 0;

	for (unsigned i = 0; i < n && !rc; i++) {
		const char *word = words[i];

		if (is_one_of(word, flags))
			continue;
		if (++i == n)
			return wrong(d, "\"%.64s\": not expected at the end", word);
		if (!strcmp(word, "dev"))
			rc = read_dev(d, words[i], s);
		else if (!strcmp(word, "via") &&
			 !is_one_of(words[i], (const char *const[]) {"inet", "inet6", NULL}))
			rc = read_via(d, words[i], s);
		else if (!strcmp(word, "via"))
			rc = ++i < n ? read_via(d, words[i], s)
				     : wrong(d, "via: an address is missing");
		else if (!is_one_of(word, pairs))
			rc = wrong(d, "\"%.64s\": via, dev or blackhole is expected", word);
	}
	return rc;
}

/* ---- lines ---- */

static int keep(struct reader *d, const struct said *s)
{
	struct l3_routes *r = d->r;
	uint32_t value = l3_hops_add(&r->hops, &s->hop);
	uint32_t addr;

	if (!value)
		return no_memory(d);
	if (s->family == 6) {
		if (!grow((void **)&r->v6, r->n6, &r->room6, sizeof(*r->v6)))
			return no_memory(d);
		r->v6[r->n6++] = (struct lpm6_route) {lpm6_key(s->addr), value, d->line, s->len};
		return 0;
	}
	if (!grow((void **)&r->v4, r->n4, &r->room4, sizeof(*r->v4)))
		return no_memory(d);
	memcpy(&addr, s->addr, sizeof(addr));
	r->v4[r->n4++] = (struct lpm4_route) {ntohl(addr), value, d->line, s->len};
	return 0;
}

static int read_line(struct reader *d, char *line)
{
	static const char *const drops[] = {"blackhole", "unreachable", "prohibit", NULL};
	struct said s = {.hop = {.kind = L3_LINK}};
	char *words[WORDS];
	unsigned n = split(line, words), first = 0;
	int rc;

	if (!n)
		return 0;
	if (n == WORDS)
		return wrong(d, "more than %u words", WORDS - 1);
	if (is_one_of(words[0], drops)) {
		if (n == 1)
			return wrong(d, "%s: a prefix is missing", words[0]);
		first = 1;
	}
	rc = read_prefix(d, words[first], &s);
	if (!rc)
		rc = read_rest(d, words + first + 1, n - first - 1, &s);
	if (rc)
		return rc;
	if (first)
		s.hop = (struct l3_hop) {.kind = L3_BLACKHOLE};
	else if (!s.has_dev)
		return wrong(d, "dev is missing: which port do packets leave by?");
	if (s.any_family && s.hop.kind == L3_GATEWAY)
		s.family = s.hop.family;
	if (s.hop.kind == L3_GATEWAY && s.family == 6 && s.hop.family == 4)
		return wrong(d, "via: an IPv4 gateway for IPv6");
	return keep(d, &s);
}

/* Sorted, and no prefix twice. */
static int arrange(struct reader *d)
{
	struct l3_routes *r = d->r;

	if (r->n4)
		qsort(r->v4, r->n4, sizeof(*r->v4), lpm4_compare);
	if (r->n6)
		qsort(r->v6, r->n6, sizeof(*r->v6), lpm6_compare);
	for (size_t i = 1; i < r->n4; i++) {
		const struct lpm4_route *a = &r->v4[i - 1], *b = &r->v4[i];

		d->line = a->line > b->line ? a->line : b->line;
		if (!lpm4_compare(a, b))
			return wrong(d, "the same prefix as in line %u",
				     a->line + b->line - d->line);
	}
	for (size_t i = 1; i < r->n6; i++) {
		const struct lpm6_route *a = &r->v6[i - 1], *b = &r->v6[i];

		d->line = a->line > b->line ? a->line : b->line;
		if (!lpm6_compare(a, b))
			return wrong(d, "the same prefix as in line %u",
				     a->line + b->line - d->line);
	}
	return 0;
}

int l3_routes_read(struct l3_routes *r, FILE *in, struct l3_names *names, char *why, size_t size)
{
	struct reader d = {.r = r, .names = names, .why = why, .size = size};
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int rc = 0;

	memset(r, 0, sizeof(*r));
	if (l3_hops_init(&r->hops))
		return no_memory(&d);
	while (!rc && (len = getline(&line, &room, in)) >= 0) {
		d.line++;
		rc = strlen(line) == (size_t)len ? read_line(&d, line)
						 : wrong(&d, "a byte of zero: not a text");
	}
	if (!rc && ferror(in)) {
		rc = -errno;
		snprintf(why, size, "%u: %s", d.line, strerror(-rc));
	}
	free(line);
	if (!rc)
		rc = arrange(&d);
	if (rc)
		l3_routes_free(r);
	return rc;
}

void l3_routes_free(struct l3_routes *r)
{
	free(r->v4);
	free(r->v6);
	l3_hops_free(&r->hops);
	memset(r, 0, sizeof(*r));
}
