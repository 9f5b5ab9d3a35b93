/* SPDX-License-Identifier: BSD-2-Clause */
/* Output: JSON objects, and values as people read them. */
#include "ctl.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>

#define SCHEMA 1 /* of the JSON: goes up when a member changes its meaning or goes away */

int ctl_emit(struct ctl *c, json_t *object)
{
	json_t *whole = json_pack("{s:i}", "schema", SCHEMA);
	int bad = !whole || !object || json_object_update(whole, object) ||
		  json_dumpf(whole, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15)) ||
		  putchar('\n') == EOF;

	json_decref(object);
	json_decref(whole);
	return bad ? ctl_refuse(c, "out of memory, or cannot write") : CTL_OK;
}

/* ---- text ---- */

#define TEXT 64

static char *next_text(void)
{
	static char texts[8][TEXT];
	static unsigned turn;

	return texts[turn++ % 8];
}

const char *ctl_bytes(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	unsigned unit = 0;
	char *text = next_text();

	for (; v >= 1024 && unit < 6; unit++)
		v /= 1024;
	snprintf(text, TEXT, unit ? "%.1f %s" : "%.0f %s", v, units[unit]);
	return text;
}

const char *ctl_short(double v)
{
	static const char units[] = {'\0', 'k', 'M', 'G', 'T', 'P', 'E'};
	char *text = next_text();
	unsigned unit = 0;
	int digits;

	for (; v >= 999.5 && unit < sizeof(units) - 1; unit++)
		v /= 1000;
	digits = v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2;
	if (unit)
		snprintf(text, TEXT, "%.*f%c", digits, v, units[unit]);
	else /* a rate below 1 is not none */
		snprintf(text, TEXT, "%.*f", v > 0 && v < 9.95 ? 1 : 0, v);
	return text;
}

const char *ctl_duration(uint64_t ns)
{
	uint64_t s = ns / 1000000000u, m = s / 60, h = m / 60, d = h / 24;
	char *text = next_text();

	if (d)
		snprintf(text, TEXT, "%" PRIu64 "d%02" PRIu64 "h", d, h % 24);
	else if (h)
		snprintf(text, TEXT, "%" PRIu64 "h%02" PRIu64 "m", h, m % 60);
	else if (m)
		snprintf(text, TEXT, "%" PRIu64 "m%02" PRIu64 "s", m, s % 60);
	else
		snprintf(text, TEXT, "%" PRIu64 "s", s);
	return text;
}

const char *ctl_user(uint32_t uid)
{
	const struct passwd *pw = getpwuid(uid);
	char *text = next_text();

	if (pw)
		snprintf(text, TEXT, "%u (%.32s)", uid, pw->pw_name);
	else
		snprintf(text, TEXT, "%u", uid);
	return text;
}

const char *ctl_mac(const uint8_t mac[6])
{
	char *text = next_text();

	snprintf(text, TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return text;
}

const char *ctl_plural(uint64_t n, const char *noun)
{
	char *text = next_text();

	snprintf(text, TEXT, "%" PRIu64 " %s%s", n, noun, n == 1 ? "" : "s");
	return text;
}

/* ---- JSON ---- */

json_t *ctl_user_json(uint32_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	return pw ? json_string(pw->pw_name) : json_null();
}

json_t *ctl_bound_json(uint64_t v, uint64_t none)
{
	return v == none ? json_null() : json_integer((json_int_t)v);
}
