/* SPDX-License-Identifier: BSD-2-Clause */
/* See hostile.h. Usage: hostile -S SOCKET [-d DEV] [-m MATCH] [-f FRAME] [-t SECONDS] [-n N] [-F
 * FD] ACT */
#include "hostile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct orders orders = {.dev = "v0", .seconds = 1, .count = 1000, .fd = -1};

static const struct act *const acts[] = {ring_acts,  memory_acts, message_acts, wire_acts,
					 quota_acts, death_acts,  meddle_acts};
#define FAMILIES (sizeof(acts) / sizeof(acts[0]))

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static _Thread_local uint64_t state = 0x9e3779b97f4a7c15u;

void random_seed(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15u + 1;
}

/* xorshift64* (Vigna): repeatable, and good enough to hit every field. */
uint64_t random_next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1du;
}

void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("hostile: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

const char *reason_word(const struct session *s)
{
	static const char *const word[RAWNET_BYE_COUNT] = {
		"\"shutdown\"", "\"admin\"", "\"protocol\"", "\"ring\"", "\"memory\"",
		"\"policy\"",	"\"slow\"",  "\"device\"",   "\"busy\"",
	};

	if (s->ended)
		return s->ended <= RAWNET_BYE_COUNT ? word[s->ended - 1] : "\"?\"";
	return s->lost ? "\"hung up\"" : "null";
}

static void take_frame(const char *hex)
{
	size_t n = strlen(hex) / 2;

	if (n > sizeof(orders.frame))
		die("the frame is too long");
	for (size_t i = 0; i < n; i++) {
		const char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		orders.frame[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	orders.frame_len = (uint32_t)n;
}

static int usage(void)
{
	fprintf(stderr, "Usage: hostile -S SOCKET [-d DEV] [-m MATCH] [-f FRAME] [-t SECONDS] "
			"[-n N] [-F FD] ACT\n");
	for (size_t i = 0; i < FAMILIES; i++)
		for (const struct act *a = acts[i]; a->name; a++)
			fprintf(stderr, "  %-12s %s\n", a->name, a->what);
	return 2;
}

static int run(const char *name)
{
	for (size_t i = 0; i < FAMILIES; i++)
		for (const struct act *a = acts[i]; a->name; a++)
			if (!strcmp(a->name, name))
				return a->run();
	return usage();
}

int main(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "S:d:m:f:t:n:F:")) != -1) {
		switch (o) {
		case 'S': orders.socket = optarg; break;
		case 'd': orders.dev = optarg; break;
		case 'm': orders.match = optarg; break;
		case 'f': take_frame(optarg); break;
		case 't': orders.seconds = strtod(optarg, NULL); break;
		case 'F': orders.fd = atoi(optarg); break;
		case 'n': orders.count = strtoull(optarg, NULL, 10); break;
		default: return usage();
		}
	}
	if ((!orders.socket && orders.fd < 0) || optind + 1 != argc)
		return usage();
	return run(argv[optind]);
}
